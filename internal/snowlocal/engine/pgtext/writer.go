package pgtext

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

// Error is a refusal with Snowflake's number.
type Error struct {
	Number   int
	SQLState string
	Message  string
}

func (e *Error) Error() string { return e.Message }

// Context is what a statement is written against.
type Context struct {
	// Database and Schema are the current ones, or empty.
	Database, Schema string
	// Binds are the wire types of the bound values.
	Binds []string
	// Unbound allows placeholders without a value, to describe a statement.
	Unbound bool
	// Bind is the text of a bound value, for names and variables.
	Bind func(index int) *string
	// Value is the value of a function of the session (CURRENT_ROLE), and whether
	// it may change between two executions in one session without a change of
	// Database, Schema or role.
	Value func(function string, args []string) (value *string, volatile, ok bool)
	// Variable is the value of a session variable.
	Variable func(name string) (sqltext.Expr, bool)
	// Source gives the rows of a table function of the engine's own.
	Source func(call *sqltext.Call) (*Source, error)
	// Temporary reports whether the session has a temporary table of that name,
	// by its full name.
	Temporary func(full string) bool
}

// Source is a table that the engine has computed.
type Source struct {
	Columns []string
	Types   []string // PostgreSQL's
	JSON    string   // an array of objects
	Wire    []sqltext.Type
}

// Text is a written statement.
type Text struct {
	SQL string
	// Params are the values of $1, $2, …: indexes of binds, or constants.
	Params []Param
	// Names and Types describe the result's columns; nil where PostgreSQL knows
	// them alone. An empty name or type is PostgreSQL's.
	Names []string
	Types []sqltext.Type
	// Constant says which columns of Types are never NULL, since the text says so.
	Constant []bool
	// Volatile texts must be written anew for each execution.
	Volatile bool
	// Tables are the tables that it names, with databases and schemas.
	Tables []string
	// NeedsWarehouse reports whether it reads or writes a table, or waits.
	NeedsWarehouse bool
	// Wait are the seconds that a lock is waited for; nil for the session's.
	Wait *int
	// Locks reports FOR UPDATE.
	Locks bool
}

// Param is the value of a parameter.
type Param struct {
	Bind     int // -1 for a constant
	Constant string
}

type writer struct {
	c      *Context
	b      strings.Builder
	out    *Text
	binds  map[int]int // index of a bind to its number
	scopes []map[string]bool
}

type bailout struct{ err error }

func (w *writer) fail(number int, state, format string, args ...any) {
	panic(bailout{&Error{Number: number, SQLState: state, Message: fmt.Sprintf(format, args...)}})
}

func (w *writer) unsupported(format string, args ...any) {
	w.fail(2, "0A000", "Unsupported feature '%s'.", fmt.Sprintf(format, args...))
}

// write runs one of the methods below and returns what it wrote.
func write(c *Context, do func(w *writer)) (out *Text, err error) {
	w := &writer{c: c, out: &Text{}, binds: map[int]int{}}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case bailout:
			out, err = nil, r.err
		default:
			panic(r)
		}
	}()
	do(w)
	w.out.SQL = w.b.String()
	return w.out, nil
}

// Query writes a query.
func Query(c *Context, q *sqltext.Query) (*Text, error) {
	return write(c, func(w *writer) {
		w.describe(q)
		w.query(q)
	})
}

// Expressions writes SELECT of the expressions.
func Expressions(c *Context, list []sqltext.Expr) (*Text, error) {
	return write(c, func(w *writer) {
		w.put("SELECT ")
		w.list(list)
	})
}

// Expression writes an expression alone, which has no parameters.
func Expression(c *Context, x sqltext.Expr) (*Text, error) {
	return write(c, func(w *writer) { w.expr(x) })
}

// Name writes a name in full, as PostgreSQL's.
func Name(c *Context, p sqltext.Path) (full, sql string, err error) {
	_, err = write(c, func(w *writer) { full, sql = w.resolve(p) })
	return full, sql, err
}

func (w *writer) put(parts ...string) {
	for _, part := range parts {
		w.b.WriteString(part)
	}
}

// Quote quotes a name.
func Quote(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// String quotes a string.
func String(s string) string {
	s = strings.ReplaceAll(s, "\x00", "")
	if strings.Contains(s, `\`) {
		return " E'" + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), "'", "''") + "'"
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// capture returns what a method writes, without writing it.
func (w *writer) capture(do func()) string {
	outer := w.b
	w.b = strings.Builder{}
	do()
	text := w.b.String()
	w.b = outer
	return text
}

func (w *writer) text(x sqltext.Expr) string { return w.capture(func() { w.expr(x) }) }

// param writes the placeholder of a bind, with its type where one is known.
func (w *writer) param(index int) string {
	unbound := index >= len(w.c.Binds)
	if unbound && !w.c.Unbound {
		w.fail(2049, "42601", "SQL compilation error: error line 0 at position -1\nBind variable ? not set.")
	}
	number, ok := w.binds[index]
	if !ok {
		w.out.Params = append(w.out.Params, Param{Bind: index})
		number = len(w.out.Params)
		w.binds[index] = number
	}
	mark := "$" + strconv.Itoa(number)
	if unbound {
		return mark
	}
	if typ := bindTypes[w.c.Binds[index]]; typ != "" {
		return mark + "::" + typ
	}
	return mark
}

// bindTypes are PostgreSQL's types of the wire's. TEXT takes what its place
// needs.
var bindTypes = map[string]string{
	"FIXED": "numeric", "REAL": "float8", "BOOLEAN": "boolean", "BINARY": "bytea", "DATE": "date", "TIME": "time",
	"TIMESTAMP_NTZ": "timestamp", "TIMESTAMP_LTZ": "timestamptz", "TIMESTAMP_TZ": "sf.timestamp_tz",
	"VARIANT": "jsonb", "OBJECT": "jsonb", "ARRAY": "jsonb",
}

// constant writes a parameter with a value of the engine's.
func (w *writer) constant(value string) string {
	w.out.Params = append(w.out.Params, Param{Bind: -1, Constant: value})
	w.out.Volatile = true
	return "$" + strconv.Itoa(len(w.out.Params))
}

// pathOf is a path whose IDENTIFIER(…) is read.
func (w *writer) pathOf(p sqltext.Path) sqltext.Path {
	if p.Of == nil {
		return p
	}
	var text string
	switch of := p.Of.(type) {
	case *sqltext.Literal:
		text = of.Text
	case *sqltext.Param:
		value := w.c.Bind(of.Index)
		if value == nil {
			w.fail(1003, "42000", "SQL compilation error:\nsyntax error unexpected NULL as an identifier.")
		}
		w.out.Volatile = true
		text = *value
	case *sqltext.Var:
		x, ok := w.c.Variable(of.Name)
		literal, isLiteral := x.(*sqltext.Literal)
		if !ok || !isLiteral {
			w.fail(2211, "02000", "SQL compilation error: error line 1\nSession variable '$%s' does not exist", of.Name)
		}
		w.out.Volatile = true
		text = literal.Text
	default:
		w.unsupported("IDENTIFIER of an expression")
	}
	parsed, err := sqltext.ParsePath(text)
	if err != nil {
		w.fail(1003, "42000", "SQL compilation error:\n%s", err)
	}
	return parsed
}

// resolve gives the full name of an object in a schema, and PostgreSQL's.
func (w *writer) resolve(p sqltext.Path) (full, sql string) {
	p = w.pathOf(p)
	database, schema := w.c.Database, w.c.Schema
	n := len(p.Parts)
	if n > 3 {
		w.fail(1003, "42000", "SQL compilation error:\nsyntax error: a name of more than three parts.")
	}
	if n > 1 {
		schema = p.Parts[n-2].Text
	}
	if n > 2 {
		database = p.Parts[0].Text
	}
	name := p.Parts[n-1].Text
	switch {
	case database == "":
		w.fail(90105, "22000", "Cannot perform operation. This session does not have a current database. Call 'USE DATABASE', or use a qualified name.")
	case schema == "":
		w.fail(90106, "22000", "Cannot perform operation. This session does not have a current schema. Call 'USE SCHEMA', or use a qualified name.")
	}
	full = database + "." + schema + "." + name
	if w.c.Temporary != nil && w.c.Temporary(full) {
		return full, "pg_temp." + Quote(name)
	}
	return full, SchemaName(database, schema) + "." + Quote(name)
}

// SchemaName is PostgreSQL's name of a schema, quoted.
func SchemaName(database, schema string) string { return Quote(database + "." + schema) }

func (w *writer) table(p sqltext.Path) string {
	full, sql := w.resolve(p)
	w.out.Tables = append(w.out.Tables, full)
	w.out.NeedsWarehouse = true
	return sql
}

// Path reads IDENTIFIER(…) in a path; others it returns as they are.
func Path(c *Context, p sqltext.Path) (path sqltext.Path, err error) {
	_, err = write(c, func(w *writer) { path = w.pathOf(p) })
	return path, err
}
