package postgres

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/postgres/postgrestest"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// database is an empty database of the shared server, and its DSN.
func database(t testing.TB) (server *postgrestest.Server, name, dsn string) {
	t.Helper()
	server = shared.Server(t)
	name = server.Database(t)
	return server, name, server.DSN(postgrestest.Superuser, name)
}

var benchTable = core.TemplateTable{Name: "BENCH_ROWS", Type: "STANDARD", Rows: 100}

// begin opens a session with these statements.
func begin(t testing.TB, target *Target, texts ...string) *session {
	t.Helper()
	options := ports.SessionOptions{Table: benchTable, Tag: "benchfleet:run/w1/0"}
	for _, text := range texts {
		options.Statements = append(options.Statements, core.Statement{SQL: text, Query: core.IsQuery(text)})
	}
	opened, err := target.Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	return opened.(*session)
}

// wait polls until a condition holds.
func wait(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not after 20 s: %s", what)
		}
	}
}

func count1(t testing.TB, target *Target, sessions ...*session) core.RunningCount {
	t.Helper()
	var ids []string
	for _, s := range sessions {
		ids = append(ids, s.ID())
	}
	counted, err := target.Running(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	return counted
}

// A statement timeout cancels on the server, and the same server process goes on.
func TestTimeoutKeepsTheSession(t *testing.T) {
	for name, options := range map[string]Options{"prepared": {}, "pooled": {PgBouncer: true}} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			_, _, dsn := database(t)
			target := open(t, dsn, options)
			s := begin(t, target, "SELECT pg_sleep(1000)", "SELECT pg_backend_pid()", "SELECT ?::int")
			is.NoErr(s.Begin(t.Context()))
			pid := s.conn.PID()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
			defer cancel()
			_, err := s.Exec(ctx, 0, nil)
			is.Equal(core.CodeOf(err), core.Refused)
			is.Equal(core.ErrorClass(err), core.ClassTimeout)
			is.True(!s.inTransaction()) // it was rolled back
			for n := range int64(20) {  // the cancel hits nothing that comes later
				rows, err := s.Exec(t.Context(), 2, []any{n})
				is.NoErr(err)
				is.Equal(rows, int64(1))
			}
			is.Equal(s.conn.PID(), pid)
		})
	}
}

// A cancel that comes while a statement ends by itself hits nothing that comes
// later.
func TestLateCancel(t *testing.T) {
	is := is.New(t)
	_, _, dsn := database(t)
	s := begin(t, open(t, dsn, Options{}), "SELECT pg_sleep(0.001)", "SELECT 1")
	ended := 0
	for n := range 100 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n)*30*time.Microsecond)
		_, err := s.Exec(ctx, 0, nil)
		cancel()
		if err != nil {
			ended++
			is.Equal(core.ErrorClass(err), core.ClassTimeout)
		}
		_, err = s.Exec(t.Context(), 1, nil)
		is.NoErr(err)
	}
	is.True(ended > 0)
}

func TestTypes(t *testing.T) {
	_, _, dsn := database(t)
	target := open(t, dsn, Options{})
	at := time.Date(2025, 12, 31, 23, 59, 59, 123456000, time.FixedZone("", 3600))
	for _, tc := range []struct {
		expression string // of ?
		arg        any
		class      string // "" when it works, and the expression is true
	}{
		{"?::bigint = -9223372036854775808", int64(math.MinInt64), ""},
		{"?::int = -7", int64(-7), ""},
		{"?::int = 0", int64(1) << 31, "SQLSTATE_22003"},
		{"?::smallint = 32767", int64(32767), ""},
		{"?::smallint = 0", int64(32768), "SQLSTATE_22003"},
		{"?::numeric = 9223372036854775807", int64(math.MaxInt64), ""},
		{"?::numeric = 0.1", 0.1, ""},
		{"?::text = '42'", int64(42), ""},
		{"?::varchar = 'true'", true, ""},
		{"?::double precision = 3", int64(3), ""},
		{"?::double precision = 0.1", 0.1, ""},
		{"?::real = 0.5", 0.5, ""},
		{"?::double precision = 'Infinity'", math.Inf(1), ""},
		{"?::numeric = 'NaN'", math.NaN(), ""},
		{"?::int = 5", "5", ""},
		{"?::int = 5", "five", "SQLSTATE_22P02"},
		{"?::int = 5", 5.5, "SQLSTATE_22P02"},
		{"?::int = 1", true, "SQLSTATE_22P02"},
		{"?::int IS NULL", nil, ""},
		{"?::bool", true, ""},
		{"NOT ?::bool", false, ""},
		{"?::timestamptz = '2025-12-31 22:59:59.123456Z'", at, ""},
		{"?::timestamp = '2025-12-31 22:59:59.123456'", at, ""},
		{"?::date = '2025-12-31'", at, ""},
		{"?::text = '2025-12-31 22:59:59.123456Z'", at, ""},
		{"?::timestamptz = '1969-12-31 00:00Z'", time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC), ""},
		{"?::uuid = '00000000-0000-0000-0000-000000000001'", "00000000-0000-0000-0000-000000000001", ""},
		{"?::jsonb = '{}'", "{}", ""},
		{"?::text = ''", "", ""},
		{"?::text = ''", "a\x00b", "SQLSTATE_22021"},
	} {
		t.Run(tc.expression, func(t *testing.T) {
			is := is.New(t)
			s := begin(t, target, "SELECT 1 WHERE "+tc.expression)
			rows, err := s.Exec(t.Context(), 0, []any{tc.arg})
			if tc.class != "" {
				is.Equal(core.CodeOf(err), core.Invalid)
				is.Equal(core.ErrorClass(err), tc.class)
				return
			}
			is.NoErr(err)
			is.Equal(rows, int64(1))
		})
	}
}

// Each way a statement fails has its class, and the session goes on after it.
func TestErrorClasses(t *testing.T) {
	server, name, dsn := database(t)
	server.SQL(t, name, "CREATE TABLE parent (id int PRIMARY KEY)",
		"CREATE TABLE child (id int UNIQUE, p int NOT NULL REFERENCES parent, CHECK (id > 0), n int)", "INSERT INTO parent VALUES (1)", "INSERT INTO child VALUES (1, 1)")
	target := open(t, dsn, Options{})
	for _, tc := range []struct {
		sql   string
		code  core.Code
		class string
	}{
		{"INSERT INTO child VALUES (1, 1)", core.Conflict, "UNIQUE_VIOLATION"},
		{"INSERT INTO child VALUES (2, 9)", core.Invalid, "FOREIGN_KEY_VIOLATION"},
		{"INSERT INTO child VALUES (2, NULL)", core.Invalid, "NOT_NULL_VIOLATION"},
		{"INSERT INTO child VALUES (-2, 1)", core.Invalid, "CHECK_VIOLATION"},
		{"SELECT 1/(id-1) FROM child", core.Invalid, "SQLSTATE_22012"},
		{"SELECT pg_cancel_backend(pg_backend_pid())::text || pg_sleep(100)", core.Refused, "QUERY_CANCELED"},
		{"DO $$ BEGIN RAISE EXCEPTION 'no'; END $$", core.Refused, "SQLSTATE_P0001"},
	} {
		t.Run(tc.sql, func(t *testing.T) {
			is := is.New(t)
			s := begin(t, target, tc.sql, "SELECT 1")
			_, err := s.Exec(t.Context(), 0, nil)
			is.Equal(core.CodeOf(err), tc.code)
			is.Equal(core.ErrorClass(err), tc.class)
			is.NoErr(s.Begin(t.Context()))
			_, err = s.Exec(t.Context(), 0, nil)
			is.Equal(core.ErrorClass(err), tc.class)
			rows, err := s.Exec(t.Context(), 1, nil) // outside any transaction
			is.NoErr(err)
			is.Equal(rows, int64(1))
		})
	}
}

func TestLocks(t *testing.T) {
	_, _, dsn := database(t)
	target := open(t, dsn, Options{})
	load(t, target, benchTable)
	const change = "UPDATE {table} SET BALANCE = BALANCE + 1 WHERE ID = ?"
	t.Run("lock timeout", func(t *testing.T) {
		is := is.New(t)
		one, two := begin(t, target, change), begin(t, open(t, dsn+"?lock_timeout=20", Options{}), change)
		is.NoErr(one.Begin(t.Context()))
		_, err := one.Exec(t.Context(), 0, []any{int64(1)})
		is.NoErr(err)
		_, err = two.Exec(t.Context(), 0, []any{int64(1)})
		is.Equal(core.ErrorClass(err), "LOCK_NOT_AVAILABLE")
		is.Equal(core.CodeOf(err), core.Conflict)
	})
	t.Run("serialisation", func(t *testing.T) {
		is := is.New(t)
		strict := open(t, dsn+"?default_transaction_isolation=serializable", Options{})
		one, two := begin(t, strict, change), begin(t, strict, change, "SELECT BALANCE FROM {table} WHERE ID = ?")
		is.NoErr(two.Begin(t.Context()))
		_, err := two.Exec(t.Context(), 1, []any{int64(2)})
		is.NoErr(err)
		_, err = one.Exec(t.Context(), 0, []any{int64(2)})
		is.NoErr(err)
		_, err = two.Exec(t.Context(), 0, []any{int64(2)})
		is.Equal(core.ErrorClass(err), "SERIALIZATION_FAILURE")
		is.Equal(core.CodeOf(err), core.Conflict)
	})
	t.Run("deadlock", func(t *testing.T) {
		is := is.New(t)
		quick := open(t, dsn+"?deadlock_timeout=20", Options{})
		one, two := begin(t, quick, change), begin(t, quick, change)
		for i, s := range []*session{one, two} {
			is.NoErr(s.Begin(t.Context()))
			_, err := s.Exec(t.Context(), 0, []any{int64(10 + i)})
			is.NoErr(err)
		}
		other := make(chan error, 1)
		go func() {
			_, err := one.Exec(t.Context(), 0, []any{int64(11)})
			other <- err
		}()
		_, err := two.Exec(t.Context(), 0, []any{int64(10)})
		if err == nil {
			is.NoErr(two.Commit(t.Context()))
			err = <-other
		} else {
			is.NoErr(<-other)
		}
		is.Equal(core.ErrorClass(err), "DEADLOCK")
		is.Equal(core.CodeOf(err), core.Conflict)
	})
}

// A constraint that is checked at the end fails the COMMIT, not the session.
func TestDeferredConstraint(t *testing.T) {
	is := is.New(t)
	server, name, dsn := database(t)
	server.SQL(t, name, "CREATE TABLE late (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)", "INSERT INTO late VALUES (1)")
	s := begin(t, open(t, dsn, Options{}), "INSERT INTO late VALUES (1)", "SELECT 1")
	is.NoErr(s.Begin(t.Context()))
	_, err := s.Exec(t.Context(), 0, nil)
	is.NoErr(err)
	is.Equal(core.ErrorClass(s.Commit(t.Context())), "UNIQUE_VIOLATION")
	_, err = s.Exec(t.Context(), 1, nil)
	is.NoErr(err)
}

func TestTransactionsOutOfOrder(t *testing.T) {
	is := is.New(t)
	_, _, dsn := database(t)
	s := begin(t, open(t, dsn, Options{}), "SELECT 1")
	is.Equal(core.CodeOf(s.Commit(t.Context())), core.Refused)
	is.NoErr(s.Begin(t.Context()))
	is.Equal(core.CodeOf(s.Begin(t.Context())), core.Refused)
	is.NoErr(s.Commit(t.Context()))
}

// The server sees which run, worker and connection a session belongs to.
func TestTagIsSeen(t *testing.T) {
	is := is.New(t)
	server, name, dsn := database(t)
	target := open(t, dsn, Options{})
	s := begin(t, target, "SELECT 1")
	is.Equal(server.SQL(t, name, "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'benchfleet:run/%' AND datname = current_database()"), "benchfleet:run/w1/0")
	is.Equal(server.SQL(t, name, "SELECT count(*) FROM pg_stat_activity WHERE '"+s.ID()+"' LIKE pid || '@%'"), "1")
}

// A server that restarts breaks its sessions; new ones work, also on the
// connection that the target keeps for itself.
func TestRestart(t *testing.T) {
	is := is.New(t)
	server := postgrestest.Start(t, postgrestest.Options{})
	target := open(t, server.DSN(postgrestest.Superuser, ""), Options{})
	load(t, target, benchTable)
	const lookup = "SELECT ID FROM {table} WHERE ID = ?"
	idle, busy := begin(t, target, lookup), begin(t, target, "SELECT pg_sleep(1000)")
	ended := make(chan error, 1)
	go func() {
		_, err := busy.Exec(t.Context(), 0, nil)
		ended <- err
	}()
	wait(t, "the statement runs", func() bool { return count1(t, target, idle, busy).Count == 1 })
	is.NoErr(server.Stop())
	err := <-ended
	is.Equal(core.CodeOf(err), core.Unavailable)
	is.Equal(core.ErrorClass(err), "SHUTDOWN")
	_, err = idle.Exec(t.Context(), 0, []any{int64(1)})
	is.Equal(core.CodeOf(err), core.Unavailable)
	is.Equal(core.CodeOf(idle.Begin(t.Context())), core.Unavailable)
	is.NoErr(idle.Rollback(t.Context())) // there is nothing left to roll back
	_, err = target.Open(t.Context(), ports.SessionOptions{Table: benchTable})
	is.Equal(core.CodeOf(err), core.Unavailable)
	is.Equal(core.ErrorClass(err), "CONNECTION")
	_, err = target.Running(t.Context(), []string{busy.ID()})
	is.Equal(core.CodeOf(err), core.Unavailable) // not: nothing runs

	is.NoErr(server.Start())
	again := begin(t, target, lookup)
	rows, err := again.Exec(t.Context(), 0, []any{int64(1)})
	is.NoErr(err)
	is.Equal(rows, int64(1))
	is.Equal(count1(t, target, idle, busy, again), core.RunningCount{Known: true})
}

// A connection that the server ends while it is idle is noticed by the next call.
func TestTerminatedSession(t *testing.T) {
	is := is.New(t)
	server, name, dsn := database(t)
	s := begin(t, open(t, dsn, Options{}), "SELECT 1")
	pid, _, _ := strings.Cut(s.ID(), "@")
	server.SQL(t, name, "SELECT pg_terminate_backend("+pid+", 5000)")
	_, err := s.Exec(t.Context(), 0, nil)
	is.Equal(core.CodeOf(err), core.Unavailable)
	is.NoErr(s.Close())
	is.NoErr(s.Close())
}
