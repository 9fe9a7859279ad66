package server_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/matryer/is"
	sf "github.com/snowflakedb/gosnowflake/v2"

	"github.com/benchfleet/benchfleet/internal/snowlocal/server"
)

func TestValues(t *testing.T) {
	is := is.New(t)
	db := start(t, server.Options{}).open(t, nil)
	var (
		n       int64
		f       float64
		s       string
		b       bool
		day, at time.Time
		raw     []byte
		null    sql.NullString
		variant string
	)
	err := db.QueryRowContext(within(t), `SELECT 42, 1.5::FLOAT, 'a "quoted"\\ <ü> \n', TRUE, '2024-02-29'::DATE, '2024-02-29 12:34:56.123456'::TIMESTAMP_NTZ(6),
		'00ff'::BINARY, NULL, PARSE_JSON('{"b": 1}')`).Scan(&n, &f, &s, &b, &day, &at, &raw, &null, &variant)
	is.NoErr(err)
	is.Equal(n, int64(42))
	is.Equal(f, 1.5)
	is.Equal(s, "a \"quoted\"\\ <ü> \n")
	is.True(b)
	is.True(day.Equal(time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)))
	is.True(at.Equal(time.Date(2024, 2, 29, 12, 34, 56, 123456000, time.UTC)))
	is.Equal(raw, []byte{0, 255})
	is.True(!null.Valid)
	is.Equal(variant, "{\n  \"b\": 1\n}")
	rows, err := db.QueryContext(within(t), "SELECT 1 AS a, 'x' AS \"b\" WHERE FALSE")
	is.NoErr(err)
	columns, err := rows.Columns()
	is.NoErr(err)
	is.Equal(columns, []string{"A", "b"})
	is.True(!rows.Next())
	is.NoErr(rows.Err())
	is.NoErr(rows.Close())
}

func TestCounts(t *testing.T) {
	is := is.New(t)
	db := start(t, server.Options{}).open(t, nil)
	affected := func(query string, args ...any) int64 {
		n, err := exec(t, db, query, args...).RowsAffected()
		is.NoErr(err)
		return n
	}
	exec(t, db, "CREATE HYBRID TABLE t (id NUMBER(38,0) PRIMARY KEY, n NUMBER(38,0))")
	is.Equal(affected("INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)"), int64(3))
	is.Equal(affected("UPDATE t SET n = n + 1 WHERE id > ?", 1), int64(2))
	is.Equal(affected("DELETE FROM t WHERE id = ?", 9), int64(0))
	is.Equal(affected("MERGE INTO t USING (SELECT column1 AS id FROM VALUES (3), (4), (5)) AS s ON t.id = s.id "+
		"WHEN MATCHED THEN UPDATE SET n = 0 WHEN NOT MATCHED THEN INSERT (id, n) VALUES (s.id, 0)"), int64(3)) // 2 + 1
	_, err := exec(t, db, "CREATE TABLE u (id NUMBER(38,0))").RowsAffected()
	is.True(err != nil) // as the driver does for DDL
}

func TestBinds(t *testing.T) {
	is := is.New(t)
	db := start(t, server.Options{}).open(t, nil)
	is.Equal(one(t, db, "SELECT ?", int64(-1<<63)), "-9223372036854775808")
	is.Equal(one(t, db, "SELECT ?", "it's <b> ? \\ ü"), "it's <b> ? \\ ü")
	is.Equal(one(t, db, "SELECT ?::FLOAT", "1e+300"), "1e+300")
	var yes bool
	is.NoErr(db.QueryRowContext(within(t), "SELECT ?", true).Scan(&yes))
	is.True(yes)
	var null sql.NullString
	is.NoErr(db.QueryRowContext(within(t), "SELECT ?", nil).Scan(&null))
	is.True(!null.Valid)
	at := time.Date(2024, 2, 29, 12, 34, 56, 123456000, time.UTC)
	var got time.Time
	is.NoErr(db.QueryRowContext(within(t), "SELECT ?", at).Scan(&got))
	is.True(got.Equal(at))
	is.NoErr(db.QueryRowContext(within(t), "SELECT ?", sf.DataTypeDate, at).Scan(&got))
	is.True(got.Equal(time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)))
	var raw []byte
	is.NoErr(db.QueryRowContext(within(t), "SELECT ?", sf.DataTypeBinary, []byte{1, 2, 255}).Scan(&raw))
	is.Equal(raw, []byte{1, 2, 255})
	_, err := db.ExecContext(within(t), "SELECT ?, ?", 1)
	is.True(number(err) != 0) // one bind is missing
}

func TestArrayBinds(t *testing.T) {
	is := is.New(t)
	db := start(t, server.Options{}).open(t, nil)
	exec(t, db, "CREATE TABLE t (id NUMBER(38,0), name VARCHAR, f FLOAT)")
	const n = 10000
	ids, names, floats := make([]int64, n), make([]string, n), make([]float64, n)
	for i := range ids {
		ids[i], names[i], floats[i] = int64(i), fmt.Sprintf("name %d", i), float64(i)/3
	}
	arrays := make([]any, 3)
	for i, a := range []any{&ids, &names, &floats} {
		var err error
		arrays[i], err = sf.Array(a)
		is.NoErr(err)
	}
	r, err := db.ExecContext(within(t), "INSERT INTO t VALUES (?, ?, ?)", arrays...)
	is.NoErr(err)
	count, err := r.RowsAffected()
	is.NoErr(err)
	is.Equal(count, int64(n))
	is.Equal(one(t, db, "SELECT COUNT(*) || ' ' || SUM(id) || ' ' || MAX(LENGTH(name)) FROM t"), "10000 49995000 9")
	is.Equal(one(t, db, "SELECT name FROM t WHERE id = 77"), "name 77")
}

func TestErrors(t *testing.T) {
	is := is.New(t)
	db := start(t, server.Options{}).open(t, nil)
	ids := make(chan string, 1)
	_, err := db.ExecContext(sf.WithQueryIDChan(within(t), ids), "SELECT * FROM missing")
	var own *sf.SnowflakeError
	is.True(errors.As(err, &own))
	is.Equal(own.Number, 2003)
	is.Equal(own.SQLState, "02000")
	is.True(len(own.QueryID) == 36)
	is.Equal(<-ids, own.QueryID)
	for text, number := range map[string]int{
		"SELEKT 1": 1003, "SELECT nothing": 904, "": 900, "CREATE FUNCTION f() RETURNS INT AS '1'": 2, "SELECT 1; SELECT 2": 8,
	} {
		_, err := db.ExecContext(within(t), text)
		is.True(errors.As(err, &own))
		is.Equal(own.Number, number)
	}
	is.Equal(one(t, db, "SELECT 1"), "1")
}

func TestDescribeOnly(t *testing.T) {
	is := is.New(t)
	db := start(t, server.Options{}).open(t, nil)
	exec(t, db, "CREATE HYBRID TABLE t (id NUMBER(38,0) PRIMARY KEY, name VARCHAR(10))")
	ctx := sf.WithDescribeOnly(within(t))
	for text, want := range map[string]string{
		"SELECT id, name AS n FROM t WHERE id = ?": "[ID N]", "INSERT INTO t VALUES (?, ?)": "[number of rows inserted]",
	} {
		rows, err := db.QueryContext(ctx, text)
		is.NoErr(err)
		columns, err := rows.Columns()
		is.NoErr(err)
		is.Equal(fmt.Sprint(columns), want)
		is.True(!rows.Next())
		is.NoErr(rows.Close())
	}
	_, err := db.ExecContext(ctx, "INSERT INTO t VALUES (1, 'x')")
	is.NoErr(err)
	is.Equal(one(t, db, "SELECT COUNT(*) FROM t"), "0")
	_, err = db.QueryContext(ctx, "SELECT missing FROM t")
	is.Equal(number(err), 904)
}

func TestMultiStatement(t *testing.T) {
	is := is.New(t)
	db := start(t, server.Options{}).open(t, nil)
	ctx := sf.WithMultiStatement(within(t), 3)
	r, err := db.ExecContext(ctx, "CREATE TABLE t (n NUMBER(38,0)); INSERT INTO t VALUES (1), (2); INSERT INTO t VALUES (3)")
	is.NoErr(err)
	n, err := r.RowsAffected()
	is.NoErr(err)
	is.Equal(n, int64(3))
	rows, err := db.QueryContext(sf.WithMultiStatement(within(t), 0), "SELECT n FROM t ORDER BY n; SELECT 'x'")
	is.NoErr(err)
	var all []string
	for more := true; more; more = rows.NextResultSet() {
		for rows.Next() {
			var v string
			is.NoErr(rows.Scan(&v))
			all = append(all, v)
		}
	}
	is.NoErr(rows.Err())
	is.NoErr(rows.Close())
	is.Equal(all, []string{"1", "2", "3", "x"})
	_, err = db.ExecContext(ctx, "SELECT 1; SELECT 2")
	is.Equal(number(err), 8)
}

func TestTransactions(t *testing.T) {
	is := is.New(t)
	s := start(t, server.Options{})
	db, other := s.open(t, nil), s.open(t, nil)
	exec(t, db, "CREATE HYBRID TABLE t (id NUMBER(38,0) PRIMARY KEY)")
	tx, err := db.BeginTx(within(t), nil)
	is.NoErr(err)
	_, err = tx.ExecContext(within(t), "INSERT INTO t VALUES (1)")
	is.NoErr(err)
	is.Equal(one(t, other, "SELECT COUNT(*) FROM t"), "0")
	_, err = tx.ExecContext(within(t), "INSERT INTO t VALUES (1)")
	is.Equal(number(err), 200001)
	is.NoErr(tx.Commit()) // the error left it open
	is.Equal(one(t, other, "SELECT COUNT(*) FROM t"), "1")
	tx, err = db.BeginTx(within(t), nil)
	is.NoErr(err)
	_, err = tx.ExecContext(within(t), "DELETE FROM t")
	is.NoErr(err)
	is.NoErr(tx.Rollback())
	is.Equal(one(t, other, "SELECT COUNT(*) FROM t"), "1")
}

func TestSessionParametersReachTheDriver(t *testing.T) {
	is := is.New(t)
	db := start(t, server.Options{}).open(t, nil)
	exec(t, db, "ALTER SESSION SET TIMEZONE = 'Asia/Tokyo'")
	var at time.Time
	is.NoErr(db.QueryRowContext(within(t), "SELECT '2024-01-01 00:00:00 +0000'::TIMESTAMP_LTZ").Scan(&at))
	is.Equal(at.Format(time.RFC3339), "2024-01-01T09:00:00+09:00")
}

func TestBigResult(t *testing.T) {
	is := is.New(t)
	db := start(t, server.Options{}).open(t, nil)
	rows, err := db.QueryContext(within(t), "SELECT SEQ4(), REPEAT('x', 100) FROM TABLE(GENERATOR(ROWCOUNT => 50000))")
	is.NoErr(err)
	var sum big.Int
	n := 0
	for rows.Next() {
		var id int64
		var text string
		is.NoErr(rows.Scan(&id, &text))
		sum.Add(&sum, big.NewInt(id))
		n += len(text)
	}
	is.NoErr(rows.Err())
	is.NoErr(rows.Close())
	is.Equal(n, 5_000_000)
	is.Equal(sum.String(), "1249975000")
}

func TestContextEndsAStatement(t *testing.T) {
	is := is.New(t)
	s := start(t, server.Options{})
	db := s.open(t, nil)
	exec(t, db, "SELECT 1")
	for _, query := range []string{"SELECT SYSTEM$WAIT(100)", "CALL SYSTEM$WAIT(100)"} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		began := time.Now()
		_, err := db.ExecContext(ctx, query)
		cancel()
		is.True(errors.Is(err, context.DeadlineExceeded))
		is.True(time.Since(began) < 10*time.Second)
	}
	is.Equal(one(t, db, "SELECT 1"), "1")
	is.Equal(one(t, db, "SELECT COUNT(*) FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY()) WHERE QUERY_TEXT LIKE '%WAIT(100)' AND ERROR_CODE = 604"), "2")
}
