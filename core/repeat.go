package core

import (
	"fmt"
	"math"
)

// Repetition is what the runs of one scenario, again and again, say together. The
// unit is the run: an interval holds what another run of the same, made beside these,
// would have given on average. How much one run moved about within itself is in none
// of it.
type Repetition struct {
	Experiment
	Counted int // runs
	Metrics []RepeatedMetric
	// Reservations say what to keep in mind with all of it.
	Reservations []string
}

// RepeatedMetric is one metric over the runs that count: in operations per second,
// seconds, or a fraction.
type RepeatedMetric struct {
	Kind      string  // empty: of all kinds
	Metric    string  // throughput p50 p95 p99 error_rate max_connections max_qps
	Runs      int     // that have it: all that count, or none
	Mean      float64 // of the runs
	Deviation float64 // standard deviation of the runs; 0 where there is but one
	Least     float64
	Most      float64
	// Low to High is the 95 % interval of the mean, by Student's t; both are 0 where
	// Known is false.
	Low   float64
	High  float64
	Known bool
	Why   string // it has no interval, or no mean
}

// Repetition sums up the runs of an experiment that is one scenario repeated. The
// error wraps ErrInvalid.
func (e Experiment) Repetition() (Repetition, error) {
	if e.Design != RepeatDesign {
		return Repetition{}, fmt.Errorf("%w: the group %q is %s, no repetition", ErrInvalid, e.Group, e.Design)
	}
	r := Repetition{Experiment: e}
	var sides []*side
	for i := range e.Members {
		if m := &e.Members[i]; m.Why == "" {
			sides = append(sides, newSide(&Compared{Result: m.Result}))
		} else {
			r.Reservations = append(r.Reservations, fmt.Sprintf("run %s is left out: %s", m.Result.RunID, m.Why))
		}
	}
	r.Counted = len(sides)
	for _, m := range experimentMetrics(sides, r.Primary) {
		r.Metrics = append(r.Metrics, repeated(m, sides))
	}
	r.Reservations = append(append(r.Reservations, e.doubts()...), e.searches()...)
	if made := len(e.Members); made < e.Planned {
		r.Reservations = append(r.Reservations, fmt.Sprintf("%d of %d runs were made", made, e.Planned))
	}
	r.Reservations = append(r.Reservations, trends(sides)...)
	return r, nil
}

// repeated sums up one metric.
func repeated(m kindMetric, sides []*side) RepeatedMetric {
	out := RepeatedMetric{Kind: m.kind, Metric: m.name}
	values, problem := m.ofRuns(sides)
	if problem != "" {
		out.Why = problem
		return out
	}
	n := float64(len(values))
	out.Runs = len(values)
	out.Mean, out.Deviation = spreadOf(values)
	out.Least, out.Most = values[0], values[0]
	for _, v := range values {
		out.Least, out.Most = min(out.Least, v), max(out.Most, v)
	}
	if len(values) < leastCounted {
		out.Why = tooFew(len(values), "run")
		return out
	}
	floor := m.resolution() * out.Mean
	if m.name == metricErrorRate {
		floor = 1 / ended(m.kind, sides)
	}
	half := studentQuantile((1+ComparisonConfidence)/2, n-1) * math.Hypot(out.Deviation/math.Sqrt(n), floor)
	out.Low, out.High, out.Known = max(0, out.Mean-half), out.Mean+half, true
	return out
}

// ofRuns is a metric of each run, or why one of them has none.
func (m kindMetric) ofRuns(sides []*side) (values []float64, problem string) {
	for _, s := range sides {
		v, problem := m.ofRun(s)
		if problem != "" {
			return nil, problem
		}
		values = append(values, v)
	}
	if len(values) == 0 {
		return nil, "no run counts"
	}
	return values, ""
}

// ended is how many operations of a kind have ended in all runs together.
func ended(kind string, sides []*side) (n float64) {
	for _, s := range sides {
		if k := s.kind(kind); k != nil {
			n += float64(k.OK + k.Errors)
		}
	}
	return n
}

// tooFew says that there is no interval.
func tooFew(n int, of string) string {
	if n == 1 {
		return fmt.Sprintf("1 %s counts: an interval needs %d", of, leastCounted)
	}
	return fmt.Sprintf("%d %ss count: an interval needs %d", n, of, leastCounted)
}

// leastTrend is how many runs it takes to look whether they change as they go on.
const leastTrend = 5

// trends says which of the main metrics depends on a run's number, so that the runs
// are no repetition of the same. Of experiments without any, one in twenty says so.
func trends(sides []*side) (list []string) {
	if len(sides) < leastTrend {
		return nil
	}
	looked := []metric{{name: metricThroughput}, {"p50", 0.5}, {"p95", 0.95}, {"p99", 0.99}}
	for _, m := range looked {
		of := kindMetric{metric: m}
		values, problem := of.ofRuns(sides)
		if problem != "" {
			continue
		}
		slope, chance := trend(values)
		mean, _ := spreadOf(values)
		change := slope * float64(len(values)-1) / mean
		if chance < (1-ComparisonConfidence)/float64(len(looked)) && math.Abs(change) > 4*of.resolution() {
			list = append(list, fmt.Sprintf("the %s changes with the number of the run, by %+.1f %% from the first to the last: these runs are not the same again and again, and the intervals hold for no other run",
				m.name, 100*change))
		}
	}
	return list
}

// trend is the slope of a straight line through values, and the probability of one
// as steep where there is none.
func trend(values []float64) (slope, chance float64) {
	n := float64(len(values))
	mean, _ := spreadOf(values)
	xx, xy, yy := 0.0, 0.0, 0.0
	for i, v := range values {
		x := float64(i) - (n-1)/2
		xx, xy, yy = xx+x*x, xy+x*(v-mean), yy+(v-mean)*(v-mean)
	}
	slope = xy / xx
	left := max(0, yy-slope*xy) // what the line does not explain
	if !(left > 0) {
		return slope, map[bool]float64{true: 1, false: 0}[slope == 0]
	}
	return slope, chanceOf(slope/math.Sqrt(left/(n-2)/xx), n-2)
}
