package report

import (
	"io"

	"github.com/benchfleet/benchfleet/core"
)

// ComparisonDocument is what CompareJSON writes.
type ComparisonDocument struct {
	Base              string             `json:"base"` // run id
	ConfidencePercent float64            `json:"confidence_percent"`
	PowerPercent      float64            `json:"power_percent"`
	Runs              []ComparedDocument `json:"runs"`
	Comparisons       []RunDifferences   `json:"comparisons"` // each run but the first beside it
	Reservations      []string           `json:"reservations"`
}

// ComparedDocument is one of the runs that are compared.
type ComparedDocument struct {
	RunID           string            `json:"run_id"`
	Name            string            `json:"test_name"`
	Status          core.Status       `json:"status"`
	Verdict         core.VerdictLevel `json:"verdict"`
	MeasuredSeconds float64           `json:"measured_seconds"`
	Total           KindDocument      `json:"total"`
}

// RunDifferences is one run beside the first.
type RunDifferences struct {
	RunID       string               `json:"run_id"`
	Differences []DifferenceDocument `json:"differences"`
	Unlike      []core.Unlikeness    `json:"unlike"`
}

// DifferenceDocument is one metric of a run beside that of the first. Base and
// Other are in Unit: "ms", "fraction" or "ops_per_second". The changes are percent
// of Base, but of an error rate percentage points, and null where nothing is known.
type DifferenceDocument struct {
	Kind            string       `json:"kind,omitempty"` // absent: of all kinds
	Metric          string       `json:"metric"`
	Unit            string       `json:"unit"`
	Base            float64      `json:"base"`
	Other           float64      `json:"other"`
	ChangePercent   *float64     `json:"change_percent"`
	LowPercent      *float64     `json:"low_percent"`
	HighPercent     *float64     `json:"high_percent"`
	SmallestPercent *float64     `json:"smallest_percent"` // that would have been seen
	Outcome         core.Outcome `json:"outcome"`
	Better          *bool        `json:"better"` // null where no difference was seen
	Drifts          bool         `json:"drifts"`
	Why             string       `json:"why,omitempty"`
}

// CompareJSON writes a comparison as a ComparisonDocument.
func CompareJSON(w io.Writer, c Comparison) error { return writeJSON(w, ComparisonOf(c)) }

// ComparisonOf is a comparison as CompareJSON writes it. Lists are never null.
func ComparisonOf(c Comparison) ComparisonDocument {
	d := ComparisonDocument{
		Base: c.Of.Base, ConfidencePercent: 100 * core.ComparisonConfidence, PowerPercent: 100 * core.ComparisonPower,
		Runs: []ComparedDocument{}, Comparisons: []RunDifferences{}, Reservations: append([]string{}, c.Of.Reservations...),
	}
	for i := range c.Runs {
		r := &c.Runs[i].Result
		total := core.Total(r.Kinds)
		d.Runs = append(d.Runs, ComparedDocument{
			RunID: r.RunID, Name: r.Name, Status: r.Status, Verdict: r.Verdict.Level, MeasuredSeconds: r.Seconds, Total: kindDocument(&total, r.Throughput),
		})
	}
	for _, o := range c.Of.Others {
		run := RunDifferences{RunID: o.RunID, Differences: []DifferenceDocument{}, Unlike: append([]core.Unlikeness{}, o.Unlike...)}
		for _, difference := range o.Differences {
			run.Differences = append(run.Differences, differenceDocument(difference))
		}
		d.Comparisons = append(d.Comparisons, run)
	}
	return d
}

func differenceDocument(d core.Difference) DifferenceDocument {
	out := DifferenceDocument{
		Kind: d.Kind, Metric: d.Metric, Base: d.Base, Other: d.Other, Outcome: d.Outcome, Drifts: d.Drifts, Why: d.Why,
	}
	switch d.Metric {
	case "throughput":
		out.Unit = "ops_per_second"
	case "error_rate":
		out.Unit = "fraction"
	default:
		out.Unit, out.Base, out.Other = "ms", 1000*d.Base, 1000*d.Other
	}
	percent := func(v float64) *float64 { v *= 100; return &v }
	if d.Outcome != core.UnknownOutcome {
		out.ChangePercent, out.LowPercent, out.HighPercent, out.SmallestPercent = percent(d.Change), percent(d.Low), percent(d.High), percent(d.Smallest)
	}
	if d.Outcome == core.Higher || d.Outcome == core.Lower {
		better := d.Better
		out.Better = &better
	}
	return out
}
