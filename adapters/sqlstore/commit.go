package sqlstore

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// commitText is the compare-and-set. Placeholders: the columns of setRun, then
// those of commitTail, then the key. NULL keeps what is stored. Where the
// database has the clock, UPDATED_AT is not among the placeholders; a remote one
// has COMMIT_ID and PENDING_EVENTS before the key.
func (s *Store) commitText() string {
	var r row
	_ = s.setRun(&r, core.Run{}, time.Time{}) // for its columns; an empty run can be encoded
	sets := make([]string, 0, len(r.columns)+7)
	for _, column := range r.columns {
		switch {
		case column == "UPDATED_AT" && s.d.Clock == nil:
			sets = append(sets, column+" = "+s.d.Now)
		default:
			sets = append(sets, column+" = "+s.mark("RUN_STATUS", column))
		}
	}
	for _, column := range commitTail {
		sets = append(sets, column+" = COALESCE("+s.mark("RUN_STATUS", column)+", "+column+")")
	}
	if s.d.Remote != nil {
		sets = append(sets, "COMMIT_ID = ?", "PENDING_EVENTS = ?")
	}
	return "UPDATE " + s.d.Table("RUN_STATUS") + " SET VERSION = VERSION + 1, " + strings.Join(sets, ", ") +
		" WHERE RUN_ID = ? AND VERSION = ? AND NEXT_SEQUENCE_ID = ?"
}

var commitTail = []string{"WARMUP_START_TIME", "WARMUP_END_TIME", "TOTAL_OPS", "ERROR_COUNT", "CURRENT_QPS"}

// change is what one call of Commit is about.
type change struct {
	id       string // of this call, where replies can be lost
	expected int64
	next     core.Run
	first    int64 // sequence of the first event
	events   []core.ControlEvent
	rows     []row // of the events
	pending  []row // where the row carries them: those of earlier commits, and rows
	progress ports.Progress
	problem  error // why it cannot be done, if it is not a conflict
}

// Commit replaces a run and appends its events. Beyond the contract it refuses,
// as Invalid, events that are not the ones which lead to next.Sequence. The
// commit that ends a run, and with it all before, outlives a loss of power.
//
// In a remote database a commit without events is one statement, and one with
// events two: see pending.go. When the reply to the first is lost, Commit finds out
// what became of it; it is Unavailable only when it cannot.
func (s *Store) Commit(ctx context.Context, expected int64, next core.Run, events []core.ControlEvent, progress ports.Progress) (version int64, err error) {
	c := change{expected: expected, next: next, first: next.Sequence - int64(len(events)) + 1, events: events, progress: progress}
	c.problem = s.checkEvents(next, events, c.first)
	if c.rows, err = s.eventRows(events); err != nil {
		return 0, err
	}
	what := "committing run " + next.ID
	if s.d.Remote != nil {
		c.id = rand.Text()
		err = s.commitRemote(ctx, what, c)
	} else {
		err = s.commitInOne(ctx, what, c)
	}
	if err != nil {
		return 0, err
	}
	return expected + 1, nil
}

// commitInOne is Commit in one transaction.
func (s *Store) commitInOne(ctx context.Context, what string, c change) error {
	unit := s.unit
	if c.next.Status.Terminal() {
		unit = s.durably
	}
	statement, err := s.prepared(ctx, what, &s.hot.commit)
	if err != nil {
		return err
	}
	return unit(ctx, what, func(q sqlx.ExtContext) (err error) {
		done := false
		if c.problem == nil {
			if done, err = s.compareAndSet(ctx, q, statement, c); err != nil {
				return err
			}
		}
		if !done {
			return s.whyNot(ctx, q, c)
		}
		return s.insertRows(ctx, q, table{name: "RUN_CONTROL_EVENTS"}, c.rows)
	})
}

// compareAndSet raises the version.
func (s *Store) compareAndSet(ctx context.Context, q sqlx.ExtContext, statement statement, c change) (bool, error) {
	var now time.Time
	var err error
	if s.d.Clock != nil {
		if now, err = s.now(ctx, q); err != nil {
			return false, err
		}
	}
	var r row
	if err := s.setRun(&r, c.next, now); err != nil {
		return false, err
	}
	args := r.values
	if s.d.Clock == nil {
		at := slices.Index(r.columns, "UPDATED_AT")
		args = slices.Delete(args, at, at+1)
	}
	start, end := warmup(c.next)
	args = append(args, s.stamp(start), s.stamp(end))
	if c.progress == (ports.Progress{}) {
		args = append(args, nil, nil, nil)
	} else {
		args = append(args, c.progress.TotalOps, c.progress.Errors, c.progress.QPS)
	}
	args = s.bind(args)
	if s.d.Remote != nil {
		args = append(args, c.id, pendingText(c.pending))
	}
	result, err := statement.exec(ctx, q, append(args, c.next.ID, c.expected, c.first)...)
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
func (s *Store) whyNot(ctx context.Context, q sqlx.QueryerContext, c change) error {
	stored, err := s.versionOf(ctx, q, c.next.ID)
	if err != nil {
		return err
	}
	return s.conflict(stored, c)
}

// storedVersion is what is compared when a commit did not succeed, or when it is
// not known.
type storedVersion struct {
	Version  int64   `db:"VERSION"`
	Next     int64   `db:"NEXT_SEQUENCE_ID"`
	CommitID *string `db:"COMMIT_ID"`
	Pending  *string `db:"PENDING_EVENTS"`
}

func (s *Store) versionOf(ctx context.Context, q sqlx.QueryerContext, runID string) (stored storedVersion, err error) {
	columns := "VERSION, NEXT_SEQUENCE_ID"
	if s.d.Remote != nil {
		columns += ", COMMIT_ID, PENDING_EVENTS"
	}
	found, err := get(ctx, q, &stored, s.write.Rebind("SELECT "+columns+" FROM "+s.d.Table("RUN_STATUS")+" WHERE RUN_ID = ?"), runID)
	if err == nil && !found {
		err = s.notFound("run %q", runID)
	}
	return stored, err
}

// conflict is why a commit does not fit what is stored.
func (s *Store) conflict(stored storedVersion, c change) error {
	if stored.Version != c.expected {
		return fmt.Errorf("%w: %s: run %q has version %d, not %d", core.ErrConflict, s.d.Name, c.next.ID, stored.Version, c.expected)
	}
	for _, e := range c.events {
		if e.Sequence < stored.Next {
			return fmt.Errorf("%w: %s: run %q has an event %d already", core.ErrConflict, s.d.Name, c.next.ID, e.Sequence)
		}
	}
	if c.problem != nil {
		return c.problem
	}
	return s.invalid("the next event of run %q is %d, and the commit does not lead from there to its end", c.next.ID, stored.Next)
}

func (s *Store) eventRows(events []core.ControlEvent) ([]row, error) {
	rows := make([]row, 0, len(events))
	for _, e := range events {
		e.Effective, e.At = e.Effective.UTC().Round(0), e.At.UTC().Round(0)
		data, err := s.encode("a control event", e)
		if err != nil {
			return nil, err
		}
		rows = append(rows, s.eventRow(e, data))
	}
	return rows, nil
}

// eventRow is a row of RUN_CONTROL_EVENTS, its data last.
func (s *Store) eventRow(e core.ControlEvent, data string) row {
	var r row
	r.set("RUN_ID", e.RunID)
	r.set("SEQUENCE_ID", e.Sequence)
	r.set("EVENT_ID", fmt.Sprintf("%s/%d", e.RunID, e.Sequence))
	r.set("EVENT_TYPE", string(e.Type))
	r.set("CREATED_AT", s.stamp(e.At))
	r.set("EVENT_DATA", data)
	return r
}
