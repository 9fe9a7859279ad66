package runner

import (
	"context"
	"math"
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
		rows, err := m.Aggregates(t.Context(), "run", -1, 0)
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
	is.Equal(ended, healthCounts{healthy: 1, stale: 1, lost: 1, ended: []int{0}, completed: map[int]bool{0: true}})
}

// A worker that ended in order while the others go on is in no interval from then on, and
// what they make is looked at all the same.
func TestSeriesOfAWorkerThatHasEnded(t *testing.T) {
	is := is.New(t)
	m := storeWithRun(t)
	s := newSeries(2, 0)
	step := func(health ...core.WorkerHealth) {
		t.Helper()
		b := s.take(health)
		is.NoErr(s.complete(t.Context(), m, &b))
		s.stored(b)
	}
	healthy, ended := core.WorkerHealth{Health: core.Healthy}, core.WorkerHealth{State: core.WorkerCompleted}
	s.add(beatOf(0, intervalAt(1, 1, 1)), 0)
	s.add(beatOf(1, intervalAt(1, 1, 1)), 0)
	step(healthy, healthy)
	s.add(beatOf(0, intervalAt(2, 2, 1)), 0) // its last
	step(ended, healthy)
	is.Equal(s.latest.Offset, 1.0) // the other one is in that as well
	for offset := 2.0; offset <= 4; offset++ {
		s.add(beatOf(1, intervalAt(int64(offset), offset, 1)), 0)
		step(ended, healthy)
		is.Equal(s.latest.Offset, offset)
	}
	is.Equal(len(s.fresh), 4)
}

// While a worker is STALE the others' intervals are shown, and nothing is decided upon
// them: it may make load all the same.
func TestSeriesOfAStaleWorker(t *testing.T) {
	is := is.New(t)
	m := storeWithRun(t)
	s := newSeries(2, 0)
	s.add(beatOf(0, intervalAt(1, 1, 1)), 0)
	one := s.take([]core.WorkerHealth{{Health: core.Healthy}, {Health: core.Stale}})
	is.NoErr(s.complete(t.Context(), m, &one))
	s.stored(one)
	is.Equal(s.latest.Offset, 1.0)
	is.Equal(len(s.fresh), 0)
	s.add(beatOf(0, intervalAt(2, 2, 1)), 0)
	s.add(beatOf(1, intervalAt(1, 1, 1), intervalAt(2, 2, 1)), 0)
	store(t, s, m, 2)
	is.Equal(len(s.fresh), 1)
	is.Equal(s.fresh[0].Offset, 2.0)
}

// On a host that workers share, what all of them use of it counts too: of its own share
// each may be far from its bounds, or be full while the host is not.
func TestSeriesOfASharedHost(t *testing.T) {
	used := func(sequence int64, cpu float64, share float64) core.Interval {
		i := intervalAt(sequence, float64(sequence), 1)
		i.Seconds, i.CPU, i.Memory, i.Share = 1, cpu, cpu/2, core.HostShare{CPU: share, Memory: share}
		return i
	}
	for name, c := range map[string]struct {
		shared        bool
		cpu, share    float64
		host, busiest float64
	}{
		"subprocesses":               {true, 33, 0, 99, 33},
		"containers with few cores":  {true, 100, 0.1, 30, 100},
		"workers with their own":     {false, 33, 0, 0, 33},
		"containers far apart, full": {false, 100, 0.1, 0, 100},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			m := storeWithRun(t)
			s := newSeries(3, 0)
			s.shared, s.watched = c.shared, true
			for worker := range 3 {
				s.add(beatOf(worker, used(1, c.cpu, c.share)), 0)
			}
			last := s.usage[2]
			is.Equal([]float64{last.CPU, last.Memory}, []float64{c.cpu, c.cpu / 2})
			is.Equal([]float64{float64(int(last.HostCPU + 0.5)), float64(int(2*last.HostMemory + 0.5))}, []float64{c.host, c.host})
			store(t, s, m, 3)
			is.Equal([]float64{float64(int(s.fresh[0].HostCPU + 0.5)), s.fresh[0].BusiestCPU}, []float64{c.host, c.busiest})
			for n := int64(2); n < 5; n++ { // two have ended
				s.add(beatOf(0, used(n, c.cpu, c.share)), 0)
			}
			is.Equal(float64(int(s.usage[len(s.usage)-1].HostCPU*3+0.5)), c.host)
		})
	}
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
	rows, err := m.Aggregates(context.Background(), "run", 0, 0)
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

// An interval that a worker cut late is longer than the others. Those that follow are as
// long as ever, and looked at; what is a few operations behind a phase is not.
func TestSeriesGoesOnAfterALongInterval(t *testing.T) {
	is := is.New(t)
	m := storeWithRun(t)
	s := newSeries(1, 0)
	s.nominal = 1
	var fresh []float64
	for i, seconds := range []float64{1, 4, 0.00005, 1, 1, 0.3, 1} {
		interval := intervalAt(int64(i+1), float64(10*(i+1)), 1)
		interval.Seconds = seconds
		s.add(beatOf(0, interval), 0)
		store(t, s, m, 1)
		for _, f := range s.fresh {
			fresh = append(fresh, f.Seconds)
		}
		s.fresh = nil
	}
	is.Equal(fresh, []float64{1, 4, 1, 1, 1})
}

// A worker that cuts an interval late has made more in it, and less in the next one: the
// rows have the rate of all workers, and last as long as the time that went by.
func TestSeriesWithLateCuts(t *testing.T) {
	for name, lengths := range map[string][][3]float64{ // of three workers, slot after slot
		"on time":         {{1, 1, 1}, {1, 1, 1}},
		"one is late":     {{1.2, 1, 1}, {0.8, 1, 1}},
		"all are late":    {{1.2, 1.1, 1.25}, {0.8, 0.9, 0.75}},
		"one reports ten": {{10, 1, 1}}, // the others have reported nine before
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			m := storeWithRun(t)
			s := newSeries(3, 0)
			for i, of := range lengths {
				sum := 0.0
				for worker, seconds := range of {
					interval := intervalAt(int64(i+1), float64(i+1), uint64(1000*seconds+0.5))
					interval.Seconds = seconds
					sum += seconds
					s.add(beatOf(worker, interval), 0)
				}
				store(t, s, m, 3)
				is.Equal(s.latest.Offset, float64(i+1))
				is.True(math.Abs(s.latest.Seconds-sum/3) < 1e-9)
				rate := float64(core.Total(s.latest.Kinds).OK) / s.latest.Seconds
				is.True(math.Abs(rate-3000) < 1e-6)
			}
		})
	}
}
