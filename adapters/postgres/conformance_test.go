package postgres

import (
	"os"
	"testing"

	"github.com/benchfleet/benchfleet/adapters/postgres/postgrestest"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports/porttest"
)

// shared is the server of this package's tests.
var shared postgrestest.Shared

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

func open(t testing.TB, dsn string, options Options) *Target {
	t.Helper()
	target, err := New(dsn, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.Close() })
	return target
}

func harness(options Options) porttest.TargetHarness {
	return porttest.TargetHarness{
		Open: func(t testing.TB) porttest.LoadableTarget {
			server := shared.Server(t)
			return open(t, server.DSN(postgrestest.Superuser, server.Database(t)), options)
		},
		Table: `odd "name"; --`, AnySQL: true, Isolated: true,
		Echo: core.Statement{SQL: "SELECT ?", Bind: []int{0}, Query: true},
		Slow: core.Statement{SQL: "SELECT pg_sleep(100000)", Query: true},
	}
}

func TestTarget(t *testing.T) { porttest.TestTarget(t, harness(Options{})) }

func TestTargetPooled(t *testing.T) { porttest.TestTarget(t, harness(Options{PgBouncer: true})) }

// load makes the table and loads its rows.
func load(t testing.TB, target *Target, table core.TemplateTable) {
	t.Helper()
	if err := target.Create(t.Context(), table); err != nil {
		t.Fatal(err)
	}
	if err := target.Load(t.Context(), table, nil); err != nil {
		t.Fatal(err)
	}
}
