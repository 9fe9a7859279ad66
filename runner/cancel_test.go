package runner_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/runner"
)

// Whenever its context ends, Drive returns at once with nothing of it left
// behind, and a successor brings the run to the end that it would have had.
func TestContextEnds(t *testing.T) {
	for _, tc := range []struct {
		name    string
		when    func(runner.Observation) bool
		scripts map[string]script
		change  func(*core.Template)
		stop    bool // somebody stops the run before
		hang    string
		end     core.Status
	}{
		{name: "PREPARED", when: inStatus(core.Prepared), end: core.Completed},
		{name: "PREPARED, a check hangs", when: inStatus(core.Prepared), hang: "Target.Describe", end: core.Completed},
		{name: "STARTING", when: inStatus(core.Starting), end: core.Completed},
		{name: "STARTING, a launch hangs", when: inStatus(core.Starting), hang: "Launcher.Launch", end: core.Completed},
		{name: "STARTING, workers wait", when: allLaunched, scripts: map[string]script{"worker-1": {slowStart: time.Second}}, end: core.Completed},
		{name: "WARMUP", when: inPhase(core.Warmup), change: func(tpl *core.Template) { tpl.Load.Warmup = core.Duration(2 * time.Second) }, end: core.Completed},
		{name: "MEASUREMENT", when: inPhase(core.Measurement), end: core.Completed},
		{name: "STOPPING", when: inStatus(core.Stopping), scripts: map[string]script{"worker-0": {slowDrain: 900 * time.Millisecond}}, end: core.Completed},
		{name: "CANCELLING", when: inStatus(core.Cancelling), scripts: map[string]script{"worker-0": {deaf: true}}, stop: true, end: core.Cancelled},
		{name: "PROCESSING, the target hangs", when: inProcessing, hang: "Target.Running", end: core.Completed},
		{name: "PROCESSING, the result hangs", when: inProcessing, hang: "ResultStore.PutRollup", end: core.Completed},
		{name: "PROCESSING, the release hangs", when: inProcessing, hang: "Launcher.Release", end: core.Completed},
	} {
		virtual(t, tc.name, func(t *testing.T) {
			is := is.New(t)
			b := newBench(t, tc.scripts)
			if tc.hang != "" {
				b.hooks.set(hangIn(tc.hang), nil)
			}
			ctx, cancel := context.WithCancel(t.Context())
			var ended time.Time
			first := b.runner(t, "first", func(_ *runner.Ports, o *runner.Options) {
				reacting(o, reaction{func(ob runner.Observation) bool { return tc.stop && inPhase(core.Measurement)(ob) }, func() {
					b.mustStop(t, core.StopRequested{Reason: core.UserRequested, By: "u"})
				}}, reaction{tc.when, func() {
					ended = time.Now()
					time.AfterFunc(time.Millisecond, cancel) // when effects are under way
				}})
			})
			b.create(t, first, scenarioFor(t, 2, tc.change))
			run, err := first.Drive(ctx, "run", runner.DriveOptions{Start: true})
			is.True(errors.Is(err, context.Canceled))
			is.True(!run.Status.Terminal())
			is.True(time.Since(ended) < 20*time.Millisecond)
			is.Equal(b.hooks.inFlight.Load(), int64(0))

			<-time.After(testLease + time.Millisecond)
			run, err = b.otherRunner(t, "second").Drive(t.Context(), "run", runner.DriveOptions{Start: true})
			is.NoErr(err)
			b.verify(t, run)
			is.Equal(run.Detail, "")
			is.Equal(run.Status, tc.end)
			is.Equal(b.count(t, core.EventOwnerChanged), 1)
			is.Equal(b.launches(), 2)
		})
	}
}

func inProcessing(o runner.Observation) bool { return o.Run.Phase == core.Processing }

// A context that has ended already drives nothing.
func TestContextThatHasEnded(t *testing.T) {
	is := is.New(t)
	b := newBench(t, nil)
	r := b.runner(t, "a", nil)
	b.create(t, r, scenarioFor(t, 1, nil))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.Drive(ctx, "run", runner.DriveOptions{Start: true})
	is.True(errors.Is(err, context.Canceled))
	is.Equal(b.record(t).Run.Owner, "")
	_, err = runner.RequestStop(ctx, b.store, "run", core.StopRequested{})
	is.True(errors.Is(err, context.Canceled))
}
