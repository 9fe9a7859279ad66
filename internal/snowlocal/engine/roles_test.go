package engine_test

import (
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
)

func as(t *testing.T, e *engine.Engine, user, role string) *engine.Session {
	t.Helper()
	s, err := e.NewSession(t.Context(), engine.SessionOptions{User: user, Role: role, Database: "DB", Schema: "PUBLIC", Warehouse: "WH"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPrivileges(t *testing.T) {
	is := is.New(t)
	e := open(t, account())
	s := session(t, e)
	run(t, s, "CREATE HYBRID TABLE t (id NUMBER PRIMARY KEY, n NUMBER)")
	run(t, s, "CREATE TABLE u (id NUMBER)")
	run(t, s, "CREATE VIEW v AS SELECT id FROM t")
	other := as(t, e, "OTHER", "WORKER")
	is.Equal(other.Info().Database, "") // not authorized, so not there
	is.Equal(fails(t, other, "SELECT * FROM db.public.t").Number, 2003)
	is.Equal(fails(t, other, "USE DATABASE db").Number, 2043)
	is.Equal(fails(t, other, "CREATE DATABASE x").Number, 3001)
	run(t, s, "GRANT USAGE ON DATABASE db TO ROLE worker")
	run(t, s, "GRANT USAGE ON SCHEMA db.public TO ROLE worker")
	run(t, other, "USE SCHEMA db.public")
	is.Equal(fails(t, other, "SELECT * FROM t").Number, 2003) // no privilege at all: not to be seen
	is.Equal(show(run(t, other, "SHOW TABLES")), "")
	run(t, s, "GRANT SELECT, INSERT ON TABLE t TO ROLE worker")
	run(t, other, "INSERT INTO t VALUES (1, 1)")
	is.Equal(show(run(t, other, "SELECT * FROM t")), "1|1")
	for _, sql := range []string{"UPDATE t SET n = 2", "DELETE FROM t", "TRUNCATE TABLE t", "ALTER TABLE t ADD COLUMN x INT", "DROP TABLE t", "GRANT SELECT ON TABLE t TO ROLE public", "CREATE TABLE mine (a INT)",
		"CREATE HYBRID TABLE mine (a INT PRIMARY KEY)", "CREATE SCHEMA db.mine", "ALTER WAREHOUSE wh SUSPEND", "MERGE INTO t USING (SELECT 1 AS id) s ON t.id = s.id WHEN MATCHED THEN DELETE"} {
		err := fails(t, other, sql)
		if err.Number != 3001 || err.SQLState != "42501" {
			t.Errorf("%s: %v", sql, err)
		}
	}
	is.Equal(fails(t, other, "SELECT * FROM u").Number, 2003)
	is.Equal(fails(t, other, "SELECT * FROM v").Number, 2003)
	is.Equal(show(run(t, other, "SELECT table_name FROM information_schema.tables WHERE table_schema <> 'INFORMATION_SCHEMA'")), "T")
	is.Equal(len(run(t, other, "SHOW TABLES").Rows), 1)
	run(t, s, "GRANT CREATE HYBRID TABLE ON SCHEMA public TO ROLE worker")
	run(t, other, "CREATE HYBRID TABLE mine (a INT PRIMARY KEY)")
	is.Equal(fails(t, other, "CREATE TABLE mine2 (a INT)").Number, 3001) // it is another privilege
	run(t, s, "GRANT SELECT ON ALL TABLES IN SCHEMA db.public TO ROLE worker")
	run(t, s, "GRANT SELECT ON FUTURE TABLES IN SCHEMA db.public TO ROLE worker")
	run(t, s, "CREATE TABLE later (a INT)")
	run(t, other, "SELECT * FROM u")
	run(t, other, "SELECT * FROM later")
	run(t, s, "REVOKE SELECT ON TABLE u FROM ROLE worker")
	is.Equal(fails(t, other, "SELECT * FROM u").Number, 2003)
	grants := show(run(t, s, "SHOW GRANTS TO ROLE worker"))
	for _, want := range []string{"USAGE|DATABASE|DB|ROLE|WORKER", "INSERT|TABLE|DB.PUBLIC.T|ROLE|WORKER", "USAGE|WAREHOUSE|WH|ROLE|WORKER", "OWNERSHIP|TABLE|DB.PUBLIC.MINE|ROLE|WORKER"} {
		is.True(strings.Contains(grants, want))
	}
}

func TestRolesAndUsers(t *testing.T) {
	is := is.New(t)
	e := open(t, account())
	s := session(t, e)
	run(t, s, "CREATE TABLE t (id NUMBER)")
	is.Equal(fails(t, s, "CREATE ROLE viewer").Number, 3001) // SYSADMIN makes no roles
	run(t, s, "USE ROLE accountadmin")
	run(t, s, "CREATE ROLE IF NOT EXISTS viewer COMMENT = 'reads'")
	run(t, s, "CREATE ROLE IF NOT EXISTS viewer")
	run(t, s, "CREATE USER eve PASSWORD = 'x' DEFAULT_ROLE = 'VIEWER'")
	run(t, s, "GRANT ROLE viewer TO USER eve")
	run(t, s, "GRANT USAGE ON DATABASE db TO ROLE viewer")
	run(t, s, "GRANT ALL PRIVILEGES ON SCHEMA db.public TO ROLE viewer")
	run(t, s, "GRANT USAGE ON WAREHOUSE wh TO ROLE viewer")
	run(t, s, "GRANT SELECT ON TABLE t TO ROLE viewer")
	run(t, s, "GRANT ROLE viewer TO ROLE worker")
	u, ok, err := e.User(t.Context(), "eve")
	is.NoErr(err)
	is.True(ok && u.Password == "x")
	run(t, s, "ALTER USER eve SET RSA_PUBLIC_KEY = 'MII'")
	u, _, err = e.User(t.Context(), "EVE")
	is.NoErr(err)
	is.Equal(u.PublicKey, "MII")
	eve := as(t, e, "EVE", "")
	is.Equal(eve.Info().Role, "VIEWER")
	is.Equal(show(run(t, eve, "SELECT COUNT(*) FROM t")), "0")
	run(t, as(t, e, "OTHER", "WORKER"), "SELECT * FROM t") // by the role that it was granted
	run(t, as(t, e, "OTHER", "VIEWER"), "SELECT * FROM t") // or as that role
	is.Equal(fails(t, eve, "USE ROLE sysadmin").Number, 3013)
	run(t, s, "REVOKE ROLE viewer FROM ROLE worker")
	is.Equal(fails(t, as(t, e, "OTHER", "WORKER"), "SELECT * FROM db.public.t").Number, 2003)
	run(t, s, "DROP USER eve")
	run(t, s, "DROP ROLE viewer")
	is.Equal(fails(t, s, "DROP ROLE viewer").Number, 2003)
}

// TestStateSurvives opens the same database anew.
func TestStateSurvives(t *testing.T) {
	is := is.New(t)
	server := shared.Server(t)
	dsn := server.DSN("postgres", server.Database(t))
	openAgain := func() *engine.Engine {
		e, err := engine.Open(t.Context(), engine.Options{DSN: dsn, Account: account()})
		is.NoErr(err)
		return e
	}
	e := openAgain()
	s := session(t, e)
	run(t, s, "CREATE HYBRID TABLE t (id NUMBER PRIMARY KEY, v OBJECT)")
	run(t, s, "INSERT INTO t (id) VALUES (1)")
	run(t, s, "ALTER WAREHOUSE wh SET WAREHOUSE_SIZE = LARGE")
	run(t, s, "BEGIN")
	run(t, s, "INSERT INTO t (id) VALUES (2)")
	is.NoErr(e.Close(t.Context()))
	is.Equal(fails(t, s, "SELECT 1").Number, 390111)
	e = openAgain()
	s = session(t, e)
	is.Equal(show(run(t, s, "SELECT * FROM t")), "1|NULL") // what was open is rolled back
	is.Equal(*run(t, s, "SHOW WAREHOUSES LIKE 'WH'").Rows[0][3], "Large")
	is.Equal(fails(t, s, "INSERT INTO t (id) VALUES (1)").Number, 200001)
	is.NoErr(e.Close(t.Context()))
}

// TestServerRestart is a PostgreSQL that goes away under a session.
func TestServerRestart(t *testing.T) {
	is := is.New(t)
	e := open(t, account())
	s := session(t, e)
	run(t, s, "CREATE HYBRID TABLE t (id NUMBER PRIMARY KEY)")
	run(t, s, "BEGIN")
	run(t, s, "INSERT INTO t VALUES (1)")
	shared.Server(t).SQL(t, "", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'snowlocal %'")
	is.Equal(fails(t, s, "SELECT 1").Number, 603)
	first, err := s.Execute(t.Context(), engine.Query{SQL: "SELECT COUNT(*) FROM t"})
	if err != nil { // the transaction that was lost is said once more
		is.Equal(err.(*engine.Error).Number, 603)
		first = run(t, s, "SELECT COUNT(*) FROM t")
	}
	is.Equal(show(first), "0")
}
