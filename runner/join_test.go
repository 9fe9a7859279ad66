package runner_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

// A search that begins with one worker launches others when a step needs them; they
// join the running load, and every window is of all of them.
func TestWorkersJoinASearch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b, s := searchFor(t, 3, 20, "p95 < 23.5ms")
		s.Load.Initial = 1
		run := b.runToEnd(t, b.runner(t, "a", nil), s)
		is.Equal(run.Status, core.Completed)
		is.Equal(run.Reason, core.TargetFound)
		is.Equal(run.Search.Good, 23.0)
		is.Equal(run.Asked(), 2) // 32 connections were tried, 20 of each worker
		is.Equal(run.Workers[2].Life, core.Planned)
		is.Equal(run.Unjoined, "")
		is.True(!run.Workers[1].Since.IsZero())
		c := run.Certificate()
		is.Equal(len(c.Workers), 2)
		is.True(c.Clean)
		is.Equal(b.count(t, core.EventWorkerAdded), 2)
		for _, step := range b.stepsOf(t) {
			if step.Outcome == string(core.StepBorne) {
				is.True(step.ToConnections <= 23)
			}
		}
		parent, children, err := b.store.Rollup(t.Context(), "run")
		is.NoErr(err)
		is.Equal(len(children), 2)
		is.Equal(parent.Search.Load, 23.0)
	})
}

// A worker of another build cannot join: it is ended and named. The search, whose
// step cannot be made then, fails.
func TestAWorkerOfAnotherBuildCannotJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b, s := searchFor(t, 3, 20, "p95 < 23.5ms")
		s.Load.Initial = 1
		odd := b.scripts["worker-1"]
		odd.build = core.Build{ID: "odd", GoVersion: "go1"}
		b.scripts["worker-1"] = odd
		run := b.runToEnd(t, b.runner(t, "a", nil), s)
		is.Equal(run.Status, core.Failed)
		is.Equal(run.Reason, core.Guardrail)
		is.True(strings.HasPrefix(run.Unjoined, "worker-1 could not join the load: worker-1 is build odd"))
		is.True(strings.Contains(run.Detail, run.Unjoined))
		is.Equal(run.Workers[2].Life, core.Planned)
		is.Equal(run.Workers[1].Life, core.Gone)
		parent, _, err := b.store.Rollup(t.Context(), run.ID)
		is.NoErr(err)
		is.True(slices.Contains(parent.Verdict.Causes, core.CauseUnjoined))
	})
}
