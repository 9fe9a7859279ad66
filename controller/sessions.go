package controller

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"time"
)

// The bounds of sessions of browsers.
const (
	sessionLife = 12 * time.Hour
	maxSessions = 1000
)

// sessions are browsers that have shown a token. They live in memory, by the hash
// of what the browser's cookie says: a restart ends them.
type sessions struct {
	mu   sync.Mutex
	open map[[sha256.Size]byte]session
}

type session struct {
	caller Caller
	until  time.Time
}

// begin opens a session and returns what its cookie says. When there are too many
// the one that would end first is ended.
func (s *sessions) begin(c Caller, now time.Time) string {
	secret := make([]byte, 32)
	rand.Read(secret) // never fails
	id := base64.RawURLEncoding.EncodeToString(secret)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[[sha256.Size]byte]session{}
	}
	for len(s.open) >= maxSessions {
		s.drop()
	}
	s.open[sha256.Sum256([]byte(id))] = session{caller: c, until: now.Add(sessionLife)}
	return id
}

// drop ends the session that would end first.
func (s *sessions) drop() {
	var first [sha256.Size]byte
	var until time.Time
	for hash, one := range s.open {
		if until.IsZero() || one.until.Before(until) {
			first, until = hash, one.until
		}
	}
	delete(s.open, first)
}

// find is whose session it is.
func (s *sessions) find(id string, now time.Time) (Caller, bool) {
	hash := sha256.Sum256([]byte(id))
	s.mu.Lock()
	defer s.mu.Unlock()
	one, ok := s.open[hash]
	if ok && !now.Before(one.until) {
		delete(s.open, hash)
		return Caller{}, false
	}
	return one.caller, ok
}

func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, sha256.Sum256([]byte(id)))
}
