//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// pgbenchRun is one call of pgbench: always prepared statements, no vacuum of its
// own.
type pgbenchRun struct {
	dsn         string
	script      string // of its own, or "" for the built-in TPC-B-like
	connections int
	wide        bool // a thread for each processor, as far as there are connections; else one
	duration    time.Duration
	rate        float64 // -R; 0: as fast as it can
	latencies   bool    // keep each latency
	seed        int
}

// callPgbench calls it.
func (b *bed) callPgbench(ctx context.Context, run pgbenchRun) (ended, error) {
	args := []string{
		"--no-vacuum", "--protocol=prepared", "--client=" + strconv.Itoa(run.connections),
		"--time=" + strconv.Itoa(max(1, int(run.duration.Seconds()))), "--random-seed=" + strconv.Itoa(run.seed),
	}
	if run.wide {
		args = append(args, "--jobs="+strconv.Itoa(min(run.connections, b.processors)))
	}
	if run.script != "" {
		args = append(args, "--file="+run.script)
	}
	if run.rate > 0 {
		args = append(args, "--rate="+strconv.FormatFloat(run.rate, 'g', -1, 64))
	}
	if run.latencies {
		args = append(args, "--log", "--log-prefix="+b.pgbenchLog())
	}
	return b.client(ctx, nil, filepath.Join(b.server.cluster.Binaries, "pgbench"), append(args, run.dsn)...)
}

// pgbenchLog is how the names of the logs of single transactions begin.
func (b *bed) pgbenchLog() string { return filepath.Join(b.scratch, "pgbench-log") }

// pgbench makes the sample of a call. Its time is not begun by a warm-up: the caller
// makes one by a call that is not measured.
func (b *bed) pgbench(ctx context.Context, run pgbenchRun) (s sample, err error) {
	if run.latencies { // those of a call before it, which may have failed
		if err := removeAll(b.pgbenchLog() + ".*"); err != nil {
			return s, err
		}
	}
	e, err := b.callPgbench(ctx, run)
	if err != nil {
		return s, err
	}
	if s, err = readPgbench(e.out); err != nil {
		return s, err
	}
	s.CPU, s.Served = e.cpu, e.served
	if run.latencies {
		err = addLatencies(b.pgbenchLog(), &s)
	}
	return s, err
}

var (
	pgbenchCount  = regexp.MustCompile(`(?m)^number of transactions actually processed: (\d+)`)
	pgbenchFailed = regexp.MustCompile(`(?m)^number of failed transactions: (\d+)`)
	pgbenchRate   = regexp.MustCompile(`(?m)^tps = ([\d.]+) \(without initial connection time\)`)
)

// readPgbench reads pgbench's own report. Transactions that failed are an error:
// nothing here may fail.
func readPgbench(out string) (s sample, err error) {
	for _, field := range []struct {
		pattern *regexp.Regexp
		into    *float64
	}{{pgbenchCount, &s.Operations}, {pgbenchRate, &s.Rate}} {
		found := field.pattern.FindStringSubmatch(out)
		if found == nil {
			return s, fmt.Errorf("pgbench says nothing like %q: %s", field.pattern, out)
		}
		if *field.into, err = strconv.ParseFloat(found[1], 64); err != nil {
			return s, err
		}
	}
	if found := pgbenchFailed.FindStringSubmatch(out); found != nil && found[1] != "0" {
		return s, fmt.Errorf("%s transactions of pgbench failed", found[1])
	}
	return s, nil
}

// addLatencies reads the logs of single transactions. Their time counts from when a
// transaction was due, where there is a rate.
func addLatencies(prefix string, s *sample) error {
	files, err := filepath.Glob(prefix + ".*")
	if err != nil {
		return err
	}
	var all []float64
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			if len(fields) < 6 {
				return fmt.Errorf("%s: a line of %d fields", file, len(fields))
			}
			micros, err := strconv.ParseFloat(fields[2], 64)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			all = append(all, micros/1e3)
		}
	}
	if len(all) == 0 {
		return fmt.Errorf("pgbench has logged no transaction in %s", prefix)
	}
	slices.Sort(all)
	s.Values = map[string]float64{"max_ms": all[len(all)-1]}
	for name, q := range quantiles {
		s.Values[name] = all[min(len(all)-1, int(q*float64(len(all))))]
	}
	return nil
}

// quantiles are those that latencies are told by.
var quantiles = map[string]float64{"p50_ms": 0.5, "p90_ms": 0.9, "p95_ms": 0.95, "p99_ms": 0.99, "p999_ms": 0.999}

func removeAll(pattern string) error {
	files, err := filepath.Glob(pattern)
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	return nil
}
