package postgres

import (
	"context"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

var (
	_ ports.Target  = (*Target)(nil)
	_ ports.Loader  = (*Target)(nil)
	_ ports.Session = (*session)(nil)

	_ ctxwatch.Handler = canceller{}
)

const (
	// DefaultConnectTimeout bounds an attempt to connect.
	DefaultConnectTimeout = 10 * time.Second
	// cancelTimeout bounds how long a cancelled statement is waited for, until
	// its connection is given up.
	cancelTimeout = 5 * time.Second
	// closeTimeout bounds how long the end of a server process is waited for.
	closeTimeout = 2 * time.Second
)

// Options of a target.
type Options struct {
	// PgBouncer makes sessions safe behind a connection pooler that gives every
	// transaction another server process. pgbouncer=true in the DSN does too.
	PgBouncer bool
	// ConnectTimeout bounds an attempt to connect; 0: DefaultConnectTimeout.
	// connect_timeout in the DSN, in seconds, wins.
	ConnectTimeout time.Duration
}

// Target is a PostgreSQL database under load. Make it with New.
type Target struct {
	config *pgx.ConnConfig // not to be changed
	pooled bool

	// turn is held while admin is in use.
	turn   chan struct{}
	admin  *pgx.Conn // made at its first use
	closed bool
}

// New makes the target that dsn names: postgres://user:password@host:port/database
// or pairs name=value, as the package describes them. It touches nothing.
// Errors: Invalid.
func New(dsn string, options Options) (*Target, error) {
	given, err := parseDSN(dsn)
	if err != nil {
		return nil, err
	}
	t := &Target{turn: make(chan struct{}, 1)}
	if t.pooled, err = given.takeBool("pgbouncer"); err != nil {
		return nil, err
	}
	t.pooled = t.pooled || options.PgBouncer
	if options.ConnectTimeout <= 0 {
		options.ConnectTimeout = DefaultConnectTimeout
	}
	timeout, err := given.connectTimeout(options.ConnectTimeout)
	if err != nil {
		return nil, err
	}
	if t.config, err = given.config(); err != nil {
		return nil, err
	}
	t.config.ConnectTimeout = timeout
	t.config.DialFunc = hidden(t.config.DialFunc)
	t.config.DefaultQueryExecMode = pgx.QueryExecModeExec // no prepared statements
	t.config.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return canceller{conn}
	}
	return t, nil
}

// socket reports whether the server is reached by a file of this host.
func (t *Target) socket() bool {
	network, _ := pgconn.NetworkAddress(t.config.Host, t.config.Port)
	return network == "unix"
}

// address is the host and port, for texts.
func (t *Target) address() string {
	return net.JoinHostPort(t.config.Host, strconv.Itoa(int(t.config.Port)))
}

// connect opens a connection that carries a tag.
func (t *Target) connect(ctx context.Context, tagged string) (*pgx.Conn, error) {
	config := t.config.Copy()
	if tagged = tag(tagged); tagged != "" {
		config.RuntimeParams["application_name"] = tagged
	}
	if err := ctx.Err(); err != nil {
		return nil, fault(ctx, "connecting", err, false)
	}
	bounded, cancel := context.WithTimeout(ctx, config.ConnectTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(bounded, config)
	if err != nil {
		return nil, connectFault(ctx, t.address(), err)
	}
	return conn, nil
}

// ask uses the target's own connection, one caller at a time. What it does is
// done again on a new connection when the old one turns out to be gone, so it
// must be idempotent.
func (t *Target) ask(ctx context.Context, what string, do func(*pgx.Conn) error) error {
	if err := ctx.Err(); err != nil {
		return fault(ctx, what, err, false)
	}
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return fault(ctx, what, ctx.Err(), false)
	}
	if t.closed {
		return fmt.Errorf("%w: postgres: the target is closed", core.ErrUnavailable)
	}
	for {
		fresh := t.admin == nil
		if fresh {
			admin, err := t.connect(ctx, "benchfleet")
			if err != nil {
				return err
			}
			t.admin = admin
		}
		err := do(t.admin)
		gone := t.admin.IsClosed()
		if gone {
			t.admin = nil
		}
		if err != nil && gone && !fresh && ctx.Err() == nil {
			continue
		}
		return coded(ctx, what, err, gone)
	}
}

// Close frees the connection that the target holds for itself, when the call that
// uses it has ended. It is idempotent.
func (t *Target) Close() error {
	t.turn <- struct{}{}
	defer func() { <-t.turn }()
	t.closed = true
	admin := t.admin
	t.admin = nil
	if admin != nil {
		closeConn(admin.PgConn())
	}
	return nil
}

// closeConn ends a connection and waits until the server has ended its process,
// for closeTimeout at most: then nothing of it runs or holds a lock any more. It
// is idempotent. What fails on the way is of no use to anybody: the connection
// ends all the same.
func closeConn(conn *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if conn.IsClosed() { // the driver gave it up, and cancels what ran on it
		select {
		case <-conn.CleanupDone():
		case <-ctx.Done():
			_ = conn.Conn().Close()
		}
		return
	}
	deadline, _ := ctx.Deadline()
	wire := conn.Conn()
	_ = wire.SetDeadline(deadline)
	conn.Frontend().Send(&pgproto3.Terminate{})
	if conn.Frontend().Flush() == nil {
		_, _ = io.Copy(io.Discard, wire) // until the server closes it
	}
	_ = conn.Close(ctx)
}

// canceller cancels what runs on a connection when the context of the call ends.
// It waits until the server has closed the connection that asked for it: by then
// the signal is sent, so it cannot hit the next statement; and some versions of
// PgBouncer die when that connection is dropped sooner.
type canceller struct{ conn *pgconn.PgConn }

// HandleCancel asks the server, and gives the call cancelTimeout to end.
func (c canceller) HandleCancel(context.Context) {
	ctx, cancel := context.WithTimeout(context.Background(), cancelTimeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	_ = c.conn.Conn().SetDeadline(deadline)
	_ = c.conn.CancelRequest(ctx) // when it fails, the deadline ends the call
}

// HandleUnwatchAfterCancel lets the connection be used again.
func (c canceller) HandleUnwatchAfterCancel() { _ = c.conn.Conn().SetDeadline(time.Time{}) }

// Explain asks the server to parse a statement and to plan it with nulls for its
// parameters. Nothing is executed. Errors: Invalid with what the server says,
// Denied when the user may not do that to the table.
func (t *Target) Explain(ctx context.Context, table core.TemplateTable, given core.Statement) error {
	return t.ask(ctx, "explaining a statement", func(conn *pgx.Conn) error {
		parsed, err := parse(ctx, conn.PgConn(), "", table, given)
		if err != nil || !planned(given.SQL) {
			return err
		}
		nulls := make([][]byte, len(parsed.ParamOIDs))
		_, err = conn.PgConn().ExecParams(ctx, "EXPLAIN "+parsed.SQL, nulls, parsed.ParamOIDs, nil, nil).Close()
		return err
	})
}

// copiesIn reports whether a statement waits for data of the client.
func copiesIn(sql string) bool {
	return core.FirstKeyword(sql) == "COPY" && fromStdin.MatchString(sql)
}

var fromStdin = regexp.MustCompile(`(?i)\bFROM\s+STDIN\b`)

// planned reports whether EXPLAIN takes a statement.
func planned(sql string) bool {
	switch core.FirstKeyword(sql) {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES", "WITH":
		return true
	}
	return false
}

// parse has the server parse a statement under a name. Errors of the server have
// no code yet.
func parse(ctx context.Context, conn *pgconn.PgConn, name string, table core.TemplateTable, given core.Statement) (*pgconn.StatementDescription, error) {
	if err := core.CheckStatement(given.SQL); err != nil {
		return nil, err
	}
	text, err := fillTables(given.SQL, table)
	if err != nil {
		return nil, err
	}
	if copiesIn(text) {
		return nil, fmt.Errorf("%w: postgres: COPY … FROM STDIN waits for data that a statement has none of; use INSERT", core.ErrInvalid)
	}
	parameters, err := core.CountPlaceholders(given.SQL)
	if err != nil {
		return nil, err
	}
	if given.Bind != nil && len(given.Bind) != parameters {
		return nil, fmt.Errorf("%w: postgres: %d parameters are bound to %d placeholders", core.ErrInvalid, len(given.Bind), parameters)
	}
	text, err = core.Rebind(text, func(n int) string { return "$" + strconv.Itoa(n) })
	if err != nil {
		return nil, err
	}
	parsed, err := conn.Prepare(ctx, name, text, nil)
	if err == nil && len(parsed.ParamOIDs) != parameters {
		err = fmt.Errorf("%w: postgres: the statement has %d placeholders, the server finds %d", core.ErrInvalid, parameters, len(parsed.ParamOIDs))
	}
	return parsed, err
}
