package sqlstore

import (
	"context"
	"fmt"
	"time"
)

// Bounds of the search for what became of a commit.
const (
	settleTimeout  = 20 * time.Second
	settleAttempts = 3
)

// settle finds out what became of a commit whose reply was lost: nil when it was
// stored, Conflict when somebody else's was, else Unavailable. The statement may
// be under way still, so a version that has not moved says nothing: settle sends
// the same again. It compares the version, so only one of the two can change the
// row, whichever comes first, and COMMIT_ID is the same.
func (s *Store) settle(ctx context.Context, what string, c change, lost error) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	for range settleAttempts {
		var stored storedVersion
		err := s.wrap(ctx, what, func() (err error) {
			stored, err = s.versionOf(ctx, s.write, c.next.ID)
			return err
		})
		if err != nil {
			return fmt.Errorf("%w; and it could not be read back: %w", lost, err)
		}
		switch {
		case stored.CommitID != nil && *stored.CommitID == c.id:
			return nil
		case stored.Version > c.expected+1:
			return s.settleByEvents(ctx, what, stored, c, lost)
		case stored.Version != c.expected, stored.Next != c.first:
			return s.conflict(stored, c)
		}
		if changed, err := s.compareAndSetAlone(ctx, what, c); err == nil && changed {
			return nil
		}
	}
	return lost
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
