package core

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

// TestABByHand holds the figures of four rounds to those of a calculator.
func TestABByHand(t *testing.T) {
	is := is.New(t)
	plan, err := PlanAB(4, 7)
	is.NoErr(err)
	ratios := []float64{1.10, 1.21, 1.10, 1.21}
	var runs []Rollup
	for _, slot := range plan {
		v := 100 * float64(slot.Round) // the rounds themselves are of no account
		if slot.Side == SideB {
			v *= ratios[slot.Round-1]
		}
		runs = append(runs, member(Membership{Group: "g", Design: ABDesign, Slot: slot, Rounds: 4, Primary: metricThroughput}, v, time.Millisecond, 0))
	}
	slices.Reverse(runs) // in whatever order they are read
	r := abOf(t, runs)
	is.Equal(r.Counted, 4)
	is.Equal(r.Family, 3) // p50 p95 p99; there was no error
	is.True(r.Same)
	d := effectOf(t, r, "", metricThroughput)
	// ln 1.10 = 0.0953102, ln 1.21 = 0.1906204: mean 0.1429653, deviation 0.0550274;
	// standard error 0.0275137, with the 0.0707 % of the resolution 0.0275228.
	// t(3) 97.5 % = 3.1824463, 80 % = 0.9784723.
	close := func(got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 2e-5*max(1, math.Abs(want)) {
			t.Errorf("%v, not %v", got, want)
		}
	}
	close(d.Change, math.Expm1(0.1429653))
	close(d.Low, math.Expm1(0.1429653-3.1824463*0.0275228))
	close(d.High, math.Expm1(0.1429653+3.1824463*0.0275228))
	close(d.Smallest, math.Expm1((3.1824463+0.9784723)*0.0275228))
	close(d.Size, 0.1429653/(2*0.0275228)*(1-3.0/11))
	close(d.A, 100*math.Pow(24, 0.25))
	close(d.B, 100*math.Pow(24, 0.25)*math.Exp(0.1429653))
	close(d.Chance, 0.01386) // t = 5.1944 with 3 degrees of freedom, by its closed form
	is.True(d.Primary && d.Known && d.Better)
	is.Equal(d.Outcome, Higher)
	is.Equal(d.Adjusted, d.Chance)
	is.Equal(d.RoundsFor, 13) // 12 do not suffice: (2.20099+0.87553)·0.0159 = 0.04892 > ln 1.05 = 0.04879
	same := effectOf(t, r, "", "p50")
	is.Equal(same.Change, 0.0)
	is.Equal(same.Outcome, NoDifference)
	is.True(same.Low < 0 && same.High > 0 && same.Smallest > 0)
}

// TestABHolm: of three metrics beside the primary one with a probability of 3 %, 1 %
// and 60 %, only the one of 1 % counts, and the other is a hint.
func TestABHolm(t *testing.T) {
	is := is.New(t)
	r := ABResult{Experiment: Experiment{Primary: "p50"}, Metrics: []Effect{
		{Metric: metricThroughput, Known: true, Chance: 0.03, Change: 1},
		{Metric: "p50", Known: true, Chance: 0.04, Change: -1},
		{Metric: "p95", Known: true, Chance: 0.01, Change: 1},
		{Metric: "p99", Known: true, Chance: 0.6, Change: 1},
		{Metric: metricErrorRate, Known: true, Chance: 1},
		{Kind: "UPDATE", Metric: "p99", Why: "nothing"},
		{Kind: "UPDATE", Metric: "p50", Known: true, Chance: 0.025, Change: -1, Outcome: UnknownOutcome},
	}}
	r.judge()
	is.Equal(r.Family, 4)
	for i, want := range []struct {
		adjusted float64
		outcome  Outcome
		hint     bool
	}{
		{0.075, NoDifference, true}, {0.04, Lower, false}, {0.04, Higher, false}, {0.6, NoDifference, false},
		{1, NoDifference, false}, {0, "", false}, {0.075, NoDifference, true},
	} {
		d := r.Metrics[i]
		is.True(near(d.Adjusted, want.adjusted))
		is.Equal(d.Outcome, want.outcome)
		is.Equal(d.Hint, want.hint)
		is.Equal(d.Primary, i == 1)
	}
	is.True(r.Metrics[1].Better && !r.Metrics[2].Better)
}

// TestABLeavesOut: a round of which a run is worth nothing does not count, and says so.
func TestABLeavesOut(t *testing.T) {
	is := is.New(t)
	x := trial{rounds: 8, spread: 0.01, design: ABDesign, primary: metricThroughput}
	runs := x.runs(3)
	at := func(round int, side string) *Rollup {
		for i := range runs {
			if m, _ := MembershipOf(runs[i].Scenario.Tags); m.Slot.Round == round && m.Slot.Side == side {
				return &runs[i]
			}
		}
		panic("no such run")
	}
	at(1, SideB).Verdict = Verdict{Level: InvalidRun, Reasons: []string{"nothing was measured"}}
	at(2, SideA).Status, at(2, SideA).Reason, at(2, SideA).Detail = Failed, WorkerLost, "worker-0"
	at(3, SideB).Verdict = Verdict{Level: Degraded, Reasons: []string{"too hot"}}
	at(4, SideA).Status = Running
	at(1, SideB).Throughput = 1 // it would ruin everything
	runs = slices.DeleteFunc(runs, func(r Rollup) bool {
		m, _ := MembershipOf(r.Scenario.Tags)
		return m.Slot.Round == 5 && m.Slot.Side == SideB || m.Slot.Round == 8
	})
	e, err := GatherExperiment("g", append(runs, Rollup{RunID: "other", Scenario: &Scenario{}}, Rollup{RunID: "none"}))
	is.NoErr(err)
	r, err := e.AB()
	is.NoErr(err)
	is.Equal(r.Counted, 3) // 3, 6 and 7
	is.Equal(len(r.Excluded), 4)
	text := strings.Join(r.Reservations, "\n")
	for _, want := range []string{
		"round 1 is left out", "INVALID: nothing was measured", "round 2 is left out", "FAILED (WORKER_LOST): worker-0",
		"DEGRADED: too hot", "round 4 is left out", "it has not ended: it is RUNNING", "round 5 is left out: only one of its runs was made", "7 of 8 rounds were made",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not said in\n%s", want, text)
		}
	}
	d := effectOf(t, r, "", metricThroughput)
	is.True(d.Known && math.Abs(d.Change) < 0.1)
	_, err = e.Repetition()
	is.True(errors.Is(err, ErrInvalid))
}

// TestABOfFewRounds: below three rounds there is no interval, and of none no value.
func TestABOfFewRounds(t *testing.T) {
	for rounds := range 3 {
		is := is.New(t)
		x := trial{rounds: max(rounds, 1), spread: 0.01, effect: 1, design: ABDesign, primary: metricThroughput}
		runs := x.runs(1)
		if rounds == 0 {
			runs = runs[:1]
		}
		r := abOf(t, runs)
		is.Equal(r.Counted, rounds)
		for _, d := range r.Metrics {
			is.True(!d.Known && !d.Better && !d.Hint)
			is.Equal([]float64{d.Low, d.High, d.Smallest, d.Size}, []float64{0, 0, 0, 0})
			is.Equal(d.Outcome, UnknownOutcome)
			is.True(d.Why != "")
		}
		d := effectOf(t, r, "", metricThroughput)
		is.Equal(d.Change > 1, rounds > 0) // it is said, only not how sure it is
		is.Equal(r.Family, 0)
	}
}

// TestABOfErrors: an error rate is a difference, and of runs without an error it is
// still said how large one would have to be.
func TestABOfErrors(t *testing.T) {
	is := is.New(t)
	plan, err := PlanAB(6, 1)
	is.NoErr(err)
	made := func(failed func(Slot) uint64) ABResult {
		var runs []Rollup
		for _, slot := range plan {
			runs = append(runs, member(Membership{Group: "g", Design: ABDesign, Slot: slot, Rounds: 6, Primary: metricErrorRate}, 1000, time.Millisecond, failed(slot)))
		}
		return abOf(t, runs)
	}
	d := effectOf(t, made(func(Slot) uint64 { return 0 }), "", metricErrorRate)
	is.True(d.Known && d.Primary)
	is.Equal(d.Outcome, NoDifference)
	is.True(d.Low < 0 && d.High > 0 && d.High < 0.01)
	d = effectOf(t, made(func(s Slot) uint64 {
		if s.Side == SideB {
			return uint64(50 + s.Round)
		}
		return uint64(s.Round % 2)
	}), "", metricErrorRate)
	is.Equal(d.Outcome, Higher)
	is.True(!d.Better && d.RoundsFor == 0)
	is.True(d.Low > 0.04 && d.High < 0.07 && near(d.Change, d.B-d.A))
}

func TestABUnlike(t *testing.T) {
	is := is.New(t)
	x := trial{rounds: 3, spread: 0.01, design: ABDesign, primary: "p99"}
	runs := x.runs(1)
	for i := range runs {
		if m, _ := MembershipOf(runs[i].Scenario.Tags); m.Slot.Side == SideB {
			runs[i].Scenario.Load.Rate = 500
		}
	}
	r := abOf(t, runs)
	is.True(!r.Same)
	is.Equal(r.Unlike, []Unlikeness{{"rate", "0", "500"}})
	// What was found around the runs is a difference where it is one of the sides, and
	// not where it changes from run to run.
	for i := range runs {
		m, _ := MembershipOf(runs[i].Scenario.Tags)
		runs[i].Scenario.Load.Rate = 0
		runs[i].Environment = []Fact{{"target", "pg " + m.Slot.Side}, {"pages", fmt.Sprint(m.Slot.Number)}}
	}
	r = abOf(t, runs)
	is.Equal(r.Unlike, []Unlikeness{{"target", "pg A", "pg B"}})
	is.True(r.Same) // the same was asked for
	is.True(effectOf(t, r, "", "p99").Primary && !effectOf(t, r, "", metricThroughput).Primary)
}

// TestABOfTwoKinds: each kind has its percentiles, and a metric that not every run can
// tell is not told.
func TestABOfTwoKinds(t *testing.T) {
	is := is.New(t)
	x := trial{rounds: 4, spread: 0.01, design: ABDesign, primary: "UPDATE p50"}
	runs := x.runs(5)
	for i := range runs {
		k := KindMetrics{Kind: Update, Access: AccessWrite, Counts: Counts{Scheduled: 90, Started: 90, OK: 88, Errors: 2}}
		latency := 2 * time.Millisecond
		if m, _ := MembershipOf(runs[i].Scenario.Tags); m.Slot.Side == SideB {
			latency = 3 * time.Millisecond
		}
		k.Service.RecordN(latency, 88)
		runs[i].Kinds = append(runs[i].Kinds, k)
	}
	r := abOf(t, runs)
	var names []string
	for _, d := range r.Metrics {
		names = append(names, strings.TrimSpace(d.Kind+" "+d.Metric))
	}
	is.Equal(names, []string{
		"throughput", "p50", "p95", "p99", "error_rate", "POINT_LOOKUP p50", "POINT_LOOKUP p95", "POINT_LOOKUP p99", "UPDATE p50", "UPDATE p95", "UPDATE p99", "UPDATE error_rate",
	})
	d := effectOf(t, r, Update, "p50")
	is.True(d.Primary && d.Outcome == Higher && !d.Better)
	is.True(near(d.Change, 0.5) || math.Abs(d.Change-0.5) < 0.01)
	is.True(strings.Contains(effectOf(t, r, Update, "p99").Why, "too few operations for the p99"))
	for i := range runs { // A has one kind only: what both have is compared
		if m, _ := MembershipOf(runs[i].Scenario.Tags); m.Slot.Side != SideB {
			runs[i].Kinds = runs[i].Kinds[:1]
		}
	}
	one := abOf(t, runs)
	is.True(effectOf(t, one, PointLookup, "p50").Known)
	is.True(!slices.ContainsFunc(one.Metrics, func(d Effect) bool { return d.Kind == Update }))
	runs[3].Kinds = runs[3].Kinds[:1] // one run has none of the kind
	r = abOf(t, runs)
	is.True(strings.Contains(strings.Join(r.Reservations, "\n"), "primary metric, UPDATE p50"))
}

func TestPrimaryMetric(t *testing.T) {
	is := is.New(t)
	a := Scenario{Operations: []Operation{{Kind: PointLookup}, {Kind: Update}}}
	b := Scenario{Operations: []Operation{{Kind: PointLookup}}}
	open := a
	open.Load.Mode = ModeQPS
	for _, test := range []struct {
		text string
		a, b Scenario
		want string // empty: it is refused
	}{
		{"", a, a, "throughput"}, {"", a, open, "p95"}, {"", open, a, "p95"}, {"p99", a, b, "p99"}, {"error_rate", a, b, "error_rate"},
		{"UPDATE  p50", a, a, "UPDATE p50"}, {"POINT_LOOKUP p50", a, b, "POINT_LOOKUP p50"}, {"POINT_LOOKUP p50", b, b, "p50"},
		{"UPDATE p50", a, b, ""}, {"UPDATE p50", b, a, ""}, {"p98", a, a, ""}, {"UPDATE throughput", a, a, ""}, {"a b c", a, a, ""}, {"POINT_LOOKUP", a, a, ""}, {" ", a, a, ""},
	} {
		got, err := PrimaryMetric(test.text, test.a, test.b)
		if test.want == "" {
			is.True(errors.Is(err, ErrInvalid))
			is.True(strings.Contains(err.Error(), fmt.Sprintf("%q", test.text)))
			continue
		}
		is.NoErr(err)
		is.Equal(got, test.want)
	}
}

// TestABFamily: of ten metrics that have nothing to do with each other one or more
// show a difference in 5 % of experiments without one.
func TestABFamily(t *testing.T) {
	const times, metrics = 20_000, 10
	random, seen := NewRand(5, 5, 5), 0
	for range times {
		r := ABResult{Experiment: Experiment{Primary: metricThroughput}}
		for i := range metrics {
			r.Metrics = append(r.Metrics, Effect{Kind: fmt.Sprint(i), Metric: "p50", Known: true, Chance: random.Float64(), Change: 1})
		}
		r.judge()
		if slices.ContainsFunc(r.Metrics, func(d Effect) bool { return d.Outcome == Higher }) {
			seen++
		}
	}
	// 1 − 0.995^10 = 4.89 %; half a percent is three standard errors.
	if rate := float64(seen) / times; math.Abs(rate-0.0489) > 0.005 {
		t.Errorf("one or more show a difference in %.2f %% of experiments without one", 100*rate)
	}
}

// An error rate that was asked for is told also where nothing has failed.
func TestABOfAnErrorRateWithoutErrors(t *testing.T) {
	is := is.New(t)
	x := trial{rounds: 4, spread: 0.01, design: ABDesign, primary: "UPDATE error_rate"}
	runs := x.runs(5)
	for i := range runs {
		k := KindMetrics{Kind: Update, Access: AccessWrite, Counts: Counts{Scheduled: 90, Started: 90, OK: 90}}
		k.Service.RecordN(time.Millisecond, 90)
		runs[i].Kinds = append(runs[i].Kinds, k)
	}
	r := abOf(t, runs)
	d := effectOf(t, r, Update, metricErrorRate)
	is.True(d.Primary && d.Known)
	is.True(!strings.Contains(strings.Join(r.Reservations, "\n"), "primary metric"))
	for _, d := range r.Metrics {
		is.True(d.Kind != PointLookup || d.Metric != metricErrorRate) // which has none, and is not asked for
	}
}
