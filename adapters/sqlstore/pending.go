package sqlstore

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/benchfleet/benchfleet/core"
)

// Bounds of what is pending.
const (
	maxBacklog   = 100  // events of earlier commits, beyond which a commit stores them first
	maxKnownRuns = 1000 // of which a store knows what is pending
)

// A commit to a remote database is one statement, which carries its events in
// PENDING_EVENTS of the run's row. A second one copies them to RUN_CONTROL_EVENTS,
// where doubles are left out. So every event of a run is in that table or in its
// row, whoever dies between the two: Events reads both, and a commit puts into the
// row, with its own, the events that are not known to be in the table. Which those
// are belongs to a version of the row, that the commit compares.

// pendingEvents is what is pending of runs, as rows of RUN_CONTROL_EVENTS.
type pendingEvents struct {
	mu   sync.Mutex
	runs map[string]pendingAt
}

type pendingAt struct {
	version int64
	rows    []row
}

// at is what is pending at a version; known is false when that is not known.
func (p *pendingEvents) at(runID string, version int64) (rows []row, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	run, found := p.runs[runID]
	return run.rows, found && run.version == version
}

// know remembers what is pending at a version, unless more is known. What was read
// of a row says less than what was done since to the same version of it.
func (p *pendingEvents) know(runID string, version int64, rows []row, read bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	run, found := p.runs[runID]
	if found && (run.version > version || read && run.version == version) {
		return
	}
	if p.runs == nil {
		p.runs = map[string]pendingAt{}
	}
	if !found && len(p.runs) >= maxKnownRuns {
		for other := range p.runs { // any: it will be read again
			delete(p.runs, other)
			break
		}
	}
	p.runs[runID] = pendingAt{version, rows}
}

func (p *pendingEvents) forget(runID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.runs, runID)
}

// pendingText is rows as PENDING_EVENTS holds them: a JSON list of their data,
// NULL for none.
func pendingText(rows []row) any {
	if len(rows) == 0 {
		return nil
	}
	data := make([]string, len(rows))
	for i, r := range rows {
		data[i] = r.values[len(r.values)-1].(string) // see eventRow
	}
	return "[" + strings.Join(data, ",") + "]"
}

// pendingRows undoes pendingText, byte for byte.
func (s *Store) pendingRows(runID string, text *string) ([]row, error) {
	what := "pending events of run " + runID
	var data []json.RawMessage
	if err := s.decode(what, text, &data); err != nil {
		return nil, err
	}
	rows := make([]row, 0, len(data))
	for _, raw := range data {
		var e core.ControlEvent
		text := string(raw)
		if err := s.decode(what, &text, &e); err != nil {
			return nil, err
		}
		rows = append(rows, s.eventRow(e, text))
	}
	return rows, nil
}

// copyEvents copies what is pending to RUN_CONTROL_EVENTS, under a run that is
// there. Events that are there already stay.
func (s *Store) copyEvents(ctx context.Context, what, runID string, rows []row) error {
	return s.alone(ctx, what, func() error {
		_, err := s.insertIf(ctx, s.write, table{name: "RUN_CONTROL_EVENTS", key: []string{"RUN_ID", "SEQUENCE_ID"}}, rows, runID)
		return err
	})
}

// alone runs f, which is one statement. An error after which it is not known
// whether it was executed is uncertain.
func (s *Store) alone(ctx context.Context, what string, f func() error) error {
	return s.wrap(ctx, what, func() error {
		return s.repeat(ctx, func() error {
			err := f()
			if err != nil && !coded(err) && s.d.Remote.Uncertain(err) {
				return &uncertain{err}
			}
			return err
		})
	})
}

// commitRemote is Commit in statements that each commit by themselves.
func (s *Store) commitRemote(ctx context.Context, what string, c change) error {
	if err := s.addPending(ctx, what, &c); err != nil {
		return err
	}
	changed := false
	if c.problem == nil {
		var err error
		changed, err = s.compareAndSetAlone(ctx, what, c)
		var unknown *uncertain
		if errors.As(err, &unknown) && ctx.Err() == nil {
			err = s.settle(ctx, what, c, err)
			changed = true
		}
		if err != nil {
			return err
		}
	}
	if !changed {
		return s.wrap(ctx, what, func() error { return s.whyNot(ctx, s.write, c) })
	}
	// The commit has happened, and its events with it. When they cannot be copied now,
	// they stay pending: that is no error of the commit.
	rows := c.pending
	if len(rows) > 0 && s.copyEvents(ctx, what, c.next.ID, rows) == nil {
		rows = nil
	}
	s.pending.know(c.next.ID, c.expected+1, rows, false)
	return nil
}

// addPending adds to a change, before its own, the events that may not be in
// RUN_CONTROL_EVENTS yet.
func (s *Store) addPending(ctx context.Context, what string, c *change) error {
	rows, known := s.pending.at(c.next.ID, c.expected)
	if !known {
		err := s.wrap(ctx, what, func() error {
			stored, err := s.versionOf(ctx, s.write, c.next.ID)
			if err == nil && stored.Version != c.expected {
				err = s.conflict(stored, *c)
			}
			if err == nil {
				rows, err = s.pendingRows(c.next.ID, stored.Pending)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if len(rows) > maxBacklog {
		if err := s.copyEvents(ctx, what, c.next.ID, rows); err != nil {
			return err
		}
		rows = nil
	}
	c.pending = slices.Concat(rows, c.rows)
	return nil
}

// compareAndSetAlone is compareAndSet as a statement of its own. Its error is
// uncertain when it is not known whether it was executed.
func (s *Store) compareAndSetAlone(ctx context.Context, what string, c change) (changed bool, err error) {
	statement := statement{text: s.hot.commit.text}
	err = s.alone(ctx, what, func() error {
		changed, err = s.compareAndSet(ctx, s.write, statement, c)
		return err
	})
	return changed, err
}
