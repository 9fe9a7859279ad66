package runner_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/fault"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/runner"
)

// template stores the template of scenarioFor and returns its id.
func (b *bench) template(t testing.TB) string {
	t.Helper()
	record, err := b.store.Templates().Put(t.Context(), core.Template{
		Name: "quick", Target: core.TemplateTarget{Kind: "memory", Endpoint: "local"}, Table: core.TemplateTable{Name: "T", Rows: 100},
		Load: core.TemplateLoad{Workers: 2}, Mix: []core.TemplateOp{{Kind: core.PointLookup, Weight: 100}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return record.ID
}

// outline is the status of the stored result, "" when there is none.
func (b *bench) outline(t testing.TB) core.Status {
	t.Helper()
	parent, children, err := b.store.Rollup(context.Background(), "run")
	if errors.Is(err, core.ErrNotFound) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	if !parent.Status.Terminal() {
		if len(children) > 0 || parent.Certificate != nil || parent.Start.IsZero() || parent.Connections == 0 || parent.Name != "quick" || parent.Scenario == nil {
			t.Errorf("outline: %+v with %d children", parent, len(children))
		}
	}
	return parent.Status
}

// The row of the result is there from STARTING on, and the result takes its
// place.
func TestOutline(t *testing.T) {
	for _, tc := range []struct {
		name  string
		rules []fault.Rule
		want  []core.Status
	}{
		{"at once", nil, []core.Status{core.Starting, core.Running, core.Completed}},
		{"after a while", []fault.Rule{{On: "ResultStore.PutRollup", Fault: fault.FailBefore, Calls: []int64{1, 3}}}, []core.Status{core.Starting, core.Running, core.Completed}},
		{"never", []fault.Rule{{On: "ResultStore.PutRollup", Fault: fault.FailBefore, Calls: []int64{1, 2, 3, 4, 5, 6, 7, 8}}}, nil},
	} {
		virtual(t, tc.name, func(t *testing.T) {
			is := is.New(t)
			b := newBench(t, map[string]script{"worker-0": {slowStart: 300 * time.Millisecond}})
			var seen []core.Status
			r := b.runner(t, "a", func(p *runner.Ports, o *runner.Options) {
				b.decorated(injector(t, 1, tc.rules...))(p, o)
				o.Observe = func(runner.Observation) {
					if s := b.outline(t); s != "" && (len(seen) == 0 || seen[len(seen)-1] != s) {
						seen = append(seen, s)
					}
				}
			})
			run := b.runToEnd(t, r, scenarioFor(t, 2, func(tpl *core.Template) { tpl.Load.Duration = core.Duration(time.Second) }))
			is.Equal(run.Status, core.Completed)
			if tc.want != nil {
				is.Equal(seen, tc.want)
			}
		})
	}
}

// An outline is begun for a run that is not ending, and given up before the lease
// has passed: so it never takes the place of a result.
func TestOutlineTakesThePlaceOfNoResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		b.hooks.set(func(ctx context.Context, method string, _ int) error {
			if method != "ResultStore.PutRollup, outline" {
				return nil
			}
			begun := b.record(t).Run
			<-ctx.Done()
			if begun.Status.Ending() || time.Now().After(begun.OwnerLeaseUntil) {
				t.Errorf("an outline of a run that is %s, until %s with a lease until %s", begun.Status, time.Now(), begun.OwnerLeaseUntil)
			}
			return lost(ctx.Err())
		}, nil)
		r := b.runner(t, "a", func(_ *runner.Ports, o *runner.Options) {
			later := func(o runner.Observation) bool {
				return o.Run.Status == core.Running && o.Now.Sub(o.Run.Origin) > 2*time.Second
			}
			reacting(o, reaction{later, func() { b.mustStop(t, core.StopRequested{Reason: core.UserRequested, By: "u"}) }})
		})
		run := b.runToEnd(t, r, scenarioFor(t, 2, longLoad))
		is.Equal(run.Status, core.Cancelled)
		is.Equal(b.outline(t), core.Cancelled)
		is.True(b.hooks.called("ResultStore.PutRollup, outline") > 2) // it is tried again
	})
}

// A worker that has ended in order was healthy in the intervals in which it took
// part.
func TestHealthyUntilTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, map[string]script{"worker-2": {slowDrain: 400 * time.Millisecond}})
		run := b.runToEnd(t, b.runner(t, "a", nil), scenarioFor(t, 3, nil))
		is.Equal(run.Status, core.Completed)
		rows, err := b.store.Aggregates(t.Context(), "run", -1, 0)
		is.NoErr(err)
		is.True(len(rows) > 5)
		for _, row := range rows {
			is.Equal([]int{row.Healthy, row.Stale, row.Lost}, []int{3, 0, 0})
		}
	})
}

// A run refused by preflight has no row; it counts no use of its template. Any
// other counts one when its load begins, whoever drives it then.
func TestUseOfTheTemplate(t *testing.T) {
	used := func(t *testing.T, b *bench, id string) int64 {
		record, err := b.store.Templates().Get(context.Background(), id)
		if err != nil {
			t.Fatal(err)
		}
		return record.Used
	}
	virtual(t, "refused", func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		s := scenarioFor(t, 2, func(tpl *core.Template) { tpl.Table.Rows = 500 })
		s.TemplateID = b.template(t)
		is.Equal(b.runToEnd(t, b.runner(t, "a", nil), s).Reason, core.PreflightRefused)
		is.Equal(used(t, b, s.TemplateID), int64(0))
		is.Equal(b.outline(t), core.Status(""))
	})
	virtual(t, "cannot be launched", func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, map[string]script{"worker-0": {unfit: true}})
		s := scenarioFor(t, 2, nil)
		s.TemplateID = b.template(t)
		is.Equal(b.runToEnd(t, b.runner(t, "a", nil), s).Status, core.Failed)
		is.Equal(used(t, b, s.TemplateID), int64(0))
	})
	virtual(t, "run, with replies of commits lost", func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		s := scenarioFor(t, 2, nil)
		s.TemplateID = b.template(t)
		in := injector(t, 1, fault.Rule{On: "RunStore.Commit", Fault: fault.FailAfter, Probability: 0.5})
		is.Equal(b.runToEnd(t, b.runner(t, "a", b.decorated(in)), s).Status, core.Completed)
		is.Equal(used(t, b, s.TemplateID), int64(1))
	})
	virtual(t, "taken over", func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		s := scenarioFor(t, 2, func(tpl *core.Template) { tpl.Load.Duration = core.Duration(5 * time.Second) })
		s.TemplateID = b.template(t)
		b.takeOver(t, s)
		is.Equal(used(t, b, s.TemplateID), int64(1))
	})
}

// takeOver lets a first orchestrator die in MEASUREMENT and a second one drive
// the run to its end.
func (b *bench) takeOver(t testing.TB, s core.Scenario) core.Run {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	first := b.runner(t, "first", func(_ *runner.Ports, o *runner.Options) { reacting(o, reaction{inPhase(core.Measurement), cancel}) })
	b.create(t, first, s)
	if _, err := first.Drive(ctx, "run", runner.DriveOptions{Start: true}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	<-time.After(testLease + time.Millisecond)
	run, err := b.otherRunner(t, "second").Drive(t.Context(), "run", runner.DriveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b.verify(t, run)
	return run
}
