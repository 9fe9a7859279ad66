package memory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

var (
	_ ports.Target  = (*Target)(nil)
	_ ports.Loader  = (*Target)(nil)
	_ ports.Session = (*Session)(nil)
)

// loadBatch is after how many rows Load reports and looks at its context.
const loadBatch = 1000

// TargetOptions of a Target.
type TargetOptions struct {
	// Latency is how long an operation of that kind (core.PointLookup …, or
	// "BEGIN", "COMMIT") waits before it does its work; nil or 0: not at all. It
	// is called concurrently. A waiting operation is in flight: Running counts
	// it, and CancelSessions ends it.
	Latency func(kind string) time.Duration
}

// Target is a database in memory that knows the default statements of the five
// built-in kinds and no other SQL. Its transactions can be rolled back but are
// not isolated. It lives in one process: workers must run in it. Make it with
// NewTarget.
type Target struct {
	options TargetOptions
	kinds   map[string]string // the kind of each known statement

	mu       sync.Mutex
	tables   map[string]*table
	sessions map[string]*Session
	opened   int64 // sessions opened so far
}

// NewTarget makes a target without tables: use Create and Load.
func NewTarget(options TargetOptions) *Target {
	t := &Target{options: options, kinds: map[string]string{}, tables: map[string]*table{}, sessions: map[string]*Session{}}
	for _, kind := range core.Kinds() {
		sql, _ := core.DefaultStatement(kind)
		t.kinds[sql] = kind
	}
	return t
}

func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: memory: %w", core.ErrUnavailable, err)
	}
	return nil
}

func (t *Target) find(name string) (*table, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	found := t.tables[name]
	return found, found != nil
}

// Describe tells what the target is and what the table holds.
func (t *Target) Describe(ctx context.Context, of core.TemplateTable) (ports.TargetInfo, error) {
	info := ports.TargetInfo{Kind: "memory", Version: "1", Database: "memory", LocalFile: true, Embedded: true}
	if err := ended(ctx); err != nil {
		return info, err
	}
	if found, ok := t.find(of.Name); ok {
		info.Table = ports.TableInfo{Exists: true, Columns: strings.Split(core.TableColumns, ", "), Rows: found.scan(0, of.Rows-1)}
	}
	return info, nil
}

// kindOf recognises a default statement.
func (t *Target) kindOf(statement core.Statement) (string, error) {
	kind, ok := t.kinds[strings.TrimSpace(statement.SQL)]
	if !ok {
		return "", fmt.Errorf("%w: memory: knows the default statements only, not %q", core.ErrUnsupported, statement.SQL)
	}
	return kind, nil
}

// Sample reads the values of a pool. Errors: NotFound for a table that is not
// there, Invalid for a column that it has not.
func (t *Target) Sample(ctx context.Context, of core.TemplateTable, spec core.PoolSpec) ([]any, error) {
	if err := ended(ctx); err != nil {
		return nil, err
	}
	found, ok := t.find(of.Name)
	if !ok {
		return nil, fmt.Errorf("%w: memory: no table %q", core.ErrNotFound, of.Name)
	}
	column := slices.IndexFunc(strings.Split(core.TableColumns, ", "), func(c string) bool { return strings.EqualFold(c, spec.Column) })
	if column < 0 || spec.Table != "" {
		return nil, fmt.Errorf("%w: memory: no column %s; there are: %s", core.ErrInvalid, spec, core.TableColumns)
	}
	return found.sample(column, int64(spec.Size))
}

// Explain accepts the default statements on a table that exists. Any other
// statement is Unsupported.
func (t *Target) Explain(ctx context.Context, of core.TemplateTable, statement core.Statement) error {
	if err := ended(ctx); err != nil {
		return err
	}
	if _, err := t.kindOf(statement); err != nil {
		return err
	}
	if _, ok := t.find(of.Name); !ok {
		return fmt.Errorf("%w: memory: no table %q", core.ErrInvalid, of.Name)
	}
	return nil
}

// Open opens a session. Errors: NotFound for a table that is not there,
// Unsupported for a statement that is no default one.
func (t *Target) Open(ctx context.Context, options ports.SessionOptions) (ports.Session, error) {
	if err := ended(ctx); err != nil {
		return nil, err
	}
	on, ok := t.find(options.Table.Name)
	if !ok {
		return nil, fmt.Errorf("%w: memory: no table %q", core.ErrNotFound, options.Table.Name)
	}
	s := &Session{target: t, table: on, latency: t.options.Latency}
	for _, statement := range options.Statements {
		kind, err := t.kindOf(statement)
		if err != nil {
			return nil, err
		}
		s.kinds = append(s.kinds, kind)
		s.codes = append(s.codes, codeOf(kind))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.opened++
	s.id = sessionID(t.opened)
	t.sessions[s.id] = s
	return s, nil
}

func sessionID(n int64) string { return fmt.Sprintf("memory-%d", n) }

// lookUp finds open sessions. strange is an id that this target never gave out.
func (t *Target) lookUp(ids []string) (open []*Session, strange string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range ids {
		var n int64
		if s := t.sessions[id]; s != nil {
			open = append(open, s)
		} else if _, err := fmt.Sscanf(id, "memory-%d", &n); err != nil || n < 1 || n > t.opened || id != sessionID(n) {
			strange = id
		}
	}
	return open, strange
}

// CancelSessions ends the operations of these sessions that wait.
func (t *Target) CancelSessions(ctx context.Context, sessions []string) error {
	if err := ended(ctx); err != nil {
		return err
	}
	open, _ := t.lookUp(sessions)
	for _, s := range open {
		s.cancelWait()
	}
	return nil
}

// Running counts the sessions that have an operation in flight or a transaction
// open. Sessions of another target are unknown.
func (t *Target) Running(ctx context.Context, sessions []string) (core.RunningCount, error) {
	if err := ended(ctx); err != nil {
		return core.RunningCount{}, err
	}
	open, strange := t.lookUp(sessions)
	if strange != "" {
		return core.RunningCount{Why: fmt.Sprintf("session %q is not of this target", strange)}, nil
	}
	count := core.RunningCount{Known: true}
	for _, s := range open {
		if s.running.Load() || s.inTransaction.Load() {
			count.Count++
		}
	}
	return count, nil
}

// Close does nothing: the rows stay, and sessions are closed by their owners.
func (t *Target) Close() error { return nil }

// Create makes an empty table.
func (t *Target) Create(ctx context.Context, of core.TemplateTable) error {
	if err := ended(ctx); err != nil {
		return err
	}
	if of.Layout != "" {
		return fmt.Errorf("%w: memory: knows the default statements only, and they are not for the layout %s", core.ErrUnsupported, of.Layout)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tables[of.Name] != nil {
		return fmt.Errorf("%w: memory: table %q exists", core.ErrConflict, of.Name)
	}
	t.tables[of.Name] = newTable()
	return nil
}

// Load inserts the rows that are missing. progress may be nil. Errors: NotFound
// for a table that is not there.
func (t *Target) Load(ctx context.Context, of core.TemplateTable, progress func(rows int64)) error {
	into, ok := t.find(of.Name)
	if !ok {
		return fmt.Errorf("%w: memory: no table %q", core.ErrNotFound, of.Name)
	}
	for from := int64(0); from < of.Rows; from += loadBatch {
		if err := ended(ctx); err != nil {
			return err
		}
		to := min(from+loadBatch, of.Rows)
		for id := from; id < to; id++ {
			if _, found := into.get(id); !found {
				_ = into.insert(core.TableRow(id)) // somebody else was first: left alone as well
			}
		}
		if progress != nil {
			progress(to)
		}
	}
	return ended(ctx)
}

// Drop removes a table. Sessions that are open on it keep its rows.
func (t *Target) Drop(ctx context.Context, of core.TemplateTable) error {
	if err := ended(ctx); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.tables, of.Name)
	return nil
}
