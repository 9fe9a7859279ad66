package engine

import (
	"context"
	"strconv"
	"time"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

// transaction is an open transaction.
type transaction struct {
	id       string
	name     string
	started  time.Time
	implicit bool // AUTOCOMMIT is off
}

func executed() *Result { return status("Statement executed successfully.") }

// status is the one row that most statements return.
func status(text string) *Result {
	return &Result{TypeID: TypeDDL, Columns: []Column{textColumn("status")}, Rows: [][]*string{{&text}}}
}

func (s *Session) begin(ctx context.Context, b *sqltext.Begin, implicit bool) (*Result, error) {
	r := executed()
	r.TypeID = TypeTCL
	if s.tx != nil { // Snowflake takes it as done
		return r, nil
	}
	if err := s.exec(ctx, "BEGIN"); err != nil {
		return nil, err
	}
	now := time.Now()
	s.inTransaction.Store(true)
	s.tx = &transaction{id: strconv.FormatInt(now.UnixNano(), 10), name: b.Name, started: now, implicit: implicit}
	return r, nil
}

func (s *Session) noTransaction() {
	s.tx = nil
	s.inTransaction.Store(false)
}

// end commits or rolls back; without a transaction nothing happens.
func (s *Session) end(ctx context.Context, how string) (*Result, error) {
	r := executed()
	r.TypeID = TypeTCL
	if s.tx == nil {
		return r, nil
	}
	s.noTransaction()
	if err := s.exec(ctx, how); err != nil {
		return nil, err
	}
	return r, nil
}

// save opens what a failed statement is rolled back to: a savepoint, or a
// transaction.
func (s *Session) save(ctx context.Context) error {
	open := "SAVEPOINT sf"
	if s.tx == nil {
		open = "BEGIN"
	}
	err := s.exec(ctx, open)
	s.saved = err == nil && s.tx != nil
	return err
}

// release keeps what was done since save.
func (s *Session) release(ctx context.Context) error {
	shut := "RELEASE SAVEPOINT sf"
	if s.tx == nil {
		shut = "COMMIT"
	}
	s.saved = false
	return s.exec(ctx, shut)
}

// exec executes statements without parameters or result.
func (s *Session) exec(ctx context.Context, sql string) error {
	_, err := s.conn.Exec(context.WithoutCancel(ctx), sql).ReadAll()
	return err
}

// alone executes DDL: what is open is committed first, and the statements are one
// transaction. As who says as whom: the role, or PostgreSQL's superuser.
func (s *Session) alone(ctx context.Context, statements ...string) error {
	if _, err := s.end(ctx, "COMMIT"); err != nil {
		return err
	}
	sql := "BEGIN;"
	for _, statement := range statements {
		sql += statement + ";"
	}
	if err := s.exec(ctx, sql+"COMMIT"); err != nil {
		if s.conn.TxStatus() != 'I' && !s.conn.IsClosed() {
			if back := s.exec(ctx, "ROLLBACK"); back != nil {
				return back
			}
		}
		return err
	}
	s.catalogueChanged()
	return nil
}

// catalogueChanged says that names may mean something else now.
func (s *Session) catalogueChanged() {
	s.engine.ddl.Add(1)
	s.plans.stale()
}

// afterError brings the connection back to where a statement that failed found
// it.
func (s *Session) afterError(ctx context.Context) {
	saved := s.saved
	s.saved = false
	if s.conn.IsClosed() {
		return // guarded finds out whether a transaction was lost
	}
	switch {
	case s.conn.TxStatus() == 'I':
		s.noTransaction() // it is gone, as after a failed COMMIT
	case s.tx == nil:
		_ = s.exec(ctx, "ROLLBACK") // if this fails, the connection is closed and the next statement opens another
	case s.parameter("TRANSACTION_ABORT_ON_ERROR", nil) == "true":
		_, _ = s.end(ctx, "ROLLBACK")
	case saved || s.conn.TxStatus() == 'E':
		if err := s.exec(ctx, "ROLLBACK TO SAVEPOINT sf; RELEASE SAVEPOINT sf"); err != nil {
			_, _ = s.end(ctx, "ROLLBACK")
		}
	}
}
