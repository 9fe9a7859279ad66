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
	Phase       core.Phase `json:"phase"`      // in which most of it was started
	Operations  uint64     `json:"operations"` // that ended in it, however they ended
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
// same offset, since operations of two phases ended in it, are one point, whose
// percentiles are those of their merge.
func PointsOf(rows []ports.IntervalTotal) []Point {
	points := make([]Point, 0, len(rows))
	for from := 0; from < len(rows); {
		to := endOfOffset(rows, from, offsetOfTotal)
		points = append(points, pointOf(rows[from:to]))
		from = to
	}
	return points
}

// pointOf merges the rows of one offset.
func pointOf(rows []ports.IntervalTotal) Point {
	var most uint64
	p := Point{Elapsed: rows[0].Offset}
	for i := range rows {
		r := &rows[i]
		if i == 0 || r.Done >= most {
			most = r.Done
			p.Phase, p.Start = r.Phase, r.Start.UTC()
			p.Connections, p.Target, p.CPU, p.Memory = r.Connections, r.Target, r.CPU, r.Memory
			p.Healthy, p.Stale, p.Lost = r.Healthy, r.Stale, r.Lost
		}
		p.Seconds = max(p.Seconds, r.Seconds)
		p.Operations, p.OK, p.Errors = p.Operations+r.Done, p.OK+r.OK, p.Errors+r.Errors
	}
	p.Aborted = p.Operations - p.OK - p.Errors
	if p.Seconds > 0 {
		p.Throughput = float64(p.OK) / p.Seconds
	}
	l := latencyOf(rows)
	p.Avg, p.P50, p.P95, p.P99, p.Max = milliseconds(l.Avg), milliseconds(l.P50), milliseconds(l.P95), milliseconds(l.P99), milliseconds(l.Max)
	return p
}

func latencyOf(rows []ports.IntervalTotal) ports.Latency {
	if len(rows) == 1 {
		return rows[0].Latency
	}
	var all core.Histogram
	for i := range rows {
		for k := range rows[i].Kinds {
			all.Merge(rows[i].Kinds[k].Latency())
		}
	}
	return ports.LatencyOf(&all)
}

// endOfOffset is behind the last row that ends at the same offset as row from.
func endOfOffset[T any](rows []T, from int, offset func(*T) float64) int {
	to := from + 1
	for to < len(rows) && offset(&rows[to]) == offset(&rows[from]) {
		to++
	}
	return to
}

func offsetOfTotal(t *ports.IntervalTotal) float64  { return t.Offset }
func offsetOfInterval(i *ports.RunInterval) float64 { return i.Offset }

// Series is what a comparison knows of a run's intervals: points to draw, and
// stretches to compare by.
type Series struct {
	Points  []Point
	Batches core.Batches
}

// Add takes in rows that are in order and hold all of the offsets that they are of.
func (s *Series) Add(rows []ports.RunInterval) {
	for from := 0; from < len(rows); {
		to := endOfOffset(rows, from, offsetOfInterval)
		var slot []core.Interval
		var totals []ports.IntervalTotal
		for i := from; i < to; i++ {
			r := &rows[i]
			slot = append(slot, core.Interval{Phase: r.Phase, Start: r.Start, Seconds: r.Seconds, Offset: r.Offset, Kinds: r.Kinds})
			total := r.Total()
			total.Kinds = r.Kinds
			totals = append(totals, total)
		}
		s.Batches.Add(slot...)
		s.Points = append(s.Points, pointOf(totals))
		from = to
	}
}

// ReadSeries reads the intervals of a run from its store, histograms and all.
func ReadSeries(ctx context.Context, results ports.ResultStore, runID string) (*Series, error) {
	s := &Series{Points: []Point{}}
	return s, readPages(ctx, runID, -1, func(ctx context.Context, runID string, after float64) ([]ports.RunInterval, error) {
		return results.Aggregates(ctx, runID, after, pageOfIntervals)
	}, offsetOfInterval, s.Add)
}

// ReadTotals reads the intervals of a run from its store in plain numbers, in order,
// all of them.
func ReadTotals(ctx context.Context, results ports.ResultStore, runID string) ([]ports.IntervalTotal, error) {
	return ReadTotalsAfter(ctx, results, runID, -1)
}

// ReadTotalsAfter is ReadTotals of those that end after an offset in seconds.
func ReadTotalsAfter(ctx context.Context, results ports.ResultStore, runID string, after float64) (list []ports.IntervalTotal, err error) {
	err = readPages(ctx, runID, after, results.Totals, offsetOfTotal, func(page []ports.IntervalTotal) {
		if list == nil {
			list = page
		} else {
			list = append(list, page...)
		}
	})
	return list, err
}

// pageOfIntervals is how many rows Aggregates and Totals return at most.
const pageOfIntervals = 10_000

// readPages reads rows page by page and gives them to take, so that histograms of a
// long run are never held all at once. No page ends within an offset.
func readPages[T any](ctx context.Context, runID string, after float64, read func(context.Context, string, float64) ([]T, error), offset func(*T) float64, take func([]T)) error {
	for {
		rows, err := read(ctx, runID, after)
		if err != nil {
			return err
		}
		full := len(rows) >= pageOfIntervals
		if full { // what of the last offset is beyond the page comes with the next
			last := offset(&rows[len(rows)-1])
			if cut := slices.IndexFunc(rows, func(r T) bool { return offset(&r) == last }); cut > 0 {
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
		after = offset(&rows[len(rows)-1])
	}
}
