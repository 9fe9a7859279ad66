package sqlstore

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// commitText is the compare-and-set. Placeholders: the columns of setRun, then
// those of commitTail, then the key. NULL keeps what is stored.
func (s *Store) commitText() string {
	var r row
	_ = s.setRun(&r, core.Run{}, time.Time{}) // for its columns; an empty run can be encoded
	sets := make([]string, 0, len(r.columns)+6)
	for i, mark := range placeholders(r.columns, jsonColumns, s.d.JSON) {
		sets = append(sets, r.columns[i]+" = "+mark)
	}
	for _, column := range commitTail {
		sets = append(sets, column+" = COALESCE(?, "+column+")")
	}
	return "UPDATE " + s.d.Table("RUN_STATUS") + " SET VERSION = VERSION + 1, " + strings.Join(sets, ", ") +
		" WHERE RUN_ID = ? AND VERSION = ? AND NEXT_SEQUENCE_ID = ?"
}

var commitTail = []string{"WARMUP_START_TIME", "WARMUP_END_TIME", "TOTAL_OPS", "ERROR_COUNT", "CURRENT_QPS"}

// Commit replaces a run and appends its events. Beyond the contract it refuses,
// as Invalid, events that are not the ones which lead to next.Sequence. The
// commit that ends a run, and with it all before, outlives a loss of power.
func (s *Store) Commit(ctx context.Context, expected int64, next core.Run, events []core.ControlEvent, progress ports.Progress) (version int64, err error) {
	transaction := s.transaction
	if next.Status.Terminal() {
		transaction = s.durably
	}
	first := next.Sequence - int64(len(events)) + 1
	problem := s.checkEvents(next, events, first)
	rows, err := s.eventRows(events)
	if err != nil {
		return 0, err
	}
	what := "committing run " + next.ID
	statement, err := s.prepared(ctx, what, &s.hot.commit)
	if err != nil {
		return 0, err
	}
	err = transaction(ctx, what, func(tx *sqlx.Tx) error {
		done := false
		if problem == nil {
			if done, err = s.compareAndSet(ctx, tx, statement, expected, next, first, progress); err != nil {
				return err
			}
		}
		if !done {
			return s.whyNot(ctx, tx, expected, next.ID, events, problem)
		}
		return s.insertRows(ctx, tx, table{name: "RUN_CONTROL_EVENTS"}, rows)
	})
	if err != nil {
		return 0, err
	}
	return expected + 1, nil
}

func (s *Store) compareAndSet(ctx context.Context, tx *sqlx.Tx, statement *sqlx.Stmt, expected int64, next core.Run, first int64, progress ports.Progress) (bool, error) {
	now, err := s.now(ctx, tx)
	if err != nil {
		return false, err
	}
	var r row
	if err := s.setRun(&r, next, now); err != nil {
		return false, err
	}
	start, end := warmup(next)
	args := append(r.values, s.stamp(start), s.stamp(end))
	if progress == (ports.Progress{}) {
		args = append(args, nil, nil, nil)
	} else {
		args = append(args, progress.TotalOps, progress.Errors, progress.QPS)
	}
	args = append(args, next.ID, expected, first)
	result, err := tx.StmtxContext(ctx, statement).ExecContext(ctx, args...)
	if err != nil {
		return false, err
	}
	changed, err := result.RowsAffected()
	return changed == 1, err
}

// checkEvents holds the events of one commit to each other and to the run.
func (s *Store) checkEvents(next core.Run, events []core.ControlEvent, first int64) error {
	for i, e := range events {
		switch want := first + int64(i); {
		case e.RunID != next.ID:
			return s.invalid("an event of run %q in a commit of run %q", e.RunID, next.ID)
		case e.Sequence != want:
			return s.invalid("run %q has sequence %d, but its event %d of %d has %d instead of %d",
				next.ID, next.Sequence, i+1, len(events), e.Sequence, want)
		}
	}
	return nil
}

// whyNot finds out why a commit changed nothing.
func (s *Store) whyNot(ctx context.Context, tx *sqlx.Tx, expected int64, runID string, events []core.ControlEvent, problem error) error {
	var stored struct {
		Version int64 `db:"VERSION"`
		Next    int64 `db:"NEXT_SEQUENCE_ID"`
	}
	found, err := get(ctx, tx, &stored, tx.Rebind("SELECT VERSION, NEXT_SEQUENCE_ID FROM "+s.d.Table("RUN_STATUS")+" WHERE RUN_ID = ?"), runID)
	switch {
	case err != nil:
		return err
	case !found:
		return s.notFound("run %q", runID)
	case stored.Version != expected:
		return fmt.Errorf("%w: %s: run %q has version %d, not %d", core.ErrConflict, s.d.Name, runID, stored.Version, expected)
	}
	for _, e := range events {
		if e.Sequence < stored.Next {
			return fmt.Errorf("%w: %s: run %q has an event %d already", core.ErrConflict, s.d.Name, runID, e.Sequence)
		}
	}
	if problem != nil {
		return problem
	}
	return s.invalid("the next event of run %q is %d, and the commit does not lead from there to its end", runID, stored.Next)
}

func (s *Store) eventRows(events []core.ControlEvent) ([]row, error) {
	rows := make([]row, 0, len(events))
	for _, e := range events {
		e.Effective, e.At = e.Effective.UTC().Round(0), e.At.UTC().Round(0)
		data, err := s.encode("a control event", e)
		if err != nil {
			return nil, err
		}
		var r row
		r.set("RUN_ID", e.RunID)
		r.set("SEQUENCE_ID", e.Sequence)
		r.set("EVENT_ID", fmt.Sprintf("%s/%d", e.RunID, e.Sequence))
		r.set("EVENT_TYPE", string(e.Type))
		r.set("CREATED_AT", s.stamp(e.At))
		r.set("EVENT_DATA", data)
		rows = append(rows, r)
	}
	return rows, nil
}
