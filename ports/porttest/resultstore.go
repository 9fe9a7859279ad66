package porttest

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// TestResultStore proves a ports.ResultStore.
func TestResultStore(t *testing.T, h StoreHarness) {
	t.Helper()
	ResultStoreSuite().Test(t, h)
}

// ResultStoreSuite is the cases of TestResultStore.
func ResultStoreSuite() Suite[StoreHarness] {
	return Suite[StoreHarness]{
		{"of worker intervals the first stays", snapshotsFirst},
		{"of aggregates the last stays", aggregatesLast},
		{"worker intervals are ordered and filtered", intervalsOrder},
		{"aggregates are ordered and filtered", aggregatesOrder},
		{"totals are what the aggregates say", totalsOfAggregates},
		{"totals come in the pages of the aggregates", totalsPages},
		{"aggregates come in pages of a size", aggregatesPages},
		{"snapshots of one batch repeat safely", snapshotsRepeat},
		{"an empty batch is nothing", emptyBatches},
		{"executions are kept once", executionsOnce},
		{"executions come in pages", executionPages},
		{"steps are ordered and whole", stepsOrder},
		{"of steps the first stays", stepsOnce},
		{"the rollup is read back as it was", rollupBack},
		{"the rollup is replaced as a whole", rollupReplaced},
		{"a rollup that is not there is NotFound", rollupUnknown},
		{"results alias nothing", resultAliasing},
		{"ended contexts change no result", resultContexts},
	}
}

func workerInterval(run string, worker, n int) ports.WorkerInterval {
	return ports.WorkerInterval{RunID: run, WorkerID: core.WorkerID(worker), GroupID: worker, Interval: sampleInterval(n)}
}

func intervalsOf(t testing.TB, store ports.ResultStore, run string, offset float64) []ports.WorkerInterval {
	t.Helper()
	list, err := store.WorkerIntervals(within(t), run, offset)
	must(t, err, "WorkerIntervals")
	return list
}

func aggregatesOf(t testing.TB, store ports.ResultStore, run string, after float64) []ports.RunInterval {
	t.Helper()
	list, err := store.Aggregates(within(t), run, after, 0)
	must(t, err, "Aggregates")
	return list
}

func executionsOf(t testing.TB, store ports.ResultStore, run, after string, limit int) []core.Execution {
	t.Helper()
	list, err := store.Executions(within(t), run, after, limit)
	must(t, err, "Executions")
	return list
}

// wantSame is same for lists, of which an empty one may be nil.
func wantSame[T any](t testing.TB, got, want []T, what string) {
	t.Helper()
	if len(got) == 0 && len(want) == 0 {
		return
	}
	same(t, got, want, what)
}

func snapshotsFirst(t testing.TB, h StoreHarness) {
	store := h.open(t)
	create(t, store, "run-1")
	first := workerInterval("run-1", 1, 1)
	must(t, store.AppendSnapshots(within(t), []ports.WorkerInterval{first}, nil), "AppendSnapshots")
	other := first
	other.Interval.Kinds, other.Interval.CPU = sampleKinds(9), 99
	second := workerInterval("run-1", 1, 2)
	must(t, store.AppendSnapshots(within(t), []ports.WorkerInterval{other, second}, nil), "AppendSnapshots of one that is there and one that is not")
	wantSame(t, intervalsOf(t, store, "run-1", -1), []ports.WorkerInterval{first, second}, "the intervals")
	got := intervalsOf(t, store, "run-1", 1)
	wantSame(t, got, []ports.WorkerInterval{first}, "the interval that was stored first")
	for k := range first.Interval.Kinds {
		a, b := &first.Interval.Kinds[k], &got[0].Interval.Kinds[k]
		if !a.Service.Equal(&b.Service) || !a.Latency().Equal(b.Latency()) {
			t.Errorf("a histogram of %s is not Equal to what was stored", a.Kind)
		}
	}
}

func aggregatesLast(t testing.TB, h StoreHarness) {
	store := h.open(t)
	create(t, store, "run-1")
	put := func(a ports.RunInterval) {
		t.Helper()
		must(t, store.AppendSnapshots(within(t), nil, []ports.RunInterval{a}), "AppendSnapshots")
	}
	put(sampleAggregate("run-1", core.Warmup, 2, 1))
	put(sampleAggregate("run-1", core.Measurement, 2, 2)) // the same offset, another phase
	put(sampleAggregate("run-1", core.Measurement, 2.5, 3))
	last := sampleAggregate("run-1", core.Warmup, 2, 4)
	put(last)
	got := aggregatesOf(t, store, "run-1", -1)
	sortAggregates(got)
	wantSame(t, got, []ports.RunInterval{
		sampleAggregate("run-1", core.Measurement, 2, 2), last, sampleAggregate("run-1", core.Measurement, 2.5, 3),
	}, "the aggregates")
}

// sortAggregates gives those of one offset an order, which the port leaves open.
func sortAggregates(list []ports.RunInterval) {
	slices.SortStableFunc(list, func(a, b ports.RunInterval) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Phase, b.Phase))
	})
}

func intervalsOrder(t testing.TB, h StoreHarness) {
	store := h.open(t)
	createWide(t, store, "run-1")
	create(t, store, "run-2")
	wantSame(t, intervalsOf(t, store, "run-1", -1), nil, "the intervals of a new run")

	var want, backwards []ports.WorkerInterval
	for worker := range 12 {
		for n := 1; n <= 3; n++ {
			want = append(want, workerInterval("run-1", worker, n))
		}
	}
	for i := len(want) - 1; i >= 0; i-- {
		backwards = append(backwards, want[i])
	}
	foreign := workerInterval("run-2", 0, 2)
	must(t, store.AppendSnapshots(within(t), append(backwards, foreign), nil), "AppendSnapshots")
	wantSame(t, intervalsOf(t, store, "run-1", -1), want, "all intervals")
	var second []ports.WorkerInterval
	for worker := range 12 {
		second = append(second, workerInterval("run-1", worker, 2))
	}
	wantSame(t, intervalsOf(t, store, "run-1", 2), second, "the intervals that end at 2 s")
	wantSame(t, intervalsOf(t, store, "run-1", 2.5), nil, "the intervals that end at 2.5 s")
	wantSame(t, intervalsOf(t, store, "run-1", 0), nil, "the intervals that end at 0 s")
	wantSame(t, intervalsOf(t, store, "run-2", -1), []ports.WorkerInterval{foreign}, "the intervals of the other run")
}

func aggregatesOrder(t testing.TB, h StoreHarness) {
	store := h.open(t)
	create(t, store, "run-1")
	create(t, store, "run-2")
	var batch, want []ports.RunInterval
	for n := 12; n >= 1; n-- {
		batch = append(batch, sampleAggregate("run-1", core.Measurement, 0.5*float64(n), n))
	}
	batch = append(batch, sampleAggregate("run-2", core.Measurement, 3, 1))
	must(t, store.AppendSnapshots(within(t), nil, batch), "AppendSnapshots")
	for n := 1; n <= 12; n++ {
		want = append(want, sampleAggregate("run-1", core.Measurement, 0.5*float64(n), n))
	}
	for after, from := range map[float64]int{-1: 0, 0: 0, 0.5: 1, 0.75: 1, 2: 4, 5.5: 11, 6: 12, 100: 12} {
		wantSame(t, aggregatesOf(t, store, "run-1", after), want[from:], fmt.Sprintf("the aggregates after %v s", after))
	}
}

func snapshotsRepeat(t testing.TB, h StoreHarness) {
	one, two := h.handles(t)
	create(t, one, "run-1")
	workers := []ports.WorkerInterval{workerInterval("run-1", 0, 1), workerInterval("run-1", 1, 1)}
	aggregates := []ports.RunInterval{sampleAggregate("run-1", core.Measurement, 1, 1)}
	race(6, func(i int) {
		store := []ports.Store{one, two}[i%2]
		if err := store.AppendSnapshots(within(t), workers, aggregates); err != nil {
			t.Errorf("AppendSnapshots: %v", err)
		}
	})
	wantSame(t, intervalsOf(t, one, "run-1", -1), workers, "the intervals of a batch that was sent six times")
	wantSame(t, aggregatesOf(t, two, "run-1", -1), aggregates, "the aggregates of a batch that was sent six times")
	twice := append(slices.Clone(workers), workers...) // the same key twice in one batch
	must(t, one.AppendSnapshots(within(t), twice, append(aggregates, aggregates...)), "AppendSnapshots")
	wantSame(t, intervalsOf(t, one, "run-1", -1), workers, "the intervals of a batch that holds each twice")
}

func emptyBatches(t testing.TB, h StoreHarness) {
	store := h.open(t)
	must(t, store.AppendSnapshots(within(t), nil, nil), "AppendSnapshots of nothing")
	must(t, store.AppendExecutions(within(t), nil), "AppendExecutions of nothing")
	must(t, store.Logs().Append(within(t), nil), "Append of nothing")
}

func executionsOnce(t testing.TB, h StoreHarness) {
	store := h.open(t)
	create(t, store, "run-1")
	all := sampleExecutions("run-1", 60)
	must(t, store.AppendExecutions(within(t), all[:40]), "AppendExecutions")
	must(t, store.AppendExecutions(within(t), all[20:]), "AppendExecutions that overlap")
	must(t, store.AppendExecutions(within(t), append(slices.Clone(all[:5]), all[:5]...)), "AppendExecutions with each twice")
	wantSame(t, executionsOf(t, store, "run-1", "", 1000), all, "the executions")
}

func executionPages(t testing.TB, h StoreHarness) {
	store := h.open(t)
	create(t, store, "run-1")
	create(t, store, "run-2")
	all := sampleExecutions("run-1", 250)
	for i := range 20 { // several that start at once, with ids in order
		all[100+i].Start = all[100].Start
	}
	backwards := slices.Clone(all)
	slices.Reverse(backwards)
	must(t, store.AppendExecutions(within(t), append(backwards, sampleExecutions("run-2", 3)...)), "AppendExecutions")
	if n := len(executionsOf(t, store, "run-1", "", 0)); n != 100 {
		t.Errorf("%d executions of 250 unless told, want 100", n)
	}
	var pages []core.Execution
	for after := ""; len(pages) <= len(all); after = pages[len(pages)-1].ID {
		page := executionsOf(t, store, "run-1", after, 7)
		if len(page) == 0 {
			break
		}
		if len(page) > 7 {
			t.Fatalf("a page of at most 7 has %d", len(page))
		}
		pages = append(pages, page...)
	}
	for i := 1; i < len(pages); i++ {
		if pages[i].Start.Before(pages[i-1].Start) {
			t.Errorf("execution %s of %s comes after one of %s", pages[i].ID, pages[i].Start, pages[i-1].Start)
		}
	}
	slices.SortStableFunc(pages, func(a, b core.Execution) int { return cmp.Compare(a.ID, b.ID) })
	wantSame(t, pages, all, "the pages one after another")
	if n := len(executionsOf(t, store, "run-2", "", 0)); n != 3 {
		t.Errorf("%d executions of the other run, want 3", n)
	}
}

func rollupBack(t testing.TB, h StoreHarness) {
	one, two := h.handles(t)
	createWide(t, one, "run-1")
	create(t, one, "run-2")
	parent := sampleRollup("run-1", "", 30)
	var children []core.Rollup
	for i := range 12 {
		children = append(children, sampleRollup("run-1", core.WorkerID(i), i))
	}
	must(t, one.PutRollup(within(t), parent, children), "PutRollup")
	must(t, one.PutRollup(within(t), sampleRollup("run-2", "", 1), children[:0]), "PutRollup without children")
	gotParent, gotChildren, err := two.Rollup(within(t), "run-1")
	must(t, err, "Rollup")
	same(t, gotParent, parent, "the parent")
	wantSame(t, gotChildren, children, "the children, by worker index")
	gotParent, gotChildren, err = two.Rollup(within(t), "run-2")
	must(t, err, "Rollup")
	same(t, gotParent, sampleRollup("run-2", "", 1), "the parent of the other run")
	wantSame(t, gotChildren, nil, "the children of the other run")
}

func rollupReplaced(t testing.TB, h StoreHarness) {
	store := h.open(t)
	createWide(t, store, "run-1")
	children := func(n, salt int) (list []core.Rollup) {
		for i := range n {
			list = append(list, sampleRollup("run-1", core.WorkerID(i), salt+i))
		}
		return list
	}
	for i, n := range []int{3, 5, 2, 2} { // more, then fewer: none may be left over
		parent := sampleRollup("run-1", "", 10*i)
		parent.Status, parent.Certificate = core.Failed, nil
		must(t, store.PutRollup(within(t), parent, children(n, i)), "PutRollup")
		gotParent, gotChildren, err := store.Rollup(within(t), "run-1")
		must(t, err, "Rollup")
		same(t, gotParent, parent, "the parent after it was replaced")
		wantSame(t, gotChildren, children(n, i), "the children after they were replaced")
	}
}

func rollupUnknown(t testing.TB, h StoreHarness) {
	store := h.open(t)
	create(t, store, "run-1")
	for _, id := range []string{"run-1", "run-2"} { // without a result, and unknown
		_, _, err := store.Rollup(within(t), id)
		wantCode(t, err, core.NotFound, "Rollup of "+id)
	}
}

func resultAliasing(t testing.TB, h StoreHarness) {
	store := h.open(t)
	create(t, store, "run-1")
	workers := []ports.WorkerInterval{workerInterval("run-1", 0, 1)}
	aggregates := []ports.RunInterval{sampleAggregate("run-1", core.Measurement, 1, 1)}
	parent, children := sampleRollup("run-1", "", 1), []core.Rollup{sampleRollup("run-1", "worker-0", 1)}
	must(t, store.AppendSnapshots(within(t), workers, aggregates), "AppendSnapshots")
	must(t, store.PutRollup(within(t), parent, children), "PutRollup")
	for _, what := range []string{"passed in", "returned"} {
		workers[0].Interval.Kinds[0].Service.Record(time.Hour)
		aggregates[0].Kinds[0].Failures[0].Count = 99
		parent.Verdict.Reasons[0], parent.Scenario.Tags["team"] = "spoilt", "spoilt"
		parent.Certificate.Workers[0].ID = "spoilt"
		children[0].Kinds[0].Response.Record(time.Hour)

		workers, aggregates = intervalsOf(t, store, "run-1", -1), aggregatesOf(t, store, "run-1", -1)
		var err error
		parent, children, err = store.Rollup(within(t), "run-1")
		must(t, err, "Rollup")
		after := " after what was " + what + " was changed"
		same(t, workers, []ports.WorkerInterval{workerInterval("run-1", 0, 1)}, "the interval"+after)
		same(t, aggregates, []ports.RunInterval{sampleAggregate("run-1", core.Measurement, 1, 1)}, "the aggregate"+after)
		same(t, parent, sampleRollup("run-1", "", 1), "the parent"+after)
		same(t, children, []core.Rollup{sampleRollup("run-1", "worker-0", 1)}, "the child"+after)
	}
}

func resultContexts(t testing.TB, h StoreHarness) {
	store := h.open(t)
	create(t, store, "run-1")
	for _, ctx := range endedContexts(t) {
		wantEnded(t, store.AppendSnapshots(ctx, []ports.WorkerInterval{workerInterval("run-1", 0, 1)}, nil), ctx, "AppendSnapshots")
		wantEnded(t, store.AppendExecutions(ctx, sampleExecutions("run-1", 1)), ctx, "AppendExecutions")
		wantEnded(t, store.PutRollup(ctx, sampleRollup("run-1", "", 1), nil), ctx, "PutRollup")
		_, _, err := store.Rollup(ctx, "run-1")
		wantEnded(t, err, ctx, "Rollup")
		_, err = store.Aggregates(ctx, "run-1", 0, 0)
		wantEnded(t, err, ctx, "Aggregates")
		_, err = store.Totals(ctx, "run-1", 0)
		wantEnded(t, err, ctx, "Totals")
		_, err = store.WorkerIntervals(ctx, "run-1", 0)
		wantEnded(t, err, ctx, "WorkerIntervals")
		wantEnded(t, store.AppendSteps(ctx, []core.ControllerStep{sampleStep("run-1", core.StepFindMax, 1)}), ctx, "AppendSteps")
		_, err = store.Steps(ctx, "run-1")
		wantEnded(t, err, ctx, "Steps")
		_, err = store.Executions(ctx, "run-1", "", 0)
		wantEnded(t, err, ctx, "Executions")
	}
	for name, n := range contents(t, store, "run-1") {
		if n != 0 {
			t.Errorf("%d %s are there after calls whose contexts had ended before", n, name)
		}
	}
}
