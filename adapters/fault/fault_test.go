package fault_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/fault"
	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/ports/porttest"
)

func injector(t testing.TB, seed uint64, rules ...fault.Rule) *fault.Injector {
	t.Helper()
	in, err := fault.New(seed, rules...)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// Without rules a decorated adapter passes the suite of its port, and every
// method that faults can hit is one that calls go through.
func TestTransparent(t *testing.T) {
	in := injector(t, 1)
	below := map[ports.Store]*memory.Store{}
	porttest.TestStore(t, porttest.StoreHarness{
		Open: func(testing.TB) ports.Store {
			store := memory.NewStore(memory.Options{})
			decorated := in.Store(store)
			below[decorated] = store
			return decorated
		},
		Reopen: func(_ testing.TB, store ports.Store) ports.Store { return in.Store(below[store].Reopen()) },
	})
	useLauncher(t, in)
	useTarget(t, in)

	is := is.New(t)
	var called []string
	for _, c := range in.Counts() {
		called = append(called, c.Method)
		is.Equal(c.Hits, int64(0))
	}
	want := fault.Methods()
	slices.Sort(want)
	is.Equal(called, want)
}

func useLauncher(t *testing.T, in *fault.Injector) {
	t.Helper()
	is := is.New(t)
	below := memory.NewLauncher(func(ctx context.Context, p *memory.Process) (int, string) {
		<-ctx.Done()
		return 0, ""
	})
	l := in.Launcher(below)
	is.Equal(l.Capabilities(), below.Capabilities())
	_, err := l.Check(t.Context(), 1)
	is.NoErr(err)
	h, err := l.Launch(t.Context(), ports.WorkerSpec{Key: core.WorkerKey{RunID: "run-1", WorkerID: "worker-0", Epoch: 1}})
	is.NoErr(err)
	status, err := l.Inspect(t.Context(), []core.Handle{h})
	is.NoErr(err)
	is.Equal(status, []ports.WorkerStatus{{State: ports.LaunchRunning}})
	_, err = l.Logs(t.Context(), h, 0)
	is.NoErr(err)
	is.NoErr(l.Stop(t.Context(), h, ports.Hard))
	is.NoErr(below.Close())
	list, err := l.List(t.Context(), "run-1")
	is.NoErr(err)
	is.Equal(len(list), 1)
	is.NoErr(l.Release(t.Context(), h))
}

func sampleTable() core.TemplateTable { return core.TemplateTable{Name: "T", Rows: 10} }

func loaded(t *testing.T) *memory.Target {
	t.Helper()
	target := memory.NewTarget(memory.TargetOptions{})
	if err := errors.Join(target.Create(t.Context(), sampleTable()), target.Load(t.Context(), sampleTable(), nil)); err != nil {
		t.Fatal(err)
	}
	return target
}

func sessionOptions() ports.SessionOptions {
	sql, _ := core.DefaultStatement(core.Delete)
	return ports.SessionOptions{Table: sampleTable(), Statements: []core.Statement{{SQL: sql}}}
}

func useTarget(t *testing.T, in *fault.Injector) {
	t.Helper()
	is := is.New(t)
	target := in.Target(loaded(t))
	info, err := target.Describe(t.Context(), sampleTable())
	is.NoErr(err)
	is.Equal(info.Table.Rows, int64(10))
	is.NoErr(target.Explain(t.Context(), sampleTable(), sessionOptions().Statements[0]))
	_, err = target.Sample(t.Context(), sampleTable(), core.PoolSpec{Column: "STATUS", Size: 9})
	is.NoErr(err)
	s, err := target.Open(t.Context(), sessionOptions())
	is.NoErr(err)
	is.NoErr(s.Begin(t.Context()))
	rows, err := s.Exec(t.Context(), 0, []any{int64(1)})
	is.NoErr(err)
	is.Equal(rows, int64(1))
	count, err := target.Running(t.Context(), []string{s.ID()})
	is.NoErr(err)
	is.Equal(count, core.RunningCount{Known: true, Count: 1})
	is.NoErr(s.Rollback(t.Context()))
	is.NoErr(s.Begin(t.Context()))
	is.NoErr(s.Commit(t.Context()))
	is.True(s.QueryID() != "")
	is.NoErr(target.CancelSessions(t.Context(), []string{s.ID()}))
	is.NoErr(s.Close())
	is.NoErr(target.Close())
}

// run creates a run and returns it with a stop folded in, ready to commit.
func run(t *testing.T, store ports.RunStore) (core.Run, ports.RunRecord) {
	t.Helper()
	scenario := core.Scenario{Name: "s", Load: core.ScenarioLoad{Workers: 1, Connections: 1}}
	record, err := store.Create(t.Context(), core.NewRun("run-1", scenario.Plan()), scenario, ports.Home{})
	if err != nil {
		t.Fatal(err)
	}
	next, _, err := record.Run.Fold(core.StopRequested{At: record.Now})
	if err != nil {
		t.Fatal(err)
	}
	return next, record
}

// Each fault, scripted on the second call of Commit.
func TestFaults(t *testing.T) {
	special := errors.New("special")
	for _, tc := range []struct {
		name  string
		rule  fault.Rule
		code  core.Code
		is    error
		done  bool          // the commit happened
		after time.Duration // the reply came
	}{
		{"fail before", fault.Rule{Fault: fault.FailBefore}, core.Unavailable, nil, false, 0},
		{"fail before with another error", fault.Rule{Fault: fault.FailBefore, Error: errors.Join(core.ErrDenied, special)}, core.Denied, special, false, 0},
		{"fail after", fault.Rule{Fault: fault.FailAfter}, core.Unavailable, nil, true, 0},
		{"conflict", fault.Rule{Fault: fault.Conflict}, core.Conflict, nil, false, 0},
		{"lost for a while", fault.Rule{Fault: fault.Lose, Delay: time.Second}, core.Unavailable, nil, false, time.Second},
		{"lost until the context ends", fault.Rule{Fault: fault.Lose}, core.Unavailable, context.DeadlineExceeded, false, 10 * time.Second},
		{"delayed", fault.Rule{Fault: fault.Delay, Delay: time.Second}, "", nil, true, time.Second},
		{"delayed for longer than the caller waits", fault.Rule{Fault: fault.Delay, Delay: time.Hour}, core.Unavailable, context.DeadlineExceeded, false, 10 * time.Second},
		{"done twice", fault.Rule{Fault: fault.Duplicate}, "", nil, true, 0}, // the first reply: not the Conflict of the second
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				is := is.New(t)
				tc.rule.On, tc.rule.Calls = "RunStore.Commit", []int64{2}
				in := injector(t, 1, tc.rule)
				store := in.Store(memory.NewStore(memory.Options{}))
				next, record := run(t, store)
				_, err := store.Commit(t.Context(), 99, next, nil, ports.Progress{}) // the first goes through
				is.Equal(core.CodeOf(err), core.Conflict)

				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				start := time.Now()
				version, err := store.Commit(ctx, record.Version, next, nil, ports.Progress{})
				is.Equal(time.Since(start), tc.after)
				is.Equal(core.CodeOf(err), tc.code)
				is.True(tc.is == nil || errors.Is(err, tc.is))
				loaded, loadErr := store.Load(t.Context(), "run-1")
				is.NoErr(loadErr)
				is.Equal(loaded.Version == 2, tc.done)
				if err == nil {
					is.Equal(version, int64(2))
				}
				for _, c := range in.Counts() {
					if c.Method == "RunStore.Commit" {
						is.Equal(c, fault.Count{Method: "RunStore.Commit", Calls: 2, Hits: 1})
					}
				}
			})
		})
	}
}

// pattern is which of n loads a rule hits.
func pattern(t *testing.T, seed uint64, n int, rules ...fault.Rule) []bool {
	t.Helper()
	store := injector(t, seed, rules...).Store(memory.NewStore(memory.Options{}))
	var hits []bool
	for range n {
		_, err := store.Load(t.Context(), "none")
		hits = append(hits, core.CodeOf(err) == core.Unavailable)
		_, _ = store.Events(t.Context(), "none", 0) // other methods draw numbers of their own
	}
	return hits
}

func TestProbabilityIsSeeded(t *testing.T) {
	is := is.New(t)
	rule := fault.Rule{On: "RunStore", Fault: fault.FailBefore, Probability: 0.3}
	first := pattern(t, 7, 2000, rule)
	is.Equal(pattern(t, 7, 2000, rule), first)               // the same seed
	is.True(!slices.Equal(pattern(t, 8, 2000, rule), first)) // another
	narrow := rule
	narrow.On = "RunStore.Load"
	is.Equal(pattern(t, 7, 2000, narrow), first) // the name of the rule does not matter
	hits := 0
	for _, hit := range first {
		if hit {
			hits++
		}
	}
	is.True(hits > 500 && hits < 700) // 600 expected, 20 is one standard deviation
	always, never := rule, rule
	always.Probability, never.Probability, never.Calls = 1, 0, []int64{5000}
	is.True(!slices.Contains(pattern(t, 7, 500, always), false))
	is.True(!slices.Contains(pattern(t, 7, 500, never), true))
}

func TestDelaysAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		in := injector(t, 3,
			fault.Rule{On: "Schema.Probe", Fault: fault.Delay, Calls: []int64{1}, Delay: time.Second},
			fault.Rule{Fault: fault.Delay, Probability: 1, Delay: time.Minute, Spread: time.Minute},
			fault.Rule{On: "Schema", Fault: fault.Conflict, Calls: []int64{1}},
			fault.Rule{On: "Schema", Fault: fault.FailBefore, Calls: []int64{1}},
		)
		store := in.Store(memory.NewStore(memory.Options{}))
		start := time.Now()
		_, err := store.Probe(t.Context())
		is.Equal(core.CodeOf(err), core.Conflict) // the first of two
		took := time.Since(start)
		is.True(took > 61*time.Second && took < 121*time.Second)
		in.Heal()
		start = time.Now()
		_, err = store.Probe(t.Context())
		is.NoErr(err)
		is.Equal(time.Since(start), time.Duration(0))
	})
}

// What a repeated or unheard Open has opened is closed.
func TestOpenLeavesNoSession(t *testing.T) {
	is := is.New(t)
	below := loaded(t)
	target := injector(t, 1,
		fault.Rule{On: "Target.Open", Fault: fault.FailAfter, Calls: []int64{1}},
		fault.Rule{On: "Target.Open", Fault: fault.Duplicate, Calls: []int64{2}},
	).Target(below)
	_, err := target.Open(t.Context(), sessionOptions())
	is.Equal(core.CodeOf(err), core.Unavailable)
	s, err := target.Open(t.Context(), sessionOptions())
	is.NoErr(err)
	is.Equal(s.ID(), "memory-2") // the first of its two: 1 was unheard, 3 the repetition
	is.NoErr(s.Begin(t.Context()))
	count, err := target.Running(t.Context(), []string{"memory-1", "memory-2", "memory-3"})
	is.NoErr(err)
	is.Equal(count, core.RunningCount{Known: true, Count: 1})
	is.NoErr(s.Close())
}

func TestLaunchTwiceIsOneWorker(t *testing.T) {
	is := is.New(t)
	below := memory.NewLauncher(func(ctx context.Context, _ *memory.Process) (int, string) {
		<-ctx.Done()
		return 0, ""
	})
	l := injector(t, 1, fault.Rule{On: "Launcher.Launch", Fault: fault.Duplicate, Probability: 1}).Launcher(below)
	_, err := l.Launch(t.Context(), ports.WorkerSpec{Key: core.WorkerKey{RunID: "run-1", WorkerID: "worker-0", Epoch: 1}})
	is.NoErr(err)
	list, err := l.List(t.Context(), "")
	is.NoErr(err)
	is.Equal(len(list), 1)
	is.NoErr(below.Close())
}

func TestNewRefuses(t *testing.T) {
	for name, rule := range map[string]fault.Rule{
		"an unknown fault":       {Fault: "explode", Probability: 1},
		"no fault":               {Probability: 1},
		"a misspelt method":      {On: "RunStore.Comit", Fault: fault.Conflict, Probability: 1},
		"half a port":            {On: "Run", Fault: fault.Conflict, Probability: 1},
		"more than always":       {Fault: fault.Conflict, Probability: 1.5},
		"a negative probability": {Fault: fault.Conflict, Probability: -0.5},
		"call 0":                 {Fault: fault.Conflict, Calls: []int64{0}},
		"never":                  {Fault: fault.Conflict},
		"a negative delay":       {Fault: fault.Delay, Probability: 1, Delay: -1},
		"no delay":               {Fault: fault.Delay, Probability: 1},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			_, err := fault.New(1, rule)
			is.Equal(core.CodeOf(err), core.Invalid)
		})
	}
}
