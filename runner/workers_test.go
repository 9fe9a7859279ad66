package runner_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
)

// degrade lets the run go on without lost workers, long enough to notice them.
func degrade(tpl *core.Template) {
	tpl.Limits.OnLoss = core.DegradeOnLoss
	tpl.Load.Duration = core.Duration(3 * time.Second)
}

// What becomes of a run when one of its workers does not do as it should.
func TestWorkersThatFail(t *testing.T) {
	other := core.Build{ID: "other", GoVersion: "go2"}
	for _, tc := range []struct {
		name    string
		scripts map[string]script
		change  func(*core.Template)
		status  core.Status
		reason  core.Reason
		details []string // what the run's detail must name
		rung    core.Rung
		lost    int // WORKER_LOST events
		within  time.Duration
	}{
		{"a crash fails the run", map[string]script{"worker-1": {crash: true}}, longLoad,
			core.Failed, core.WorkerLost, []string{"worker-1", "killed by signal 9"}, core.Drain, 1, 2 * time.Second},
		{"a crash degrades the run", map[string]script{"worker-1": {crash: true}}, degrade,
			core.Completed, core.Elapsed, nil, core.Drain, 1, 4 * time.Second},
		{"the last one crashes", map[string]script{"worker-0": {crash: true}, "worker-1": {crash: true}, "worker-2": {crash: true}}, degrade,
			core.Failed, core.WorkerLost, []string{"worker-", "killed by signal 9"}, core.Drain, 3, 2 * time.Second},
		{"a crash while STOPPING", map[string]script{"worker-2": {crashStop: true}}, nil,
			core.Failed, core.Elapsed, []string{"worker-2 ended without its final report", "killed by signal 9"}, core.Drain, 0, 2 * time.Second},
		{"deaf to the store", map[string]script{"worker-0": {deafToRun: true}}, nil,
			core.Completed, core.Elapsed, nil, core.Terminate, 0, 3 * time.Second},
		{"deaf to everything", map[string]script{"worker-0": {deaf: true}}, nil,
			core.Failed, core.Elapsed, []string{"worker-0 ended without its final report"}, core.Kill, 0, 3 * time.Second},
		{"never registers", map[string]script{"worker-1": {mute: true}}, nil,
			core.Failed, core.StartTimeout, []string{"not ready within 2s", "worker-1 (launched)"}, core.Drain, 0, 4 * time.Second},
		{"cannot open its connections", map[string]script{"worker-1": {unfit: true}}, nil,
			core.Failed, core.WorkerLost, []string{"worker-1", "exited with code 4", "no such table: T"}, core.Drain, 1, time.Second},
		{"the first is another build", map[string]script{"worker-0": {build: other}}, nil,
			core.Failed, core.LaunchRefused, []string{"worker-0 is build other (go2), this orchestrator is build test (go1)"}, core.Drain, 0, time.Second},
		{"the last is another build", map[string]script{"worker-2": {build: other}}, nil,
			core.Failed, core.LaunchRefused, []string{"worker-2 is build other (go2), this orchestrator is build test (go1)"}, core.Drain, 0, time.Second},
		{"the last to register is another build", map[string]script{"worker-1": {build: other, slowStart: 100 * time.Millisecond}}, nil,
			core.Failed, core.LaunchRefused, []string{"worker-1 is build other (go2), this orchestrator is build test (go1)"}, core.Drain, 0, time.Second},
		{"silent fails the run", map[string]script{"worker-1": {silent: true}}, longLoad,
			core.Failed, core.WorkerLost, []string{"worker-1 fell silent and was killed", "no beat for"}, core.Drain, 1, 2 * time.Second},
		{"silent degrades the run", map[string]script{"worker-1": {silent: true}}, degrade,
			core.Completed, core.Elapsed, nil, core.Drain, 1, 4 * time.Second},
	} {
		virtual(t, tc.name, func(t *testing.T) {
			is := is.New(t)
			b := newBench(t, tc.scripts)
			run := b.runToEnd(t, b.runner(t, "a", nil), scenarioFor(t, 3, tc.change))
			is.Equal(run.Status, tc.status)
			is.Equal(run.Reason, tc.reason)
			for _, part := range tc.details {
				if !strings.Contains(run.Detail, part) {
					t.Errorf("detail %q does not say %q", run.Detail, part)
				}
			}
			is.True(run.EndedAt.Sub(run.StartedAt) < tc.within)
			c := run.Certificate()
			is.Equal(c.HighestRung, tc.rung)
			if tc.reason != core.LaunchRefused && tc.reason != core.StartTimeout { // there all may have ended as they should
				is.Equal(c.Clean, false)
			}
			is.Equal(c.Orphans, nil)
			is.Equal(b.count(t, core.EventWorkerLost), tc.lost)
			started := b.count(t, core.EventStart)
			if run.Reason == core.LaunchRefused || run.Reason == core.StartTimeout || tc.scripts["worker-1"].unfit {
				is.Equal(started, 0) // no load is made with the wrong workers, or without all connections
			}
			parent, _, err := b.store.Rollup(t.Context(), "run")
			is.NoErr(err)
			is.True(parent.Verdict.Level != core.Valid)
		})
	}
}

// A worker that nothing can end is named, and the run ends without it.
func TestUnkillableWorker(t *testing.T) {
	for _, silent := range []bool{false, true} {
		virtual(t, fmt.Sprintf("silent=%v", silent), func(t *testing.T) {
			is := is.New(t)
			b := newBench(t, map[string]script{"worker-1": {deaf: true, silent: silent}})
			r := b.runner(t, "a", func(p *runner.Ports, _ *runner.Options) {
				p.Launcher = hookLauncher{Launcher: b.launcher, hooks: b.hooks, stop: func(h core.Handle, _ ports.Force) bool {
					return strings.Contains(string(h.Data), "worker-1")
				}}
			})
			run := b.runToEnd(t, r, scenarioFor(t, 2, longWhen(silent)))
			is.Equal(run.Status, core.Failed)
			is.Equal(run.Certificate().Orphans, []string{"worker-1"})
			is.Equal(run.Certificate().Clean, false)
			is.True(strings.Contains(run.Detail, "worker-1"))
			is.Equal(b.alive(t), []string{"worker-1"}) // as the certificate says
		})
	}
}

func longWhen(long bool) func(*core.Template) {
	if long {
		return longLoad
	}
	return nil
}

// A platform that ends the workers and then itself tells nobody: that they have
// ended is known from their own final reports alone, and the run does not idle
// until its time is over.
func TestPlatformEndsWithItsWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		var ended time.Time
		r := b.runner(t, "a", func(_ *runner.Ports, o *runner.Options) {
			reacting(o, reaction{inPhase(core.Measurement), func() {
				launches, err := b.launcher.List(t.Context(), "run")
				is.NoErr(err)
				b.hooks.set(func(_ context.Context, method string, _ int) error {
					return when(strings.HasPrefix(method, "Launcher."), unavailable())
				}, nil)
				for _, l := range launches {
					is.NoErr(b.launcher.Stop(t.Context(), l.Handle, ports.Gentle))
				}
				ended = time.Now()
			}})
		})
		b.create(t, r, scenarioFor(t, 2, longLoad))
		run, err := b.drive(t, r, true).wait(t)
		is.NoErr(err)
		is.Equal(run.Status, core.Failed)
		is.Equal(run.Reason, core.WorkerLost)
		if want := "COMPLETED by its own report"; !strings.Contains(run.Detail, want) {
			t.Errorf("detail %q does not say %q", run.Detail, want)
		}
		is.Equal(run.Certificate().Orphans, []string{"worker-0", "worker-1"}) // their end was never seen
		for _, w := range run.Workers {
			is.True(w.Reported) // nothing that was measured is lost
		}
		is.True(run.EndedAt.Sub(ended) < 10*time.Second)
	})
}

// A gentle stop is asked for once: a second signal means "abandon".
func TestGentleStopOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, map[string]script{"worker-0": {deafToRun: true, slowDrain: 900 * time.Millisecond}})
		gentle := map[string]int{}
		r := b.runner(t, "a", func(p *runner.Ports, _ *runner.Options) {
			p.Launcher = hookLauncher{Launcher: b.launcher, hooks: b.hooks, stop: func(h core.Handle, f ports.Force) bool {
				if f == ports.Gentle {
					gentle[string(h.Data)]++
				}
				return false
			}}
		})
		b.hooks.set(func(_ context.Context, method string, call int) error {
			if method == "Launcher.Stop" && call <= 2 {
				return unavailable() // tried again until it is done
			}
			return nil
		}, nil)
		run := b.runToEnd(t, r, scenarioFor(t, 2, func(tpl *core.Template) { tpl.Limits.TerminateTimeout = core.Duration(10 * time.Second) }))
		is.Equal(run.Status, core.Completed)
		is.Equal(run.Certificate().HighestRung, core.Terminate)
		is.Equal(len(gentle), 1)
		for _, times := range gentle {
			is.Equal(times, 1)
		}
	})
}

// Launches that fail, for good or for a while.
func TestLaunchFaults(t *testing.T) {
	denied := fmt.Errorf("%w: no such image", core.ErrDenied)
	for _, tc := range []struct {
		name     string
		before   func(call int) error
		after    func(call int) error
		status   core.Status
		reason   core.Reason
		detail   string
		launches int // -1: as many as were begun before
	}{
		{"refused for good", func(call int) error { return when(call == 2, denied) }, nil, core.Failed, core.LaunchRefused, "could not be launched: denied: no such image", -1},
		{"refused, but done", nil, func(call int) error { return when(call == 2, denied) }, core.Failed, core.LaunchRefused, "no such image", -1},
		{"unavailable twice", func(call int) error { return when(call == 1 || call == 3, unavailable()) }, nil, core.Completed, core.Elapsed, "", 3},
		{"accepted, but the reply is lost", nil, func(call int) error { return when(call == 2, unavailable()) }, core.Completed, core.Elapsed, "", 3},
		{"never available", func(int) error { return unavailable() }, nil, core.Failed, core.StartTimeout, "worker-1 (launching): unavailable: away", 0},
	} {
		virtual(t, tc.name, func(t *testing.T) {
			is := is.New(t)
			b := newBench(t, nil)
			b.hooks.set(func(_ context.Context, method string, call int) error {
				if method != "Launcher.Launch" || tc.before == nil {
					return nil
				}
				return tc.before(call)
			}, func(method string, call int) error {
				if method != "Launcher.Launch" || tc.after == nil {
					return nil
				}
				return tc.after(call)
			})
			run := b.runToEnd(t, b.runner(t, "a", nil), scenarioFor(t, 3, nil))
			is.Equal(run.Status, tc.status)
			is.Equal(run.Reason, tc.reason)
			if !strings.Contains(run.Detail, tc.detail) {
				t.Errorf("detail %q does not say %q", run.Detail, tc.detail)
			}
			if tc.launches >= 0 {
				is.Equal(b.launches(), tc.launches)
			}
			if run.Status == core.Completed {
				is.True(run.Certificate().Clean)
			}
		})
	}
}

func when(yes bool, err error) error {
	if yes {
		return err
	}
	return nil
}

// A launch that hangs in the platform while the run is stopped is located, and
// what it left is ended.
func TestStopDuringLaunch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		b.hooks.set(nil, nil)
		r := b.runner(t, "a", func(p *runner.Ports, o *runner.Options) {
			p.Launcher = lateLauncher{hookLauncher{Launcher: b.launcher, hooks: b.hooks}}
		})
		b.create(t, r, scenarioFor(t, 2, nil))
		d := b.drive(t, r, true)
		synctest.Wait()
		timer := time.NewTimer(300 * time.Millisecond)
		<-timer.C
		d.stop <- core.StopRequested{Reason: core.UserRequested, By: "u"}
		run, err := d.wait(t)
		is.NoErr(err)
		b.verify(t, run)
		is.Equal(run.Status, core.Cancelled)
		is.Equal(b.launches(), 2) // both were launched after all, found, and ended
		for _, w := range run.Workers {
			is.True(w.Reported)
		}
	})
}

// lateLauncher has accepted a launch long before it says so.
type lateLauncher struct{ hookLauncher }

func (l lateLauncher) Launch(ctx context.Context, spec ports.WorkerSpec) (core.Handle, error) {
	if _, err := l.hookLauncher.Launch(ctx, spec); err != nil {
		return core.Handle{}, err
	}
	<-ctx.Done()
	return core.Handle{}, lost(ctx.Err())
}

// A worker that never told its sessions may still run something on the target:
// that is not known to be nothing.
func TestRunningCountIsNeverGuessed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, map[string]script{"worker-1": {mute: true, deaf: true}})
		run := b.runToEnd(t, b.runner(t, "a", nil), scenarioFor(t, 2, nil))
		is.Equal(run.Reason, core.StartTimeout)
		is.Equal(run.Running.Known, false)
		is.True(strings.Contains(run.Running.Why, "worker-1"))
	})
}

// A worker that ends by itself while the loop cannot read the beats has reported:
// the report is waited for, although the result could be stored without it.
func TestExitSeenBeforeTheReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		var since time.Time
		b.hooks.set(func(_ context.Context, method string, _ int) error {
			if method != "WorkerStore.Beats" || b.record(t).Run.Status != core.Stopping {
				return nil
			}
			if since.IsZero() {
				since = time.Now()
			}
			return when(time.Since(since) < testLease/2, unavailable())
		}, nil)
		run := b.runToEnd(t, b.runner(t, "a", nil), scenarioFor(t, 2, nil))
		is.Equal(run.Status, core.Completed)
		is.True(run.Certificate().Clean)
	})
}
