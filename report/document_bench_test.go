package report_test

import (
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/report"
)

// hour is a run of one hour and 20 workers.
func hour() ([]ports.RunInterval, report.Result) {
	small := kind("POINT_LOOKUP", "READ", 500, time.Millisecond)
	second := []core.KindMetrics{small, kind("RANGE_SCAN", "READ", 80, 3*time.Millisecond), kind("UPDATE", "WRITE", 120, 2*time.Millisecond)}
	var rows []ports.RunInterval
	for i := range 3600 {
		rows = append(rows, ports.RunInterval{RunID: "01JTEST", Phase: core.Measurement, Offset: float64(i + 1), Start: at(float64(i)), Seconds: 1, Kinds: second, Healthy: 20})
	}
	r := whole(completed())
	r.Points = report.PointsOf(totals(rows))
	child := r.Children[0]
	r.Children = nil
	for i := range 20 {
		child.WorkerID = fmt.Sprintf("worker-%d", i)
		r.Children = append(r.Children, child)
	}
	return rows, r
}

// BenchmarkHTML renders the report of a run of one hour and 20 workers, whose
// points are known.
func BenchmarkHTML(b *testing.B) {
	_, r := hour()
	for b.Loop() {
		if err := report.HTML(io.Discard, r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSeries makes what a comparison knows of a run of one hour from its
// intervals.
func BenchmarkSeries(b *testing.B) {
	rows, _ := hour()
	for b.Loop() {
		var series report.Series
		series.Add(rows)
	}
}

// BenchmarkCompare compares two runs of one hour.
func BenchmarkCompare(b *testing.B) {
	rows, r := hour()
	var series [2]report.Series
	results := []core.Rollup{*r.Parent, *r.Parent}
	results[1].RunID = "other"
	for i := range series {
		series[i].Add(rows)
	}
	for b.Loop() {
		if _, err := report.Compare(results, []*report.Series{&series[0], &series[1]}); err != nil {
			b.Fatal(err)
		}
	}
}
