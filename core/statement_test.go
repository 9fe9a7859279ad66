package core_test

import (
	"errors"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

func TestStatementClass(t *testing.T) {
	for _, c := range []struct {
		sql    string
		first  string
		query  bool
		access string
	}{
		{"SELECT 1", "SELECT", true, "READ"},
		{" -- c\n /* d */ select 1", "SELECT", true, "READ"},
		{"((SELECT 1) UNION (SELECT 2))", "SELECT", true, "READ"},
		{"VALUES (1)", "VALUES", true, "READ"},
		{"(VALUES (1))", "VALUES", true, "READ"},
		{"TABLE t", "TABLE", true, "READ"},
		{"SHOW TABLES", "SHOW", true, "READ"},
		{"DESC TABLE t", "DESC", true, "READ"},
		{"EXPLAIN SELECT 1", "EXPLAIN", true, "READ"},
		{"PRAGMA user_version", "PRAGMA", true, "READ"},
		{"SELECT 'INSERT', \"DELETE\" FROM t -- UPDATE", "SELECT", true, "READ"},
		{"SELECT REPLACE(a, b, c), (REPLACE(a, b, c)), INSERT(a, 1, 2, b) FROM t", "SELECT", true, "READ"},
		{"SELECT a.returning, a.into FROM a", "SELECT", true, "READ"},
		{"SELECT a FROM t FOR UPDATE", "SELECT", true, "READ"},
		{"SELECT a INTO b FROM t", "SELECT", false, "WRITE"},
		{"SELECT a FROM (SELECT b INTO c FROM d) x", "SELECT", true, "READ"},
		{"(SELECT 1) UNION (SELECT b INTO c FROM d)", "SELECT", true, "READ"},
		{"WITH a AS (SELECT 1) SELECT * FROM a", "WITH", true, "READ"},
		{"WITH RECURSIVE a(n) AS (VALUES (1) UNION SELECT n + 1 FROM a) SELECT n FROM a", "WITH", true, "READ"},
		{"WITH a AS (SELECT 1) INSERT INTO b SELECT * FROM a", "WITH", false, "WRITE"},
		{"WITH a AS (SELECT 1) INSERT INTO b SELECT * FROM a RETURNING c", "WITH", true, "WRITE"},
		{"WITH a AS (DELETE FROM t RETURNING x) SELECT x FROM a", "WITH", true, "WRITE"},
		{"WITH a AS MATERIALIZED (UPDATE t SET x = 1 RETURNING x) SELECT x FROM a", "WITH", true, "WRITE"},
		{"(WITH a AS (SELECT 1) SELECT * FROM a)", "WITH", true, "READ"},
		{"INSERT INTO t VALUES (?)", "INSERT", false, "WRITE"},
		{"INSERT INTO t SELECT * FROM u", "INSERT", false, "WRITE"},
		{"INSERT INTO t VALUES (1) RETURNING id", "INSERT", true, "WRITE"},
		{"INSERT INTO t VALUES (1) ON CONFLICT DO UPDATE SET a = 1 returning id", "INSERT", true, "WRITE"},
		{"INSERT INTO t VALUES ('RETURNING')", "INSERT", false, "WRITE"},
		{"INSERT INTO t (\"RETURNING\") VALUES (1)", "INSERT", false, "WRITE"},
		{"INSERT INTO t VALUES ((DELETE FROM u RETURNING x))", "INSERT", false, "WRITE"},
		{"UPDATE t SET a = ? WHERE b IN (SELECT c FROM d)", "UPDATE", false, "WRITE"},
		{"DELETE FROM t RETURNING *", "DELETE", true, "WRITE"},
		{"MERGE INTO t USING u ON a = b WHEN MATCHED THEN DELETE", "MERGE", false, "WRITE"},
		{"REPLACE INTO t VALUES (1)", "REPLACE", false, "WRITE"},
		{"CALL f(?)", "CALL", false, "WRITE"},
		{"TRUNCATE t", "TRUNCATE", false, "WRITE"},
		{"", "", false, "WRITE"},
		{"-- nothing", "", false, "WRITE"},
		{"'x'", "", false, "WRITE"},
		{"WITH a AS (SELECT 1)", "WITH", false, "WRITE"},
	} {
		t.Run(c.sql, func(t *testing.T) {
			is := is.New(t)
			is.Equal(core.FirstKeyword(c.sql), c.first)
			is.Equal(core.IsQuery(c.sql), c.query)
			is.Equal(core.StatementAccess(c.sql), c.access)
		})
	}
}

func TestCheckStatement(t *testing.T) {
	for _, sql := range []string{
		"SELECT 1", "SELECT 1;", "SELECT 1 ; ; -- end\n /* of it */", "SELECT ';'", "SELECT 1 -- ; SELECT 2", "(SELECT 1)",
		"SELECT begin FROM {table}", "SAVEPOINT a", "SELECT CASE WHEN 1 THEN 2 END",
	} {
		t.Run(sql, func(t *testing.T) {
			is.New(t).NoErr(core.CheckStatement(sql))
		})
	}
	for _, c := range []struct{ sql, message string }{
		{"", "invalid: SQL, line 1, column 1: there is no statement"},
		{" -- nothing\n", "invalid: SQL, line 1, column 1: there is no statement"},
		{";", "invalid: SQL, line 1, column 1: there is no statement"},
		{"SELECT 1; SELECT 2", "invalid: SQL, line 1, column 11: a second statement begins here; one is allowed"},
		{"SELECT 1;\n\n;'x'", "invalid: SQL, line 3, column 2: a second statement begins here; one is allowed"},
		{"; SELECT 1", "invalid: SQL, line 1, column 3: a second statement begins here; one is allowed"},
		{"SELECT 1; ?", "invalid: SQL, line 1, column 11: a second statement begins here; one is allowed"},
		{`SELECT * FROM "{table}"`, "invalid: SQL, line 1, column 15: {table} inside quotes is not replaced; write it without them"},
		{"begin", "invalid: SQL, line 1, column 1: BEGIN is not allowed; for a transaction, list its statements under statements"},
		{"/* x */ COMMIT;", "invalid: SQL, line 1, column 9: COMMIT is not allowed; for a transaction, list its statements under statements"},
		{"START TRANSACTION", "invalid: SQL, line 1, column 1: START is not allowed; for a transaction, list its statements under statements"},
		{"SELECT '\xff'", "invalid: SQL, line 1, column 1: the text is not valid UTF-8"},
	} {
		t.Run(c.sql, func(t *testing.T) {
			is := is.New(t)
			err := core.CheckStatement(c.sql)
			is.True(errors.Is(err, core.ErrInvalid))
			is.Equal(err.Error(), c.message)
		})
	}
}
