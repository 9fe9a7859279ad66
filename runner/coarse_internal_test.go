package runner

import (
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

var origin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// measuredIn is the interval that ends after so many seconds: n operations of
// n milliseconds each, with parts and failures.
func measuredIn(second int64, n uint64) core.Interval {
	k := core.KindMetrics{Kind: core.PointLookup, Access: core.AccessRead,
		Counts:     core.Counts{Scheduled: n + 1, Started: n + 1, OK: n, Errors: 1, Rows: 2 * n},
		Response:   &core.Histogram{},
		Statements: core.NewStatementMetrics(1),
		Failures:   []core.ErrorCount{{Class: "timeout", Count: 1}},
	}
	for range n {
		k.Service.Record(time.Duration(n) * time.Millisecond)
		k.Response.Record(time.Duration(2*n) * time.Millisecond)
		k.Statements[1].Service.Record(time.Duration(n) * time.Millisecond)
	}
	return core.Interval{Sequence: second, Phase: core.Measurement, Start: origin.Add(time.Duration(second-1) * time.Second), Seconds: 1,
		Offset: float64(second), Kinds: []core.KindMetrics{k}, Connections: 1, Target: 1}
}

// coarseOf merges intervals as a worker does.
func coarseOf(list ...core.Interval) core.Interval {
	sum := list[len(list)-1]
	sum.Coarse, sum.Start, sum.Seconds, sum.Kinds = true, list[0].Start, 0, nil
	for _, i := range list {
		sum.Seconds += i.Seconds
		sum.Kinds = core.MergeKinds(sum.Kinds, i.Kinds)
	}
	return sum
}

// A successor finds intervals stored one by one that a coarse one of the same
// worker holds as well: every operation is counted once, in the rows of the
// worker as in those of the run.
func TestSeriesCountsWhatIsInACoarseIntervalOnce(t *testing.T) {
	first, second, third := measuredIn(1, 10), measuredIn(2, 20), measuredIn(3, 30)
	all := coarseOf(first, second, third)
	for _, tc := range []struct {
		name          string
		stored, later []core.Interval // by the predecessor; in the first beat that the successor reads
		merged        uint64          // operations in the coarse interval as it is stored
		errors        uint64
	}{
		{"nothing was stored", nil, []core.Interval{all}, 63, 3},
		{"the first was stored", []core.Interval{first}, []core.Interval{all}, 52, 2},
		{"the first two were", []core.Interval{first, second}, []core.Interval{all}, 31, 1},
		{"one before it was", []core.Interval{first}, []core.Interval{coarseOf(second, third)}, 52, 2},
		{"a shorter coarse one was", []core.Interval{coarseOf(first, second)}, []core.Interval{all}, 31, 1},
		{"all was stored, and is there anew", []core.Interval{all}, []core.Interval{all}, 63, 3},
		{"they wait to be stored as well", nil, []core.Interval{first, second, all}, 31, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			m := storeWithRun(t)
			before, after := newSeries(2, 0), newSeries(2, time.Minute)
			if len(tc.stored) > 0 {
				before.add(beatOf(0, tc.stored...), 0)
				before.add(beatOf(1, measuredIn(1, 5)), 0) // of another worker
				store(t, before, m, 2)
			}
			after.add(beatOf(0, tc.later...), 0)
			if after.unsent != nil {
				store(t, after, m, 2)
			}
			own, others := sumOf(t, m), uint64(0)
			is.Equal(own, uint64(63)) // 10 + 20 + 30, and an error in each
			if len(tc.stored) > 0 {
				others = 6
			}
			rows, err := m.Aggregates(t.Context(), "run", -1, 0)
			is.NoErr(err)
			sum := uint64(0)
			for i := range rows {
				total := core.Total(rows[i].Kinds)
				sum += total.Started
			}
			is.Equal(sum, own+others)
			checkCoarse(t, m, tc.merged, tc.errors)
		})
	}
}

// sumOf sums the stored operations of worker-0.
func sumOf(t *testing.T, results ports.ResultStore) (sum uint64) {
	t.Helper()
	for _, w := range storedOf(t, results) {
		total := core.Total(w.Interval.Kinds)
		sum += total.Started
	}
	return sum
}

func storedOf(t *testing.T, results ports.ResultStore) (list []ports.WorkerInterval) {
	t.Helper()
	stored, err := results.WorkerIntervals(t.Context(), "run", -1)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range stored {
		if w.GroupID == 0 {
			list = append(list, w)
		}
	}
	return list
}

// checkCoarse: the newest stored interval holds so much, in each of its parts,
// and nothing of what is stored beside it.
func checkCoarse(t *testing.T, results ports.ResultStore, started, errors uint64) {
	t.Helper()
	is := is.New(t)
	list := storedOf(t, results)
	newest := list[len(list)-1].Interval
	is.True(newest.Coarse)
	k := &newest.Kinds[0]
	is.Equal(k.Counts, core.Counts{Scheduled: started, Started: started, OK: started - errors, Errors: errors, Rows: 2 * (started - errors)})
	is.Equal(k.Service.Count(), started-errors)
	is.Equal(k.Response.Count(), started-errors)
	is.Equal(k.Statements[1].Service.Count(), started-errors)
	is.Equal(k.Failures, []core.ErrorCount{{Class: "timeout", Count: errors}})
	is.Equal(k.Service.Quantile(1).Round(time.Millisecond), 30*time.Millisecond)
	is.Equal(newest.Seconds, float64(errors)) // one error in each second
	is.Equal(newest.Start, origin.Add(time.Duration(3-errors)*time.Second))
	if errors == 1 {
		is.Equal(k.Service.Quantile(0).Round(time.Millisecond), 30*time.Millisecond)
	}
}
