package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"

	modernc "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/benchfleet/benchfleet/core"
)

// whyReadOnly is why the target accepts no writes; empty when it does. Unless
// that is known without, it begins a write and takes it back, on a connection of
// its own.
func (t *Target) whyReadOnly(ctx context.Context) (string, error) {
	switch {
	case t.fixed != "":
		return "the DSN says " + t.fixed, nil
	case fileReadOnly(t.path):
		return fmt.Sprintf("%s is read-only for this user", t.path), nil
	}
	connector, err := modernc.NewConnector(t.dsn("rw"))
	if err != nil {
		return "", err
	}
	db := sql.OpenDB(connector)
	why, err := refusedWrite(ctx, db)
	switch sqliteCode(err) & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED: // somebody writes
		err = nil
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		why, err = explain(t.path, err).Error(), nil
	}
	return why, errors.Join(err, db.Close())
}

// refusedWrite begins a write and takes it back. Where the journal is a file that
// only a change makes, it sets the user version to what it is.
func refusedWrite(ctx context.Context, db *sql.DB) (why string, err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }() // ends what is not rolled back
	var journal string
	var version, queryOnly int64
	for name, into := range map[string]any{"journal_mode": &journal, "user_version": &version, "query_only": &queryOnly} {
		if err := conn.QueryRowContext(ctx, "PRAGMA "+name).Scan(into); err != nil {
			return "", err
		}
	}
	if queryOnly != 0 {
		return "the DSN sets query_only", nil
	}
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return "", err
	}
	switch journal {
	case "delete", "truncate", "persist":
		if _, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version)); err != nil {
			return "", err
		}
	}
	_, err = conn.ExecContext(ctx, "ROLLBACK")
	return "", err
}

// idle reports whether this user may not write the file and nobody has it open in
// WAL mode. Reading it like any other would leave -wal and -shm that nobody can
// write, and that make it read-only for its owner too.
func (t *Target) idle() bool {
	_, err := os.Stat(t.path + "-wal")
	return errors.Is(err, fs.ErrNotExist) && fileReadOnly(t.path)
}

// checkLoadable refuses to change a target that is read-only by its DSN or its
// file, before SQLite makes files beside it. A missing file is NotFound.
func (t *Target) checkLoadable() error {
	if t.fixed != "" {
		return fmt.Errorf("%w: sqlite: target %s is read-only: the DSN says %s", core.ErrDenied, t.path, t.fixed)
	}
	return checkWritable("target", t.path)
}
