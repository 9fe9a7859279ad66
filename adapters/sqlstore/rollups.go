package sqlstore

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/benchfleet/benchfleet/core"
)

// PutRollup replaces the result of a run: the rows of one call have one UPDATED_AT,
// and the result is what was updated with the parent. So rows that are left from an
// older result are none of it, whether or not they could be removed. The parent
// comes last: of more rows than fit into a statement, those before it are not the
// result yet.
func (s *Store) PutRollup(ctx context.Context, parent core.Rollup, children []core.Rollup) error {
	for _, child := range children {
		if child.RunID != parent.RunID {
			return s.invalid("a child of run %q in the result of run %q", child.RunID, parent.RunID)
		}
	}
	return s.unit(ctx, "storing the result of run "+parent.RunID, func(q sqlx.ExtContext) error {
		record, err := s.load(ctx, q, parent.RunID)
		if err != nil {
			return err
		}
		at := record.Now
		if s.d.Remote != nil {
			at = apart(at)
		}
		rows := make([]row, 0, 1+len(children))
		for _, child := range children {
			r, err := s.rollupRow(child, record.Scenario, workerPlace(record.Run, child.WorkerID), at)
			if err != nil {
				return err
			}
			rows = append(rows, r)
		}
		last, err := s.rollupRow(parent, record.Scenario, -1, at)
		if err != nil {
			return err
		}
		rows = append(rows, last)
		results := table{name: "TEST_RESULTS", key: []string{"TEST_ID"}, update: except(last.columns, "TEST_ID", "CREATED_AT")}
		if s.d.Remote != nil {
			results.newer = []string{"UPDATED_AT"} // nobody who is late is locked out
		}
		if err := s.insertRows(ctx, q, results, batch{results, rows}.each()); err != nil {
			return err
		}
		return s.removeOldRollups(ctx, q, parent.RunID, rows, at)
	})
}

// apart moves a time within its millisecond. A clock of milliseconds gives two
// writers one time, and the rows of two results of one time would be mixed.
func apart(t time.Time) time.Time {
	return t.Truncate(time.Millisecond).Add(time.Duration(rand.IntN(1000)) * time.Microsecond)
}

// removeOldRollups removes rows of a run that its result of that time does not name.
// There seldom are any, and looking locks nobody out. Errors: Conflict when there
// is a newer result.
func (s *Store) removeOldRollups(ctx context.Context, q sqlx.ExtContext, runID string, rows []row, now time.Time) error {
	var stored []struct {
		TestID string  `db:"TEST_ID"`
		At     instant `db:"UPDATED_AT"`
	}
	from := s.d.Table("TEST_RESULTS")
	if err := sqlx.SelectContext(ctx, q, &stored, s.write.Rebind("SELECT TEST_ID, UPDATED_AT FROM "+from+" WHERE RUN_ID = ?"), runID); err != nil {
		return err
	}
	ours := map[string]bool{}
	for _, r := range rows {
		ours[r.values[0].(string)] = true // see rollupRow
	}
	var old []any
	for _, r := range stored {
		switch {
		case r.TestID == runID && r.At.After(now):
			return fmt.Errorf("%w: %s: run %q has a newer result", core.ErrConflict, s.d.Name, runID)
		case !ours[r.TestID] && !r.At.After(now):
			old = append(old, r.TestID)
		}
	}
	for old := range slices.Chunk(old, s.d.MaxVariables/2) {
		_, err := q.ExecContext(ctx, s.write.Rebind("DELETE FROM "+from+" WHERE RUN_ID = ? AND UPDATED_AT <= "+s.mark("TEST_RESULTS", "UPDATED_AT")+
			" AND TEST_ID IN ("+marks(len(old))+")"), append([]any{runID, s.stamp(now)}, old...)...)
		if err != nil {
			return err
		}
	}
	return nil
}

// workerPlace is the index of a worker; those that the run does not know come
// last.
func workerPlace(run core.Run, workerID string) int {
	if i, known := run.WorkerIndex(workerID); known {
		return i
	}
	return len(run.Workers)
}

// rollupRow is one row of TEST_RESULTS, TEST_ID first: the parent's has group -1.
func (s *Store) rollupRow(rollup core.Rollup, scenario core.Scenario, group int, now time.Time) (row, error) {
	var r row
	if group < 0 {
		r.set("TEST_ID", rollup.RunID)
		r.set("WORKER_ID", nil)
		r.set("WORKER_GROUP_ID", nil)
	} else {
		r.set("TEST_ID", childTestID(rollup.RunID, rollup.WorkerID))
		r.set("WORKER_ID", rollup.WorkerID)
		r.set("WORKER_GROUP_ID", group)
	}
	r.set("RUN_ID", rollup.RunID)
	r.set("TEST_NAME", cmp.Or(rollup.Name, scenario.Name))
	r.set("TEMPLATE_ID", optional(cmp.Or(rollup.TemplateID, scenario.TemplateID)))
	r.set("TABLE_NAME", optional(scenario.Table.Name))
	r.set("TABLE_TYPE", optional(scenario.Table.Type))
	r.set("STATUS", string(rollup.Status))
	r.set("REASON", string(rollup.Reason))
	r.set("REASON_DETAIL", rollup.Detail)
	r.set("START_TIME", s.stamp(rollup.Start))
	r.set("END_TIME", s.stamp(rollup.End))
	r.set("MEASURED_SECONDS", rollup.Seconds)
	r.set("CONCURRENT_CONNECTIONS", rollup.Connections)
	r.set("QPS", rollup.Throughput)
	r.set("QUERY_TAG", queryTag(rollup.RunID))
	r.set("OPERATION_HASH", fmt.Sprintf("%016x", rollup.Hash))
	r.set("VERDICT", string(rollup.Verdict.Level))
	r.set("CREATED_AT", s.stamp(now))
	r.set("UPDATED_AT", s.stamp(now))
	if err := s.setMeasured(&r, &rollup); err != nil {
		return row{}, err
	}
	return r, s.setRollupJSON(&r, &rollup, scenario)
}

// queryTag is what the tags of all sessions of a run begin with at the target,
// before "/", the worker and the connection: see ports.SessionOptions.
func queryTag(runID string) string { return "benchfleet:" + runID }

// setMeasured adds counts and latencies, as projected from the kinds.
func (s *Store) setMeasured(r *row, rollup *core.Rollup) error {
	reads, writes := byAccess(rollup.Kinds)
	kinds := make([]kindSummary, 0, len(rollup.Kinds))
	for i := range rollup.Kinds {
		kinds = append(kinds, summaryOfKind(&rollup.Kinds[i]))
	}
	total := core.Total(rollup.Kinds)
	r.set("TOTAL_OPERATIONS", int64(total.Started))
	r.set("OK_OPERATIONS", int64(total.OK))
	r.set("ERROR_OPERATIONS", int64(total.Errors))
	r.set("ABORTED_OPERATIONS", int64(total.Aborted))
	r.set("READ_OPERATIONS", int64(reads.Started))
	r.set("WRITE_OPERATIONS", int64(writes.Started))
	l := latenciesOf(total.Latency())
	l.set(r)
	r.set("P90_LATENCY_MS", l.p90)
	r.set("P999_LATENCY_MS", l.p999)
	histogram, err := total.Latency().MarshalText()
	if err != nil {
		return s.invalid("a histogram cannot be stored: %v", err)
	}
	r.set("HISTOGRAM", string(histogram))
	if err := s.setJSON(r, "KINDS", kinds); err != nil {
		return err
	}
	return s.setJSON(r, "ERRORS", list(total.Failures))
}

// kindSummary is one kind of operation in TEST_RESULTS.KINDS.
type kindSummary struct {
	Kind   string `json:"kind"`
	Access string `json:"access"`
	core.Counts
	Mean      any             `json:"avg_latency_ms"`
	P50       any             `json:"p50_latency_ms"`
	P90       any             `json:"p90_latency_ms"`
	P95       any             `json:"p95_latency_ms"`
	P99       any             `json:"p99_latency_ms"`
	P999      any             `json:"p999_latency_ms"`
	Min       any             `json:"min_latency_ms"`
	Max       any             `json:"max_latency_ms"`
	Histogram *core.Histogram `json:"histogram"`
	// Statements are those inside a transaction.
	Statements []core.StatementMetrics `json:"statements,omitempty"`
}

func summaryOfKind(kind *core.KindMetrics) kindSummary {
	l := latenciesOf(kind.Latency())
	return kindSummary{
		Kind: kind.Kind, Access: kind.Access, Counts: kind.Counts,
		Mean: l.mean, P50: l.p50, P90: l.p90, P95: l.p95, P99: l.p99, P999: l.p999, Min: l.least, Max: l.most,
		Histogram: kind.Latency(), Statements: kind.Statements,
	}
}

// setRollupJSON adds the JSON columns; what a rollup does not have is NULL.
func (s *Store) setRollupJSON(r *row, rollup *core.Rollup, scenario core.Scenario) error {
	var certificate, config, environment, tags, search any
	if rollup.Search != nil {
		search = rollup.Search
	}
	if rollup.Certificate != nil {
		certificate = rollup.Certificate
	}
	if rollup.Scenario != nil {
		config = rollup.Scenario
	}
	if len(rollup.Environment) > 0 {
		environment = rollup.Environment
	}
	if len(scenario.Tags) > 0 {
		tags = scenario.Tags
	}
	for _, column := range []struct {
		name  string
		value any
	}{
		{"VERDICT_REASONS", list(rollup.Verdict.Reasons)}, {"LEDGER", rollup.Ledger}, {"STOP_CERTIFICATE", certificate},
		{"TEST_CONFIG", config}, {"ENVIRONMENT", environment}, {"TAGS", tags}, {"FIND_MAX_RESULT", search}, {"ROLLUP", rollup},
	} {
		if err := s.setJSON(r, column.name, column.value); err != nil {
			return err
		}
	}
	return nil
}

// list is a slice that is stored as [] when it is empty.
func list[T any](values []T) []T {
	if values == nil {
		return []T{}
	}
	return values
}

// setJSON adds a column of JSON text: NULL for nil.
func (s *Store) setJSON(r *row, column string, value any) error {
	if value == nil {
		r.set(column, nil)
		return nil
	}
	text, err := s.encode(column, value)
	r.set(column, text)
	return err
}

// Rollup reads the result of a run: what was stored with its parent.
func (s *Store) Rollup(ctx context.Context, runID string) (parent core.Rollup, children []core.Rollup, err error) {
	query := s.read.Rebind("SELECT TEST_ID, UPDATED_AT, ROLLUP FROM " + s.d.Table("TEST_RESULTS") +
		" WHERE RUN_ID = ? ORDER BY COALESCE(WORKER_GROUP_ID, -1), WORKER_ID, UPDATED_AT DESC")
	err = s.wrap(ctx, "reading the result of run "+runID, func() error {
		var rows []struct {
			TestID string  `db:"TEST_ID"`
			At     instant `db:"UPDATED_AT"`
			Text   *string `db:"ROLLUP"`
		}
		if err := sqlx.SelectContext(ctx, s.read, &rows, query, runID); err != nil {
			return err
		}
		if len(rows) == 0 || rows[0].TestID != runID { // children whose parent is not there yet
			return s.noResult(ctx, runID)
		}
		if err := s.decode("result of run "+runID, rows[0].Text, &parent); err != nil {
			return err
		}
		last := runID
		for _, r := range rows[1:] {
			if r.TestID == last || !r.At.Equal(rows[0].At.Time) {
				continue // a double, or of another result: see PutRollup
			}
			last = r.TestID
			var child core.Rollup
			if err := s.decode("result of run "+runID, r.Text, &child); err != nil {
				return err
			}
			children = append(children, child)
		}
		return nil
	})
	return parent, children, err
}

func (s *Store) noResult(ctx context.Context, runID string) error {
	found, err := s.runExists(ctx, s.read, runID)
	switch {
	case err != nil:
		return err
	case !found:
		return s.notFound("run %q", runID)
	default:
		return s.notFound("run %q has no result yet", runID)
	}
}
