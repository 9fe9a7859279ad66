package report

import (
	"io"

	"github.com/benchfleet/benchfleet/core"
)

// RepetitionDocument is what RepetitionJSON writes.
type RepetitionDocument struct {
	Group             string             `json:"group"`
	Design            core.Design        `json:"design"` // REPEAT
	PlannedRuns       int                `json:"planned_runs"`
	CountedRuns       int                `json:"counted_runs"`
	ConfidencePercent float64            `json:"confidence_percent"`
	Metrics           []RepeatedDocument `json:"metrics"`
	Runs              []MemberDocument   `json:"runs"`
	Reservations      []string           `json:"reservations"`
}

// RepeatedDocument is one metric over the runs that count, in Unit: "ms", "fraction",
// "connections" or "ops_per_second". What is not known is null.
type RepeatedDocument struct {
	Kind             string   `json:"kind,omitempty"` // absent: of all kinds
	Metric           string   `json:"metric"`
	Unit             string   `json:"unit"`
	Mean             *float64 `json:"mean"`
	Deviation        *float64 `json:"standard_deviation"`
	VariationPercent *float64 `json:"variation_percent"` // deviation ÷ mean; null of an error rate
	Low              *float64 `json:"low"`               // of the interval of the mean
	High             *float64 `json:"high"`
	Least            *float64 `json:"least"`
	Most             *float64 `json:"most"`
	Why              string   `json:"why,omitempty"`
}

// MemberDocument is one run of an experiment.
type MemberDocument struct {
	Number  int               `json:"number"`
	Round   int               `json:"round"`
	Side    string            `json:"side,omitempty"`
	RunID   string            `json:"run_id"`
	Name    string            `json:"test_name"`
	Status  core.Status       `json:"status"`
	Verdict core.VerdictLevel `json:"verdict,omitempty"`
	Counts  bool              `json:"counts"`
	Why     string            `json:"why,omitempty"` // it does not count
	Seed    int64             `json:"seed"`
	Total   KindDocument      `json:"total"`
}

// ABDocument is what ABJSON writes.
type ABDocument struct {
	Group             string            `json:"group"`
	Design            core.Design       `json:"design"` // AB
	PlannedRounds     int               `json:"planned_rounds"`
	CountedRounds     int               `json:"counted_rounds"`
	ConfidencePercent float64           `json:"confidence_percent"`
	PowerPercent      float64           `json:"power_percent"`
	Primary           string            `json:"primary"`           // metric, named before the first run
	SecondaryMetrics  int               `json:"secondary_metrics"` // that are tested together
	Same              bool              `json:"same"`              // A and B ask for the same: an A/A
	Conclusion        string            `json:"conclusion"`
	Metrics           []EffectDocument  `json:"metrics"`
	Unlike            []core.Unlikeness `json:"unlike"`
	ExcludedRounds    []int             `json:"excluded_rounds"`
	Runs              []MemberDocument  `json:"runs"`
	Reservations      []string          `json:"reservations"`
}

// EffectDocument is one metric of B beside A. A and B are in Unit: "ms", "fraction",
// "connections" or "ops_per_second". The changes are percent of A, but of an error
// rate percentage points. What is not known is null.
type EffectDocument struct {
	Kind            string       `json:"kind,omitempty"` // absent: of all kinds
	Metric          string       `json:"metric"`
	Unit            string       `json:"unit"`
	Primary         bool         `json:"primary"`
	A               *float64     `json:"a"`
	B               *float64     `json:"b"`
	ChangePercent   *float64     `json:"change_percent"`
	LowPercent      *float64     `json:"low_percent"`
	HighPercent     *float64     `json:"high_percent"`
	SmallestPercent *float64     `json:"smallest_percent"` // that would have been seen
	EffectSize      *float64     `json:"effect_size"`      // d_z, corrected by Hedges
	PValue          *float64     `json:"p_value"`
	AdjustedPValue  *float64     `json:"adjusted_p_value"` // by Holm, among the secondary metrics
	RoundsFor5      *int         `json:"rounds_for_5_percent"`
	Outcome         core.Outcome `json:"outcome"`
	Hint            bool         `json:"hint"` // its own interval does not hold zero; beside so many metrics it may be chance
	Better          *bool        `json:"better"`
	Why             string       `json:"why,omitempty"`
}

// RepetitionJSON writes a repetition as a RepetitionDocument.
func RepetitionJSON(w io.Writer, r core.Repetition) error { return writeJSON(w, RepetitionOf(r)) }

// ABJSON writes an A/B experiment as an ABDocument.
func ABJSON(w io.Writer, r core.ABResult) error { return writeJSON(w, ABOf(r)) }

// RepetitionOf is a repetition as RepetitionJSON writes it. Lists are never null.
func RepetitionOf(r core.Repetition) RepetitionDocument {
	d := RepetitionDocument{
		Group: r.Group, Design: r.Design, PlannedRuns: r.Planned, CountedRuns: r.Counted, ConfidencePercent: 100 * core.ComparisonConfidence,
		Metrics: []RepeatedDocument{}, Runs: membersOf(r.Experiment), Reservations: append([]string{}, r.Reservations...),
	}
	for _, m := range r.Metrics {
		unit, factor := unitOf(m.Metric)
		out := RepeatedDocument{Kind: m.Kind, Metric: m.Metric, Unit: unit, Why: m.Why}
		value := func(v float64, known bool) *float64 {
			if !known {
				return nil
			}
			v *= factor
			return &v
		}
		mean := m.Runs > 0
		out.Mean, out.Least, out.Most = value(m.Mean, mean), value(m.Least, mean), value(m.Most, mean)
		out.Deviation = value(m.Deviation, m.Runs > 1)
		out.Low, out.High = value(m.Low, m.Known), value(m.High, m.Known)
		if m.Runs > 1 && m.Metric != "error_rate" {
			v := 100 * m.Deviation / m.Mean
			out.VariationPercent = &v
		}
		d.Metrics = append(d.Metrics, out)
	}
	return d
}

// ABOf is an A/B experiment as ABJSON writes it. Lists are never null.
func ABOf(r core.ABResult) ABDocument {
	d := ABDocument{
		Group: r.Group, Design: r.Design, PlannedRounds: r.Planned, CountedRounds: r.Counted,
		ConfidencePercent: 100 * core.ComparisonConfidence, PowerPercent: 100 * core.ComparisonPower,
		Primary: r.Primary, SecondaryMetrics: r.Family, Same: r.Same, Conclusion: conclusion(r).text,
		Metrics: []EffectDocument{}, Unlike: append([]core.Unlikeness{}, r.Unlike...), ExcludedRounds: []int{},
		Runs: membersOf(r.Experiment), Reservations: append([]string{}, r.Reservations...),
	}
	for _, x := range r.Excluded {
		d.ExcludedRounds = append(d.ExcludedRounds, x.Round)
	}
	for _, e := range r.Metrics {
		d.Metrics = append(d.Metrics, effectDocument(e))
	}
	return d
}

func effectDocument(e core.Effect) EffectDocument {
	unit, factor := unitOf(e.Metric)
	out := EffectDocument{Kind: e.Kind, Metric: e.Metric, Unit: unit, Primary: e.Primary, Outcome: e.Outcome, Hint: e.Hint, Why: e.Why}
	value := func(v, factor float64, known bool) *float64 {
		if !known {
			return nil
		}
		v *= factor
		return &v
	}
	some := e.Rounds > 0
	out.A, out.B, out.ChangePercent = value(e.A, factor, some), value(e.B, factor, some), value(e.Change, 100, some)
	out.LowPercent, out.HighPercent, out.SmallestPercent = value(e.Low, 100, e.Known), value(e.High, 100, e.Known), value(e.Smallest, 100, e.Known)
	out.EffectSize, out.PValue, out.AdjustedPValue = value(e.Size, 1, e.Known), value(e.Chance, 1, e.Known), value(e.Adjusted, 1, e.Known)
	if e.RoundsFor > 0 {
		out.RoundsFor5 = &e.RoundsFor
	}
	if e.Outcome == core.Higher || e.Outcome == core.Lower {
		out.Better = &e.Better
	}
	return out
}

// unitOf is the unit that documents have a metric in, and what to multiply it by.
func unitOf(metric string) (string, float64) {
	switch metric {
	case "throughput", "max_qps":
		return "ops_per_second", 1
	case "max_connections":
		return "connections", 1
	case "error_rate":
		return "fraction", 1
	default:
		return "ms", 1000
	}
}

func membersOf(e core.Experiment) []MemberDocument {
	list := []MemberDocument{}
	for i := range e.Members {
		m := &e.Members[i]
		total := core.Total(m.Result.Kinds)
		out := MemberDocument{
			Number: m.Slot.Number, Round: m.Slot.Round, Side: m.Slot.Side, RunID: m.Result.RunID, Name: m.Result.Name,
			Status: m.Result.Status, Verdict: m.Result.Verdict.Level, Counts: m.Why == "", Why: m.Why, Total: kindDocument(&total, m.Result.Throughput),
		}
		if s := m.Result.Scenario; s != nil {
			out.Seed = s.Load.Seed
		}
		list = append(list, out)
	}
	return list
}
