package core

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

// laws compares two runs of every combination of these, and gives each metric of
// which something is known to check.
func laws(t *testing.T, check func(t *testing.T, a, b Compared, d Difference)) {
	for _, seconds := range []int{5, 12, 37, 130, 250} {
		for _, rho := range []float64{0, 0.6, 0.95} {
			for _, failing := range []float64{0, 0.05} {
				m := imagined{id: "a", seed: uint64(seconds), seconds: seconds, rate: 150, latency: time.Millisecond, deviation: 0.1, rho: rho, errors: failing}
				n := m
				n.id, n.seed, n.latency, n.rate = "b", m.seed+7, 1100*time.Microsecond, 140
				a, b := m.run(), n.run()
				c, err := Compare([]Compared{a, b})
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range c.Others[0].Differences {
					if d.Outcome != UnknownOutcome {
						check(t, a, b, d)
					}
				}
			}
		}
	}
}

// TestCompareLaws holds every comparison to what is true of all: the change lies in
// its interval, the outcome says where the interval lies, and what would be seen is
// more than half of its width.
func TestCompareLaws(t *testing.T) {
	known := 0
	laws(t, func(t *testing.T, _, _ Compared, d Difference) {
		known++
		is := is.New(t)
		for _, v := range []float64{d.Base, d.Other, d.Change, d.Low, d.High, d.Smallest} {
			is.True(!math.IsNaN(v) && !math.IsInf(v, 0))
		}
		is.True(d.Low < d.Change && d.Change < d.High)
		is.True(d.Smallest > 0)
		switch d.Outcome {
		case NoDifference:
			is.True(d.Low <= 0 && d.High >= 0)
			is.True(!d.Better)
		case Higher:
			is.True(d.Low > 0)
		case Lower:
			is.True(d.High < 0)
		default:
			t.Errorf("outcome %s", d.Outcome)
		}
		if d.Metric != metricErrorRate {
			is.True(d.Low > -1) // nothing falls by more than all of it
			is.True(math.Log1p(d.Smallest) > (math.Log1p(d.High)-math.Log1p(d.Low))/2)
		} else {
			is.True(d.Smallest > (d.High-d.Low)/2)
		}
	})
	if known < 100 {
		t.Errorf("only %d were known", known)
	}
}

// TestCompareTurnedRound: which run is named first changes the sign, and nothing
// else.
func TestCompareTurnedRound(t *testing.T) {
	laws(t, func(t *testing.T, a, b Compared, d Difference) {
		is := is.New(t)
		c, err := Compare([]Compared{b, a})
		is.NoErr(err)
		for _, r := range c.Others[0].Differences {
			if r.Metric != d.Metric || r.Kind != d.Kind {
				continue
			}
			is.True(r.Base == d.Other && r.Other == d.Base)
			if d.Metric == metricErrorRate {
				is.True(near(r.Low, -d.High) && near(r.High, -d.Low) && near(r.Smallest, d.Smallest))
			} else {
				is.True(near(math.Log1p(r.Low), -math.Log1p(d.High)) && near(math.Log1p(r.High), -math.Log1p(d.Low)) && near(r.Smallest, d.Smallest))
			}
			is.Equal(r.Outcome == NoDifference, d.Outcome == NoDifference)
		}
	})
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9*math.Max(1, math.Abs(a)) }

// TestCompareChangesNothing: the same runs give the same comparison again, and are
// as they were.
func TestCompareChangesNothing(t *testing.T) {
	is := is.New(t)
	a := imagined{id: "a", seed: 3, seconds: 50, rate: 100, latency: time.Millisecond, deviation: 0.1}.run()
	b := imagined{id: "b", seed: 4, seconds: 50, rate: 100, latency: time.Millisecond, deviation: 0.1}.run()
	before, err := json.Marshal(a.Result)
	is.NoErr(err)
	first, err := Compare([]Compared{a, b})
	is.NoErr(err)
	second, err := Compare([]Compared{a, b})
	is.NoErr(err)
	is.Equal(first, second)
	after, err := json.Marshal(a.Result)
	is.NoErr(err)
	is.Equal(string(before), string(after))
	is.Equal(a.Batches.Len(), 50)
}

// TestCompareMoreIsNarrower: a longer run and a quieter one tell more.
func TestCompareMoreIsNarrower(t *testing.T) {
	is := is.New(t)
	width := func(seconds int, deviation float64) (sum float64) {
		for i := range uint64(20) {
			a := imagined{seed: 50 + 2*i, seconds: seconds, rate: 100, latency: time.Millisecond, deviation: deviation}
			b := a
			b.seed++
			d := of(t, compared(t, a, b), 0, metricThroughput)
			sum += d.High - d.Low
		}
		return sum
	}
	is.True(width(200, 0.1) < 0.7*width(50, 0.1)) // half, by the root of four
	is.True(width(50, 0.05) < 0.7*width(50, 0.1))
}

// TestCompareTellsOfDrift: a run that climbs from beginning to end is marked, and
// said so once.
func TestCompareTellsOfDrift(t *testing.T) {
	is := is.New(t)
	steady := imagined{id: "steady", seed: 1, seconds: 60, rate: 100, latency: time.Millisecond, deviation: 0.02}
	climbing := func(id string) Compared {
		b := &Batches{}
		whole := KindMetrics{Kind: "POINT_LOOKUP"}
		for i := range 60 {
			s := slotOf(Measurement, 50+i)
			s.Kinds[0].Kind = "POINT_LOOKUP"
			whole.Merge(&s.Kinds[0])
			b.Add(s)
		}
		return Compared{Batches: b, Result: Rollup{RunID: id, Status: Completed, Verdict: Verdict{Level: Valid}, Throughput: float64(whole.OK) / 60, Kinds: []KindMetrics{whole}}}
	}
	c, err := Compare([]Compared{steady.run(), climbing("climbing")})
	is.NoErr(err)
	d := of(t, c, 0, metricThroughput)
	is.True(d.Drifts)
	is.True(d.High-d.Low > 0.3) // it is wide, too
	told := 0
	for _, r := range c.Reservations {
		if strings.Contains(r, "drift") {
			told++
		}
	}
	is.Equal(told, 1)
	is.True(!of(t, compared(t, steady, imagined{id: "other", seed: 2, seconds: 60, rate: 100, latency: time.Millisecond, deviation: 0.02}), 0, metricThroughput).Drifts)
}

func TestSpread(t *testing.T) {
	is := is.New(t)
	same := spread([]float64{3, 3, 3, 3, 3}, 3)
	is.Equal(same.error, 0.0)
	is.True(!same.drifts)
	is.Equal(same.freedom, 4.0)
	turns := spread([]float64{1, 3, 1, 3, 1, 3, 1, 3}, 2) // each undoes the one before
	is.True(near(turns.error, math.Sqrt(8.0/7/8)))
	is.Equal(turns.freedom, 7.0)
	is.True(!turns.drifts)
	climbs := spread([]float64{1, 2, 3, 4, 5, 6, 7, 8}, 4.5)
	is.True(climbs.drifts)
	is.True(climbs.error > 2*math.Sqrt(42.0/7/8)) // wider than of as many independent ones
	is.True(climbs.freedom < 7)
}
