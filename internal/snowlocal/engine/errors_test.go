package engine_test

import (
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
)

// TestRefusals covers the numbers and states of errors.
func TestRefusals(t *testing.T) {
	e := open(t, account())
	s := session(t, e)
	run(t, s, "CREATE HYBRID TABLE h (id NUMBER(38,0) PRIMARY KEY, u VARCHAR(3) UNIQUE, n NUMBER(4,2) NOT NULL DEFAULT 0)")
	run(t, s, "CREATE HYBRID TABLE child (id NUMBER(38,0) PRIMARY KEY, h NUMBER(38,0), FOREIGN KEY (h) REFERENCES h (id))")
	run(t, s, "CREATE TABLE std (id NUMBER(38,0) PRIMARY KEY, v VARIANT)")
	run(t, s, "INSERT INTO h (id, u) VALUES (1, 'a')")
	for _, c := range []struct {
		sql    string
		number int
		state  string
		says   string
	}{
		{"SELECTT 1", 1003, "42000", "syntax error line 1 at position 0 unexpected 'SELECTT'."}, {"SELECT 1 +", 1003, "42000", "<EOF>"}, {"", 900, "42601", "Empty SQL statement"}, {"-- nothing", 900, "42601", ""},
		{"SELECT * FROM missing", 2003, "02000", "Object 'DB.PUBLIC.MISSING' does not exist or not authorized."}, {"SELECT * FROM nodb.s.t", 2003, "02000", "NODB.S.T"}, {"INSERT INTO missing VALUES (1)", 2003, "02000", "MISSING"},
		{"UPDATE missing SET a = 1", 2003, "02000", "MISSING"}, {"DROP TABLE missing", 2003, "02000", "MISSING"}, {"DESCRIBE TABLE missing", 2003, "02000", "MISSING"}, {"ALTER TABLE missing ADD COLUMN a INT", 2003, "02000", "MISSING"},
		{"SELECT nope FROM h", 904, "42000", "invalid identifier 'NOPE'"}, {"SELECT h.nope FROM h", 904, "42000", "H.NOPE"}, {"INSERT INTO h (nope) VALUES (1)", 904, "42000", "NOPE"}, {"UPDATE h SET nope = 1", 904, "42000", "NOPE"},
		{"SELECT a.id FROM h a, h b WHERE id = 1", 2028, "42601", "ambiguous"}, {"SELECT NO_SUCH(1)", 2140, "42601", "Unknown function NO_SUCH"}, {"SELECT UPPER()", 938, "22023", "not enough arguments"}, {"SELECT UPPER('a', 'b')", 939, "22023", "too many"},
		{"SELECT ?", 2049, "42601", "Bind variable"}, {"SELECT $nope", 2211, "02000", "NOPE"}, {"SELECT id, COUNT(*) FROM h", 979, "42601", "group by"},
		{"INSERT INTO h (id, u) VALUES (1, 'b')", 200001, "22000", "primary key"}, {"INSERT INTO h (id, u) VALUES (2, 'a')", 200002, "22000", `Duplicate key value violates unique constraint "SYS_INDEX_H_UNIQUE_`},
		{"INSERT INTO child VALUES (1, 9)", 200009, "22000", "Foreign key constraint"}, {"INSERT INTO h (id, n) VALUES (3, NULL)", 100072, "22000", "NULL result"}, {"INSERT INTO h (id, u) VALUES (3, 'abcd')", 100078, "22000", "too long"},
		{"INSERT INTO h (id, n) VALUES (3, 1000)", 100132, "22000", "out of representable range"}, {"SELECT 'x'::NUMBER", 100038, "22018", "Numeric value 'x' is not recognized"}, {"SELECT 'x'::BOOLEAN", 100037, "22018", "Boolean value 'x'"},
		{"SELECT 'x'::TIMESTAMP_NTZ", 100035, "22007", "Timestamp 'x'"}, {"SELECT 1 / 0", 100051, "22012", "Division by zero"}, {"SELECT PARSE_JSON('{')", 100069, "22P02", "Error parsing JSON"},
		{"INSERT INTO std VALUES (1, PARSE_JSON('1'))", 2014, "22000", "Invalid expression [PARSE_JSON(...)] in VALUES clause"}, {"INSERT INTO std VALUES (1, OBJECT_CONSTRUCT('a', 1))", 2014, "22000", "OBJECT_CONSTRUCT"},
		{"INSERT INTO std VALUES (1)", 2020, "21S01", ""}, {"SELECT (SELECT column1 FROM VALUES (1), (2))", 90150, "22000", "Single-row"}, {"CREATE TABLE std (a INT)", 2002, "42710", "already exists"}, {"CREATE HYBRID TABLE x (a INT)", 391421, "42601", "PRIMARY KEY"},
		{"ALTER TABLE std ADD COLUMN v INT", 1430, "42601", "already exists"}, {"SELECT * FROM h FOR UPDATE", 2, "0A000", "explicit transaction"}, {"USE WAREHOUSE nope", 2043, "02000", ""}, {"USE DATABASE nope", 2043, "02000", ""}, {"USE ROLE nope", 3013, "42501", "NOPE"},
		{"CREATE OR ALTER TABLE x (a INT)", 2, "0A000", "CREATE OR ALTER"}, {"EXECUTE JOB SERVICE IN COMPUTE POOL p FROM SPECIFICATION $$x$$", 2, "0A000", "EXECUTE JOB SERVICE"}, {"CREATE STAGE s", 2, "0A000", "CREATE STAGE"}, {"COPY INTO t FROM @s", 2, "0A000", "COPY"},
		{"SHOW COMPUTE POOLS", 2, "0A000", "SHOW COMPUTE POOLS"}, {"SELECT * FROM TABLE(nope(1))", 2141, "42601", "NOPE"}, {"ALTER SESSION SET nope = 1", 1420, "22023", "NOPE"}, {"ALTER SESSION SET TIMEZONE = 'Mars/Base'", 1008, "22023", "Mars"}, {"SELECT 1; SELECT 2", 8, "0A000", "statement count 2"},
		{"CREATE DATABASE db", 2002, "42710", "DB"}, {"GRANT SELECT ON TABLE std TO ROLE nope", 2003, "02000", "Role 'NOPE'"}, {"GRANT FLY ON TABLE std TO ROLE worker", 1003, "42000", "FLY"}, {"CALL nope()", 2003, "02000", "NOPE"}, {"SELECT 1::DECFLOAT", 2, "0A000", "DECFLOAT"},
		{"CREATE INDEX i ON std (id)", 2, "0A000", "hybrid"}, {"MERGE INTO h USING (SELECT 1 AS id UNION ALL SELECT 1) s ON h.id = s.id WHEN MATCHED THEN UPDATE SET n = 1", 100090, "42P18", "Duplicate row"}, {"SELECT * FROM TABLE(RESULT_SCAN('x'))", 709, "02000", "not found"},
		{"BEGIN SELECT 1; END", 2, "0A000", "Scripting"}, {"EXPLAIN SELECT * FROM missing", 2003, "02000", "MISSING"}, {"SELECT * FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY(RESULT_LIMIT => 10001))", 1008, "22023", "RESULT_LIMIT"},
	} {
		t.Run(c.sql, func(t *testing.T) {
			is := is.New(t)
			err := fails(t, s, c.sql)
			is.Equal(err.Number, c.number)
			is.Equal(err.SQLState, c.state)
			is.True(strings.Contains(err.Message, c.says)) // the text names it
			is.Equal(show(run(t, s, "SELECT 1")), "1")     // the session goes on
		})
	}
}

func TestStandardTablesEnforceNothing(t *testing.T) {
	is := is.New(t)
	s := session(t, open(t, account()))
	run(t, s, "CREATE TABLE t (id NUMBER PRIMARY KEY, u VARCHAR UNIQUE)")
	run(t, s, "INSERT INTO t VALUES (1, 'a'), (1, 'a')")
	is.Equal(show(run(t, s, "SELECT COUNT(*) FROM t")), "2")
	is.Equal(show(run(t, s, "DESCRIBE TABLE t")), "ID|NUMBER(38,0)|COLUMN|N|NULL|Y|N|NULL|NULL|NULL|NULL|NULL\nU|VARCHAR(16777216)|COLUMN|Y|NULL|N|N|NULL|NULL|NULL|NULL|NULL")
}

func TestAccountWithoutHybridTables(t *testing.T) {
	is := is.New(t)
	a := account()
	a.NoHybridTables = true
	s := session(t, open(t, a))
	is.Equal(fails(t, s, "CREATE HYBRID TABLE t (id NUMBER PRIMARY KEY)").SQLState, "0A000")
	run(t, s, "CREATE TABLE t (id NUMBER PRIMARY KEY)")
}

func TestWarehouses(t *testing.T) {
	is := is.New(t)
	e := open(t, account())
	s := session(t, e)
	run(t, s, "CREATE TABLE t (id NUMBER)")
	run(t, s, "USE WAREHOUSE sleeping")
	err := fails(t, s, "SELECT * FROM t")
	is.Equal(err.Number, 606)
	is.Equal(err.SQLState, "57P03")
	run(t, s, "SHOW TABLES")
	run(t, s, "SELECT CURRENT_SESSION()")
	run(t, s, "ALTER WAREHOUSE sleeping RESUME")
	run(t, s, "SELECT * FROM t")
	run(t, s, "USE WAREHOUSE resumes")
	run(t, s, "SELECT * FROM t")
	is.Equal(*run(t, s, "SHOW WAREHOUSES LIKE 'RESUM_S'").Rows[0][1], "STARTED")
	run(t, s, "USE WAREHOUSE fast")
	run(t, s, "SELECT * FROM t")
	is.Equal(fails(t, s, "INSERT INTO t VALUES (1)").SQLState, "0A000")
	err = fails(t, s, "SELECT SYSTEM$WAIT(7) FROM t UNION ALL SELECT SYSTEM$WAIT(7)")
	is.Equal(err.Number, 630)
	is.Equal(err.Message, "Statement reached its statement or warehouse timeout of 5 second(s) and was canceled.")
	run(t, s, "CREATE WAREHOUSE w2 WAREHOUSE_SIZE = 'SMALL' MIN_CLUSTER_COUNT = 1 MAX_CLUSTER_COUNT = 3 AUTO_SUSPEND = 60 INITIALLY_SUSPENDED = TRUE")
	is.Equal(show(run(t, s, "SELECT CURRENT_WAREHOUSE()")), "W2")
	run(t, s, "ALTER WAREHOUSE w2 SET WAREHOUSE_SIZE = MEDIUM STATEMENT_TIMEOUT_IN_SECONDS = 1")
	is.Equal(fails(t, s, "CALL SYSTEM$WAIT(3)").Number, 630)
	run(t, s, "DROP WAREHOUSE w2")
	is.Equal(fails(t, s, "SELECT * FROM t").Number, 606)
}

func TestLoginChecks(t *testing.T) {
	e := open(t, account())
	for _, c := range []struct {
		name   string
		o      engine.SessionOptions
		number int
	}{
		{"user", engine.SessionOptions{User: "nobody"}, 390100}, {"role", engine.SessionOptions{User: "other", Role: "SYSADMIN"}, 390189},
		{"database", engine.SessionOptions{User: "bench", Database: "nope", Parameters: map[string]string{"CLIENT_VALIDATE_DEFAULT_PARAMETERS": "true"}}, 390201},
		{"warehouse", engine.SessionOptions{User: "other", Warehouse: "private", Parameters: map[string]string{"CLIENT_VALIDATE_DEFAULT_PARAMETERS": "true"}}, 390201},
		{"parameter", engine.SessionOptions{User: "bench", Parameters: map[string]string{"TIMEZONE": "Mars"}}, 1008},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			_, err := e.NewSession(t.Context(), c.o)
			own, ok := err.(*engine.Error)
			is.True(ok)
			is.Equal(own.Number, c.number)
		})
	}
	t.Run("missing is left out", func(t *testing.T) {
		is := is.New(t)
		s, err := e.NewSession(t.Context(), engine.SessionOptions{User: "bench", Database: "nope", Schema: "x", Warehouse: "nope"})
		is.NoErr(err)
		is.Equal(s.Info(), engine.SessionInfo{User: "BENCH", Role: "SYSADMIN"})
		is.Equal(fails(t, s, "SELECT * FROM t").Number, 90105)
	})
}
