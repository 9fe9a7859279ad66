package runner_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

// runWithObjective runs 8 s of load with one objective to its end.
func (b *bench) runWithObjective(t *testing.T, slo string) (core.Run, core.Scenario) {
	t.Helper()
	s := scenarioFor(t, 2, func(tpl *core.Template) {
		tpl.Load.Duration = core.Duration(8 * time.Second)
	})
	objective, err := core.ParseSLO(slo)
	if err != nil {
		t.Fatal(err)
	}
	s.SLOs = []core.SLO{objective} // be it one that the measurement is too short for
	return b.runToEnd(t, b.runner(t, "a", nil), s), s
}

// An objective with abort ends the run once it has been missed for its time, and
// no sooner; without abort it is only a part of the result.
func TestObjectiveEndsTheRun(t *testing.T) {
	for _, c := range []struct {
		slo    string
		status core.Status
		after  time.Duration // of the measurement; 0: its whole length
	}{
		{"throughput > 1000000000 for 3s abort", core.Failed, 3 * time.Second},
		{"throughput > 1000000000", core.Completed, 0},
		{"throughput > 0.001 for 1s abort", core.Completed, 0},
	} {
		t.Run(c.slo, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				is := is.New(t)
				b := newBench(t, nil)
				run, s := b.runWithObjective(t, c.slo)
				is.Equal(run.Status, c.status)
				if c.after == 0 {
					is.Equal(run.Reason, core.Elapsed)
					return
				}
				is.Equal(run.Reason, core.SLOAbort)
				is.True(strings.HasPrefix(run.Detail, `the objective "`+c.slo+`" was missed for 3.0 s, at last with `))
				measured := run.StopAt.Sub(run.Origin.Add(s.Load.Warmup.Std()))
				is.True(measured >= c.after && measured < c.after+2*time.Second)
				is.True(run.Certificate().Clean)
				is.Equal(run.StopBy, "") // nobody asked
			})
		})
	}
}

// An objective with for and without abort is about how long it is missed, not about the
// whole measurement.
func TestObjectiveHoldsFor(t *testing.T) {
	for _, c := range []struct {
		slo    string
		met    bool
		missed time.Duration // about
	}{
		{"throughput > 1000000000 for 3s", false, 8 * time.Second},
		{"throughput > 1000000000 for 10s", true, 8 * time.Second},
		{"throughput > 0.001 for 3s", true, 0},
		{"POINT_LOOKUP throughput > 1000000000 for 1s", false, 8 * time.Second},
	} {
		t.Run(c.slo, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				is := is.New(t)
				b := newBench(t, nil)
				run, _ := b.runWithObjective(t, c.slo)
				is.Equal(run.Status, core.Completed)
				parent, _, err := b.store.Rollup(t.Context(), run.ID)
				is.NoErr(err)
				is.Equal(len(parent.SLOs), 1)
				is.Equal(parent.SLOs[0].Met, c.met)
				off := parent.SLOs[0].MissedFor.Std() - c.missed
				is.True(off.Abs() <= time.Second)
			})
		})
	}
}
