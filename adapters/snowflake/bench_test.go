package snowflake

import (
	"context"
	"database/sql"
	"slices"
	"testing"
	"time"

	sf "github.com/snowflakedb/gosnowflake/v2"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

const benchRows = 10_000

// bareLookup is the loop that a user would write: the driver with the settings of
// a measured session, one connection, the row read into variables.
func bareLookup(b testing.TB, ctx context.Context, target *Target) func(id int64) {
	b.Helper()
	connector := newConnector(target.config, measuredPool, "bare")
	config := connector.base
	config.Password = target.config.auth.password.reveal()
	pool := sql.OpenDB(sf.NewConnector(sf.SnowflakeDriver{}, config))
	b.Cleanup(func() { _ = pool.Close() })
	conn, err := pool.Conn(ctx)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	var row core.Row
	return func(id int64) {
		err := conn.QueryRowContext(ctx, `SELECT ID, CUSTOMER_ID, BALANCE, STATUS, PAYLOAD FROM "BENCH_ROWS" WHERE ID = ?`, id).
			Scan(&row.ID, &row.CustomerID, &row.Balance, &row.Status, &row.Payload)
		if err != nil {
			b.Fatal(err)
		}
	}
}

func sessionLookup(b testing.TB, ctx context.Context, target *Target, table core.TemplateTable) func(id int64) {
	b.Helper()
	text, _ := core.DefaultStatement(core.PointLookup)
	session, err := target.Open(ctx, ports.SessionOptions{Table: table, Tag: "session", Statements: []core.Statement{{SQL: text, Bind: []int{0}, Query: true}}})
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

// BenchmarkLookup compares a point look-up of a session with the same in a loop
// over the driver alone, both with a context that can end: in turns of 20, of
// which medians are compared, since other work on the machine hits single turns.
// ratio is the throughput of the session by that of the bare loop.
func BenchmarkLookup(b *testing.B) {
	target, _ := fresh(b)
	table := core.TemplateTable{Name: "BENCH_ROWS", Type: hybridTable, Rows: benchRows}
	load(b, target, table)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	lookups := []func(int64){sessionLookup(b, ctx, target, table), bareLookup(b, ctx, target)}
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
}

// BenchmarkLoad makes and loads a table of 10,000 rows.
func BenchmarkLoad(b *testing.B) {
	target, _ := fresh(b)
	table := core.TemplateTable{Name: "BENCH_ROWS", Type: hybridTable, Rows: benchRows}
	for b.Loop() {
		if err := target.Drop(b.Context(), table); err != nil {
			b.Fatal(err)
		}
		load(b, target, table)
	}
	b.ReportMetric(float64(benchRows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
