package engine_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/postgres/postgrestest"
	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
)

var shared postgrestest.Shared

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

// account is what most tests have: two users, a role without rights, warehouses.
func account() engine.Account {
	return engine.Account{
		Name: "STANDIN",
		Users: []engine.User{
			{Name: "BENCH", Password: "secret", DefaultRole: "SYSADMIN", Roles: []string{"ACCOUNTADMIN", "WORKER"}},
			{Name: "OTHER", DefaultRole: "WORKER"},
		},
		Roles: []engine.Role{{Name: "WORKER"}},
		Warehouses: []engine.Warehouse{
			{Name: "WH", UsableBy: []string{"WORKER"}}, {Name: "SLEEPING", State: engine.Suspended, NoAutoResume: true}, {Name: "RESUMES", State: engine.Suspended},
			{Name: "FAST", Type: engine.Interactive}, {Name: "PRIVATE"},
		},
		Databases: []string{"DB"},
	}
}

func open(t *testing.T, a engine.Account) *engine.Engine {
	t.Helper()
	return openWith(t, func(o *engine.Options) { o.Account = a })
}

// openWith opens an engine with options of the test's, on a database of its own.
func openWith(t *testing.T, change func(*engine.Options)) *engine.Engine {
	t.Helper()
	server := shared.Server(t)
	o := engine.Options{DSN: server.DSN(postgrestest.Superuser, server.Database(t)), Account: account()}
	change(&o)
	e, err := engine.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

func session(t *testing.T, e *engine.Engine, parameters ...string) *engine.Session {
	t.Helper()
	o := engine.SessionOptions{User: "BENCH", Database: "DB", Schema: "PUBLIC", Warehouse: "WH", Parameters: map[string]string{"TIMEZONE": "UTC"}}
	for i := 0; i < len(parameters); i += 2 {
		o.Parameters[parameters[i]] = parameters[i+1]
	}
	s, err := e.NewSession(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func text(s string) engine.Bind { return engine.Bind{Type: "TEXT", Value: &s} }

func fixed(s string) engine.Bind { return engine.Bind{Type: "FIXED", Value: &s} }

func run(t *testing.T, s *engine.Session, sql string, binds ...engine.Bind) *engine.Result {
	t.Helper()
	r, err := s.Execute(t.Context(), engine.Query{SQL: sql, Binds: binds})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return r
}

// fails executes what must fail, and returns the number of the error.
func fails(t *testing.T, s *engine.Session, sql string, binds ...engine.Bind) *engine.Error {
	t.Helper()
	r, err := s.Execute(t.Context(), engine.Query{SQL: sql, Binds: binds})
	var own *engine.Error
	if err == nil || !errors.As(err, &own) {
		t.Fatalf("%s: %v, %v", sql, show(r), err)
	}
	return own
}

// show writes rows with | between columns and a line for each.
func show(r *engine.Result) string {
	if r == nil {
		return "nothing"
	}
	lines := make([]string, len(r.Rows))
	for i, row := range r.Rows {
		cells := make([]string, len(row))
		for k, v := range row {
			cells[k] = "NULL"
			if v != nil {
				cells[k] = *v
			}
		}
		lines[i] = strings.Join(cells, "|")
	}
	return strings.Join(lines, "\n")
}

func TestThinPath(t *testing.T) {
	is := is.New(t)
	s := session(t, open(t, account()))
	is.Equal(show(run(t, s, "SELECT 1")), "1")
	run(t, s, "CREATE HYBRID TABLE t (id VARCHAR(36) NOT NULL PRIMARY KEY, n NUMBER(38,0) DEFAULT 0, v VARIANT, at TIMESTAMP_NTZ(9) DEFAULT SYSDATE(), INDEX ix (n))")
	r := run(t, s, "INSERT INTO t (id, n) VALUES (?, ?)", text("a"), fixed("5"))
	is.Equal(r.TypeID, int64(engine.TypeInsert))
	is.Equal(show(r), "1")
	r = run(t, s, "SELECT id, n, v FROM t WHERE id = ?", text("a"))
	is.Equal(show(r), "a|5|NULL")
	is.Equal(r.Columns[0].Name, "ID")
	is.Equal(r.Columns[1].Type, "fixed")
	is.Equal(r.Columns[2].Type, "variant")
	is.Equal(show(run(t, s, "UPDATE t SET n = n + 1, v = PARSE_JSON(?) WHERE id = ?", text(`{"b":[1,{"c":"x"}],"a":null}`), text("a"))), "1|0")
	is.Equal(show(run(t, s, "SELECT v:b[1].c::string, n / 4, GET(v, ?) FROM t", text("b"))), "x|1.500000|[\n  1,\n  {\n    \"c\": \"x\"\n  }\n]")
	run(t, s, "BEGIN")
	is.Equal(fails(t, s, "INSERT INTO t (id) VALUES ('a')").Number, 200001)
	run(t, s, "INSERT INTO t (id) VALUES ('b')")
	run(t, s, "COMMIT")
	is.Equal(show(run(t, s, "SELECT COUNT(*) FROM t")), "2")
}
