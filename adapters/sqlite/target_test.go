package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports/porttest"
)

// slow counts to 10^12, which takes hours.
const slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000000) SELECT COUNT(*) FROM n"

func openTarget(t testing.TB, dsn string) *Target {
	t.Helper()
	target, err := OpenTarget(t.Context(), dsn, TargetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func targetHarness() porttest.TargetHarness {
	return porttest.TargetHarness{
		Open: func(t testing.TB) porttest.LoadableTarget {
			return openTarget(t, "sqlite:"+filepath.Join(t.TempDir(), "a target #1.db"))
		},
		Table: `odd "name"; --`, AnySQL: true, Isolated: true,
		Echo: core.Statement{SQL: "SELECT ?", Bind: []int{0}, Query: true},
		Slow: core.Statement{SQL: slow, Query: true},
	}
}

func TestTarget(t *testing.T) { porttest.TestTarget(t, targetHarness()) }
