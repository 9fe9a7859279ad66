package sqlstore

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// Limits of what one call returns.
const (
	maxAggregates     = 10000
	defaultExecutions = 100
	maxExecutions     = 10000
)

// micros is an offset as it is compared: seconds as a float would not do.
func micros(seconds float64) int64 { return int64(math.Round(seconds * 1e6)) }

// seconds is a float as a duration.
func seconds(s float64) time.Duration { return time.Duration(math.Round(s * 1e9)) }

// childTestID is the TEST_ID of a worker's row in TEST_RESULTS.
func childTestID(runID, workerID string) string { return runID + "/" + workerID }

// requireRuns refuses rows for a run that is not there.
func (s *Store) requireRuns(ctx context.Context, q sqlx.QueryerContext, runIDs []string) error {
	for _, runID := range runIDs {
		found, err := s.runExists(ctx, q, runID)
		if err != nil {
			return err
		}
		if !found {
			return s.notFound("run %q", runID)
		}
	}
	return nil
}

// AppendSnapshots stores intervals of workers, of which the first stays, and
// aggregates, of which the last stays. The intervals come first: of aggregates that
// were lost with their writer, the next one is made of what is stored.
//
// Where the key of intervals is not enforced, an owner and one that does not know
// yet that it is none may store an interval twice; it is read once.
func (s *Store) AppendSnapshots(ctx context.Context, workers []ports.WorkerInterval, aggregates []ports.RunInterval) error {
	runs := map[string]bool{}
	var workerRows, aggregateRows []row
	for i := range workers {
		runs[workers[i].RunID] = true
		r, err := s.workerIntervalRow(&workers[i])
		if err != nil {
			return err
		}
		workerRows = append(workerRows, r)
	}
	for i := range aggregates {
		runs[aggregates[i].RunID] = true
		r, err := s.aggregateRow(&aggregates[i])
		if err != nil {
			return err
		}
		aggregateRows = append(aggregateRows, r)
	}
	if len(runs) == 0 {
		return nil
	}
	first := table{name: "WORKER_METRICS_SNAPSHOTS", key: []string{"RUN_ID", "WORKER_ID", "SEQUENCE"}}
	last := table{name: "METRICS_SNAPSHOTS", key: []string{"RUN_ID", "OFFSET_MICROS", "PHASE"}}
	if len(aggregateRows) > 0 {
		last.update = except(aggregateRows[0].columns, last.key...)
	}
	return s.appendBatches(ctx, "storing snapshots", runs, batch{first, workerRows}, batch{last, aggregateRows})
}

func (s *Store) workerIntervalRow(w *ports.WorkerInterval) (row, error) {
	i := &w.Interval
	var r row
	r.set("RUN_ID", w.RunID)
	r.set("WORKER_ID", w.WorkerID)
	r.set("SEQUENCE", i.Sequence)
	r.set("TEST_ID", childTestID(w.RunID, w.WorkerID))
	r.set("WORKER_GROUP_ID", w.GroupID)
	r.set("COARSE", flag(i.Coarse))
	total := core.Total(i.Kinds)
	histogram, err := total.Latency().MarshalText()
	if err != nil {
		return r, s.invalid("a histogram cannot be stored: %v", err)
	}
	r.set("HISTOGRAM", string(histogram))
	return r, s.setInterval(&r, interval{
		phase: i.Phase, start: i.Start, seconds: i.Seconds, offset: i.Offset, kinds: i.Kinds,
		connections: i.Connections, target: i.Target, cpu: i.CPU, memory: i.Memory,
	}, &total)
}

func (s *Store) aggregateRow(a *ports.RunInterval) (row, error) {
	var r row
	r.set("RUN_ID", a.RunID)
	r.set("OFFSET_MICROS", micros(a.Offset))
	r.set("PHASE", string(a.Phase))
	r.set("WORKERS_HEALTHY", a.Healthy)
	r.set("WORKERS_STALE", a.Stale)
	r.set("WORKERS_LOST", a.Lost)
	total := core.Total(a.Kinds)
	return r, s.setInterval(&r, interval{
		phase: a.Phase, start: a.Start, seconds: a.Seconds, offset: a.Offset, kinds: a.Kinds,
		connections: a.Connections, target: a.Target, cpu: a.CPU, memory: a.Memory,
	}, &total)
}

// interval is what both snapshot tables hold.
type interval struct {
	phase           core.Phase
	start           time.Time
	seconds, offset float64
	kinds           []core.KindMetrics
	connections     int
	target          int
	cpu, memory     float64
}

func (s *Store) setInterval(r *row, i interval, total *core.KindMetrics) error {
	if len(r.columns) < 3 || r.columns[2] != "PHASE" { // not part of the key
		r.set("PHASE", string(i.phase))
		r.set("OFFSET_MICROS", micros(i.offset))
	}
	end := i.start
	if !end.IsZero() {
		end = end.Add(seconds(i.seconds))
	}
	r.set("TIMESTAMP", s.stamp(end))
	r.set("INTERVAL_START", s.stamp(i.start))
	r.set("INTERVAL_SECONDS", i.seconds)
	r.set("ELAPSED_SECONDS", i.offset)
	reads, writes := byAccess(i.kinds)
	r.set("TOTAL_QUERIES", int64(total.Done()))
	r.set("READ_COUNT", int64(reads.Done()))
	r.set("WRITE_COUNT", int64(writes.Done()))
	r.set("ERROR_COUNT", int64(total.Errors))
	r.set("QPS", perSecond(total.OK, i.seconds))
	latenciesOf(total.Latency()).set(r)
	r.set("ACTIVE_CONNECTIONS", i.connections)
	r.set("TARGET_CONNECTIONS", i.target)
	r.set("CPU_PERCENT", i.cpu)
	r.set("MEMORY_PERCENT", i.memory)
	kinds, err := s.encode("the kinds of an interval", i.kinds)
	r.set("KINDS", kinds)
	return err
}

// latencies are in milliseconds; nil when nothing was recorded.
type latencies struct {
	mean, p50, p90, p95, p99, p999, least, most any
}

func latenciesOf(h *core.Histogram) latencies {
	if h.Count() == 0 {
		return latencies{}
	}
	return latencies{
		mean: milliseconds(h.Mean()), least: milliseconds(h.Min()), most: milliseconds(h.Max()),
		p50: milliseconds(h.Quantile(0.5)), p90: milliseconds(h.Quantile(0.9)), p95: milliseconds(h.Quantile(0.95)),
		p99: milliseconds(h.Quantile(0.99)), p999: milliseconds(h.Quantile(0.999)),
	}
}

// set adds the latency columns that every table with latencies has.
func (l latencies) set(r *row) {
	r.set("AVG_LATENCY_MS", l.mean)
	r.set("P50_LATENCY_MS", l.p50)
	r.set("P95_LATENCY_MS", l.p95)
	r.set("P99_LATENCY_MS", l.p99)
	r.set("MIN_LATENCY_MS", l.least)
	r.set("MAX_LATENCY_MS", l.most)
}

func perSecond(n uint64, seconds float64) float64 {
	if seconds <= 0 {
		return 0
	}
	return float64(n) / seconds
}

// flag is a truth as it is stored.
func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// intervalRow reads back either snapshot table.
type intervalRow struct {
	RunID       string     `db:"RUN_ID"`
	WorkerID    string     `db:"WORKER_ID"`
	GroupID     int        `db:"WORKER_GROUP_ID"`
	Sequence    int64      `db:"SEQUENCE"`
	Phase       core.Phase `db:"PHASE"`
	Start       instant    `db:"INTERVAL_START"`
	Seconds     float64    `db:"INTERVAL_SECONDS"`
	Offset      float64    `db:"ELAPSED_SECONDS"`
	Connections int        `db:"ACTIVE_CONNECTIONS"`
	Target      int        `db:"TARGET_CONNECTIONS"`
	CPU         float64    `db:"CPU_PERCENT"`
	Memory      float64    `db:"MEMORY_PERCENT"`
	Coarse      int        `db:"COARSE"`
	Healthy     int        `db:"WORKERS_HEALTHY"`
	Stale       int        `db:"WORKERS_STALE"`
	Lost        int        `db:"WORKERS_LOST"`
	Kinds       *string    `db:"KINDS"`
}

const intervalColumns = "RUN_ID, PHASE, INTERVAL_START, INTERVAL_SECONDS, ELAPSED_SECONDS, ACTIVE_CONNECTIONS, TARGET_CONNECTIONS, CPU_PERCENT, MEMORY_PERCENT, KINDS"

// Aggregates returns aggregate intervals by offset; of one offset, by phase in
// the order of a run.
func (s *Store) Aggregates(ctx context.Context, runID string, after float64, limit int) (list []ports.RunInterval, err error) {
	if limit <= 0 || limit > maxAggregates {
		limit = maxAggregates
	}
	err = s.wrap(ctx, "reading intervals of run "+runID, func() error {
		list, err = s.intervals(ctx, runID, " AND OFFSET_MICROS > ?"+intervalOrder(limit), micros(after))
		return err
	})
	inOrderOfPhases(list, func(i *ports.RunInterval) (float64, core.Phase) { return i.Offset, i.Phase })
	return list, err
}

// intervals are those of a run that a condition holds of.
func (s *Store) intervals(ctx context.Context, runID, condition string, args ...any) (list []ports.RunInterval, err error) {
	query := "SELECT " + intervalColumns + ", WORKERS_HEALTHY, WORKERS_STALE, WORKERS_LOST FROM " + s.d.Table("METRICS_SNAPSHOTS") + " WHERE RUN_ID = ?" + condition
	var rows []intervalRow
	if err := sqlx.SelectContext(ctx, s.read, &rows, s.read.Rebind(query), append([]any{runID}, args...)...); err != nil {
		return nil, err
	}
	for i := range rows {
		a, err := s.aggregate(&rows[i])
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}

func (s *Store) aggregate(r *intervalRow) (ports.RunInterval, error) {
	a := ports.RunInterval{
		RunID: r.RunID, Phase: r.Phase, Offset: r.Offset, Start: r.Start.Time, Seconds: r.Seconds,
		Connections: r.Connections, Target: r.Target, CPU: r.CPU, Memory: r.Memory,
		Healthy: r.Healthy, Stale: r.Stale, Lost: r.Lost,
	}
	return a, s.decode("kinds of an interval", r.Kinds, &a.Kinds)
}

// intervalOrder is the order of the key of METRICS_SNAPSHOTS, so that nothing is
// sorted; inOrderOfPhases does the rest.
func intervalOrder(limit int) string {
	return fmt.Sprintf(" ORDER BY OFFSET_MICROS, PHASE LIMIT %d", limit)
}

// inOrderOfPhases puts what ends at one offset into the order in which phases follow
// upon each other in a run.
func inOrderOfPhases[T any](list []T, key func(*T) (offset float64, phase core.Phase)) {
	order := core.LoadPhases()
	for from := 0; from < len(list); {
		offset, _ := key(&list[from])
		to := from + 1
		for ; to < len(list); to++ {
			if other, _ := key(&list[to]); other != offset {
				break
			}
		}
		if to-from > 1 {
			slices.SortStableFunc(list[from:to], func(a, b T) int {
				_, one := key(&a)
				_, other := key(&b)
				return slices.Index(order[:], one) - slices.Index(order[:], other)
			})
		}
		from = to
	}
}

// WorkerIntervals returns stored intervals of the workers of a run.
func (s *Store) WorkerIntervals(ctx context.Context, runID string, offset float64) (list []ports.WorkerInterval, err error) {
	query := "SELECT " + intervalColumns + ", WORKER_ID, WORKER_GROUP_ID, SEQUENCE, COARSE FROM " + s.d.Table("WORKER_METRICS_SNAPSHOTS") + " WHERE RUN_ID = ?"
	args := []any{runID}
	if offset >= 0 {
		query += " AND OFFSET_MICROS = ?"
		args = append(args, micros(offset))
	}
	query += " ORDER BY WORKER_GROUP_ID, WORKER_ID, SEQUENCE, INTERVAL_START"
	err = s.wrap(ctx, "reading workers' intervals of run "+runID, func() error {
		var rows []intervalRow
		if err := sqlx.SelectContext(ctx, s.read, &rows, s.read.Rebind(query), args...); err != nil {
			return err
		}
		for i := range rows {
			r := &rows[i]
			if n := len(list); n > 0 && list[n-1].WorkerID == r.WorkerID && list[n-1].Interval.Sequence == r.Sequence {
				continue // see AppendSnapshots
			}
			w := ports.WorkerInterval{RunID: r.RunID, WorkerID: r.WorkerID, GroupID: r.GroupID, Interval: core.Interval{
				Sequence: r.Sequence, Phase: r.Phase, Start: r.Start.Time, Seconds: r.Seconds, Offset: r.Offset,
				Connections: r.Connections, Target: r.Target, CPU: r.CPU, Memory: r.Memory, Coarse: r.Coarse != 0,
			}}
			if err := s.decode("kinds of an interval", r.Kinds, &w.Interval.Kinds); err != nil {
				return err
			}
			list = append(list, w)
		}
		return nil
	})
	return list, err
}
