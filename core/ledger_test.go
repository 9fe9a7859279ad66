package core_test

import (
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

func TestBalanceLedger(t *testing.T) {
	balanced := core.Counts{Scheduled: 20, Skipped: 3, Unserved: 2, Started: 15, OK: 8, Errors: 4, Aborted: 2, Lost: 1, Rows: 99}
	const scheduled = "20 operations were scheduled, but "
	for _, c := range []struct {
		name    string
		change  func(*core.Counts)
		problem string
	}{
		{"balanced", func(*core.Counts) {}, ""},
		{"empty", func(c *core.Counts) { *c = core.Counts{} }, ""},
		{"skipped", func(c *core.Counts) { c.Skipped++ }, scheduled + "21 accounted for (15 started, 4 skipped, 2 unserved)"},
		{"unserved", func(c *core.Counts) { c.Unserved-- }, scheduled + "19 accounted for (15 started, 3 skipped, 1 unserved)"},
		{"ok", func(c *core.Counts) { c.OK++ }, "15 operations were started, but 16 accounted for (9 ok, 4 errors, 2 aborted, 1 lost)"},
		{"errors", func(c *core.Counts) { c.Errors-- }, "15 operations were started, but 14 accounted for (8 ok, 3 errors, 2 aborted, 1 lost)"},
		{"aborted", func(c *core.Counts) { c.Aborted++ }, "15 operations were started, but 16 accounted for (8 ok, 4 errors, 3 aborted, 1 lost)"},
		{"lost", func(c *core.Counts) { c.Lost++ }, "15 operations were started, but 16 accounted for (8 ok, 4 errors, 2 aborted, 2 lost)"},
		{"both", func(c *core.Counts) { c.Started++ }, scheduled + "21 accounted for (16 started, 3 skipped, 2 unserved); " +
			"16 operations were started, but 15 accounted for (8 ok, 4 errors, 2 aborted, 1 lost)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			counts := balanced
			c.change(&counts)
			ledger := core.BalanceLedger(counts)
			is.Equal(ledger.Counts, counts)
			is.Equal(ledger.Problem, c.problem)
			is.Equal(ledger.Balanced, c.problem == "")
		})
	}
}
