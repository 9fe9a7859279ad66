package worker

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/fault"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// judged is the verdict on a run of real workers, from what they have reported, as
// the orchestrator would give it.
func (f *fleet) judged(run core.Run) core.Verdict {
	f.t.Helper()
	stored, err := f.store.WorkerIntervals(f.t.Context(), f.runID, -1)
	if err != nil {
		f.t.Fatal(err)
	}
	observed := make([]core.Observed, len(run.Workers))
	for i := range stored {
		observed[stored[i].GroupID].Add(&stored[i].Interval)
	}
	parent, _ := core.Summarise(core.SummaryInput{Run: run, Scenario: f.scenario, Beats: f.beats(), Observed: observed})
	return parent.Verdict
}

// reasonOf is the reason that a verdict gives for a cause, or nothing.
func reasonOf(v core.Verdict, cause core.Cause) string {
	if at := slices.Index(v.Causes, cause); at >= 0 && len(v.Causes) == len(v.Reasons) {
		return v.Reasons[at]
	}
	return ""
}

// wayward lets a test change or refuse what one worker says to its store and hears
// from it.
type wayward struct {
	ports.WorkerStore
	worker  string
	control func() error
	beat    func(*core.Beat) error
}

func (w wayward) Control(ctx context.Context, run, worker string) (core.Control, error) {
	if w.control != nil && worker == w.worker {
		if err := w.control(); err != nil {
			return core.Control{}, err
		}
	}
	return w.WorkerStore.Control(ctx, run, worker)
}

func (w wayward) Beat(ctx context.Context, beats ...core.Beat) error {
	for i := range beats {
		if w.beat != nil && beats[i].Key.WorkerID == w.worker {
			if err := w.beat(&beats[i]); err != nil {
				return err
			}
		}
	}
	return w.WorkerStore.Beat(ctx, beats...)
}

// severed is a target that one connection of the run loses for a while, or that
// answers nothing any more.
type severed struct {
	ports.Target
	down *atomic.Bool // nil: never
	tag  string       // end of that connection's
	hang *atomic.Bool // nil: never
}

type severedSession struct {
	ports.Session
	from severed
}

func (s severed) Open(ctx context.Context, o ports.SessionOptions) (ports.Session, error) {
	if s.down != nil && !strings.HasSuffix(o.Tag, s.tag) {
		return s.Target.Open(ctx, o)
	}
	if s.down != nil && s.down.Load() {
		return nil, core.ErrUnavailable
	}
	session, err := s.Target.Open(ctx, o)
	return severedSession{session, s}, err
}

func (s severedSession) Exec(ctx context.Context, statement int, args []any) (int64, error) {
	switch {
	case s.from.down != nil && s.from.down.Load():
		return 0, core.ErrUnavailable
	case s.from.hang != nil && s.from.hang.Load():
		<-ctx.Done()
		return 0, ctx.Err()
	default:
		return s.Session.Exec(ctx, statement, args)
	}
}

// induced is one way to bring a cause about.
type induced struct {
	cause   core.Cause
	level   core.VerdictLevel
	reason  string // part of it
	tmpl    func(*core.Template)
	latency time.Duration // 0: 5 ms
	// arrange prepares the fleet; what it returns is called at every tick, with the
	// time since the load began, while the run is RUNNING.
	arrange func(*fleet) func(since time.Duration)
}

// at does what is to be done at a time, once.
func at(when time.Duration, do func()) func(time.Duration) {
	done := false
	return func(since time.Duration) {
		if !done && since >= when {
			done = true
			do()
		}
	}
}

// Each cause is brought about on real workers, over memory ports, and the verdict
// names it, with its figures. The same run without the fault is VALID.
func TestCausesInduced(t *testing.T) {
	for _, c := range []induced{
		{cause: core.CauseNothingMeasured, level: core.InvalidRun, reason: "nothing was measured: 0 operations ended in ", latency: time.Hour,
			tmpl: func(tmpl *core.Template) { tmpl.Limits.DrainTimeout = core.Duration(time.Second) }},
		{cause: core.CauseCoverage, level: core.Degraded, reason: "the workers made 66.",
			tmpl: func(tmpl *core.Template) { tmpl.Limits.OnLoss = core.DegradeOnLoss },
			arrange: func(f *fleet) func(time.Duration) {
				return at(2*time.Second, func() { f.signals[1] <- struct{}{} }) // the second of three of the measurement
			}},
		{cause: core.CauseMissedSchedule, level: core.Degraded, reason: "skipped, since no connection was free in time or the worker heard of it late", latency: 50 * time.Millisecond,
			tmpl: func(tmpl *core.Template) { tmpl.Load.Mode, tmpl.Load.Rate = core.ModeQPS, 100 }},
		{cause: core.CauseErrors, level: core.Degraded, reason: " operations failed (",
			arrange: func(f *fleet) func(time.Duration) {
				f.open = f.faulty(fault.Rule{On: "Session.Exec", Fault: fault.FailBefore, Probability: 0.05, Error: errors.New("no")}).Target(f.target)
				return nil
			}},
		{cause: core.CauseLedger, level: core.Degraded, reason: "the ledger does not balance: ",
			arrange: func(f *fleet) func(time.Duration) { // a report that has lost three of its operations
				f.workers = wayward{WorkerStore: f.store, worker: "worker-1", beat: func(b *core.Beat) error {
					if m := b.Report.PhaseOf(core.Measurement); m != nil && m.Kinds[0].OK > 3 {
						m.Kinds[0].OK -= 3
					}
					return nil
				}}
				return nil
			}},
		{cause: core.CauseEndedEarly, level: core.Degraded, reason: "the run is CANCELLED (USER_REQUESTED), its numbers are partial: ",
			arrange: func(f *fleet) func(time.Duration) {
				return at(2*time.Second, func() { f.stops <- core.StopRequested{Reason: core.UserRequested, By: "me"} })
			}},
		{cause: core.CauseWorkerLost, level: core.Degraded, reason: "worker-1 was lost while it was needed: ",
			tmpl: func(tmpl *core.Template) { tmpl.Limits.OnLoss = core.DegradeOnLoss },
			arrange: func(f *fleet) func(time.Duration) {
				return at(3900*time.Millisecond, func() { f.kill[1]() })
			}},
		{cause: core.CauseNoFinalReport, level: core.Degraded, reason: "what it did after its last beat is not counted",
			arrange: func(f *fleet) func(time.Duration) {
				f.workers = wayward{WorkerStore: f.store, worker: "worker-1", beat: func(b *core.Beat) error {
					if b.State.Final() {
						return core.ErrUnavailable
					}
					return nil
				}}
				return nil
			}},
		{cause: core.CauseWorkerEnded, level: core.Degraded, reason: "worker-0 did not end by itself: reported, then ",
			tmpl: func(tmpl *core.Template) { tmpl.Limits.DrainTimeout = core.Duration(time.Second) },
			arrange: func(f *fleet) func(time.Duration) {
				var hang atomic.Bool
				f.open = severed{Target: f.target, hang: &hang}
				return at(3900*time.Millisecond, func() { hang.Store(true) })
			}},
		{cause: core.CauseWorkerLate, level: core.Degraded, reason: "worker-1 began the measurement ",
			arrange: func(f *fleet) func(time.Duration) { // it hears of START when the measurement has begun
				var away atomic.Bool
				away.Store(true)
				f.workers = wayward{WorkerStore: f.store, worker: "worker-1", control: func() error {
					if away.Load() {
						return core.ErrUnavailable
					}
					return nil
				}}
				return at(1300*time.Millisecond, func() { away.Store(false) })
			}},
		{cause: core.CauseStaleReports, level: core.Degraded, reason: " reports came from workers that had been given up",
			arrange: func(f *fleet) func(time.Duration) {
				return at(2*time.Second, func() {
					f.update(core.BeatSeen{At: f.now(), Worker: 1, Epoch: 7, State: core.WorkerRunning}) // of a launch that nobody knows any more
				})
			}},
		{cause: core.CauseConnections, level: core.Degraded, reason: "worker-1 kept 1.",
			arrange: func(f *fleet) func(time.Duration) {
				var down atomic.Bool
				f.open = severed{Target: f.target, down: &down, tag: "/3"}
				return func(since time.Duration) { down.Store(since > 2*time.Second && since < 3*time.Second) }
			}},
		{cause: core.CauseConnections, level: core.Degraded, reason: "worker-0 kept ", // all of them, so that nothing can be started
			arrange: func(f *fleet) func(time.Duration) {
				var down atomic.Bool
				f.open = severed{Target: f.target, down: &down, tag: ""}
				return func(since time.Duration) { down.Store(since > 2*time.Second) }
			}},
		{cause: core.CauseRecorder, level: core.Degraded, reason: " sampled operations in time; counts and percentiles hold all of them", latency: 100 * time.Microsecond,
			tmpl: func(tmpl *core.Template) { *tmpl.Load.Sampling = 100 },
			arrange: func(f *fleet) func(time.Duration) {
				f.results = f.faulty(fault.Rule{On: "ResultStore.AppendExecutions", Fault: fault.Delay, Probability: 1, Delay: time.Second}).Store(f.store)
				return nil
			}},
		{cause: core.CauseClock, level: core.Degraded, reason: " knew the store's clock only to ±2",
			arrange: func(f *fleet) func(time.Duration) {
				f.workers = f.faulty(fault.Rule{On: "WorkerStore.Control", Fault: fault.Delay, Probability: 1, Delay: 400 * time.Millisecond}).Store(f.store)
				return nil
			}},
		{cause: core.CauseCPU, level: core.Degraded, reason: "worker-0 used 97 % of its CPU: the load generator may have been the bottleneck",
			arrange: func(f *fleet) func(time.Duration) {
				f.usage = func() (float64, float64, float64) { return 97, 5, 1 }
				return nil
			}},
	} {
		t.Run(string(c.cause), func(t *testing.T) {
			for _, faulty := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) { c.try(t, faulty) })
			}
		})
	}
}

func (c induced) try(t *testing.T, faulty bool) {
	is := is.New(t)
	tmpl := template(2, 2)
	tmpl.Load.Warmup = core.Duration(time.Second)
	latency := 5 * time.Millisecond
	if faulty && c.latency > 0 {
		latency = c.latency
	}
	if c.tmpl != nil {
		c.tmpl(&tmpl)
	}
	f := newFleet(t, tmpl, latency)
	during := func(time.Duration) {}
	if faulty && c.arrange != nil {
		if d := c.arrange(f); d != nil {
			during = d
		}
	}
	run := f.drive(func(run core.Run) bool {
		if run.Status == core.Running {
			during(f.now().Sub(run.Origin))
		}
		return false
	})
	f.running.Wait()
	v := f.judged(run)
	if !faulty {
		is.Equal(v, core.Verdict{Level: core.Valid})
		return
	}
	t.Log(v)
	is.Equal(v.Level, c.level)
	is.True(strings.Contains(reasonOf(v, c.cause), c.reason))
}

func (f *fleet) faulty(rules ...fault.Rule) *fault.Injector {
	f.t.Helper()
	in, err := fault.New(1, rules...)
	if err != nil {
		f.t.Fatal(err)
	}
	return in
}

// starve leaves a process one processor, and lets others keep it busy, until the
// test ends.
func starve(t *testing.T) {
	before := runtime.GOMAXPROCS(1)
	var over atomic.Bool
	ended := make(chan struct{})
	const others = 4
	for range others {
		go func() {
			defer func() { ended <- struct{}{} }()
			for !over.Load() {
			}
		}()
	}
	t.Cleanup(func() {
		over.Store(true)
		for range others {
			<-ended
		}
		runtime.GOMAXPROCS(before)
	})
}

// collect lets the garbage collection run without a break until the test ends.
// More live objects make it use processors, which are busy, few make it pause.
func collect(t *testing.T, objects int) {
	var over atomic.Bool
	ended := make(chan struct{})
	live := make([]*[64]byte, objects)
	for i := range live {
		live[i] = new([64]byte)
	}
	go func() {
		defer close(ended)
		for !over.Load() {
			runtime.GC()
		}
		runtime.KeepAlive(live)
	}()
	var busy sync.WaitGroup
	if objects > 0 { // else it would use what nobody needs
		for range runtime.GOMAXPROCS(0) {
			busy.Go(func() {
				var garbage [1000]*[64]byte // of which some lives, so that it has to be marked
				for i := 0; !over.Load(); i++ {
					garbage[i%len(garbage)] = new([64]byte)
				}
				runtime.KeepAlive(&garbage)
			})
		}
	}
	t.Cleanup(func() { over.Store(true); <-ended; busy.Wait() })
}

// What a process does to its own load is brought about for real, in real time.
func TestCausesInducedInTheProcess(t *testing.T) {
	for _, c := range []struct {
		name        string
		connections int
		causes      []core.Cause
		reasons     []string
		tmpl        func(*core.Template)
		latency     time.Duration
		strain      func(*testing.T)
	}{
		{name: "garbage collection", causes: []core.Cause{core.CauseGC}, reasons: []string{"of its processor time on garbage collection (allowed 10.0 %)"},
			latency: time.Millisecond, strain: func(t *testing.T) { collect(t, 200_000) }},
		{name: "pauses", causes: []core.Cause{core.CauseGCPauses}, reasons: []string{"pauses of its garbage collection of up to "},
			latency: time.Millisecond, strain: func(t *testing.T) { collect(t, 0) }},
		{name: "no processor, many connections", connections: 100, causes: []core.Cause{core.CauseScheduler},
			reasons: []string{"let what could run wait for a processor"}, latency: time.Millisecond, strain: starve},
		{name: "no processor, closed loop", causes: []core.Cause{core.CauseStalls},
			reasons: []string{"The load generator stood still"}, strain: starve},
		{name: "no processor, open loop", connections: 60, causes: []core.Cause{core.CauseOverslept},
			reasons: []string{"late though a connection was waiting"},
			tmpl:    func(tmpl *core.Template) { tmpl.Load.Mode, tmpl.Load.Rate, tmpl.Load.CatchUp = core.ModeQPS, 100, true }, latency: time.Millisecond, strain: starve},
		{name: "a target that is too fast", causes: []core.Cause{core.CauseOverhead},
			reasons: []string{" of its own for each operation, "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			tmpl := template(1, max(c.connections, 4))
			tmpl.Load.Duration = core.Duration(1500 * time.Millisecond)
			tmpl.Mix = []core.TemplateOp{{Kind: core.PointLookup, Weight: 100}}
			if c.tmpl != nil {
				c.tmpl(&tmpl)
			}
			f := newFleet(t, tmpl, c.latency)
			f.strain = NewStrain()
			if c.strain != nil {
				c.strain(t)
			}
			run := f.drive(nil)
			f.running.Wait()
			v := f.judged(run)
			t.Log(v)
			for i, cause := range c.causes {
				is.True(strings.Contains(reasonOf(v, cause), c.reasons[i]))
			}
		})
	}
}
