package runner_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/fault"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/runner"
)

// longer is a run of 2 s of measurement, so that faults have time to hit, with a
// processing time that outlasts them.
func longer(tpl *core.Template) {
	tpl.Load.Duration = core.Duration(2 * time.Second)
	tpl.Limits.OwnerLease, tpl.Limits.WorkerLease, tpl.Limits.CancelTimeout = 0, 0, 0 // as they are by default
}

// decorated puts an injector between a runner and everything that it uses.
func (b *bench) decorated(in *fault.Injector) func(*runner.Ports, *runner.Options) {
	return func(p *runner.Ports, _ *runner.Options) {
		store, launcher, target := hookStore{b.store, b.hooks}, hookLauncher{Launcher: b.launcher, hooks: b.hooks}, hookTarget{Target: b.target, hooks: b.hooks}
		*p = runner.FromStore(in.Store(store), in.Launcher(launcher), in.Target(target))
	}
}

// One kind of fault at a time, for many seeds: the run ends as if nothing had
// happened.
func TestRunnerSurvivesOneFault(t *testing.T) {
	first := []int64{1, 2, 3, 4, 5}
	for _, tc := range []struct {
		name  string
		rules []fault.Rule
	}{
		{"Commit conflicts", []fault.Rule{{On: "RunStore.Commit", Fault: fault.Conflict, Probability: 0.4}}},
		{"Commit is done, its reply lost", []fault.Rule{{On: "RunStore.Commit", Fault: fault.FailAfter, Probability: 0.4}}},
		{"Commit fails", []fault.Rule{{On: "RunStore.Commit", Fault: fault.FailBefore, Probability: 0.4}}},
		{"Commit hangs", []fault.Rule{{On: "RunStore.Commit", Fault: fault.Lose, Probability: 0.05, Delay: 200 * time.Millisecond}}},
		{"Commit is slow", []fault.Rule{{On: "RunStore.Commit", Fault: fault.Delay, Probability: 1, Delay: 20 * time.Millisecond, Spread: 50 * time.Millisecond}}},
		{"Load fails", []fault.Rule{{On: "RunStore.Load", Fault: fault.FailBefore, Probability: 0.5}, {On: "RunStore.Commit", Fault: fault.Conflict, Probability: 0.4}}},
		{"the first reads and writes fail", []fault.Rule{{On: "RunStore.Load", Fault: fault.FailBefore, Calls: first}, {On: "RunStore.Commit", Fault: fault.FailAfter, Calls: first}}},
		{"Control fails", []fault.Rule{{On: "WorkerStore.Control", Fault: fault.FailBefore, Probability: 0.6}}},
		{"Beats fail", []fault.Rule{{On: "WorkerStore.Beats", Fault: fault.FailBefore, Probability: 0.6}}},
		{"AppendSnapshots fails", []fault.Rule{{On: "ResultStore.AppendSnapshots", Fault: fault.FailBefore, Probability: 0.6}}},
		{"AppendSnapshots is done, its reply lost", []fault.Rule{{On: "ResultStore.AppendSnapshots", Fault: fault.FailAfter, Probability: 0.6}}},
		{"AppendSnapshots twice", []fault.Rule{{On: "ResultStore.AppendSnapshots", Fault: fault.Duplicate, Probability: 1}}},
		{"the outline fails twice", []fault.Rule{{On: "ResultStore.PutRollup", Fault: fault.FailBefore, Calls: []int64{1, 2}}}},
		{"PutRollup fails twice", []fault.Rule{{On: "ResultStore.PutRollup", Fault: fault.FailBefore, Calls: []int64{3, 4}}}},
		{"PutRollup is done, its reply lost", []fault.Rule{{On: "ResultStore.PutRollup", Fault: fault.FailAfter, Calls: []int64{3, 4}}}},
		{"logs cannot be stored", []fault.Rule{{On: "LogStore.Append", Fault: fault.FailBefore, Probability: 1}, {On: "Launcher.Logs", Fault: fault.FailBefore, Probability: 0.5}}},
		{"the target does not answer at the end", []fault.Rule{{On: "Target.Describe", Fault: fault.Lose, Calls: []int64{2, 3, 4, 5}, Delay: time.Hour}}},
		{"the launcher is flaky", []fault.Rule{{On: "Launcher.Launch", Fault: fault.FailAfter, Probability: 0.3}, {On: "Launcher.Inspect", Fault: fault.FailBefore, Probability: 0.5},
			{On: "Launcher.Release", Fault: fault.FailAfter, Probability: 0.5}, {On: "Launcher.Launch", Fault: fault.Duplicate, Probability: 0.3}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for seed := uint64(1); seed <= 8; seed++ {
				virtual(t, fmt.Sprint(seed), func(t *testing.T) {
					is := is.New(t)
					b := newBench(t, nil)
					in := injector(t, seed, tc.rules...)
					run := b.runToEnd(t, b.runner(t, "a", b.decorated(in)), scenarioFor(t, 2, longer))
					is.Equal(run.Detail, "")
					is.Equal(run.Status, core.Completed)
					if c := run.Certificate(); !c.Clean {
						t.Errorf("certificate: %+v", c)
					}
					is.True(run.EndedAt.Sub(run.StopAt) < 30*time.Second)
				})
			}
		})
	}
}

// mixedFaults are all of them together, at a rate at which a run must still come
// to its end as it should.
func mixedFaults() []fault.Rule {
	return []fault.Rule{
		{On: "RunStore", Fault: fault.FailBefore, Probability: 0.05},
		{On: "RunStore", Fault: fault.FailAfter, Probability: 0.05},
		{On: "RunStore.Commit", Fault: fault.Conflict, Probability: 0.1},
		{On: "WorkerStore", Fault: fault.FailBefore, Probability: 0.05},
		{On: "WorkerStore", Fault: fault.Delay, Probability: 0.05, Delay: time.Millisecond, Spread: 50 * time.Millisecond},
		{On: "WorkerStore.Beat", Fault: fault.Duplicate, Probability: 0.1},
		{On: "ResultStore", Fault: fault.FailBefore, Probability: 0.1},
		{On: "ResultStore", Fault: fault.FailAfter, Probability: 0.1},
		{On: "Launcher.Launch", Fault: fault.FailBefore, Probability: 0.1},
		{On: "Launcher.Launch", Fault: fault.FailAfter, Probability: 0.1},
		{On: "Launcher.Inspect", Fault: fault.FailBefore, Probability: 0.2},
		{On: "Launcher.Release", Fault: fault.FailAfter, Probability: 0.3},
		{On: "Launcher.List", Fault: fault.FailBefore, Probability: 0.3},
		{On: "Launcher.Logs", Fault: fault.FailBefore, Probability: 0.3},
		{On: "Target.Running", Fault: fault.Delay, Probability: 0.5, Delay: time.Millisecond, Spread: 50 * time.Millisecond},
		{On: "Launcher.Launch", Fault: fault.Duplicate, Probability: 0.2},
		{On: "Target.CancelSessions", Fault: fault.FailBefore, Probability: 0.3},
		{On: "LogStore", Fault: fault.FailBefore, Probability: 0.3},
		{On: "RunStore", Fault: fault.Lose, Probability: 0.01, Delay: 300 * time.Millisecond},
	}
}

// Under a mix of faults a run ends in time, with the right status, no interval
// lost or doubled, STOP published once; in every third run somebody stops it, in
// every third a worker crashes.
func TestRunnerSurvivesFaults(t *testing.T) {
	for seed := uint64(1); seed <= 50; seed++ {
		virtual(t, fmt.Sprint(seed), func(t *testing.T) {
			is := is.New(t)
			scripts := map[string]script{}
			if seed%3 == 1 {
				scripts["worker-1"] = script{crash: true}
			}
			b := newBench(t, scripts)
			in := injector(t, seed, mixedFaults()...)
			b.forWork = in.Store(b.store)
			r := b.runner(t, "a", func(p *runner.Ports, o *runner.Options) {
				b.decorated(in)(p, o)
				if seed%3 == 2 {
					reacting(o, reaction{inPhase(core.Measurement), func() {
						b.mustStop(t, core.StopRequested{Reason: core.UserRequested, By: "u"})
					}})
				}
			})
			b.mustCreate(t, r, scenarioFor(t, 3, longer))
			began := time.Now()
			run, err := b.drive(t, r, true).wait(t)
			is.NoErr(err)
			b.verify(t, run)
			is.True(time.Since(began) < 20*time.Second)
			switch seed % 3 {
			case 0:
				is.Equal(run.Detail, "")
				is.Equal(run.Status, core.Completed)
			case 1:
				is.Equal(run.Status, core.Failed)
				is.Equal(run.Reason, core.WorkerLost)
			case 2:
				is.Equal(run.Status, core.Cancelled)
				is.Equal(run.Reason, core.UserRequested)
			}
			hits := int64(0)
			for _, c := range in.Counts() {
				hits += c.Hits
			}
			is.True(hits > 10) // it was no fair-weather run
		})
	}
}

// mustCreate creates the run, whatever the faults.
func (b *bench) mustCreate(t testing.TB, r *runner.Runner, s core.Scenario) {
	t.Helper()
	_, err := r.Create(t.Context(), "run", s)
	for err != nil && !errors.Is(err, core.ErrConflict) {
		_, err = r.Create(t.Context(), "run", s)
	}
}

// mustStop requests a stop past all faults.
func (b *bench) mustStop(t testing.TB, stop core.StopRequested) {
	t.Helper()
	if _, err := runner.RequestStop(context.Background(), b.store, "run", stop); err != nil {
		t.Error(err)
	}
}

// When faults end, the run goes on as if there had been none.
func TestRunnerRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		in := injector(t, 1, fault.Rule{On: "WorkerStore", Fault: fault.FailBefore, Probability: 1}, fault.Rule{On: "ResultStore", Fault: fault.FailBefore, Probability: 1})
		r := b.runner(t, "a", func(p *runner.Ports, o *runner.Options) {
			b.decorated(in)(p, o)
			reacting(o, reaction{inStatus(core.Starting), func() {
				time.AfterFunc(time.Second, in.Heal)
			}})
		})
		run := b.runToEnd(t, r, scenarioFor(t, 2, longer))
		is.Equal(run.Status, core.Completed)
		is.True(run.Certificate().Clean)
	})
}

// An outage of the store that is longer than a worker may be silent, but shorter
// than the owner's lease, makes no worker silent: none of them could speak.
func TestSilenceOfTheStoreIsNotTheWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		away, awayForWork := &outage{}, &outage{} // workers find back a little later
		b.forWork = hookStore{b.store, &hooks{calls: map[string]int{}, before: awayForWork.before}}
		b.hooks.set(away.before, nil)
		r := b.runner(t, "a", func(_ *runner.Ports, o *runner.Options) {
			reacting(o, reaction{inPhase(core.Measurement), func() {
				away.begin(0)
				awayForWork.begin(0)
				time.AfterFunc(3*time.Second, away.end) // 15 intervals
				time.AfterFunc(3300*time.Millisecond, awayForWork.end)
			}})
		})
		s := scenarioFor(t, 2, func(tpl *core.Template) { longer(tpl); tpl.Load.Duration = core.Duration(9 * time.Second) })
		s.Load.Interval = core.Duration(200 * time.Millisecond)
		run := b.runToEnd(t, r, s)
		is.Equal(run.Detail, "")
		is.Equal(run.Status, core.Completed)
		is.Equal(b.count(t, core.EventWorkerLost), 0)
		is.True(run.Certificate().Clean)
	})
}

// A worker that falls silent is noticed although one call in five fails.
func TestSilenceAmongFaults(t *testing.T) {
	for seed := uint64(1); seed <= 5; seed++ {
		virtual(t, fmt.Sprint(seed), func(t *testing.T) {
			is := is.New(t)
			b := newBench(t, map[string]script{"worker-1": {silent: true}})
			in := injector(t, seed, fault.Rule{On: "WorkerStore", Fault: fault.FailBefore, Probability: 0.2}, fault.Rule{On: "RunStore.Commit", Fault: fault.FailBefore, Probability: 0.2})
			run := b.runToEnd(t, b.runner(t, "a", b.decorated(in)), scenarioFor(t, 2, func(tpl *core.Template) { longer(tpl); longLoad(tpl) }))
			is.Equal(run.Reason, core.WorkerLost)
			is.True(run.EndedAt.Sub(run.Origin) < 5*time.Second)
		})
	}
}

// A stop request of a third party survives lost replies and conflicts.
func TestRequestStopUnderFaults(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		virtual(t, fmt.Sprint(seed), func(t *testing.T) {
			is := is.New(t)
			b := newBench(t, nil)
			in := injector(t, seed, fault.Rule{On: "RunStore", Fault: fault.FailBefore, Probability: 0.3},
				fault.Rule{On: "RunStore.Commit", Fault: fault.FailAfter, Probability: 0.3}, fault.Rule{On: "RunStore.Commit", Fault: fault.Conflict, Probability: 0.3})
			r := b.runner(t, "a", func(_ *runner.Ports, o *runner.Options) {
				reacting(o, reaction{inPhase(core.Measurement), func() {
					_, err := runner.RequestStop(context.Background(), in.Store(b.store), "run", core.StopRequested{Reason: core.UserRequested, By: "u"})
					is.NoErr(err)
				}})
			})
			run := b.runToEnd(t, r, scenarioFor(t, 1, longLoad))
			is.Equal(run.Status, core.Cancelled)
			is.Equal(b.count(t, core.EventStopRaised), 0)
		})
	}
	virtual(t, "a store that stays away", func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		b.create(t, b.runner(t, "a", nil), scenarioFor(t, 1, nil))
		in := injector(t, 1, fault.Rule{On: "RunStore", Fault: fault.FailBefore, Probability: 1})
		began := time.Now()
		_, err := runner.RequestStop(t.Context(), in.Store(b.store), "run", core.StopRequested{})
		is.True(errors.Is(err, core.ErrUnavailable))
		is.True(time.Since(began) < time.Minute)
		_, err = b.runner(t, "b", b.decorated(in)).Drive(t.Context(), "run", runner.DriveOptions{})
		is.True(errors.Is(err, core.ErrUnavailable))
		is.True(time.Since(began) < 2*time.Minute)
	})
	virtual(t, "others are always faster", func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		b.create(t, b.runner(t, "a", nil), scenarioFor(t, 1, nil))
		in := injector(t, 1, fault.Rule{On: "RunStore.Commit", Fault: fault.Conflict, Probability: 1})
		_, err := runner.RequestStop(t.Context(), in.Store(b.store), "run", core.StopRequested{})
		is.True(errors.Is(err, core.ErrConflict)) // it gives up
		is.True(in.Counts()[0].Calls < 1000)
	})
}
