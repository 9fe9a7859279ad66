package core

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

func repetition(t *testing.T, runs []Rollup) Repetition {
	t.Helper()
	e, err := GatherExperiment("g", runs)
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.Repetition()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func repeatedOf(t *testing.T, r Repetition, metric string) RepeatedMetric {
	t.Helper()
	for _, m := range r.Metrics {
		if m.Metric == metric && m.Kind == "" {
			return m
		}
	}
	t.Fatalf("no %s", metric)
	return RepeatedMetric{}
}

func repeatOf(i, of int, throughput float64) Rollup {
	return member(Membership{Group: "g", Design: RepeatDesign, Slot: Slot{Number: i, Round: i}, Rounds: of}, throughput, time.Millisecond, 0)
}

// TestRepetitionByHand holds the figures of five runs to those of a calculator.
func TestRepetitionByHand(t *testing.T) {
	is := is.New(t)
	var runs []Rollup
	for i, v := range []float64{100, 104, 96, 102, 98} {
		runs = append(runs, repeatOf(i+1, 5, v))
	}
	r := repetition(t, runs)
	is.Equal(r.Counted, 5)
	is.Equal(len(r.Reservations), 0)
	m := repeatedOf(t, r, metricThroughput)
	is.True(near(m.Mean, 100) && near(m.Deviation, math.Sqrt(10)))
	is.Equal([]float64{m.Least, m.Most}, []float64{96, 104})
	half := 2.776445105 * math.Hypot(math.Sqrt2, 0.05) // t(4) times √10/√5, and the resolution
	is.True(m.Known && math.Abs(m.Low-(100-half)) < 1e-6 && math.Abs(m.High-(100+half)) < 1e-6)
	p := repeatedOf(t, r, "p99")
	is.True(near(p.Mean, 0.001) && p.Deviation < 1e-15 && p.Low < 0.001 && p.High > 0.001) // no more is known than that
	e := repeatedOf(t, r, metricErrorRate)
	is.True(e.Known && e.Mean == 0 && e.Low == 0 && e.High > 0 && e.High < 0.001)
}

// TestRepetitionCoversTheTruth: the interval of the mean holds what the runs are
// about in 95 % of 2,000 repetitions, and of steady ones one in twenty says at most
// that it changes.
func TestRepetitionCoversTheTruth(t *testing.T) {
	times, tolerance := 2000, 0.015
	if raceEnabled {
		times, tolerance = 100, 0.08
	}
	for _, runs := range []int{3, 8} {
		covered, trends := 0, 0
		for seed := range uint64(times) {
			x := trial{design: RepeatDesign, rounds: runs, spread: 0.05}
			r := repetition(t, x.runs(seed))
			truth := 1000 * math.Exp(0.05*0.05/2) // the mean of a log-normal
			if m := repeatedOf(t, r, metricThroughput); m.Low <= truth && truth <= m.High {
				covered++
			}
			if len(r.Reservations) > 0 {
				trends++
			}
		}
		c, w := float64(covered)/float64(times), float64(trends)/float64(times)
		t.Logf("%d runs: the truth is in %.1f %% of the intervals, %.1f %% say that they change", runs, 100*c, 100*w)
		if math.Abs(c-0.95) > tolerance {
			t.Errorf("%d runs: the truth is in %.1f %% of the intervals", runs, 100*c)
		}
		if w > 0.05+tolerance {
			t.Errorf("%d steady runs: %.1f %% say that they change", runs, 100*w)
		}
	}
}

func TestRepetitionTellsOfTrend(t *testing.T) {
	is := is.New(t)
	x := trial{design: RepeatDesign, rounds: 8, spread: 0.01, slope: -0.03}
	r := repetition(t, x.runs(1))
	text := strings.Join(r.Reservations, "\n")
	is.True(strings.Contains(text, "the throughput changes with the number of the run, by -"))
	_, chance := trend([]float64{1, 2, 3, 4, 5})
	is.Equal(chance, 0.0)
	_, chance = trend([]float64{1, 1, 1, 1, 1})
	is.Equal(chance, 1.0)
	// Slope 0.6, left over 3.2 of 6.8: t = 0.6/√(3.2/3/10) = 1.8371 with 3 degrees of
	// freedom, by its closed form 0.1635.
	slope, chance := trend([]float64{2, 1, 4, 3, 4})
	is.True(near(slope, 0.6))
	is.True(math.Abs(chance-0.1635) < 1e-4)
}

func TestRepetitionLeavesOut(t *testing.T) {
	is := is.New(t)
	runs := []Rollup{repeatOf(4, 6, 103), repeatOf(1, 6, 100), repeatOf(2, 6, 1), repeatOf(3, 6, 104)}
	runs[2].Status, runs[2].Reason = Cancelled, UserRequested
	runs[3].Verdict = Verdict{Level: Degraded, Reasons: []string{"too hot"}}
	r := repetition(t, runs)
	is.Equal(r.Counted, 3)
	is.Equal(r.Members[0].Result.RunID, "g-001")
	is.Equal(r.Reservations, []string{
		"run g-002 is left out: it is CANCELLED (USER_REQUESTED)", "the verdict on run g-003 is DEGRADED: too hot", "4 of 6 runs were made",
	})
	is.Equal(repeatedOf(t, r, metricThroughput).Least, 100.0)

	r = repetition(t, runs[1:3])
	m := repeatedOf(t, r, metricThroughput)
	is.True(!m.Known && m.Mean == 100 && m.Low == 0 && m.High == 0)
	is.Equal(m.Why, "1 run counts: an interval needs 3")
	r = repetition(t, runs[2:3])
	is.Equal(repeatedOf(t, r, metricThroughput).Why, "no run counts")
	_, err := r.AB()
	is.True(errors.Is(err, ErrInvalid))
}

func TestGatherRefuses(t *testing.T) {
	is := is.New(t)
	_, err := GatherExperiment("g", nil)
	is.True(errors.Is(err, ErrNotFound))
	_, err = GatherExperiment("h", []Rollup{repeatOf(1, 2, 1)})
	is.True(errors.Is(err, ErrNotFound))
	is.True(strings.Contains(err.Error(), `"h"`))
	_, err = GatherExperiment("g", []Rollup{repeatOf(1, 2, 1), repeatOf(1, 2, 1)})
	is.True(errors.Is(err, ErrInvalid))
	_, err = GatherExperiment("g", []Rollup{repeatOf(1, 2, 1), repeatOf(2, 3, 1)})
	is.True(errors.Is(err, ErrInvalid))
}

// Runs that drew from other values of a pool did not make the same operations.
func TestRepetitionTellsOfOtherPools(t *testing.T) {
	is := is.New(t)
	var runs []Rollup
	for i, hash := range []string{"a", "a", "b", "b", "a"} {
		r := repeatOf(i+1, 5, 100)
		orders, steady := PoolSpec{Table: "orders", Column: "ID", Size: 60}, PoolSpec{Column: "ID", Size: 60}
		r.Environment = []Fact{{Name: "launcher", Value: hash}, {Name: orders.Fact(), Value: hash}, {Name: steady.Fact(), Value: "s"}}
		runs = append(runs, r)
	}
	is.Equal(len(repetition(t, runs[:2]).Reservations), 1) // that there are two
	is.Equal(repetition(t, runs).Reservations, []string{"the values of the pool orders.ID, at most 60, were not the same in all runs, since the table has changed: nor were their operations"})
}
