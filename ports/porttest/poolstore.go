package porttest

import (
	"fmt"
	"testing"

	"github.com/benchfleet/benchfleet/core"
)

// TestPoolStore proves a ports.PoolStore.
func TestPoolStore(t *testing.T, h StoreHarness) {
	t.Helper()
	PoolStoreSuite().Test(t, h)
}

// PoolStoreSuite is the cases of TestPoolStore.
func PoolStoreSuite() Suite[StoreHarness] {
	return Suite[StoreHarness]{
		{"a pool is read as it was stored", poolPut},
		{"a pool that is there stays", poolAgain},
		{"a pool that is not there is NotFound", poolUnknown},
		{"ended contexts store no pool", poolContexts},
	}
}

// samplePool is a pool of two chunks, as core makes them.
func samplePool(t testing.TB, from int64) (id string, chunks []string) {
	t.Helper()
	var values []any
	for i := range int64(1500) {
		values = append(values, fmt.Sprintf("%s %04d", odd, from+i))
	}
	pool, err := core.NewValuePool(values)
	must(t, err, "NewValuePool")
	chunks, err = pool.Chunks()
	must(t, err, "Chunks")
	return core.PoolID(chunks), chunks
}

func poolPut(t testing.TB, h StoreHarness) {
	one, two := h.handles(t)
	for from := range int64(3) {
		id, chunks := samplePool(t, from)
		must(t, one.Pools().Put(within(t), id, chunks), "Put")
		got, err := two.Pools().Get(within(t), id)
		must(t, err, "Get")
		wantSame(t, got, chunks, "the pool")
		_, err = core.ParsePool(id, got)
		must(t, err, "ParsePool")
	}
}

func poolAgain(t testing.TB, h StoreHarness) {
	store := h.open(t)
	id, chunks := samplePool(t, 0)
	must(t, store.Pools().Put(within(t), id, chunks), "Put")
	must(t, store.Pools().Put(within(t), id, chunks), "Put of the same")
	must(t, store.Pools().Put(within(t), id, []string{"[1]", "[2]"}), "Put of another content")
	got, err := store.Pools().Get(within(t), id)
	must(t, err, "Get")
	wantSame(t, got, chunks, "the pool")
}

func poolUnknown(t testing.TB, h StoreHarness) {
	store := h.open(t)
	_, err := store.Pools().Get(within(t), "nothing")
	wantCode(t, err, core.NotFound, "Get of a pool that is not there")
}

func poolContexts(t testing.TB, h StoreHarness) {
	store := h.open(t)
	id, chunks := samplePool(t, 0)
	for _, ctx := range endedContexts(t) {
		wantEnded(t, store.Pools().Put(ctx, id, chunks), ctx, "Put")
		_, err := store.Pools().Get(ctx, id)
		wantEnded(t, err, ctx, "Get")
	}
	_, err := store.Pools().Get(within(t), id)
	wantCode(t, err, core.NotFound, "Get after calls whose contexts had ended before")
}
