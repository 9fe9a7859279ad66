package core

import (
	"math"
	"testing"
	"time"
)

// trial makes the runs of imaginary experiments: each is throughput and latency as
// numbers of the whole run.
type trial struct {
	noise
	design  Design
	rounds  int
	effect  float64 // of B, as a log ratio
	spread  float64 // of a run by itself
	drift   float64 // deviation of what is in all runs of a time
	rho     float64 // how much of that stays from one run to the next
	slope   float64 // what each run adds to that
	tilt    float64 // what one run of each round, drawn, has more than the other
	primary string
}

// member is a run of an experiment in which every operation takes the same time.
func member(m Membership, throughput float64, latency time.Duration, failed uint64) Rollup {
	k := KindMetrics{Kind: PointLookup, Access: AccessRead, Counts: Counts{Scheduled: 1000, Started: 1000, OK: 1000 - failed, Errors: failed}}
	k.Service.RecordN(latency, 1000-failed)
	return Rollup{
		RunID: m.RunID(), Status: Completed, Verdict: Verdict{Level: Valid}, Seconds: 1, Throughput: throughput, Kinds: []KindMetrics{k},
		Scenario: &Scenario{Name: "oltp", Tags: m.Tagged(nil)},
	}
}

func (x *trial) runs(seed uint64) (runs []Rollup) {
	x.noise = noise{Rand: NewRand(seed, 1, 1)}
	plan, err := PlanRepeat(max(x.rounds, MinRepeats))
	if x.design == ABDesign {
		plan, err = PlanAB(x.rounds, seed)
	}
	if err != nil {
		panic(err)
	}
	drift := &noise{Rand: NewRand(seed, 2, 2)}
	for range 50 {
		drift.next(x.rho)
	}
	first := false
	for i, slot := range plan {
		v := x.drift*drift.next(x.rho) + x.slope*float64(i) + x.spread*x.normal()
		if slot.Side == SideB {
			v += x.effect
		}
		if i%2 == 0 && x.tilt > 0 {
			first = x.Float64() < 0.5
		}
		if first == (i%2 == 0) {
			v += x.tilt
		}
		m := Membership{Group: "g", Design: x.design, Slot: slot, Rounds: x.rounds, Primary: x.primary}
		runs = append(runs, member(m, 1000*math.Exp(v), time.Duration(1e6*math.Exp(-v+x.spread*x.normal())), 0))
	}
	return runs
}

func (x *trial) ab(t *testing.T, seed uint64) ABResult {
	t.Helper()
	x.design, x.primary = ABDesign, metricThroughput
	return abOf(t, x.runs(seed))
}

// abOf is what the runs of the group g say as an A/B experiment.
func abOf(t *testing.T, runs []Rollup) ABResult {
	t.Helper()
	e, err := GatherExperiment("g", runs)
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.AB()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func effectOf(t *testing.T, r ABResult, kind, metric string) Effect {
	t.Helper()
	for _, d := range r.Metrics {
		if d.Kind == kind && d.Metric == metric {
			return d
		}
	}
	t.Fatalf("no %s %s", kind, metric)
	return Effect{}
}

// TestABFindsNothingInAA makes 2,000 experiments without an effect of each sort. The
// primary metric must show one in 5 % of them; one or more of the others in at most
// 5 %. Where runs drift the order is what keeps that: a steady drift makes the test
// stricter, never laxer. 1.5 % is three standard errors of 2,000.
func TestABFindsNothingInAA(t *testing.T) {
	times, tolerance := 2000, 0.015
	if raceEnabled {
		times, tolerance = 100, 0.08
	}
	for _, test := range []struct {
		name   string
		trial  trial
		strict bool // fewer false alarms than stated are right
	}{
		{"3 rounds", trial{rounds: 3, spread: 0.05}, false},
		{"6 rounds", trial{rounds: 6, spread: 0.05}, false},
		{"10 rounds", trial{rounds: 10, spread: 0.02}, false},
		{"drift that stays", trial{rounds: 10, spread: 0.02, drift: 0.1, rho: 0.9}, false},
		{"drift that comes and goes", trial{rounds: 10, spread: 0.02, drift: 0.1, rho: 0.4}, false},
		{"few rounds in drift", trial{rounds: 4, spread: 0.02, drift: 0.1, rho: 0.8}, false},
		{"slower with each run", trial{rounds: 6, spread: 0.02, slope: -0.02}, true},
		{"much slower with each run", trial{rounds: 3, spread: 0.01, slope: -0.1}, true},
		{"one run of each round is faster", trial{rounds: 10, spread: 0.002, tilt: 0.1}, true},
		{"the same, of 8 rounds", trial{rounds: 8, spread: 0.01, tilt: 0.1}, true},    // by Student's t alone 6.6 %
		{"the same, of 21 rounds", trial{rounds: 21, spread: 0.002, tilt: 0.1}, true}, // and 7 %
		{"the same, of 26 rounds", trial{rounds: 26, spread: 0.002, tilt: 0.1}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			primary, others := 0, 0
			for seed := range uint64(times) {
				r := test.trial.ab(t, seed)
				seen := false
				for _, d := range r.Metrics {
					found := d.Outcome == Higher || d.Outcome == Lower
					switch {
					case !found:
					case d.Primary:
						primary++
					default:
						seen = true
					}
				}
				if seen {
					others++
				}
			}
			p, o := float64(primary)/float64(times), float64(others)/float64(times)
			t.Logf("a difference is seen in %.1f %% by the primary metric, in %.1f %% by one or more of the others", 100*p, 100*o)
			least := 0.05 - tolerance
			if test.trial.rounds >= leastDrawn { // of two tests, either of which may see none
				least = min(least, 0.02)
			}
			if p > 0.05+tolerance || !test.strict && p < least {
				t.Errorf("the primary metric shows a difference in %.1f %% of experiments without one", 100*p)
			}
			if o > 0.05+tolerance {
				t.Errorf("other metrics show a difference in %.1f %% of experiments without one", 100*o)
			}
		})
	}
}

// TestABCoversTheTruth makes experiments with an effect: the interval must hold it in
// 95 % of them, an effect of the size that is said to be seen must be seen in about
// four of five, and the rounds said to be needed must suffice.
func TestABCoversTheTruth(t *testing.T) {
	times, tolerance := 2000, 0.015
	if raceEnabled {
		times, tolerance = 100, 0.08
	}
	for _, test := range []struct {
		name  string
		trial trial
	}{
		{"10 rounds", trial{rounds: 10, spread: 0.05, effect: 0.05}},
		{"5 rounds, lower", trial{rounds: 5, spread: 0.05, effect: -0.2}},
		{"drift", trial{rounds: 10, spread: 0.02, drift: 0.1, rho: 0.9, effect: 0.1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			truth := math.Expm1(test.trial.effect)
			covered, smallest, rounds := 0, 0.0, 0.0
			for seed := range uint64(times) {
				d := effectOf(t, test.trial.ab(t, seed), "", metricThroughput)
				if d.Low <= truth && truth <= d.High {
					covered++
				}
				smallest += math.Log1p(d.Smallest) / float64(times)
				rounds += float64(d.RoundsFor) / float64(times)
			}
			c := float64(covered) / float64(times)
			t.Logf("the truth is in %.1f %% of the intervals; %.1f %% would be seen on average; an effect of 5 %% after %.0f rounds", 100*c, 100*math.Expm1(smallest), rounds)
			if math.Abs(c-0.95) > tolerance {
				t.Errorf("the truth is in %.1f %% of the intervals", 100*c)
			}
			seen := func(x trial) float64 {
				n, experiments := 0, max(times/5, 100)
				for seed := range uint64(experiments) {
					if d := effectOf(t, x.ab(t, seed+1e6), "", metricThroughput); d.Outcome == Higher {
						n++
					}
				}
				return float64(n) / float64(experiments)
			}
			x := test.trial
			x.effect = smallest
			if power := seen(x); power < 0.70 || power > 0.90 {
				t.Errorf("an effect of %.1f %% is seen in %.0f %% of experiments", 100*math.Expm1(smallest), 100*power)
			}
			x = test.trial
			x.effect, x.rounds = math.Log1p(LookedForEffect), min(MaxRounds, int(math.Ceil(rounds)))
			if power := seen(x); power < 0.70 || power > 0.95 {
				t.Errorf("an effect of 5 %% is seen after %d rounds in %.0f %% of experiments", x.rounds, 100*power)
			}
		})
	}
}
