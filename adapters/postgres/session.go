package postgres

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// session is one connection, used at the level of the protocol: what a client
// library would do with the values of a result is not what is measured.
type session struct {
	id         string
	conn       *pgconn.PgConn
	wire       wire // what of it operations use
	statements []statement
	buffer     []byte // of values, reused; never nil, which would make an empty text a null
	closed     bool
}

// Open opens a session on a connection of its own and prepares its statements.
// Errors: Unavailable, Denied, Invalid for a statement that cannot be prepared.
func (t *Target) Open(ctx context.Context, options ports.SessionOptions) (ports.Session, error) {
	conn, err := t.connect(ctx, options.Tag)
	if err != nil {
		return nil, err
	}
	s := &session{conn: conn.PgConn(), wire: newWire(conn.PgConn()), buffer: make([]byte, 0, 256)}
	ctx, cancel := context.WithTimeout(ctx, t.config.ConnectTimeout) // preparing waits for locks of the tables
	defer cancel()
	if err := s.makeReady(ctx, options, t.pooled); err != nil {
		closeConn(s.conn)
		return nil, err
	}
	return s, nil
}

// makeReady makes a new connection ready for operations.
func (s *session) makeReady(ctx context.Context, options ports.SessionOptions, pooled bool) (err error) {
	if err := s.prepareAll(ctx, options, pooled); err != nil {
		return err
	}
	if s.id, err = s.identify(ctx, pooled); err != nil {
		return err
	}
	if err := s.conn.SyncConn(ctx); err != nil { // pgconn, which may have read beside a write that took long, has to stop
		return coded(ctx, "ending the preparation of a session", err, true)
	}
	return nil
}

func (s *session) prepareAll(ctx context.Context, options ports.SessionOptions, pooled bool) error {
	for i, given := range options.Statements {
		name := ""
		if !pooled {
			name = "benchfleet_" + strconv.Itoa(i)
		}
		parsed, err := parse(ctx, s.conn, name, options.Table, given)
		if err != nil {
			return coded(ctx, "preparing a statement", err, s.conn.IsClosed())
		}
		s.statements = append(s.statements, newStatement(parsed))
	}
	return nil
}

// sessionID is the id of a session, in a row of pg_stat_activity: the number of
// the server's process, when it began, and when the server did. A number is used
// again by another process, not with the same microsecond. The id is null where
// the user may not see when the process began.
const sessionID = `pid || '@' || to_char(backend_start AT TIME ZONE 'UTC', ` + micros + `) || '/' ||
	to_char(pg_postmaster_start_time() AT TIME ZONE 'UTC', ` + micros + `)`

const micros = `'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'`

// pooledID begins the id of a session whose server process cannot be known.
const pooledID = "pooled/"

// identify asks for the session's id. A pooler is also recognised by its giving
// out numbers of processes that are not the server's.
func (s *session) identify(ctx context.Context, pooled bool) (string, error) {
	if !pooled {
		var id string
		result := s.conn.ExecParams(ctx, "SELECT "+sessionID+" FROM pg_stat_activity WHERE pid = pg_backend_pid()", nil, nil, nil, nil)
		for result.NextRow() {
			id = string(result.Values()[0])
		}
		if _, err := result.Close(); err != nil {
			return "", s.fail(ctx, "asking for the id of a session", err)
		}
		if strings.HasPrefix(id, strconv.FormatUint(uint64(s.conn.PID()), 10)+"@") {
			return id, nil
		}
	}
	return pooledID + rand.Text(), nil
}

// ID is the process, its start and the server's, or pooled/ and a random text
// behind a pooler.
func (s *session) ID() string { return s.id }

// Remote says that calls wait for a server.
func (s *session) Remote() {}

// QueryID is "": PostgreSQL gives executions no ids.
func (s *session) QueryID() string { return "" }

// Exec executes a statement and reads its result, as it comes over the wire.
func (s *session) Exec(ctx context.Context, number int, args []any) (int64, error) {
	if uint(number) >= uint(len(s.statements)) {
		return 0, s.leave(ctx, fmt.Errorf("%w: postgres: statement %d of %d", core.ErrInvalid, number, len(s.statements)))
	}
	st := &s.statements[number]
	buffer, err := st.bind(args, s.buffer[:0])
	if err != nil {
		return 0, s.leave(ctx, err)
	}
	s.buffer = buffer
	rows, changed, err := s.run(ctx, st)
	if err != nil {
		return 0, s.leave(ctx, s.fail(ctx, "executing a statement", err))
	}
	if len(st.parsed.Fields) == 0 {
		rows = changed
	}
	return rows, nil
}

// run executes a statement with the values that it holds: by the wire, or by pgconn
// where it is parsed anew, or has much to send.
func (s *session) run(ctx context.Context, st *statement) (rows, changed int64, err error) {
	if st.parsed.Name != "" && len(s.buffer) <= maxPlainSend {
		rows, err = s.wire.execute(ctx, st)
		return rows, affected(s.wire.tag), err
	}
	if err := s.wire.handOver(); err != nil {
		return 0, 0, err
	}
	begun := time.Now()
	var result *pgconn.ResultReader
	if st.parsed.Name == "" {
		result = s.conn.ExecParams(ctx, st.parsed.SQL, st.values, st.parsed.ParamOIDs, st.forms, st.shown)
	} else {
		result = s.conn.ExecStatement(ctx, st.parsed, st.values, st.forms, st.shown)
	}
	for query := len(st.parsed.Fields) > 0; query && result.NextRow(); {
		rows++
	}
	tag, err := result.Close()
	if time.Since(begun) > patienceOfPgconn {
		s.wire.bottom = nil // pgconn may have begun to read ahead, and reads from now on
	}
	if err == nil || !pgconn.SafeToRetry(err) { // else nothing was sent, and pgconn knows of no newer state
		s.wire.state = s.conn.TxStatus()
	}
	return rows, tag.RowsAffected(), err
}

// fail gives an error its code.
func (s *session) fail(ctx context.Context, what string, err error) error {
	if broken := s.conn.IsClosed(); broken || ctx.Err() == nil {
		return fault(ctx, what, err, broken)
	}
	return fmt.Errorf("%w: postgres: %s: %w", core.ErrRefused, what, ctx.Err()) // the server has cancelled it, and the session goes on
}

// inTransaction reports whether the server has one open, failed or not.
func (s *session) inTransaction() bool { return !s.conn.IsClosed() && s.wire.state != 'I' }

// leave ends the open transaction, if any, after an error, which it returns
// unless it finds the session broken.
func (s *session) leave(ctx context.Context, err error) error {
	if !s.inTransaction() {
		return err
	}
	if problem := s.Rollback(ctx); problem != nil {
		return problem
	}
	return err
}

// call executes a statement that frames a transaction.
func (s *session) call(ctx context.Context, text string) (done string, err error) {
	if s.conn.IsClosed() {
		return "", fmt.Errorf("%w: postgres: session %s is closed", core.ErrUnavailable, s.id)
	}
	if err := s.wire.query(ctx, text); err != nil {
		return "", s.fail(ctx, text, err)
	}
	return string(s.wire.tag), nil
}

// Begin begins a transaction. Errors: Refused inside one.
func (s *session) Begin(ctx context.Context) error {
	if s.inTransaction() {
		return fmt.Errorf("%w: postgres: session %s is in a transaction already", core.ErrRefused, s.id)
	}
	if _, err := s.call(ctx, "BEGIN"); err != nil {
		return s.leave(ctx, err)
	}
	return nil
}

// Commit ends the transaction. Errors: Refused outside one; Conflict when the
// server rolls it back instead.
func (s *session) Commit(ctx context.Context) error {
	if !s.conn.IsClosed() && !s.inTransaction() {
		return fmt.Errorf("%w: postgres: session %s is in no transaction", core.ErrRefused, s.id)
	}
	done, err := s.call(ctx, "COMMIT")
	if err != nil {
		return s.leave(ctx, err)
	}
	if done != "COMMIT" {
		return fmt.Errorf("%w: postgres: the server did %s instead of COMMIT", core.ErrConflict, done)
	}
	return nil
}

// rollbackTimeout bounds a ROLLBACK whose context has ended already.
const rollbackTimeout = 5 * time.Second

// Rollback ends the transaction, if there is one, also when ctx has ended.
// Errors: Unavailable, when the server has ended the session.
func (s *session) Rollback(ctx context.Context) error {
	if !s.inTransaction() {
		return nil
	}
	if ctx.Err() != nil {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		ctx = bounded
	}
	_, err := s.call(ctx, "ROLLBACK")
	return err
}

// Close ends the connection, and with it an open transaction.
func (s *session) Close() error {
	if !s.closed {
		s.closed = true
		s.wire.close()
		closeConn(s.conn)
	}
	return nil
}
