package core

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// SLOWatch follows the objectives that may end a run, from one interval of the
// measurement to the next. Its zero value has seen none.
type SLOWatch struct {
	missed []float64 // per objective, seconds without a break
}

// Observe folds in one interval of the whole run: what was measured of each kind
// in that many seconds. breach says which objective was missed for as long as it
// allows, in words; "" for none. An interval in which nothing of an objective's
// kind ended says nothing about its latency or errors, and changes nothing.
func (w SLOWatch) Observe(slos []SLO, kinds []KindMetrics, seconds float64) (next SLOWatch, breach string) {
	next.missed = make([]float64, len(slos))
	copy(next.missed, w.missed)
	if !(seconds > 0) {
		return next, ""
	}
	throughput := float64(Total(kinds).OK) / seconds
	for i, result := range EvaluateSLOs(slos, kinds, throughput) {
		of := sloSubject(result.Kind, kinds)
		switch {
		case !result.Abort:
		case result.Met:
			next.missed[i] = 0
		case result.Metric != metricThroughput && !result.known(of):
		default:
			next.missed[i] += seconds
			if next.missed[i] >= result.For.Std().Seconds()*(1-1e-3) && breach == "" { // intervals are cut by timers
				breach = result.breach(next.missed[i])
			}
		}
	}
	return next, breach
}

// known reports whether anything was measured that the objective is about.
func (r *SLOResult) known(of KindMetrics) bool {
	if r.Metric == metricErrorRate {
		return of.OK+of.Errors > 0
	}
	return of.Latency().Count() > 0
}

func (r *SLOResult) breach(missed float64) string {
	return fmt.Sprintf("the objective %q was missed for %s, at last with %s", r.Text, seconds(missed), r.inWords())
}

// inWords is what was measured, with its unit.
func (r *SLOResult) inWords() string {
	switch r.Metric {
	case metricThroughput:
		return strconv.FormatFloat(r.Measured, 'f', 1, 64) + " per second"
	case metricErrorRate:
		return share(r.Measured)
	default:
		return time.Duration(r.Measured * 1e9).Round(time.Microsecond).String()
	}
}

// MayAbort reports whether any objective may end the run.
func MayAbort(slos []SLO) bool {
	return slices.ContainsFunc(slos, func(s SLO) bool { return s.Abort })
}

// contradictions finds objectives that nothing can meet: a throughput of at least
// the rate at which operations start, and two bounds of the same thing.
func (v *resolver) contradictions(slos []SLO, load ScenarioLoad) {
	for i, s := range slos {
		if s.Metric == metricThroughput && load.Mode == ModeQPS && load.Rate > 0 && s.Bound >= load.Rate {
			v.found.add(indexed("slos", i), "is %q, but load.rate starts only %v operations per second; allowed: a bound below that", s.Text, load.Rate)
		}
		for j, earlier := range slos[:i] {
			if s.Text != "" && s.Kind == earlier.Kind && s.Metric == earlier.Metric && s.Abort == earlier.Abort && s.For == earlier.For {
				v.found.add(indexed("slos", i), "is %q, but slos[%d] is %q, which is about the same; leave one of them out", s.Text, j, earlier.Text)
				break
			}
		}
	}
}
