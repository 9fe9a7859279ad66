package worker

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// aimed is what a fleet is asked for, one after another: each a whole number of
// seconds after the load's origin.
func aimed(f *fleet, at []time.Duration, sets []core.LoadSet) (func(core.Run) bool, *[]core.Aim) {
	aims := &[]core.Aim{}
	return func(r core.Run) bool {
		if n := len(*aims); r.Status == core.Running && n < len(sets) && f.now().Sub(r.Origin) >= at[n] {
			set := sets[n]
			set.At = f.now()
			*aims = append(*aims, f.update(set).Aim)
		}
		return false
	}, aims
}

// dueAt counts the arrivals of a uniform schedule at that rate within a time.
func dueAt(rate float64, length time.Duration) (n uint64) {
	load := core.ScenarioLoad{Mode: core.ModeQPS, Rate: rate, Workers: 1, Connections: 1, Arrivals: core.ArrivalsUniform}
	a := core.NewArrivals(load, 0, true)
	for next, ok := a.Next(); ok && next.At < length; next, ok = a.Next() {
		n++
	}
	return n
}

// From the moment of an aim on, arrivals come at its rate, every worker makes its
// exact share, and those of the rate before that are not due yet never come.
func TestOpenLoopFollowsItsAims(t *testing.T) {
	for _, workers := range []int{1, 2, 5} {
		for _, arrivals := range []string{core.ArrivalsUniform, core.ArrivalsPoisson} {
			t.Run(fmt.Sprintf("%d workers, %s", workers, arrivals), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					is := is.New(t)
					tmpl := openTemplate(workers, 20/workers, 300)
					tmpl.Load.Arrivals, tmpl.Load.Warmup = arrivals, core.Duration(2*time.Second)
					tmpl.Load.Duration = core.Duration(6 * time.Second)
					f := newFleet(t, tmpl, time.Millisecond)
					rates := []float64{1000, 0.5, 777, 3000}
					var sets []core.LoadSet
					for _, rate := range rates {
						sets = append(sets, core.LoadSet{Connections: 20, Rate: rate})
					}
					follow, aims := aimed(f, []time.Duration{time.Second, 3 * time.Second, 4 * time.Second, 6 * time.Second}, sets)
					run, parent := f.ledger(follow)
					is.Equal(run.Reason, core.Elapsed)
					is.Equal(len(*aims), 4)
					total := core.Total(parent.Kinds)
					is.Equal(total.OK+parent.Warmup.OK, parent.Ledger.Scheduled)
					is.Equal(total.Late, uint64(0))
					measured, end := run.Origin.Add(2*time.Second), run.Origin.Add(8*time.Second)
					at := func(i int) time.Time { return (*aims)[i].At }
					if arrivals == core.ArrivalsUniform {
						is.Equal(parent.Warmup.OK, dueAt(300, at(0).Sub(run.Origin))+dueAt(1000, measured.Sub(at(0))))
						is.Equal(total.OK, dueAt(1000, at(1).Sub(measured))+dueAt(0.5, at(2).Sub(at(1)))+
							dueAt(777, at(3).Sub(at(2)))+dueAt(3000, end.Sub(at(3))))
					} else {
						want := 1000*at(1).Sub(measured).Seconds() + 777*at(3).Sub(at(2)).Seconds() + 3000*end.Sub(at(3)).Seconds()
						is.True(float64(total.OK) > want*0.95 && float64(total.OK) < want*1.05)
					}
				})
			})
		}
	}
}

// An aim for the first workers leaves the others idle, and they come back.
func TestOpenLoopOfTheFirstWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		f := newFleet(t, openTemplate(3, 4, 600), time.Millisecond)
		follow, aims := aimed(f, []time.Duration{time.Second, 2 * time.Second}, []core.LoadSet{{Rate: 600, Workers: 2}, {Rate: 600, Workers: 3}})
		run, parent := f.ledger(follow)
		is.Equal(run.Reason, core.Elapsed)
		is.Equal(core.Total(parent.Kinds).OK, dueAt(600, (*aims)[0].At.Sub(run.Origin))+
			dueAt(600, (*aims)[1].At.Sub((*aims)[0].At))+dueAt(600, run.Origin.Add(3*time.Second).Sub((*aims)[1].At)))
		stored, err := f.store.WorkerIntervals(t.Context(), f.runID, -1)
		is.NoErr(err)
		for _, i := range stored {
			if i.Interval.Offset > 3 { // what ended behind it
				continue
			}
			ok := core.Total(i.Interval.Kinds).OK
			want := []uint64{200, 300, 200}[int(i.Interval.Offset)-1]
			if i.Interval.Offset == 2 && i.WorkerID == "worker-2" {
				want = 20 // until its aim holds
			}
			if ok > want+30 || ok+30 < want {
				t.Errorf("%s made %d operations in the second that ends at %v, want about %d", i.WorkerID, ok, i.Interval.Offset, want)
			}
		}
	})
}

// blindWorkers hides the control state from one worker for a while.
type blindWorkers struct {
	ports.WorkerStore
	blind func(worker string) bool
}

func (b blindWorkers) Control(ctx context.Context, run, worker string) (core.Control, error) {
	if b.blind(worker) {
		return core.Control{}, fmt.Errorf("%w: not now", core.ErrUnavailable)
	}
	return b.WorkerStore.Control(ctx, run, worker)
}

// A worker that reads of an aim late goes on where it stands then: what it has not
// made of it is skipped, and counted; no burst follows.
func TestOpenLoopReadsItsAimLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		f := newFleet(t, openTemplate(2, 4, 100), time.Millisecond)
		var begun atomic.Pointer[time.Time]
		f.workers = blindWorkers{f.store, func(worker string) bool {
			origin := begun.Load()
			if worker != "worker-1" || origin == nil || origin.IsZero() {
				return false
			}
			since := time.Since(*origin)
			return since > 900*time.Millisecond && since < 1900*time.Millisecond
		}}
		follow, aims := aimed(f, []time.Duration{time.Second}, []core.LoadSet{{Rate: 1000}})
		run, parent := f.ledger(func(r core.Run) bool {
			begun.Store(&r.Origin)
			return follow(r)
		})
		is.Equal(run.Reason, core.Elapsed)
		total := core.Total(parent.Kinds)
		late := run.Origin.Add(1900*time.Millisecond).Sub((*aims)[0].At).Seconds() * 500 // its half, for that long
		is.True(float64(total.Skipped) > late-10 && float64(total.Skipped) < late+60)
		is.Equal(total.Late, uint64(0))
		is.Equal(total.Unserved, uint64(0))
		whole := 1000*run.Origin.Add(3*time.Second).Sub((*aims)[0].At).Seconds() - late
		made := float64(total.OK) - 100*(*aims)[0].At.Sub(run.Origin).Seconds() - 50*0.9 // and at its old rate meanwhile
		is.True(made > whole-70 && made < whole+20)
	})
}

// A worker that hears of START late skips what was due before, and counts it: the
// arrivals of all workers are those of the schedule.
func TestOpenLoopReadsStartLate(t *testing.T) {
	for _, warmup := range []time.Duration{0, 500 * time.Millisecond} {
		t.Run(warmup.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				is := is.New(t)
				tmpl := openTemplate(2, 4, 100)
				tmpl.Load.Warmup, tmpl.Load.Duration = core.Duration(warmup), core.Duration(3*time.Second)
				f := newFleet(t, tmpl, time.Millisecond)
				var begun atomic.Pointer[time.Time]
				f.workers = blindWorkers{f.store, func(worker string) bool {
					origin := begun.Load()
					return worker == "worker-1" && (origin == nil || origin.IsZero() || time.Since(*origin) < warmup+time.Second)
				}}
				run, parent := f.ledger(func(r core.Run) bool {
					begun.Store(&r.Origin)
					return false
				})
				is.Equal(run.Reason, core.Elapsed)
				total := core.Total(parent.Kinds)
				is.Equal(total.Scheduled, uint64(300))
				is.True(total.Skipped >= 50 && total.Skipped < 55) // its half, for that long and until it looks
				is.True(strings.Contains(reasonOf(parent.Verdict, core.CauseMissedSchedule), "or the worker heard of it late"))
				is.Equal(total.OK, total.Scheduled-total.Skipped)
				is.Equal(parent.Verdict.Level, core.Degraded)
			})
		})
	}
}

// What is missing is of the connections that are asked for, whatever else is open.
func TestMissingConnections(t *testing.T) {
	is := is.New(t)
	l := &load{sessions: map[int]string{0: "a", 2: "c", 3: "d", 9: "j"}}
	l.schedule.Store(&core.LoadSchedule{Measurement: 10 * time.Second})
	for asked, missing := range []int{0, 0, 1, 1, 1, 2} {
		is.Equal(l.missing(0, asked), missing)
	}
	l.entries = []time.Duration{0, 5 * time.Second, 3 * time.Second, 0} // a ramp's connections are others than the first
	is.Equal(l.missing(12*time.Second, 2), 0)
	is.Equal(l.missing(14*time.Second, 3), 0)
	is.Equal(l.missing(15*time.Second, 4), 1)
	is.Equal(l.missing(15*time.Second, 0), 0) // none is asked for any more
}
