package postgres

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/benchfleet/benchfleet/adapters/postgres/postgrestest"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

const benchRows = 100_000

// bareLookup is the loop that a user would write: pgx, a prepared statement, the
// row read into variables.
func bareLookup(b testing.TB, ctx context.Context, dsn string) func(id int64) {
	b.Helper()
	conn, err := pgx.Connect(ctx, dsn+"?sslmode=disable")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close(context.Background()) })
	if _, err := conn.Prepare(ctx, "lookup", `SELECT ID, CUSTOMER_ID, BALANCE, STATUS, PAYLOAD FROM "BENCH_ROWS" WHERE ID = $1`); err != nil {
		b.Fatal(err)
	}
	var row core.Row
	return func(id int64) {
		if err := conn.QueryRow(ctx, "lookup", id).Scan(&row.ID, &row.CustomerID, &row.Balance, &row.Status, &row.Payload); err != nil {
			b.Fatal(err)
		}
	}
}

func sessionLookup(b testing.TB, ctx context.Context, target *Target, table core.TemplateTable) func(id int64) {
	b.Helper()
	text, _ := core.DefaultStatement(core.PointLookup)
	session, err := target.Open(ctx, ports.SessionOptions{Table: table, Statements: []core.Statement{{SQL: text, Bind: []int{0}, Query: true}}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = session.Close() })
	args := make([]any, 1)
	return func(id int64) {
		args[0] = id
		if rows, err := session.Exec(ctx, 0, args); err != nil || rows != 1 {
			b.Fatal(rows, err)
		}
	}
}

// BenchmarkLookup compares a point look-up of a session with the same in a bare
// pgx loop, both with a context that can end: in turns of 20, of which medians
// are compared, since other work on the machine hits single turns. ratio is the
// throughput of the session by that of the bare loop.
func BenchmarkLookup(b *testing.B) {
	server := shared.Server(b)
	dsn := server.DSN(postgrestest.Superuser, server.Database(b))
	table := core.TemplateTable{Name: "BENCH_ROWS", Rows: benchRows}
	load(b, open(b, dsn, Options{}), table)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	for _, tc := range []struct {
		name    string
		options Options
	}{{"prepared", Options{}}, {"pooled", Options{PgBouncer: true}}} {
		b.Run(tc.name, func(b *testing.B) {
			lookups := []func(int64){sessionLookup(b, ctx, open(b, dsn, tc.options), table), bareLookup(b, ctx, dsn)}
			var took [2][]time.Duration
			random := core.NewRand(1, 2, 3)
			b.ReportAllocs()
			b.ResetTimer()
			const each = 20
			for done := 0; done < b.N; done += each {
				for turn := range lookups {
					which := (turn + done/each) % 2
					start := time.Now()
					for range each {
						lookups[which](random.Int64n(benchRows))
					}
					took[which] = append(took[which], time.Since(start)/each)
				}
			}
			for _, all := range took {
				slices.Sort(all)
			}
			ours, bare := took[0][len(took[0])/2], took[1][len(took[1])/2]
			b.ReportMetric(float64(ours.Nanoseconds()), "ns/session")
			b.ReportMetric(float64(bare.Nanoseconds()), "ns/bare")
			b.ReportMetric(bare.Seconds()/ours.Seconds(), "ratio")
		})
	}
}

// BenchmarkExec is the session alone, for its allocations.
func BenchmarkExec(b *testing.B) {
	server := shared.Server(b)
	table := core.TemplateTable{Name: "BENCH_ROWS", Rows: 1000}
	target := open(b, server.DSN(postgrestest.Superuser, server.Database(b)), Options{})
	load(b, target, table)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	lookup := sessionLookup(b, ctx, target, table)
	b.ReportAllocs()
	for b.Loop() {
		lookup(7)
	}
}

// BenchmarkLoad makes and loads a table of 100,000 rows.
func BenchmarkLoad(b *testing.B) {
	server := shared.Server(b)
	table := core.TemplateTable{Name: "BENCH_ROWS", Rows: benchRows}
	target := open(b, server.DSN(postgrestest.Superuser, server.Database(b)), Options{})
	for b.Loop() {
		if err := target.Drop(b.Context(), table); err != nil {
			b.Fatal(err)
		}
		load(b, target, table)
	}
	b.ReportMetric(float64(benchRows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
