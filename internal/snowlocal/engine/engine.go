package engine

import (
	"context"
)

// Handler executes a statement that the engine does not know. The text is the
// whole statement, without comments before it, with its binds.
type Handler func(ctx context.Context, s *Session, q Query) (*Result, error)

// Engine is the database. Its methods may be called at once.
type Engine struct {
	options Options
}

// Open makes what is missing in the database and returns an engine over it.
func Open(ctx context.Context, o Options) (*Engine, error) {
	return &Engine{options: o}, nil
}

// Close ends every session.
func (e *Engine) Close(ctx context.Context) error { return nil }

// User returns the user of that name, in any case, as statements left it.
func (e *Engine) User(ctx context.Context, name string) (User, bool, error) {
	return User{}, false, unsupported("users")
}

// Session returns the open session with that id.
func (e *Engine) Session(id int64) (*Session, bool) { return nil, false }

// Cancel cancels a running query, which fails with 000604. It reports whether
// the query was running.
func (e *Engine) Cancel(queryID string) bool { return false }

// Query is what is known of a query, running or remembered.
func (e *Engine) Query(queryID string) (QueryInfo, bool) { return QueryInfo{}, false }

// Result is the result of a finished query that is still remembered: the last of
// each session are.
func (e *Engine) Result(queryID string) (*Result, bool) { return nil, false }

// NewSession opens a session of a user who has proved to be one. A role that the
// user does not have is 390189. A database, schema or warehouse that is missing
// is left out, or is 390201 when CLIENT_VALIDATE_DEFAULT_PARAMETERS is true.
func (e *Engine) NewSession(ctx context.Context, o SessionOptions) (*Session, error) {
	return nil, unsupported("sessions")
}

// Session is a session. Execute is called by one goroutine at a time; Close and
// the others by any.
type Session struct {
	id int64
}

// ID is the session's number.
func (s *Session) ID() int64 { return s.id }

// Info is what the session uses now.
func (s *Session) Info() SessionInfo { return SessionInfo{} }

// Parameters are the session's parameters with their values, for the reply to a
// login.
func (s *Session) Parameters() map[string]string { return nil }

// Close rolls back what is open, cancels what runs, and ends the session.
func (s *Session) Close() {}

// Execute executes the statements of a text. When the context ends, the statement
// is cancelled. The error is an *Error.
func (s *Session) Execute(ctx context.Context, q Query) (*Result, error) {
	return nil, unsupported("statements")
}
