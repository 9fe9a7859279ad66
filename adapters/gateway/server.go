package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// Defaults of Options, and the bounds that are no option.
const (
	DefaultInterval     = time.Second
	DefaultPoll         = 50 * time.Millisecond
	DefaultStoreTimeout = 10 * time.Second

	maxHold       = 10 * time.Second       // of a control read
	maxRuns       = 256                    // whose state is in memory
	maxWorkers    = 10_000                 // of one run
	maxWaiting    = 20_000                 // control reads that are held at once; more are answered at once
	executionGap  = 100 * time.Millisecond // between two batches of executions of one run
	maxExecutions = 10_000                 // in one call of the store, and in memory per run three times as many
	closeTimeout  = 5 * time.Second        // for what Close still stores
)

// Options of a Server.
type Options struct {
	// Key is what tokens are made from: LoadKey. Required to serve; a Server
	// without one answers nobody but its own process.
	Key []byte
	// Interval is the least time between two batches of steady beats of a run; 0:
	// DefaultInterval.
	Interval time.Duration
	// Poll is how often, while workers wait, the store is asked what other
	// processes have changed; 0: as the run's scenario says.
	Poll time.Duration
	// StoreTimeout bounds one call of the store that several callers share; 0:
	// DefaultStoreTimeout.
	StoreTimeout time.Duration
	// Logger gets what nobody is told by an error; nil: nothing is logged.
	Logger *slog.Logger
}

// Server stands in front of a store. Make it with New.
type Server struct {
	store   ports.Store
	options Options
	log     *slog.Logger
	clock   storeClock

	mu      sync.Mutex
	runs    map[string]*runState
	waiting int // control reads that are held
	closed  bool

	closing chan struct{} // closed when everything is to come to its end
	work    sync.WaitGroup
}

// New puts a Server in front of a store, which stays the caller's to close.
func New(store ports.Store, options Options) *Server {
	if options.Interval <= 0 {
		options.Interval = DefaultInterval
	}
	if options.StoreTimeout <= 0 {
		options.StoreTimeout = DefaultStoreTimeout
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	return &Server{
		store: store, options: options, log: options.Logger,
		runs: map[string]*runState{}, closing: make(chan struct{}),
	}
}

// Store is the store as the Server's own process has to use it, so that it sees
// what workers have just said, and they what it has just decided. Closing it
// closes the Server and the store below.
func (s *Server) Store() ports.Store { return front{s.store, s} }

// Close answers the reads that are held, stores the beats that are, and ends
// every goroutine of the Server. Calls after it are Unavailable. It is idempotent.
// Errors: Unavailable when that takes longer than 5 s.
func (s *Server) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
		s.work.Wait()
		close(done)
	}()
	timer := time.NewTimer(closeTimeout)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
		return fmt.Errorf("%w: gateway: the store did not take what was left within %s", core.ErrUnavailable, closeTimeout)
	}
}

// runState is what is in memory of one run.
type runState struct {
	id         string
	users      int       // calls and goroutines that use it; under Server.mu
	used       time.Time // last; under Server.mu
	beats      beats
	executions executions
	watch      watch
}

// enter begins a call that concerns a run. Each is followed by leave.
func (s *Server) enter(runID string) (*runState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("%w: gateway: it is closed", core.ErrUnavailable)
	}
	r := s.runs[runID]
	if r == nil {
		if len(s.runs) >= maxRuns && !s.evict() {
			return nil, fmt.Errorf("%w: gateway: %d runs are busy already", core.ErrUnavailable, maxRuns)
		}
		r = newRunState(runID)
		s.runs[runID] = r
	}
	r.users++
	s.work.Add(1)
	return r, nil
}

func newRunState(id string) *runState {
	return &runState{id: id, beats: newBeats(), executions: newExecutions(), watch: newWatch()}
}

// also begins a goroutine on behalf of a call that has entered.
func (s *Server) also(r *runState, f func()) {
	s.mu.Lock()
	r.users++
	s.work.Add(1)
	s.mu.Unlock()
	go func() {
		defer s.leave(r)
		f()
	}()
}

func (s *Server) leave(r *runState) {
	s.mu.Lock()
	r.users--
	r.used = time.Now()
	s.mu.Unlock()
	s.work.Done()
}

// evict forgets the run that was not used for the longest time: what is in memory
// of a run that nobody uses is stored as well.
func (s *Server) evict() bool {
	var oldest *runState
	for _, r := range s.runs {
		if r.users == 0 && (oldest == nil || r.used.Before(oldest.used)) {
			oldest = r
		}
	}
	if oldest != nil {
		delete(s.runs, oldest.id)
	}
	return oldest != nil
}

// known returns the state of a run if there is one, entered.
func (s *Server) known(runID string) (*runState, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.runs[runID]
	if r == nil || s.closed {
		return nil, false
	}
	r.users++
	s.work.Add(1)
	return r, true
}

// forget drops the state of a run that is no longer in the store.
func (s *Server) forget(r *runState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.runs[r.id] == r {
		delete(s.runs, r.id)
	}
}

// shared is the context of a call of the store on behalf of several callers.
func (s *Server) shared() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), s.options.StoreTimeout)
}

// isClosing reports whether the Server is coming to its end.
func (s *Server) isClosing() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// ended is the error of a context that has ended, or nil.
func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: gateway: %w", core.ErrUnavailable, err)
	}
	return nil
}
