package core_test

import (
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

func TestParseSLO(t *testing.T) {
	for _, c := range []struct {
		text string
		slo  core.SLO
	}{
		{"p99 < 20ms", core.SLO{Text: "p99 < 20ms", Metric: "p99", Less: true, Bound: 0.02}},
		{" POINT_LOOKUP  p95<5ms ", core.SLO{Text: "POINT_LOOKUP p95<5ms", Kind: "POINT_LOOKUP", Metric: "p95", Less: true, Bound: 0.005}},
		{"p50 < 1s", core.SLO{Text: "p50 < 1s", Metric: "p50", Less: true, Bound: 1}},
		{"p90 < 500us", core.SLO{Text: "p90 < 500us", Metric: "p90", Less: true, Bound: 0.0005}},
		{"p99.9 < 1m30s", core.SLO{Text: "p99.9 < 1m30s", Metric: "p999", Less: true, Bound: 90}},
		{"p999 < 1s", core.SLO{Text: "p999 < 1s", Metric: "p999", Less: true, Bound: 1}},
		{"max < 1s", core.SLO{Text: "max < 1s", Metric: "max", Less: true, Bound: 1}},
		{"avg < 1s", core.SLO{Text: "avg < 1s", Metric: "avg", Less: true, Bound: 1}},
		{"error_rate < 50%", core.SLO{Text: "error_rate < 50%", Metric: "error_rate", Less: true, Bound: 0.5}},
		{"INSERT error_rate < 0.5 %", core.SLO{Text: "INSERT error_rate < 0.5 %", Kind: "INSERT", Metric: "error_rate", Less: true, Bound: 0.005}},
		{"qps > 900", core.SLO{Text: "qps > 900", Metric: "throughput", Bound: 900}},
		{"p99 < 20ms abort", core.SLO{Text: "p99 < 20ms abort", Metric: "p99", Less: true, Bound: 0.02, Abort: true}},
		{"throughput > 900 for  10s abort", core.SLO{Text: "throughput > 900 for 10s abort", Metric: "throughput", Bound: 900, Abort: true, For: core.Duration(10 * time.Second)}},
		{"throughput > 900", core.SLO{Text: "throughput > 900", Metric: "throughput", Bound: 900}},
		{"INSERT qps > 90", core.SLO{Text: "INSERT qps > 90", Kind: "INSERT", Metric: "throughput", Bound: 90}},
		{"p99 < 5ms  for 10s", core.SLO{Text: "p99 < 5ms for 10s", Metric: "p99", Less: true, Bound: 0.005, For: core.Duration(10 * time.Second)}},
		{"throughput > 0.5/s", core.SLO{Text: "throughput > 0.5/s", Metric: "throughput", Bound: 0.5}},
	} {
		t.Run(c.text, func(t *testing.T) {
			is := is.New(t)
			slo, err := core.ParseSLO(c.text)
			is.NoErr(err)
			is.Equal(slo, c.slo)
		})
	}
	const metrics = "allowed: p50, p90, p95, p99, p999, max, avg, error_rate, throughput"
	for _, c := range []struct{ text, problem string }{
		{"", "it has no < or >"},
		{"p99", "it has no < or >"},
		{"p99 = 5ms", "it has no < or >"},
		{"< 5ms", "before < or > stands a metric, or a kind and a metric"},
		{"A B p99 < 5ms", "before < or > stands a metric, or a kind and a metric"},
		{"p99 <= 5ms", "write < without ="},
		{"throughput >= 5", "write > without ="},
		{"p98 < 5ms", `"p98" is no metric; ` + metrics + "; did you mean p90?"},
		{"troughput > 5", `"troughput" is no metric; ` + metrics + "; did you mean throughput?"},
		{"p99 INSERT < 5ms", `"INSERT" is no metric; ` + metrics},
		{"p99 < 5", `the bound "5" is not a time above 0 with a unit, like 20ms`},
		{"p99 < ", `the bound "" is not a time above 0 with a unit, like 20ms`},
		{"p99 < 0s", `the bound "0s" is not a time above 0 with a unit, like 20ms`},
		{"p99 < -5ms", `the bound "-5ms" is not a time above 0 with a unit, like 20ms`},
		{"p99 < 5ms < 6ms", `the bound "5ms < 6ms" is not a time above 0 with a unit, like 20ms`},
		{"p99 < 5ms for 10 abort", `"10" after for is not a time above 0 with a unit, like 10s`},
		{"p99 < 5ms for 0s abort", `"0s" after for is not a time above 0 with a unit, like 10s`},
		{"p99 < for 5s abort", `the bound "" is not a time above 0 with a unit, like 20ms`},
		{"p99 < 5ms abort for 5s", `the bound "5ms abort" is not a time above 0 with a unit, like 20ms`},
		{"p99 > 5ms", "a latency needs <"},
		{"error_rate > 5%", "error_rate needs <"},
		{"error_rate < 0.1", `the bound "0.1" is not a percentage above 0% to 100%, like 0.1%`},
		{"error_rate < 101%", `the bound "101%" is not a percentage above 0% to 100%, like 0.1%`},
		{"error_rate < NaN%", `the bound "NaN%" is not a percentage above 0% to 100%, like 0.1%`},
		{"throughput < 5", "throughput needs >"},
		{"throughput > x", `the bound "x" is not a number of operations per second above 0, like 900`},
		{"throughput > Inf", `the bound "Inf" is not a number of operations per second above 0, like 900`},
		{"throughput > 0", `the bound "0" is not a number of operations per second above 0, like 900`},
	} {
		t.Run(c.text, func(t *testing.T) {
			is := is.New(t)
			_, err := core.ParseSLO(c.text)
			is.Equal(core.CodeOf(err), core.Invalid)
			is.Equal(err.Error(), `invalid: objective "`+c.text+`": `+c.problem)
		})
	}
}

func TestEvaluateSLOs(t *testing.T) {
	read := core.KindMetrics{Kind: "READ", Counts: core.Counts{OK: 100}}
	for i := range 100 {
		read.Service.Record(time.Duration(i+1) * time.Millisecond)
	}
	write := core.KindMetrics{Kind: "WRITE", Counts: core.Counts{OK: 1, Errors: 1}}
	write.Service.Record(time.Second)
	failed := core.KindMetrics{Kind: "FAILED", Counts: core.Counts{Errors: 8}}
	kinds := []core.KindMetrics{read, write, failed}
	for _, c := range []struct {
		text     string
		measured float64
		met      bool
	}{
		{"READ p50 < 51ms", 0.050, true},
		{"READ p50 < 49ms", 0.050, false},
		{"READ p90 < 91ms", 0.090, true},
		{"READ p95 < 96ms", 0.095, true},
		{"READ p99 < 98ms", 0.099, false},
		{"READ p99.9 < 101ms", 0.100, true},
		{"READ max < 100ms", 0.100, false}, // less, not equal
		{"READ max < 100001us", 0.100, true},
		{"READ avg < 51ms", 0.0505, true},
		{"max < 2s", 1, true},
		{"max < 500ms", 1, false},
		{"READ error_rate < 0.01%", 0, true},
		{"WRITE error_rate < 50%", 0.5, false},
		{"error_rate < 9%", 9.0 / 110, true},
		{"FAILED error_rate < 100%", 1, false},
		{"FAILED p99 < 1h", 0, false}, // nothing to measure
		{"NONE p99 < 1h", 0, false},
		{"NONE error_rate < 100%", 0, false},
		{"throughput > 899", 900, true},
		{"throughput > 900", 900, false},
		{"READ throughput > 891", 900 * 100.0 / 101, true},
		{"READ qps > 892", 900 * 100.0 / 101, false},
		{"WRITE throughput > 8", 900.0 / 101, true},
		{"FAILED throughput > 0.001", 0, false},
		{"NONE throughput > 0.001", 0, false},
	} {
		t.Run(c.text, func(t *testing.T) {
			is := is.New(t)
			slo, err := core.ParseSLO(c.text)
			is.NoErr(err)
			results := core.EvaluateSLOs([]core.SLO{slo, slo}, kinds, 900)
			is.Equal(len(results), 2)
			is.Equal(results[0].SLO, slo)
			is.Equal(results[0].Met, c.met)
			is.True(results[0].Measured > c.measured*0.99 && results[0].Measured < c.measured*1.01 || results[0].Measured == c.measured)
		})
	}
	t.Run("nothing at all", func(t *testing.T) {
		is := is.New(t)
		is.Equal(len(core.EvaluateSLOs(nil, kinds, 1)), 0)
		slo, err := core.ParseSLO("p99 < 1s")
		is.NoErr(err)
		is.Equal(core.EvaluateSLOs([]core.SLO{slo}, nil, 0)[0].Met, false)
		slo, err = core.ParseSLO("A qps > 1")
		is.NoErr(err)
		is.Equal(core.EvaluateSLOs([]core.SLO{slo}, nil, 5)[0].Met, false)
	})
}

// windowOf is one interval: ok operations that took latency, and errors.
func windowOf(ok int, latency time.Duration, errors uint64) []core.KindMetrics {
	k := core.KindMetrics{Kind: "A", Counts: core.Counts{Started: uint64(ok) + errors, OK: uint64(ok), Errors: errors}}
	for range ok {
		k.Service.Record(latency)
	}
	return []core.KindMetrics{k, {Kind: "B"}}
}

func TestSLOWatch(t *testing.T) {
	good, slow, silent := windowOf(100, time.Millisecond, 0), windowOf(100, time.Second, 0), windowOf(0, 0, 0)
	failing := windowOf(90, time.Millisecond, 10)
	for _, c := range []struct {
		name, slo string
		windows   [][]core.KindMetrics
		at        int // of the breach; -1: none
		breach    string
	}{
		{"met", "p99 < 20ms for 2s abort", [][]core.KindMetrics{good, good, good}, -1, ""},
		{"without a break", "p99 < 20ms for 2s abort", [][]core.KindMetrics{slow, good, slow, slow, slow}, 3,
			`the objective "p99 < 20ms for 2s abort" was missed for 2.0 s, at last with 1s`},
		{"a break", "p99 < 20ms for 2s abort", [][]core.KindMetrics{slow, good, slow, good}, -1, ""},
		{"silence is no break and no miss", "p99 < 20ms for 2s abort", [][]core.KindMetrics{slow, silent, silent, slow}, 3,
			`the objective "p99 < 20ms for 2s abort" was missed for 2.0 s, at last with 1s`},
		{"at once", "p99 < 20ms abort", [][]core.KindMetrics{good, slow}, 1, `the objective "p99 < 20ms abort" was missed for 1.0 s, at last with 1s`},
		{"silence is no throughput", "throughput > 50 for 2s abort", [][]core.KindMetrics{good, silent, silent}, 2,
			`the objective "throughput > 50 for 2s abort" was missed for 2.0 s, at last with 0.0 per second`},
		{"errors", "A error_rate < 1% abort", [][]core.KindMetrics{good, failing}, 1, `the objective "A error_rate < 1% abort" was missed for 1.0 s, at last with 10.0 %`},
		{"another kind", "B error_rate < 1% abort", [][]core.KindMetrics{failing}, -1, ""},
		{"no abort", "p99 < 20ms", [][]core.KindMetrics{slow, slow}, -1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			slo, err := core.ParseSLO(c.slo)
			is.NoErr(err)
			is.Equal(core.MayAbort([]core.SLO{slo}), slo.Abort)
			var w core.SLOWatch
			for i, window := range c.windows {
				var breach string
				before := w
				w, breach = w.Observe([]core.SLO{slo}, window, 1)
				_, again := before.Observe([]core.SLO{slo}, window, 1) // pure
				is.Equal(again, breach)
				if i == c.at {
					is.Equal(breach, c.breach)
					return
				}
				is.Equal(breach, "")
			}
			is.Equal(c.at, -1)
		})
	}
}

func TestContradictorySLOs(t *testing.T) {
	for _, c := range []struct {
		slos    []string
		message string
	}{
		{[]string{"throughput > 500"}, `slos[0] is "throughput > 500", but load.rate starts only 500 operations per second; allowed: a bound below that`},
		{[]string{"POINT_LOOKUP throughput > 300"}, `slos[0] is "POINT_LOOKUP throughput > 300", but load.rate starts only 500 operations per second, of which 299.95 are POINT_LOOKUP; allowed: a bound below that`},
		{[]string{"p99 < 5ms for 1h abort"}, `slos[0] is "p99 < 5ms for 1h abort", but the measurement lasts 10s, so that nothing could miss it; allowed: a time up to that`},
		{[]string{"p99 < 5ms for 1h"}, `slos[0] is "p99 < 5ms for 1h", but the measurement lasts 10s, so that nothing could miss it; allowed: a time up to that`},
		{[]string{"p99 < 5ms", "p99 < 9ms"}, `slos[1] is "p99 < 9ms", but slos[0] is "p99 < 5ms", which is about the same; leave one of them out`},
	} {
		template := paced()
		template.SLOs = c.slos
		wantProblem(is.New(t), template, c.message)
	}
	ramp := paced()
	ramp.Load.Ramp, ramp.SLOs = core.TemplateRamp{Shape: core.ShapeLinear, Over: core.Duration(10 * time.Second)}, []string{"throughput > 300"}
	wantProblem(is.New(t), ramp, `slos[0] is "throughput > 300", but load.rate with load.ramp starts only 250 operations per second on average; allowed: a bound below that`)
	closed := resolvable()
	closed.Load.ThinkTime, closed.SLOs = core.Duration(2*time.Second), []string{"throughput > 10"}
	closed.Load.Operations, closed.Load.Duration = 0, core.Duration(12*time.Second)
	wantProblem(is.New(t), closed, `slos[0] is "throughput > 10", but 12 connections with a load.think_time of 2s start fewer than 7 operations per second; allowed: a bound below that`)
	template := paced()
	template.SLOs = []string{"p99 < 5ms", "INSERT p99 < 9ms", "p99 < 50ms for 3s abort", "throughput > 499"}
	is.New(t).NoErr(template.Validate())
}
