package core

import (
	"testing"
	"time"

	"github.com/matryer/is"
)

// slotOf is one interval of a phase in which n operations were started and ended.
func slotOf(phase Phase, n int) Interval {
	k := KindMetrics{Kind: "K", Counts: Counts{Scheduled: uint64(n), Started: uint64(n), OK: uint64(n)}}
	for range n {
		k.Service.Record(time.Millisecond)
	}
	return Interval{Phase: phase, Seconds: 1, Kinds: []KindMetrics{k}}
}

func (b *Batches) sums() (seconds float64, ok, latencies uint64) {
	for i := range b.list {
		seconds += b.list[i].seconds
		ok += b.list[i].ok
		total := Total(b.list[i].kinds)
		latencies += total.Latency().Count()
	}
	return seconds, ok, latencies
}

func TestBatchesTakeTheMeasurement(t *testing.T) {
	is := is.New(t)
	b := &Batches{}
	late := func(phase Phase) Interval { // began in an earlier slot
		l := slotOf(phase, 1)
		l.Kinds[0].Started = 0
		return l
	}
	b.Add()
	b.Add(slotOf(Warmup, 5))
	is.Equal(b.Len(), 0)
	b.Add(late(Warmup), slotOf(Measurement, 10))
	b.Add(slotOf(Measurement, 0)) // the target hangs, and goes on
	b.Add(slotOf(Measurement, 0))
	b.Add(slotOf(Measurement, 20))
	b.Add(late(Measurement), slotOf(Cooldown, 7))
	b.Add(late(Measurement))
	seconds, ok, latencies := b.sums()
	is.Equal(b.Len(), 4)
	is.Equal(seconds, 4.0)
	is.Equal(ok, uint64(11+20))          // what ended inside, of any phase
	is.Equal(latencies, uint64(10+20+2)) // what belongs to it, whenever it ended
	is.Equal(b.list[1].ok, uint64(0))
}

// TestBatchesAreBounded: of a run of any length there are between half and all of
// the batches, each of as many slots, and nothing is lost.
func TestBatchesAreBounded(t *testing.T) {
	is := is.New(t)
	b := &Batches{}
	for i := range 5000 {
		b.Add(slotOf(Measurement, 1+i%3))
		is.True(b.Len() <= maxBatches)
		is.True(b.Len() >= min(i+1, maxBatches/2))
	}
	_, ok, latencies := b.sums()
	is.Equal(ok, latencies)
	is.Equal(ok, uint64(5000*2-1))
	for i := range b.Len() - 1 {
		is.Equal(b.list[i].seconds, float64(b.slots))
	}
}

func TestPartition(t *testing.T) {
	is := is.New(t)
	b := &Batches{}
	for range 17 {
		b.Add(slotOf(Measurement, 3))
	}
	for n := 1; n <= 17; n++ {
		parts := partition(b.list, n)
		is.Equal(len(parts), n)
		var seconds float64
		for _, p := range parts {
			is.True(p.seconds >= float64(17/n) && p.seconds <= float64((17+n-1)/n))
			is.Equal(float64(p.ok), 3*p.seconds)
			seconds += p.seconds
		}
		is.Equal(seconds, 17.0)
	}
	_, ok, _ := b.sums()
	is.Equal(ok, uint64(17*3)) // untouched
}
