package snowflake

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	sf "github.com/snowflakedb/gosnowflake/v2"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

const (
	statementTimeout = "STATEMENT_TIMEOUT_IN_SECONDS"
	// statementGrace is how much longer than its caller waits a statement may run.
	statementGrace = abortTimeout + time.Second
)

// session is one connection of the driver, without database/sql: what that does
// for a call is not what is measured.
//
// A statement whose context ends is aborted on the server. When the server
// confirms that within abortTimeout the session goes on, else it is broken.
type session struct {
	id         string
	conn       driverConn
	statements []*statement
	row        []driver.Value // reused
	given      string         // the session's tag
	tag        string         // of the next statement
	queryID    string
	inside     bool // a transaction
	broken     bool
	closed     bool
}

// Open opens a session on a connection of its own, and lets Snowflake compile its
// statements, once for each target: there is nothing that a session would keep of
// that. Errors: Unavailable, Denied, Invalid for a statement that does not
// compile, Unsupported when the session is not as it must be.
func (t *Target) Open(ctx context.Context, options ports.SessionOptions) (ports.Session, error) {
	tag := queryTag(options.Tag)
	parameters := parametersOf(measuredPool, t.config.parameters)
	parameters["USE_CACHED_RESULT"] = strconv.FormatBool(options.ResultCache)
	if _, given := t.config.parameters[statementTimeout]; !given && options.StatementTimeout > 0 {
		parameters[statementTimeout] = seconds(options.StatementTimeout + statementGrace)
	}
	connector := newConnector(t.config, measuredPool, tag)
	connector.set(parameters)
	inner, err := connector.login(ctx)
	if err != nil {
		return nil, t.mend(err)
	}
	s := &session{conn: inner, given: tag, tag: tag}
	err = t.prepare(ctx, s, options)
	if err == nil {
		err = t.verifyMeasured(ctx, s, options.ResultCache, parameters)
	}
	if err != nil {
		return nil, errors.Join(t.mend(err), s.Close())
	}
	return s, nil
}

func (t *Target) prepare(ctx context.Context, s *session, options ports.SessionOptions) error {
	for _, given := range options.Statements {
		text, parameters, err := statementText(options.Table, given)
		if err != nil {
			return err
		}
		if err := t.describeOnce(ctx, s.conn, text); err != nil {
			return fault(ctx, "preparing a statement", err, isDead(err) || ctx.Err() != nil)
		}
		s.statements = append(s.statements, newStatement(text, given.Query, parameters))
	}
	rows, err := ask(ctx, s.conn, "SELECT CURRENT_SESSION() AS ID")
	if err != nil {
		return fault(ctx, "asking for the id of a session", err, true)
	}
	if len(rows) != 1 || !isSessionID(rows[0]["id"]) {
		return fmt.Errorf("%w: snowflake: a session without an id: %v", core.ErrInternal, rows)
	}
	s.id = rows[0]["id"]
	return nil
}

// verifyMeasured asks once for each target whether measured sessions are as they
// must be: with cached results nothing would be measured.
func (t *Target) verifyMeasured(ctx context.Context, s *session, cached bool, parameters map[string]string) error {
	t.mu.Lock()
	done := t.verified[cached]
	t.mu.Unlock()
	if done {
		return nil
	}
	if err := verifyParameters(ctx, s.conn, measuredPool, parameters); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.verified[cached] = true
	return nil
}

// maxTag is the length of a QUERY_TAG that Snowflake takes.
const maxTag = 2000

// queryTag makes a QUERY_TAG of a text.
func queryTag(text string) string {
	text = strings.ToValidUTF8(text, "?")
	if len(text) > maxTag {
		text = strings.ToValidUTF8(text[:maxTag], "")
	}
	return text
}

// Phase adds the phase to the QUERY_TAG of each statement, with which it is sent.
func (s *session) Phase(phase core.Phase) { s.tag = queryTag(s.given + "/" + string(phase)) }

// ID is CURRENT_SESSION().
func (s *session) ID() string { return s.id }

// Remote says that calls wait for a server.
func (s *session) Remote() {}

// QueryID is Snowflake's id of the last statement.
func (s *session) QueryID() string { return s.queryID }

// Exec executes a statement and reads its result.
func (s *session) Exec(ctx context.Context, number int, args []any) (int64, error) {
	if s.broken {
		return 0, s.gone()
	}
	if uint(number) >= uint(len(s.statements)) {
		return 0, s.leave(ctx, invalid("statement %d of %d", number, len(s.statements)))
	}
	st := s.statements[number]
	text, err := st.bind(args)
	if err != nil {
		return 0, s.leave(ctx, err)
	}
	rows, err := s.run(ctx, text, st)
	if err != nil {
		return 0, s.leave(ctx, s.fail(ctx, "executing a statement", err))
	}
	return rows, nil
}

func (s *session) run(ctx context.Context, text string, st *statement) (int64, error) {
	s.queryID = ""
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	ctx = sf.WithQueryTag(ctx, s.tag)
	if !st.query {
		result, err := s.conn.ExecContext(ctx, text, st.values)
		if err != nil || result == driver.ResultNoRows {
			return 0, err
		}
		s.note(result)
		return result.RowsAffected()
	}
	rows, err := s.conn.QueryContext(ctx, text, st.values)
	if err != nil {
		return 0, err
	}
	s.note(rows)
	columns := len(rows.Columns())
	if cap(s.row) < columns {
		s.row = make([]driver.Value, columns)
	}
	count := int64(0)
	for {
		err := rows.Next(s.row[:columns])
		if err == nil {
			count++
			continue
		}
		if closed := rows.Close(); errors.Is(err, io.EOF) {
			err = closed
		}
		return count, err
	}
}

// note remembers Snowflake's id of a statement.
func (s *session) note(of any) {
	if known, ok := of.(interface{ GetQueryID() string }); ok {
		s.queryID = known.GetQueryID()
	}
}

// fail gives an error its code, and notes what it says of the session.
func (s *session) fail(ctx context.Context, what string, err error) error {
	var said *sf.SnowflakeError
	if errors.As(err, &said) && said.QueryID != "" {
		s.queryID = said.QueryID
	}
	if isDead(err) {
		s.broken = true
	}
	return fault(ctx, what, err, s.broken)
}

// gone is the error of a session that is of no more use.
func (s *session) gone() error {
	return fmt.Errorf("%w: snowflake: session %s is closed", core.ErrUnavailable, s.id)
}

// leave ends the open transaction, if any, after an error, which it returns
// unless it finds the session broken.
func (s *session) leave(ctx context.Context, err error) error {
	if problem := s.Rollback(ctx); problem != nil {
		return fmt.Errorf("%w, after: %w", problem, err)
	}
	return err
}

// call executes a statement that frames a transaction.
func (s *session) call(ctx context.Context, text string) error {
	if s.broken {
		return s.gone()
	}
	if err := ctx.Err(); err != nil {
		return fault(ctx, text, err, false)
	}
	if _, err := s.conn.ExecContext(sf.WithQueryTag(ctx, s.tag), text, nil); err != nil {
		return s.fail(ctx, text, err)
	}
	return nil
}

// Begin begins a transaction. Errors: Refused inside one.
func (s *session) Begin(ctx context.Context) error {
	if s.inside {
		return fmt.Errorf("%w: snowflake: session %s is in a transaction already", core.ErrRefused, s.id)
	}
	if err := s.call(ctx, "BEGIN"); err != nil {
		s.inside = !s.broken && ctx.Err() != nil // it may have been begun
		return s.leave(ctx, err)
	}
	s.inside = true
	return nil
}

// Commit ends the transaction. Errors: Refused outside one. A COMMIT that is cut
// by its context may have been done: that is Unavailable, and the session is
// broken.
func (s *session) Commit(ctx context.Context) error {
	if !s.inside && !s.broken {
		return fmt.Errorf("%w: snowflake: session %s is in no transaction", core.ErrRefused, s.id)
	}
	if err := s.call(ctx, "COMMIT"); err != nil {
		if ctx.Err() != nil && !s.broken {
			s.broken = true
			return fmt.Errorf("%w: snowflake: COMMIT was cut, and may have been done: %w", core.ErrUnavailable, ctx.Err())
		}
		return s.leave(ctx, err)
	}
	s.inside = false
	return nil
}

// Rollback ends the transaction, if there is one, also when ctx has ended: then
// it has rollbackTimeout. Errors: Unavailable when that fails, since nothing is
// known of the session any more.
func (s *session) Rollback(ctx context.Context) error {
	if !s.inside {
		return nil
	}
	s.inside = false
	if s.broken {
		return nil // the server does it when it ends the session
	}
	if ctx.Err() != nil {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		ctx = bounded
	}
	if err := s.call(ctx, "ROLLBACK"); err != nil {
		s.broken = true
		return fmt.Errorf("%w: snowflake: the transaction of session %s could not be rolled back: %w", core.ErrUnavailable, s.id, err)
	}
	return nil
}

// Close logs out, within abortTimeout, which rolls back what is open. It is
// idempotent.
func (s *session) Close() error {
	if s.closed {
		return nil
	}
	s.closed, s.broken = true, true
	if err := s.conn.Close(); err != nil {
		return fmt.Errorf("%w: snowflake: closing session %s: %s", core.ErrUnavailable, s.id, oneLine(err))
	}
	return nil
}
