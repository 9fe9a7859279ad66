package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	modernc "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

var (
	_ ports.Target  = (*Target)(nil)
	_ ports.Loader  = (*Target)(nil)
	_ ports.Session = (*session)(nil)
)

// TargetOptions of a target.
type TargetOptions struct {
	// BusyTimeout bounds the wait of a statement for the lock of another; 0:
	// DefaultBusyTimeout. _busy_timeout in the DSN, in milliseconds, wins.
	BusyTimeout time.Duration
	// Host names this machine in session ids; os.Hostname when empty.
	Host string
}

// Target is a SQLite file under load. Make it with OpenTarget.
type Target struct {
	path       string
	parameters url.Values // of every connection, without the mode
	fixed      string     // what in the DSN makes it read-only: mode=ro or immutable=1
	busy       time.Duration
	begin      string // "" to choose by the statements of a session
	origin     string // of session ids: host/pid/start/nonce
	plain      bool   // for tests: sessions do without interrupter

	opened atomic.Int64

	mu       sync.Mutex
	sessions map[string]*session
	admin    *sql.DB // made at its first use
	closed   bool
}

// OpenTarget opens the target that dsn names: a path, sqlite:PATH or file:PATH,
// and behind a ? any of _pragma=NAME(VALUE), which may be repeated and runs on
// every connection, _busy_timeout=MILLISECONDS, _txlock=deferred or immediate,
// mode=ro or rw, and immutable=1 for a file that nobody changes. It touches
// nothing: a missing file is found by Describe, and made by Create. Without
// pragmas connections use synchronous=NORMAL.
//
// A transaction begins IMMEDIATE when the session has a statement that changes
// rows, since one that reads before it writes could not commit otherwise when
// another has written meanwhile; _txlock says otherwise.
// Errors: Invalid, Internal.
func OpenTarget(_ context.Context, dsn string, options TargetOptions) (*Target, error) {
	t := &Target{sessions: map[string]*session{}, busy: options.BusyTimeout}
	if t.busy <= 0 {
		t.busy = DefaultBusyTimeout
	}
	if err := t.parse(dsn); err != nil {
		return nil, err
	}
	if options.Host == "" {
		host, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("%w: sqlite: the name of this host: %w", core.ErrInternal, err)
		}
		options.Host = host
	}
	self := os.Getpid()
	started, err := processStart(self)
	if err != nil {
		return nil, fmt.Errorf("%w: sqlite: when this process was started: %w", core.ErrInternal, err)
	}
	t.origin = fmt.Sprintf("%s/%d/%s/%s", strings.ReplaceAll(options.Host, "/", "_"), self, started, rand.Text()[:8])
	return t, nil
}

// database is a small pool for everything but sessions.
func (t *Target) database() (*sql.DB, error) {
	if err := checkFile("target", t.path); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, fmt.Errorf("%w: sqlite: the target is closed", core.ErrUnavailable)
	}
	if t.admin == nil {
		mode := "rw"
		if t.idle() {
			mode = "immutable"
		}
		connector, err := modernc.NewConnector(t.dsn(mode))
		if err != nil {
			return nil, fmt.Errorf("%w: sqlite: %w", core.ErrInvalid, err)
		}
		t.admin = sql.OpenDB(connector)
		t.admin.SetMaxOpenConns(2)
	}
	return t.admin, nil
}

// Close frees the connections that the target holds for itself. It is
// idempotent.
func (t *Target) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	if t.admin == nil {
		return nil
	}
	admin := t.admin
	t.admin = nil
	if err := admin.Close(); err != nil {
		return fmt.Errorf("%w: sqlite: closing: %w", core.ErrInternal, err)
	}
	return nil
}

// quote makes an identifier of a name.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// Describe tells what the target is. A file that is not there has no table.
// Whether a file accepts writes is found out by beginning one and taking it back.
func (t *Target) Describe(ctx context.Context, table core.TemplateTable) (ports.TargetInfo, error) {
	info := ports.TargetInfo{Kind: "sqlite", Version: sqlite3.SQLITE_VERSION, Database: t.path, LocalFile: true, Embedded: true}
	if err := ctx.Err(); err != nil {
		return info, targetError(ctx, "describing", err)
	}
	db, err := t.database()
	if errors.Is(err, core.ErrNotFound) {
		return info, nil
	}
	if err != nil {
		return info, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return info, targetError(ctx, "connecting to "+t.path, explain(t.path, err))
	}
	defer func() { _ = conn.Close() }() // goes back to the pool
	if info.Settings, err = t.settings(ctx, conn); err != nil {
		return info, targetError(ctx, "reading settings", explain(t.path, err))
	}
	for _, of := range table.Tables() {
		described, err := describeTable(ctx, conn, of)
		if err != nil {
			return info, targetError(ctx, "describing table "+of.Name, err)
		}
		if of.Part == "" {
			info.Table = described
		} else {
			info.Others = append(info.Others, described)
		}
	}
	info.ReadOnly, err = t.whyReadOnly(ctx)
	return info, targetError(ctx, "trying to write", explain(t.path, err))
}

func (t *Target) settings(ctx context.Context, conn *sql.Conn) ([]core.Fact, error) {
	begin := t.begin
	if begin == "" {
		begin = "BEGIN IMMEDIATE where statements write"
	}
	facts := []core.Fact{{Name: "begin", Value: begin}, {Name: "busy_timeout", Value: t.busy.String()}}
	for _, name := range []string{"journal_mode", "synchronous", "page_size", "cache_size", "mmap_size", "page_count"} {
		var value string
		if err := conn.QueryRowContext(ctx, "PRAGMA "+name).Scan(&value); err != nil {
			return nil, err
		}
		facts = append(facts, core.Fact{Name: name, Value: value})
	}
	return facts, nil
}

func describeTable(ctx context.Context, conn *sql.Conn, table core.Table) (info ports.TableInfo, err error) {
	rows, err := conn.QueryContext(ctx, "SELECT name FROM pragma_table_info(?) ORDER BY cid", table.Name)
	if err != nil {
		return info, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return info, err
		}
		info.Columns = append(info.Columns, name)
	}
	if err := rows.Err(); err != nil {
		return info, err
	}
	info.Exists = len(info.Columns) > 0
	hasKey := slices.ContainsFunc(info.Columns, func(c string) bool { return strings.EqualFold(c, table.Key) })
	if !hasKey {
		return info, nil
	}
	err = conn.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+quote(table.Name)+" WHERE "+table.Key+" >= 0 AND "+table.Key+" < ?", table.Rows).Scan(&info.Rows)
	return info, err
}

// Explain prepares a statement and executes nothing. Errors: Invalid with what
// SQLite says.
func (t *Target) Explain(ctx context.Context, table core.TemplateTable, statement core.Statement) error {
	text, _, err := statementText(table, statement)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return targetError(ctx, "explaining", err)
	}
	db, err := t.database()
	if err != nil {
		return err
	}
	prepared, err := db.PrepareContext(ctx, text)
	if err != nil {
		return targetError(ctx, "preparing a statement", err)
	}
	return targetError(ctx, "closing a statement", prepared.Close())
}

// statementText is a statement as SQLite gets it, and how many parameters it
// takes.
func statementText(table core.TemplateTable, statement core.Statement) (text string, parameters int, err error) {
	if table.Name == "" {
		return "", 0, fmt.Errorf("%w: sqlite: the benchmark table has no name", core.ErrInvalid)
	}
	if err := core.CheckStatement(statement.SQL); err != nil {
		return "", 0, err
	}
	if parameters, err = core.CountPlaceholders(statement.SQL); err != nil {
		return "", 0, err
	}
	if statement.Bind != nil && len(statement.Bind) != parameters {
		return "", 0, fmt.Errorf("%w: sqlite: %d parameters are bound to %d placeholders", core.ErrInvalid, len(statement.Bind), parameters)
	}
	return core.ReplaceTables(statement.SQL, identifiers(table)), parameters, nil
}

// identifiers are the quoted names of the tables of a benchmark, by part.
func identifiers(table core.TemplateTable) func(part string) string {
	return func(part string) string { return quote(table.PartName(part)) }
}

// CancelSessions is Unsupported: sessions live inside the workers, which cancel
// their own.
func (t *Target) CancelSessions(ctx context.Context, sessions []string) error {
	if err := ctx.Err(); err != nil {
		return targetError(ctx, "cancelling", err)
	}
	if len(sessions) == 0 {
		return nil
	}
	return fmt.Errorf("%w: sqlite: sessions live inside the workers; nobody else can cancel them", core.ErrUnsupported)
}

// Running counts operations in flight and open transactions. It knows of this
// target's own sessions, and that nothing runs in those of a process of this
// host that is gone; all else is unknown.
func (t *Target) Running(ctx context.Context, sessions []string) (core.RunningCount, error) {
	if err := ctx.Err(); err != nil {
		return core.RunningCount{}, targetError(ctx, "counting", err)
	}
	count := core.RunningCount{Known: true}
	for _, id := range sessions {
		runs, why := t.running(id)
		if why != "" {
			return core.RunningCount{Why: why}, nil
		}
		if runs {
			count.Count++
		}
	}
	return count, nil
}

// running reports whether a session runs something, or why that is unknown.
func (t *Target) running(id string) (runs bool, why string) {
	if strings.HasPrefix(id, t.origin+"/") {
		t.mu.Lock()
		defer t.mu.Unlock()
		s := t.sessions[id]
		return s != nil && (s.inFlight.Load() || s.inTransaction.Load()), ""
	}
	parts := strings.Split(id, "/")
	host, _, _ := strings.Cut(t.origin, "/")
	if len(parts) != 5 {
		return false, fmt.Sprintf("session %q is none of SQLite's", id)
	}
	if parts[0] != host {
		return false, fmt.Sprintf("session %q is on host %s, and this is %s", id, parts[0], host)
	}
	pid, err := strconv.Atoi(parts[1])
	if err != nil || pid <= 0 {
		return false, fmt.Sprintf("session %q is none of SQLite's", id)
	}
	started, err := processStart(pid)
	switch {
	case err != nil:
		return false, fmt.Sprintf("whether process %d of session %q is alive: %v", pid, id, err)
	case started == parts[2]:
		return false, fmt.Sprintf("process %d, in which session %q lives, is alive, and nobody else sees what it runs", pid, id)
	default:
		return false, "" // gone, or another process has its number: the session is gone with it
	}
}
