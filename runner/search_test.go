package runner_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/runner"
)

// searchFor is a search on scripted workers, whose target takes 1 ms for each
// connection that the run has: an objective below n ms and a half bears n of them.
func searchFor(t *testing.T, workers, connections int, objective string) (*bench, core.Scenario) {
	b := newBench(t, map[string]script{})
	s := scenarioFor(t, workers, func(tpl *core.Template) {
		tpl.Load.Mode, tpl.Load.Connections = core.ModeFindConcurrency, connections
		tpl.Load.Duration = core.Duration(10 * time.Minute)
		if objective != "" {
			tpl.SLOs = []string{objective}
		}
	})
	s.Load.Search.Window, s.Load.Search.Settle = core.Duration(4*testInterval), core.Duration(2*testInterval)
	for i := range workers {
		b.scripts[core.WorkerID(i)] = script{target: func(n int, aim core.Aim) (int, time.Duration) {
			return 10 * n, time.Duration(aim.Connections) * time.Millisecond
		}}
	}
	return b, s
}

// stepsOf are the stored steps of the run.
func (b *bench) stepsOf(t *testing.T) []core.ControllerStep {
	t.Helper()
	steps, err := b.store.Steps(context.Background(), "run")
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

// A search finds what the target bears, ends the run in good order, and leaves every
// step.
func TestSearchIsDriven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b, s := searchFor(t, 3, 20, "p95 < 23.5ms")
		run := b.runToEnd(t, b.runner(t, "a", nil), s)
		is.Equal(run.Status, core.Completed)
		is.Equal(run.Reason, core.TargetFound)
		is.True(run.Certificate().Clean)
		is.Equal(run.Search.Good, 23.0)
		is.Equal(run.Search.Missed, 24.0)
		steps := b.stepsOf(t)
		is.Equal(len(steps), len(run.Search.Steps))
		is.Equal(b.count(t, core.EventStep), len(steps)) // each is told
		for i, step := range steps {
			is.Equal(step.Type, core.StepFindMax)
			is.Equal(step.Number, i+1)
			is.Equal(step.ToConnections, int(run.Search.Steps[i].Load))
			is.Equal(step.Workers, 3)
			is.True(step.End.After(step.Start) || i == 0)
			is.True(step.P95 > 0 && step.QPS > 0 && step.Operations > 0)
			is.Equal(step.Outcome == string(core.StepBorne), step.ToConnections <= 23)
			is.Equal(step.StopReason != "", i == len(steps)-1)
			is.Equal(step.P95 > time.Duration(step.ToConnections)*1010*time.Microsecond, false) // of its own load alone
			is.Equal(step.P95 < time.Duration(step.ToConnections)*990*time.Microsecond, false)
			is.Equal(step.QPSVsPrior == nil, i == 0)
			is.True(step.P95VsBaseline != nil)
		}
		parent, _, err := b.store.Rollup(t.Context(), "run")
		is.NoErr(err)
		is.Equal(parent.Search.Kind, core.TrueMax)
		is.Equal(parent.Search.Load, 23.0)
		is.Equal(parent.Search.Windows, 4)
		is.Equal(parent.Search.Borne, 4)
		is.Equal(len(parent.Search.Steps), len(steps))
		is.True(strings.HasPrefix(parent.Search.Sentence, `at most 23 connections: TRUE_MAX. It gave `))
		is.True(strings.HasSuffix(parent.Search.Sentence, `24 connections was missed: "p95 < 23.5ms" was missed with 24ms`))
		is.Equal(parent.Verdict, core.Verdict{Level: core.Valid})
		is.Equal(len(parent.SLOs), 1)
		is.True(parent.SLOs[0].Met) // of the answer
	})
}

// What bounds a search is told.
func TestSearchIsBounded(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*core.Scenario)
		reason core.Reason
		bound  string
		load   float64
	}{
		{"by its connections", func(s *core.Scenario) { s.SLOs = nil; s.Load.Search.Start = 30 }, core.TargetFound, core.BoundConnections, 40},
		{"by its time", func(s *core.Scenario) { s.Load.Duration = core.Duration(1500 * time.Millisecond) }, core.Elapsed, core.BoundTime, 4},
	} {
		virtual(t, tc.name, func(t *testing.T) {
			is := is.New(t)
			b, s := searchFor(t, 2, 20, "p95 < 33.5ms")
			tc.change(&s)
			run := b.runToEnd(t, b.runner(t, "a", nil), s)
			is.Equal(run.Status, core.Completed)
			is.Equal(run.Reason, tc.reason)
			parent, _, err := b.store.Rollup(t.Context(), "run")
			is.NoErr(err)
			is.Equal(parent.Search.Kind, core.BoundedMax)
			is.Equal(parent.Search.Bound, tc.bound)
			is.Equal(parent.Search.Load, tc.load)
			steps := b.stepsOf(t)
			is.Equal(len(parent.Search.Steps), len(steps))
			is.True(steps[len(steps)-1].StopReason != "")
			is.Equal(parent.Verdict, core.Verdict{Level: core.Valid})
		})
	}
}

// Wherever a search is cut off, the last stored step says why it ended: be it one that
// has no window yet.
func TestSearchSaysWhyItEnded(t *testing.T) {
	cutAt := func(steps int) func(runner.Observation) bool {
		return func(o runner.Observation) bool {
			return o.Run.Phase == core.Measurement && len(o.Run.Search.Steps) == steps
		}
	}
	for _, tc := range []struct {
		name  string
		cut   func(runner.Observation) bool
		steps int
	}{
		{"as its load begins", inStatus(core.Running), 1},
		{"in the first step", cutAt(1), 1},
		{"as the third begins", cutAt(3), 3},
	} {
		virtual(t, tc.name, func(t *testing.T) {
			is := is.New(t)
			b, s := searchFor(t, 2, 20, "p95 < 33.5ms")
			run := b.runToEnd(t, b.runner(t, "a", func(_ *runner.Ports, o *runner.Options) {
				reacting(o, reaction{tc.cut, func() { b.mustStop(t, core.StopRequested{Reason: core.UserRequested, By: "u"}) }})
			}), s)
			is.Equal(run.Search.Current().Windows(), 0)
			steps := b.stepsOf(t)
			is.Equal(len(steps), tc.steps)
			for i, step := range steps[:len(steps)-1] {
				is.Equal(step.Number, i+1)
				is.Equal(step.StopReason, "")
			}
			last := steps[len(steps)-1]
			is.Equal(last.StopReason, string(core.UserRequested))
			is.Equal(last.Outcome, string(core.StepUnfinished))
			is.True(!last.Start.IsZero() && !last.End.Before(last.Start))
			is.True(last.Operations == 0 && last.QPSVsPrior == nil && last.P95VsBaseline == nil) // nothing is known of it
		})
	}
}

// An owner that dies in mid-search leaves all that its successor needs: the search
// goes on at its step, and nothing of it is done twice.
func TestSearchIsTakenOver(t *testing.T) {
	for _, after := range []int{1, 2, 4, 6, 9} {
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			b, s := searchFor(t, 3, 20, "p95 < 23.5ms")
			there := make(chan struct{})
			first := b.runner(t, "first", func(_ *runner.Ports, o *runner.Options) {
				reacting(o, reaction{func(o runner.Observation) bool {
					return o.Run.Status == core.Running && len(o.Run.Search.Steps) == after
				}, func() { close(there) }})
			})
			b.create(t, first, s)
			d := b.drive(t, first, true)
			<-there
			d.cancel()
			_, err := d.wait(t)
			is.True(errors.Is(err, context.Canceled))
			left := b.record(t).Run.Search
			second := b.runner(t, "second", nil)
			for {
				run, err := second.Drive(t.Context(), "run", runner.DriveOptions{})
				if errors.Is(err, core.ErrRefused) {
					<-time.After(testPoll)
					continue
				}
				is.NoErr(err)
				b.verify(t, run)
				is.Equal(run.Reason, core.TargetFound)
				is.Equal(run.Search.Good, 23.0)
				is.Equal(run.Search.Missed, 24.0)
				for i := range left.Steps[:len(left.Steps)-1] {
					is.Equal(run.Search.Steps[i], left.Steps[i])
				}
				is.Equal(len(b.stepsOf(t)), len(run.Search.Steps))
				break
			}
			is.Equal(b.count(t, core.EventOwnerChanged), 1)
		})
	}
}

// A window that was committed by an owner whom nobody told of it is not counted
// again.
func TestSearchCountsAWindowOnce(t *testing.T) {
	is := is.New(t)
	_, s := searchFor(t, 1, 20, "p95 < 5ms")
	run := core.NewRun("r", s.Plan())
	run.Status = core.Running
	run.Phase = core.Measurement
	missed := core.SearchWindow{Seconds: 1, Connections: 1, OK: 10, Scheduled: 10, Unmet: "p95"}
	ev := core.WindowMeasured{At: time.Unix(1, 0), Step: 1, Number: 1, Window: missed, Total: missed}
	next, _, err := run.Fold(ev, ev, ev)
	is.NoErr(err)
	is.Equal(next.Search.Current().Missed, 1)
	is.Equal(len(next.Search.Steps), 1)
	is.Equal(run.Search.Current().Missed, 0)
}
