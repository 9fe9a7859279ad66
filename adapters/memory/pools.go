package memory

import (
	"context"
	"fmt"
	"slices"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// Pools returns the value pools of the store.
func (s *Store) Pools() ports.PoolStore { return pools{s} }

type pools struct{ store *Store }

func (p pools) Put(ctx context.Context, id string, chunks []string) error {
	return p.store.do(ctx, func(d *data) error {
		if _, found := d.pools[id]; !found {
			d.pools[id] = slices.Clone(chunks)
		}
		return nil
	})
}

func (p pools) Get(ctx context.Context, id string) (chunks []string, err error) {
	err = p.store.do(ctx, func(d *data) error {
		stored, found := d.pools[id]
		if !found {
			return fmt.Errorf("%w: memory: value pool %.12q", core.ErrNotFound, id)
		}
		chunks = slices.Clone(stored)
		return nil
	})
	return chunks, err
}
