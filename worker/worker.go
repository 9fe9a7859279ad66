package worker

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// Config is who a worker is: the worker contract without its secrets.
type Config struct {
	RunID      string
	WorkerID   string
	GroupID    int // zero-based index among the workers of the run
	GroupCount int
	Epoch      int
	// Grace is the platform's time from gentle stop to kill; 0: it never kills.
	Grace time.Duration
	// Build is what the worker registers with; Run adds the scenario's hash.
	Build core.Build
	// Signals are the platform's requests to end: the first drains, the second
	// gives up what is in flight. May be nil.
	Signals <-chan struct{}
	// CoarseTimers makes an open loop wait by the runtime's timers alone, which on
	// an idle host are up to a millisecond late: for tests on virtual time.
	CoarseTimers bool
	// Observe is called at every turn of the machine, at least once per interval,
	// from its goroutine. It must return soon. May be nil.
	Observe func(Observation)
}

// Ports are what a worker works with.
type Ports struct {
	Runs    ports.RunStore    // its scenario, once
	Workers ports.WorkerStore // control reads and beats
	Pools   ports.PoolStore   // values that parameters draw from; nil: there are none
	Results ports.ResultStore // sampled operations; may be nil: none are stored
	// Target connects to the target of the scenario. It is closed at the end.
	Target func(ctx context.Context, target core.ScenarioTarget) (ports.Target, error)
	// Share is how much of its host the process may use.
	Share core.HostShare
	// Usage reads the CPU and memory that the process uses, in percent of what
	// it may use, and its CPU seconds so far; nil: unknown.
	Usage func() (cpuPercent, memoryPercent, cpuSeconds float64)
	// Strain reads what the runtime of the process has taken from the load since it
	// was last called, as NewStrain does; nil: unknown.
	Strain func() core.Strain
	// Redact removes secrets from a text before it is stored or logged; nil:
	// texts hold none.
	Redact func(text string) string
	Log    *slog.Logger // nil: discard
	// Lines returns what was logged in the last while, for the beats; nil: they carry
	// none.
	Lines func(while time.Duration) []string
}

// Exit is how a worker ended: one of the exit codes of core, and why.
type Exit = ports.ExitRecord

// worker is one life of a worker.
type worker struct {
	config   Config
	ports    Ports
	key      core.WorkerKey
	clock    clock
	store    *storeClock
	scenario core.Scenario
	log      *slog.Logger
	text     func(error) string

	machine    core.WorkerMachine
	early      bool // a signal came before there was a machine
	opened     bool // the connections were open
	started    bool // they run, or never will
	load       *load
	collector  *collector
	executions *executionWriter // nil: none are stored

	duty         atomic.Pointer[core.WorkerDuty]
	lastSequence atomic.Int64
	acknowledged atomic.Int64
	quotaDone    atomic.Bool
	count        atomic.Int64 // beats
	newest       atomic.Pointer[core.Beat]
	read         time.Duration // stamp of the newest control read

	events  chan core.WorkerEvent
	done    chan struct{} // closed when nobody listens to events any more
	learned chan struct{} // the control state has said something about phases
	beats   chan struct{} // a beat is wanted

	reader, cutter, beater, writer, watcher part
	opening, flushing, nulls                part
}

// eventQueue bounds the events on their way to the machine; senders wait.
const eventQueue = 16

// Run is the life of one worker, from its registration to its final report. It
// returns how it ended; everything that it had opened is closed then, save what
// ignored its cancellation. The end of ctx is a kill: what is in flight is given
// up, and no report is made. Config.Signals is the gentle way.
func Run(ctx context.Context, config Config, p Ports) Exit {
	w := &worker{
		config: config, ports: p, log: p.Log, clock: newClock(),
		key:     core.WorkerKey{RunID: config.RunID, WorkerID: config.WorkerID, Epoch: config.Epoch},
		events:  make(chan core.WorkerEvent, eventQueue),
		done:    make(chan struct{}),
		learned: make(chan struct{}, 1),
		beats:   make(chan struct{}, 1),
	}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	if w.ports.Usage == nil {
		w.ports.Usage = unknownUsage
	}
	w.text = func(err error) string {
		text := err.Error()
		if p.Redact != nil {
			text = p.Redact(text)
		}
		return shorten(text, maxErrorText)
	}
	w.store = newStoreClock(w.clock.base)
	if code, err := w.prepare(ctx); err != nil {
		w.log.Error("the worker cannot start", "error", w.text(err))
		if !w.early {
			w.sendDead(ctx, w.text(err))
		}
		return Exit{Code: code, Cause: w.text(err)}
	}
	return w.live(ctx)
}

// live carries out the duty of the machine until it says exit.
func (w *worker) live(ctx context.Context) Exit {
	outer := ctx.Done()
	ctx = context.WithoutCancel(ctx) // what ends is told to the machine, and ends in order
	w.fulfil(ctx)
	if w.early {
		w.apply(core.Signalled{At: w.clock.now()})
	}
	w.beatSoon() // registers the worker
	w.beater.start(ctx, w.sendBeats)
	w.reader.start(ctx, w.readControl)
	w.cutter.start(ctx, w.cutIntervals)
	w.watcher.start(ctx, func(ctx context.Context) { w.load.watch(ctx.Done()) })
	if w.load.nulls != nil {
		w.nulls.start(ctx, w.load.nulls.run)
	}
	if w.executions != nil {
		w.writer.start(ctx, w.executions.run)
	}
	w.opening.start(ctx, w.open)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		duty := w.fulfil(ctx)
		w.observe(duty)
		if duty.Exit {
			return w.leave(ctx, duty)
		}
		now := w.clock.now()
		timer.Reset(min(w.machine.NextDeadline(now)-now, w.collector.interval))
		select {
		case ev := <-w.events:
			w.apply(ev)
		case <-w.config.Signals:
			w.apply(core.Signalled{At: w.clock.now()})
		case <-outer:
			return w.killed(ctx)
		case <-timer.C:
			w.apply(core.WorkerTicked{At: w.clock.now()})
		}
	}
}

// killed ends a worker whose context has ended.
func (w *worker) killed(ctx context.Context) Exit {
	now := w.clock.now()
	schedule := *w.load.schedule.Load()
	schedule.End = min(schedule.End, now)
	w.load.publish(schedule)
	w.load.end()
	w.load.cancelAll()
	w.collector.abandonAll()
	if w.opened && !w.started {
		w.load.closing.Go(w.load.closeAll)
	}
	return w.leave(ctx, core.WorkerDuty{Code: core.ExitAbandoned, Cause: "its context has ended"})
}

// apply tells the machine, and takes from a control read what is no duty.
func (w *worker) apply(ev core.WorkerEvent) {
	w.machine = w.machine.Apply(ev)
	switch e := ev.(type) {
	case core.ControlRead:
		if e.Control.Epoch != w.key.Epoch {
			return
		}
		w.read = e.At
		w.lastSequence.Store(max(w.lastSequence.Load(), e.Control.LastSequence))
		w.acknowledged.Store(max(w.acknowledged.Load(), e.Control.Acknowledged))
		w.load.publish(w.machine.Duty(e.At).Schedule) // before the collector looks for it
		w.collector.learn(e.Control)
		select {
		case w.learned <- struct{}{}:
		default:
		}
	case core.ConnectionsOpen:
		w.opened = true
	case core.QuotaDone:
		w.quotaDone.Store(true)
		w.beatSoon()
	case core.BudgetSpent:
		w.beatSoon()
	}
}

// fulfil does what the duty calls for and has not been done yet.
func (w *worker) fulfil(ctx context.Context) core.WorkerDuty {
	duty := w.machine.Duty(w.clock.now())
	before := w.duty.Swap(&duty)
	if before == nil {
		before = &core.WorkerDuty{}
	}
	w.load.publish(duty.Schedule)
	if before.State != duty.State {
		w.log.Info("state", withCause(duty.Cause, "state", duty.State)...)
		w.beatSoon()
	}
	if duty.State == core.WorkerRunning && !w.started {
		w.started = true
		w.load.budgetSpent = w.tellSpent
		w.load.start(w.tellQuotaDone, w.tellIdle)
	}
	if duty.State == core.WorkerDraining || duty.Exit {
		w.load.end()
		if w.opened && !w.started { // nothing will be
			w.started = true
			w.load.closing.Go(func() {
				w.tellIdle()
				w.load.closeAll()
			})
		}
	}
	if duty.Cancel {
		w.load.cancelAll()
	}
	if duty.Abandon {
		if lost := w.collector.abandonAll(); lost > 0 {
			w.log.Warn("operations in flight were given up", "count", lost)
		}
	}
	if duty.Flush && !before.Flush {
		w.flushing.start(ctx, func(ctx context.Context) { w.flush(ctx, duty.FlushBy) })
	}
	return duty
}

func (w *worker) dutyNow() core.WorkerDuty { return *w.duty.Load() }

// tell sends an event to the machine.
func (w *worker) tell(ev core.WorkerEvent) {
	select {
	case w.events <- ev:
	case <-w.done:
	}
}

func (w *worker) tellIdle() { w.tell(core.LoadIdle{At: w.clock.now()}) }

// tellQuotaDone says that the load ended with the last operation of the quota.
func (w *worker) tellQuotaDone() {
	w.tell(core.QuotaDone{At: time.Duration(w.load.lastDone.Load()) + 1})
}

// tellSpent says that the worker's share of the budget ends the load now: every
// operation that has been started was allowed before.
func (w *worker) tellSpent() { w.tell(core.BudgetSpent{At: w.clock.now()}) }

// open connects to the target and opens every session.
func (w *worker) open(context.Context) {
	target, err := w.ports.Target(w.load.opening, w.scenario.Target)
	if err == nil {
		err = w.load.openAll(target)
	}
	switch {
	case err == nil && !w.load.stopped():
		w.tell(core.ConnectionsOpen{At: w.clock.now()})
		return
	case err == nil: // the stop came first
		w.load.closeAll()
	case !w.load.stopped() || !errors.Is(err, context.Canceled):
		w.tell(core.OpenFailed{At: w.clock.now(), Detail: "the connections to the target could not be opened: " + w.text(err)})
	}
	w.tellIdle()
}
