package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"

	modernc "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/benchfleet/benchfleet/core"
)

// result is what one result code of SQLite means: a sentinel of core for a
// store, another for a session of a target, and the class by which errors of
// operations are counted.
type result struct {
	store  error
	target error
	class  string
}

// resultOf maps the codes of https://www.sqlite.org/rescode.html. A session of a
// target goes on after a lock that it did not get, so that is no Unavailable.
func resultOf(code int) result {
	switch code {
	case sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return result{core.ErrConflict, core.ErrConflict, "CONSTRAINT"}
	}
	switch code & 0xff {
	case sqlite3.SQLITE_CONSTRAINT:
		return result{core.ErrInvalid, core.ErrInvalid, "CONSTRAINT"}
	case sqlite3.SQLITE_BUSY:
		return result{core.ErrUnavailable, core.ErrConflict, "BUSY"}
	case sqlite3.SQLITE_LOCKED:
		return result{core.ErrUnavailable, core.ErrConflict, "LOCKED"}
	case sqlite3.SQLITE_INTERRUPT:
		return result{core.ErrUnavailable, core.ErrRefused, "INTERRUPTED"}
	case sqlite3.SQLITE_FULL:
		return result{core.ErrUnavailable, core.ErrRefused, "FULL"}
	case sqlite3.SQLITE_IOERR:
		return result{core.ErrUnavailable, core.ErrUnavailable, "IOERR"}
	case sqlite3.SQLITE_PROTOCOL:
		return result{core.ErrUnavailable, core.ErrUnavailable, "PROTOCOL"}
	case sqlite3.SQLITE_NOMEM:
		return result{core.ErrUnavailable, core.ErrUnavailable, "NOMEM"}
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		return result{core.ErrDenied, core.ErrDenied, "DENIED"}
	case sqlite3.SQLITE_CANTOPEN:
		return result{core.ErrDenied, core.ErrUnavailable, "CANTOPEN"}
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		return result{core.ErrInvalid, core.ErrUnavailable, "CORRUPT"}
	case sqlite3.SQLITE_ERROR, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE:
		return result{core.ErrInvalid, core.ErrInvalid, "ERROR"}
	case sqlite3.SQLITE_SCHEMA:
		return result{core.ErrConflict, core.ErrConflict, "SCHEMA"}
	default:
		return result{core.ErrInternal, core.ErrInternal, fmt.Sprintf("CODE_%d", code)}
	}
}

// storeCode is the code of a driver's error for a store; nil for another's.
func storeCode(err error) error {
	var e *modernc.Error
	if !errors.As(err, &e) {
		return nil
	}
	if e.Code() == sqlite3.SQLITE_ERROR {
		if schemaIsOld(err) {
			return core.ErrRefused
		}
		return core.ErrInternal // the statements are ours
	}
	return resultOf(e.Code()).store
}

// schemaIsOld recognises what SQLite says when it misses a table or a column; it
// has no code of its own for that.
func schemaIsOld(err error) bool {
	text := err.Error()
	return strings.Contains(text, "no such table") || strings.Contains(text, "no such column") || strings.Contains(text, "has no column named")
}

// sqliteCode is the result code of an error, or 0.
func sqliteCode(err error) int {
	var e *modernc.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// isBusy reports whether a lock was not to be had, and waiting may help.
func isBusy(err error) bool {
	code := sqliteCode(err)
	return code&0xff == sqlite3.SQLITE_BUSY && code != sqlite3.SQLITE_BUSY_SNAPSHOT
}

// classified is an error that is counted under a class.
type classified struct {
	err   error
	class string
}

// Error is the text of the error.
func (c *classified) Error() string { return c.err.Error() }

// Unwrap is the driver's error.
func (c *classified) Unwrap() error { return c.err }

// Class is what operations that failed like this are counted under.
func (c *classified) Class() string { return c.class }

// targetError gives an error of a target its code and class. When ctx has ended
// that is what happened, whatever the driver says of it.
func targetError(ctx context.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	ended := ctx.Err()
	if ended == nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		ended = err
	}
	if ended != nil {
		return fmt.Errorf("%w: sqlite: %s: %w", core.ErrUnavailable, what, ended)
	}
	if code := sqliteCode(err); code != 0 {
		r := resultOf(code)
		return fmt.Errorf("%w: sqlite: %s: %w", r.target, what, &classified{err, r.class})
	}
	return fmt.Errorf("%w: sqlite: %s: %w", core.ErrInternal, what, err)
}
