package sqlstore

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// settleTimeout bounds the search for what became of a commit.
const settleTimeout = 20 * time.Second

// alone runs f without a transaction, for the one statement that is in it. An
// error after which it is not known whether it was executed is uncertain.
func (s *Store) alone(ctx context.Context, what string, f func(tx *sqlx.Tx) error) error {
	return s.wrap(ctx, what, func() error {
		return s.repeat(ctx, func() error {
			err := f(nil)
			if err != nil && !coded(err) && s.d.Remote.Uncertain(err) {
				return &uncertain{err}
			}
			return err
		})
	})
}

// settle finds out what became of a commit whose reply was lost: nil when it was
// stored, Conflict when somebody else's was, else Unavailable. Its connection is
// gone, and the server rolls back what is still open on it; so a row that still
// looks as before is looked at again under its lock, which is not to be had
// before that.
func (s *Store) settle(ctx context.Context, what string, c change, lost error) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	var stored storedVersion
	err := s.wrap(ctx, what, func() (err error) {
		stored, err = s.versionOf(ctx, s.write, c.next.ID)
		return err
	})
	if err == nil && stored.Version == c.expected {
		stored, err = s.versionUnderLock(ctx, what, c.next.ID)
	}
	if err != nil {
		return fmt.Errorf("%w; and it could not be read back: %w", lost, err)
	}
	switch {
	case stored.CommitID != nil && *stored.CommitID == c.id:
		return nil
	case stored.Version == c.expected:
		return fmt.Errorf("%w (it was not: the version is still %d)", lost, stored.Version)
	case stored.Version == c.expected+1:
		return s.conflict(stored, c)
	}
	return s.settleByEvents(ctx, what, stored, c, lost)
}

// versionUnderLock reads the version when nobody else is about to change it.
func (s *Store) versionUnderLock(ctx context.Context, what, runID string) (stored storedVersion, err error) {
	err = s.transaction(ctx, what, func(tx *sqlx.Tx) (err error) {
		if _, err := tx.ExecContext(ctx, tx.Rebind("UPDATE "+s.d.Table("RUN_STATUS")+" SET COMMIT_ID = COMMIT_ID WHERE RUN_ID = ?"), runID); err != nil {
			return err
		}
		stored, err = s.versionOf(ctx, tx, runID)
		return err
	})
	return stored, err
}

// settleByEvents is for a run that others have changed since: the events of the
// commit are there, word for word, or another's are in their place.
func (s *Store) settleByEvents(ctx context.Context, what string, stored storedVersion, c change, lost error) error {
	if len(c.events) == 0 {
		return lost
	}
	events, err := s.Events(ctx, c.next.ID, c.first-1)
	if err != nil {
		return fmt.Errorf("%w; and it could not be read back: %w", lost, err)
	}
	if len(events) < len(c.events) {
		return s.conflict(stored, c)
	}
	for i, e := range c.events {
		want, err := s.encode(what, e)
		if err != nil {
			return err
		}
		got, err := s.encode(what, events[i])
		if err != nil {
			return err
		}
		if got != want {
			return s.conflict(stored, c)
		}
	}
	return nil
}
