package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// csvColumns are the columns of CSV; columns are added, never renamed or removed.
var csvColumns = []string{
	"scope", "run_id", "name", "phase", "start", "elapsed_seconds", "seconds",
	"operations", "ok", "errors", "aborted", "lost", "ops_per_second",
	"min_ms", "avg_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "p999_ms", "max_ms",
	"connections", "target_connections", "coverage_percent", "cpu_percent", "memory_percent", "workers_healthy", "workers_stale", "workers_lost",
}

// csvRow is one row by column; what it lacks stays empty.
type csvRow map[string]string

// CSV writes everything that was counted in a run as one table, as RFC 4180 has
// it. The column scope says what a row is of: STEP is of one step of a search, named
// by its number and outcome; RUN and KIND, STATEMENT (of a
// transaction, named KIND/part) and WORKER are of the measurement, INTERVAL is all
// that ended in one interval, whatever its phase. HARNESS is of the null operations of
// the run, named RUN/part, and of each worker. Empty is what is not known. Text
// that a spreadsheet would take for a formula is written behind an apostrophe.
func CSV(w io.Writer, r Result) error {
	out := csv.NewWriter(w)
	if err := out.Write(csvColumns); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	v := r.view()
	for row := range csvRows(r) {
		row["run_id"] = csvText(v.id)
		record := make([]string, len(csvColumns))
		for i, name := range csvColumns {
			record[i] = row[name]
		}
		if err := out.Write(record); err != nil {
			return fmt.Errorf("write CSV: %w", err)
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}

func csvRows(r Result) func(yield func(csvRow) bool) {
	return func(yield func(csvRow) bool) {
		if p := r.Parent; p != nil {
			for row := range csvSteps(p.Search) {
				if !yield(row) {
					return
				}
			}
			total := core.Total(p.Kinds)
			if !yield(csvOf("RUN", p.Name, p, kindDocument(&total, p.Throughput))) {
				return
			}
			for i := range p.Kinds {
				k := &p.Kinds[i]
				row := csvOf("KIND", k.Kind, p, kindDocument(k, core.ThroughputOf(p.Throughput, k, &total)))
				delete(row, "connections")
				delete(row, "coverage_percent")
				if !yield(row) {
					return
				}
				for j := range k.Statements {
					s := &k.Statements[j]
					row := csvRow{"scope": "STATEMENT", "name": csvText(k.Kind + "/" + s.Name), "phase": string(core.Measurement), "ok": strconv.FormatUint(s.Service.Count(), 10)}
					row.latency(latencyDocument(&s.Service))
					if !yield(row) {
						return
					}
				}
			}
		}
		for i := range r.Children {
			c := &r.Children[i]
			total := core.Total(c.Kinds)
			if !yield(csvOf("WORKER", c.WorkerID, c, kindDocument(&total, c.Throughput))) {
				return
			}
		}
		for _, p := range r.Points {
			if !yield(csvOfPoint(p)) {
				return
			}
		}
		if r.Parent != nil {
			for _, row := range csvOfHarness("RUN", r.Parent) {
				if !yield(row) {
					return
				}
			}
		}
		for i := range r.Children {
			for _, row := range csvOfHarness(r.Children[i].WorkerID, &r.Children[i]) {
				if !yield(row) {
					return
				}
			}
		}
	}
}

// csvOf is a row of the measurement.
func csvOf(scope, name string, r *core.Rollup, k KindDocument) csvRow {
	row := csvRow{
		"scope": scope, "name": csvText(name), "phase": string(core.Measurement), "seconds": csvNumber(r.Seconds),
		"lost": strconv.FormatUint(k.Lost, 10), "connections": strconv.Itoa(r.Connections), "coverage_percent": csvNumber(100 * r.Coverage),
	}
	row.counts(k.Operations, k.OK, k.Errors, k.Aborted, k.Throughput)
	row.latency(k.Latency)
	return row
}

func csvOfPoint(p Point) csvRow {
	row := csvRow{
		"scope": "INTERVAL", "phase": csvText(string(p.Phase)), "elapsed_seconds": csvNumber(p.Elapsed), "seconds": csvNumber(p.Seconds),
		"connections": strconv.Itoa(p.Connections), "target_connections": strconv.Itoa(p.Target),
		"cpu_percent": csvNumber(p.CPU), "memory_percent": csvNumber(p.Memory),
		"workers_healthy": strconv.Itoa(p.Healthy), "workers_stale": strconv.Itoa(p.Stale), "workers_lost": strconv.Itoa(p.Lost),
	}
	if !p.Start.IsZero() {
		row["start"] = p.Start.UTC().Format(time.RFC3339Nano)
	}
	row.counts(p.Operations, p.OK, p.Errors, p.Aborted, p.Throughput)
	if p.OK > 0 {
		for name, value := range map[string]float64{"avg_ms": p.Avg, "p50_ms": p.P50, "p95_ms": p.P95, "p99_ms": p.P99, "max_ms": p.Max} {
			row[name] = csvNumber(value)
		}
	}
	return row
}

func (row csvRow) counts(operations, ok, errors, aborted uint64, throughput float64) {
	row["operations"], row["ok"] = strconv.FormatUint(operations, 10), strconv.FormatUint(ok, 10)
	row["errors"], row["aborted"] = strconv.FormatUint(errors, 10), strconv.FormatUint(aborted, 10)
	row["ops_per_second"] = csvNumber(throughput)
}

func (row csvRow) latency(l *LatencyDocument) {
	if l == nil {
		return
	}
	for name, value := range map[string]float64{
		"min_ms": l.Min, "avg_ms": l.Avg, "p50_ms": l.P50, "p90_ms": l.P90, "p95_ms": l.P95, "p99_ms": l.P99, "p999_ms": l.P999, "max_ms": l.Max,
	} {
		row[name] = csvNumber(value)
	}
}

func csvNumber(v float64) string { return strconv.FormatFloat(v, 'g', 10, 64) }

// csvText is clean text that no spreadsheet takes for a formula.
func csvText(s string) string {
	s = Clean(s)
	if s != "" && strings.ContainsRune("=+-@", rune(s[0])) {
		return "'" + s
	}
	return s
}

// csvSteps are the steps of a search; nil has none.
func csvSteps(s *core.SearchResult) func(yield func(csvRow) bool) {
	return func(yield func(csvRow) bool) {
		if s == nil {
			return
		}
		for i := range s.Steps {
			c := &s.Steps[i]
			row := csvRow{
				"scope": "STEP", "name": csvText(fmt.Sprintf("%d %s", c.Number, c.Outcome)), "phase": string(core.Measurement),
				"ok": strconv.FormatInt(c.Operations, 10), "errors": strconv.FormatInt(c.Errors, 10), "ops_per_second": csvNumber(c.QPS),
				"p50_ms": csvNumber(inMilliseconds(c.P50)), "p95_ms": csvNumber(inMilliseconds(c.P95)), "p99_ms": csvNumber(inMilliseconds(c.P99)),
				"target_connections": strconv.Itoa(c.ToConnections),
			}
			if !c.Start.IsZero() {
				row["start"], row["seconds"] = c.Start.UTC().Format(time.RFC3339Nano), csvNumber(c.End.Sub(c.Start).Seconds())
			}
			if !yield(row) {
				return
			}
		}
	}
}
