package runner_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
)

func TestDead(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name  string
		run   core.Run
		deads bool
	}{
		{"never started, its owner lives", core.Run{Status: core.Prepared, OwnerLeaseUntil: now}, false},
		{"never started", core.Run{Status: core.Prepared}, true},
		{"started, lease lives", core.Run{Status: core.Running, StartedAt: now, OwnerLeaseUntil: now}, false},
		{"started, lease over", core.Run{Status: core.Running, StartedAt: now, OwnerLeaseUntil: now.Add(-1)}, true},
		{"preflight, lease over", core.Run{Status: core.Prepared, StartedAt: now, OwnerLeaseUntil: now.Add(-1)}, true},
		{"stopping, lease over", core.Run{Status: core.Stopping, StartedAt: now, OwnerLeaseUntil: now.Add(-1)}, true},
		{"ended", core.Run{Status: core.Completed, StartedAt: now}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(runner.Dead(ports.RunRecord{Run: tc.run, CreatedAt: now.Add(-time.Hour), Now: now}), tc.deads)
		})
	}
	t.Run("just created", func(t *testing.T) {
		is := is.New(t)
		is.True(!runner.Dead(ports.RunRecord{Run: core.Run{Status: core.Prepared}, CreatedAt: now.Add(-time.Minute), Now: now}))
	})
}

// A run whose orchestrator died before it could claim it is closed: it was never
// started, so nothing of it is.
func TestCloseOfARunThatNobodyStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		b.create(t, b.runner(t, "first", nil), scenarioFor(t, 2, nil))
		is.True(!runner.Dead(b.record(t)))
		<-time.After(time.Hour)
		is.True(runner.Dead(b.record(t)))
		run, err := b.otherRunner(t, "gc").Close(t.Context(), "run", "its orchestrator died")
		is.NoErr(err)
		b.verify(t, run)
		is.Equal(run.Status, core.Failed)
		is.Equal(run.Detail, "its orchestrator died")
		is.Equal(b.launches(), 0)
		is.Equal(b.hooks.called("Target.Describe"), 0)
	})
}

// Workers that have ended by their leases, because their orchestrator had died,
// ended the load before gc could stop it: so the run says (docs/adr/0016).
func TestCloseAfterTheWorkersEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		first := b.runner(t, "first", func(_ *runner.Ports, o *runner.Options) { reacting(o, reaction{inPhase(core.Measurement), cancel}) })
		b.create(t, first, scenarioFor(t, 2, longLoad))
		_, err := first.Drive(ctx, "run", runner.DriveOptions{Start: true})
		is.True(errors.Is(err, context.Canceled))
		for _, w := range b.record(t).Run.Workers { // each drains, reports and exits
			is.NoErr(b.launcher.Stop(t.Context(), w.Handle, ports.Gentle))
		}
		<-time.After(time.Minute)
		is.Equal(len(b.alive(t)), 0)
		run, err := b.otherRunner(t, "gc").Close(t.Context(), "run", "its orchestrator died")
		is.NoErr(err)
		b.verify(t, run)
		is.Equal(run.Status, core.Failed)
		is.Equal(run.Reason, core.WorkerLost)
		is.True(strings.HasPrefix(run.Detail, "worker-0 ended before the stop"))
		is.Equal(b.count(t, core.EventWorkerLost), 1) // that ended the run
		is.True(run.Certificate().Workers[0].BeforeStop)
		for _, w := range run.Certificate().Workers {
			is.True(w.Reported)
			is.Equal(w.Ending, "drained, reported and exited")
		}
	})
}

// A run whose orchestrator died is closed: its workers stopped, its result
// stored; nothing that the dead one owed is begun.
func TestClose(t *testing.T) {
	for _, tc := range []struct {
		name    string
		died    func(runner.Observation) bool
		scripts map[string]script
		started bool
		failing string
	}{
		{"in PREPARED", inStatus(core.Prepared), nil, false, ""},
		{"in STARTING, before it could launch", inStatus(core.Starting), nil, false, "Launcher.Launch"},
		{"in STARTING", inStatus(core.Starting), map[string]script{"worker-0": {slowStart: 200 * time.Millisecond}}, false, ""},
		{"in MEASUREMENT", inPhase(core.Measurement), nil, true, ""},
		{"in STOPPING", inStatus(core.Stopping), map[string]script{"worker-0": {slowDrain: 700 * time.Millisecond}}, true, ""},
	} {
		virtual(t, tc.name, func(t *testing.T) {
			is := is.New(t)
			b := newBench(t, tc.scripts)
			b.hooks.set(func(_ context.Context, method string, _ int) error { return when(method == tc.failing, unavailable()) }, nil)
			ctx, cancel := context.WithCancel(t.Context())
			first := b.runner(t, "first", func(_ *runner.Ports, o *runner.Options) { reacting(o, reaction{tc.died, cancel}) })
			s := scenarioFor(t, 2, nil)
			b.create(t, first, s)
			_, err := first.Drive(ctx, "run", runner.DriveOptions{Start: true})
			is.True(errors.Is(err, context.Canceled))
			is.True(!runner.Dead(b.record(t)))
			_, err = b.otherRunner(t, "gc").Close(t.Context(), "run", "too early")
			is.True(errors.Is(err, core.ErrRefused))
			launched := b.launches()
			<-time.After(testLease + time.Millisecond)
			is.True(runner.Dead(b.record(t)))

			run, err := b.otherRunner(t, "gc").Close(t.Context(), "run", "its orchestrator died")
			is.NoErr(err)
			b.verify(t, run)
			is.Equal(run.Status, core.Failed)
			is.Equal(run.Reason, core.Guardrail)
			is.Equal(run.Detail, "its orchestrator died")
			is.Equal(b.launches(), launched) // none was launched to be ended
			is.Equal(b.count(t, core.EventStart) == 1, tc.started)
		})
	}
}

// launchOf puts a worker of any run into the launcher.
func launchOf(t *testing.T, l *memory.Launcher, runID, worker string, expires time.Time) {
	t.Helper()
	_, err := l.Launch(t.Context(), ports.WorkerSpec{Key: core.WorkerKey{RunID: runID, WorkerID: worker, Epoch: 1}, ExpiresAt: expires})
	if err != nil {
		t.Fatal(err)
	}
}

// Launches of ended runs are ended and released; of unknown runs only those
// whose time is over; living runs are left alone.
func TestCollectLaunches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		store := memory.NewStore(memory.Options{})
		launcher := memory.NewLauncher(func(ctx context.Context, p *memory.Process) (int, string) {
			if p.Spec().Key.WorkerID == "worker-1" {
				return 0, "" // has ended by itself
			}
			<-ctx.Done()
			return -1, ""
		})
		defer func() { is.NoErr(launcher.Close()) }()
		for _, id := range []string{"ended", "living"} {
			_, err := store.Create(t.Context(), core.NewRun(id, core.Plan{Workers: 2, Connections: 2}), core.Scenario{}, ports.Home{})
			is.NoErr(err)
		}
		_, err := runner.RequestStop(t.Context(), store, "ended", core.StopRequested{})
		is.NoErr(err)
		soon, past := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
		launchOf(t, launcher, "ended", "worker-0", soon)
		launchOf(t, launcher, "ended", "worker-1", soon)
		launchOf(t, launcher, "living", "worker-0", past)
		launchOf(t, launcher, "living", "worker-1", past)
		launchOf(t, launcher, "other store's", "worker-0", soon)
		launchOf(t, launcher, "unknown", "worker-0", past)
		launchOf(t, launcher, "unlabelled", "worker-0", time.Time{})
		synctest.Wait()

		done, err := runner.CollectLaunches(t.Context(), store, launcher)
		is.NoErr(err)
		got := map[string]string{}
		for _, c := range done {
			got[c.RunID+" "+c.WorkerID] = c.Action
			is.True(c.Detail != "")
		}
		is.Equal(got, map[string]string{
			"ended worker-0": "ended", "ended worker-1": "released", "other store's worker-0": "left",
			"unknown worker-0": "ended", "unlabelled worker-0": "left",
		})
		left, err := launcher.List(t.Context(), "")
		is.NoErr(err)
		var keys []string
		for _, l := range left {
			keys = append(keys, l.Key.RunID+" "+l.Key.WorkerID+" "+string(l.State))
		}
		is.Equal(keys, []string{"living worker-0 RUNNING", "living worker-1 GONE", "other store's worker-0 RUNNING", "unlabelled worker-0 RUNNING"})
	})
}

// One launch that does not end keeps none of the others, and the wait for it has
// an end.
func TestCollectLaunchesPastAStubbornOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		for _, id := range []string{"a", "b", "c"} {
			_, err := b.launcher.Launch(t.Context(), ports.WorkerSpec{Key: core.WorkerKey{RunID: id, WorkerID: "worker-0", Epoch: 1}, ExpiresAt: time.Now().Add(-time.Hour)})
			is.NoErr(err)
		}
		stubborn := hookLauncher{Launcher: b.launcher, hooks: b.hooks, stop: func(h core.Handle, _ ports.Force) bool {
			return strings.Contains(string(h.Data), `"run_id":"b"`)
		}}
		began := time.Now()
		done, err := runner.CollectLaunches(t.Context(), b.store, stubborn)
		is.True(errors.Is(err, core.ErrUnavailable))
		is.True(strings.Contains(err.Error(), "worker-0 of run b"))
		is.Equal(len(done), 2)
		is.True(time.Since(began) < time.Minute)
	})
}
