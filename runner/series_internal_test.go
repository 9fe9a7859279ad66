package runner

import (
	"context"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

func beatOf(group int, intervals ...core.Interval) core.Beat {
	return core.Beat{
		Key: core.WorkerKey{RunID: "run", WorkerID: core.WorkerID(group), Epoch: 1}, GroupID: group, Count: 1,
		Report: core.Report{Intervals: intervals},
	}
}

func intervalAt(sequence int64, offset float64, started uint64) core.Interval {
	return core.Interval{Sequence: sequence, Phase: core.Measurement, Offset: offset, Seconds: 1,
		Kinds: []core.KindMetrics{{Kind: core.PointLookup, Counts: core.Counts{Started: started, OK: started}}}}
}

// store appends what is queued, as the driver does.
func store(t *testing.T, s *series, results ports.ResultStore, healthy int) batch {
	t.Helper()
	b := s.take(nil)
	b.health.healthy = healthy
	if err := s.complete(t.Context(), results, &b); err != nil {
		t.Fatal(err)
	}
	if err := results.AppendSnapshots(t.Context(), b.workers, b.aggregates); err != nil {
		t.Fatal(err)
	}
	s.stored(b)
	return b
}

func storeWithRun(t *testing.T) *memory.Store {
	t.Helper()
	m := memory.NewStore(memory.Options{})
	if _, err := m.Create(t.Context(), core.NewRun("run", core.Plan{Workers: 2, Connections: 2}), core.Scenario{}, ports.Home{}); err != nil {
		t.Fatal(err)
	}
	return m
}

// An owner that has just taken over finds in the store what its predecessor has
// stored of the same offset, whatever the offset's last digits are.
func TestSeriesReadsBackASlot(t *testing.T) {
	for _, offset := range []float64{1, 0.1 + 0.2, 12.3456789, 1.0004999, 7.0 / 3} {
		is := is.New(t)
		m := storeWithRun(t)
		before, after := newSeries(2, 0), newSeries(2, time.Minute)
		before.add(beatOf(0, intervalAt(1, offset, 3)), 0)
		store(t, before, m, 2)
		after.add(beatOf(1, intervalAt(1, offset, 4)), 0)
		store(t, after, m, 2)
		rows, err := m.Aggregates(t.Context(), "run", -1)
		is.NoErr(err)
		is.Equal(len(rows), 1)
		total := core.Total(rows[0].Kinds)
		is.Equal(total.Started, uint64(7))
		is.True(after.latest != nil) // both workers are in it
		is.True(before.latest == nil)
	}
}

// What a beat brings again is not queued again, and what is stored leaves the
// queue.
func TestSeriesQueuesOnce(t *testing.T) {
	is := is.New(t)
	m := storeWithRun(t)
	s := newSeries(2, 0)
	s.add(beatOf(0, intervalAt(1, 1, 1), intervalAt(2, 2, 1)), 0)
	s.add(beatOf(0, intervalAt(1, 1, 1), intervalAt(2, 2, 1), intervalAt(3, 3, 1)), 0)
	is.Equal(len(s.unsent), 3)
	b := store(t, s, m, 1)
	is.Equal(b.acknowledged, map[int]int64{0: 3})
	is.Equal(len(s.unsent), 0)
	s.add(beatOf(0, intervalAt(3, 3, 1), intervalAt(4, 4, 1)), 2)
	is.Equal(len(s.unsent), 1)
	is.Equal(s.observed[0].Seconds, 4.0) // each counted once
}

// The newest interval is one that every worker is in, those that have ended
// included: a slot that only the last one made is no picture of the run.
func TestSeriesLatest(t *testing.T) {
	is := is.New(t)
	m := storeWithRun(t)
	s := newSeries(2, 0)
	s.add(beatOf(0, intervalAt(1, 1, 1)), 0)
	s.add(beatOf(1, intervalAt(1, 1, 1)), 0)
	store(t, s, m, 2)
	s.add(beatOf(0, intervalAt(2, 1.2, 1), intervalAt(3, 1.2, 1)), 0) // twice the same worker
	store(t, s, m, 2)
	is.Equal(s.latest.Offset, 1.0)
	s.add(beatOf(1, intervalAt(2, 1.2, 1)), 0)
	store(t, s, m, 2)
	is.Equal(s.latest.Offset, 1.2)

	ended := countHealth([]core.WorkerHealth{{State: core.WorkerCompleted}, {Health: core.Healthy}, {State: core.WorkerRunning}, {Health: core.Stale}, {Health: core.Lost}})
	is.Equal(ended, healthCounts{healthy: 1, stale: 1, lost: 1, ended: 1, completed: map[int]bool{0: true}})
}

// A store that takes no intervals for hours does not fill the memory.
func TestSeriesIsBounded(t *testing.T) {
	is := is.New(t)
	s := newSeries(1, 0)
	const n = maxUnsent + 1000
	for i := int64(1); i <= n; i++ {
		s.add(beatOf(0, core.Interval{Sequence: i, Phase: core.Measurement}), 0)
	}
	is.Equal(len(s.unsent), maxUnsent)
	is.Equal(s.dropped, 1000)
	is.Equal(s.unsent[0].Interval.Sequence, int64(1001))
}

// The window forgets its oldest slots, and reads them back when they are needed
// again.
func TestSeriesWindow(t *testing.T) {
	is := is.New(t)
	m := storeWithRun(t)
	s := newSeries(2, 0)
	for i := range int64(windowOffsets + 10) {
		s.add(beatOf(0, intervalAt(i+1, float64(i+1), 1)), 0)
		store(t, s, m, 1)
	}
	is.Equal(len(s.window), windowOffsets)
	s.add(beatOf(1, intervalAt(1, 1, 5)), 0) // long ago
	store(t, s, m, 1)
	rows, err := m.Aggregates(context.Background(), "run", 0)
	is.NoErr(err)
	total := core.Total(rows[0].Kinds)
	is.Equal(total.Started, uint64(6))
	is.Equal(s.latest.Offset, float64(windowOffsets+10)) // the past is not the newest
}

// Late operations of a phase end at the same offset as the interval of the phase
// after it, which is the one to show.
func TestSeriesShowsTheLaterPhase(t *testing.T) {
	for name, warmupFirst := range map[string]bool{"warm-up first": true, "measurement first": false} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			m, s := storeWithRun(t), newSeries(2, 0)
			late := intervalAt(1, 2, 1)
			late.Phase = core.Warmup
			both := []core.Interval{late, intervalAt(2, 2, 900)}
			if !warmupFirst {
				both[0].Phase, both[1].Phase = core.Measurement, core.Warmup
			}
			s.add(beatOf(0, both...), 0)
			s.add(beatOf(1, both...), 0)
			store(t, s, m, 2)
			is.Equal(s.latest.Phase, core.Measurement)
		})
	}
}
