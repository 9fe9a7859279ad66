package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"github.com/jmoiron/sqlx"
)

// hotStatements are the statements that run all the time. They are prepared
// once, at their first use: a store may be opened before its tables exist. For a
// remote database preparing would be a round trip, or nothing: they stay text.
type hotStatements struct {
	control hotStatement
	beat    hotStatement
	commit  hotStatement
}

type hotStatement struct {
	db     *sqlx.DB
	text   string
	asText bool

	mu       sync.Mutex
	prepared *sqlx.Stmt
}

func (h *hotStatements) init(s *Store) {
	h.control.db, h.control.text = s.read, s.controlText()
	h.beat.db, h.beat.text = s.write, s.beatText()
	h.commit.db, h.commit.text = s.write, s.commitText()
	for _, statement := range []*hotStatement{&h.control, &h.beat, &h.commit} {
		statement.text, statement.asText = statement.db.Rebind(statement.text), s.d.Remote != nil
	}
}

func (h *hotStatements) close() {
	for _, statement := range []*hotStatement{&h.control, &h.beat, &h.commit} {
		statement.mu.Lock()
		if statement.prepared != nil {
			_ = statement.prepared.Close() // its connections are closed next
		}
		statement.mu.Unlock()
	}
}

// statement is a hot statement, ready: prepared, or its text.
type statement struct {
	text     string
	prepared *sqlx.Stmt
}

// prepared returns a hot statement. It takes a connection of its own, so it must
// come before a transaction, which may hold the only one.
func (s *Store) prepared(ctx context.Context, what string, h *hotStatement) (ready statement, err error) {
	if h.asText {
		return statement{text: h.text}, nil
	}
	err = s.wrap(ctx, what, func() error {
		ready.prepared, err = h.get(ctx)
		return err
	})
	return ready, err
}

// exec executes a statement in a transaction, or by itself.
func (t statement) exec(ctx context.Context, q sqlx.ExtContext, args ...any) (sql.Result, error) {
	tx, within := q.(*sqlx.Tx)
	switch {
	case t.prepared == nil:
		return q.ExecContext(ctx, t.text, args...)
	case within:
		return tx.StmtxContext(ctx, t.prepared).ExecContext(ctx, args...)
	default:
		return t.prepared.ExecContext(ctx, args...)
	}
}

// get reads one row into dest; found is false when there is none.
func (t statement) get(ctx context.Context, db *sqlx.DB, dest any, args ...any) (found bool, err error) {
	if t.prepared == nil {
		return get(ctx, db, dest, t.text, args...)
	}
	err = t.prepared.GetContext(ctx, dest, args...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func (h *hotStatement) get(ctx context.Context) (*sqlx.Stmt, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.prepared == nil {
		prepared, err := h.db.PreparexContext(ctx, h.text)
		if err != nil {
			return nil, err
		}
		h.prepared = prepared
	}
	return h.prepared, nil
}
