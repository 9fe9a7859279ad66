package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// totalRow reads back the plain columns of METRICS_SNAPSHOTS.
type totalRow struct {
	intervalRow
	Done    int64   `db:"TOTAL_QUERIES"`
	Errors  int64   `db:"ERROR_COUNT"`
	PerS    float64 `db:"QPS"`
	Avg     length  `db:"AVG_LATENCY_MS"`
	P50     length  `db:"P50_LATENCY_MS"`
	P95     length  `db:"P95_LATENCY_MS"`
	P99     length  `db:"P99_LATENCY_MS"`
	Min     length  `db:"MIN_LATENCY_MS"`
	Max     length  `db:"MAX_LATENCY_MS"`
	Sharing int     `db:"SHARING"` // how many end at its offset
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
	query := "SELECT RUN_ID, PHASE, INTERVAL_START, INTERVAL_SECONDS, ELAPSED_SECONDS, ACTIVE_CONNECTIONS, TARGET_CONNECTIONS, CPU_PERCENT, MEMORY_PERCENT," +
		" WORKERS_HEALTHY, WORKERS_STALE, WORKERS_LOST, TOTAL_QUERIES, ERROR_COUNT, QPS, AVG_LATENCY_MS, P50_LATENCY_MS, P95_LATENCY_MS, P99_LATENCY_MS," +
		" MIN_LATENCY_MS, MAX_LATENCY_MS, COUNT(*) OVER (PARTITION BY OFFSET_MICROS) AS SHARING," +
		" CASE WHEN ERROR_COUNT > 0 OR INTERVAL_SECONDS <= 0 OR COUNT(*) OVER (PARTITION BY OFFSET_MICROS) > 1 THEN KINDS END AS KINDS" +
		" FROM " + s.d.Table("METRICS_SNAPSHOTS") + " WHERE RUN_ID = ? AND OFFSET_MICROS > ? ORDER BY OFFSET_MICROS, " + phaseOrder() + fmt.Sprintf(" LIMIT %d", maxAggregates)
	err = s.wrap(ctx, "reading totals of run "+runID, func() error {
		var rows []totalRow
		if err := sqlx.SelectContext(ctx, s.read, &rows, s.read.Rebind(query), runID, micros(after)); err != nil {
			return err
		}
		list = make([]ports.IntervalTotal, len(rows))
		for i := range rows {
			if list[i], err = s.total(&rows[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}

func (s *Store) total(r *totalRow) (ports.IntervalTotal, error) {
	if r.Sharing > 1 || r.Seconds <= 0 {
		a, err := s.aggregate(&r.intervalRow)
		if err != nil {
			return ports.IntervalTotal{}, err
		}
		t := a.Total()
		if r.Sharing > 1 {
			t.Kinds = a.Kinds
		}
		return t, nil
	}
	t := ports.IntervalTotal{
		RunID: r.RunID, Phase: r.Phase, Offset: r.Offset, Start: r.Start.Time, Seconds: r.Seconds,
		Done: uint64(r.Done), OK: uint64(math.Round(r.PerS * r.Seconds)), Errors: uint64(r.Errors),
		Latency:     ports.Latency{Avg: r.Avg.Duration, P50: r.P50.Duration, P95: r.P95.Duration, P99: r.P99.Duration, Min: r.Min.Duration, Max: r.Max.Duration},
		Connections: r.Connections, Target: r.Target, CPU: r.CPU, Memory: r.Memory, Healthy: r.Healthy, Stale: r.Stale, Lost: r.Lost,
	}
	if r.Errors == 0 {
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
