package report_test

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/report"
)

// memberOf is a run of an experiment with n operations in each of its 40 s.
func memberOf(m core.Membership, n int, latency time.Duration) core.Rollup {
	r, _ := courseOf(m.RunID(), "oltp", n, latency)
	r.Scenario.Tags = m.Tagged(nil)
	return r
}

// abExperiment has an effect on throughput and latency, of which not all is seen; one
// round is left out and a run is degraded.
func abExperiment(t *testing.T) core.ABResult {
	t.Helper()
	plan, err := core.PlanAB(6, 3)
	if err != nil {
		t.Fatal(err)
	}
	var runs []core.Rollup
	for i, slot := range plan {
		m := core.Membership{Group: "20260304-151505-0a1b2c", Design: core.ABDesign, Slot: slot, Rounds: 7, Primary: "throughput"}
		n, latency := 400+(i*7)%12, time.Duration(1000+(i*i*37)%90)*time.Microsecond
		if slot.Side == core.SideB {
			n, latency = n-40, latency+60*time.Microsecond
		}
		r := memberOf(m, n, latency)
		if slot.Side == core.SideB {
			r.Name, r.Scenario.Load.Connections = "oltp\x1b[2J <b>", 24
		}
		switch slot.Number {
		case 5:
			r.Verdict = core.Verdict{Level: core.InvalidRun, Reasons: []string{"nothing\x1b[2J was measured"}}
		case 8:
			r.Verdict = core.Verdict{Level: core.Degraded, Reasons: []string{"too | hot"}}
		}
		runs = append(runs, r)
	}
	e, err := core.GatherExperiment("20260304-151505-0a1b2c", runs)
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.AB()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func repetition(t *testing.T, times int) core.Repetition {
	t.Helper()
	var runs []core.Rollup
	for i := range times {
		m := core.Membership{Group: "20260304-151505-0a1b2c", Design: core.RepeatDesign, Slot: core.Slot{Number: i + 1, Round: i + 1}, Rounds: 5}
		runs = append(runs, memberOf(m, 400+(i*7)%12, time.Duration(1000+(i*i*37)%90)*time.Microsecond))
	}
	e, err := core.GatherExperiment("20260304-151505-0a1b2c", runs)
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.Repetition()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestExperimentViews(t *testing.T) {
	ab, again := abExperiment(t), repetition(t, 4)
	for name, write := range map[string]func(io.Writer) error{
		"ab.txt":        func(w io.Writer) error { return report.ABText(w, ab) },
		"ab_80.txt":     func(w io.Writer) error { return report.ABText(w, ab, report.Width(80)) },
		"ab.json":       func(w io.Writer) error { return report.ABJSON(w, ab) },
		"ab.md":         func(w io.Writer) error { return report.ABMarkdown(w, ab) },
		"repeat.txt":    func(w io.Writer) error { return report.RepetitionText(w, again) },
		"repeat_80.txt": func(w io.Writer) error { return report.RepetitionText(w, again, report.Width(80)) },
		"repeat.json":   func(w io.Writer) error { return report.RepetitionJSON(w, again) },
		"repeat.md":     func(w io.Writer) error { return report.RepetitionMarkdown(w, again) },
	} {
		t.Run(name, func(t *testing.T) {
			golden(t, name, write)
			is := is.New(t)
			is.True(write(broken{}) != nil)
			var out bytes.Buffer
			is.NoErr(write(&out))
			is.True(!strings.Contains(out.String(), "\x1b"))
			is.True(!strings.Contains(out.String(), "NaN") && !strings.Contains(out.String(), "Inf"))
		})
	}
}

// TestExperimentsOfFewRuns: where there is no interval its fields are null, and the text
// says so.
func TestExperimentsOfFewRuns(t *testing.T) {
	is := is.New(t)
	var out bytes.Buffer
	is.NoErr(report.RepetitionJSON(&out, repetition(t, 2)))
	var d report.RepetitionDocument
	is.NoErr(json.Unmarshal(out.Bytes(), &d))
	is.True(d.Metrics[0].Mean != nil && d.Metrics[0].Deviation != nil && d.Metrics[0].Low == nil && d.Metrics[0].High == nil)
	is.Equal(d.Metrics[0].Why, "2 runs count: an interval needs 3")
	out.Reset()
	is.NoErr(report.RepetitionText(&out, repetition(t, 1)))
	is.True(strings.Contains(out.String(), "1 run counts: an interval needs 3"))

	empty, err := abExperiment(t).Experiment.AB()
	is.NoErr(err)
	none := empty.Experiment
	for i := range none.Members {
		none.Members[i].Why = "it does not"
	}
	r, err := none.AB()
	is.NoErr(err)
	out.Reset()
	is.NoErr(report.ABJSON(&out, r))
	var ab report.ABDocument
	is.NoErr(json.Unmarshal(out.Bytes(), &ab))
	is.True(ab.Metrics[0].A == nil && ab.Metrics[0].PValue == nil && ab.Metrics[0].RoundsFor5 == nil)
	is.Equal(ab.Conclusion, "throughput: cannot be told: no run counts.")
	is.Equal(len(ab.ExcludedRounds), 6)
	out.Reset()
	is.NoErr(report.ABText(&out, r))
	is.True(strings.Contains(out.String(), "cannot be told: no run counts"))
}
