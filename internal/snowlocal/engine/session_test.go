package engine_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
)

func TestTransactionsStayOpenAfterErrors(t *testing.T) {
	is := is.New(t)
	e := open(t, account())
	s, other := session(t, e), session(t, e)
	run(t, s, "CREATE HYBRID TABLE t (id NUMBER PRIMARY KEY)")
	is.Equal(run(t, s, "BEGIN").TypeID, int64(engine.TypeTCL))
	run(t, s, "INSERT INTO t VALUES (1)")
	for range 3 { // prepared from the second on
		is.Equal(fails(t, s, "INSERT INTO t VALUES (1)").Number, 200001)
		is.Equal(fails(t, s, "SELECT nope FROM t").Number, 904)
	}
	is.Equal(show(run(t, other, "SELECT COUNT(*) FROM t")), "0") // not seen before COMMIT
	run(t, s, "INSERT INTO t VALUES (2)")
	run(t, s, "COMMIT")
	is.Equal(show(run(t, other, "SELECT COUNT(*) FROM t")), "2")
	run(t, s, "BEGIN TRANSACTION")
	run(t, s, "DELETE FROM t")
	run(t, s, "ROLLBACK")
	is.Equal(show(run(t, s, "SELECT COUNT(*) FROM t")), "2")
	run(t, s, "COMMIT") // without a transaction it is done
	run(t, s, "BEGIN")
	run(t, s, "DELETE FROM t WHERE id = 2")
	run(t, s, "CREATE TABLE u (a INT)") // DDL commits
	run(t, s, "ROLLBACK")
	is.Equal(show(run(t, other, "SELECT COUNT(*) FROM t")), "1")
	run(t, s, "ALTER SESSION SET TRANSACTION_ABORT_ON_ERROR = TRUE")
	run(t, s, "BEGIN")
	run(t, s, "INSERT INTO t VALUES (5)")
	is.Equal(fails(t, s, "INSERT INTO t VALUES (5)").Number, 200001)
	run(t, s, "COMMIT")
	is.Equal(show(run(t, other, "SELECT COUNT(*) FROM t")), "1")
	run(t, s, "ALTER SESSION SET AUTOCOMMIT = FALSE, TRANSACTION_ABORT_ON_ERROR = FALSE")
	run(t, s, "INSERT INTO t VALUES (7)")
	is.Equal(show(run(t, other, "SELECT COUNT(*) FROM t")), "1")
	run(t, s, "COMMIT")
	is.Equal(show(run(t, other, "SELECT COUNT(*) FROM t")), "2")
}

// TestResultsSay is what a result says besides its rows.
func TestResultsSay(t *testing.T) {
	is := is.New(t)
	s := session(t, open(t, account()))
	start := time.Now()
	r := run(t, s, "SELECT 1.0::NUMBER(30,2), 'x', TRUE, NULL, UPPER('x'), TRY_CAST('x' AS NUMBER)")
	is.True(!r.Start.Before(start) && !r.End.Before(r.Start) && !time.Now().Before(r.End))
	nullable := func(r *engine.Result) (list []bool) {
		for _, c := range r.Columns {
			list = append(list, c.Nullable)
		}
		return list
	}
	is.Equal(nullable(r), []bool{false, false, false, true, true, true})
	is.Equal(nullable(run(t, s, "SELECT 1 UNION ALL SELECT NULL")), []bool{true})
	run(t, s, "CREATE TABLE plain (a INT)")
	is.Equal(run(t, s, "SELECT * FROM plain").HybridDatabases, nil)
	run(t, s, "CREATE HYBRID TABLE h (id INT PRIMARY KEY)")
	is.Equal(run(t, s, "SELECT * FROM h").HybridDatabases, []string{"DB"})
	run(t, s, "CREATE DATABASE other")
	run(t, s, "CREATE HYBRID TABLE other.public.h (id INT PRIMARY KEY)")
	is.Equal(run(t, s, "INSERT INTO other.public.h SELECT id FROM db.public.h").HybridDatabases, []string{"DB", "OTHER"})
	is.Equal(run(t, s, "SELECT 1").HybridDatabases, []string{"DB", "OTHER"}) // of the session, not of the statement
	multi, err := s.Execute(t.Context(), engine.Query{SQL: "SELECT 1; SELECT 2", Parameters: map[string]string{"MULTI_STATEMENT_COUNT": "2"}})
	is.NoErr(err)
	is.True(!multi.End.Before(multi.Children[1].End) && !multi.Children[0].Start.Before(multi.Start))
}

func TestRowLocks(t *testing.T) {
	is := is.New(t)
	e := open(t, account())
	a, b := session(t, e), session(t, e, "HYBRID_TABLE_LOCK_TIMEOUT", "1")
	run(t, a, "CREATE HYBRID TABLE t (id NUMBER PRIMARY KEY, n NUMBER)")
	run(t, a, "INSERT INTO t VALUES (1, 0), (2, 0)")
	run(t, a, "BEGIN")
	run(t, a, "UPDATE t SET n = 1 WHERE id = 1")
	run(t, b, "UPDATE t SET n = 1 WHERE id = 2") // another row
	is.Equal(fails(t, b, "UPDATE t SET n = 2 WHERE id = 1").Number, 625)
	run(t, b, "BEGIN")
	start := time.Now()
	is.Equal(fails(t, b, "SELECT * FROM t WHERE id = 1 FOR UPDATE").Number, 625) // does not wait
	is.True(time.Since(start) < 500*time.Millisecond)
	is.Equal(fails(t, b, "SELECT * FROM t WHERE id = 1 FOR UPDATE WAIT 1").Number, 625)
	is.Equal(show(run(t, b, "SELECT n FROM t WHERE id = 2 FOR UPDATE WAIT 1")), "1")
	is.Equal(fails(t, b, "SELECT * FROM t a JOIN t b ON a.id = b.id FOR UPDATE").SQLState, "0A000")
	run(t, b, "ROLLBACK")
	done := make(chan string, 1)
	go func() {
		r, err := b.Execute(context.Background(), engine.Query{SQL: "UPDATE t SET n = n + 10 WHERE id = 1", Parameters: map[string]string{"HYBRID_TABLE_LOCK_TIMEOUT": "30"}})
		done <- show(r) + fmt.Sprint(err)
	}()
	run(t, a, "COMMIT")
	is.Equal(<-done, "1|0<nil>")
	is.Equal(show(run(t, a, "SELECT n FROM t WHERE id = 1")), "11") // READ COMMITTED: on top of what was waited for
}

func TestDeadlockEndsOneStatement(t *testing.T) {
	is := is.New(t)
	e := open(t, account())
	a, b := session(t, e), session(t, e)
	run(t, a, "CREATE HYBRID TABLE t (id NUMBER PRIMARY KEY, n NUMBER)")
	run(t, a, "INSERT INTO t VALUES (1, 0), (2, 0)")
	run(t, a, "BEGIN")
	run(t, b, "BEGIN")
	run(t, a, "UPDATE t SET n = 1 WHERE id = 1")
	run(t, b, "UPDATE t SET n = 2 WHERE id = 2")
	errs := make(chan error, 2)
	var group sync.WaitGroup
	for s, id := range map[*engine.Session]string{a: "2", b: "1"} {
		group.Go(func() {
			_, err := s.Execute(context.Background(), engine.Query{SQL: "UPDATE t SET n = 3 WHERE id = " + id})
			if err != nil {
				_, back := s.Execute(context.Background(), engine.Query{SQL: "ROLLBACK"})
				if back != nil {
					err = back
				}
			}
			errs <- err
		})
	}
	group.Wait()
	first, second := <-errs, <-errs
	if first == nil {
		first, second = second, first
	}
	is.NoErr(second)
	is.Equal(first.(*engine.Error).Number, 625)
}

func TestStandardTablesLockAsAWhole(t *testing.T) {
	is := is.New(t)
	e := open(t, account())
	a, b := session(t, e), session(t, e, "LOCK_TIMEOUT", "1")
	run(t, a, "CREATE TABLE t (id NUMBER, n NUMBER)")
	run(t, a, "INSERT INTO t VALUES (1, 0), (2, 0)")
	run(t, a, "BEGIN")
	run(t, a, "UPDATE t SET n = 1 WHERE id = 1")
	is.Equal(fails(t, b, "UPDATE t SET n = 1 WHERE id = 2").Number, 625)
	is.Equal(fails(t, b, "DELETE FROM t WHERE id = 2").Number, 625)
	run(t, b, "INSERT INTO t VALUES (3, 0)")
	run(t, a, "COMMIT")
	is.Equal(show(run(t, b, "DELETE FROM t")), "3")
}

func TestMerge(t *testing.T) {
	for _, kind := range []string{"HYBRID ", ""} {
		t.Run(kind, func(t *testing.T) {
			is := is.New(t)
			s := session(t, open(t, account()))
			run(t, s, "CREATE "+kind+"TABLE t (id VARCHAR PRIMARY KEY, n NUMBER(38,0), at TIMESTAMP_NTZ(6), v VARIANT)")
			merge := `MERGE INTO t AS t USING (SELECT column1 AS id, column2::NUMBER(38,0) AS n, column3::TIMESTAMP_NTZ(6) AS at, PARSE_JSON(column4) AS v FROM VALUES (?, ?, ?, ?), (?, ?, ?, ?)) AS s ON t.id = s.id
				WHEN MATCHED AND s.n >= t.n THEN UPDATE SET n = s.n, at = s.at, v = s.v WHEN NOT MATCHED THEN INSERT (id, n, at, v) VALUES (s.id, s.n, s.at, s.v)`
			null := engine.Bind{Type: "TEXT"}
			r := run(t, s, merge, text("a"), text("1"), text("2024-01-01 00:00:00.123456"), text(`{"k":1}`), text("b"), text("5"), null, null)
			is.Equal(show(r), "2|0")
			is.Equal(r.Columns[0].Name, "number of rows inserted")
			is.Equal(r.TypeID, int64(engine.TypeMerge))
			is.Equal(show(run(t, s, merge, text("a"), text("2"), null, null, text("c"), text("1"), null, null)), "1|1")
			run(t, s, "BEGIN")
			is.Equal(show(run(t, s, merge, text("a"), text("1"), null, null, text("b"), text("6"), null, null)), "0|1")
			run(t, s, "COMMIT")
			is.Equal(show(run(t, s, "MERGE INTO t USING (SELECT 'a' AS id) s ON t.id = s.id WHEN MATCHED THEN DELETE")), "1")
			is.Equal(show(run(t, s, "SELECT id, n, at FROM t ORDER BY id")), "b|6|NULL\nc|1|NULL")
		})
	}
}

func TestBinds(t *testing.T) {
	is := is.New(t)
	s := session(t, open(t, account()))
	bind := func(typ, value string) engine.Bind { return engine.Bind{Type: typ, Value: &value} }
	r := run(t, s, "SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?", text("x"), fixed("-9223372036854775808"), bind("REAL", "1.5"), bind("BOOLEAN", "true"), bind("BINARY", "61ff"), bind("DATE", "1704067200000"),
		bind("TIME", "3723000000000"), bind("TIMESTAMP_NTZ", "1704067200123456000"), bind("TIMESTAMP_TZ", "1704067200000000000 1500"), engine.Bind{Type: "TEXT"})
	is.Equal(show(r), "x|-9223372036854775808|1.5|1|61FF|19723|3723.000000000|1704067200.123456000|1704067200.000000000 1500|NULL")
	var types []string
	for _, c := range r.Columns {
		types = append(types, c.Type)
	}
	is.Equal(strings.Join(types, " "), "text fixed real boolean binary date time timestamp_ntz timestamp_tz text")
	for value, want := range map[string]string{"0.5": "0.5", "1e+300": "1e+300", "NaN": "NaN", "inf": "Infinity", "-inf": "-Infinity"} {
		is.Equal(show(run(t, s, "SELECT ?::FLOAT", text(value))), want)
	}
	run(t, s, "CREATE TABLE t (i INTEGER, f FLOAT, s VARCHAR, b BOOLEAN, d DATE, n TIMESTAMP_NTZ, l TIMESTAMP_LTZ, z TIMESTAMP_TZ, x BINARY, v VARIANT, m TIME)")
	for range 3 {
		run(t, s, "INSERT INTO t SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, PARSE_JSON(?), ?", text("5"), text("1.5"), fixed("7"), text("true"), text("2024-01-01"), text("2024-01-01 00:00:00"),
			text("2024-01-01 00:00:00 +0000"), bind("TIMESTAMP_TZ", "1704063600000000000 1500"), bind("BINARY", "00"), text("[]"), text("01:02:03"))
	}
	is.Equal(show(run(t, s, "SELECT DISTINCT * FROM t")), "5|1.5|7|1|19723|1704067200.000000000|1704067200.000000000|1704063600.000000000 1500|00|[]|3723.000000000")
	is.Equal(show(run(t, s, "SELECT COUNT(*) FROM t WHERE i = ? AND f > ? AND s = ? AND d = ? AND n <= ? AND b = ?", text("5"), text("1"), text("7"), text("2024-01-01"), bind("TIMESTAMP_NTZ", "1704067200000000000"), text("true"))), "3")
	is.Equal(show(run(t, s, "SELECT COUNT(*) FROM t WHERE i IN (?, ?) LIMIT ?", fixed("5"), text("6"), fixed("1"))), "3")
	is.Equal(show(run(t, s, "SELECT :2, :1", text("a"), text("b"))), "b|a")
	is.Equal(show(run(t, s, "SELECT COUNT(*) FROM IDENTIFIER(?)", text("db.public.t"))), "3")
}

func TestArrayBinds(t *testing.T) {
	is := is.New(t)
	s := session(t, open(t, account()))
	run(t, s, "CREATE HYBRID TABLE t (id NUMBER PRIMARY KEY, name VARCHAR)")
	const n = 5000
	ids, names := engine.Bind{Type: "FIXED", IsArray: true}, engine.Bind{Type: "TEXT", IsArray: true}
	for i := range n {
		id, name := fmt.Sprint(i), fmt.Sprint("name ", i)
		ids.Values, names.Values = append(ids.Values, &id), append(names.Values, &name)
	}
	is.Equal(show(run(t, s, "INSERT INTO t VALUES (?, ?)", ids, names)), "5000")
	is.Equal(show(run(t, s, "SELECT COUNT(*), MAX(id) FROM t")), "5000|4999")
	run(t, s, "DELETE FROM t WHERE id < 4000")
	is.Equal(fails(t, s, "INSERT INTO t VALUES (?, ?)", ids, names).Number, 200001) // all or none
	is.Equal(show(run(t, s, "SELECT COUNT(*) FROM t")), "1000")
	run(t, s, "BEGIN")
	is.Equal(fails(t, s, "INSERT INTO t VALUES (?, ?)", ids, names).Number, 200001)
	run(t, s, "COMMIT")
	is.Equal(show(run(t, s, "SELECT COUNT(*) FROM t")), "1000")
}

func TestDescribeOnly(t *testing.T) {
	is := is.New(t)
	s := session(t, open(t, account()))
	run(t, s, "CREATE TABLE t (id NUMBER(10,0), name VARCHAR(20))")
	describe := func(sql string) (*engine.Result, error) {
		return s.Execute(t.Context(), engine.Query{SQL: sql, DescribeOnly: true})
	}
	r, err := describe("SELECT id, name, id + 1 AS x FROM t WHERE id = ? AND name LIKE ? LIMIT ?")
	is.NoErr(err)
	is.Equal(len(r.Rows), 0)
	is.Equal(r.Columns[0].Precision, int64(10))
	is.Equal(r.Columns[1].Length, int64(20))
	is.Equal(r.Columns[2].Name, "X")
	r, err = describe("INSERT INTO t VALUES (?, ?)")
	is.NoErr(err)
	is.Equal(r.Columns[0].Name, "number of rows inserted")
	_, err = describe("UPDATE t SET name = ? WHERE id = ?")
	is.NoErr(err)
	_, err = describe("CREATE TABLE u (a INT)")
	is.NoErr(err)
	is.Equal(show(run(t, s, "SELECT COUNT(*) FROM t")), "0")
	is.Equal(fails(t, s, "SELECT * FROM u").Number, 2003)
	for sql, number := range map[string]int{"SELECT * FROM nope": 2003, "SELECT nope FROM t": 904, "SELEC": 1003} {
		_, err = describe(sql)
		is.Equal(err.(*engine.Error).Number, number)
	}
}

func TestMultipleStatements(t *testing.T) {
	is := is.New(t)
	s := session(t, open(t, account()))
	r, err := s.Execute(t.Context(), engine.Query{SQL: "CREATE TABLE t (a INT); INSERT INTO t VALUES (1), (2); SELECT * FROM t ORDER BY a;", Parameters: map[string]string{"MULTI_STATEMENT_COUNT": "3"}})
	is.NoErr(err)
	is.Equal(r.TypeID, int64(engine.TypeMulti))
	is.Equal(len(r.Children), 3)
	is.Equal(show(r.Children[1]), "2")
	is.Equal(show(r.Children[2]), "1\n2")
	is.True(r.Children[2].QueryID != "" && r.Children[2].QueryID != r.QueryID)
	got, ok := open(t, account()).Result(r.Children[2].QueryID)
	is.True(!ok && got == nil) // another engine
	_, err = s.Execute(t.Context(), engine.Query{SQL: "SELECT 1; SELECT 2", Parameters: map[string]string{"MULTI_STATEMENT_COUNT": "3"}})
	is.Equal(err.(*engine.Error).Number, 8)
	r, err = s.Execute(t.Context(), engine.Query{SQL: "SELECT 1; SELECT 2", Parameters: map[string]string{"MULTI_STATEMENT_COUNT": "0"}})
	is.NoErr(err)
	is.Equal(len(r.Children), 2)
}

func TestCancelAndHistory(t *testing.T) {
	is := is.New(t)
	e := open(t, account())
	a, b := session(t, e), session(t, e, "QUERY_TAG", "observer")
	wait := func(id string) chan error {
		done := make(chan error, 1)
		go func() {
			_, err := a.Execute(context.Background(), engine.Query{ID: id, SQL: "SELECT SYSTEM$WAIT(100)", Parameters: map[string]string{"QUERY_TAG": "waits"}})
			done <- err
		}()
		for range 1000 {
			if i, ok := e.Query(id); ok && i.Status == engine.StatusRunning {
				break
			}
			time.Sleep(time.Millisecond) // it is only the goroutine's start
		}
		return done
	}
	done := wait("11111111-1111-4111-8111-111111111111")
	is.Equal(show(run(t, b, fmt.Sprintf("SELECT COUNT(*) AS seen, COUNT_IF(execution_status = 'RUNNING') AS r FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_SESSION(SESSION_ID => %d, END_TIME_RANGE_START => DATEADD('second', -30, CURRENT_TIMESTAMP()), RESULT_LIMIT => 10000))", a.ID()))), "1|1")
	is.Equal(show(run(t, b, fmt.Sprintf("SELECT SYSTEM$CANCEL_ALL_QUERIES(%d), SYSTEM$CANCEL_ALL_QUERIES(1)", a.ID()))), "1 cancelled.|0 cancelled.")
	err := <-done
	is.Equal(err.(*engine.Error).Number, 604)
	is.Equal(err.(*engine.Error).SQLState, "57014")
	done = wait("22222222-2222-4222-8222-222222222222")
	is.Equal(show(run(t, b, "SELECT SYSTEM$CANCEL_QUERY(?)", text("22222222-2222-4222-8222-222222222222"))), "query [22222222-2222-4222-8222-222222222222] terminated.")
	is.Equal((<-done).(*engine.Error).Number, 604)
	is.Equal(show(run(t, a, "SELECT 1")), "1") // the cancellation hit one statement
	is.True(!e.Cancel("22222222-2222-4222-8222-222222222222"))
	r := run(t, b, "SELECT query_text, execution_status, error_code, query_tag, warehouse_name FROM TABLE(DB.INFORMATION_SCHEMA.QUERY_HISTORY(RESULT_LIMIT => 100)) WHERE query_tag = 'waits' ORDER BY start_time LIMIT 1")
	is.Equal(show(r), "SELECT SYSTEM$WAIT(100)|FAILED_WITH_ERROR|604|waits|WH")
	is.Equal(show(run(t, b, "SELECT COUNT(*) FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_SESSION(RESULT_LIMIT => 2))")), "2")
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	_, err = a.Execute(ctx, engine.Query{SQL: "SELECT SYSTEM$WAIT(100)"})
	is.Equal(err.(*engine.Error).Number, 604)
	run(t, a, "ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = 1")
	err = fails(t, a, "SELECT SYSTEM$WAIT(5)")
	is.Equal(err.Error(), "000630 (57014): Statement reached its statement or warehouse timeout of 1 second(s) and was canceled.")
	run(t, b, fmt.Sprintf("SELECT SYSTEM$ABORT_SESSION(%d)", a.ID()))
	is.Equal(fails(t, a, "SELECT 1").Number, 390111)
}

// TestShortHybridStatementsAreNotInTheHistory is as Snowflake leaves them out.
func TestShortHybridStatementsAreNotInTheHistory(t *testing.T) {
	is := is.New(t)
	s := session(t, open(t, account()))
	run(t, s, "CREATE HYBRID TABLE h (id NUMBER PRIMARY KEY)")
	run(t, s, "SELECT * FROM h")
	run(t, s, "BEGIN")
	run(t, s, "SELECT id FROM h")
	run(t, s, "COMMIT")
	is.Equal(show(run(t, s, "SELECT query_text FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_SESSION()) WHERE query_type = 'SELECT' AND query_text LIKE '%FROM h'")), "SELECT id FROM h")
}

// Statements that the history does not show displace none that it does.
func TestShortHybridStatementsDisplaceNothing(t *testing.T) {
	is := is.New(t)
	s := session(t, openWith(t, func(o *engine.Options) { o.History = 4 }))
	run(t, s, "CREATE HYBRID TABLE h (id NUMBER PRIMARY KEY)")
	run(t, s, "SELECT 'once'")
	for range 20 {
		run(t, s, "SELECT id FROM h")
	}
	is.Equal(show(run(t, s, `SELECT COUNT(*) FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_SESSION()) WHERE query_text = 'SELECT ''once'''`)), "1")
}

func TestResultScanAndVariables(t *testing.T) {
	is := is.New(t)
	s := session(t, open(t, account()))
	run(t, s, "CREATE TABLE t (a NUMBER(10,2), b VARCHAR)")
	run(t, s, "SHOW TABLES")
	is.Equal(show(run(t, s, `SELECT "name", "rows" FROM TABLE(RESULT_SCAN(LAST_QUERY_ID()))`)), "T|0")
	r := run(t, s, "SELECT 1.50 AS x, 'a' AS y")
	is.Equal(show(run(t, s, "SELECT * FROM TABLE(RESULT_SCAN(?))", text(r.QueryID))), "1.50|a")
	run(t, s, "SET (n, name) = (2 + 3, 'it''s')")
	is.Equal(show(run(t, s, "SELECT $n + 1, $name")), "6|it's")
	run(t, s, "SET tab = 't'")
	is.Equal(show(run(t, s, "SELECT COUNT(*) FROM IDENTIFIER($tab)")), "0")
	is.Equal(show(run(t, s, "SHOW VARIABLES LIKE 'N'"))[len(fmt.Sprint(s.ID())):], "|N|5|fixed")
	run(t, s, "UNSET n")
	is.Equal(fails(t, s, "SELECT $n").Number, 2211)
}

// TestColumnTypes is what the driver is told of columns.
func TestColumnTypes(t *testing.T) {
	is := is.New(t)
	s := session(t, open(t, account()))
	run(t, s, "CREATE TABLE t (a NUMBER(10,2) NOT NULL, b VARCHAR(5), c TIMESTAMP_NTZ(3), d OBJECT, e ARRAY, f INTEGER)")
	r := run(t, s, "SELECT a, b, c, d, e, f, 1, 1.25, COUNT(*), NULL, 'abc', PARSE_JSON('1'), OBJECT_CONSTRUCT(), a * 2 AS twice FROM t GROUP BY a, b, c, d, e, f")
	want := []engine.Column{
		{Name: "A", Type: "fixed", Precision: 10, Scale: 2}, {Name: "B", Type: "text", Nullable: true, Length: 5}, {Name: "C", Type: "timestamp_ntz", Nullable: true, Scale: 3},
		{Name: "D", Type: "object", Nullable: true}, {Name: "E", Type: "array", Nullable: true}, {Name: "F", Type: "fixed", Nullable: true, Precision: 38},
		{Name: "1", Type: "fixed", Precision: 1}, {Name: "1.25", Type: "fixed", Precision: 3, Scale: 2}, {Name: "COUNT(*)", Type: "fixed", Precision: 18, Nullable: true},
		{Name: "NULL", Type: "text", Nullable: true, Length: 16777216}, {Name: "'ABC'", Type: "text", Length: 3}, {Name: "PARSE_JSON('1')", Type: "variant", Nullable: true},
		{Name: "OBJECT_CONSTRUCT()", Type: "object", Nullable: true}, {Name: "TWICE", Type: "fixed", Precision: 38, Nullable: true},
	}
	is.Equal(len(r.Columns), len(want))
	for i, c := range r.Columns {
		is.Equal(c.Name, want[i].Name)
		is.Equal(c.Type, want[i].Type)
		is.Equal(c.Precision, want[i].Precision)
		is.Equal(c.Scale, want[i].Scale)
		is.Equal(c.Length, want[i].Length)
		is.Equal(c.Nullable, want[i].Nullable)
	}
}

// TestTwoAtOnceInASession is what asynchronous queries do.
func TestTwoAtOnceInASession(t *testing.T) {
	is := is.New(t)
	e := open(t, account())
	s := session(t, e)
	done := make(chan error, 1)
	go func() {
		_, err := s.Execute(context.Background(), engine.Query{ID: "33333333-3333-4333-8333-333333333333", SQL: "SELECT SYSTEM$WAIT(100)"})
		done <- err
	}()
	for {
		if i, ok := e.Query("33333333-3333-4333-8333-333333333333"); ok && i.Type == "SELECT" { // it has the connection
			break
		}
	}
	is.Equal(show(run(t, s, "SELECT 1")), "1")
	is.True(e.Cancel("33333333-3333-4333-8333-333333333333"))
	is.Equal((<-done).(*engine.Error).Number, 604)
}
