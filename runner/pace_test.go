package runner_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/runner"
)

// What a run costs its store and its launcher, per second, while nothing happens
// but load, and while workers are slow to start.
func TestPace(t *testing.T) {
	for _, tc := range []struct {
		name   string
		poll   time.Duration
		lease  time.Duration
		status core.Status
		most   map[string]float64 // calls per second
	}{
		{"RUNNING on an embedded store", 50 * time.Millisecond, 5 * time.Second, core.Running, map[string]float64{
			"RunStore.Commit": 2, "RunStore.Load": 0, "ResultStore.AppendSnapshots": 2, "ResultStore.WorkerIntervals": 0,
			"WorkerStore.Control": 21, "WorkerStore.Beats": 5, "Launcher.Inspect": 2, "Launcher.List": 0,
		}},
		{"RUNNING on a distant store", time.Second, 20 * time.Second, core.Running, map[string]float64{
			"RunStore.Commit": 1.1, "RunStore.Load": 0, "ResultStore.AppendSnapshots": 1.1, "WorkerStore.Control": 1.1, "WorkerStore.Beats": 1.1, "Launcher.Inspect": 1.1,
		}},
		{"STARTING on a distant store", time.Second, 20 * time.Second, core.Starting, map[string]float64{
			"RunStore.Commit": 0.3, "RunStore.Load": 0, "WorkerStore.Control": 4.1, "WorkerStore.Beats": 4.1, "Launcher.Inspect": 4.1, "Launcher.Launch": 0,
		}},
		{"PREPARED and not started", 50 * time.Millisecond, 5 * time.Second, core.Prepared, map[string]float64{
			"RunStore.Commit": 0.9, "WorkerStore.Control": 21, "WorkerStore.Beats": 0, "Launcher.Inspect": 0,
		}},
	} {
		virtual(t, tc.name, func(t *testing.T) {
			is := is.New(t)
			scripts := map[string]script{}
			if tc.status == core.Starting {
				scripts["worker-0"] = script{mute: true}
			}
			b := newBench(t, scripts)
			s := scenarioFor(t, 3, func(tpl *core.Template) {
				longLoad(tpl)
				tpl.Limits.ControlPoll, tpl.Limits.OwnerLease, tpl.Limits.WorkerLease = core.Duration(tc.poll), core.Duration(tc.lease), core.Duration(3*tc.lease)
				tpl.Limits.StartTimeout = core.Duration(time.Hour)
			})
			s.Load.Interval = core.Duration(time.Second)
			r := b.runner(t, "a", nil)
			b.create(t, r, s)
			d := b.drive(t, r, tc.status != core.Prepared)
			<-time.After(10 * time.Second)
			is.Equal(b.record(t).Run.Status, tc.status)
			before := map[string]int{}
			for method := range tc.most {
				before[method] = b.hooks.called(method)
			}
			const seconds = 100
			<-time.After(seconds * time.Second)
			for method, most := range tc.most {
				rate := float64(b.hooks.called(method)-before[method]) / seconds
				t.Logf("%-28s %6.2f per second", method, rate)
				if rate > most+0.05 { // where the hundred seconds are cut
					t.Errorf("%s: %.2f calls per second, more than %.2f", method, rate, most)
				}
			}
			lease := b.record(t).Run.OwnerLeaseUntil
			is.True(time.Until(lease) > tc.lease/2) // and yet the lease never comes near its end
			d.stop <- core.StopRequested{Reason: core.UserRequested, By: "u"}
			run, err := d.wait(t)
			is.NoErr(err)
			b.verify(t, run)
		})
	}
}

// A viewer is told of changes, not of every step.
func TestObserverIsCalledForChangesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, map[string]script{"worker-0": {mute: true}})
		seen := 0
		r := b.runner(t, "a", func(_ *runner.Ports, o *runner.Options) {
			o.Observe = func(runner.Observation) { seen++ }
		})
		run := b.runToEnd(t, r, scenarioFor(t, 2, nil))
		is.Equal(run.Reason, core.StartTimeout)
		is.True(seen < 60) // two seconds with a beat every 50 ms; there were more than a hundred steps
		t.Logf("%d observations", seen)
	})
}
