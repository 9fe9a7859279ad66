package engine

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

// newQueryID makes a UUID.
func newQueryID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Execute executes the statements of a text. When the context ends, the statement
// is cancelled. The error is an *Error.
func (s *Session) Execute(ctx context.Context, q Query) (*Result, error) {
	if q.ID == "" {
		q.ID = newQueryID()
	}
	q.Binds = withoutTypesOfNulls(q.Binds)
	given := q.Parameters
	q.Parameters = make(map[string]string, len(given))
	for name, value := range given {
		q.Parameters[strings.ToUpper(name)] = value
	}
	r := s.engine.history.begin(s, s.describeQuery(q))
	if !s.run.TryLock() {
		if !s.inTransaction.Load() && onlyAside(q.SQL) {
			return s.aside(ctx, r, q)
		}
		s.run.Lock()
	}
	defer s.run.Unlock()
	result, err := s.guarded(ctx, r, q)
	if err != nil {
		err = s.timedOut(asError(err), q)
	}
	s.engine.history.end(r, result, err)
	s.remember(r)
	if err != nil {
		return nil, err
	}
	return result, nil
}

// withoutTypesOfNulls makes TEXT of binds that are NULL alone: what they are is
// known by their place.
func withoutTypesOfNulls(binds []Bind) []Bind {
	isNull := func(v *string) bool { return v == nil }
	list := slices.Clone(binds)
	for i, b := range list {
		if b.IsArray && !slices.ContainsFunc(b.Values, func(v *string) bool { return !isNull(v) }) || !b.IsArray && isNull(b.Value) {
			list[i].Type = "TEXT"
		}
	}
	return list
}

// aside executes a query or DML while another statement of the session runs,
// outside a transaction; others wait. It is done on a connection of its own, with a copy of what the session uses.
func (s *Session) aside(ctx context.Context, r *record, q Query) (*Result, error) {
	s.mu.Lock()
	copied := &Session{
		engine: s.engine, id: s.id, service: s.service, info: s.info, parameters: maps.Clone(s.parameters), plans: newPlans(), closed: s.closed, hybridIn: s.hybridIn,
		variables: map[string]sqltext.Expr{}, temporary: map[string]bool{}, copied: true,
	}
	s.mu.Unlock()
	err := copied.connect(ctx)
	var result *Result
	if err == nil {
		r.moveTo(copied)
		result, err = copied.guarded(ctx, r, q)
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
		defer cancel()
		_ = copied.conn.Close(closing) // PostgreSQL ends it either way
	}
	if err != nil {
		err = s.timedOut(asError(err), q)
	}
	s.engine.history.end(r, result, err)
	r.forgetResult() // no session counts it among its last
	if err != nil {
		return nil, err
	}
	return result, nil
}

func (s *Session) describeQuery(q Query) QueryInfo {
	info := s.Info()
	return QueryInfo{
		ID: q.ID, RequestID: q.RequestID, SQL: q.SQL, SessionID: s.id, User: info.User, Role: info.Role, Warehouse: info.Warehouse,
		Database: info.Database, Schema: info.Schema, Tag: s.parameter("QUERY_TAG", q.Parameters),
	}
}

// timedOut puts the seconds into the text of a timeout.
func (s *Session) timedOut(err error, q Query) error {
	if own, ok := err.(*Error); ok && own.Number == 630 {
		return failure(630, "57014", "Statement reached its statement or warehouse timeout of %d second(s) and was canceled.", s.statementTimeout(q.Parameters))
	}
	return err
}

// lastResults bounds the results that a session keeps for RESULT_SCAN.
const lastResults = 8

func (s *Session) remember(r *record) {
	s.lastIDs = append(s.lastIDs, r.info.ID)
	if len(s.lastIDs) > 100 {
		s.lastIDs = s.lastIDs[len(s.lastIDs)-100:]
	}
	s.results = append(s.results, r)
	if len(s.results) > lastResults {
		s.results[0].forgetResult()
		s.results = s.results[1:]
	}
}

// guarded executes a query while it can be cancelled.
func (s *Session) guarded(ctx context.Context, r *record, q Query) (*Result, error) {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return nil, failure(390111, "08001", "Session no longer exists. New login required to access the service.")
	}
	s.signals.Lock()
	s.current = r
	s.signals.Unlock()
	defer func() {
		s.signals.Lock()
		s.current = nil
		s.signals.Unlock()
	}()
	stop := context.AfterFunc(ctx, func() { s.engine.cancel(r) })
	defer stop()
	ctx = context.WithoutCancel(ctx)
	if s.conn.IsClosed() {
		lost := s.tx != nil
		if err := s.connect(ctx); err != nil {
			return nil, err
		}
		if lost {
			return nil, failure(603, "XX000", "SQL execution internal error:\nthe connection to PostgreSQL was lost, and with it the transaction.")
		}
	}
	return s.texts(ctx, r, q)
}

// texts executes the statements of a text one after the other.
func (s *Session) texts(ctx context.Context, r *record, q Query) (*Result, error) {
	statements, err := s.plans.parse(q.SQL)
	if err != nil {
		return nil, err
	}
	for name, value := range q.Parameters {
		if _, bad := checkParameter(name, value); bad != nil {
			return nil, bad
		}
	}
	want, _ := strconv.Atoi(s.parameter("MULTI_STATEMENT_COUNT", q.Parameters)) // it was checked
	if want != 0 && len(statements) != want {
		return nil, failure(8, "0A000", "Actual statement count %d did not match the desired statement count %d.", len(statements), want)
	}
	if len(statements) == 1 {
		return s.one(ctx, r, statements[0], q)
	}
	parent := &Result{TypeID: TypeMulti, QueryID: q.ID, Start: time.Now(), Columns: []Column{textColumn("multiple statement execution")}, Parameters: map[string]string{}}
	text := "Multiple statements executed successfully."
	parent.Rows = [][]*string{{&text}}
	for _, st := range statements {
		child := q
		child.ID, child.SQL = newQueryID(), st.Text
		cr := s.engine.history.begin(s, s.describeQuery(child))
		if r.cancelled.Load() {
			cr.cancelled.Store(true)
		}
		result, err := s.one(ctx, r, st, child)
		s.engine.history.end(cr, result, asError(err))
		s.remember(cr)
		if err != nil {
			return nil, err
		}
		maps.Copy(parent.Parameters, result.Parameters)
		parent.Children = append(parent.Children, result)
	}
	s.stamp(parent)
	return parent, nil
}

// one executes one statement.
func (s *Session) one(ctx context.Context, r *record, st *sqltext.Statement, q Query) (*Result, error) {
	if r.cancelled.Load() {
		return nil, canceled()
	}
	start := time.Now()
	s.changed = map[string]string{}
	if err := s.apply(ctx, q.Parameters); err != nil {
		return nil, err
	}
	r.update(func(i *QueryInfo) { i.Type = typeName(st.Node) })
	result, err := s.dispatch(ctx, r, st, q)
	if err != nil {
		s.afterError(ctx)
		if r.cancelled.Load() {
			return nil, canceled()
		}
		return nil, err
	}
	result.QueryID, result.SQL, result.Parameters, result.Start = q.ID, st.Text, s.changed, start
	s.stamp(result)
	return result, nil
}

// stamp notes what the session uses at the end of a statement.
func (s *Session) stamp(r *Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Database, r.Schema, r.Warehouse, r.Role = s.info.Database, s.info.Schema, s.info.Warehouse, s.info.Role
	r.HybridDatabases, r.End = s.hybridIn, time.Now()
}

// dispatch executes a statement by its kind.
func (s *Session) dispatch(ctx context.Context, r *record, st *sqltext.Statement, q Query) (*Result, error) {
	switch n := st.Node.(type) {
	case *sqltext.Query, *sqltext.Insert, *sqltext.Update, *sqltext.Delete, *sqltext.Merge, *sqltext.CallStmt:
		return s.data(ctx, r, st, q)
	case *sqltext.Explain:
		return s.explain(ctx, r, n, q)
	case *sqltext.Empty:
		return nil, failure(900, "42601", "SQL compilation error:\nEmpty SQL statement.")
	case *sqltext.Show:
		return s.show(ctx, n, q)
	case *sqltext.Describe:
		return s.describe(ctx, n, q)
	case *sqltext.Other:
		return s.other(ctx, r, n, st, q)
	}
	if q.DescribeOnly {
		return &Result{TypeID: TypeDDL, Columns: []Column{textColumn("status")}}, nil
	}
	return s.act(ctx, st, q)
}

// onlyAside reports whether a text holds nothing but such statements.
func onlyAside(text string) bool {
	statements, err := sqltext.Parse(text)
	return err == nil && !slices.ContainsFunc(statements, func(st *sqltext.Statement) bool { return !asideMay(st.Node) })
}

// asideMay are the statements that change nothing of their session.
func asideMay(n sqltext.Node) bool {
	switch n.(type) {
	case *sqltext.Query, *sqltext.CallStmt, *sqltext.Explain, *sqltext.Show, *sqltext.Describe:
		return true
	}
	return isDML(n)
}

// act executes statements that change something and return a status.
func (s *Session) act(ctx context.Context, st *sqltext.Statement, q Query) (*Result, error) {
	switch n := st.Node.(type) {
	case *sqltext.Begin:
		return s.begin(ctx, n, false)
	case *sqltext.Commit:
		return s.end(ctx, "COMMIT")
	case *sqltext.Rollback:
		return s.end(ctx, "ROLLBACK")
	case *sqltext.Use:
		return s.useStatement(ctx, n, q)
	case *sqltext.SetVar:
		return s.setVariables(ctx, n, q)
	case *sqltext.UnsetVar:
		for _, name := range n.Names {
			delete(s.variables, name)
		}
		s.plans.stale()
		return executed(), nil
	case *sqltext.AlterObject:
		return s.alterObject(ctx, n, q)
	case *sqltext.CreateTable:
		return s.createTable(ctx, n, q)
	case *sqltext.CreateIndex:
		return s.createIndex(ctx, n, q)
	case *sqltext.CreateView:
		return s.createView(ctx, n, q)
	case *sqltext.CreateObject:
		return s.createObject(ctx, n, q)
	case *sqltext.AlterTable:
		return s.alterTable(ctx, n, q)
	case *sqltext.Drop:
		return s.drop(ctx, n, q)
	case *sqltext.Truncate:
		return s.truncate(ctx, n, q)
	case *sqltext.Grant:
		return s.grant(ctx, n, q)
	case *sqltext.Comment:
		return s.comment(ctx, n, q)
	}
	return nil, unsupported("%T", st.Node)
}

// other gives a statement to the handler with the longest words.
func (s *Session) other(ctx context.Context, r *record, n *sqltext.Other, st *sqltext.Statement, q Query) (*Result, error) {
	reads := n.Words[0] == "SHOW" || n.Words[0] == "DESCRIBE" || n.Words[0] == "DESC"
	for i := len(n.Words); i > 0; i-- {
		if handler, ok := s.engine.options.Handlers[strings.Join(n.Words[:i], " ")]; ok {
			if q.DescribeOnly && !reads {
				return &Result{TypeID: TypeDDL, Columns: []Column{textColumn("status")}}, nil
			}
			q.SQL = st.Text
			q.Binds = q.Binds[min(st.FirstParam, len(q.Binds)):min(st.Params, len(q.Binds))]
			return s.interruptible(ctx, r, q, handler)
		}
	}
	return nil, unsupported("%s", strings.Join(n.Words, " "))
}
