package runner_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
)

// stopMoment is a moment of a run's life at which somebody asks for its end.
type stopMoment struct {
	name    string
	when    func(runner.Observation) bool
	scripts map[string]script
	change  func(*core.Template)
	hang    string // a method that does not answer
	end     core.Status
	stops   int // STOP events
	raised  int // STOP_RAISED events
	by      string
	race    bool // whether a launch was faster than the stop is open, and so whether there is a report
}

const anybody = "*"

func allLaunched(o runner.Observation) bool {
	return o.Run.Status == core.Starting && !slices.ContainsFunc(o.Run.Workers, func(w core.WorkerRecord) bool { return w.Life == core.Launching })
}

func longWarmup(tpl *core.Template) { tpl.Load.Warmup = core.Duration(time.Minute) }

func stopMoments() []stopMoment {
	slow := map[string]script{"worker-1": {slowDrain: 300 * time.Millisecond}}
	return []stopMoment{
		{name: "PREPARED during a slow preflight", when: inStatus(core.Prepared), hang: "Target.Describe", end: core.Cancelled, by: "u"},
		{name: "STARTING, before anything is launched", when: inStatus(core.Starting), end: core.Cancelled, stops: 1, by: "u", race: true},
		{name: "STARTING, a worker is slow", when: allLaunched, scripts: map[string]script{"worker-1": {slowStart: 500 * time.Millisecond}},
			end: core.Cancelled, stops: 1, by: "u"},
		{name: "STARTING, a worker never registers", when: allLaunched, scripts: map[string]script{"worker-1": {mute: true}},
			end: core.Cancelled, stops: 1, by: "u"},
		{name: "WARMUP", when: inPhase(core.Warmup), change: longWarmup, end: core.Cancelled, stops: 1, by: "u"},
		{name: "MEASUREMENT", when: inPhase(core.Measurement), change: longLoad, end: core.Cancelled, stops: 1, by: "u"},
		{name: "STOPPING", when: inStatus(core.Stopping), scripts: slow, end: core.Cancelled, stops: 1, raised: 1, by: anybody},
		{name: "CANCELLING", when: inStatus(core.Cancelling), scripts: slow, change: longLoad, end: core.Cancelled, stops: 1, by: "first"},
	}
}

// A user's stop works in every status, by whatever way it comes, and how often.
func TestUserStop(t *testing.T) {
	for _, m := range stopMoments() {
		virtual(t, m.name+"/in the store", func(t *testing.T) { stopAt(t, m, false) })
		virtual(t, m.name+"/by the orchestrator's own channel", func(t *testing.T) { stopAt(t, m, true) })
	}
}

func stopAt(t *testing.T, m stopMoment, own bool) {
	is := is.New(t)
	b := newBench(t, m.scripts)
	if m.hang != "" {
		b.hooks.set(hangIn(m.hang), nil)
	}
	stop := make(chan core.StopRequested, 8)
	request := func(by string) {
		asked := core.StopRequested{Reason: core.UserRequested, By: by, Detail: "enough"}
		if own {
			stop <- asked
		} else if _, err := runner.RequestStop(context.Background(), b.store, "run", asked); err != nil {
			t.Error(err)
		}
	}
	r := b.runner(t, "a", func(_ *runner.Ports, o *runner.Options) {
		first := reaction{inPhase(core.Measurement), func() {
			if m.by == "first" { // somebody else has stopped it already
				request("first")
			}
		}}
		reacting(o, first, reaction{m.when, func() { request("u"); request("u") }})
	})
	b.create(t, r, scenarioFor(t, 3, m.change))
	began := time.Now()
	run, err := r.Drive(t.Context(), "run", runner.DriveOptions{Start: true, Stop: stop})
	is.NoErr(err)
	b.verify(t, run)
	is.Equal(run.Status, m.end)
	is.Equal(run.Reason, core.UserRequested)
	is.Equal(run.Detail, "enough")
	is.Equal(b.count(t, core.EventStop), m.stops)
	is.Equal(b.count(t, core.EventStopRaised), m.raised)
	is.True(time.Since(began) < 3*time.Second)
	is.True(!run.StopAt.IsZero())
	c := run.Certificate()
	if m.by != anybody {
		is.Equal(c.RequestedBy, m.by)
	}
	is.Equal(c.Orphans, nil)
	if m.stops == 0 {
		is.Equal(b.launches(), 0)
		is.Equal(c.HighestRung, core.NotStopping)
		return
	}
	is.Equal(c.HighestRung, core.Drain)
	is.True(c.Target.Known)
	is.True(c.Clean || m.race)
	is.True(c.Stages.WorkersGone != nil)
}

// unplaced is a launcher whose platform has no room: it accepts launches and runs
// none, and what is stopped before it runs is gone.
type unplaced struct{ ports.Launcher }

func (l unplaced) Inspect(ctx context.Context, handles []core.Handle) ([]ports.WorkerStatus, error) {
	states, err := l.Launcher.Inspect(ctx, handles)
	for i := range states {
		if states[i].State == ports.LaunchRunning {
			states[i] = ports.WorkerStatus{State: ports.LaunchPending, Cause: "no room"}
		}
	}
	return states, err
}

func (l unplaced) Stop(ctx context.Context, h core.Handle, _ ports.Force) error {
	return l.Launcher.Stop(ctx, h, ports.Hard)
}

// What the platform has not run yet has nothing to drain: the rungs for those who
// work hold nobody up.
func TestStopOfWhatNeverRan(t *testing.T) {
	virtual(t, "stop", func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, map[string]script{"worker-0": {slowStart: time.Hour}, "worker-1": {slowStart: time.Hour}})
		stop := make(chan core.StopRequested, 1)
		r := b.runner(t, "a", func(p *runner.Ports, o *runner.Options) {
			p.Launcher = unplaced{p.Launcher}
			reacting(o, reaction{allLaunched, func() { stop <- core.StopRequested{Reason: core.UserRequested, By: "u"} }})
		})
		b.create(t, r, scenarioFor(t, 2, nil))
		began := time.Now()
		run, err := r.Drive(t.Context(), "run", runner.DriveOptions{Start: true, Stop: stop})
		is.NoErr(err)
		is.Equal(run.Status, core.Cancelled)
		is.Equal(run.Certificate().HighestRung, core.Drain)
		is.True(time.Since(began) < 3*time.Second)
	})
}

// hangIn makes one method wait for the end of its context.
func hangIn(method string) func(context.Context, string, int) error {
	return func(ctx context.Context, called string, _ int) error {
		if called != method {
			return nil
		}
		<-ctx.Done()
		return lost(ctx.Err())
	}
}

// A run that was never started is cancelled without anybody driving it, and
// while somebody waits to drive it.
func TestUserStopBeforeTheStart(t *testing.T) {
	virtual(t, "nobody drives", func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		r := b.runner(t, "a", nil)
		b.create(t, r, scenarioFor(t, 2, nil))
		run, err := runner.RequestStop(t.Context(), b.store, "run", core.StopRequested{Reason: core.UserRequested, By: "u"})
		is.NoErr(err)
		is.Equal(run.Status, core.Cancelled)
		again, err := runner.RequestStop(t.Context(), b.store, "run", core.StopRequested{Reason: core.Guardrail, By: "v"})
		is.NoErr(err) // granted already
		is.Equal(again.Reason, core.UserRequested)
		is.Equal(b.record(t).Version, int64(2))
		driven, err := r.Drive(t.Context(), "run", runner.DriveOptions{Start: true})
		is.NoErr(err)
		b.verify(t, driven)
		is.Equal(driven.Status, core.Cancelled)
		is.Equal(b.launches(), 0)
	})
	virtual(t, "somebody waits to drive it", func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		owned := make(chan struct{})
		r := b.runner(t, "a", func(_ *runner.Ports, o *runner.Options) {
			reacting(o, reaction{inStatus(core.Prepared), func() { close(owned) }})
		})
		b.create(t, r, scenarioFor(t, 2, nil))
		d := b.drive(t, r, false)
		<-owned
		_, err := runner.RequestStop(t.Context(), b.store, "run", core.StopRequested{Reason: core.UserRequested, By: "u"})
		is.NoErr(err)
		run, err := d.wait(t)
		is.NoErr(err)
		b.verify(t, run)
		is.Equal(run.Status, core.Cancelled)
		is.Equal(b.launches(), 0)
		is.Equal(b.hooks.called("Target.Describe"), 0) // no preflight was made
	})
}

// A request that is there before the first step comes before any command: a
// collector must not launch the workers that a dead orchestrator owed.
func TestStopBeforeTheFirstCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		r := b.runner(t, "a", nil)
		b.create(t, r, scenarioFor(t, 2, nil))
		stop := make(chan core.StopRequested, 1)
		stop <- core.StopRequested{Reason: core.UserRequested, By: "u"}
		run, err := r.Drive(t.Context(), "run", runner.DriveOptions{Start: true, Stop: stop})
		is.NoErr(err)
		is.Equal(run.Status, core.Cancelled)
		is.Equal(b.hooks.called("Target.Describe"), 0)
		is.Equal(b.launches(), 0)
	})
}

// A closed channel asks for nothing.
func TestClosedStopChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		r := b.runner(t, "a", nil)
		b.create(t, r, scenarioFor(t, 1, nil))
		stop := make(chan core.StopRequested)
		close(stop)
		run, err := r.Drive(t.Context(), "run", runner.DriveOptions{Start: true, Stop: stop})
		is.NoErr(err)
		b.verify(t, run)
		is.Equal(run.Status, core.Completed)
		is.True(b.hooks.called("WorkerStore.Control") < 200) // nor does it make the loop spin
	})
}

// A kill goes straight to the hard end.
func TestUserKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, map[string]script{"worker-0": {deaf: true}})
		stop := make(chan core.StopRequested, 2)
		r := b.runner(t, "a", func(_ *runner.Ports, o *runner.Options) {
			reacting(o, reaction{inPhase(core.Measurement), func() {
				stop <- core.StopRequested{Reason: core.UserRequested, By: "u"}
				stop <- core.StopRequested{Reason: core.UserRequested, By: "u", Rung: core.Kill}
			}})
		})
		b.create(t, r, scenarioFor(t, 2, longLoad))
		run, err := r.Drive(t.Context(), "run", runner.DriveOptions{Start: true, Stop: stop})
		is.NoErr(err)
		b.verify(t, run)
		is.Equal(run.Status, core.Cancelled)
		is.Equal(run.Certificate().HighestRung, core.Kill)
		is.True(run.EndedAt.Sub(run.StopAt) < 200*time.Millisecond)
		is.Equal(b.count(t, core.EventStop), 1)
		is.Equal(b.count(t, core.EventStopRaised), 1)
	})
}

// A stop that comes when everything is gone and the result is being stored, or
// is stored already, must not leave a result that says otherwise than the run.
func TestStopDuringProcessing(t *testing.T) {
	for _, at := range []string{"Target.Running", "ResultStore.PutRollup", "Launcher.Release"} {
		for _, moment := range []string{"before", "after"} {
			virtual(t, moment+" "+at, func(t *testing.T) {
				is := is.New(t)
				b := newBench(t, nil)
				stop := func() {
					if _, err := runner.RequestStop(context.Background(), b.store, "run", core.StopRequested{Reason: core.UserRequested, By: "u"}); err != nil {
						t.Error(err)
					}
				}
				before := func(_ context.Context, method string, call int) error {
					if moment == "before" && method == at && call == 1 {
						stop()
					}
					return nil
				}
				after := func(method string, call int) error {
					if moment == "after" && method == at && call == 1 {
						stop()
					}
					return nil
				}
				b.hooks.set(before, after)
				run := b.runToEnd(t, b.runner(t, "a", nil), scenarioFor(t, 2, nil)) // compares result and run
				is.Equal(run.Status, core.Cancelled)
				is.Equal(b.count(t, core.EventStopRaised), 1)
			})
		}
	}
}

// A platform that is away when everything else is over holds the run up for a
// moment and no longer: gc frees what is left.
func TestReleaseOfAPlatformThatIsAway(t *testing.T) {
	virtual(t, "", func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		b.hooks.set(func(_ context.Context, method string, _ int) error {
			if method == "Launcher.Release" {
				return fmt.Errorf("%w: the platform is away", core.ErrUnavailable)
			}
			return nil
		}, nil)
		r := b.runner(t, "a", nil)
		b.create(t, r, scenarioFor(t, 2, nil))
		run, err := b.drive(t, r, true).wait(t)
		is.NoErr(err)
		is.Equal(run.Status, core.Completed)
		late := run.EndedAt.Sub(run.GoneAt)
		is.True(late >= 5*time.Second && late < 10*time.Second) // and not the minute that a result may take
	})
}
