package runner_test

import (
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/runner"
)

// showPace is how often a viewer is shown a run at least, in these tests: once
// per second, and one step later.
const showPace = time.Second + testPoll

// awayPause is the pause between two tries of a store that is away.
const awayPause = 100 * time.Millisecond

// viewer looks at what it was shown at any time, like a health address.
type viewer struct {
	newest atomic.Pointer[runner.Observation]
	shown  []runner.Observation
	at     []time.Time
	texts  []string // of shown, at the time
}

func (v *viewer) observe(o runner.Observation) {
	v.newest.Store(&o)
	text, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	v.shown, v.at, v.texts = append(v.shown, o), append(v.at, time.Now()), append(v.texts, string(text))
}

// look reads all of the newest observation, again and again until done: the race
// detector objects if the runner goes on to write in it.
func (v *viewer) look(t *testing.T, done <-chan struct{}) {
	tick := time.NewTicker(3 * testPoll)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		if o := v.newest.Load(); o != nil {
			if _, err := json.Marshal(o); err != nil {
				t.Error(err)
			}
		}
	}
}

// unchanged checks that what was shown still says the same.
func (v *viewer) unchanged(t *testing.T) {
	t.Helper()
	is := is.New(t)
	for i, o := range v.shown {
		text, err := json.Marshal(o)
		is.NoErr(err)
		is.True(string(text) == v.texts[i])
	}
}

// longest is the longest time between two observations.
func (v *viewer) longest() (gap time.Duration) {
	for i := range v.at[1:] {
		gap = max(gap, v.at[i+1].Sub(v.at[i]))
	}
	return gap
}

// observing makes a runner that shows its runs to a viewer who looks all the
// time.
func (b *bench) observing(t *testing.T, change func(*runner.Options)) (*viewer, *runner.Runner) {
	t.Helper()
	v, done, ended := &viewer{}, make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		v.look(t, done)
	}()
	t.Cleanup(func() { close(done); <-ended })
	return v, b.runner(t, "a", func(_ *runner.Ports, o *runner.Options) {
		if change != nil {
			change(o)
		}
		react := o.Observe
		o.Observe = func(ob runner.Observation) {
			v.observe(ob)
			if react != nil {
				react(ob)
			}
		}
	})
}

// A viewer is shown the newest beat of every worker, which belongs to it.
func TestObservedBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		v, r := b.observing(t, nil)
		run := b.runToEnd(t, r, scenarioFor(t, 3, nil))
		is.Equal(run.Status, core.Completed)
		counts, operations := map[string]int64{}, uint64(0)
		for _, o := range v.shown {
			is.Equal(o.StoreTrouble, time.Duration(0))
			if o.Run.Status == core.Running {
				is.Equal(len(o.Beats), 3)
				is.True(len(o.Workers) == 3)
			}
			total := uint64(0)
			for i := range o.Beats {
				beat := &o.Beats[i]
				if beat.Count == 0 { // none yet
					continue
				}
				is.Equal(beat.Key.WorkerID, core.WorkerID(i))
				is.True(beat.Count >= counts[beat.Key.WorkerID])
				counts[beat.Key.WorkerID] = beat.Count
				total += beat.Report.Totals().OK
			}
			is.True(total >= operations) // counters that never fall
			operations = total
		}
		is.Equal(operations, b.made["worker-0"]+b.made["worker-1"]+b.made["worker-2"])
		last := v.shown[len(v.shown)-1]
		is.Equal(last.Run.Status, core.Completed)
		for _, beat := range last.Beats {
			is.Equal(beat.State, core.WorkerCompleted)
		}
		v.unchanged(t)
	})
}

// Without news a viewer is shown the run once per second: one who looks at it
// knows that its loop goes round.
func TestObservedAtLeastOncePerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		v, r := b.observing(t, nil)
		b.create(t, r, scenarioFor(t, 2, func(tpl *core.Template) {
			longLoad(tpl)
			tpl.Limits.OwnerLease, tpl.Limits.WorkerLease = core.Duration(time.Minute), core.Duration(3*time.Minute)
		}))
		d := b.drive(t, r, false) // nobody starts it: there is nothing to do but to keep it
		<-time.After(30 * time.Second)
		is.Equal(v.newest.Load().Run.Status, core.Prepared)
		d.stop <- core.StopRequested{Reason: core.UserRequested, By: "u"}
		_, err := d.wait(t)
		is.NoErr(err)
		is.True(v.longest() <= showPace)
		is.True(len(v.shown) < 40) // and not at every step
	})
}

// StoreTrouble says since when nothing can be committed, and ends with the first
// commit.
func TestObservedStoreTrouble(t *testing.T) {
	for _, hangs := range []time.Duration{0, 300 * time.Millisecond} {
		virtual(t, "calls last "+hangs.String(), func(t *testing.T) {
			is := is.New(t)
			const lease, outageLasts = 10 * time.Second, 5 * time.Second // which the lease forgives
			b, away := newBench(t, nil), &outage{}
			b.hooks.set(away.before, nil)
			var gone, back time.Time
			stop := make(chan core.StopRequested, 1)
			v, r := b.observing(t, func(o *runner.Options) {
				o.Attached = true
				reacting(o, reaction{inPhase(core.Measurement), func() {
					gone = time.Now()
					away.begin(hangs)
					time.AfterFunc(outageLasts, func() { back = time.Now(); away.end() })
					time.AfterFunc(4*outageLasts, func() { stop <- core.StopRequested{Reason: core.UserRequested, By: "u"} })
				}})
			})
			b.create(t, r, scenarioFor(t, 2, func(tpl *core.Template) {
				longLoad(tpl)
				tpl.Limits.OwnerLease, tpl.Limits.WorkerLease = core.Duration(lease), core.Duration(4*lease)
			}))
			run, err := r.Drive(t.Context(), "run", runner.DriveOptions{Start: true, Stop: stop})
			is.NoErr(err)
			b.verify(t, run)
			troubled, longest := 0, time.Duration(0)
			for i, o := range v.shown {
				switch at := v.at[i]; {
				case o.StoreTrouble == 0:
				case at.Before(gone) || !back.IsZero() && at.Sub(back) > 2*hangs+awayPause: // but for the calls under way
					t.Errorf("%s after the outage: trouble for %s", at.Sub(gone), o.StoreTrouble)
				default:
					troubled++
					is.True(o.StoreTrouble <= at.Sub(gone))
					is.True(o.StoreTrouble > longest)
					longest = o.StoreTrouble
				}
			}
			is.True(troubled > 0)
			is.True(v.longest() <= showPace+3*hangs) // the calls of one step
			v.unchanged(t)
		})
	}
}

// A store that stays away is shown as trouble to the end.
func TestObservedStoreTroubleForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b, away := newBench(t, nil), &outage{}
		b.hooks.set(away.before, nil)
		var gone time.Time
		v, r := b.observing(t, func(o *runner.Options) {
			o.Attached, o.StoreRetry = true, 5*time.Second
			o.Spool = (&spool{kept: map[string][]byte{}}).keep
			reacting(o, reaction{inPhase(core.Measurement), func() { gone = time.Now(); away.begin(0) }})
		})
		b.create(t, r, scenarioFor(t, 2, longLoad))
		_, err := r.Drive(t.Context(), "run", runner.DriveOptions{Start: true})
		is.True(errors.As(err, new(*runner.StoreLostError)))
		last := v.shown[len(v.shown)-1]
		is.True(last.Run.Status.Terminal())
		is.True(last.StoreTrouble > v.at[len(v.at)-1].Sub(gone)-testLease)
		is.True(v.longest() <= showPace+awayPause)
		v.unchanged(t)
	})
}
