//go:build unix

package bench

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/worker"
)

// BenchmarkRecord compares recording one operation, clocks excluded, with one
// record into a bare histogram.
func BenchmarkRecord(b *testing.B) {
	const count = 2_000_000
	durations := make([]time.Duration, 1024)
	random := core.NewRand(1, 2, 3)
	for i := range durations {
		durations[i] = time.Duration(50_000 + random.Int64n(100_000))
	}
	var ratios, operation, bare []float64
	recorder := worker.NewRecorder(4)
	var histogram core.Histogram
	for range b.N {
		for range *rounds {
			start := time.Now()
			for i := range count {
				histogram.Record(durations[i&1023])
			}
			h := float64(time.Since(start)) / count
			start = time.Now()
			for i := range count {
				recorder.Record(i&3, time.Duration(i+1), time.Duration(i+1)+durations[i&1023])
			}
			r := float64(time.Since(start)) / count
			operation, bare, ratios = append(operation, r), append(bare, h), append(ratios, r/h)
		}
	}
	allocations := testing.AllocsPerRun(1000, func() { recorder.Record(1, 5, 5+durations[7]) })
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(quantile(operation, 0.5), "operation-ns")
	b.ReportMetric(quantile(bare, 0.5), "histogram-ns")
	b.ReportMetric(quantile(ratios, 0.5), "ratio")
	b.ReportMetric(allocations, "allocs")
	b.Log("promised: ratio ≤ 5, 0 allocations")
}

// BenchmarkWorkerLoop compares the whole loop of one connection on the memory
// target, a map look-up, with a bare loop of two clock reads and that look-up.
func BenchmarkWorkerLoop(b *testing.B) {
	const count = 1_000_000
	ctx := context.Background()
	target := memory.NewTarget(memory.TargetOptions{})
	must(b, target.Create(ctx, table()))
	must(b, target.Load(ctx, table(), func(int64) {}))
	s, err := core.Template{
		Name: "loop", Target: core.TemplateTarget{Kind: "memory"}, Table: table(),
		Load: core.TemplateLoad{Workers: 1, Connections: 1, Operations: count},
		Mix:  []core.TemplateOp{{Kind: core.PointLookup, Weight: 100}},
	}.Resolve(core.Resolution{Launcher: "memory", StartTimeout: time.Minute})
	must(b, err)
	session, err := target.Open(ctx, ports.SessionOptions{Table: s.Table, Statements: s.Statements()})
	must(b, err)
	defer session.Close()
	var ratios, whole, bare []float64
	for range b.N {
		for range *rounds {
			start := time.Now()
			must(b, bareLookupsInMemory(ctx, session, count))
			l := float64(time.Since(start)) / count
			report, err := worker.Drive(ctx, s, target)
			must(b, err)
			p := report.PhaseOf(core.Measurement)
			w := p.Seconds * 1e9 / float64(core.Total(p.Kinds).OK)
			whole, bare, ratios = append(whole, w), append(bare, l), append(ratios, w/l)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(quantile(whole, 0.5), "worker-ns")
	b.ReportMetric(quantile(bare, 0.5), "bare-ns")
	b.ReportMetric(quantile(ratios, 0.5), "ratio")
	b.Log("promised: ratio ≤ 4")
}

// BenchmarkNullLane compares the whole loop of one connection with the null lane
// beside it and without, in turn, on the memory target: a lane has its part of a
// processor, so the ratio is what it takes from one. Then it tells what the lane
// measures: the harness's own time for an operation, and of a process that idles
// otherwise, the processor time of the lane.
func BenchmarkNullLane(b *testing.B) {
	const count = 2_000_000
	ctx := context.Background()
	target := memory.NewTarget(memory.TargetOptions{})
	must(b, target.Create(ctx, table()))
	must(b, target.Load(ctx, table(), func(int64) {}))
	drive := func(load core.TemplateLoad, lane bool) core.Report {
		load.Workers, load.Connections, load.NullLane = 1, 1, &lane
		s, err := core.Template{
			Name: "loop", Target: core.TemplateTarget{Kind: "memory"}, Table: table(), Load: load,
			Mix: []core.TemplateOp{{Kind: core.PointLookup, Weight: 100}},
		}.Resolve(core.Resolution{Launcher: "memory", StartTimeout: time.Minute})
		must(b, err)
		report, err := worker.Drive(ctx, s, target)
		must(b, err)
		return report
	}
	perOperation := func(lane bool) float64 {
		report := drive(core.TemplateLoad{Operations: count}, lane)
		p := report.PhaseOf(core.Measurement)
		return p.Seconds * 1e9 / float64(core.Total(p.Kinds).OK)
	}
	var with, without, ratios []float64
	for range b.N {
		for range *rounds {
			on, off := perOperation(true), perOperation(false)
			with, without, ratios = append(with, on), append(without, off), append(ratios, on/off)
		}
	}
	idle := core.TemplateLoad{Duration: core.Duration(5 * time.Second), ThinkTime: core.Duration(100 * time.Millisecond)}
	used := func(lane bool) (percent float64, o *core.Overhead) {
		before := processorTime(b)
		o = drive(idle, lane).Overhead
		return 100 * (processorTime(b) - before).Seconds() / idle.Duration.Std().Seconds(), o
	}
	base, _ := used(false)
	whole, o := used(true)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(quantile(with, 0.5), "with-ns")
	b.ReportMetric(quantile(without, 0.5), "without-ns")
	b.ReportMetric(quantile(ratios, 0.5), "ratio")
	b.ReportMetric(float64(o.Service.Quantile(0.5)), "harness-ns")
	b.ReportMetric(whole-base, "cpu-%")
	b.Log("promised: ratio ≤ 1.01; about 0.1 % of a processor, on a quiet host")
}

// processorTime is what this process has used so far.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func bareLookupsInMemory(ctx context.Context, session ports.Session, count int) error {
	random := core.NewRand(1, 2, 3)
	args := make([]any, 1)
	var total time.Duration
	for range count {
		args[0] = random.Int64n(tableRows)
		start := time.Now()
		if _, err := session.Exec(ctx, 0, args); err != nil {
			return err
		}
		total += time.Since(start)
	}
	return nil
}

// BenchmarkOpenLoop measures what an open loop costs for each operation beyond a
// closed one, on the memory target: all arrivals are due at once, so nothing is
// waited for. Then, at a rate that it can keep, how much of the schedule was
// started, and how late.
func BenchmarkOpenLoop(b *testing.B) {
	const count = 500_000
	ctx := context.Background()
	target := memory.NewTarget(memory.TargetOptions{})
	must(b, target.Create(ctx, table()))
	must(b, target.Load(ctx, table(), func(int64) {}))
	drive := func(load core.TemplateLoad) (total core.KindMetrics, perOperation float64) {
		load.Workers = 1
		s, err := core.Template{
			Name: "loop", Target: core.TemplateTarget{Kind: "memory"}, Table: table(), Load: load,
			Mix: []core.TemplateOp{{Kind: core.PointLookup, Weight: 100}},
		}.Resolve(core.Resolution{Launcher: "memory", StartTimeout: time.Minute})
		must(b, err)
		if load.Rate != 0 && load.Operations > 0 {
			s.Load.Rate = 1e12 // more than Resolve allows: all are due at once
		}
		report, err := worker.Drive(ctx, s, target)
		must(b, err)
		p := report.PhaseOf(core.Measurement)
		total = core.Total(p.Kinds)
		if total.Scheduled != total.Started+total.Skipped+total.Unserved {
			b.Fatalf("%+v", total.Counts)
		}
		return total, p.Seconds * 1e9 / float64(total.OK)
	}
	var extra, open, closed, started, late, p50 []float64
	for range b.N {
		for range *rounds {
			_, c := drive(core.TemplateLoad{Connections: 1, Operations: count})
			_, o := drive(core.TemplateLoad{Connections: 1, Operations: count, Mode: core.ModeQPS, Rate: 1e6, CatchUp: true})
			open, closed, extra = append(open, o), append(closed, c), append(extra, o-c)
			paced, _ := drive(core.TemplateLoad{Connections: 8, Duration: core.Duration(time.Second), Mode: core.ModeQPS, Rate: 2000, CatchUp: true})
			started = append(started, 100*float64(paced.Started)/float64(paced.Scheduled))
			late = append(late, 100*float64(paced.Late)/float64(paced.Started))
			p50 = append(p50, float64(paced.Response.Quantile(0.5)-paced.Service.Quantile(0.5))/1e3)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(quantile(open, 0.5), "open-ns")
	b.ReportMetric(quantile(closed, 0.5), "closed-ns")
	b.ReportMetric(quantile(extra, 0.5), "extra-ns")
	b.ReportMetric(quantile(started, 0.5), "started-%")
	b.ReportMetric(quantile(late, 0.5), "late-%")
	b.ReportMetric(quantile(p50, 0.5), "p50-lag-µs")
	b.Log("promised: extra ≤ 500 ns, started ≥ 99.9 %")
}
