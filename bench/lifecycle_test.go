//go:build unix

package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
	"github.com/benchfleet/benchfleet/worker"
)

// BenchmarkStop measures what a stop promises: from the request to the last new
// operation, and to everything gone, for 3 workers with 4 connections each that
// make point lookups of some microseconds.
func BenchmarkStop(b *testing.B) {
	f := newFleet(b)
	s := lookups(b, 3, 4, time.Minute)
	var last, gone []time.Duration
	for n := range b.N {
		for i := range *stops {
			c := f.stopOnce(b, fmt.Sprintf("stop-%d-%d-%d", b.N, n, i), s)
			last = append(last, c.Stages.LastNewOperation.Std())
			gone = append(gone, c.Stages.WorkersGone.Std())
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ms(quantile(last, 0.5)), "last-op-p50-ms")
	b.ReportMetric(ms(quantile(last, 0.99)), "last-op-p99-ms")
	b.ReportMetric(ms(quantile(gone, 0.5)), "gone-p50-ms")
	b.ReportMetric(ms(quantile(gone, 0.99)), "gone-p99-ms")
	b.ReportMetric(float64(len(last)), "stops")
	b.Logf("promised: last new operation p99 ≤ %s (control poll + 50 ms), everything gone p99 ≤ 500ms", s.Limits.ControlPoll.Std()+50*time.Millisecond)
}

// stopOnce runs, stops after 300 ms of load, and returns the certificate.
func (f *fleet) stopOnce(b *testing.B, id string, s core.Scenario) core.Certificate {
	b.Helper()
	asked := false
	run := f.drive(b, id, s, func(o runner.Observation, stop chan<- core.StopRequested) {
		if !asked && o.Run.Status == core.Running && o.Now.Sub(o.Run.Origin) > 300*time.Millisecond {
			asked = true
			stop <- core.StopRequested{Reason: core.UserRequested, By: "bench"}
		}
	})
	c := run.Certificate()
	if run.Status != core.Cancelled || !c.Clean || c.Stages.LastNewOperation == nil || c.Stages.WorkersGone == nil {
		b.Fatalf("%s: %s %s %+v", id, run.Status, run.Detail, c)
	}
	return c
}

// BenchmarkStart measures the time from the start of the command run, its
// preflight checks included, to the first measured operation, for 8 workers and
// no warm-up. The peer is eight bare starts of the same binary, one after another.
func BenchmarkStart(b *testing.B) {
	f := newFleet(b)
	everything := 100.0
	template := lookupTemplate(8, 1, 300*time.Millisecond)
	template.Load.Sampling = &everything
	_, err := f.store.Templates().Put(context.Background(), template)
	must(b, err)
	var first, bare []time.Duration
	for range b.N {
		for range *starts {
			begin := time.Now()
			for range 8 {
				must(b, exec.Command(f.binary, "version").Run())
			}
			bare = append(bare, time.Since(begin))
			first = append(first, f.startOnce(b))
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ms(quantile(first, 0.5)), "first-op-ms")
	b.ReportMetric(ms(quantile(bare, 0.5)), "8-bare-starts-ms")
	b.ReportMetric(float64(quantile(first, 0.5))/float64(quantile(bare, 0.5)), "ratio")
	b.Log("promised: ratio ≤ 3")
}

// startOnce is the time from the start of the command to the first measured
// operation, as the stored executions tell it.
func (f *fleet) startOnce(b *testing.B) time.Duration {
	b.Helper()
	ctx := context.Background()
	run := exec.Command(f.binary, "--dir", f.dir, "run", "bench")
	run.Env = append(os.Environ(), worker.EndpointVariable("local")+"="+f.target)
	begin := time.Now()
	output, err := run.CombinedOutput()
	if err != nil {
		b.Fatalf("%v\n%s", err, output)
	}
	runs, err := f.store.List(ctx, ports.RunFilter{Limit: 1})
	must(b, err)
	executions, err := f.store.Executions(ctx, runs[0].ID, "", 1)
	must(b, err)
	return executions[0].Start.Sub(begin)
}
