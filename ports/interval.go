package ports

import (
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// IntervalTotal is a RunInterval in plain numbers, of all its kinds together: what
// charts show of it. A store keeps them beside the histograms, and reads them without.
type IntervalTotal struct {
	RunID   string     `json:"run_id"`
	Phase   core.Phase `json:"phase"`
	Offset  float64    `json:"elapsed_seconds"`
	Start   time.Time  `json:"start"`
	Seconds float64    `json:"seconds"`
	Done    uint64     `json:"done"` // however they ended
	OK      uint64     `json:"ok"`
	Errors  uint64     `json:"errors,omitempty"`
	// Latency is of what succeeded, to the nanosecond; zero where nothing did.
	Latency Latency `json:"latency,omitzero"`
	// Failures are its errors by class, sorted; nil where there are none.
	Failures    []core.ErrorCount `json:"failures,omitempty"`
	Connections int               `json:"connections"`
	Target      int               `json:"target"`
	CPU         float64           `json:"cpu"`
	Memory      float64           `json:"memory"`
	Healthy     int               `json:"workers_healthy"`
	Stale       int               `json:"workers_stale"`
	Lost        int               `json:"workers_lost"`
	// Kinds are there only where intervals of several phases end at the same offset:
	// there is no way but histograms to make one of their percentiles.
	Kinds []core.KindMetrics `json:"kinds,omitempty"`
}

// Latency is how long operations took, from their intended start to their end.
type Latency struct {
	Avg time.Duration `json:"avg"`
	P50 time.Duration `json:"p50"`
	P95 time.Duration `json:"p95"`
	P99 time.Duration `json:"p99"`
	Max time.Duration `json:"max"`
}

// Total is the interval in plain numbers, without its kinds.
func (i *RunInterval) Total() IntervalTotal {
	all := core.Total(i.Kinds)
	return IntervalTotal{
		RunID: i.RunID, Phase: i.Phase, Offset: i.Offset, Start: i.Start, Seconds: i.Seconds,
		Done: all.Done(), OK: all.OK, Errors: all.Errors, Latency: LatencyOf(all.Latency()), Failures: all.Failures,
		Connections: i.Connections, Target: i.Target, CPU: i.CPU, Memory: i.Memory,
		Healthy: i.Healthy, Stale: i.Stale, Lost: i.Lost,
	}
}

// LatencyOf is what a histogram says in plain numbers.
func LatencyOf(h *core.Histogram) Latency {
	if h.Count() == 0 {
		return Latency{}
	}
	return Latency{Avg: h.Mean(), P50: h.Quantile(0.5), P95: h.Quantile(0.95), P99: h.Quantile(0.99), Max: h.Max()}
}
