package worker

import (
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
)

// A worker works with the pools of its run or not at all: not without one, and not
// with another content than was sampled.
func TestReadPools(t *testing.T) {
	is := is.New(t)
	pool, err := core.NewValuePool([]any{int64(3), int64(1), int64(2)})
	is.NoErr(err)
	chunks, err := pool.Chunks()
	is.NoErr(err)
	id := core.PoolID(chunks)
	store := memory.NewStore(memory.Options{})
	is.NoErr(store.Pools().Put(t.Context(), id, chunks))
	is.NoErr(store.Pools().Put(t.Context(), "other", []string{"[1,2]"}))

	w := &worker{ports: Ports{Pools: store.Pools()}}
	pools, err := w.readPools(t.Context(), []string{id})
	is.NoErr(err)
	is.Equal(len(pools), 1)
	is.Equal(pools[0].Values(), []any{int64(1), int64(2), int64(3)})
	_, err = w.readPools(t.Context(), []string{id, "gone"})
	is.Equal(core.CodeOf(err), core.NotFound)
	_, err = w.readPools(t.Context(), []string{"other"})
	is.Equal(core.CodeOf(err), core.Invalid)
	_, err = (&worker{}).readPools(t.Context(), []string{id})
	is.Equal(core.CodeOf(err), core.Invalid)
	pools, err = (&worker{}).readPools(t.Context(), nil) // most runs have none
	is.NoErr(err)
	is.Equal(len(pools), 0)
}
