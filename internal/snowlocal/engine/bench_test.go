package engine_test

import (
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
)

// BenchmarkSelect is what the engine adds to PostgreSQL: a look-up by key through
// it, alone and in a transaction, beside the same one through the bare driver.
func BenchmarkSelect(b *testing.B) {
	server := shared.Server(b)
	dsn := server.DSN("postgres", server.Database(b))
	e, err := engine.Open(b.Context(), engine.Options{DSN: dsn, Account: account()})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = e.Close(b.Context()) }()
	s, err := e.NewSession(b.Context(), engine.SessionOptions{User: "BENCH", Database: "DB", Warehouse: "WH"})
	if err != nil {
		b.Fatal(err)
	}
	execute := func(sql string, binds ...engine.Bind) {
		if _, err := s.Execute(b.Context(), engine.Query{SQL: sql, Binds: binds}); err != nil {
			b.Fatal(err)
		}
	}
	execute("CREATE HYBRID TABLE t (id NUMBER(38,0) PRIMARY KEY, name VARCHAR, n NUMBER(38,0))")
	execute("INSERT INTO t SELECT SEQ8(), 'name', 0 FROM TABLE(GENERATOR(ROWCOUNT => 10000))")
	b.Run("engine", func(b *testing.B) {
		for b.Loop() {
			execute("SELECT id, name, n FROM t WHERE id = ?", fixed("77"))
		}
	})
	b.Run("transaction", func(b *testing.B) {
		execute("BEGIN")
		for b.Loop() {
			execute("SELECT id, name, n FROM t WHERE id = ?", fixed("77"))
		}
		execute("COMMIT")
	})
	b.Run("update", func(b *testing.B) {
		for b.Loop() {
			execute("UPDATE t SET n = n + 1 WHERE id = ?", fixed("77"))
		}
	})
	b.Run("bare", func(b *testing.B) {
		conn, err := pgconn.Connect(b.Context(), dsn)
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = conn.Close(b.Context()) }()
		if _, err := conn.Prepare(b.Context(), "q", `SELECT "ID", "NAME", "N" FROM "DB.PUBLIC"."T" WHERE "ID" = $1::numeric`, nil); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if r := conn.ExecPrepared(b.Context(), "q", [][]byte{[]byte("77")}, nil, nil).Read(); r.Err != nil || len(r.Rows) != 1 {
				b.Fatal(r.Err)
			}
		}
	})
}
