package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/pgtext"
	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

// version is what CURRENT_VERSION returns: that this is no Snowflake.
const version = "9.0.0-standin"

// context is what a statement of a query is written against.
func (s *Session) context(ctx context.Context, q Query) *pgtext.Context {
	info := s.Info()
	c := &pgtext.Context{
		Database: info.Database, Schema: info.Schema, Value: s.value, Unbound: q.DescribeOnly,
		Bind: func(index int) *string {
			if index < len(q.Binds) {
				return q.Binds[index].Value
			}
			return nil
		},
		Variable:  func(name string) (sqltext.Expr, bool) { x, ok := s.variables[name]; return x, ok },
		Temporary: func(full string) bool { return s.temporary[full] },
	}
	for _, b := range q.Binds {
		c.Binds = append(c.Binds, b.Type)
	}
	c.Source = func(call *sqltext.Call) (*pgtext.Source, error) { return s.source(ctx, call, q) }
	return c
}

// value is the value of a function of the session.
func (s *Session) value(function string, args []string) (value *string, volatile, ok bool) {
	info := s.Info()
	text := func(v string) (*string, bool, bool) {
		if v == "" {
			return nil, false, true
		}
		return &v, false, true
	}
	switch function {
	case "CURRENT_SESSION":
		return text(strconv.FormatInt(s.id, 10))
	case "CURRENT_USER":
		return text(info.User)
	case "CURRENT_ROLE":
		return text(info.Role)
	case "CURRENT_WAREHOUSE":
		return text(info.Warehouse)
	case "CURRENT_DATABASE":
		return text(info.Database)
	case "CURRENT_SCHEMA":
		return text(info.Schema)
	case "CURRENT_ACCOUNT", "CURRENT_ACCOUNT_NAME":
		return text(s.engine.options.Account.Name)
	case "CURRENT_ORGANIZATION_NAME":
		return text("SNOWLOCAL")
	case "CURRENT_REGION":
		return text(s.engine.options.Account.Region)
	case "CURRENT_VERSION":
		return text(version)
	case "CURRENT_CLIENT", "CURRENT_IP_ADDRESS":
		return text("127.0.0.1")
	case "CURRENT_ROLE_TYPE":
		return text("ROLE")
	case "CURRENT_SECONDARY_ROLES":
		return text(`{"roles":"","value":""}`)
	case "CURRENT_TRANSACTION":
		if s.tx == nil {
			return nil, true, true
		}
		return &s.tx.id, true, true
	case "LAST_QUERY_ID":
		return s.lastQueryID(args), true, true
	}
	return nil, false, false
}

// lastQueryID counts from the last one with a negative number, which is -1
// unless it is given, and from the first one otherwise.
func (s *Session) lastQueryID(args []string) *string {
	n := -1
	if len(args) > 0 {
		var err error
		if n, err = strconv.Atoi(args[0]); err != nil {
			return nil
		}
	}
	index := n - 1
	if n < 0 {
		index = len(s.lastIDs) + n
	}
	if index < 0 || index >= len(s.lastIDs) {
		return nil
	}
	return &s.lastIDs[index]
}

// evaluate computes expressions without tables, as texts.
func (s *Session) evaluate(ctx context.Context, list []sqltext.Expr, q Query) ([]*string, []Column, error) {
	text, err := pgtext.Expressions(s.context(ctx, q), list)
	if err != nil {
		return nil, nil, err
	}
	params, err := s.params(text, q.Binds, -1)
	if err != nil {
		return nil, nil, err
	}
	if err := s.save(ctx); err != nil {
		return nil, nil, err
	}
	result, _, err := s.sendAlone(ctx, &plan{text: text}, params)
	if err != nil {
		return nil, nil, err
	}
	if err := s.release(ctx); err != nil {
		return nil, nil, err
	}
	return result.Rows[0], result.Columns, nil
}

func (s *Session) setVariables(ctx context.Context, n *sqltext.SetVar, q Query) (*Result, error) {
	values, columns, err := s.evaluate(ctx, n.Values, q)
	if err != nil {
		return nil, err
	}
	for i, name := range n.Names {
		x := &sqltext.Literal{Kind: sqltext.StringLiteral}
		switch {
		case values[i] == nil:
			x.Kind = sqltext.NullLiteral
		case columns[i].Type == "fixed", columns[i].Type == "real":
			x.Kind, x.Text = sqltext.NumberLiteral, *values[i]
		case columns[i].Type == "text":
			x.Text = *values[i]
		case columns[i].Type == "boolean":
			if x.Kind = sqltext.FalseLiteral; *values[i] == "1" {
				x.Kind = sqltext.TrueLiteral
			}
		default:
			return nil, unsupported("session variable of type %s", columns[i].Type)
		}
		s.variables[name] = x
	}
	s.plans.stale()
	return executed(), nil
}

// systemCall executes SELECT of a function that acts on sessions and queries.
func (s *Session) systemCall(ctx context.Context, r *record, st *sqltext.Statement, q Query) (*Result, bool, error) {
	items := s.systemCalls(st.Node)
	if items == nil {
		return nil, false, nil
	}
	result := &Result{TypeID: TypeSelect, Rows: [][]*string{}}
	for _, item := range items {
		result.Columns = append(result.Columns, textColumn(pgtext.ItemName(item)))
	}
	if q.DescribeOnly {
		return result, true, nil
	}
	var row []*string
	for _, item := range items {
		call := item.X.(*sqltext.Call) // systemCalls has seen to it
		text, err := s.systemValue(ctx, r, call, q)
		if err != nil {
			return nil, true, err
		}
		row = append(row, &text)
	}
	result.Rows = append(result.Rows, row)
	return result, true, nil
}

// systemValue calls one function.
func (s *Session) systemValue(ctx context.Context, r *record, call *sqltext.Call, q Query) (string, error) {
	name := call.Name.Last()
	args := make([]sqltext.Expr, len(call.Args))
	for i, arg := range call.Args {
		if args[i] = arg.Value; arg.Value == nil {
			return "", unsupported("a query as an argument of %s", name)
		}
	}
	_, own := s.engine.options.Functions[name]
	if !own && len(args) != 1 {
		return "", failure(938, "22023", "SQL compilation error:\nnot enough arguments for function [%s], expected 1, got %d", name, len(args))
	}
	var values []*string
	if len(args) > 0 {
		var err error
		if values, _, err = s.evaluate(ctx, args, q); err != nil {
			return "", err
		}
	}
	switch {
	case own:
		return s.systemFunction(ctx, r, name, values, q)
	case values[0] == nil:
		return "", failure(100132, "22000", "Invalid value: NULL for %s", name)
	}
	return s.systemAct(ctx, name, *values[0])
}

// systemFunctions act on sessions and queries. They are all that their SELECT
// has.
var systemFunctions = []string{"SYSTEM$CANCEL_QUERY", "SYSTEM$CANCEL_ALL_QUERIES", "SYSTEM$ABORT_SESSION"}

// systemCalls are the items of SELECT f(…), g(…), or of CALL, if all of them act.
func (s *Session) systemCalls(n sqltext.Node) []sqltext.Item {
	var items []sqltext.Item
	switch n := n.(type) {
	case *sqltext.CallStmt:
		items = []sqltext.Item{{X: n.Call, Text: n.Call.Name.Last()}}
	case *sqltext.Query:
		body, ok := n.Body.(*sqltext.Select)
		if !ok || n.With != nil || len(body.From) > 0 || body.Where != nil {
			return nil
		}
		items = body.Items
	}
	for _, item := range items {
		call, ok := item.X.(*sqltext.Call)
		if !ok {
			return nil
		}
		if _, own := s.engine.options.Functions[call.Name.Last()]; !own && !slices.Contains(systemFunctions, call.Name.Last()) {
			return nil
		}
	}
	return items
}

// systemAct cancels by query, or by session.
func (s *Session) systemAct(ctx context.Context, function, arg string) (string, error) {
	if function == "SYSTEM$CANCEL_QUERY" {
		r := s.engine.history.find(arg)
		if r == nil {
			return "Invalid UUID-like query id: " + arg, nil
		}
		if err := s.mayCancel(ctx, r.where(), r.copy().Warehouse); err != nil {
			return "", err
		}
		if !s.engine.Cancel(arg) {
			return "Identified SQL statement is not currently executing.", nil
		}
		return "query [" + arg + "] terminated.", nil
	}
	id, err := strconv.ParseInt(arg, 10, 64)
	victim, ok := s.engine.Session(id)
	if function == "SYSTEM$CANCEL_ALL_QUERIES" && (err != nil || !ok) { // not confirmed
		return "0 cancelled.", nil
	}
	if err != nil || !ok {
		return "", failure(100132, "22000", "Session %s does not exist or not authorized.", arg)
	}
	if err := s.mayCancel(ctx, victim, victim.Info().Warehouse); err != nil {
		return "", err
	}
	if function == "SYSTEM$ABORT_SESSION" {
		if victim == s {
			return "", unsupported("SYSTEM$ABORT_SESSION of one's own session")
		}
		victim.Close()
		return "Session " + arg + " aborted.", nil
	}
	return strconv.Itoa(s.engine.cancelSession(victim, s)) + " cancelled.", nil
}

// cancelSession cancels what runs or waits in a session, except the statement
// that asks for it.
func (e *Engine) cancelSession(victim, by *Session) int {
	n := 0
	for _, info := range e.history.list(maxHistoryRows, func(i *QueryInfo) bool { return i.Status == StatusRunning && i.SessionID == victim.id }) {
		if victim != by && e.Cancel(info.ID) {
			n++
		}
	}
	return n
}

// mayCancel wants the same user, or OPERATE on the warehouse.
func (s *Session) mayCancel(ctx context.Context, victim *Session, warehouse string) error {
	if victim.Info().User == s.Info().User {
		return nil
	}
	return s.may(ctx, "WAREHOUSE", warehouse, "OPERATE")
}

// source gives the rows of a table function.
func (s *Session) source(ctx context.Context, call *sqltext.Call, q Query) (*pgtext.Source, error) {
	name := call.Name.Last()
	switch {
	case name == "RESULT_SCAN":
		return s.resultScan(ctx, call, q)
	case strings.HasPrefix(name, "QUERY_HISTORY"):
		return s.queryHistory(ctx, call, q)
	}
	return nil, failure(2141, "42601", "SQL compilation error:\nUnknown table function %s", name)
}

func (s *Session) resultScan(ctx context.Context, call *sqltext.Call, q Query) (*pgtext.Source, error) {
	if len(call.Args) != 1 || call.Args[0].Value == nil {
		return nil, failure(938, "22023", "SQL compilation error:\nnot enough arguments for function [RESULT_SCAN], expected 1, got %d", len(call.Args))
	}
	values, _, err := s.evaluate(ctx, []sqltext.Expr{call.Args[0].Value}, q)
	if err != nil {
		return nil, err
	}
	if values[0] == nil {
		return nil, failure(709, "02000", "Statement not found")
	}
	result, ok := s.engine.Result(*values[0])
	if !ok {
		return nil, failure(709, "02000", "Statement %s not found", *values[0])
	}
	source := &pgtext.Source{}
	for _, c := range result.Columns {
		typ, wire, err := scanType(c)
		if err != nil {
			return nil, err
		}
		source.Columns, source.Types, source.Wire = append(source.Columns, c.Name), append(source.Types, typ), append(source.Wire, wire)
	}
	rows := make([]map[string]any, len(result.Rows))
	for i, row := range result.Rows {
		rows[i] = map[string]any{}
		for k, v := range row {
			if v == nil {
				continue
			}
			var err error
			if rows[i]["c"+strconv.Itoa(k)], err = scanValue(result.Columns[k].Type, *v); err != nil {
				return nil, err
			}
		}
	}
	text, err := json.Marshal(rows)
	source.JSON = string(text)
	return source, err
}

// scanValue is a value of an earlier result as JSON that PostgreSQL reads.
func scanValue(typ, v string) (any, error) {
	switch typ {
	case "variant", "object", "array":
		return json.RawMessage(v), nil
	case "date":
		days, err := strconv.ParseInt(v, 10, 64)
		return time.Unix(days*86400, 0).UTC().Format(pgDate), err
	case "timestamp_ntz", "timestamp_ltz":
		nanos, ok := new(big.Rat).SetString(v)
		if !ok {
			return nil, fmt.Errorf("a time that cannot be read: %q", v)
		}
		nanos.Mul(nanos, big.NewRat(1e9, 1))
		at, err := epochNanos(nanos.Num().String())
		if typ == "timestamp_ltz" {
			return at.Format(pgStamp) + "+00", err
		}
		return at.Format(pgStamp), err
	}
	return v, nil
}

// scanType is PostgreSQL's type for a column of an earlier result.
func scanType(c Column) (string, sqltext.Type, error) {
	switch c.Type {
	case "fixed":
		t := sqltext.Type{Name: "NUMBER", Precision: int(max(c.Precision, 1)), Scale: int(c.Scale), Given: true}
		return pgtext.TypeName(t), t, nil
	case "real":
		return "float8", sqltext.Type{Name: "FLOAT"}, nil
	case "text":
		return "text", sqltext.Type{}, nil
	case "boolean":
		return "boolean", sqltext.Type{Name: "BOOLEAN"}, nil
	case "date", "timestamp_ntz", "timestamp_ltz":
		t := sqltext.Type{Name: strings.ToUpper(c.Type), Precision: 9}
		return pgtext.TypeName(t), t, nil
	case "variant", "object", "array":
		return "jsonb", sqltext.Type{Name: strings.ToUpper(c.Type)}, nil
	}
	return "", sqltext.Type{}, unsupported("RESULT_SCAN of a column of type %s", c.Type)
}
