package porttest

import (
	"testing"

	"github.com/benchfleet/benchfleet/core"
)

// targetSample: all values of a column when they are few enough, or that many at
// even distances, each once and in order.
func targetSample(t testing.TB, h TargetHarness) {
	target := h.bare(t)
	_, err := target.Sample(within(t), h.table(), core.PoolSpec{Column: "STATUS", Size: 10})
	if err == nil || core.CodeOf(err) == core.Internal {
		t.Errorf("Sample of a table that is not there: %v, want an error with a code", err)
	}
	must(t, target.Create(within(t), h.table()), "Create")
	for _, c := range []struct {
		column string
		size   int
		want   []any
	}{
		{"ID", 10, nil}, // the table is empty
		{"STATUS", 4, []any{"ACTIVE", "CLOSED", "NEW", "SUSPENDED"}},
		{"STATUS", 2, []any{"CLOSED", "SUSPENDED"}},
		{"ID", 4, []any{int64(249), int64(499), int64(749), int64(999)}},
		{"ID", 1, []any{int64(999)}},
	} {
		if c.want != nil {
			must(t, target.Load(within(t), h.table(), nil), "Load")
		}
		got, err := target.Sample(within(t), h.table(), core.PoolSpec{Column: c.column, Size: c.size})
		must(t, err, "Sample of "+c.column)
		wantSame(t, got, c.want, "the sample of "+c.column)
		for i, value := range got {
			if value != c.want[i] {
				t.Errorf("value %d of %s: %T, want %T", i, c.column, value, c.want[i])
			}
		}
	}
	got, err := target.Sample(within(t), h.table(), core.PoolSpec{Column: "ID", Size: targetRows})
	must(t, err, "Sample of every key")
	if len(got) != targetRows || got[0] != int64(0) {
		t.Errorf("%d keys from %v, want all %d", len(got), got[0], targetRows)
	}
	_, err = target.Sample(within(t), h.table(), core.PoolSpec{Column: "NO_SUCH_COLUMN", Size: 10})
	wantCode(t, err, core.Invalid, "Sample of a column that is not there")
	for _, ctx := range endedContexts(t) {
		_, err := target.Sample(ctx, h.table(), core.PoolSpec{Column: "ID", Size: 10})
		wantEnded(t, err, ctx, "Sample")
	}
}
