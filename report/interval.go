package report

import (
	"fmt"
	"io"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// IntervalDocument is one interval of a run, all workers together.
type IntervalDocument struct {
	RunID          string         `json:"run_id"`
	Phase          core.Phase     `json:"phase"`
	Start          *time.Time     `json:"start"`
	ElapsedSeconds float64        `json:"elapsed_seconds"` // its end since the load began
	Seconds        float64        `json:"seconds"`
	Total          KindDocument   `json:"total"`
	Kinds          []KindDocument `json:"kinds"`
	Connections    int            `json:"connections"`
	Target         int            `json:"target_connections"`
	CPU            float64        `json:"cpu_percent"`
	Memory         float64        `json:"memory_percent"`
	Healthy        int            `json:"workers_healthy"`
	Stale          int            `json:"workers_stale"`
	Lost           int            `json:"workers_lost"`
}

// IntervalsJSON writes intervals as a list of IntervalDocuments.
func IntervalsJSON(w io.Writer, intervals []ports.RunInterval) error {
	list := []IntervalDocument{}
	for _, i := range intervals {
		list = append(list, intervalDocument(i))
	}
	return writeJSON(w, list)
}

func intervalDocument(i ports.RunInterval) IntervalDocument {
	total := core.Total(i.Kinds)
	d := IntervalDocument{
		RunID: i.RunID, Phase: i.Phase, Start: utc(i.Start), ElapsedSeconds: i.Offset, Seconds: i.Seconds,
		Total: kindDocument(&total, throughput(i)), Kinds: []KindDocument{}, Connections: i.Connections, Target: i.Target,
		CPU: i.CPU, Memory: i.Memory, Healthy: i.Healthy, Stale: i.Stale, Lost: i.Lost,
	}
	for k := range i.Kinds {
		d.Kinds = append(d.Kinds, kindDocument(&i.Kinds[k], core.ThroughputOf(throughput(i), &i.Kinds[k], &total)))
	}
	return d
}

// throughput is what ended in an interval, per second.
func throughput(i ports.RunInterval) float64 {
	if !(i.Seconds > 0) {
		return 0
	}
	total := core.Total(i.Kinds)
	return float64(total.OK) / i.Seconds
}

// IntervalLine writes one interval on one line, for output that is no terminal:
// phase, elapsed and planned time, throughput, latency, errors, workers.
func IntervalLine(w io.Writer, plan core.Plan, i ports.RunInterval, options ...Option) error {
	p := newPage(w, options)
	elapsed := Span(seconds(i.Offset).Round(100 * time.Millisecond))
	if plan.Duration > 0 {
		elapsed += "/" + Span(plan.Warmup+plan.Duration+plan.Cooldown)
	}
	total := core.Total(i.Kinds)
	q := percentiles(total.Latency())
	workers := plural(i.Healthy, "worker") + " healthy"
	if i.Stale > 0 {
		workers += fmt.Sprintf(", %d stale", i.Stale)
	}
	if i.Lost > 0 {
		workers += fmt.Sprintf(", %d lost", i.Lost)
	}
	p.line("%-11s  %9s  %9s op/s  p50 %-6s  p95 %-6s  p99 %-6s  %s  %s",
		Clean(string(i.Phase)), elapsed, Rate(throughput(i)), q[0], q[1], q[2], plural(total.Errors, "error"), workers)
	return p.err
}
