//go:build unix

package main

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// The simulations: benchmarks of this repository that need no peer.
const (
	sideHour  = "hour"
	sideFleet = "fleet"
)

// parts runs the simulations, each once.
func (b *bed) parts() comparison {
	return comparison{id: "simulated", rounds: 1, each: 2 * time.Minute, sides: []side{
		{sideHour, func(ctx context.Context, b *bed, _ int) (sample, error) {
			return b.goBench(ctx, "./worker", "BenchmarkSimulatedHour", false)
		}},
		{sideFleet, func(ctx context.Context, b *bed, _ int) (sample, error) {
			return b.goBench(ctx, "./bench", "BenchmarkThousandWorkers", true)
		}},
	}}
}

// goBench builds and runs one benchmark, on one processor or on all, and takes its
// metrics as values.
func (b *bed) goBench(ctx context.Context, folder, name string, bound bool) (sample, error) {
	binary := b.scratch + "/part.test"
	if _, err := execute(ctx, b.repository, nil, nil, "go", "test", "-c", "-o", binary, folder); err != nil {
		return sample{}, err
	}
	args := []string{binary, "-test.run=^$", "-test.bench=^" + name + "$", "-test.benchtime=1x", "-test.timeout=30m"}
	var env []string
	if bound {
		taskset, err := exec.LookPath("taskset")
		if err != nil {
			return sample{}, fmt.Errorf("%s is promised on one processor, and nothing here binds it to one: %w", name, err)
		}
		args, env = append([]string{taskset, "-c", "0"}, args...), []string{"GOMAXPROCS=1"}
	}
	e, err := execute(ctx, b.repository+"/"+folder, env, nil, args[0], args[1:]...)
	if err != nil {
		return sample{}, err
	}
	values, err := benchValues(e.out)
	return sample{CPU: e.cpu, Values: values}, err
}

// benchValues reads the metrics of the lines that a Go benchmark prints:
// BenchmarkName/case-2  1  5.2 unit  7 other. A case's name comes before its units'.
func benchValues(out string) (map[string]float64, error) {
	values := map[string]float64{}
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		_, prefix, found := strings.Cut(fields[0], "/")
		if found {
			if dash := strings.LastIndexByte(prefix, '-'); dash > 0 {
				prefix = prefix[:dash]
			}
			prefix += " "
		}
		for i := 2; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", line, err)
			}
			values[prefix+fields[i+1]] = value
		}
	}
	if len(values) == 0 {
		return nil, fmt.Errorf("no benchmark has run: %s", lastLines(out))
	}
	return values, nil
}
