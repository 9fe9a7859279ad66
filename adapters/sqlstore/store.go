package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

var (
	_ ports.Store         = (*Store)(nil)
	_ ports.TemplateStore = templates{}
	_ ports.LogStore      = logs{}
)

// Store is a ports.Store over SQL. Make it with New.
type Store struct {
	d     Dialect
	read  *sqlx.DB
	write *sqlx.DB
	hot   hotStatements
	// pending is of a remote database.
	pending pendingEvents

	closed atomic.Bool
}

// New makes a store of connections that the caller has opened and configured.
// read and write may be the same; the store closes both. On write, a transaction
// of an embedded database must hold what it needs to commit from its beginning, or
// fail with an error that Dialect.Code calls Unavailable or Conflict.
func New(d Dialect, read, write *sqlx.DB) *Store {
	s := &Store{d: d, read: read, write: write}
	s.hot.init(s)
	return s
}

// Close frees the connections. Calls after it are Unavailable.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.hot.close()
	err := s.read.Close()
	if s.write != s.read {
		err = errors.Join(err, s.write.Close())
	}
	if err != nil {
		return fmt.Errorf("%w: %s: closing: %w", core.ErrInternal, s.d.Name, err)
	}
	return nil
}

// Templates returns the templates of the store.
func (s *Store) Templates() ports.TemplateStore { return templates{s} }

// Logs returns the log lines of the store.
func (s *Store) Logs() ports.LogStore { return logs{s} }

// unit runs f, one unit of work that changes the store. In an embedded database it
// is a transaction, which an error of f undoes. In a remote one each statement of
// f commits by itself, so that no lock outlives a statement, whoever dies between
// two: f orders its statements so that what is stored is valid after each of them,
// and it can be run again.
func (s *Store) unit(ctx context.Context, what string, f func(q sqlx.ExtContext) error) error {
	return s.wrap(ctx, what, func() error {
		if s.d.Remote != nil {
			return s.repeat(ctx, func() error { return f(s.write) })
		}
		tx, err := s.write.BeginTxx(ctx, nil)
		if err != nil {
			return err
		}
		return finish(tx, f)
	})
}

// durably is unit, and what it did outlives a loss of power.
func (s *Store) durably(ctx context.Context, what string, f func(q sqlx.ExtContext) error) error {
	if s.d.Harden == "" {
		return s.unit(ctx, what, f)
	}
	return s.wrap(ctx, what, func() (err error) {
		conn, err := s.write.Connx(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, conn.Close()) }()
		if _, err := conn.ExecContext(ctx, s.d.Harden); err != nil {
			return err
		}
		// Even when ctx has ended: the connection goes back to the pool. If this
		// fails, later transactions are only slower.
		defer func() { _, _ = conn.ExecContext(context.WithoutCancel(ctx), s.d.Relax) }()
		tx, err := conn.BeginTxx(ctx, nil)
		if err != nil {
			return err
		}
		return finish(tx, f)
	})
}

func finish(tx *sqlx.Tx, f func(q sqlx.ExtContext) error) error {
	if err := f(tx); err != nil {
		// The first error says what happened; after it a rollback can only fail
		// because the transaction is gone already.
		_ = tx.Rollback()
		return err
	}
	return tx.Commit()
}

// wrap runs f and gives an error that has no code yet the code that it deserves.
func (s *Store) wrap(ctx context.Context, what string, f func() error) error {
	if s.closed.Load() {
		return fmt.Errorf("%w: %s: %s: the store is closed", core.ErrUnavailable, s.d.Name, what)
	}
	err := f()
	if err == nil || coded(err) {
		return err
	}
	if ended := ctx.Err(); ended != nil {
		if !errors.Is(err, ended) {
			err = fmt.Errorf("%w (%w)", ended, err)
		}
		return fmt.Errorf("%w: %s: %s: %w", core.ErrUnavailable, s.d.Name, what, err)
	}
	return fmt.Errorf("%w: %s: %s: %w", s.codeOf(err), s.d.Name, what, s.d.Explain(err))
}

func (s *Store) codeOf(err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, sql.ErrConnDone), s.closed.Load():
		return core.ErrUnavailable
	}
	if code := s.d.Code(err); code != nil {
		return code
	}
	return core.ErrInternal
}

// coded reports whether err carries one of core's codes.
func coded(err error) bool {
	return core.CodeOf(err) != core.Internal || errors.Is(err, core.ErrInternal)
}

func (s *Store) notFound(format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", core.ErrNotFound, s.d.Name, fmt.Sprintf(format, args...))
}

func (s *Store) invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", core.ErrInvalid, s.d.Name, fmt.Sprintf(format, args...))
}

// now is the store's clock, cut to microseconds.
func (s *Store) now(ctx context.Context, q sqlx.QueryerContext) (time.Time, error) {
	if s.d.Clock != nil {
		return s.d.Clock().UTC().Truncate(time.Microsecond), nil
	}
	var now instant
	if err := q.QueryRowxContext(ctx, "SELECT "+s.d.Now).Scan(&now); err != nil {
		return time.Time{}, err
	}
	return now.Truncate(time.Microsecond), nil
}

// get reads one row into dest; found is false when there is none.
func get(ctx context.Context, q sqlx.QueryerContext, dest any, query string, args ...any) (found bool, err error) {
	err = sqlx.GetContext(ctx, q, dest, query, args...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}
