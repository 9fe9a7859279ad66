package core

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// leastCounted is how many runs, or rounds, an interval needs at least.
const leastCounted = 3

// Member is one run of an experiment.
type Member struct {
	Membership
	Result Rollup
	// Why it does not count; empty: it does.
	Why string
}

// Experiment is the runs of one group, by their numbers. Those that were planned
// and never made are not among them.
type Experiment struct {
	Group   string
	Design  Design
	Planned int // runs, or rounds
	Primary string
	Members []Member
}

// GatherExperiment puts together the runs that belong to a group, of whatever runs
// there are. A result needs its scenario; of a run that has none yet, status and
// scenario suffice. The error wraps ErrNotFound or ErrInvalid.
func GatherExperiment(group string, runs []Rollup) (Experiment, error) {
	e := Experiment{Group: group}
	for i := range runs {
		if runs[i].Scenario == nil {
			continue
		}
		m, ok := MembershipOf(runs[i].Scenario.Tags)
		if ok && m.Group == group {
			e.Members = append(e.Members, Member{m, runs[i], doesNotCount(&runs[i])})
		}
	}
	if len(e.Members) == 0 {
		return e, fmt.Errorf("%w: no run belongs to the group %q", ErrNotFound, group)
	}
	slices.SortStableFunc(e.Members, func(a, b Member) int { return cmp.Compare(a.Slot.Number, b.Slot.Number) })
	first := e.Members[0]
	e.Design, e.Planned, e.Primary = first.Design, first.Rounds, first.Primary
	for i, m := range e.Members {
		switch {
		case m.Design != e.Design || m.Rounds != e.Planned || m.Primary != e.Primary:
			return e, fmt.Errorf("%w: the runs %s and %s say of the group %q what cannot both be so", ErrInvalid, first.Result.RunID, m.Result.RunID, group)
		case i > 0 && m.Slot.Number == e.Members[i-1].Slot.Number:
			return e, fmt.Errorf("%w: the runs %s and %s both are number %d of the group %q", ErrInvalid, e.Members[i-1].Result.RunID, m.Result.RunID, m.Slot.Number, group)
		}
	}
	return e, nil
}

// doesNotCount says why a run's numbers are not among those of its experiment.
func doesNotCount(r *Rollup) string {
	switch {
	case !r.Status.Terminal():
		return fmt.Sprintf("it has not ended: it is %s", r.Status)
	case r.Status != Completed:
		text := fmt.Sprintf("it is %s (%s)", r.Status, r.Reason)
		if r.Detail != "" {
			text += ": " + r.Detail
		}
		return text
	case r.Verdict.Level == InvalidRun:
		return "its verdict is INVALID: " + strings.Join(r.Verdict.Reasons, "; ")
	default:
		return ""
	}
}

// doubts says of each run that counts and may not be trusted fully, and of pools whose
// values were not the same in all of them.
func (e Experiment) doubts() (list []string) {
	values, told := map[string]string{}, map[string]bool{}
	for _, m := range e.Members {
		for _, f := range m.Result.Environment {
			pool, is := strings.CutPrefix(f.Name, factPool)
			if !is || m.Why != "" {
				continue
			}
			of := m.Slot.Side + pool // sides may differ by what they ask for
			if before, seen := values[of]; seen && before != f.Value && !told[pool] {
				list = append(list, fmt.Sprintf("the values of the pool %s, were not the same in all runs, since the table has changed: nor were their operations", pool))
				told[pool] = true
			}
			values[of] = f.Value
		}
		if m.Why == "" && m.Result.Verdict.Level == Degraded {
			list = append(list, fmt.Sprintf("the verdict on run %s is DEGRADED: %s", m.Result.RunID, strings.Join(m.Result.Verdict.Reasons, "; ")))
		}
	}
	return list
}

// kindMetric is a metric of a kind of operation, or of all of them.
type kindMetric struct {
	kind string
	metric
	// steps is what is not known of a maximum that was found, as a share of it: loads
	// between the step that was borne and the one that was missed were not tried.
	steps float64
}

// experimentMetrics are what is looked at of runs: all kinds together, and each of
// those that every run has. Where runs searched for the most load, it is what they
// found, and what they measured there. The error rate of a kind is left out where it has
// none, unless it is the primary metric.
func experimentMetrics(sides []*side, primary string) (list []kindMetric) {
	quantiles := []metric{{"p50", 0.5}, {"p95", 0.95}, {"p99", 0.99}}
	failures := metric{name: metricErrorRate}
	list = append(list, kindMetric{metric: metric{name: metricThroughput}})
	of := func(kind string, failed bool) {
		for _, q := range quantiles {
			list = append(list, kindMetric{kind: kind, metric: q})
		}
		if failed {
			list = append(list, kindMetric{kind: kind, metric: failures})
		}
	}
	if slices.ContainsFunc(sides, func(s *side) bool { return s.result.Search != nil }) {
		of("", false)
		return append(foundMetrics(sides), list...)
	}
	of("", true)
	if !slices.ContainsFunc(sides, func(s *side) bool { return len(s.result.Kinds) > 1 }) {
		return list // one kind is all kinds
	}
	for _, k := range sides[0].result.Kinds {
		everywhere, failed := true, false
		for _, s := range sides {
			other := s.kind(k.Kind)
			everywhere = everywhere && other != nil && other.Started > 0
			failed = failed || other != nil && other.Errors > 0
		}
		if everywhere {
			of(k.Kind, failed || primary == k.Kind+" "+metricErrorRate)
		}
	}
	return list
}

// ofRun is a metric of a whole run, or why there is none.
func (m kindMetric) ofRun(s *side) (float64, string) {
	if found := s.result.Search; found != nil {
		return found.value(m.name, s.result.RunID)
	}
	v, problem := s.value(m.kind, m.metric)
	if problem == "" && m.quantile > 0 {
		if k := s.kind(m.kind); float64(k.Latency().Count())*(1-m.quantile) < beyondQuantile {
			return v, "too few operations for the " + m.name
		}
	}
	if problem == "" && m.name != metricErrorRate && !(v > 0) {
		problem = "run " + s.result.RunID + " has none"
	}
	return v, problem
}

// resolution is what is not known of a metric of a run however steady it is, as a
// share of it. That of an error rate is another matter.
func (m kindMetric) resolution() float64 {
	switch {
	case m.steps > 0:
		return m.steps
	case m.quantile > 0:
		return bucketError
	default:
		return cutError
	}
}

// spreadOf is the mean and the standard deviation of a sample.
func spreadOf(values []float64) (mean, deviation float64) {
	n := float64(len(values))
	for _, v := range values {
		mean += v / n
	}
	for _, v := range values {
		deviation += (v - mean) * (v - mean)
	}
	if n > 1 {
		deviation = math.Sqrt(deviation / (n - 1))
	}
	return mean, deviation
}

// chanceOf is the probability that a Student's t is at least that far from 0.
func chanceOf(t, freedom float64) float64 {
	return 2 * (1 - studentBelow(math.Abs(t), freedom))
}
