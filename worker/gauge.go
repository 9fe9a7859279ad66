package worker

import "time"

// usageReader reads the CPU that the process has used since it was last called,
// in percent of what it may use, the memory likewise, and its CPU seconds so far.
type usageReader func() (cpuPercent, memoryPercent, cpuSeconds float64)

// unknownUsage is a usageReader that knows nothing.
func unknownUsage() (cpuPercent, memoryPercent, cpuSeconds float64) { return 0, 0, 0 }

// gauge keeps what a worker last read of its usage. Readings come with every cut,
// also a moment after another one; so its CPU is a mean over about an interval at
// least, from the second interval on.
type gauge struct {
	interval   time.Duration
	cpu        float64 // percent
	memory     float64 // percent
	cpuSeconds float64

	at          time.Duration // of the newest reading
	last, young span          // the newest whole interval, and what came after it
}

// span is CPU percent over a time.
type span struct {
	sum float64 // percent × ns
	ns  float64
}

// take takes one reading in.
func (g *gauge) take(now time.Duration, cpu, memory, cpuSeconds float64) {
	g.memory, g.cpuSeconds = memory, cpuSeconds
	since := float64(max(now-g.at, 0))
	g.at = max(g.at, now)
	g.young.sum += cpu * since
	g.young.ns += since
	if g.young.ns >= 0.9*float64(g.interval) { // timers are a little early or late
		g.last, g.young = g.young, span{}
	}
	if ns := g.last.ns + g.young.ns; ns > 0 {
		g.cpu = (g.last.sum + g.young.sum) / ns
	}
}
