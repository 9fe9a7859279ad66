package report

import (
	"context"
	"slices"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// Point is what charts show of one interval: all that ended in it, all workers
// and phases together. Latencies are in milliseconds, 0 where nothing succeeded.
type Point struct {
	Elapsed     float64    `json:"elapsed_seconds"` // its end since the load began
	Seconds     float64    `json:"seconds"`
	Start       time.Time  `json:"start"`
	Phase       core.Phase `json:"phase"` // in which most of it was started
	Operations  uint64     `json:"operations"`
	OK          uint64     `json:"ok"`
	Errors      uint64     `json:"errors"`
	Aborted     uint64     `json:"aborted"`
	Throughput  float64    `json:"ops_per_second"`
	Avg         float64    `json:"avg_ms"`
	P50         float64    `json:"p50_ms"`
	P95         float64    `json:"p95_ms"`
	P99         float64    `json:"p99_ms"`
	Max         float64    `json:"max_ms"`
	Connections int        `json:"connections"`
	Target      int        `json:"target_connections"`
	CPU         float64    `json:"cpu_percent"`
	Memory      float64    `json:"memory_percent"`
	Healthy     int        `json:"workers_healthy"`
	Stale       int        `json:"workers_stale"`
	Lost        int        `json:"workers_lost"`
}

// PointsOf are the points of intervals that are in order. Rows that end at the
// same offset, since operations of two phases ended in it, are one point.
func PointsOf(intervals []ports.RunInterval) []Point {
	s := Series{Points: []Point{}}
	s.Add(intervals)
	return s.Points
}

// pointOf merges the rows of one offset.
func pointOf(rows []ports.RunInterval) Point {
	var all core.KindMetrics
	var most uint64
	p := Point{Elapsed: rows[0].Offset, Start: rows[0].Start.UTC()}
	for i := range rows {
		r := &rows[i]
		total := core.Total(r.Kinds)
		if i == 0 || total.Started >= most {
			most = total.Started
			p.Phase, p.Start = r.Phase, r.Start.UTC()
			p.Connections, p.Target, p.CPU, p.Memory = r.Connections, r.Target, r.CPU, r.Memory
			p.Healthy, p.Stale, p.Lost = r.Healthy, r.Stale, r.Lost
		}
		p.Seconds = max(p.Seconds, r.Seconds)
		all.Merge(&total)
	}
	p.Operations, p.OK, p.Errors, p.Aborted = all.Started, all.OK, all.Errors, all.Aborted
	if p.Seconds > 0 {
		p.Throughput = float64(p.OK) / p.Seconds
	}
	if l := latencyDocument(all.Latency()); l != nil {
		p.Avg, p.P50, p.P95, p.P99, p.Max = l.Avg, l.P50, l.P95, l.P99, l.Max
	}
	return p
}

// Series is what is read of a run's intervals: points to draw, and stretches to
// compare by.
type Series struct {
	Points  []Point
	Batches core.Batches
}

// Add takes in rows that are in order and hold all of the offsets that they are of.
func (s *Series) Add(rows []ports.RunInterval) {
	for from := 0; from < len(rows); {
		to := from
		var slot []core.Interval
		for ; to < len(rows) && rows[to].Offset == rows[from].Offset; to++ {
			r := &rows[to]
			slot = append(slot, core.Interval{Phase: r.Phase, Start: r.Start, Seconds: r.Seconds, Offset: r.Offset, Kinds: r.Kinds})
		}
		s.Batches.Add(slot...)
		s.Points = append(s.Points, pointOf(rows[from:to]))
		from = to
	}
}

// ReadSeries reads the intervals of a run from its store.
func ReadSeries(ctx context.Context, results ports.ResultStore, runID string) (*Series, error) {
	s := &Series{Points: []Point{}}
	return s, ReadIntervals(ctx, results, runID, s.Add)
}

// pageOfIntervals is how many rows Aggregates returns at most.
const pageOfIntervals = 10_000

// ReadIntervals reads the aggregate intervals of a run from its store, in order,
// and gives them to take in pages, so that those of a long run are never held all
// at once. No page ends within an offset.
func ReadIntervals(ctx context.Context, results ports.ResultStore, runID string, take func([]ports.RunInterval)) error {
	after := -1.0
	for {
		rows, err := results.Aggregates(ctx, runID, after)
		if err != nil {
			return err
		}
		full := len(rows) >= pageOfIntervals
		if full { // what of the last offset is beyond the page comes with the next
			last := rows[len(rows)-1].Offset
			if cut := slices.IndexFunc(rows, func(r ports.RunInterval) bool { return r.Offset == last }); cut > 0 {
				rows = rows[:cut]
			}
		}
		if len(rows) == 0 {
			return nil
		}
		take(rows)
		if !full {
			return nil
		}
		after = rows[len(rows)-1].Offset
	}
}
