package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// totalRow reads back the plain columns of METRICS_SNAPSHOTS.
type totalRow struct {
	intervalRow
	done, errors            count
	length, offset          number
	perSecond, cpu, memory  number
	avg, p50, p95, p99, max length
	connections, target     count
	healthy, stale, lost    count
}

// totalColumn is a column and where it is read to.
type totalColumn struct {
	sql  string
	into any
}

// columns are all that is read of a row, in order. Of the kinds are read those of
// intervals that have no length, whose rate says nothing, and those that have errors,
// for their classes.
func (r *totalRow) columns() []totalColumn {
	return []totalColumn{
		{"PHASE", &r.Phase}, {"INTERVAL_START", &r.Start}, {"INTERVAL_SECONDS", &r.length}, {"ELAPSED_SECONDS", &r.offset},
		{"TOTAL_QUERIES", &r.done}, {"ERROR_COUNT", &r.errors}, {"QPS", &r.perSecond},
		{"AVG_LATENCY_MS", &r.avg}, {"P50_LATENCY_MS", &r.p50}, {"P95_LATENCY_MS", &r.p95}, {"P99_LATENCY_MS", &r.p99}, {"MAX_LATENCY_MS", &r.max},
		{"ACTIVE_CONNECTIONS", &r.connections}, {"TARGET_CONNECTIONS", &r.target}, {"CPU_PERCENT", &r.cpu}, {"MEMORY_PERCENT", &r.memory},
		{"WORKERS_HEALTHY", &r.healthy}, {"WORKERS_STALE", &r.stale}, {"WORKERS_LOST", &r.lost},
		{"CASE WHEN ERROR_COUNT > 0 OR INTERVAL_SECONDS <= 0 THEN KINDS END", &r.Kinds},
	}
}

// number and count are what a column of numbers is read to. What drivers return most
// of the time is taken as it is: there are twenty of them in each of thousands of rows.
type (
	number float64
	count  int64
)

// Scan reads a number.
func (n *number) Scan(src any) error {
	if v, ok := src.(float64); ok {
		*n = number(v)
		return nil
	}
	var v sql.Null[float64]
	err := v.Scan(src)
	*n = number(v.V)
	return err
}

// Scan reads a whole number.
func (c *count) Scan(src any) error {
	if v, ok := src.(int64); ok {
		*c = count(v)
		return nil
	}
	var v sql.Null[int64]
	err := v.Scan(src)
	*c = count(v.V)
	return err
}

// length is a duration as it is read back: from milliseconds, zero for NULL.
type length struct{ time.Duration }

// Scan reads NULL or a number.
func (l *length) Scan(src any) error {
	var ms number
	err := ms.Scan(src)
	l.Duration = time.Duration(math.Round(float64(ms) * float64(time.Millisecond)))
	return err
}

// Totals returns what Aggregates does, in plain numbers. What shares its offset is
// read again, with its kinds: that is a handful of intervals in a run, where one phase
// follows upon another.
func (s *Store) Totals(ctx context.Context, runID string, after float64) (list []ports.IntervalTotal, err error) {
	err = s.wrap(ctx, "reading totals of run "+runID, func() error {
		if list, err = s.plainTotals(ctx, runID, after); err != nil {
			return err
		}
		return s.sharedTotals(ctx, runID, list)
	})
	if err != nil {
		return nil, err
	}
	inOrderOfPhases(list, func(t *ports.IntervalTotal) (float64, core.Phase) { return t.Offset, t.Phase })
	return list[:min(len(list), maxAggregates)], nil
}

// splitBeyond is of how many intervals two connections read one half each: what a row
// of twenty columns costs is nearly all the time of this process.
const splitBeyond = 1000

// plainTotals are those of one page of intervals, and of the one behind it: the last
// one may share its offset with that.
func (s *Store) plainTotals(ctx context.Context, runID string, after float64) ([]ports.IntervalTotal, error) {
	from, middle, all := micros(after), int64(0), 0
	if s.d.Remote == nil {
		var err error
		if middle, all, err = s.middle(ctx, runID, from); err != nil {
			return nil, err
		}
	}
	if all <= splitBeyond {
		return s.totalsBetween(ctx, runID, from, math.MaxInt64, make([]ports.IntervalTotal, 0, all))
	}
	var later []ports.IntervalTotal
	var laterErr error
	var second sync.WaitGroup
	second.Go(func() { later, laterErr = s.totalsBetween(ctx, runID, middle, math.MaxInt64, nil) })
	list, err := s.totalsBetween(ctx, runID, from, middle, make([]ports.IntervalTotal, 0, min(all, maxAggregates)+1))
	second.Wait()
	if err = errors.Join(err, laterErr); err != nil {
		return nil, err
	}
	return append(list, later[:min(len(later), maxAggregates+1-len(list))]...), nil
}

// middle is the offset that halves what is behind another one, and how many intervals
// that are.
func (s *Store) middle(ctx context.Context, runID string, from int64) (middle int64, all int, err error) {
	var first, last sql.Null[int64]
	query := "SELECT COUNT(*), MIN(OFFSET_MICROS), MAX(OFFSET_MICROS) FROM " + s.d.Table("METRICS_SNAPSHOTS") + " WHERE RUN_ID = ? AND OFFSET_MICROS > ?"
	err = s.read.QueryRowContext(ctx, s.read.Rebind(query), runID, from).Scan(&all, &first, &last)
	return first.V + (last.V-first.V)/2, all, err
}

// totalsBetween adds to a list those of one page and of the one behind it, that end
// after an offset and until another one.
func (s *Store) totalsBetween(ctx context.Context, runID string, after, until int64, list []ports.IntervalTotal) ([]ports.IntervalTotal, error) {
	r := totalRow{intervalRow: intervalRow{RunID: runID}}
	var names []string
	var into []any
	for _, c := range r.columns() {
		names, into = append(names, c.sql), append(into, c.into)
	}
	query := "SELECT " + strings.Join(names, ", ") + " FROM " + s.d.Table("METRICS_SNAPSHOTS") + " WHERE RUN_ID = ? AND OFFSET_MICROS > ? AND OFFSET_MICROS <= ?" + intervalOrder(maxAggregates+1)
	rows, err := s.read.QueryContext(ctx, s.read.Rebind(query), runID, after, until)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		total, err := s.total(&r)
		if err != nil {
			return nil, err
		}
		list = append(list, total)
	}
	return list, rows.Err()
}

// offsetsAtOnce is how many offsets one statement names.
const offsetsAtOnce = 200

// sharedTotals gives those that share their offset their kinds, and what follows from
// them.
func (s *Store) sharedTotals(ctx context.Context, runID string, list []ports.IntervalTotal) error {
	var shared []any
	for i := range list {
		if i > 0 && list[i].Offset == list[i-1].Offset && (len(shared) == 0 || shared[len(shared)-1] != micros(list[i].Offset)) {
			shared = append(shared, micros(list[i].Offset))
		}
	}
	known := map[int64][]ports.RunInterval{}
	for some := range slices.Chunk(shared, offsetsAtOnce) {
		intervals, err := s.intervals(ctx, runID, " AND OFFSET_MICROS IN (?"+strings.Repeat(", ?", len(some)-1)+")", some...)
		if err != nil {
			return err
		}
		for _, a := range intervals {
			known[micros(a.Offset)] = append(known[micros(a.Offset)], a)
		}
	}
	for i := range list {
		for _, a := range known[micros(list[i].Offset)] {
			if a.Phase == list[i].Phase {
				list[i] = a.Total()
				list[i].Kinds = a.Kinds
			}
		}
	}
	return nil
}

func (s *Store) total(r *totalRow) (ports.IntervalTotal, error) {
	r.Seconds, r.Offset = float64(r.length), float64(r.offset)
	r.Connections, r.Target, r.CPU, r.Memory = int(r.connections), int(r.target), float64(r.cpu), float64(r.memory)
	r.Healthy, r.Stale, r.Lost = int(r.healthy), int(r.stale), int(r.lost)
	if r.Seconds <= 0 {
		a, err := s.aggregate(&r.intervalRow)
		if err != nil {
			return ports.IntervalTotal{}, err
		}
		return a.Total(), nil
	}
	t := ports.IntervalTotal{
		RunID: r.RunID, Phase: r.Phase, Offset: r.Offset, Start: r.Start.Time, Seconds: r.Seconds,
		Done: uint64(r.done), OK: uint64(math.Round(float64(r.perSecond) * r.Seconds)), Errors: uint64(r.errors),
		Latency:     ports.Latency{Avg: r.avg.Duration, P50: r.p50.Duration, P95: r.p95.Duration, P99: r.p99.Duration, Max: r.max.Duration},
		Connections: r.Connections, Target: r.Target, CPU: r.CPU, Memory: r.Memory, Healthy: r.Healthy, Stale: r.Stale, Lost: r.Lost,
	}
	if r.errors == 0 || r.Kinds == nil {
		return t, nil
	}
	failures, err := failuresIn(*r.Kinds)
	if err != nil {
		return t, fmt.Errorf("%w: %s: the stored kinds of an interval cannot be read: %w", core.ErrInternal, s.d.Name, err)
	}
	for _, f := range failures {
		t.Failures = core.AddError(t.Failures, f)
	}
	return t, nil
}

// failuresIn are the errors of all kinds in their JSON. Histograms make nearly all of
// that text, so what is no error is not parsed: a quote within a string has a backslash
// before it, and what begins with a bare one and ends with a colon is a key. Where none
// is found the text is parsed after all, to know that it could be.
func failuresIn(kinds string) (list []core.ErrorCount, err error) {
	const key = `"failures"`
	whole := kinds
	for {
		at := strings.Index(kinds, key)
		if at < 0 && len(list) == 0 && !json.Valid([]byte(whole)) {
			return nil, errors.New("it is no JSON")
		}
		if at < 0 {
			return list, nil
		}
		escaped := at > 0 && kinds[at-1] == '\\'
		kinds = kinds[at+len(key):]
		value, isKey := strings.CutPrefix(strings.TrimLeft(kinds, " \t\r\n"), ":")
		if escaped || !isKey {
			continue
		}
		var some []core.ErrorCount
		if err := json.NewDecoder(strings.NewReader(value)).Decode(&some); err != nil {
			return list, err
		}
		list = append(list, some...)
	}
}
