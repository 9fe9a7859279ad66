package snowflake

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"time"
)

const (
	// commitTimeout bounds a COMMIT, which does not end with its context: whether
	// it was done must be known.
	commitTimeout = 30 * time.Second
	// rollbackTimeout bounds a ROLLBACK whose context may have ended already.
	rollbackTimeout = 5 * time.Second
)

// conn is a connection of a pool. It makes of the driver's what database/sql
// needs to know: a session that is gone, or whose state is not known, is dropped
// and not given out again; a transaction is framed by statements of its own, with
// their own time, whatever has become of the context that it began with.
type conn struct {
	session driverConn
	dead    bool
	open    bool // a transaction
}

var (
	_ driver.Validator          = (*conn)(nil)
	_ driver.SessionResetter    = (*conn)(nil)
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.ExecerContext      = (*conn)(nil)
	_ driver.QueryerContext     = (*conn)(nil)
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.NamedValueChecker  = (*conn)(nil)
	_ driver.Pinger             = (*conn)(nil)
)

// IsValid is false when the pool must drop the connection.
func (c *conn) IsValid() bool { return !c.dead }

// ResetSession is called before the connection is given out again. A transaction
// that somebody left open goes with its session.
func (c *conn) ResetSession(context.Context) error {
	if c.dead || c.open {
		c.dead = true
		return driver.ErrBadConn
	}
	return nil
}

// look notes what an error says of the connection. A statement that the server
// refused because the session is gone was not executed, so outside a transaction
// database/sql may execute it on another connection.
func (c *conn) look(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil || isDead(err) {
		c.dead = true
	}
	if number := numberOf(err); !c.open && (number == 390111 || number == 390114 || number == 390195) {
		return fmt.Errorf("%w: %w", driver.ErrBadConn, err)
	}
	return err
}

// ExecContext executes a statement.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	result, err := c.session.ExecContext(ctx, query, args)
	return result, c.look(ctx, err)
}

// QueryContext executes a query.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.session.QueryContext(ctx, query, args)
	if err != nil {
		return nil, c.look(ctx, err)
	}
	return rows, nil
}

// Ping asks the server for one row.
func (c *conn) Ping(ctx context.Context) error {
	rows, err := c.QueryContext(ctx, "SELECT 1", nil)
	if err != nil {
		return err
	}
	return rows.Close()
}

// PrepareContext asks nothing of the server.
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	return c.session.PrepareContext(ctx, query)
}

// Prepare asks nothing of the server.
func (c *conn) Prepare(query string) (driver.Stmt, error) { return c.session.Prepare(query) }

// CheckNamedValue lets the driver's own types through.
func (c *conn) CheckNamedValue(value *driver.NamedValue) error {
	return c.session.CheckNamedValue(value)
}

// Close ends the session on the server, within abortTimeout.
func (c *conn) Close() error { return c.session.Close() }

// Begin begins a transaction.
func (c *conn) Begin() (driver.Tx, error) { return c.BeginTx(context.Background(), driver.TxOptions{}) }

// BeginTx begins a transaction.
func (c *conn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	if options.ReadOnly || options.Isolation != driver.IsolationLevel(sql.LevelDefault) {
		return nil, invalid("transactions are READ COMMITTED and may write; no other kind is there")
	}
	if _, err := c.ExecContext(ctx, "BEGIN", nil); err != nil {
		return nil, err
	}
	c.open = true
	return &transaction{c, ctx}, nil
}

// transaction is an open one.
type transaction struct {
	conn *conn
	ctx  context.Context
}

// Commit commits. After an error it is not known whether that was done, and the
// connection is dropped.
func (t *transaction) Commit() error { return t.end("COMMIT", commitTimeout) }

// Rollback rolls back. When that fails the connection is dropped, and the server
// does it with the session.
func (t *transaction) Rollback() error { return t.end("ROLLBACK", rollbackTimeout) }

func (t *transaction) end(statement string, timeout time.Duration) error {
	if t.conn == nil {
		return sql.ErrTxDone
	}
	c := t.conn
	t.conn = nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), timeout)
	defer cancel()
	if _, err := c.ExecContext(ctx, statement, nil); err != nil {
		c.dead = true
		return err
	}
	c.open = false
	return nil
}
