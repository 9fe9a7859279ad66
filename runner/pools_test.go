package runner_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

// The values of a pool are sampled before the run, kept under the hash of their
// content, and named by the run: what is in the table later changes nothing.
func TestPoolsAreFrozen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		s := scenarioFor(t, 2, nil)
		pooled(&s, "STATUS", 9)
		run := b.runToEnd(t, b.runner(t, "a", nil), s)
		is.Equal(run.Detail, "")
		is.Equal(run.Status, core.Completed)
		is.Equal(len(run.Pools), 1)
		is.True(slices.ContainsFunc(run.Findings, func(f core.Finding) bool {
			return f.ID == "target.pool" && f.Message == "4 values of column STATUS of table T, 2 to 2 for each connection"
		}))
		is.Equal(b.record(t).Run.Pools, run.Pools)
		chunks, err := b.store.Pools().Get(t.Context(), run.Pools[0])
		is.NoErr(err)
		pool, err := core.ParsePool(run.Pools[0], chunks)
		is.NoErr(err)
		is.Equal(pool.Values(), []any{"ACTIVE", "CLOSED", "NEW", "SUSPENDED"})
	})
}

// Preflight alone stores nothing, and neither does a run that is refused.
func TestPoolsOfNoRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		s := scenarioFor(t, 2, nil)
		pooled(&s, "STATUS", 1)
		r := b.runner(t, "a", nil)
		is.True(core.Refusal(r.Preflight(t.Context(), s)) != "")
		run := b.runToEnd(t, r, s)
		is.Equal(run.Status, core.Failed)
		is.Equal(len(run.Pools), 0)
		pool, err := core.NewValuePool([]any{"SUSPENDED"})
		is.NoErr(err)
		chunks, err := pool.Chunks()
		is.NoErr(err)
		_, err = b.store.Pools().Get(t.Context(), core.PoolID(chunks))
		is.Equal(core.CodeOf(err), core.NotFound)
	})
}
