package core

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

// searched is a run of an experiment that searched; throughput and latencies of its
// rollup are of all loads that it tried, and of no account.
func searched(m Membership, found SearchResult) Rollup {
	r := member(m, 123, 45*time.Millisecond, 7)
	r.Search = &found
	return r
}

func found(mode string, load, missed float64) SearchResult {
	return SearchResult{
		Mode: mode, Kind: TrueMax, Load: load, Missed: missed, Resolution: 5,
		Throughput: 10 * load, P50: time.Millisecond, P95: 2 * time.Millisecond, P99: 3 * time.Millisecond,
	}
}

// TestABOfSearches: what is compared is the load that was found and what was measured
// there, and not what a run measured on its way.
func TestABOfSearches(t *testing.T) {
	is := is.New(t)
	plan, err := PlanAB(4, 7)
	is.NoErr(err)
	var runs []Rollup
	for _, slot := range plan {
		f := found(ModeFindConcurrency, 100, 104)
		if slot.Side == SideB {
			f = found(ModeFindConcurrency, 121, 125)
			f.P95 = 4 * time.Millisecond
			if slot.Round == 2 {
				f.Kind, f.Bound, f.Missed = BoundedMax, BoundConnections, 0
			}
		}
		runs = append(runs, searched(Membership{Group: "g", Design: ABDesign, Slot: slot, Rounds: 4, Primary: metricMaxConnections}, f))
	}
	r := abOf(t, runs)
	var names []string
	for _, d := range r.Metrics {
		names = append(names, d.Kind+d.Metric)
	}
	is.Equal(strings.Join(names, " "), "max_connections throughput p50 p95 p99") // no error rate, no kinds: they are of all loads
	d := effectOf(t, r, "", metricMaxConnections)
	is.True(d.Primary && d.Known && d.Better)
	is.Equal(d.Outcome, Higher)
	is.True(math.Abs(d.Change-0.21) < 1e-9)
	// All rounds agree, so what is left is the step: the widest is 5 % (of the bounded
	// one), evenly spread, of two runs. t(3) 97.5 % = 3.1824463.
	half := 3.1824463 * math.Sqrt2 * 0.05 / math.Sqrt(12)
	is.True(math.Abs(math.Log1p(d.High)-math.Log(1.21)-half) < 1e-6)
	is.True(math.Abs(effectOf(t, r, "", metricThroughput).Change-0.21) < 1e-9)
	worse := effectOf(t, r, "", "p95")
	is.True(math.Abs(worse.Change-1) < 1e-9 && worse.Outcome == Higher && !worse.Better)
	text := strings.Join(r.Reservations, "\n")
	is.True(strings.Contains(text, "the maximum of B is a BOUNDED_MAX (CONNECTIONS) in "))
	is.True(strings.Contains(text, "at the load that it found"))
	is.True(!strings.Contains(text, "primary metric"))
}

// TestRepeatOfSearches: a run that bore nothing has no maximum, and runs that look for
// different things have none in common.
func TestRepeatOfSearches(t *testing.T) {
	is := is.New(t)
	of := func(results ...SearchResult) Repetition {
		t.Helper()
		plan, err := PlanRepeat(len(results))
		is.NoErr(err)
		var runs []Rollup
		for i, slot := range plan {
			runs = append(runs, searched(Membership{Group: "g", Design: RepeatDesign, Slot: slot, Rounds: len(results), Primary: metricMaxQPS}, results[i]))
		}
		return repetition(t, runs)
	}
	r := of(found(ModeFindQPS, 900, 945), found(ModeFindQPS, 1000, 1050), found(ModeFindQPS, 1100, 1155))
	m := r.Metrics[0]
	is.Equal(m.Metric, metricMaxQPS)
	is.Equal(m.Mean, 1000.0)
	is.True(m.Known && m.Low < 1000-2.48*100 && m.Low > 0) // t(2)·100/√3 = 248.4, and the steps beside

	none := found(ModeFindQPS, 0, 500)
	none.Throughput, none.Sentence = 0, "no load that was tried was borne: BOUNDED_MAX"
	r = of(found(ModeFindQPS, 900, 945), none, found(ModeFindQPS, 900, 945))
	is.Equal(r.Metrics[0].Runs, 0)
	is.True(strings.Contains(r.Metrics[0].Why, "no load that was tried was borne"))

	r = of(found(ModeFindQPS, 900, 945), found(ModeFindConcurrency, 9, 10))
	is.Equal(r.Metrics[0].Metric, metricThroughput)
}

func TestPrimaryMetricOfSearches(t *testing.T) {
	is := is.New(t)
	of := func(mode string) Scenario {
		s := Scenario{Operations: []Operation{{Kind: PointLookup}}}
		if s.Load.Mode = mode; searching(mode) {
			s.Load.Search = &LoadSearch{}
		}
		return s
	}
	connections, rate, fixed := of(ModeFindConcurrency), of(ModeFindQPS), of(ModeConcurrency)
	for _, test := range []struct {
		text string
		a, b Scenario
		want string // empty: it is refused
	}{
		{"", connections, connections, "max_connections"}, {"", rate, rate, "max_qps"}, {"p95", rate, rate, "p95"}, {"max_qps", rate, rate, "max_qps"},
		{"", connections, rate, "throughput"}, {"", connections, fixed, "throughput"}, {"p99", fixed, rate, "p99"},
		{"max_qps", connections, connections, ""}, {"max_connections", connections, fixed, ""}, {"error_rate", rate, rate, ""}, {"POINT_LOOKUP p95", rate, rate, ""},
		{"max_qps", fixed, fixed, ""},
	} {
		got, err := PrimaryMetric(test.text, test.a, test.b)
		if test.want == "" {
			is.True(errors.Is(err, ErrInvalid))
			continue
		}
		is.NoErr(err)
		is.Equal(got, test.want)
	}
}
