//go:build unix

package bench

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/runner"
)

const (
	pairLength  = 2 * time.Second
	connections = 4
)

// BenchmarkSQLiteLookups compares the throughput of a whole run, one worker
// process that chooses keys, measures, records and beats, with that of a bare
// database/sql loop: the same connections, prepared statement and data, in turn.
func BenchmarkSQLiteLookups(b *testing.B) {
	f := newFleet(b)
	s := lookups(b, 1, connections, pairLength)
	var ratios, worker, bare []float64
	for n := range b.N {
		for i := range *rounds {
			loop := bareLookups(b, f.target, s)
			run := f.measure(b, fmt.Sprintf("lookups-%d-%d-%d", b.N, n, i), s)
			worker, bare, ratios = append(worker, run), append(bare, loop), append(ratios, run/loop)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(quantile(worker, 0.5), "worker-op/s")
	b.ReportMetric(quantile(bare, 0.5), "bare-op/s")
	b.ReportMetric(quantile(ratios, 0.5), "ratio")
	b.Log("promised: ratio ≥ 0.95")
}

// measure is the throughput of one run.
func (f *fleet) measure(b *testing.B, id string, s core.Scenario) float64 {
	b.Helper()
	run := f.drive(b, id, s, func(runner.Observation, chan<- core.StopRequested) {})
	if run.Status != core.Completed {
		b.Fatalf("%s: %s %s", id, run.Status, run.Detail)
	}
	parent, _, err := f.ports.Results.Rollup(context.Background(), id)
	must(b, err)
	return parent.Throughput
}

// bareLookups is the throughput of the loop that one would write by hand. As of
// ours, its time begins when every connection is open and has its statement.
func bareLookups(b *testing.B, path string, s core.Scenario) float64 {
	b.Helper()
	ctx := context.Background()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(wal)")
	must(b, err)
	defer db.Close()
	query := core.ReplaceTables(s.Operations[0].Statements[0].SQL, func(string) string { return s.Table.Name })
	var statements [connections]*sql.Stmt
	for i := range connections {
		conn, err := db.Conn(ctx)
		must(b, err)
		defer conn.Close()
		statements[i], err = conn.PrepareContext(ctx, query)
		must(b, err)
		defer statements[i].Close()
	}
	var group sync.WaitGroup
	var counts [connections]uint64
	var failed [connections]error
	start := time.Now()
	for i, statement := range statements {
		group.Go(func() { counts[i], failed[i] = bareLoop(ctx, statement, uint64(i), start.Add(pairLength)) })
	}
	group.Wait()
	seconds := time.Since(start).Seconds()
	total := uint64(0)
	for i := range connections {
		must(b, failed[i])
		total += counts[i]
	}
	return float64(total) / seconds
}

func bareLoop(ctx context.Context, statement *sql.Stmt, seed uint64, until time.Time) (count uint64, err error) {
	random := core.NewRand(1, seed, 0)
	for time.Now().Before(until) {
		var row core.Row
		if err := statement.QueryRowContext(ctx, random.Int64n(tableRows)).Scan(&row.ID, &row.CustomerID, &row.Balance, &row.Status, &row.Payload); err != nil {
			return count, err
		}
		count++
	}
	return count, nil
}
