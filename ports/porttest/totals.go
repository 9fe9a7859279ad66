package porttest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

func totalsOf(t testing.TB, store ports.ResultStore, run string, after float64) []ports.IntervalTotal {
	t.Helper()
	list, err := store.Totals(within(t), run, after)
	must(t, err, "Totals")
	return list
}

// wantTotals are the totals of aggregates, of which those that share an offset with
// others of the run have their kinds.
func wantTotals(aggregates []ports.RunInterval) (want []ports.IntervalTotal) {
	ends := map[float64]int{}
	for _, a := range aggregates {
		ends[a.Offset]++
	}
	for _, a := range aggregates {
		total := a.Total()
		if ends[a.Offset] > 1 {
			total.Kinds = a.Kinds
		}
		want = append(want, total)
	}
	return want
}

// totalsOfAggregates: counts to the last operation, latencies to the nanosecond,
// errors by class, whatever the intervals are like.
func totalsOfAggregates(t testing.TB, h StoreHarness) {
	one, two := h.handles(t)
	create(t, one, "run-1")
	create(t, one, "run-2")
	wantSame(t, totalsOf(t, one, "run-1", -1), nil, "the totals of a new run")

	odds := sampleAggregate("run-1", core.Measurement, 1, 1) // lengths that no power of two divides
	odds.Seconds, odds.Offset = 0.9999997, 1.000001
	many := sampleAggregate("run-1", core.Measurement, 2, 2)
	many.Kinds = []core.KindMetrics{{Kind: core.Insert, Access: core.AccessWrite, Counts: core.Counts{Scheduled: 123_456_789, Started: 123_456_789, OK: 123_456_781, Errors: 7, Aborted: 1},
		Failures: []core.ErrorCount{{Class: "busy", Count: 7, Example: odd}}}}
	many.Kinds[0].Service.RecordN(123_456_789*time.Nanosecond, 123_456_780)
	many.Kinds[0].Service.Record(time.Second) // far beyond the last percentile
	many.Seconds = 1.7320508
	failed := sampleAggregate("run-1", core.Measurement, 3, 3) // nothing succeeded
	failed.Kinds = []core.KindMetrics{
		{Kind: core.Update, Access: core.AccessWrite, Counts: core.Counts{Scheduled: 5, Started: 5, Errors: 5}, Failures: []core.ErrorCount{{Class: "timeout", Count: 2, Example: odd}, {Class: "unique", Count: 3}}},
		{Kind: core.Insert, Access: core.AccessWrite, Counts: core.Counts{Scheduled: 2, Started: 2, Errors: 1, Aborted: 1}, Failures: []core.ErrorCount{{Class: "busy", Count: 1}}},
	}
	idle := sampleAggregate("run-1", core.Measurement, 4, 4)
	idle.Kinds = nil
	instant := sampleAggregate("run-1", core.Measurement, 5, 5) // of no length: what ended after its phase
	instant.Seconds = 0
	warm, measured, cool := sampleAggregate("run-1", core.Warmup, 6, 6), sampleAggregate("run-1", core.Measurement, 6, 7), sampleAggregate("run-1", core.Cooldown, 6, 8)
	all := []ports.RunInterval{odds, many, failed, idle, instant, warm, measured, cool}
	backwards := slices.Clone(all)
	slices.Reverse(backwards)
	foreign := sampleAggregate("run-2", core.Measurement, 1.000001, 9) // shares an offset, and not its run
	must(t, one.AppendSnapshots(within(t), nil, append(backwards, foreign)), "AppendSnapshots")

	for after, from := range map[float64]int{-1: 0, 1: 0, 1.000001: 1, 5: 5, 5.999999: 5, 6: 8} {
		wantSame(t, totalsOf(t, two, "run-1", after), wantTotals(all)[from:], fmt.Sprintf("the totals after %v s", after))
	}
	wantSame(t, totalsOf(t, two, "run-2", -1), wantTotals([]ports.RunInterval{foreign}), "the totals of the other run")
	wantSame(t, totalsOf(t, two, "run-3", -1), nil, "the totals of a run that is not there")

	many = sampleAggregate("run-1", core.Measurement, 2, 20) // it is corrected
	must(t, one.AppendSnapshots(within(t), nil, []ports.RunInterval{many}), "AppendSnapshots")
	all[1] = many
	wantSame(t, totalsOf(t, two, "run-1", -1), wantTotals(all), "the totals after one was corrected")
}

// totalsPages: both reads of intervals end at the same one, so that who reads page by
// page may change from one to the other.
func totalsPages(t testing.TB, h StoreHarness) {
	store := h.open(t)
	create(t, store, "run-1")
	var all []ports.RunInterval
	for n := range 30 {
		for _, phase := range core.LoadPhases()[:1+n%2] {
			a := sampleAggregate("run-1", phase, 0.5*float64(n+1), n)
			a.Kinds = nil
			all = append(all, a)
		}
	}
	must(t, store.AppendSnapshots(within(t), nil, all), "AppendSnapshots")
	for _, after := range []float64{-1, 0, 3, 7.25, 15} {
		var got, want []string
		for _, total := range totalsOf(t, store, "run-1", after) {
			got = append(got, fmt.Sprint(total.Offset, total.Phase))
		}
		for _, a := range aggregatesOf(t, store, "run-1", after) {
			want = append(want, fmt.Sprint(a.Offset, a.Phase))
		}
		wantSame(t, got, want, fmt.Sprintf("the order of totals after %v s", after))
	}
}

// aggregatesPages: as many as were asked for, from the first on; all of a few by default.
func aggregatesPages(t testing.TB, h StoreHarness) {
	store := h.open(t)
	create(t, store, "run-1")
	var all []ports.RunInterval
	for n := range 7 {
		all = append(all, sampleAggregate("run-1", core.Measurement, float64(n+1), n))
	}
	must(t, store.AppendSnapshots(within(t), nil, all), "AppendSnapshots")
	for limit, want := range map[int][]ports.RunInterval{1: all[2:3], 3: all[2:5], 5: all[2:], 6: all[2:], 1_000_000: all[2:], 0: all[2:]} {
		got, err := store.Aggregates(within(t), "run-1", 2, limit)
		must(t, err, "Aggregates")
		wantSame(t, got, want, fmt.Sprintf("at most %d aggregates", limit))
	}
}
