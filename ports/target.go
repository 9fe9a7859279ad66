package ports

import (
	"context"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// Target is the database under test.
type Target interface {
	// Describe tells what the target is and what the table holds. Errors:
	// Unavailable, Denied. A missing table is no error: Table.Exists is false. What
	// is known beside an error is told too: the user, when only the table is denied.
	Describe(ctx context.Context, table core.TemplateTable) (TargetInfo, error)

	// Explain asks the target to prepare or explain a statement, without
	// executing it. Errors: Invalid with the target's own message.
	Explain(ctx context.Context, table core.TemplateTable, statement core.Statement) error

	// Sample reads the values of a pool, each int64 or string, as its Statement says,
	// and at most spec.Size of them. Errors: Invalid for a column that is not there,
	// or is of another type.
	Sample(ctx context.Context, table core.TemplateTable, spec core.PoolSpec) ([]any, error)

	// Open opens one session on a connection of its own and prepares every
	// statement on it.
	Open(ctx context.Context, options SessionOptions) (Session, error)

	// CancelSessions asks, over a connection of its own, that what runs in these
	// sessions be cancelled. Sessions that are gone are no error. Errors:
	// Unsupported where sessions live inside the workers.
	CancelSessions(ctx context.Context, sessions []string) error

	// Running counts operations that still run in these sessions, asked over a
	// connection of its own. What cannot be known is unknown, with the reason,
	// never 0.
	Running(ctx context.Context, sessions []string) (core.RunningCount, error)

	// Close frees the connections that the Target holds for itself. Sessions are
	// closed by their owners.
	Close() error
}

// TargetInfo is what Describe found.
type TargetInfo struct {
	Kind     string      `json:"kind"`
	Version  string      `json:"version"`
	Host     string      `json:"host,omitempty"`
	Database string      `json:"database,omitempty"`
	User     string      `json:"user,omitempty"`
	Settings []core.Fact `json:"settings,omitempty"`
	// LocalFile: it is a file or socket of this host, so workers must run on it.
	LocalFile bool `json:"local_file"`
	// Embedded: it works inside the workers, so what they use is its work too. Told with
	// an error as well.
	Embedded bool      `json:"embedded"`
	Table    TableInfo `json:"table"`
	// Others are the other tables of the layout, in the order of core's
	// TemplateTable.Tables.
	Others []TableInfo `json:"others,omitempty"`
	// ReadOnly is why the target accepts no writes from this user; empty when it
	// does.
	ReadOnly string `json:"read_only,omitempty"`
	// MaxConnections that the target grants this user now, those in use by others
	// taken off; 0: unknown.
	MaxConnections int `json:"max_connections,omitempty"`
	// ResultCache: it can answer from results that it keeps, if sessions ask it to.
	ResultCache bool `json:"result_cache,omitempty"`
	// Warehouse that computes for the target; nil where it has none.
	Warehouse *core.Warehouse `json:"warehouse,omitempty"`
}

// TableInfo describes the benchmark table.
type TableInfo struct {
	Exists  bool     `json:"exists"`
	Columns []string `json:"columns,omitempty"`
	// Type is STANDARD, HYBRID, INTERACTIVE or VIEW; "" where a target has but one.
	Type string `json:"type,omitempty"`
	// Rows with a key below the scenario's row count, which lookups draw from.
	Rows int64 `json:"rows"`
}

// SessionOptions are what a session is opened with.
type SessionOptions struct {
	Table      core.TemplateTable
	Statements []core.Statement
	// Tag identifies the run, worker and connection to the target.
	Tag string
	// ResultCache lets the target answer from results that it keeps. Only those
	// whose Describe says so have such a cache.
	ResultCache bool
	// StatementTimeout is after what time callers give a statement up; 0: never. A
	// target that can lets nothing run much longer, should nobody be left to cancel
	// it.
	StatementTimeout time.Duration
}

// Phased is played by sessions that tell their target the phase of a run with
// each statement.
type Phased interface {
	// Phase is the phase of the statements to come. It calls nothing.
	Phase(phase core.Phase)
}

// Remote is played by sessions of a server: a call waits for its reply and leaves the
// processor to others meanwhile, which a target within the process does not.
type Remote interface {
	// Remote does nothing.
	Remote()
}

// Session is one connection to the target. One caller at a time.
//
// After an error with the code Unavailable the session is broken: it must be
// closed and another opened. After any other error it can go on, outside any
// transaction: a statement whose context has ended is Refused when the session
// is whole, and wraps the context's error as ever.
type Session interface {
	// ID is what CancelSessions and Running know the session by.
	ID() string
	// Exec executes the prepared statement with that number, reads all of its
	// result, and returns how many rows it returned or changed. args are int64,
	// float64, string, bool, time.Time or nil, and are not kept.
	// Errors: the code tells how it is counted: see core.ErrorClass.
	Exec(ctx context.Context, statement int, args []any) (rows int64, err error)
	// Begin, Commit and Rollback frame a transaction. Rollback outside one does
	// nothing.
	Begin(ctx context.Context) error
	Commit(ctx context.Context) error
	Rollback(ctx context.Context) error
	// QueryID is the target's own id of the last statement, or "".
	QueryID() string
	// Close ends the connection. It is idempotent.
	Close() error
}

// Loader prepares the benchmark table. It is set-up: no run uses it.
type Loader interface {
	// Create makes the tables of the layout anew and empty. Errors: Conflict when
	// one exists.
	Create(ctx context.Context, table core.TemplateTable) error
	// Load inserts the rows of all tables as core.Table makes them, in batches, and
	// calls progress with the rows loaded so far. Idempotency: rows that are
	// there already are left alone, so an interrupted load can go on.
	Load(ctx context.Context, table core.TemplateTable, progress func(rows int64)) error
	// Drop removes the tables. What is gone is no error.
	Drop(ctx context.Context, table core.TemplateTable) error
}

// Endpoint is where a target is, and its secret. It never enters a template, a
// scenario, a log or a page.
type Endpoint struct {
	Name string
	DSN  string
}
