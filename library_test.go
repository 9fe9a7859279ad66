package benchfleet_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/postgres"
	"github.com/benchfleet/benchfleet/adapters/postgres/postgrestest"
	"github.com/benchfleet/benchfleet/adapters/snowflake"
	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
	"github.com/benchfleet/benchfleet/adapters/sqlite"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/internal/pgcluster"
	"github.com/benchfleet/benchfleet/library"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/templatefile"
)

// tryable is a target with its loader.
type tryable interface {
	ports.Target
	ports.Loader
}

// TestLibraryRuns prepares the tables of each built-in template on each kind of
// target, lets it check every statement, and executes the first operations of two
// connections: what is fitted to a target runs on it.
func TestLibraryRuns(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		target, err := sqlite.OpenTarget(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "target.db"), sqlite.TargetOptions{})
		tryLibrary(t, "sqlite", target, err, 150)
	})
	t.Run("postgres", func(t *testing.T) {
		server := postgrestest.Start(t, postgrestest.Options{})
		target, err := postgres.New(server.DSN(postgrestest.Superuser, server.Database(t)), postgres.Options{})
		tryLibrary(t, "postgres", target, err, 150)
	})
	t.Run("snowflake", func(t *testing.T) {
		server := snowflaketest.Start(t, snowflaketest.Options{})
		target, err := snowflake.OpenTarget(server.DSN(snowflaketest.In{Schema: server.Schema(t)}), snowflake.TargetOptions{})
		tryLibrary(t, "snowflake", target, err, 20)
	})
}

func tryLibrary(t *testing.T, kind string, target tryable, err error, operations int) {
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	for _, name := range library.Names() {
		t.Run(name, func(t *testing.T) { tryTemplate(t, name, kind, target, operations) })
	}
}

func tryTemplate(t *testing.T, name, kind string, target tryable, operations int) {
	is := is.New(t)
	text, err := library.For(name, library.Target{Kind: kind, Endpoint: "there"})
	is.NoErr(err)
	list, err := templatefile.Parse(name, text)
	is.NoErr(err)
	list[0].Table.Rows = 2000
	scenario, err := list[0].Resolve(core.Resolution{Launcher: "local"})
	is.NoErr(err)
	is.Equal(scenario.Target.Kind, kind)
	is.Equal(scenario.Target.Endpoint, "there")
	scenario.InsertBase, scenario.Load.Connections = core.InsertRange, 2

	is.NoErr(target.Create(t.Context(), scenario.Table))
	defer func() { is.NoErr(target.Drop(t.Context(), scenario.Table)) }()
	is.NoErr(target.Load(t.Context(), scenario.Table, nil))
	is.Equal(core.CodeOf(target.Create(t.Context(), scenario.Table)), core.Conflict)
	is.NoErr(target.Load(t.Context(), scenario.Table, nil)) // changes nothing
	checkTables(t, target, scenario.Table)
	for _, statement := range scenario.Statements() {
		is.NoErr(target.Explain(t.Context(), scenario.Table, statement))
	}
	generator, err := core.NewGenerator(scenario)
	is.NoErr(err)
	moved := int64(0)
	for connection := range int64(2) {
		moved += runStream(t, target, scenario, generator, connection, operations)
	}
	if scenario.Table.Layout == core.LayoutTPCB { // there is one branch: all went through it
		balance, err := target.Sample(t.Context(), scenario.Table, core.PoolSpec{Table: "branches", Column: "BBALANCE", Size: 9})
		is.NoErr(err)
		is.Equal(balance, []any{moved})
	}
}

// TPC-B is what pgbench has built in, statement by statement.
func TestTPCBIsThatOfPgbench(t *testing.T) {
	is := is.New(t)
	postgrestest.Start(t, postgrestest.Options{}) // or skip
	binaries, err := pgcluster.Find()
	is.NoErr(err)
	shown, err := exec.Command(filepath.Join(binaries, "pgbench"), "--show-script=tpcb-like").CombinedOutput()
	is.NoErr(err)
	_, transaction, begun := strings.Cut(string(shown), "BEGIN;\n")
	transaction, _, ended := strings.Cut(transaction, "END;")
	is.True(begun && ended)
	theirs := strings.NewReplacer("PGBENCH_ACCOUNTS", "{TABLE}", "PGBENCH_TELLERS", "{TABLE.TELLERS}", "PGBENCH_BRANCHES", "{TABLE.BRANCHES}",
		"PGBENCH_HISTORY", "{TABLE.HISTORY}").Replace(strings.ToUpper(transaction))

	template, err := library.Get("tpcb")
	is.NoErr(err)
	is.Equal(len(template.Mix), 1)
	ours := ""
	for _, statement := range template.Mix[0].Statements {
		sql := statement.SQL
		for _, name := range statement.Bind {
			sql = strings.Replace(sql, "?", ":"+name, 1)
		}
		ours += strings.ToUpper(sql) + ";\n"
	}
	is.Equal(ours, theirs)
}

// checkTables: every table of the layout is there, with its rows.
func checkTables(t *testing.T, target ports.Target, table core.TemplateTable) {
	is := is.New(t)
	info, err := target.Describe(t.Context(), table)
	is.NoErr(err)
	tables := table.Tables()
	is.Equal(len(info.Others), len(tables)-1)
	for i, have := range append([]ports.TableInfo{info.Table}, info.Others...) {
		is.True(have.Exists)
		is.Equal(have.Rows, tables[i].Rows)
	}
}

// runStream executes operations as a worker does. What reads by key finds a row. It
// returns the sum of the first arguments of all transactions: TPC-B's deltas.
func runStream(t *testing.T, target ports.Target, s core.Scenario, generator *core.Generator, connection int64, operations int) (moved int64) {
	is := is.New(t)
	session, err := target.Open(t.Context(), ports.SessionOptions{Table: s.Table, Statements: s.Statements(), Tag: fmt.Sprint(connection)})
	is.NoErr(err)
	defer session.Close()
	stream := generator.Connection(connection)
	stream.Measure()
	for range operations {
		operation := stream.Next()
		op, first := s.Operations[operation], generator.FirstStatement(operation)
		if op.Transaction {
			is.NoErr(session.Begin(t.Context()))
		}
		for i := range op.Statements {
			rows, err := session.Exec(t.Context(), first+i, stream.Args(i))
			if err != nil {
				t.Fatalf("%s, statement %d: %v", op.Kind, i+1, err)
			}
			if rows < 1 && op.Kind != core.Delete { // nothing may have been inserted yet
				t.Fatalf("%s, statement %d with %v: no row", op.Kind, i+1, stream.Args(i))
			}
		}
		if op.Transaction {
			is.NoErr(session.Commit(t.Context()))
			delta, _ := stream.Args(0)[0].(int64)
			moved += delta
		}
	}
	return moved
}
