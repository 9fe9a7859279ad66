package sqlstore

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// Pools returns the value pools of the store.
func (s *Store) Pools() ports.PoolStore { return pools{s} }

// pools is the PoolStore of a Store: a row for each chunk.
type pools struct{ store *Store }

// Put stores the chunks that are missing.
func (p pools) Put(ctx context.Context, id string, chunks []string) error {
	s := p.store
	rows := make([]row, 0, len(chunks))
	for i, chunk := range chunks {
		var r row
		r.set("POOL_ID", id)
		r.set("SEQ", int64(i))
		r.set("VALUE", chunk)
		rows = append(rows, r)
	}
	return s.durably(ctx, "storing a value pool", func(q sqlx.ExtContext) error {
		return s.insertRows(ctx, q, table{name: "TEMPLATE_VALUE_POOLS", key: []string{"POOL_ID", "SEQ"}}, rows)
	})
}

// Get reads the chunks in order. Where keys are not enforced two that raced may
// have stored one twice: it is taken once.
func (p pools) Get(ctx context.Context, id string) (chunks []string, err error) {
	s := p.store
	query := "SELECT SEQ, VALUE FROM " + s.d.Table("TEMPLATE_VALUE_POOLS") + " WHERE POOL_ID = ? ORDER BY SEQ"
	err = s.wrap(ctx, "reading a value pool", func() error {
		var rows []struct {
			Sequence int64  `db:"SEQ"`
			Value    string `db:"VALUE"`
		}
		if err := sqlx.SelectContext(ctx, s.read, &rows, s.read.Rebind(query), id); err != nil {
			return err
		}
		for _, r := range rows {
			if r.Sequence == int64(len(chunks)) {
				chunks = append(chunks, r.Value)
			}
		}
		if len(chunks) == 0 {
			return fmt.Errorf("%w: %s: value pool %.12q", core.ErrNotFound, s.d.Name, id)
		}
		return nil
	})
	return chunks, err
}
