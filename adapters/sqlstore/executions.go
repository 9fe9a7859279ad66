package sqlstore

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/benchfleet/benchfleet/core"
)

// AppendExecutions stores sampled operations by id; the first of an id stays.
func (s *Store) AppendExecutions(ctx context.Context, executions []core.Execution) error {
	if len(executions) == 0 {
		return nil
	}
	runs := map[string]bool{}
	rows := make([]row, 0, len(executions))
	for i := range executions {
		runs[executions[i].RunID] = true
		rows = append(rows, s.executionRow(&executions[i]))
	}
	return s.appendBatches(ctx, "storing executions", runs, batch{table{name: "QUERY_EXECUTIONS", key: []string{"EXECUTION_ID"}}, rows})
}

func (s *Store) executionRow(e *core.Execution) row {
	var r row
	r.set("EXECUTION_ID", e.ID)
	r.set("RUN_ID", e.RunID)
	r.set("TEST_ID", childTestID(e.RunID, e.WorkerID))
	r.set("WORKER_ID", e.WorkerID)
	r.set("CONNECTION_INDEX", e.Connection)
	r.set("QUERY_ID", e.QueryID)
	r.set("QUERY_KIND", e.Kind)
	r.set("START_TIME", s.stamp(e.Start))
	r.set("INTENDED_START_TIME", s.stamp(e.Intended))
	r.set("DURATION_MS", milliseconds(e.Service))
	r.set("RESPONSE_MS", milliseconds(e.Response))
	r.set("ROWS_AFFECTED", e.Rows)
	r.set("SUCCESS", flag(e.Success))
	r.set("ERROR_CLASS", e.ErrorClass)
	r.set("ERROR", e.Error)
	r.set("WARMUP", flag(e.Warmup))
	return r
}

type executionRow struct {
	ID         string  `db:"EXECUTION_ID"`
	RunID      string  `db:"RUN_ID"`
	WorkerID   string  `db:"WORKER_ID"`
	Connection int64   `db:"CONNECTION_INDEX"`
	QueryID    string  `db:"QUERY_ID"`
	Kind       string  `db:"QUERY_KIND"`
	Start      instant `db:"START_TIME"`
	Intended   instant `db:"INTENDED_START_TIME"`
	Service    float64 `db:"DURATION_MS"`
	Response   float64 `db:"RESPONSE_MS"`
	Rows       int64   `db:"ROWS_AFFECTED"`
	Success    int     `db:"SUCCESS"`
	ErrorClass string  `db:"ERROR_CLASS"`
	Error      string  `db:"ERROR"`
	Warmup     int     `db:"WARMUP"`
}

const executionColumns = "EXECUTION_ID, RUN_ID, WORKER_ID, CONNECTION_INDEX, QUERY_ID, QUERY_KIND, START_TIME, INTENDED_START_TIME, " +
	"DURATION_MS, RESPONSE_MS, ROWS_AFFECTED, SUCCESS, ERROR_CLASS, ERROR, WARMUP"

// Executions returns sampled operations by start time and id. After an id that
// is not there comes nothing.
func (s *Store) Executions(ctx context.Context, runID, after string, limit int) (list []core.Execution, err error) {
	if limit <= 0 {
		limit = defaultExecutions
	}
	from := s.d.Table("QUERY_EXECUTIONS")
	where, args := " WHERE RUN_ID = ?", []any{runID}
	if after != "" {
		// Not as a tuple, which not every database compares with a subquery.
		start := "(SELECT START_TIME FROM " + from + " WHERE RUN_ID = ? AND EXECUTION_ID = ?)"
		where += " AND START_TIME >= " + start + " AND (START_TIME > " + start + " OR EXECUTION_ID > ?)"
		args = append(args, runID, after, runID, after, after)
	}
	query := "SELECT " + executionColumns + " FROM " + from + where + fmt.Sprintf(" ORDER BY START_TIME, EXECUTION_ID LIMIT %d", min(limit, maxExecutions))
	err = s.wrap(ctx, "reading executions of run "+runID, func() error {
		var rows []executionRow
		if err := sqlx.SelectContext(ctx, s.read, &rows, s.read.Rebind(query), args...); err != nil {
			return err
		}
		for i := range rows {
			list = append(list, rows[i].execution())
		}
		return nil
	})
	return list, err
}

func (r *executionRow) execution() core.Execution {
	return core.Execution{
		ID: r.ID, RunID: r.RunID, WorkerID: r.WorkerID, Connection: r.Connection, QueryID: r.QueryID, Kind: r.Kind,
		Start: r.Start.Time, Intended: r.Intended.Time, Service: fromMilliseconds(r.Service), Response: fromMilliseconds(r.Response),
		Rows: r.Rows, Success: r.Success != 0, ErrorClass: r.ErrorClass, Error: r.Error, Warmup: r.Warmup != 0,
	}
}

// fromMilliseconds undoes milliseconds, exactly for durations below 50 days.
func fromMilliseconds(ms float64) time.Duration {
	return time.Duration(math.Round(ms * float64(time.Millisecond)))
}
