package worker

import (
	"runtime/metrics"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// The metrics of the Go runtime that tell what it takes from a load.
var strainMetrics = [...]string{
	"/cpu/classes/total:cpu-seconds", "/cpu/classes/gc/total:cpu-seconds",
	"/sched/pauses/total/gc:seconds", "/sched/latencies:seconds",
	"/cpu/classes/gc/mark/idle:cpu-seconds", // in the total, and taken from nobody
}

// NewStrain returns a reader of what the Go runtime of this process has taken
// from its load since it was last called: Ports.Strain of a worker that has its
// process for itself. A reading costs some microseconds; one goroutine at a time
// may call it. Durations are exact to the buckets of runtime/metrics, an eighth.
func NewStrain() func() core.Strain {
	r := &strainReader{last: time.Now()}
	for i, name := range strainMetrics {
		r.samples[i].Name = name
	}
	r.read()
	return r.read
}

type strainReader struct {
	samples       [len(strainMetrics)]metrics.Sample
	last          time.Time
	cpu, gc, idle float64  // as last read
	pauses, waits []uint64 // counts by bucket, as last read
}

func (r *strainReader) read() (s core.Strain) {
	metrics.Read(r.samples[:])
	now := time.Now()
	s.Seconds, r.last = now.Sub(r.last).Seconds(), now
	s.CPU, r.cpu = since(&r.samples[0], r.cpu)
	s.GCCPU, r.gc = since(&r.samples[1], r.gc)
	idle := 0.0
	idle, r.idle = since(&r.samples[4], r.idle)
	s.GCCPU = max(s.GCCPU-idle, 0)
	r.pauses = bucketsSince(&r.samples[2], r.pauses, &s.Pauses)
	r.waits = bucketsSince(&r.samples[3], r.waits, &s.Waits)
	return s
}

// since is how much more a metric is than it was; 0 for one that this runtime
// does not have.
func since(sample *metrics.Sample, before float64) (more, now float64) {
	if sample.Value.Kind() != metrics.KindFloat64 {
		return 0, 0
	}
	now = sample.Value.Float64()
	return max(now-before, 0), now
}

// bucketsSince records what a metric has counted beyond what it had before, each
// at the middle of its bucket, and returns what it has counted now, in the memory
// of before.
func bucketsSince(sample *metrics.Sample, before []uint64, into *core.Histogram) []uint64 {
	if sample.Value.Kind() != metrics.KindFloat64Histogram {
		return before
	}
	h := sample.Value.Float64Histogram()
	if len(before) != len(h.Counts) {
		before = make([]uint64, len(h.Counts))
	}
	for i, n := range h.Counts {
		if n > before[i] {
			into.RecordN(middle(h.Buckets[i], h.Buckets[i+1]), n-before[i])
		}
	}
	return append(before[:0], h.Counts...)
}

// middle of a bucket whose outer bounds may be infinite.
func middle(lower, upper float64) time.Duration {
	const longest = 1e9 // seconds: far beyond any
	switch {
	case lower < 0:
		lower = 0
	case upper > longest:
		upper = lower
	}
	return time.Duration((lower + max(lower, min(upper, longest))) / 2 * float64(time.Second))
}

// readStrain is what the runtime has taken since it was last asked.
func (c *collector) readStrain() (s core.Strain) {
	if c.strains != nil {
		s = c.strains()
	}
	return s
}

// strained adds what the runtime has taken since the cut before to the
// measurement, if that is what the time since then belongs to. The lock must be
// held.
func (c *collector) strained(s core.Strain) {
	start, end := c.load.schedule.Load().Window(core.Measurement)
	if c.strains == nil || c.lastCut < start || c.lastCut >= end {
		return
	}
	if c.strain == nil {
		c.strain = &core.Strain{}
	}
	c.strain.Merge(&s)
}

// late is how many seconds after the published time this worker began the
// measurement; 0 before that. It had heard of it in time and stood still all the same
// if neither an operation was started nor its beginning seen; operations may come
// rarely, or find their connections busy. The lock must be held.
func (c *collector) late() float64 {
	asked := c.switches[measurement]
	began, end := c.load.schedule.Load().Window(core.Measurement)
	if asked.IsZero() || began >= end {
		return 0
	}
	seen := c.noticed
	if first := time.Duration(c.load.began.Load()); first > 0 {
		seen = min(seen, first)
	}
	return max(c.clock.origin().Add(max(began, seen)).Sub(asked).Seconds(), 0)
}
