package sqlstore

import (
	"context"
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

// uncertain is an error of a statement that may have been executed.
type uncertain struct{ err error }

// Error says that it is not known.
func (u *uncertain) Error() string {
	return "whether it was stored is not known: " + u.err.Error()
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
		if ctx.Err() != nil || !s.d.Remote.Again(err) {
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

// appendBatches stores rows under runs that must be there: all or none in an embedded
// database; in a remote one batch after batch, and none when a run is not there,
// for which the same statements ask.
func (s *Store) appendBatches(ctx context.Context, what string, runs map[string]bool, batches ...batch) error {
	for i := range batches {
		batches[i].rows = batches[i].each()
	}
	names := slices.Sorted(maps.Keys(runs))
	return s.unit(ctx, what, func(q sqlx.ExtContext) error {
		if s.d.Remote == nil {
			if err := s.requireRuns(ctx, q, names); err != nil {
				return err
			}
			names = nil
		}
		var stored int64
		for _, b := range batches {
			n, err := s.insertIf(ctx, q, b.table, b.rows, names...)
			if err != nil {
				return err
			}
			stored += n
		}
		if stored > 0 {
			return nil
		}
		return s.requireRuns(ctx, q, names) // all were there, or a run is not
	})
}
