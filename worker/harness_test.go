package worker

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// fleet is one run over the memory adapters, with a small owner that drives it
// and workers that are goroutines.
type fleet struct {
	t        testing.TB
	store    *memory.Store
	target   *memory.Target
	scenario core.Scenario
	runID    string

	// What workers get; tests put faults in between.
	runs    ports.RunStore
	workers ports.WorkerStore
	results ports.ResultStore
	open    ports.Target
	usage   usageReader
	strain  func() core.Strain
	grace   time.Duration
	build   core.Build
	log     *slog.Logger
	observe func(Observation)

	signals []chan struct{}
	stops   chan core.StopRequested
	crowd   int  // workers that a worker believes there are; 0: those of the scenario
	absent  bool // the owner does nothing
	noAcks  bool // the owner acknowledges nothing
	deaf    bool // the owner does not hear that a budget is spent

	mu      sync.Mutex
	exits   map[int]Exit
	kill    map[int]context.CancelFunc // by worker
	running sync.WaitGroup
}

func template(workers, connections int) core.Template {
	sampling := 0.0
	return core.Template{
		Name:   "test",
		Target: core.TemplateTarget{Kind: "memory"},
		Table:  core.TemplateTable{Name: "BENCH", Rows: 1000},
		Load: core.TemplateLoad{
			Workers: workers, Connections: connections, Duration: core.Duration(3 * time.Second), Sampling: &sampling,
		},
		Mix: []core.TemplateOp{
			{Kind: core.PointLookup, Weight: 60}, {Kind: core.RangeScan, Weight: 10, Span: 10},
			{Kind: core.Insert, Weight: 20}, {Kind: core.Update, Weight: 10},
		},
	}
}

// newFleet makes a run of the template that change may change. Every operation
// takes latency.
func newFleet(t testing.TB, tmpl core.Template, latency time.Duration) *fleet {
	t.Helper()
	is := is.New(t)
	scenario, err := tmpl.Resolve(core.Resolution{Launcher: "memory"})
	is.NoErr(err)
	target := memory.NewTarget(memory.TargetOptions{Latency: func(string) time.Duration { return latency }})
	if latency == 0 {
		target = memory.NewTarget(memory.TargetOptions{})
	}
	is.NoErr(target.Create(t.Context(), scenario.Table))
	is.NoErr(target.Load(t.Context(), scenario.Table, nil))
	store := memory.NewStore(memory.Options{})
	f := &fleet{
		t: t, store: store, target: target, scenario: scenario, runID: "run-1", runs: store, workers: store, results: store, open: target,
		build: core.Build{ID: "test", GoVersion: "go"}, stops: make(chan core.StopRequested, 8), exits: map[int]Exit{}, kill: map[int]context.CancelFunc{},
		log: slog.New(slog.DiscardHandler),
	}
	if testing.Verbose() {
		f.log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	f.create(f.runID)
	for range scenario.Load.Workers {
		f.signals = append(f.signals, make(chan struct{}, 4))
	}
	return f
}

// create makes a run of the scenario as it is now, and the fleet's.
func (f *fleet) create(runID string) {
	f.t.Helper()
	f.runID = runID
	if _, err := f.store.Create(f.t.Context(), core.NewRun(runID, f.scenario.Plan()), f.scenario, ports.Home{}); err != nil {
		f.t.Fatal(err)
	}
}

// update commits events, again after a conflict.
func (f *fleet) update(events ...core.Event) core.Run {
	f.t.Helper()
	for {
		record, err := f.store.Load(f.t.Context(), f.runID)
		if err != nil {
			f.t.Fatal(err)
		}
		next, control, err := record.Run.Fold(events...)
		if err != nil {
			f.t.Fatal(err)
		}
		if _, err = f.store.Commit(f.t.Context(), record.Version, next, control, ports.Progress{}); err == nil {
			return next
		}
	}
}

func (f *fleet) now() time.Time { return time.Now().UTC() }

// launch starts one worker as a goroutine.
func (f *fleet) launch(ctx context.Context, index, epoch int) {
	ctx, kill := context.WithCancel(ctx)
	f.mu.Lock()
	f.kill[index] = kill
	f.mu.Unlock()
	f.running.Go(func() {
		defer kill()
		exit := f.worker(ctx, index, epoch)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.exits[index] = exit
	})
}

func (f *fleet) worker(ctx context.Context, index, epoch int) Exit {
	return Run(ctx, Config{
		RunID: f.runID, WorkerID: core.WorkerID(index), GroupID: index, GroupCount: cmp.Or(f.crowd, f.scenario.Load.Workers),
		Epoch: epoch, Grace: f.grace, Build: f.build, Signals: f.signals[index], Observe: f.observe, CoarseTimers: true,
	}, Ports{
		Runs: f.runs, Workers: f.workers, Results: f.results, Log: f.log, Usage: f.usage, Strain: f.strain,
		Target: func(context.Context, core.ScenarioTarget) (ports.Target, error) { return f.open, nil },
	})
}

func (f *fleet) exit(index int) (Exit, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, ok := f.exits[index]
	return e, ok
}

// start claims and starts the run and launches its workers.
func (f *fleet) start(ctx context.Context) {
	at := f.now()
	run := f.update(
		core.OwnerClaimed{At: at, Owner: "test", Until: at.Add(f.scenario.Limits.OwnerLease.Std())},
		core.StartRequested{At: at},
		core.PreflightFinished{At: at, Findings: []core.Finding{{ID: "test", Severity: core.SeverityOK}}},
	)
	f.launchOwed(ctx, run)
}

// launchOwed launches the workers whose launch is owed.
func (f *fleet) launchOwed(ctx context.Context, run core.Run) {
	for _, command := range run.Outstanding() {
		if c, ok := command.(core.LaunchWorker); ok {
			f.launch(ctx, c.Worker, c.Epoch)
			f.update(core.WorkerLaunched{At: f.now(), Worker: c.Worker, Epoch: c.Epoch, Handle: core.Handle{Launcher: "memory"}})
		}
	}
}

const ownerTick = 20 * time.Millisecond

// drive starts the run and owns it until it is terminal or done says so.
func (f *fleet) drive(done func(core.Run) bool) core.Run {
	f.t.Helper()
	f.start(f.t.Context())
	ticker := time.NewTicker(ownerTick)
	defer ticker.Stop()
	for range ticker.C {
		run := f.tick()
		if run.Status.Terminal() || done != nil && done(run) {
			return run
		}
	}
	panic("unreachable")
}

// tick is one tick of the owner.
func (f *fleet) tick() core.Run {
	f.t.Helper()
	ctx := f.t.Context()
	record, err := f.store.Load(ctx, f.runID)
	if err != nil {
		f.t.Fatal(err)
	}
	run := record.Run
	if f.absent || run.Status.Terminal() {
		return run
	}
	f.launchOwed(ctx, run)
	at := f.now()
	events := []core.Event{core.OwnerRenewed{At: at, Owner: "test", Epoch: run.OwnerEpoch, Until: at.Add(f.scenario.Limits.OwnerLease.Std())}}
	gone := map[int]Exit{} // before the beats: a final one must not be missed
	for i := range run.Workers {
		if exit, ok := f.exit(i); ok {
			gone[i] = exit
		}
	}
	beats, _, err := f.store.Beats(ctx, f.runID, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, b := range beats {
		events = append(events, core.BeatSeen{
			At: at, Worker: b.GroupID, Epoch: b.Key.Epoch, State: b.State, QuotaDone: b.Report.QuotaDone, Acknowledged: f.keep(b),
			Connections: b.Connections, LastStart: b.Report.LastStart, LastEnd: b.Report.LastEnd, Detail: b.LastError,
		})
	}
	for _, b := range beats {
		if b.Report.Spent != "" && !f.deaf && run.Status == core.Running {
			events = append(events, core.StopRequested{At: at, Reason: core.Budget, Detail: f.scenario.Budget.Spent(b.Report.Spent, f.scenario.Load, b.GroupID)})
		}
	}
	for i, w := range run.Workers {
		if exit, ok := gone[i]; ok && w.Life.Alive() {
			events = append(events, core.WorkerExited{At: at, Worker: i, Epoch: w.Epoch, Exit: core.Exit{Code: exit.Code, Cause: exit.Cause}})
		}
	}
	select {
	case stop := <-f.stops:
		stop.At = at
		events = append(events, stop)
	default:
	}
	events = append(events, core.Ticked{At: at},
		core.SessionsCounted{At: at, Running: core.RunningCount{Known: true}}, core.RollupStored{At: at}, core.ResourcesReleased{At: at})
	return f.update(events...)
}

// keep stores the intervals of a beat and acknowledges them.
func (f *fleet) keep(b core.Beat) int64 {
	if f.noAcks {
		return 0
	}
	acknowledged := b.Acknowledged
	var list []ports.WorkerInterval
	for _, i := range b.Report.Intervals {
		list = append(list, ports.WorkerInterval{RunID: f.runID, WorkerID: b.Key.WorkerID, GroupID: b.GroupID, Interval: i})
		acknowledged = max(acknowledged, i.Sequence)
	}
	if err := f.store.AppendSnapshots(f.t.Context(), list, nil); err != nil {
		f.t.Fatal(err)
	}
	return acknowledged
}

// beats are the newest beats of all workers.
func (f *fleet) beats() []core.Beat {
	f.t.Helper()
	beats, _, err := f.store.Beats(f.t.Context(), f.runID, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	return beats
}

// summary is the result of the run as the orchestrator would store it.
func (f *fleet) summary(run core.Run) (core.Rollup, []core.Rollup) {
	return core.Summarise(core.SummaryInput{Run: run, Scenario: f.scenario, Beats: f.beats()})
}

// checkIntervals compares the sum of a worker's stored intervals with what its
// final report says of each phase.
func (f *fleet) checkIntervals(b core.Beat) {
	f.t.Helper()
	is := is.New(f.t)
	stored, err := f.store.WorkerIntervals(f.t.Context(), f.runID, -1)
	is.NoErr(err)
	sums := map[core.Phase][]core.KindMetrics{}
	next := int64(1)
	for _, i := range stored {
		if i.WorkerID != b.Key.WorkerID {
			continue
		}
		is.Equal(i.Interval.Sequence, next) // contiguous
		next++
		is.True(i.Interval.Seconds > 0)
		sums[i.Interval.Phase] = core.MergeKinds(sums[i.Interval.Phase], i.Interval.Kinds)
	}
	is.True(next > 1)
	for _, phase := range b.Report.Phases {
		if problem := differ(phase.Kinds, sums[phase.Phase]); problem != "" {
			f.t.Errorf("%s %s: the intervals do not sum to the report: %s", b.Key.WorkerID, phase.Phase, problem)
		}
	}
}

func differ(a, b []core.KindMetrics) string {
	if len(a) != len(b) {
		return fmt.Sprintf("%d and %d kinds", len(a), len(b))
	}
	for i := range a {
		switch {
		case a[i].Kind != b[i].Kind || a[i].Counts != b[i].Counts:
			return fmt.Sprintf("%s %+v and %s %+v", a[i].Kind, a[i].Counts, b[i].Kind, b[i].Counts)
		case !a[i].Service.Equal(&b[i].Service):
			return a[i].Kind + ": histograms"
		case (a[i].Response == nil) != (b[i].Response == nil) || a[i].Response != nil && !a[i].Response.Equal(b[i].Response):
			return a[i].Kind + ": histograms of the response time"
		case !slices.EqualFunc(a[i].Statements, b[i].Statements, func(a, b core.StatementMetrics) bool {
			return a.Name == b.Name && a.Service.Equal(&b.Service)
		}):
			return a[i].Kind + ": statements"
		case fmt.Sprint(a[i].Failures) != fmt.Sprint(b[i].Failures):
			return fmt.Sprintf("%s: %v and %v", a[i].Kind, a[i].Failures, b[i].Failures)
		}
	}
	return ""
}
