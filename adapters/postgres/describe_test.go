package postgres

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/postgres/postgrestest"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

func described(t testing.TB, target *Target, table core.TemplateTable) ports.TargetInfo {
	t.Helper()
	info, err := target.Describe(t.Context(), table)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func setting(info ports.TargetInfo, name string) string {
	at := slices.IndexFunc(info.Settings, func(f core.Fact) bool { return f.Name == name })
	if at < 0 {
		return "none"
	}
	return info.Settings[at].Value
}

func TestDescribe(t *testing.T) {
	is := is.New(t)
	server, name, dsn := database(t)
	target := open(t, dsn, Options{})
	load(t, target, benchTable)
	info := described(t, target, benchTable)
	is.Equal([]string{info.Kind, info.Host, info.Database, info.User}, []string{"postgres", "127.0.0.1:" + strconv.Itoa(server.Port), name, postgrestest.Superuser})
	is.Equal(info.Version, server.SQL(t, name, "SHOW server_version"))
	is.Equal(info.Table, ports.TableInfo{Exists: true, Columns: []string{"id", "customer_id", "balance", "status", "payload"}, Rows: benchTable.Rows})
	is.Equal(info.ReadOnly, "")
	is.True(!info.LocalFile)
	for fact, want := range map[string]string{
		"shared_buffers": "64MB", "fsync": "off", "max_connections": "100", "tls": "off", "pgbouncer_mode": "false", "table_kind": "table",
	} {
		is.Equal(setting(info, fact), want)
	}
	size, err := strconv.Atoi(setting(info, "table_bytes"))
	is.NoErr(err)
	is.True(size > 100*100)
	again := described(t, target, benchTable)
	is.Equal(again.Settings, info.Settings) // in the same order
}

// Whatever a look-up can be made on is a table.
func TestKindsOfTables(t *testing.T) {
	server, name, dsn := database(t)
	server.SQL(t, name, "CREATE SCHEMA shop", "CREATE UNLOGGED TABLE shop.plain (id int, x int)", "INSERT INTO shop.plain SELECT generate_series(-5, 49)",
		"CREATE VIEW shown AS SELECT * FROM shop.plain", "CREATE TABLE parts (id int) PARTITION BY RANGE (id)", `CREATE TABLE upper ("ID" int)`, "CREATE TABLE keyless (x int)")
	target := open(t, dsn, Options{})
	for table, want := range map[string]struct {
		kind string
		rows int64
	}{"shop.plain": {"unlogged table", 50}, name + ".shop.plain": {"unlogged table", 50}, "shown": {"view", 50}, "parts": {"partitioned table", 0}, "upper": {"table", 0}, "keyless": {"table", 0}} {
		t.Run(table, func(t *testing.T) {
			is := is.New(t)
			info := described(t, target, core.TemplateTable{Name: table, Rows: 100})
			is.True(info.Table.Exists)
			is.Equal(setting(info, "table_kind"), want.kind)
			is.Equal(info.Table.Rows, want.rows)
		})
	}
	t.Run("no such schema", func(t *testing.T) {
		is := is.New(t)
		table := core.TemplateTable{Name: "nowhere.rows", Rows: 1}
		is.True(!described(t, target, table).Table.Exists)
		is.Equal(core.CodeOf(target.Create(t.Context(), table)), core.NotFound)
		is.NoErr(target.Drop(t.Context(), table))
	})
}

// What a user may not do is known before a run, and names what is missing.
func TestPermissions(t *testing.T) {
	server, name, dsn := database(t)
	load(t, open(t, dsn, Options{}), benchTable)
	user := "limited_" + name
	server.User(t, user)
	const lookup, change = "SELECT ID FROM {table} WHERE ID = ?", "UPDATE {table} SET BALANCE = ? WHERE ID = ?"
	explain := func(sql string) error {
		return open(t, server.DSN(user, name), Options{}).Explain(t.Context(), benchTable, core.Statement{SQL: sql})
	}
	t.Run("nothing granted", func(t *testing.T) {
		is := is.New(t)
		info, err := open(t, server.DSN(user, name), Options{}).Describe(t.Context(), benchTable)
		is.Equal(core.CodeOf(err), core.Denied)
		is.Equal(info.User, user) // whom to grant it
		is.True(strings.Contains(err.Error(), "permission denied for table BENCH_ROWS"))
		is.Equal(core.CodeOf(explain(lookup)), core.Denied)
	})
	t.Run("read only", func(t *testing.T) {
		is := is.New(t)
		server.SQL(t, name, `GRANT SELECT ON "BENCH_ROWS" TO `+user)
		info := described(t, open(t, server.DSN(user, name), Options{}), benchTable)
		is.Equal(info.Table.Rows, benchTable.Rows)
		is.Equal(info.User, user)
		is.True(strings.Contains(info.ReadOnly, user))
		is.NoErr(explain(lookup))
		is.Equal(core.CodeOf(explain(change)), core.Denied)
		s := begin(t, open(t, server.DSN(user, name), Options{}), change)
		_, err := s.Exec(t.Context(), 0, []any{int64(1), int64(1)})
		is.Equal(core.CodeOf(err), core.Denied)
		is.Equal(core.ErrorClass(err), "DENIED")
	})
	t.Run("one write is enough to be writable", func(t *testing.T) {
		is := is.New(t)
		server.SQL(t, name, `GRANT UPDATE (BALANCE) ON "BENCH_ROWS" TO `+user)
		is.Equal(described(t, open(t, server.DSN(user, name), Options{}), benchTable).ReadOnly, "")
		is.NoErr(explain(change))
		is.Equal(core.CodeOf(explain("DELETE FROM {table} WHERE ID = ?")), core.Denied)
	})
	t.Run("read-only by setting", func(t *testing.T) {
		is := is.New(t)
		target := open(t, dsn+"?default_transaction_read_only=on", Options{})
		is.Equal(described(t, target, benchTable).ReadOnly, "default_transaction_read_only is on")
		_, err := begin(t, target, change).Exec(t.Context(), 0, []any{int64(1), int64(1)})
		is.Equal(core.ErrorClass(err), "READ_ONLY")
		is.Equal(core.CodeOf(err), core.Denied)
	})
	t.Run("no schema", func(t *testing.T) {
		is := is.New(t)
		server.SQL(t, name, "CREATE SCHEMA closed", "CREATE TABLE closed.rows (id int)")
		_, err := open(t, server.DSN(user, name), Options{}).Describe(t.Context(), core.TemplateTable{Name: "closed.rows", Rows: 1})
		is.Equal(core.CodeOf(err), core.Denied)
	})
}

// Explain plans, and executes nothing.
func TestExplainExecutesNothing(t *testing.T) {
	is := is.New(t)
	_, _, dsn := database(t)
	target := open(t, dsn, Options{})
	load(t, target, benchTable)
	for _, sql := range []string{
		"DELETE FROM {table}", "WITH gone AS (DELETE FROM {table} RETURNING ID) SELECT count(*) FROM gone",
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = pg_backend_pid()", "SHOW work_mem", "SELECT ID FROM {table} LIMIT ?",
	} {
		is.NoErr(target.Explain(t.Context(), benchTable, core.Statement{SQL: sql}))
	}
	is.Equal(described(t, target, benchTable).Table.Rows, benchTable.Rows)
	err := target.Explain(t.Context(), benchTable, core.Statement{SQL: "COPY {table} (ID) FROM STDIN"}) // and would wait for data for ever
	is.Equal(core.CodeOf(err), core.Invalid)
	is.True(strings.Contains(err.Error(), "waits for data"))
	is.NoErr(target.Explain(t.Context(), benchTable, core.Statement{SQL: "COPY (SELECT ID FROM {table}) TO STDOUT"}))
	err = target.Explain(t.Context(), benchTable, core.Statement{SQL: "SELECT ID FRUM {table}"})
	is.Equal(core.CodeOf(err), core.Invalid)
	is.True(strings.Contains(err.Error(), `syntax error at or near ""BENCH_ROWS"" (SQLSTATE 42601) at character 16`))
}

// What the server still grants is known before a run, whatever limits it.
func TestMaxConnections(t *testing.T) {
	server := postgrestest.Start(t, postgrestest.Options{Config: map[string]string{"max_connections": "12", "superuser_reserved_connections": "3"}})
	server.User(t, "bench")
	server.User(t, "two")
	server.SQL(t, "", "CREATE DATABASE small CONNECTION LIMIT 4", "ALTER ROLE two CONNECTION LIMIT 2")
	for _, tc := range []struct {
		user, database string
		want           int
	}{{postgrestest.Superuser, "postgres", 12}, {"bench", "postgres", 9}, {"two", "postgres", 2}, {"bench", "small", 4}, {"two", "small", 2}} {
		t.Run(tc.user+"@"+tc.database, func(t *testing.T) {
			target := open(t, server.DSN(tc.user, tc.database), Options{})
			wait(t, "psql's connections are gone", func() bool { return described(t, target, benchTable).MaxConnections == tc.want })
		})
	}
	t.Run("others in use, then none is left", func(t *testing.T) {
		is := is.New(t)
		target := open(t, server.DSN("bench", "postgres"), Options{})
		is.Equal(described(t, target, benchTable).MaxConnections, 9)
		other := open(t, server.DSN("bench", "postgres"), Options{})
		var err error
		for n := range 8 {
			begin(t, other, "SELECT 1")
			is.Equal(described(t, target, benchTable).MaxConnections, 8-n)
		}
		_, err = other.Open(t.Context(), ports.SessionOptions{Table: benchTable})
		is.Equal(core.CodeOf(err), core.Unavailable)
		is.Equal(core.ErrorClass(err), "TOO_MANY_CONNECTIONS")
		_, err = target.Running(t.Context(), []string{"1@2020-01-01T00:00:00.000000Z/2020-01-01T00:00:00.000000Z"})
		is.NoErr(err) // on the connection that it has
	})
}

// A server that is reached by a socket is a file of this host, and no address of
// the network.
func TestDescribeOverASocket(t *testing.T) {
	is := is.New(t)
	server, name, _ := database(t)
	info := described(t, open(t, server.Cluster.DSN(name), Options{}), benchTable)
	is.True(info.LocalFile && !info.Embedded) // its work is not the workers'
	is.Equal(info.Host, server.Socket+":"+strconv.Itoa(server.Port))
}
