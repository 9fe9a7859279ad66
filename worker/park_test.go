package worker

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

// Connections beyond what is asked for are open and start nothing; the same ones
// go on when they are asked for again.
func TestConnectionsBeyondTheTargetPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		tmpl := template(2, 4)
		tmpl.Load.Duration = core.Duration(6 * time.Second)
		f := newFleet(t, tmpl, time.Millisecond)
		sets := []core.LoadSet{{Connections: 3}, {Connections: 8}, {Connections: 0}} // at 1 s, 2 s, 3 s
		run := f.drive(func(r core.Run) bool {
			if since := f.now().Sub(r.Origin); r.Status == core.Running && len(sets) > 0 && since >= time.Duration(4-len(sets))*time.Second {
				sets[0].At = f.now()
				f.update(sets[0])
				sets = sets[1:]
			}
			return false
		})
		f.running.Wait()
		is.Equal(run.Reason, core.Elapsed)
		is.Equal(len(sets), 0)
		parent, _ := f.summary(run)
		is.True(parent.Ledger.Balanced)
		stored, err := f.store.WorkerIntervals(t.Context(), f.runID, -1)
		is.NoErr(err)
		counts := map[float64]uint64{}
		asked := map[float64]int{}
		for _, i := range stored {
			counts[i.Interval.Offset] += core.Total(i.Interval.Kinds).OK
			asked[i.Interval.Offset] += i.Interval.Target
		}
		near := func(offset float64, connections int) {
			t.Helper()
			want := float64(connections) * 1000 // operations of 1 ms
			if got := float64(counts[offset]); got < want-400 || got > want+400 {
				t.Errorf("%v operations in the second that ends at %v, want about %v", got, offset, want)
			}
		}
		near(1, 8)
		near(2, 3)
		near(3, 8)
		near(4, 0)
		is.Equal(counts[5], uint64(0))
		is.Equal(counts[6], uint64(0))
		is.Equal(asked[2], 3)
		is.Equal(asked[5], 0)
	})
}

// A worker that a search asks nothing of yet beats, and tells so in every interval: the
// others' intervals would never be complete without its own.
func TestWorkerOfWhichASearchAsksNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		tmpl := template(2, 4)
		tmpl.Load.Mode, tmpl.Load.Warmup, tmpl.Load.Duration = core.ModeFindConcurrency, 0, core.Duration(time.Minute)
		f := newFleet(t, tmpl, time.Millisecond)
		f.drive(func(r core.Run) bool {
			return r.Status == core.Running && f.now().Sub(r.Origin) > 4500*time.Millisecond
		})
		f.running.Wait()
		stored, err := f.store.WorkerIntervals(t.Context(), f.runID, -1)
		is.NoErr(err)
		made, asked := map[string]map[float64]uint64{"worker-0": {}, "worker-1": {}}, 0
		for _, i := range stored {
			if i.Interval.Offset <= 4 {
				made[i.WorkerID][i.Interval.Offset] += core.Total(i.Interval.Kinds).OK
				asked += i.Interval.Target
			}
		}
		is.Equal(len(made["worker-0"]), 4)
		is.Equal(made["worker-1"], map[float64]uint64{1: 0, 2: 0, 3: 0, 4: 0})
		is.Equal(asked, 4) // one connection, of worker-0, each second
	})
}
