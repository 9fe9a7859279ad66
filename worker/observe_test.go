package worker

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/fault"
	"github.com/benchfleet/benchfleet/core"
)

// shown are the observations of one worker. Nothing guards them: they come from
// the goroutine of Run, or the race detector objects.
type shown []Observation

// watched has the only worker of a fleet observed.
func watched(f *fleet) *shown {
	s := &shown{}
	f.observe = func(o Observation) { *s = append(*s, o) }
	return s
}

// check checks what holds of every life, and that nothing was shown after it.
func (s *shown) check(t *testing.T, f *fleet) {
	t.Helper()
	is := is.New(t)
	list := *s
	for i, o := range list {
		is.Equal(o.Key, core.WorkerKey{RunID: f.runID, WorkerID: "worker-0", Epoch: 1})
		is.Equal(o.Interval, f.scenario.Load.Interval.Std())
		is.Equal(o.Lease, f.scenario.Limits.WorkerLease.Std())
		is.True(!o.Read.After(o.At))
		if i == 0 {
			continue
		}
		before := list[i-1]
		is.True(o.At.Sub(before.At) <= o.Interval) // its loop goes round, whatever else does not
		is.True(!o.Read.Before(before.Read))
		is.True(o.Beat.Count >= before.Beat.Count)
	}
	<-time.After(time.Hour)
	is.Equal(len(*s), len(list)) // Run had returned
}

// states are the states that were shown, each once, in order.
func (s *shown) states() (list []core.WorkerState) {
	for _, o := range *s {
		list = append(list, o.Duty.State)
	}
	return slices.Compact(list)
}

func TestObserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		f := newFleet(t, template(1, 4), time.Millisecond)
		seen := watched(f)
		f.drive(nil)
		f.running.Wait()
		is.Equal(seen.states(), []core.WorkerState{
			core.WorkerStarting, core.WorkerReadyNow, core.WorkerRunning, core.WorkerDraining, core.WorkerCompleted,
		})
		first, last := (*seen)[0], (*seen)[len(*seen)-1]
		is.True(first.Beat.Count <= 1) // its registration, at most
		is.True(first.Read.IsZero())   // it has heard nothing yet
		is.True(last.Duty.Exit)
		is.Equal(last.Duty.Code, core.ExitCompleted)
		stored := f.beats()[0]
		is.Equal(last.Beat.State, core.WorkerCompleted)
		is.Equal(last.Beat.Count, stored.Count)
		is.Equal(last.Beat.Report.Totals(), stored.Report.Totals())
		is.True(last.Beat.Report.Totals().OK > 4*2900)
		for _, o := range *seen {
			if o.Duty.State != core.WorkerRunning {
				continue
			}
			is.True(o.At.Sub(o.Read) <= core.WaitingPoll(f.scenario.Limits.ControlPoll.Std())+f.scenario.Limits.ControlPoll.Std())
			is.True(o.Beat.Count > 0)
			is.Equal(o.Beat.Connections, 4)
		}
		seen.check(t, f)
	})
}

// A store that hangs holds up neither the loop nor who looks at it.
func TestObserveWhileTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		tmpl := template(1, 2)
		tmpl.Load.Duration = core.Duration(time.Hour)
		f := newFleet(t, tmpl, time.Millisecond)
		seen := watched(f)
		var calls []int64
		for i := range int64(5000) {
			calls = append(calls, 100+i)
		}
		down, err := fault.New(1,
			fault.Rule{On: "WorkerStore.Control", Fault: fault.Lose, Delay: time.Minute, Calls: calls},
			fault.Rule{On: "WorkerStore.Beat", Fault: fault.Lose, Delay: time.Minute, Calls: append([]int64{5, 6, 7, 8, 9}, calls...)})
		is.NoErr(err)
		f.workers = down.Store(f.store)
		f.drive(func(core.Run) bool { _, ended := f.exit(0); return ended })
		f.running.Wait()
		exit, _ := f.exit(0)
		is.Equal(exit.Code, core.ExitLease)
		last := (*seen)[len(*seen)-1]
		is.Equal(last.Duty.Code, core.ExitLease)
		is.Equal(last.Duty.Cause, exit.Cause)
		heard := slices.IndexFunc(*seen, func(o Observation) bool { return o.Read.Equal(last.Read) })
		silent := (*seen)[heard:] // all of the same, ever older read
		is.True(silent[len(silent)-1].At.Sub(silent[0].At) >= last.Lease)
		is.True(len(silent) >= int(last.Lease/last.Interval))
		seen.check(t, f)
	})
}

// A worker that cannot start has no duty, so there is nothing to show.
func TestObserveNothingOfAWorkerThatCannotStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		f := newFleet(t, template(1, 2), time.Millisecond)
		f.runID = "no such run"
		seen := watched(f)
		is.Equal(f.worker(t.Context(), 0, 1).Code, core.ExitEnvironment)
		is.Equal(len(*seen), 0)
	})
}
