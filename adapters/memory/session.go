package memory

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// statementCode is a kind as Exec switches on it.
type statementCode uint8

const (
	pointLookup statementCode = iota
	rangeScan
	insertRow
	updateRow
	deleteRow
)

func codeOf(kind string) statementCode {
	switch kind {
	case core.PointLookup:
		return pointLookup
	case core.RangeScan:
		return rangeScan
	case core.Insert:
		return insertRow
	case core.Update:
		return updateRow
	default:
		return deleteRow
	}
}

// Session is one connection to a Target.
type Session struct {
	target  *Target
	table   *table
	id      string
	kinds   []string // by statement number
	codes   []statementCode
	latency func(kind string) time.Duration
	queries int64
	last    core.Row // read by the last point lookup
	closed  bool
	undo    []change // of the open transaction, in order

	running       atomic.Bool
	inTransaction atomic.Bool

	mu     sync.Mutex
	cancel chan struct{} // closed to end the operation that waits; nil when none does
}

// change is what a row was before a transaction changed it.
type change struct {
	row   core.Row
	found bool
}

// cancelledError is what an operation gets that CancelSessions ended.
type cancelledError struct{}

func (cancelledError) Error() string { return "cancelled by request" }

// Class is how core.ErrorClass counts it.
func (cancelledError) Class() string { return core.ClassCancelled }

// ID is what CancelSessions and Running know the session by.
func (s *Session) ID() string { return s.id }

// QueryID counts the statements of the session.
func (s *Session) QueryID() string {
	if s.queries == 0 {
		return ""
	}
	return s.id + "/" + strconv.FormatInt(s.queries, 10)
}

// Exec executes a statement. Errors besides those of the port: Invalid for a
// number or arguments that do not fit, Conflict for a key that is there, Refused
// for an operation that CancelSessions ended.
func (s *Session) Exec(ctx context.Context, statement int, args []any) (rows int64, err error) {
	if err := s.usable(ctx); err != nil {
		return 0, err
	}
	if uint(statement) >= uint(len(s.codes)) {
		return 0, fmt.Errorf("%w: memory: statement %d of %d", core.ErrInvalid, statement, len(s.codes))
	}
	s.queries++
	s.running.Store(true)
	if s.latency != nil {
		if err := s.wait(ctx, s.kinds[statement]); err != nil {
			s.running.Store(false)
			return 0, err
		}
	}
	if code := s.codes[statement]; code == pointLookup && len(args) == 1 {
		if id, ok := args[0].(int64); ok {
			var found bool
			if s.last, found = s.table.get(id); found {
				rows = 1
			}
			s.running.Store(false)
			return rows, nil
		}
		err = badArguments(core.PointLookup, args)
	} else {
		rows, err = s.run(code, s.kinds[statement], args)
	}
	s.running.Store(false)
	return rows, err
}

func (s *Session) usable(ctx context.Context) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	if s.closed {
		return fmt.Errorf("%w: memory: session %s is closed", core.ErrUnavailable, s.id)
	}
	return nil
}

// wait is the latency of one operation.
func (s *Session) wait(ctx context.Context, kind string) error {
	d := s.latency(kind)
	if d <= 0 {
		return nil
	}
	cancel := make(chan struct{})
	s.setCancel(cancel)
	defer s.setCancel(nil)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ended(ctx)
	case <-cancel:
		return fmt.Errorf("%w: memory: %w", core.ErrRefused, cancelledError{})
	}
}

func (s *Session) setCancel(c chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel = c
}

func (s *Session) cancelWait() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		close(s.cancel)
		s.cancel = nil
	}
}

func badArguments(kind string, args []any) error {
	return fmt.Errorf("%w: memory: %d arguments do not fit a %s", core.ErrInvalid, len(args), kind)
}

// run does what a statement says.
func (s *Session) run(code statementCode, kind string, args []any) (int64, error) {
	switch code {
	case rangeScan:
		if from, to, ok := two[int64, int64](args, 0); ok && len(args) == 2 {
			return s.table.scan(from, to), nil
		}
	case insertRow:
		if row, ok := rowOf(args); ok {
			if err := s.table.insert(row); err != nil {
				return 0, err
			}
			s.remember(core.Row{ID: row.ID}, false)
			return 1, nil
		}
	case updateRow:
		balance, status, ok := two[int64, string](args, 0)
		if _, id, fits := two[string, int64](args, 1); ok && fits && len(args) == 3 {
			return s.changed(s.table.update(id, balance, status)), nil
		}
	case deleteRow:
		if len(args) == 1 {
			if id, ok := args[0].(int64); ok {
				return s.changed(s.table.remove(id)), nil
			}
		}
	}
	return 0, badArguments(kind, args)
}

// two takes two arguments of the right types.
func two[A, B any](args []any, at int) (a A, b B, ok bool) {
	if len(args) < at+2 {
		return a, b, false
	}
	a, okA := args[at].(A)
	b, okB := args[at+1].(B)
	return a, b, okA && okB
}

func rowOf(args []any) (row core.Row, ok bool) {
	if len(args) != 5 {
		return row, false
	}
	id, customer, first := two[int64, int64](args, 0)
	balance, status, second := two[int64, string](args, 2)
	payload, third := args[4].(string)
	return core.Row{ID: id, CustomerID: customer, Balance: balance, Status: status, Payload: payload}, first && second && third
}

// changed remembers what a row was and returns how many rows were changed.
func (s *Session) changed(old core.Row, found bool) int64 {
	if !found {
		return 0
	}
	s.remember(old, true)
	return 1
}

func (s *Session) remember(row core.Row, found bool) {
	if s.inTransaction.Load() {
		s.undo = append(s.undo, change{row: row, found: found})
	}
}

// Begin opens a transaction. Errors: Refused inside one.
func (s *Session) Begin(ctx context.Context) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	if s.inTransaction.Load() {
		return fmt.Errorf("%w: memory: session %s is in a transaction", core.ErrRefused, s.id)
	}
	if err := s.pause(ctx, "BEGIN"); err != nil {
		return err
	}
	s.inTransaction.Store(true)
	return nil
}

// Commit keeps what the transaction did. Errors: Refused outside one.
func (s *Session) Commit(ctx context.Context) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	if !s.inTransaction.Load() {
		return fmt.Errorf("%w: memory: session %s is in no transaction", core.ErrRefused, s.id)
	}
	if err := s.pause(ctx, "COMMIT"); err != nil {
		s.rollback()
		return err
	}
	s.undo = s.undo[:0]
	s.inTransaction.Store(false)
	return nil
}

// pause is a latency outside Exec.
func (s *Session) pause(ctx context.Context, kind string) error {
	if s.latency == nil {
		return nil
	}
	s.running.Store(true)
	defer s.running.Store(false)
	return s.wait(ctx, kind)
}

// Rollback undoes what the transaction did, last first. It works with an ended
// context too: nothing may stay behind.
func (s *Session) Rollback(context.Context) error {
	s.rollback()
	return nil
}

func (s *Session) rollback() {
	for i := len(s.undo) - 1; i >= 0; i-- {
		if c := s.undo[i]; c.found {
			s.table.set(c.row)
		} else {
			s.table.remove(c.row.ID)
		}
	}
	s.undo = s.undo[:0]
	s.inTransaction.Store(false)
}

// Close rolls back what is open and forgets the session.
func (s *Session) Close() error {
	if s.closed {
		return nil
	}
	s.rollback()
	s.closed = true
	s.target.mu.Lock()
	defer s.target.mu.Unlock()
	delete(s.target.sessions, s.id)
	return nil
}
