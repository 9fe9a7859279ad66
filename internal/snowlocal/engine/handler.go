package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

// What handlers use: they execute statements that the engine does not, with its
// names, privileges and results.

// Function is a SYSTEM$ function that the engine does not have. A nil argument is
// NULL.
type Function func(ctx context.Context, s *Session, args []*string) (string, error)

// NewError makes an error as Snowflake numbers and words it.
func NewError(number int, state, format string, args ...any) *Error {
	return failure(number, state, format, args...)
}

// Missing is an object that is not there, or that the role may not know of.
func Missing(kind, name string) *Error { return missing(kind, name) }

// Exists is CREATE of an object that is there.
func Exists(name string) *Error {
	return failure(2002, "42710", "SQL compilation error:\nObject '%s' already exists.", name)
}

// Unsupported is the refusal of something that is not done here.
func Unsupported(format string, args ...any) *Error { return unsupported(format, args...) }

// Status is the one row that most statements return.
func Status(text string) *Result { return status(text) }

// Listing is what a SHOW or DESCRIBE returns. The columns are "name:type, …": n is
// a number, t a time, none a text; a nil value is NULL.
func Listing(typeID int64, columns string, rows [][]any) *Result {
	r := &Result{TypeID: typeID, Columns: columnsOf(columns), Rows: make([][]*string, len(rows))}
	for i, row := range rows {
		r.Rows[i] = values(row...)
	}
	return r
}

// Scalar is the result of SELECT or CALL of one function.
func Scalar(name, value string) *Result {
	return &Result{TypeID: TypeSelect, Columns: []Column{textColumn(name)}, Rows: [][]*string{{&value}}}
}

// Like matches a pattern of SHOW … LIKE, in any case.
func Like(text, pattern string) bool {
	return like([]rune(strings.ToUpper(text)), []rune(strings.ToUpper(pattern)))
}

// Engine is the session's.
func (s *Session) Engine() *Engine { return s.engine }

// Full is the full name of something in a schema: DATABASE.SCHEMA.NAME.
func (s *Session) Full(parts []sqltext.Name) (string, error) {
	info := s.Info()
	switch len(parts) {
	case 3:
		return parts[0].Text + "." + parts[1].Text + "." + parts[2].Text, nil
	case 2:
		if info.Database != "" {
			return info.Database + "." + parts[0].Text + "." + parts[1].Text, nil
		}
	case 1:
		if info.Database != "" && info.Schema != "" {
			return info.Database + "." + info.Schema + "." + parts[0].Text, nil
		}
	default:
		return "", failure(1003, "42000", "SQL compilation error:\nsyntax error: a name of up to three parts is needed.")
	}
	return "", failure(90105, "22000", "Cannot perform operation. This session does not have a current database. Call 'USE DATABASE', or use a qualified name.")
}

// SeesSchema is the error of a schema that is not there, or that the session's
// role may not use.
func (s *Session) SeesSchema(ctx context.Context, schema string) error {
	database, name, _ := strings.Cut(schema, ".")
	visible, err := s.visibleSchema(ctx, database, name)
	if err == nil && !visible {
		return missing("Schema", schema)
	}
	return err
}

// SeesDatabase is the same of a database.
func (s *Session) SeesDatabase(ctx context.Context, database string) error {
	visible, err := s.visibleSchema(ctx, database, "INFORMATION_SCHEMA")
	if err == nil && !visible {
		return missing("Database", database)
	}
	return err
}

// May is the error of a privilege that the session's role does not have. The kind
// ACCOUNT has no object.
func (s *Session) May(ctx context.Context, kind, object, privilege string) error {
	return s.may(ctx, kind, object, privilege)
}

// MayAny is May for one of some privileges. Who has none does not see the object.
func (s *Session) MayAny(ctx context.Context, kind, object string, privileges ...string) (bool, error) {
	for _, privilege := range privileges {
		ok, err := s.engine.allowed(ctx, s.Info().Role, kind, object, privilege)
		if ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// Commit ends the transaction that is open, as every DDL does.
func (s *Session) Commit(ctx context.Context) error {
	_, err := s.end(ctx, "COMMIT")
	return err
}

// StatementTimeout is how long a statement with these parameters may take.
func (s *Session) StatementTimeout(parameters map[string]string) time.Duration {
	return time.Duration(s.statementTimeout(parameters)) * time.Second
}

// Service is a container service that logs in: it is no user of the account, and
// has the role of its owner and PUBLIC.
type Service struct{ Name, OwnerRole, Database, Schema, Warehouse string }

// user is what a service is where users are looked at.
func (v *Service) user() User {
	return User{Name: v.Name, DefaultRole: v.OwnerRole, DefaultWarehouse: v.Warehouse, DefaultNamespace: v.Database + "." + v.Schema}
}

// roles are those that a session's user may take on.
func (s *Session) roles(ctx context.Context) (map[string]bool, error) {
	if s.service != nil {
		return map[string]bool{s.service.OwnerRole: true, public: true}, nil
	}
	return s.engine.userRoles(ctx, s.info.User)
}

// interruptible runs a handler whose context ends when the query is cancelled or
// its time is over.
func (s *Session) interruptible(ctx context.Context, r *record, q Query, do Handler) (*Result, error) {
	limit := s.StatementTimeout(q.Parameters)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, failure(630, "57014", "Statement reached its statement or warehouse timeout of %d second(s) and was canceled.", int(limit.Seconds())))
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s.signals.Lock()
	s.interrupt = func() { stop(canceled()) }
	s.signals.Unlock()
	defer func() {
		s.signals.Lock()
		s.interrupt = nil
		s.signals.Unlock()
	}()
	if r.cancelled.Load() { // before there was something to interrupt
		stop(canceled())
	}
	result, err := do(ctx, s, q)
	if err != nil && ctx.Err() != nil {
		if why, ok := context.Cause(ctx).(*Error); ok {
			return nil, why
		}
	}
	return result, err
}

// systemFunction calls a function of the options.
func (s *Session) systemFunction(ctx context.Context, r *record, name string, args []*string, q Query) (string, error) {
	f := s.engine.options.Functions[name]
	result, err := s.interruptible(ctx, r, q, func(ctx context.Context, s *Session, _ Query) (*Result, error) {
		text, err := f(ctx, s, args)
		return Scalar(name, text), err
	})
	if err != nil {
		return "", err
	}
	if len(result.Rows) != 1 || result.Rows[0][0] == nil {
		return "", fmt.Errorf("function %s has no value", name)
	}
	return *result.Rows[0][0], nil
}
