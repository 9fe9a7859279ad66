package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
)

// Bounds of what is remembered of sessions.
const (
	tokensPerSession = 8      // the newest; a driver renews with the last it was given
	endedSessions    = 100000 // why a session has ended
)

// session is a session between login and its end.
type session struct {
	id          int64
	user        string
	application string
	spcs        bool // logged in with the token of a container service
	since       time.Time
	engine      *engine.Session
	running     atomic.Int64    // statements
	gone        chan struct{}   // closed when nothing of it is left
	tail        chan struct{}   // of the last statement; guarded by jobs.mu
	ctx         context.Context // ends with the session
	stop        context.CancelFunc

	mu         sync.Mutex
	parameters []byte // encoded for replies; nil when a statement has changed them
	tag        string // QUERY_TAG, with them

	// Guarded by sessions.mu.
	tokens      []token
	master      string
	masterUntil time.Time
}

// token is a session token.
type token struct {
	text  string
	until time.Time
}

// sessions are those that live, by their tokens, and why others do not.
type sessions struct {
	mu      sync.Mutex
	live    map[int64]*session
	ended   map[int64]string // the code that answers their tokens
	history []int64          // of ended, the oldest first
}

func newSessions() *sessions {
	return &sessions{live: map[int64]*session{}, ended: map[int64]string{}}
}

// newToken makes a token. It names its session, as Snowflake's do, so that one
// of an earlier process is known to be of a session that is gone.
func newToken(id int64) string {
	return fmt.Sprintf("ver:3-hint:%d-%s%s", id, rand.Text(), rand.Text())
}

func sessionOf(token string) (int64, bool) {
	rest, ok := strings.CutPrefix(token, "ver:3-hint:")
	number, _, found := strings.Cut(rest, "-")
	id, err := strconv.ParseInt(number, 10, 64)
	return id, ok && found && err == nil
}

// add makes a session known, with its first tokens.
func (t *sessions) add(x *session, now time.Time, o Options) (text, master string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x.master = newToken(x.id)
	x.masterUntil = now.Add(o.MasterToken)
	x.tokens = []token{{newToken(x.id), now.Add(o.SessionToken)}}
	t.live[x.id] = x
	return x.tokens[0].text, x.master
}

// find is the session of a token that is still valid.
func (t *sessions) find(text string, now time.Time) (*session, *refusal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x, no := t.owner(text)
	if no != nil {
		if no.code == codeMasterExpired { // the driver asks for a new token, and is told then
			no = refuse(codeSessionExpired, "08001", textSessionExpired)
		}
		return nil, no
	}
	for _, known := range x.tokens {
		if known.text == text {
			if now.Before(known.until) {
				return x, nil
			}
			return x, refuse(codeSessionExpired, "08001", textSessionExpired)
		}
	}
	return nil, refuse(codeTokenInvalid, "08001", textTokenInvalid)
}

// owner is the session that a token names. The caller holds the lock.
func (t *sessions) owner(text string) (*session, *refusal) {
	id, ok := sessionOf(text)
	if !ok {
		return nil, refuse(codeTokenInvalid, "08001", textTokenInvalid)
	}
	if x, ok := t.live[id]; ok {
		return x, nil
	}
	if t.ended[id] == codeMasterExpired {
		return nil, refuse(codeMasterExpired, "08001", textMasterExpired)
	}
	return nil, refuse(codeSessionGone, "08001", textSessionGone)
}

// renew gives the session of a master token a new session token.
func (t *sessions) renew(master string, now time.Time, o Options) (*session, string, *refusal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x, no := t.owner(master)
	switch {
	case no != nil && no.code == codeTokenInvalid:
		return nil, "", refuse(codeMasterInvalid, "08001", textMasterInvalid)
	case no != nil:
		return nil, "", no
	case x.master != master:
		return nil, "", refuse(codeMasterInvalid, "08001", textMasterInvalid)
	case !now.Before(x.masterUntil):
		return x, "", refuse(codeMasterExpired, "08001", textMasterExpired)
	}
	x.masterUntil = now.Add(o.MasterToken)
	made := token{newToken(x.id), now.Add(o.SessionToken)}
	x.tokens = append(x.tokens, made)
	if over := len(x.tokens) - tokensPerSession; over > 0 {
		x.tokens = slices.Clone(x.tokens[over:])
	}
	return x, made.text, nil
}

// beat keeps a session alive.
func (t *sessions) beat(x *session, now time.Time, o Options) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x.masterUntil = now.Add(o.MasterToken)
}

// expire makes the tokens of a session expire now; its master token too if asked.
func (t *sessions) expire(x *session, now time.Time, master bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range x.tokens {
		x.tokens[i].until = now
	}
	if master {
		x.masterUntil = now
	}
}

// remove forgets a session, and remembers why. It reports whether it was there.
func (t *sessions) remove(x *session, code string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.live[x.id] != x {
		return false
	}
	delete(t.live, x.id)
	t.ended[x.id] = code
	t.history = append(t.history, x.id)
	if len(t.history) > endedSessions {
		delete(t.ended, t.history[0])
		t.history = t.history[1:]
	}
	return true
}

// expired are the sessions whose master token has expired.
func (t *sessions) expired(now time.Time) (list []*session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, x := range t.live {
		if !now.Before(x.masterUntil) {
			list = append(list, x)
		}
	}
	return list
}

// all are the sessions that live, by their ids.
func (t *sessions) all() []*session {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]*session, 0, len(t.live))
	for _, id := range slices.Sorted(maps.Keys(t.live)) {
		list = append(list, t.live[id])
	}
	return list
}
