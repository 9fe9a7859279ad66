package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"github.com/jmoiron/sqlx"
	modernc "modernc.org/sqlite"

	"github.com/benchfleet/benchfleet/adapters/sqlstore"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/sql/schema"
)

// Defaults of Options and TargetOptions.
const (
	DefaultReaders     = 4
	DefaultBusyTimeout = 5 * time.Second
)

// Options of a store.
type Options struct {
	// Readers is how many connections read at once; 0: DefaultReaders.
	Readers int
	// BusyTimeout bounds a wait for another process; 0: DefaultBusyTimeout.
	BusyTimeout time.Duration
	// Now is the store's clock; time.Now when nil.
	Now func() time.Time

	pragmas []string // more of them, for tests
}

// dialect is the name of SQLite's DDL.
const dialect = "sqlite"

// columnsQuery lists what tables and columns a file has.
const columnsQuery = "SELECT m.name AS TABLE_NAME, p.name AS COLUMN_NAME FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS p " +
	"WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY m.name, p.cid"

// OpenStore opens the store in the file path, which ApplySchema has made. It
// changes nothing in it.
// Errors: NotFound for a missing file; Denied for a file that cannot be written,
// or a directory that cannot; Invalid for a file that is no database or damaged;
// Unavailable for one that stays locked. Missing tables are no error: Check
// names them.
func OpenStore(ctx context.Context, path string, options Options) (ports.Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("%w: sqlite: %w", core.ErrInvalid, err)
	}
	if err := checkWritable("store", path); err != nil {
		if errors.Is(err, core.ErrNotFound) {
			err = fmt.Errorf("%w; make it with: %s", err, applyCommand(path))
		}
		return nil, err
	}
	read, write, err := connect(path, options)
	if err != nil {
		return nil, err
	}
	if err := tryStore(ctx, path, read, write); err != nil {
		return nil, errors.Join(err, read.Close(), write.Close())
	}
	return sqlstore.New(storeDialect(path, options.Now), read, write), nil
}

func applyCommand(path string) string { return "benchfleet schema apply --store sqlite:" + path }

// storeDialect is SQLite as sqlstore sees it.
func storeDialect(path string, now func() time.Time) sqlstore.Dialect {
	if now == nil {
		now = time.Now
	}
	return sqlstore.Dialect{
		Name:         "sqlite",
		Table:        func(name string) string { return name },
		Clock:        now,
		Time:         func(t time.Time) any { return t.Format("2006-01-02T15:04:05.000000Z") },
		Mark:         mark,
		Member:       member,
		Insert:       sqlstore.StandardInsert(mark, ""),
		ColumnsQuery: columnsQuery,
		MaxVariables: 30000, // SQLITE_MAX_VARIABLE_NUMBER is 32766
		Harden:       "PRAGMA synchronous = FULL",
		Relax:        "PRAGMA synchronous = NORMAL",
		Code:         func(err error) error { return storeCode(err) },
		Explain:      func(err error) error { return explainStore(path, err) },
		DDL:          dialect,
		Mend:         applyCommand(path),
	}
}

// member steps to a member by its key. A quote, which no key has, would end the path.
func member(column string) string {
	return "json_extract(" + column + `, '$."' || replace(?, '"', '?') || '"')`
}

// mark keeps the column of which each worker reads its own member as SQLite's binary
// JSON: in that a member is found by stepping over those before it, while to parse the
// text of a thousand workers for each of their reads would take half a processor.
func mark(_, column string) string {
	if column == "WORKER_TARGETS" {
		return "jsonb(?)"
	}
	return "?"
}

// explainStore adds to an error what a user can do about it.
func explainStore(path string, err error) error {
	if schemaIsOld(err) {
		return fmt.Errorf("%w; the schema is missing or old: %s", err, applyCommand(path))
	}
	return explain(path, err)
}

// connect makes one pool for reading and one, of a single connection, for
// writing; it opens nothing yet.
func connect(path string, options Options) (read, write *sqlx.DB, err error) {
	if options.Readers <= 0 {
		options.Readers = DefaultReaders
	}
	if options.BusyTimeout <= 0 {
		options.BusyTimeout = DefaultBusyTimeout
	}
	parameters := url.Values{
		"mode":          {"rw"}, // never create
		"_busy_timeout": {fmt.Sprint(options.BusyTimeout.Milliseconds())},
		"_error_rc":     {"true"},
		"_pragma":       append([]string{"synchronous(NORMAL)"}, options.pragmas...),
	}
	parameters.Set("_txlock", "immediate")
	if write, err = pool(uri(path, parameters), 1); err != nil {
		return nil, nil, err
	}
	parameters.Set("_txlock", "deferred")
	parameters.Set("_query_only", "true")
	if read, err = pool(uri(path, parameters), options.Readers); err != nil {
		return nil, nil, err
	}
	return read, write, nil
}

func pool(dsn string, connections int) (*sqlx.DB, error) {
	connector, err := modernc.NewConnector(dsn)
	if err != nil {
		return nil, fmt.Errorf("%w: sqlite: %w", core.ErrInvalid, err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return sqlx.NewDb(db, "sqlite3"), nil // sqlx's name for the dialect
}

// tryStore finds out whether the file can be read and written.
func tryStore(ctx context.Context, path string, read, write *sqlx.DB) error {
	conn, err := write.Conn(ctx)
	if err != nil {
		return openError(ctx, path, err)
	}
	defer func() { _ = conn.Close() }() // goes back to the pool
	readOnly := false
	err = conn.Raw(func(c any) error {
		readOnly, err = c.(interface{ IsReadOnly(string) (bool, error) }).IsReadOnly("main")
		return err
	})
	if err != nil {
		return openError(ctx, path, err)
	}
	if readOnly {
		return fmt.Errorf("%w: sqlite: store %s is read-only for this user; %s", core.ErrDenied, path, rights(path))
	}
	var tables int
	if err := read.GetContext(ctx, &tables, "SELECT COUNT(*) FROM sqlite_master WHERE name = 'RUN_STATUS'"); err != nil {
		return openError(ctx, path, err)
	}
	if tables == 0 {
		return nil // no store, and perhaps somebody else's: leave it as it is; Check says what is missing
	}
	if err := ensureWAL(ctx, conn); err != nil {
		return openError(ctx, path, err)
	}
	return nil
}

// ensureWAL puts a file into WAL mode, in which it stays. A switch needs the
// file alone; SQLite does not wait for that by itself.
func ensureWAL(ctx context.Context, conn *sql.Conn) error {
	return retryBusy(ctx, DefaultBusyTimeout, func() error {
		var mode string
		if err := conn.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil || mode == "wal" {
			return err
		}
		if err := conn.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode); err != nil {
			return err
		}
		if mode != "wal" {
			return fmt.Errorf("%w: sqlite: the file stays in journal mode %s; WAL is needed: is it on a network disk?", core.ErrUnsupported, mode)
		}
		return nil
	})
}

// openError is an error met while a store was opened.
func openError(ctx context.Context, path string, err error) error {
	code := core.ErrUnavailable
	switch {
	case errors.Is(err, core.ErrUnsupported):
		return err
	case ctx.Err() != nil:
		err = ctx.Err()
	case sqliteCode(err) != 0:
		code = storeCode(err)
	}
	return fmt.Errorf("%w: sqlite: store %s: %w", code, path, explain(path, err))
}

// ApplySchema makes the store in the file path, or brings it up to date: missing
// tables, columns and indexes are added in one transaction, nothing is ever
// removed. It can be run at any time, also while runs are under way. It makes
// the file and the directories above it, for their owner alone.
// Errors: as OpenStore. A new file that could not be completed is removed.
func ApplySchema(ctx context.Context, path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("%w: sqlite: %w", core.ErrInvalid, err)
	}
	created, err := prepareFile("store", path)
	if err != nil {
		return err
	}
	parameters := url.Values{
		"mode": {"rwc"}, "_busy_timeout": {fmt.Sprint(DefaultBusyTimeout.Milliseconds())}, "_error_rc": {"true"},
		"_txlock": {"immediate"}, "_pragma": {"synchronous(FULL)"},
	}
	db, err := pool(uri(path, parameters), 1)
	if err != nil {
		return err
	}
	err = apply(ctx, db)
	if err != nil {
		err = openError(ctx, path, err)
	}
	err = errors.Join(err, db.Close())
	if err != nil && created {
		removeFile(path)
	}
	return err
}

func apply(ctx context.Context, db *sqlx.DB) error {
	conn, err := db.Connx(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // goes back to the pool
	if err := ensureWAL(ctx, conn.Conn); err != nil {
		return err
	}
	tx, err := conn.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	have, err := sqlstore.Tables(ctx, tx, columnsQuery)
	if err != nil {
		return err
	}
	statements, err := schema.Upgrade(dialect, have)
	if err != nil {
		return err
	}
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%w (in: %.60s)", err, statement)
		}
	}
	return tx.Commit()
}
