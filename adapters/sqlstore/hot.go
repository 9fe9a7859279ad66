package sqlstore

import (
	"context"
	"sync"

	"github.com/jmoiron/sqlx"
)

// hotStatements are the statements that run all the time. They are prepared
// once, at their first use: a store may be opened before its tables exist.
type hotStatements struct {
	control hotStatement
	beat    hotStatement
	commit  hotStatement
}

type hotStatement struct {
	db   *sqlx.DB
	text string

	mu       sync.Mutex
	prepared *sqlx.Stmt
}

func (h *hotStatements) init(s *Store) {
	h.control.db, h.control.text = s.read, s.controlText()
	h.beat.db, h.beat.text = s.write, s.beatText()
	h.commit.db, h.commit.text = s.write, s.commitText()
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

// prepared returns a hot statement. It takes a connection of its own, so it must
// come before a transaction, which may hold the only one.
func (s *Store) prepared(ctx context.Context, what string, h *hotStatement) (statement *sqlx.Stmt, err error) {
	err = s.wrap(ctx, what, func() error {
		statement, err = h.get(ctx)
		return err
	})
	return statement, err
}

func (h *hotStatement) get(ctx context.Context) (*sqlx.Stmt, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.prepared == nil {
		prepared, err := h.db.PreparexContext(ctx, h.db.Rebind(h.text))
		if err != nil {
			return nil, err
		}
		h.prepared = prepared
	}
	return h.prepared, nil
}
