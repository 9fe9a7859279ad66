//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// The templates that benchfleet runs, beside those of its library.
const readTemplate = `name: peers-reads
target: {kind: postgres, endpoint: peer}
table: {name: ` + readTable + `, rows: 100000}
load: {mode: CONCURRENCY, workers: 1, connections: 1, duration: 30s}
mix:
  - {kind: POINT_LOOKUP, weight: 100}
`

// The exit codes of benchfleet run that leave a result which counts, with its verdict:
// completed, an objective missed. What is INVALID is made again.
var runCodes = []int{0, 6}

// ourRun is one `benchfleet run` with one worker process.
type ourRun struct {
	template    string
	endpoint    string // file
	set         []string
	connections int
	rate        float64 // 0: a closed loop
	warmup      time.Duration
	duration    time.Duration
	seed        int
}

// document is what is read of the result that benchfleet prints.
type document struct {
	RunID   string `json:"run_id"`
	Status  string `json:"status"`
	Verdict struct {
		Level   string   `json:"level"`
		Reasons []string `json:"reasons"`
	} `json:"verdict"`
	Measured float64 `json:"measured_seconds"`
	Total    struct {
		Operations float64            `json:"operations"`
		OK         float64            `json:"ok"`
		Throughput float64            `json:"ops_per_second"`
		Latency    map[string]float64 `json:"latency"`
	} `json:"total"`
	Ledger core.Ledger `json:"ledger"`
	Warmup core.Counts `json:"warmup"`
}

// ours runs benchfleet and makes the sample of the run. A run whose operations
// failed, or that ended otherwise than its time, is an error.
func (b *bed) ours(ctx context.Context, run ourRun) (sample, error) {
	args := []string{
		"run", run.template, "--output", "json", "--endpoint", "peer=" + run.endpoint,
		"--connections", strconv.Itoa(run.connections), "--workers", "1", "--seed", strconv.Itoa(run.seed),
		"--warmup", run.warmup.String(), "--duration", run.duration.String(),
	}
	if run.rate > 0 {
		args = append(args, "--rate", strconv.FormatFloat(run.rate, 'g', -1, 64))
	}
	for _, set := range run.set {
		args = append(args, "--set", set)
	}
	e, err := b.client(ctx, runCodes, b.binary, args...)
	if err != nil {
		return sample{}, err
	}
	var d document
	if err := json.Unmarshal([]byte(e.out), &d); err != nil {
		return sample{}, fmt.Errorf("benchfleet run: %w: %s", err, lastLines(e.out))
	}
	if d.Status != string(core.Completed) || !d.Ledger.Balanced || d.Ledger.Errors+d.Ledger.Aborted+d.Ledger.Lost > 0 {
		return sample{}, fmt.Errorf("run %s: %s, %+v", d.RunID, d.Status, d.Ledger)
	}
	s := sample{Rate: d.Total.Throughput, Operations: float64(d.Ledger.OK), CPU: e.cpu, Served: e.served, Values: map[string]float64{}}
	for name := range quantiles {
		s.Values[name] = d.Total.Latency[name]
	}
	s.Values["max_ms"] = d.Total.Latency["max_ms"]
	if d.Verdict.Level != string(core.Valid) {
		b.say("  verdict %s: %q", d.Verdict.Level, d.Verdict.Reasons)
		s.Verdict, s.Reasons = d.Verdict.Level, d.Verdict.Reasons
	}
	if run.rate > 0 {
		s.Values["scheduled"] = float64(d.Ledger.Scheduled - d.Warmup.Scheduled)
		s.Values["started"] = d.Total.Operations
		s.Values["late"] = float64(d.Ledger.Late - d.Warmup.Late)
	}
	return s, nil
}

// prepareOurs makes the store and the tables that benchfleet runs on.
func (b *bed) prepareOurs(ctx context.Context) error {
	template := filepath.Join(b.scratch, "reads.yaml")
	if err := os.WriteFile(template, []byte(readTemplate), 0o644); err != nil {
		return err
	}
	b.endpoint = filepath.Join(b.scratch, "endpoint")
	if err := os.WriteFile(b.endpoint, []byte(b.server.dsn()), 0o600); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"schema", "apply"},
		{"template", "import", template, "tpcb"},
		{"prepare", "peers-reads", "--endpoint", "peer=" + b.endpoint},
		append([]string{"prepare", "tpcb", "--endpoint", "peer=" + b.endpoint}, setFlags(tpcbSet)...),
	} {
		if _, err := execute(ctx, b.scratch, nil, nil, b.binary, args...); err != nil {
			return err
		}
	}
	return nil
}

// tpcbSet makes the library's template one of this server and scale.
var tpcbSet = []string{
	"target.kind=postgres", "target.endpoint=peer", "table.name=" + tpcbTable, "table.rows=" + strconv.Itoa(tpcbScale*100_000),
}

func setFlags(set []string) (flags []string) {
	for _, s := range set {
		flags = append(flags, "--set", s)
	}
	return flags
}
