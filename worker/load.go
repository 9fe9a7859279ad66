package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// parallelOpens is how many sessions a worker opens at the same time.
const parallelOpens = 8

// load is everything that makes load: the connections and what they share.
type load struct {
	clock      clock
	scenario   core.Scenario
	key        core.WorkerKey
	generator  *core.Generator
	operations []operation
	statements []core.Statement
	longest    int  // statements of an operation at most
	quotas     bool // the run is bounded by operations
	think      time.Duration
	timeout    time.Duration // of one statement; 0: none
	text       func(error) string
	log        *slog.Logger

	// ctx is the parent of every operation's context and is never cancelled;
	// opening is that of opening sessions and ends with the load.
	ctx         context.Context
	opening     context.Context
	stopOpening context.CancelFunc

	target      ports.Target
	connections []*connection
	nulls       *nullLane       // nil: the scenario wants none
	pacer       *pacer          // of an open loop; nil in a closed one
	entries     []time.Duration // into a closed loop with a ramp, by connection; nil: none waits
	coarse      bool            // waits by the runtime's timers alone
	schedule    atomic.Pointer[core.LoadSchedule]
	changed     atomic.Pointer[chan struct{}] // closed when the schedule is another one
	stop        chan struct{}                 // closed when the load is over before its time
	cancelling  chan struct{}                 // closed when operations are to be cancelled
	allowance   *allowance                    // of the budget; nil: none is needed
	budgetSpent func()                        // called once; may be nil
	stopOnce    sync.Once
	spendOnce   sync.Once
	cancelOnce  sync.Once

	sampler    sampler
	samples    chan sampled
	dropped    atomic.Uint64 // samples that did not fit
	began      atomic.Int64  // stamp of the first operation of the measurement; 0: none yet
	reconnects atomic.Uint64
	exhausted  atomic.Int64   // connections that no key was left for
	running    atomic.Int64   // connections that may still make operations
	unquoted   atomic.Int64   // of them, those whose quota is not done
	lastDone   atomic.Int64   // stamp of the last operation of a quota
	closing    sync.WaitGroup // connections whose session may be open
	leaving    chan struct{}  // closed when the worker leaves: sessions may be closed

	mu        sync.Mutex
	sessions  map[int]string // by connection, of those that have one open
	known     []string       // sessions that were ever opened, as far as they are kept
	lastError string
	made      time.Duration // when the text of lastError was made
	noted     time.Duration // when an error was last noted
	lasting   string        // a message that stays true
}

// newLoad prepares the load of the connections of one worker. It opens nothing.
func newLoad(ctx context.Context, clock clock, s core.Scenario, pools []core.ValuePool, key core.WorkerKey, worker int, text func(error) string, log *slog.Logger) (*load, error) {
	generator, err := core.NewGenerator(s, pools...)
	if err != nil {
		return nil, err
	}
	l := &load{
		clock: clock, scenario: s, key: key, generator: generator, text: text, log: log,
		statements: s.Statements(),
		quotas:     s.Load.Operations > 0,
		think:      s.Load.ThinkTime.Std(),
		timeout:    s.Limits.StatementTimeout.Std(),
		sampler:    newSampler(s.Load.Sampling, s.Load.Seed),
		ctx:        context.WithoutCancel(ctx),
		stop:       make(chan struct{}),
		cancelling: make(chan struct{}),
	}
	if l.sampler.threshold != 0 {
		l.samples = make(chan sampled, executionQueue)
	}
	l.opening, l.stopOpening = context.WithCancel(l.ctx)
	l.schedule.Store(&core.LoadSchedule{Warmup: core.Never, Measurement: core.Never, Cooldown: core.Never, End: core.Never})
	for i, op := range s.Operations {
		l.operations = append(l.operations, operation{
			kind: op.Kind, access: op.Access, first: generator.FirstStatement(i),
			statements: len(op.Statements), transaction: op.Transaction,
		})
		l.longest = max(l.longest, len(op.Statements))
	}
	changed := make(chan struct{})
	l.changed.Store(&changed)
	first, count := core.Connections(s.Load.Connections, s.Load.Workers, worker)
	l.allowance = newAllowance(s, worker)
	if s.Load.OpenLoop() {
		l.pacer = newPacer(clock, s, worker, generator)
	}
	if entries := core.Entries(s.Load); entries != nil {
		l.entries = entries[first : first+count]
	}
	for i := range count {
		l.connections = append(l.connections, l.newConnection(i, int64(first+i)))
	}
	if !s.Load.NoNullLane {
		l.nulls = newNullLane(l, first)
	}
	l.sessions = make(map[int]string, count)
	l.leaving = make(chan struct{})
	return l, nil
}

// openAll opens the session of every connection, a few at a time. The first
// failure, or the end of the load, ends it; then everything that was opened is
// closed again.
func (l *load) openAll(target ports.Target) error {
	l.target = target
	ctx, cancel := context.WithCancelCause(l.opening)
	defer cancel(nil)
	free := make(chan struct{}, parallelOpens)
	var opens sync.WaitGroup
	for _, c := range l.connections {
		free <- struct{}{}
		opens.Go(func() {
			defer func() { <-free }()
			if ctx.Err() != nil {
				return
			}
			if err := c.openSession(ctx); err != nil {
				cancel(fmt.Errorf("connection %d: %w", c.global, err))
			}
		})
	}
	opens.Wait()
	if ctx.Err() == nil {
		return nil
	}
	err := context.Cause(ctx)
	l.closeAll()
	return err
}

// closeAll closes the sessions of a load that was never started.
func (l *load) closeAll() {
	for _, c := range l.connections {
		c.closeSession()
	}
}

// open opens one session.
func (l *load) open(ctx context.Context, global int64) (ports.Session, error) {
	return l.target.Open(ctx, ports.SessionOptions{
		Table:      l.scenario.Table,
		Statements: l.statements,
		Tag:        fmt.Sprintf("benchfleet:%s/%s/%d", l.key.RunID, l.key.WorkerID, global),

		ResultCache: l.scenario.Target.ResultCache, StatementTimeout: l.timeout,
	})
}

// start lets every connection run. idle is called once, when the last of them
// has ended; quotasDone before it, when all have run their quota.
func (l *load) start(quotasDone, idle func()) {
	l.running.Store(int64(len(l.connections)))
	l.unquoted.Store(int64(len(l.connections)))
	if len(l.connections) == 0 {
		l.closing.Go(func() {
			if l.quotas {
				quotasDone()
			}
			idle()
		})
	}
	for _, c := range l.connections {
		l.closing.Go(func() {
			done := c.run()
			if done && l.unquoted.Add(-1) == 0 {
				quotasDone()
			}
			if l.running.Add(-1) == 0 {
				idle()
			}
			if !c.exhausted { // what has run its load still holds its connection
				<-l.leaving
			}
			c.closeSession()
		})
	}
}

// leave lets every connection close its session and waits for all of them. It is
// called once, after the load has ended.
func (l *load) leave() {
	close(l.leaving)
	l.closing.Wait()
}

// quotaDone remembers when the last operation of a quota ended.
func (l *load) quotaDone(at time.Duration) {
	for last := l.lastDone.Load(); last < int64(at) && !l.lastDone.CompareAndSwap(last, int64(at)); {
		last = l.lastDone.Load()
	}
}

// publish gives the connections a schedule, if it is another one, and wakes those
// that wait for one. One goroutine at a time may call it.
func (l *load) publish(s core.LoadSchedule) {
	if *l.schedule.Load() != s {
		l.schedule.Store(&s)
		changed := make(chan struct{})
		close(*l.changed.Swap(&changed))
	}
}

// change is closed when the schedule becomes another one than it is now.
func (l *load) change() <-chan struct{} { return *l.changed.Load() }

// targetAt is how many of target connections a ramp has let in.
func (l *load) targetAt(now time.Duration, target int) int {
	if l.entries == nil {
		return target
	}
	return min(target, core.Entered(l.entries, l.sinceMeasurement(now)))
}

// sinceMeasurement is how long the measurement goes on; 0 before it.
func (l *load) sinceMeasurement(now time.Duration) time.Duration {
	return max(now-l.schedule.Load().Measurement, 0)
}

// end lets no further operation start and wakes whoever pauses. The schedule
// that says so must be published before.
func (l *load) end() {
	l.stopOnce.Do(func() {
		close(l.stop)
		l.stopOpening()
	})
}

// served reports whether nothing is left of an open loop that is bounded by operations.
func (l *load) served() bool { return l.pacer != nil && l.pacer.served.Load() }

// stopped reports whether the load was ended.
func (l *load) stopped() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

// cancelAll cancels what is in flight, from now on.
func (l *load) cancelAll() { l.cancelOnce.Do(func() { close(l.cancelling) }) }

// maxFormerSessions is how many sessions that are no longer open a worker keeps
// naming, so that what they may have left running is counted and cancelled too.
const maxFormerSessions = 256

// opened and closed keep the list of sessions.
func (l *load) opened(index int, session string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sessions[index] = session
	if session == "" || slices.Contains(l.known, session) {
		return
	}
	l.known = append(l.known, session)
	if len(l.known) <= len(l.connections)+maxFormerSessions {
		return
	}
	open := slices.Collect(maps.Values(l.sessions))
	if former := slices.IndexFunc(l.known, func(id string) bool { return !slices.Contains(open, id) }); former >= 0 {
		l.known = slices.Delete(l.known, former, former+1)
	}
}

func (l *load) closed(index int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.sessions, index)
}

// sessionIDs are the sessions that this worker has opened, oldest first.
func (l *load) sessionIDs() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.known)
}

// openCount is how many connections have a session open.
func (l *load) openCount() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.sessions)
}

// missing is how many of the connections that a worker is asked for have no session
// open: the first ones, or those that a ramp has let in.
func (l *load) missing(now time.Duration, asked int) (n int) {
	since := l.sinceMeasurement(now)
	l.mu.Lock()
	defer l.mu.Unlock()
	for index := range max(asked, len(l.entries)) {
		in := l.entries == nil || l.entries[index] <= since
		if _, open := l.sessions[index]; in && !open {
			n++
		}
	}
	return min(n, asked)
}

// notePause bounds how often an error's text is made: errors may come fast.
const notePause = 100 * time.Millisecond

// errorNews is how many intervals after an error beats still tell it: in one
// that arrives it is seen. What it did stays in the counts, with an example.
const errorNews = core.StaleAfter

// noteError remembers an error for the next beats.
func (l *load) noteError(err error) {
	if errors.Is(err, context.Canceled) && l.stopped() {
		return
	}
	now := l.clock.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.noted = now
	if l.lastError == "" || now-l.made >= notePause {
		l.lastError, l.made = l.text(err), now
	}
}

// note remembers a message that stays true for all beats, and logs it.
func (l *load) note(message string) {
	l.log.Error(message)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lasting = message
}

// newestError is the last error if it is news, else what stays true. What went
// well since then says that an older error is over.
func (l *load) newestError() string {
	now := l.clock.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lastError != "" && now-l.noted > errorNews*l.scenario.Load.Interval.Std() {
		l.lastError = ""
	}
	if l.lastError != "" {
		return l.lastError
	}
	return l.lasting
}

// example is the text of an error of a class that is not in the list yet.
func (l *load) example(list []core.ErrorCount, class string, err error) string {
	for i := range list {
		if list[i].Class == class {
			return ""
		}
	}
	return l.text(err)
}

// shorten cuts a text to at most limit bytes of valid UTF-8.
func shorten(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	const mark = "…"
	return strings.ToValidUTF8(text[:limit-len(mark)], "") + mark
}
