package core

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// The metrics of a search: the most load that was borne.
const (
	metricMaxConnections = "max_connections"
	metricMaxQPS         = "max_qps"
)

// foundMetric is what a search of a mode looks for; "" where the mode is none.
func foundMetric(mode string) string {
	switch mode {
	case ModeFindConcurrency:
		return metricMaxConnections
	case ModeFindQPS:
		return metricMaxQPS
	default:
		return ""
	}
}

// foundPrimary is the metric that an experiment is about in which a side searches.
func foundPrimary(text, a, b string) (string, error) {
	allowed := []string{metricThroughput, "p50", "p95", "p99"}
	if name := foundMetric(a); name != "" && a == b {
		allowed = append([]string{name}, allowed...)
	}
	if text == "" {
		return allowed[0], nil
	}
	if !slices.Contains(allowed, text) {
		return "", fmt.Errorf("%w: the metric is %q; allowed with load.mode %s and %s: %s", ErrInvalid, text, a, b, strings.Join(allowed, ", "))
	}
	return text, nil
}

// foundMetrics is the maximum, if all runs searched for the same one.
func foundMetrics(sides []*side) []kindMetric {
	name, steps := "", 0.0
	for i, s := range sides {
		found := s.result.Search
		if found == nil || i > 0 && foundMetric(found.Mode) != name {
			return nil
		}
		name, steps = foundMetric(found.Mode), max(steps, found.steps())
	}
	return []kindMetric{{metric: metric{name: name}, steps: steps}}
}

// steps is the standard deviation of a maximum that lies evenly between the load that
// was borne and the one that was missed, as a share of the first.
func (r *SearchResult) steps() float64 {
	width := r.Resolution / 100
	if r.Load > 0 && r.Missed > r.Load {
		width = r.Missed/r.Load - 1
	}
	return width / math.Sqrt(12)
}

// value is a metric of a run that searched, at the load that it found, or why it has
// none.
func (r *SearchResult) value(metric, run string) (float64, string) {
	v := map[string]float64{
		foundMetric(r.Mode): r.Load, metricThroughput: r.Throughput,
		"p50": r.P50.Seconds(), "p95": r.P95.Seconds(), "p99": r.P99.Seconds(),
	}[metric]
	if !(v > 0) {
		return 0, fmt.Sprintf("the search of run %s has none: %s", run, r.Sentence)
	}
	return v, ""
}

// searches says how the numbers of runs that searched are to be read.
func (e Experiment) searches() (list []string) {
	type group struct{ side, bound string }
	var order []group
	runs := map[group][]string{}
	searched := false
	for i := range e.Members {
		m := &e.Members[i]
		found := m.Result.Search
		if found == nil || m.Why != "" {
			continue
		}
		searched = true
		if found.Kind == BoundedMax {
			g := group{m.Slot.Side, found.Bound}
			if !slices.Contains(order, g) {
				order = append(order, g)
			}
			runs[g] = append(runs[g], m.Result.RunID)
		}
	}
	for _, g := range order {
		what := "the maximum"
		if g.side != "" {
			what += " of " + g.side
		}
		list = append(list, fmt.Sprintf("%s is a BOUNDED_MAX (%s) in %s: the target may bear more", what, g.bound, firstOf(runs[g])))
	}
	if searched {
		list = append(list, "the metrics of a run that searched are those at the load that it found; in the list of runs they are of all loads that it tried")
	}
	return list
}
