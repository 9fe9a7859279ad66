package runner_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
	"github.com/matryer/is"
)

// scenarioFor is a run of n workers that is over in well under a second.
func scenarioFor(t *testing.T, n int, change func(*core.Template)) core.Scenario {
	t.Helper()
	tpl := core.Template{
		Name:   "quick",
		Target: core.TemplateTarget{Kind: "memory", Endpoint: "local"},
		Table:  core.TemplateTable{Name: "T", Rows: 100},
		Load: core.TemplateLoad{
			Workers: n, Connections: 1, Warmup: core.Duration(100 * time.Millisecond), Duration: core.Duration(300 * time.Millisecond),
		},
		Mix: []core.TemplateOp{{Kind: core.PointLookup, Weight: 100}},
		Limits: core.TemplateLimits{
			ControlPoll: core.Duration(10 * time.Millisecond), StartTimeout: core.Duration(2 * time.Second), DrainTimeout: core.Duration(time.Second),
			CancelTimeout: core.Duration(200 * time.Millisecond), TerminateTimeout: core.Duration(200 * time.Millisecond), KillTimeout: core.Duration(2 * time.Second),
		},
	}
	if change != nil {
		change(&tpl)
	}
	s, err := tpl.Resolve(core.Resolution{Launcher: "memory", StartTimeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// bench is everything in memory, with scripted workers.
type bench struct {
	store    *memory.Store
	target   *memory.Target
	launcher *memory.Launcher
}

func newBench(t *testing.T, start memory.Start) *bench {
	t.Helper()
	b := &bench{store: memory.NewStore(memory.Options{}), target: memory.NewTarget(memory.TargetOptions{})}
	table := core.TemplateTable{Name: "T", Rows: 100}
	if err := errors.Join(b.target.Create(t.Context(), table), b.target.Load(t.Context(), table, func(int64) {})); err != nil {
		t.Fatal(err)
	}
	if start == nil {
		start = b.obedient
	}
	b.launcher = memory.NewLauncher(start)
	t.Cleanup(func() { b.launcher.Close() })
	return b
}

func (b *bench) runner(t *testing.T, owner string, change func(*runner.Ports, *runner.Options)) *runner.Runner {
	t.Helper()
	p := runner.FromStore(b.store, b.launcher, b.target)
	o := runner.Options{Owner: owner, Build: core.Build{ID: "test"}}
	if change != nil {
		change(&p, &o)
	}
	r, err := runner.New(p, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// script is what a scripted worker does other than obey.
type script struct {
	deaf     bool // ignores the stop and SIGTERM
	crash    bool // crashes as soon as it makes load
	mute     bool // never becomes ready
	unfit    bool // dies before it is ready, with an error
	build    string
	inflight uint64
}

func (b *bench) obedient(ctx context.Context, p *memory.Process) (int, string) {
	return b.play(ctx, p, script{build: "test"})
}

// play is a worker: it follows the control state and beats.
func (b *bench) play(ctx context.Context, p *memory.Process, s script) (int, string) {
	spec := p.Spec()
	beat := core.Beat{Key: spec.Key, GroupID: spec.GroupID, State: core.WorkerReadyNow, Connections: 1, Target: 1, Build: core.Build{ID: s.build}}
	say := func(state core.WorkerState) {
		beat.State = state
		beat.Count++
		b.store.Beat(context.WithoutCancel(ctx), beat)
	}
	switch {
	case s.unfit:
		beat.LastError = "no such table"
		say(core.WorkerDead)
		return 4, "exited with code 4"
	case !s.mute:
		say(core.WorkerReadyNow)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	terminate := p.Terminate()
	for sequence := int64(1); ; sequence++ {
		select {
		case <-ctx.Done():
			return -1, "killed by signal 9"
		case <-terminate:
			if !s.deaf {
				say(core.WorkerCompleted)
				return 0, "exited with code 0"
			}
			terminate = nil
		case <-tick.C:
		}
		control, err := b.store.Control(ctx, spec.Key.RunID, spec.Key.WorkerID)
		switch {
		case err != nil:
			continue
		case (control.Rung >= core.Drain || control.Status.Terminal()) && !s.deaf:
			say(core.WorkerCompleted)
			return 0, "exited with code 0"
		case control.Status == core.Running && s.crash:
			return -1, "killed by signal 9"
		case control.Status == core.Running:
			measure(&beat.Report, control, sequence)
			say(core.WorkerRunning)
		}
	}
}

// measure adds one operation to a worker's report, as an interval of its own.
func measure(r *core.Report, c core.Control, sequence int64) {
	kinds := func() []core.KindMetrics {
		k := core.KindMetrics{Kind: core.PointLookup, Access: core.AccessRead, Counts: core.Counts{Scheduled: 1, Started: 1, OK: 1}}
		k.Service.Record(time.Millisecond)
		return []core.KindMetrics{k}
	}
	p := r.PhaseOf(c.Phase)
	if p == nil {
		r.Phases = append(r.Phases, core.PhaseMetrics{Phase: c.Phase})
		p = &r.Phases[len(r.Phases)-1]
	}
	p.Kinds = core.MergeKinds(p.Kinds, kinds())
	p.Seconds += 0.005
	p.Completed++
	r.LastStart, r.LastEnd = c.Now, c.Now
	next := int64(1)
	if n := len(r.Intervals); n > 0 {
		next = r.Intervals[n-1].Sequence + 1
	} else if c.Acknowledged > 0 {
		next = c.Acknowledged + 1
	}
	r.Intervals = append(r.Intervals, core.Interval{Sequence: next, Phase: c.Phase, Start: c.Now, Seconds: 0.005, Offset: float64(sequence) * 0.005, Kinds: kinds(), Connections: 1, Target: 1})
	for len(r.Intervals) > 1 && r.Intervals[0].Sequence <= c.Acknowledged {
		r.Intervals = r.Intervals[1:]
	}
}

func (b *bench) record(t *testing.T, id string) ports.RunRecord {
	t.Helper()
	record, err := b.store.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return record
}

func TestNewNamesEverythingThatIsMissing(t *testing.T) {
	is := is.New(t)
	_, err := runner.New(runner.Ports{}, runner.Options{})
	is.True(errors.Is(err, core.ErrInvalid))
	is.Equal(err.Error(), "invalid: runner needs Ports.Runs, Ports.Workers, Ports.Results, Ports.Schema, Ports.Logs, Ports.Launcher, Ports.Target, Options.Owner")
}

func TestRunToItsNaturalEnd(t *testing.T) {
	is := is.New(t)
	b := newBench(t, nil)
	var seen []core.Status
	r := b.runner(t, "a", func(_ *runner.Ports, o *runner.Options) {
		o.Observe = func(ob runner.Observation) {
			if len(seen) == 0 || seen[len(seen)-1] != ob.Run.Status {
				seen = append(seen, ob.Run.Status)
			}
		}
	})
	run, err := r.Run(t.Context(), "run", scenarioFor(t, 3, nil))
	is.NoErr(err)
	is.Equal(run.Detail, "")
	is.Equal(run.Status, core.Completed)
	is.Equal(run.Reason, core.Elapsed)
	is.True(run.Certificate().Clean)
	is.Equal(seen[len(seen)-1], core.Completed)

	parent, children, err := b.store.Rollup(t.Context(), "run")
	is.NoErr(err)
	is.Equal(len(children), 3)
	var sum uint64
	for _, c := range children {
		sum += c.Ledger.Started
	}
	is.True(sum > 0)
	is.Equal(parent.Ledger.Started, sum) // the parent is the sum of its children
	is.Equal(parent.Ledger.Problem, "")

	stored, err := b.store.WorkerIntervals(t.Context(), "run", -1)
	is.NoErr(err)
	is.Equal(uint64(len(stored)), sum) // one operation an interval: none is missing, none twice
	events, err := b.store.Events(t.Context(), "run", 0)
	is.NoErr(err)
	var types []core.EventType
	for _, e := range events {
		types = append(types, e.Type)
	}
	is.Equal(types, []core.EventType{core.EventWorkerAdded, core.EventWorkerAdded, core.EventWorkerAdded, core.EventStart, core.EventSetPhase, core.EventSetPhase, core.EventStop})
	left, err := b.launcher.List(t.Context(), "")
	is.NoErr(err)
	is.Equal(len(left), 0) // everything is released
}
