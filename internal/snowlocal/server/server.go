package server

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
)

// What Snowflake does unless it is told otherwise.
const (
	DefaultSessionToken = time.Hour
	DefaultMasterToken  = 4 * time.Hour
	DefaultSyncLimit    = 45 * time.Second
)

// Options of a server. The zero value does as Snowflake does.
type Options struct {
	// SessionToken is how long a session's token is valid, until it is renewed
	// with the master token.
	SessionToken time.Duration
	// MasterToken is how long a session lives without a renewal or a heartbeat.
	MasterToken time.Duration
	// SyncLimit is how long a request waits for its statement before it is told
	// to ask again.
	SyncLimit time.Duration
	// Now is the clock of the tokens; nil is time.Now.
	Now func() time.Time
	// Services are the container services; nil: there are none.
	Services Services
}

// Server is the protocol before an engine.
type Server struct {
	engine   *engine.Engine
	options  Options
	sessions *sessions
	jobs     *jobs
	faults   *faults
	recorder *recorder

	ctx  context.Context // ends with the server
	stop context.CancelFunc

	mu     sync.Mutex // held while work is added
	closed bool
	work   sync.WaitGroup // what may outlive the request that began it
}

// New makes a server. The engine stays the caller's; it is closed after the
// server.
func New(e *engine.Engine, o Options) (*Server, error) {
	if e == nil {
		return nil, errors.New("a server needs an engine")
	}
	if o.SessionToken < 0 || o.MasterToken < 0 || o.SyncLimit < 0 {
		return nil, errors.New("times of a server cannot be negative")
	}
	defaults := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	defaults(&o.SessionToken, DefaultSessionToken)
	defaults(&o.MasterToken, DefaultMasterToken)
	defaults(&o.SyncLimit, DefaultSyncLimit)
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{engine: e, options: o, sessions: newSessions(), jobs: newJobs(), faults: &faults{}, recorder: newRecorder()}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.spawn(s.reap)
	return s, nil
}

// spawn runs something that Close waits for. It does not after Close.
func (s *Server) spawn(what func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.work.Go(what)
	return true
}

// Close cancels what runs, ends every session and waits for both.
func (s *Server) Close() error {
	s.stop()
	for _, x := range s.sessions.all() {
		s.end(x, codeSessionGone)
	}
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.work.Wait()
	return nil
}

// Handler answers drivers, and those who control the stand-in.
func (s *Server) Handler() http.Handler {
	mux := s.drivers()
	mux.Handle("/snowlocal/", s.control())
	return mux
}

// drivers answers drivers alone.
func (s *Server) drivers() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("POST /session/v1/login-request", s.driver(s.login))
	mux.Handle("POST /session/token-request", s.driver(s.renew))
	mux.Handle("POST /session/heartbeat", s.driver(s.heartbeat))
	mux.Handle("POST /session", s.driver(s.logout))
	mux.Handle("POST /queries/v1/query-request", s.driver(s.query))
	mux.Handle("POST /queries/v1/abort-request", s.driver(s.abort))
	mux.Handle("GET /queries/{id}/result", s.driver(s.result))
	mux.Handle("GET /monitoring/queries/{id}", s.driver(s.monitor))
	mux.Handle("POST /telemetry/send", s.driver(s.telemetry))
	return mux
}

// reapEvery is how often sessions are looked at whose master token has expired.
const reapEvery = time.Second

// reap ends the sessions that nobody has renewed.
func (s *Server) reap() {
	ticker := time.NewTicker(reapEvery)
	defer ticker.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-ticker.C:
			for _, x := range s.sessions.expired(s.options.Now()) {
				s.end(x, codeMasterExpired)
			}
		}
	}
}

// end ends a session: what it runs is cancelled. Its tokens are answered with
// the code from now on.
func (s *Server) end(x *session, code string) {
	if !s.sessions.remove(x, code) {
		return
	}
	x.stop()
	leave := func() {
		defer close(x.gone)
		x.engine.Close()
	}
	if !s.spawn(leave) {
		leave()
	}
}
