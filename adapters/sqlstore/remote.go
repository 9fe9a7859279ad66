package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"
)

// How often a unit of work is repeated, and the longest pause before it.
const (
	maxAttempts = 10
	maxPause    = time.Second
)

// everyRun is the run whose lock keeps those apart who create runs.
const everyRun = ""

// uncertain is an error of a COMMIT that may have been executed.
type uncertain struct{ err error }

// Error says that it is not known.
func (u *uncertain) Error() string {
	return "whether the transaction was committed is not known: " + u.err.Error()
}

// Unwrap is what the driver said.
func (u *uncertain) Unwrap() error { return u.err }

// repeat runs f again, for a remote database, while it fails by the bad luck of
// running beside others, and the context lasts.
func (s *Store) repeat(ctx context.Context, f func() error) error {
	err := f()
	if s.d.Remote == nil {
		return err
	}
	for attempt := 1; attempt < maxAttempts && err != nil; attempt++ {
		var unknown *uncertain
		if errors.As(err, &unknown) || ctx.Err() != nil || !s.d.Remote.Again(err) {
			return err
		}
		pause := time.NewTimer(min(maxPause, rand.N(10*time.Millisecond<<attempt)))
		select {
		case <-ctx.Done():
			pause.Stop()
			return err
		case <-pause.C:
		}
		err = f()
	}
	return err
}

// readAt is the database's clock as one more column of a SELECT, so that it
// needs no statement of its own; "" where the clock is ours.
func (s *Store) readAt() string {
	if s.d.Clock != nil {
		return ""
	}
	return ", " + s.d.Now + " AS READ_AT"
}

// lockRun takes the lock of a run until the transaction ends: those who append to
// tables whose keys are not enforced hold it. The row that nobody else changes
// is that of the run's key range. An embedded database has one writer anyway.
func (s *Store) lockRun(ctx context.Context, tx *sqlx.Tx, runID string) error {
	if s.d.Remote == nil {
		return nil
	}
	result, err := tx.ExecContext(ctx, tx.Rebind("UPDATE "+s.d.Table("INSERT_RANGES")+" SET CREATED_AT = CREATED_AT WHERE RUN_ID = ?"), runID)
	if err != nil {
		return err
	}
	locked, err := result.RowsAffected()
	switch {
	case err != nil || locked > 0:
		return err
	case runID != everyRun:
		return s.notFound("run %q", runID)
	}
	var r row // the first to create a run in this store makes the row
	r.set("INSERT_BASE", 0)
	r.set("RUN_ID", everyRun)
	return s.insertRows(ctx, tx, table{name: "INSERT_RANGES"}, []row{r})
}

// batch is rows for one table.
type batch struct {
	table table
	rows  []row
}

// each keeps one row of each key, whose columns come first: the last where rows
// replace, else the first. One statement may not treat the same row twice.
func (b batch) each() []row {
	at := map[string]int{}
	var kept []row
	for _, r := range b.rows {
		key := fmt.Sprintf("%#v", r.values[:len(b.table.key)]) // text is quoted, so keys cannot run together
		i, found := at[key]
		switch {
		case !found:
			at[key] = len(kept)
			kept = append(kept, r)
		case len(b.table.update) > 0:
			kept[i] = r
		}
	}
	return kept
}

// appendRows stores rows of one writer under runs that must be there. In a remote
// database that is one statement, or a few where they are many, and needs no
// lock: nobody else writes rows of these keys.
func (s *Store) appendRows(ctx context.Context, what string, runs map[string]bool, t table, rows []row) error {
	one := batch{t, rows}
	one.rows = one.each()
	if s.d.Remote == nil || len(runs) != 1 {
		return s.appendBatches(ctx, what, runs, one)
	}
	return s.wrap(ctx, what, func() error {
		return s.repeat(ctx, func() error {
			runID := slices.Collect(maps.Keys(runs))[0]
			stored, err := s.insertIf(ctx, s.write, t, one.rows, runID)
			if err != nil || stored > 0 {
				return err
			}
			return s.requireRuns(ctx, s.write, runs) // all were there, or the run is not
		})
	})
}

// appendBatches stores rows under runs that must be there, all or none.
func (s *Store) appendBatches(ctx context.Context, what string, runs map[string]bool, batches ...batch) error {
	for i := range batches {
		batches[i].rows = batches[i].each()
	}
	return s.transaction(ctx, what, func(tx *sqlx.Tx) error {
		for _, runID := range slices.Sorted(maps.Keys(runs)) { // in one order, so that no two wait for each other
			if err := s.lockRun(ctx, tx, runID); err != nil {
				return err
			}
		}
		if s.d.Remote != nil && len(runs) == 1 {
			return s.appendUnderRun(ctx, tx, runs, batches)
		}
		if err := s.requireRuns(ctx, tx, runs); err != nil {
			return err
		}
		for _, b := range batches {
			if err := s.insertRows(ctx, tx, b.table, b.rows); err != nil {
				return err
			}
		}
		return nil
	})
}

// appendUnderRun asks for the run in the same statements.
func (s *Store) appendUnderRun(ctx context.Context, tx *sqlx.Tx, runs map[string]bool, batches []batch) error {
	var stored int64
	for runID := range runs {
		for _, b := range batches {
			n, err := s.insertIf(ctx, tx, b.table, b.rows, runID)
			if err != nil {
				return err
			}
			stored += n
		}
	}
	if stored > 0 {
		return nil
	}
	return s.requireRuns(ctx, tx, runs)
}
