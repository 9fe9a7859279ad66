package runner_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

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
				s := scenarioFor(t, 2, func(tpl *core.Template) {
					tpl.SLOs = []string{c.slo}
					tpl.Load.Duration = core.Duration(8 * time.Second)
				})
				run := b.runToEnd(t, b.runner(t, "a", nil), s)
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
