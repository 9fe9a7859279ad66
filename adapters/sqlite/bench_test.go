package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

const benchRows = 100_000

// loadedTarget makes a target with the benchmark table.
func loadedTarget(t testing.TB, rows int64) (*Target, core.TemplateTable) {
	t.Helper()
	target := openTarget(t, filepath.Join(t.TempDir(), "target.db"))
	t.Cleanup(func() { _ = target.Close() })
	table := core.TemplateTable{Name: "BENCH_ROWS", Rows: rows}
	if err := target.Create(t.Context(), table); err != nil {
		t.Fatal(err)
	}
	if err := target.Load(t.Context(), table, nil); err != nil {
		t.Fatal(err)
	}
	return target, table
}

// bareLookup is the loop that a user would write: database/sql, one connection,
// a prepared statement, the row read into variables.
func bareLookup(b testing.TB, ctx context.Context, path string) func(id int64) {
	b.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=synchronous(NORMAL)&_pragma=busy_timeout(5000)")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	conn, err := db.Conn(ctx)
	if err != nil {
		b.Fatal(err)
	}
	prepared, err := conn.PrepareContext(ctx, "SELECT ID, CUSTOMER_ID, BALANCE, STATUS, PAYLOAD FROM BENCH_ROWS WHERE ID = ?")
	if err != nil {
		b.Fatal(err)
	}
	var row core.Row
	return func(id int64) {
		if err := prepared.QueryRowContext(ctx, id).Scan(&row.ID, &row.CustomerID, &row.Balance, &row.Status, &row.Payload); err != nil {
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
// database/sql loop, in turns of 100, both with a context that can end. ratio is
// the throughput of the session by that of the bare loop.
func BenchmarkLookup(b *testing.B) {
	target, table := loadedTarget(b, benchRows)
	endable, cancel := context.WithCancel(b.Context())
	defer cancel()
	endless := context.WithoutCancel(endable)
	for _, tc := range []struct {
		name     string
		ctx, ref context.Context
	}{{"against bare without context", endable, endless}, {"against bare with context", endable, endable}, {"both without context", endless, endless}} {
		b.Run(tc.name, func(b *testing.B) {
			ours, bare := sessionLookup(b, tc.ctx, target, table), bareLookup(b, tc.ref, target.path)
			var took [2]time.Duration
			random := core.NewRand(1, 2, 3)
			b.ReportAllocs()
			b.ResetTimer()
			for done := 0; done < b.N; done += 100 {
				for turn := range 2 {
					lookup := []func(int64){ours, bare}[(turn+done/100)%2]
					start := time.Now()
					for range min(100, b.N-done) {
						lookup(random.Int64n(benchRows))
					}
					took[(turn+done/100)%2] += time.Since(start)
				}
			}
			b.ReportMetric(float64(took[0].Nanoseconds())/float64(b.N), "ns/session")
			b.ReportMetric(float64(took[1].Nanoseconds())/float64(b.N), "ns/bare")
			b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "ratio")
		})
	}
}

// BenchmarkLoad makes and loads a table of 100,000 rows.
func BenchmarkLoad(b *testing.B) {
	table := core.TemplateTable{Name: "BENCH_ROWS", Rows: benchRows}
	target := openTarget(b, filepath.Join(b.TempDir(), "target.db"))
	b.Cleanup(func() { _ = target.Close() })
	for b.Loop() {
		err := errors.Join(target.Drop(b.Context(), table), target.Create(b.Context(), table), target.Load(b.Context(), table, nil))
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(benchRows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// benchRun makes a store with a run as large as real ones.
func benchRun(b *testing.B) ports.Store {
	b.Helper()
	store := openStore(b, storeFile(b))
	b.Cleanup(func() { _ = store.Close() })
	scenario := core.Scenario{Name: "bench", Load: core.ScenarioLoad{Workers: 8, Connections: 32}}
	for _, kind := range core.Kinds() {
		text, parameters := core.DefaultStatement(kind)
		scenario.Operations = append(scenario.Operations, core.Operation{Kind: kind, Parameters: parameters, Statements: []core.Statement{{SQL: text}}})
	}
	if _, err := store.Create(b.Context(), core.NewRun("run-1", scenario.Plan()), scenario, ports.Home{}); err != nil {
		b.Fatal(err)
	}
	return store
}

func BenchmarkControl(b *testing.B) {
	store := benchRun(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := store.Control(b.Context(), "run-1", "worker-5"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBeat(b *testing.B) {
	store := benchRun(b)
	var histogram core.Histogram
	random := core.NewRand(1, 2, 3)
	for range 10_000 {
		histogram.Record(time.Duration(50_000 + random.Int64n(2_000_000)))
	}
	beat := core.Beat{Key: core.WorkerKey{RunID: "run-1", WorkerID: "worker-0", Epoch: 1}, State: core.WorkerRunning}
	for _, phase := range []core.Phase{core.Warmup, core.Measurement} {
		metrics := core.PhaseMetrics{Phase: phase}
		for _, kind := range core.Kinds() {
			metrics.Kinds = append(metrics.Kinds, core.KindMetrics{Kind: kind, Access: core.AccessRead, Service: histogram})
		}
		beat.Report.Phases = append(beat.Report.Phases, metrics)
	}
	b.ReportAllocs()
	for b.Loop() {
		beat.Count++
		if err := store.Beat(b.Context(), beat); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCommit(b *testing.B) {
	store := benchRun(b)
	record, err := store.Load(b.Context(), "run-1")
	if err != nil {
		b.Fatal(err)
	}
	version, run := record.Version, record.Run
	b.ReportAllocs()
	for b.Loop() {
		next, events, err := run.Fold(core.OwnerClaimed{At: record.Now, Owner: []string{"a", "b"}[version%2], Until: record.Now})
		if err != nil {
			b.Fatal(err)
		}
		if version, err = store.Commit(b.Context(), version, next, events, ports.Progress{}); err != nil {
			b.Fatal(err)
		}
		run = next
	}
}
