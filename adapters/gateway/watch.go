package gateway

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// A control read that brings nothing new is held until there is something. All
// reads of a run that are held share one watch: what this process commits wakes
// them, and what other processes commit is found by one poll of the store.

// view is what a read of a run's control state has found.
type view struct {
	run     core.Run       // only what ControlOf needs
	indexes map[string]int // of its workers
	version int64          // 0: never read
	err     error          // it could not be read
	begun   time.Time      // whatever was committed before this is in it
}

// viewOf keeps nothing of run that its caller may change.
func viewOf(run core.Run, version int64, begun time.Time) view {
	v := view{
		run: core.Run{
			ID: run.ID, Status: run.Status, Rung: run.Rung, Phase: run.Phase, PhaseAt: run.PhaseAt,
			Origin: run.Origin, Until: run.Until, OwnerLeaseUntil: run.OwnerLeaseUntil, Sequence: run.Sequence,
			Aim:     run.Aim,
			Workers: make([]core.WorkerRecord, len(run.Workers)),
		},
		indexes: make(map[string]int, len(run.Workers)), version: version, begun: begun,
	}
	for i, w := range run.Workers {
		v.run.Workers[i] = core.WorkerRecord{ID: w.ID, Epoch: w.Epoch, Target: w.Target, Acknowledged: w.Acknowledged}
		v.indexes[w.ID] = i
	}
	return v
}

// watch is how a run is watched while somebody waits.
type watch struct {
	mu      sync.Mutex
	view    view
	news    chan struct{} // closed when there is another view
	want    chan struct{} // somebody cannot wait for the next poll
	waiting int
	running bool
	poll    time.Duration // 0: not known
}

func newWatch() watch {
	return watch{news: make(chan struct{}), want: make(chan struct{}, 1)}
}

// control reads the control state of a worker. While that has still the version
// seen, the answer is held, for a.Hold at most, until stopping is closed.
func (s *Server) control(ctx context.Context, stopping <-chan struct{}, a *controlArgs) (core.Control, error) {
	if err := ended(ctx); err != nil {
		return core.Control{}, err
	}
	r, err := s.enter(a.RunID)
	if err != nil {
		return core.Control{}, err
	}
	defer s.leave(r)
	arrived := time.Now()
	found, held, err := s.await(ctx, stopping, r, arrived, a)
	if err != nil {
		return core.Control{}, err
	}
	index, ok := found.indexes[a.WorkerID]
	if !ok {
		return core.Control{}, fmt.Errorf("%w: gateway: run %q has no worker %q", core.ErrNotFound, a.RunID, a.WorkerID)
	}
	control := core.ControlOf(found.run, found.version, index, s.clock.now())
	control.Held = held
	return control, nil
}

// await returns a view that is not older than the question: at once if its
// version was not seen, else when it has changed or the hold is over. held is for
// how long the question was kept waiting on purpose.
func (s *Server) await(ctx context.Context, stopping <-chan struct{}, r *runState, arrived time.Time, a *controlArgs) (view, time.Duration, error) {
	w := &r.watch
	s.startWatch(r)
	defer s.endWatch(r)
	over := time.NewTimer(s.hold(a.Hold))
	defer over.Stop()
	closing := s.closing
	holding := a.Seen > 0 && a.Hold > 0
	patient := holding
	var held time.Duration
	for {
		w.mu.Lock()
		v, news := w.view, w.news
		w.mu.Unlock()
		fresh := !v.begun.Before(arrived)
		if v.version != a.Seen || fresh && v.err != nil && core.CodeOf(v.err) != core.Unavailable {
			patient = false
		}
		if !patient {
			if fresh {
				return v, held, v.err
			}
			w.ask()
		}
		select {
		case <-news:
		case <-over.C:
			patient = false
		case <-closing:
			patient, closing = false, nil
		case <-stopping:
			patient, stopping = false, nil
		case <-ctx.Done():
			return v, held, ended(ctx)
		}
		if holding && v.version == a.Seen {
			held = time.Since(arrived)
		}
	}
}

// hold is for how long a read may be held.
func (s *Server) hold(wanted time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting > maxWaiting {
		return 0
	}
	return min(max(wanted, 0), maxHold)
}

// ask makes the watch read the store now.
func (w *watch) ask() {
	select {
	case w.want <- struct{}{}:
	default:
	}
}

func (s *Server) startWatch(r *runState) {
	s.mu.Lock()
	s.waiting++
	s.mu.Unlock()
	w := &r.watch
	w.mu.Lock()
	w.waiting++
	start := !w.running
	w.running = true
	w.mu.Unlock()
	if start {
		s.also(r, func() { s.follow(r) })
	}
}

func (s *Server) endWatch(r *runState) {
	s.mu.Lock()
	s.waiting--
	s.mu.Unlock()
	w := &r.watch
	w.mu.Lock()
	w.waiting--
	last := w.waiting == 0
	w.mu.Unlock()
	if last {
		w.ask() // to notice it
	}
}

// follow reads the control state of a run while somebody waits: with every poll,
// and when somebody asks.
func (s *Server) follow(r *runState) {
	w := &r.watch
	for {
		timer := time.NewTimer(w.due(s.options.Poll))
		select {
		case <-timer.C:
		case <-w.want:
		}
		timer.Stop()
		w.mu.Lock()
		if w.waiting == 0 {
			w.running = false
			w.mu.Unlock()
			return
		}
		before := w.view
		w.mu.Unlock()
		s.look(r, before)
	}
}

// due is how long the next poll can wait.
func (w *watch) due(poll time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if poll <= 0 {
		poll = w.poll
	}
	if poll <= 0 {
		poll = DefaultPoll
	}
	if w.view.run.Status == core.Starting { // START is waited for
		poll = core.WaitingPoll(poll)
	}
	return max(poll, time.Millisecond) - time.Since(w.view.begun)
}

// look reads the run if its version is another one than before.
func (s *Server) look(r *runState, before view) {
	ctx, cancel := s.shared()
	defer cancel()
	begun := time.Now()
	next := before
	next.begun, next.err = begun, nil
	if before.version > 0 && before.err == nil {
		control, err := s.store.Control(ctx, r.id, core.WorkerID(0))
		s.clock.heard(control.Now, begun)
		if err != nil || control.Version == before.version {
			next.err = err
			r.watch.publish(next)
			return
		}
		begun = time.Now()
	}
	record, err := s.store.Load(ctx, r.id)
	s.clock.heard(record.Now, begun)
	if err != nil {
		next.err = err
	} else {
		next = viewOf(record.Run, record.Version, begun)
		r.watch.mu.Lock()
		r.watch.poll = record.Scenario.Limits.ControlPoll.Std()
		r.watch.mu.Unlock()
	}
	r.watch.publish(next)
}

// publish shows a view to all who wait, unless a newer one was committed while it
// was read.
func (w *watch) publish(v view) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.view.begun.After(v.begun) && (v.err != nil || w.view.version > v.version) {
		return
	}
	w.view = v
	close(w.news)
	w.news = make(chan struct{})
}

// noticed takes it that somebody has seen a version of the run.
func (s *Server) noticed(runID string, version int64) {
	r, ok := s.known(runID)
	if !ok {
		return
	}
	defer s.leave(r)
	r.watch.mu.Lock()
	news := r.watch.running && r.watch.view.version != version
	r.watch.mu.Unlock()
	if news {
		r.watch.ask()
	}
}

// committed shows what this process has just committed.
func (s *Server) committed(run core.Run, version int64, begun time.Time) {
	r, ok := s.known(run.ID)
	if !ok {
		return
	}
	defer s.leave(r)
	w := &r.watch
	w.mu.Lock()
	before, watched := w.view.version, w.running
	w.mu.Unlock()
	switch {
	case watched && before == 0: // the first read is under way
		w.ask()
	case before > 0 && before < version:
		w.publish(viewOf(run, version, begun))
	}
}
