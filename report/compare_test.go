package report_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/report"
)

// courseOf is a run of 40 s of about n operations in each, that take about as long
// as said.
func courseOf(id, name string, n int, latency time.Duration) (core.Rollup, *report.Series) {
	r := *completed().Parent
	s := scenario()
	s.Name = name
	r.RunID, r.Name, r.Scenario, r.Seconds, r.Throughput = id, name, &s, 40, float64(n)
	r.Kinds = nil
	var rows []ports.RunInterval
	for i := range 45 {
		phase := core.Measurement
		if i < 5 {
			phase = core.Warmup
		}
		ok := n + (i*i*7)%11 - 5
		k := []core.KindMetrics{kind("POINT_LOOKUP", "READ", ok, latency), kind("UPDATE", "WRITE", 20, 3*latency)}
		if phase == core.Measurement {
			r.Kinds = core.MergeKinds(r.Kinds, k)
		}
		rows = append(rows, ports.RunInterval{RunID: id, Phase: phase, Offset: float64(i + 1), Start: at(float64(i)), Seconds: 1, Kinds: k})
	}
	total := core.Total(r.Kinds)
	r.Throughput = float64(total.OK) / r.Seconds
	series := &report.Series{}
	series.Add(rows)
	return r, series
}

// comparison is of three runs: B is slower than A, and C is like A, but stopped.
func comparison() report.Comparison {
	a, as := courseOf("01JA", "oltp", 400, time.Millisecond)
	b, bs := courseOf("01JB", "oltp\x1b[2J <script>alert(1)</script>", 320, 1250*time.Microsecond)
	c, cs := courseOf("01JC", "oltp", 401, time.Millisecond)
	b.Scenario.Load.Connections = 24
	c.Status, c.Verdict = core.Cancelled, core.Verdict{Level: core.Degraded, Reasons: []string{"the run is CANCELLED"}}
	out, err := report.Compare([]core.Rollup{a, b, c}, []*report.Series{as, bs, cs})
	if err != nil {
		panic(err)
	}
	out.Made = "made 2026-03-04 15:16:00Z by benchfleet test"
	return out
}

func TestCompareViews(t *testing.T) {
	c := comparison()
	for name, write := range map[string]func(io.Writer) error{
		"comparison.txt":    func(w io.Writer) error { return report.CompareText(w, c) },
		"comparison_80.txt": func(w io.Writer) error { return report.CompareText(w, c, report.Width(80)) },
		"comparison.json":   func(w io.Writer) error { return report.CompareJSON(w, c) },
		"comparison.md":     func(w io.Writer) error { return report.CompareMarkdown(w, c) },
	} {
		t.Run(name, func(t *testing.T) {
			golden(t, name, write)
			is := is.New(t)
			is.True(write(broken{}) != nil)
		})
	}
}

func TestCompareHTML(t *testing.T) {
	is := is.New(t)
	var out bytes.Buffer
	is.NoErr(report.CompareHTML(&out, comparison()))
	text := out.String()
	_, body, _ := strings.Cut(text, "</style>")
	checkNesting(t, body)
	for _, want := range []string{"B beside A", "C beside A", "no difference seen", "lower, worse", "connections", "the verdict on run 01JC is DEGRADED",
		"Throughput", "Latency p99", "Latency at each percentile", "A oltp"} {
		if !strings.Contains(body, want) {
			t.Errorf("it does not show %q", want)
		}
	}
	ids := map[string]bool{}
	for _, m := range identifier.FindAllStringSubmatch(body, -1) {
		is.True(!ids[m[1]])
		ids[m[1]] = true
	}
	is.True(!strings.Contains(body, "<script") && !strings.Contains(body, "\x1b"))
	is.True(report.CompareHTML(broken{}, comparison()) != nil)
}

// TestCompareOfStrangers: runs of which nothing is known but that they are, can be
// compared: nothing can be told.
func TestCompareOfStrangers(t *testing.T) {
	is := is.New(t)
	c, err := report.Compare([]core.Rollup{{RunID: "a", Status: core.Failed}, {RunID: "b", Status: core.Failed}}, []*report.Series{{}, {}})
	is.NoErr(err)
	for _, write := range []func(io.Writer) error{
		func(w io.Writer) error { return report.CompareText(w, c) },
		func(w io.Writer) error { return report.CompareJSON(w, c) },
		func(w io.Writer) error { return report.CompareHTML(w, c) },
	} {
		var out bytes.Buffer
		is.NoErr(write(&out))
		is.True(!strings.Contains(out.String(), "NaN") && !strings.Contains(out.String(), "Inf"))
		is.True(strings.Contains(out.String(), "nothing was measured"))
	}
	_, err = report.Compare([]core.Rollup{{RunID: "a"}}, []*report.Series{{}})
	is.Equal(core.CodeOf(err), core.Invalid)
}
