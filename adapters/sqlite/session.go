package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	modernc "modernc.org/sqlite"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// session is one connection of the driver, without database/sql around it.
type session struct {
	target     *Target
	id         string
	conn       driver.Conn
	statements []statement
	begin      statement
	commit     statement
	rollback   statement
	// endless is the context of the driver's calls: the driver would start a
	// goroutine for each call with one that can end. Where interrupt is nil, a
	// call gets its caller's nevertheless.
	endless   context.Context
	interrupt func()
	watch     watch
	broken    bool
	closed    bool

	inFlight      atomic.Bool
	inTransaction atomic.Bool
}

// statement is one that the connection has prepared.
type statement struct {
	prepared driver.Stmt
	query    bool
	args     []driver.NamedValue
	row      []driver.Value // one for each column, made at the first row
}

// Open opens a session on a connection of its own and prepares its statements.
// Errors: NotFound for a missing file, Invalid for a statement that cannot be
// prepared.
func (t *Target) Open(ctx context.Context, options ports.SessionOptions) (ports.Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, targetError(ctx, "opening a session", err)
	}
	if err := checkFile("target", t.path); err != nil {
		return nil, err
	}
	connector, err := modernc.NewConnector(t.dsn("rw"))
	if err != nil {
		return nil, fmt.Errorf("%w: sqlite: %w", core.ErrInvalid, err)
	}
	conn, err := connector.Connect(ctx)
	if err != nil {
		return nil, targetError(ctx, "connecting to "+t.path, explain(t.path, err))
	}
	s := &session{
		target: t, conn: conn, id: fmt.Sprintf("%s/%d", t.origin, t.opened.Add(1)),
		endless: context.WithoutCancel(ctx),
	}
	if !t.plain {
		s.interrupt = interrupter(conn)
	}
	if err := s.prepareAll(ctx, options); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sessions[s.id] = s
	return s, nil
}

func (s *session) prepareAll(ctx context.Context, options ports.SessionOptions) (err error) {
	begin := "BEGIN DEFERRED"
	for _, given := range options.Statements {
		text, parameters, err := statementText(options.Table, given)
		if err != nil {
			return err
		}
		prepared, err := s.prepare(ctx, text, parameters, given.Query || core.IsQuery(given.SQL))
		if err != nil {
			return err
		}
		s.statements = append(s.statements, prepared)
		if core.StatementAccess(given.SQL) != core.AccessRead {
			begin = "BEGIN IMMEDIATE"
		}
	}
	if s.target.begin != "" {
		begin = s.target.begin
	}
	if s.begin, err = s.prepare(ctx, begin, 0, false); err != nil {
		return err
	}
	if s.commit, err = s.prepare(ctx, "COMMIT", 0, false); err != nil {
		return err
	}
	s.rollback, err = s.prepare(ctx, "ROLLBACK", 0, false)
	return err
}

func (s *session) prepare(ctx context.Context, text string, parameters int, query bool) (statement, error) {
	prepared, err := s.conn.(driver.ConnPrepareContext).PrepareContext(ctx, text)
	if err != nil {
		return statement{}, targetError(ctx, "preparing a statement", err)
	}
	st := statement{prepared: prepared, query: query, args: make([]driver.NamedValue, parameters)}
	for i := range st.args {
		st.args[i].Ordinal = i + 1
	}
	return st, nil
}

// ID is host/pid/start of the process/target/number.
func (s *session) ID() string { return s.id }

// QueryID is "": SQLite gives statements no ids.
func (s *session) QueryID() string { return "" }

// Exec executes a statement and reads every column of every row.
func (s *session) Exec(ctx context.Context, number int, args []any) (int64, error) {
	if uint(number) >= uint(len(s.statements)) {
		return 0, s.fail(ctx, fmt.Errorf("%w: sqlite: statement %d of %d", core.ErrInvalid, number, len(s.statements)))
	}
	st := &s.statements[number]
	if err := st.bind(args); err != nil {
		return 0, s.fail(ctx, err)
	}
	rows, err := s.call(ctx, st)
	if err != nil {
		return 0, s.fail(ctx, err)
	}
	return rows, nil
}

// bind takes over the arguments. The driver itself ignores superfluous ones.
func (st *statement) bind(args []any) error {
	if len(args) != len(st.args) {
		return fmt.Errorf("%w: sqlite: %d arguments for %d placeholders", core.ErrInvalid, len(args), len(st.args))
	}
	for i, arg := range args {
		switch v := arg.(type) {
		case int64, float64, string, bool, nil:
		case time.Time:
			arg = v.UTC()
		default:
			return fmt.Errorf("%w: sqlite: argument %d is a %T; allowed: int64, float64, string, bool, time.Time, nil", core.ErrInvalid, i+1, arg)
		}
		st.args[i].Value = arg
	}
	return nil
}

// call executes a statement so that it is seen by Running, and ends soon after
// ctx does. The order matters: the watch of another context has ended before
// anything is in flight that it could hit, and a context that ends once
// something is in flight is seen here or by its watch.
func (s *session) call(ctx context.Context, st *statement) (int64, error) {
	if s.closed || s.broken {
		return 0, fmt.Errorf("%w: sqlite: session %s is closed", core.ErrUnavailable, s.id)
	}
	calls := ctx
	if s.interrupt != nil {
		calls = s.endless
		if ctx.Done() != s.watch.done {
			s.watch.follow(ctx, s)
		}
	}
	s.inFlight.Store(true)
	defer s.inFlight.Store(false)
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	rows, err := st.execute(calls)
	if err == nil || !isBusy(err) {
		return rows, err
	}
	err = retryBusy(ctx, s.target.busy-busySlice, func() error {
		rows, err = st.execute(calls)
		return err
	})
	return rows, err
}

func (st *statement) execute(ctx context.Context) (int64, error) {
	if !st.query {
		result, err := st.prepared.(driver.StmtExecContext).ExecContext(ctx, st.args)
		if err != nil {
			return 0, err
		}
		return result.RowsAffected()
	}
	rows, err := st.prepared.(driver.StmtQueryContext).QueryContext(ctx, st.args)
	if err != nil {
		return 0, err
	}
	if st.row == nil {
		st.row = make([]driver.Value, len(rows.Columns()))
	}
	n := int64(0)
	for err = rows.Next(st.row); err == nil; err = rows.Next(st.row) {
		if n++; n%rowsPerLook == 0 && ctx.Err() != nil {
			err = ctx.Err()
			break
		}
	}
	if errors.Is(err, io.EOF) {
		return n, rows.Close()
	}
	_ = rows.Close() // the error that ended the rows says more
	return 0, err
}

// rowsPerLook is after how many rows the context is looked at, where the driver
// does not do it.
const rowsPerLook = 256

// fail gives an error its code, and leaves the transaction that it ends.
func (s *session) fail(ctx context.Context, err error) error {
	if s.inTransaction.Load() {
		s.leave()
	}
	if core.CodeOf(err) != core.Internal {
		return err
	}
	if ended := ctx.Err(); ended != nil && !s.broken {
		return fmt.Errorf("%w: sqlite: executing a statement: %w", core.ErrRefused, ended) // the session goes on
	}
	return targetError(ctx, "executing a statement", err)
}

// leave ends the open transaction without committing it. The context may have
// ended: this must be done all the same, and waits for nothing.
func (s *session) leave() {
	s.watch.stop() // an interruption that is under way must not hit this
	_, err := s.rollback.execute(s.endless)
	s.inTransaction.Store(false)
	// After some errors SQLite has rolled back already.
	if err != nil && !strings.Contains(err.Error(), "no transaction is active") {
		s.broken = true
	}
}

// Begin begins a transaction. Errors: Refused inside one.
func (s *session) Begin(ctx context.Context) error {
	if s.inTransaction.Load() {
		return fmt.Errorf("%w: sqlite: session %s is in a transaction already", core.ErrRefused, s.id)
	}
	if _, err := s.call(ctx, &s.begin); err != nil {
		return s.fail(ctx, err)
	}
	s.inTransaction.Store(true)
	return nil
}

// Commit ends the transaction. Errors: Refused outside one.
func (s *session) Commit(ctx context.Context) error {
	if !s.inTransaction.Load() {
		return fmt.Errorf("%w: sqlite: session %s is in no transaction", core.ErrRefused, s.id)
	}
	if _, err := s.call(ctx, &s.commit); err != nil {
		return s.fail(ctx, err)
	}
	s.inTransaction.Store(false)
	return nil
}

// Rollback ends the transaction, if there is one, also when ctx has ended.
func (s *session) Rollback(context.Context) error {
	if s.inTransaction.Load() {
		s.leave()
	}
	if s.broken {
		return fmt.Errorf("%w: sqlite: session %s could not roll back", core.ErrUnavailable, s.id)
	}
	return nil
}

// Close ends the connection, and with it an open transaction.
func (s *session) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	s.watch.stop()
	s.inTransaction.Store(false)
	s.target.mu.Lock()
	delete(s.target.sessions, s.id)
	s.target.mu.Unlock()
	var errs []error
	for _, st := range append(s.statements, s.begin, s.commit, s.rollback) {
		if st.prepared != nil {
			errs = append(errs, st.prepared.Close())
		}
	}
	if err := errors.Join(append(errs, s.conn.Close())...); err != nil {
		return fmt.Errorf("%w: sqlite: closing session %s: %w", core.ErrInternal, s.id, err)
	}
	return nil
}
