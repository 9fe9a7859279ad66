package runner_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/benchfleet/benchfleet/adapters/fault"
	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
)

// Most tests run in a bubble of virtual time: the limits below are then exact,
// and a goroutine that is left behind fails the test.
func virtual(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

const (
	testPoll     = 10 * time.Millisecond
	testInterval = 50 * time.Millisecond
	testLease    = 600 * time.Millisecond // of the owner
	opsPerCut    = 3                      // operations of a scripted worker in each interval
)

// scenarioFor is a run of n workers with 100 ms of warm-up and 300 ms of
// measurement.
func scenarioFor(t testing.TB, n int, change func(*core.Template)) core.Scenario {
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
			ControlPoll: core.Duration(testPoll), OwnerLease: core.Duration(testLease), WorkerLease: core.Duration(4 * testLease),
			StartTimeout: core.Duration(2 * time.Second), DrainTimeout: core.Duration(time.Second), CancelTimeout: core.Duration(200 * time.Millisecond),
			TerminateTimeout: core.Duration(200 * time.Millisecond), KillTimeout: core.Duration(time.Second),
		},
	}
	if change != nil {
		change(&tpl)
	}
	s, err := tpl.Resolve(core.Resolution{Launcher: "memory"})
	if err != nil {
		t.Fatal(err)
	}
	s.Load.Interval = core.Duration(testInterval)
	return s
}

// longLoad makes the measurement long enough for whatever a test does in it.
func longLoad(tpl *core.Template) { tpl.Load.Duration = core.Duration(time.Hour) }

// bench is everything in memory, with scripted workers.
type bench struct {
	store    *memory.Store
	target   *memory.Target
	launcher *memory.Launcher
	hooks    *hooks      // see and fail the calls of every runner
	forWork  ports.Store // the store as the workers reach it
	scripts  map[string]script
	seen     func(*memory.Process) // each worker as it begins, one at a time

	mu      sync.Mutex
	started map[core.WorkerKey]int    // how often a launch has begun
	made    map[string]uint64         // operations by worker
	cuts    map[string]int64          // intervals by worker
	left    map[core.WorkerKey]string // how a worker ended, in its own words
}

// newBench makes one whose workers follow the script of their id; those without
// one obey.
func newBench(t testing.TB, scripts map[string]script) *bench {
	t.Helper()
	b := &bench{
		store: memory.NewStore(memory.Options{}), target: memory.NewTarget(memory.TargetOptions{}),
		hooks: &hooks{calls: map[string]int{}}, scripts: scripts,
		started: map[core.WorkerKey]int{}, made: map[string]uint64{}, cuts: map[string]int64{}, left: map[core.WorkerKey]string{},
	}
	b.forWork = b.store
	table := core.TemplateTable{Name: "T", Rows: 100}
	if err := errors.Join(b.target.Create(t.Context(), table), b.target.Load(t.Context(), table, nil)); err != nil {
		t.Fatal(err)
	}
	b.launcher = memory.NewLauncher(b.work)
	t.Cleanup(func() {
		if err := b.launcher.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// runner makes an orchestrator over the bench, through its hooks.
func (b *bench) runner(t testing.TB, owner string, change func(*runner.Ports, *runner.Options)) *runner.Runner {
	t.Helper()
	p := runner.FromStore(hookStore{b.store, b.hooks}, hookLauncher{Launcher: b.launcher, hooks: b.hooks}, hookTarget{Target: b.target, hooks: b.hooks})
	o := runner.Options{Owner: owner, Build: core.Build{ID: "test", GoVersion: "go1"}}
	if change != nil {
		change(&p, &o)
	}
	r, err := runner.New(p, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// driving is a Drive that goes on in a goroutine of its own.
type driving struct {
	cancel context.CancelFunc
	stop   chan core.StopRequested
	done   chan struct{}
	run    core.Run
	err    error
}

// reaction is what a test does at the first observation that matches.
type reaction struct {
	when func(runner.Observation) bool
	do   func()
}

func inStatus(s core.Status) func(runner.Observation) bool {
	return func(o runner.Observation) bool { return o.Run.Status == s }
}

func inPhase(p core.Phase) func(runner.Observation) bool {
	return func(o runner.Observation) bool {
		return o.Run.Status == core.Running && o.Run.Phase == p && !o.Now.Before(o.Run.PhaseAt)
	}
}

// reacting sets Observe so that each reaction is done once, from the goroutine
// that drives, in the order in which they match.
func reacting(o *runner.Options, reactions ...reaction) {
	done := make([]bool, len(reactions))
	o.Observe = func(ob runner.Observation) {
		for i, r := range reactions {
			if !done[i] && r.when(ob) {
				done[i] = true
				r.do()
			}
		}
	}
}

// create stores a run.
func (b *bench) create(t testing.TB, r *runner.Runner, s core.Scenario) {
	t.Helper()
	if _, err := r.Create(t.Context(), "run", s); err != nil {
		t.Fatal(err)
	}
}

// drive drives the run "run" in the background.
func (b *bench) drive(t testing.TB, r *runner.Runner, start bool) *driving {
	ctx, cancel := context.WithCancel(t.Context())
	d := &driving{cancel: cancel, stop: make(chan core.StopRequested, 8), done: make(chan struct{})}
	go func() {
		defer close(d.done)
		d.run, d.err = r.Drive(ctx, "run", runner.DriveOptions{Start: start, Stop: d.stop})
	}()
	t.Cleanup(func() { cancel(); <-d.done })
	return d
}

// wait returns what Drive returned.
func (d *driving) wait(t testing.TB) (core.Run, error) {
	t.Helper()
	select {
	case <-d.done:
		return d.run, d.err
	case <-time.After(10 * time.Minute): // far behind every deadline of the runs here
		t.Fatal("Drive does not return")
		return core.Run{}, nil
	}
}

// runToEnd creates the run, drives it to its end and checks what must hold of
// every run that has ended.
func (b *bench) runToEnd(t testing.TB, r *runner.Runner, s core.Scenario) core.Run {
	t.Helper()
	b.create(t, r, s)
	run, err := b.drive(t, r, true).wait(t)
	if err != nil {
		t.Fatal(err)
	}
	b.verify(t, run)
	return run
}

func (b *bench) record(t testing.TB) ports.RunRecord {
	t.Helper()
	record, err := b.store.Load(context.Background(), "run")
	if err != nil {
		t.Fatal(err)
	}
	return record
}

func (b *bench) events(t testing.TB) []core.ControlEvent {
	t.Helper()
	events, err := b.store.Events(context.Background(), "run", 0)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// count says how often the run published events of a type.
func (b *bench) count(t testing.TB, of core.EventType) int {
	t.Helper()
	n := 0
	for _, e := range b.events(t) {
		if e.Type == of {
			n++
		}
	}
	return n
}

// launches says how often workers have begun to live.
func (b *bench) launches() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, times := range b.started {
		n += times
	}
	return n
}

// alive lists the workers that live, by the launcher's own word.
func (b *bench) alive(t testing.TB) []string {
	t.Helper()
	launches, err := b.launcher.List(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, l := range launches {
		if l.State != ports.LaunchGone {
			ids = append(ids, l.Key.WorkerID)
		}
	}
	return ids
}

func injector(t testing.TB, seed uint64, rules ...fault.Rule) *fault.Injector {
	t.Helper()
	in, err := fault.New(seed, rules...)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func envVar(name, value string) ports.EnvVar { return ports.EnvVar{Name: name, Value: value} }

// specs gathers what workers are launched with, by worker index.
func (b *bench) specs(t testing.TB) *map[int]ports.WorkerSpec {
	t.Helper()
	found := &map[int]ports.WorkerSpec{}
	b.seen = func(p *memory.Process) { (*found)[p.Spec().GroupID] = p.Spec() }
	return found
}

// otherRunner is an orchestrator elsewhere: it sees the store and the launcher
// past the hooks.
func (b *bench) otherRunner(t testing.TB, owner string) *runner.Runner {
	t.Helper()
	return b.runner(t, owner, func(p *runner.Ports, _ *runner.Options) {
		*p = runner.FromStore(b.store, b.launcher, b.target)
	})
}
