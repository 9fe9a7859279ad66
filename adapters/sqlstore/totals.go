package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// totalRow reads back the plain columns of METRICS_SNAPSHOTS.
type totalRow struct {
	intervalRow
	done, errors            int64
	perSecond               float64
	avg, p50, p95, p99, max length
	sharing                 sql.NullInt64 // how many end at its offset; NULL: it alone
}

// totalColumn is a column and where it is read to.
type totalColumn struct {
	sql  string
	into any
}

// columns are all that is read of a row, in order.
func (r *totalRow) columns() []totalColumn {
	return []totalColumn{
		{"PHASE", &r.Phase}, {"INTERVAL_START", &r.Start}, {"INTERVAL_SECONDS", &r.Seconds}, {"ELAPSED_SECONDS", &r.Offset},
		{"TOTAL_QUERIES", &r.done}, {"ERROR_COUNT", &r.errors}, {"QPS", &r.perSecond},
		{"AVG_LATENCY_MS", &r.avg}, {"P50_LATENCY_MS", &r.p50}, {"P95_LATENCY_MS", &r.p95}, {"P99_LATENCY_MS", &r.p99}, {"MAX_LATENCY_MS", &r.max},
		{"ACTIVE_CONNECTIONS", &r.Connections}, {"TARGET_CONNECTIONS", &r.Target}, {"CPU_PERCENT", &r.CPU}, {"MEMORY_PERCENT", &r.Memory},
		{"WORKERS_HEALTHY", &r.Healthy}, {"WORKERS_STALE", &r.Stale}, {"WORKERS_LOST", &r.Lost}, {"SHARING", &r.sharing},
		{"CASE WHEN ERROR_COUNT > 0 OR INTERVAL_SECONDS <= 0 OR SHARING > 1 THEN KINDS END", &r.Kinds},
	}
}

// length is a duration as it is read back: from milliseconds, zero for NULL.
type length struct{ time.Duration }

// Scan reads NULL or a number.
func (l *length) Scan(src any) error {
	var ms sql.NullFloat64
	err := ms.Scan(src)
	l.Duration = time.Duration(math.Round(ms.Float64 * float64(time.Millisecond)))
	return err
}

// Totals returns what Aggregates does, in plain numbers. Of the kinds it reads those
// of intervals that share their offset, and of those that have no length, whose
// rate says nothing; and those that have errors, for their classes.
func (s *Store) Totals(ctx context.Context, runID string, after float64) (list []ports.IntervalTotal, err error) {
	r := totalRow{intervalRow: intervalRow{RunID: runID}}
	var names []string
	var into []any
	for _, c := range r.columns() {
		names, into = append(names, c.sql), append(into, c.into)
	}
	t := s.d.Table("METRICS_SNAPSHOTS")
	query := s.read.Rebind("SELECT " + strings.Join(names, ", ") + " FROM " + t + " AS one LEFT JOIN (SELECT OFFSET_MICROS AS SHARED, COUNT(*) AS SHARING FROM " + t +
		" WHERE RUN_ID = ? AND OFFSET_MICROS > ? GROUP BY OFFSET_MICROS HAVING COUNT(*) > 1) AS several ON SHARED = OFFSET_MICROS" +
		" WHERE RUN_ID = ? AND OFFSET_MICROS > ? ORDER BY OFFSET_MICROS, " + phaseOrder() + fmt.Sprintf(" LIMIT %d", maxAggregates))
	err = s.wrap(ctx, "reading totals of run "+runID, func() error {
		rows, err := s.read.QueryContext(ctx, query, runID, micros(after), runID, micros(after))
		if err != nil {
			return err
		}
		defer rows.Close()
		list = nil
		for rows.Next() {
			if err := rows.Scan(into...); err != nil {
				return err
			}
			total, err := s.total(&r)
			if err != nil {
				return err
			}
			list = append(list, total)
		}
		return rows.Err()
	})
	return list, err
}

func (s *Store) total(r *totalRow) (ports.IntervalTotal, error) {
	if r.sharing.Valid || r.Seconds <= 0 {
		a, err := s.aggregate(&r.intervalRow)
		if err != nil {
			return ports.IntervalTotal{}, err
		}
		t := a.Total()
		if r.sharing.Valid {
			t.Kinds = a.Kinds
		}
		return t, nil
	}
	t := ports.IntervalTotal{
		RunID: r.RunID, Phase: r.Phase, Offset: r.Offset, Start: r.Start.Time, Seconds: r.Seconds,
		Done: uint64(r.done), OK: uint64(math.Round(r.perSecond * r.Seconds)), Errors: uint64(r.errors),
		Latency:     ports.Latency{Avg: r.avg.Duration, P50: r.p50.Duration, P95: r.p95.Duration, P99: r.p99.Duration, Max: r.max.Duration},
		Connections: r.Connections, Target: r.Target, CPU: r.CPU, Memory: r.Memory, Healthy: r.Healthy, Stale: r.Stale, Lost: r.Lost,
	}
	if r.errors == 0 {
		return t, nil
	}
	var kinds []struct { // all but the histograms
		Failures []core.ErrorCount `json:"failures"`
	}
	err := s.decode("kinds of an interval", r.Kinds, &kinds)
	for _, k := range kinds {
		for _, f := range k.Failures {
			t.Failures = core.AddError(t.Failures, f)
		}
	}
	return t, err
}
