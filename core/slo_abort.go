package core

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// SLOWatch follows the objectives that may end a run, and those that may not be missed
// for long, from one interval of the measurement to the next. Its zero value has seen
// none.
type SLOWatch struct {
	missed  []float64 // per objective, seconds without a break
	longest []float64 // the most of them
}

// Observe folds in one interval of the whole run: what was measured of each kind
// in that many seconds. breach says which objective was missed for as long as it
// allows, in words; "" for none. An interval in which nothing of an objective's
// kind ended says nothing about its latency or errors, and changes nothing.
func (w SLOWatch) Observe(slos []SLO, kinds []KindMetrics, seconds float64) (next SLOWatch, breach string) {
	next.missed, next.longest = make([]float64, len(slos)), make([]float64, len(slos))
	copy(next.missed, w.missed)
	copy(next.longest, w.longest)
	if !(seconds > 0) {
		return next, ""
	}
	throughput := float64(Total(kinds).OK) / seconds
	for i, result := range EvaluateSLOs(slos, kinds, throughput) {
		of := sloSubject(result.Kind, kinds)
		switch {
		case !result.Abort && result.For == 0:
		case result.Met:
			next.missed[i] = 0
		case !result.known(of):
		default:
			next.missed[i] += seconds
			next.longest[i] = max(next.longest[i], next.missed[i])
			if result.Abort && result.tooLong(next.missed[i]) && breach == "" {
				breach = result.breach(next.missed[i])
			}
		}
	}
	return next, breach
}

// tooLong reports whether an objective may not be missed for so many seconds.
func (s *SLO) tooLong(missed float64) bool {
	return missed >= s.For.Std().Seconds()*(1-1e-3) // intervals are cut by timers
}

// HoldsFor reports whether any objective is about how long it is missed, and not about
// the whole measurement.
func HoldsFor(slos []SLO) bool {
	return slices.ContainsFunc(slos, func(s SLO) bool { return s.holdsFor() })
}

func (s *SLO) holdsFor() bool { return s.For > 0 && !s.Abort }

// judge decides upon those objectives by what the watch has seen, if anything: what was
// measured stands beside it.
func (w SLOWatch) judge(results []SLOResult, kinds []KindMetrics) {
	if len(w.longest) != len(results) {
		return
	}
	for i := range results {
		if r := &results[i]; r.holdsFor() {
			r.MissedFor = Duration(w.longest[i] * float64(time.Second))
			r.Met = r.known(sloSubject(r.Kind, kinds)) && !r.tooLong(w.longest[i])
		}
	}
}

// known reports whether anything was measured that the objective is about.
func (r *SLOResult) known(of KindMetrics) bool {
	switch r.Metric {
	case metricThroughput:
		return true // none is one too
	case metricErrorRate:
		return of.OK+of.Errors > 0
	default:
		return of.Latency().Count() > 0
	}
}

func (r *SLOResult) breach(missed float64) string {
	return fmt.Sprintf("the objective %q was missed for %s, at last with %s", r.Text, seconds(missed), r.inWords())
}

// inWords is what was measured, with its unit.
func (r *SLOResult) inWords() string {
	switch r.Metric {
	case metricThroughput:
		if 0 < r.Measured && r.Measured < 10 {
			return strconv.FormatFloat(r.Measured, 'g', 3, 64) + " per second"
		}
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

// contradictions finds objectives that nothing can meet, or that nothing can miss: a
// throughput of at least what the load starts, two bounds of the same thing, and a time
// that the measurement is shorter than.
func (v *resolver) contradictions(slos []SLO, load ScenarioLoad, operations []Operation) {
	for i, s := range slos {
		if s.Metric == metricThroughput {
			if most, why := load.mostStarted(&s, operations); most > 0 && s.Bound >= most {
				v.found.add(indexed("slos", i), "is %q, but %s; allowed: a bound below that", s.Text, why)
			}
		}
		if load.Duration > 0 && s.For > load.Duration && !searching(load.Mode) {
			v.found.add(indexed("slos", i), "is %q, but the measurement lasts %s, so that nothing could miss it; allowed: a time up to that", s.Text, load.Duration)
		}
		for j, earlier := range slos[:i] {
			if s.Text != "" && s.Kind == earlier.Kind && s.Metric == earlier.Metric && s.Abort == earlier.Abort && s.For == earlier.For {
				v.found.add(indexed("slos", i), "is %q, but slos[%d] is %q, which is about the same; leave one of them out", s.Text, j, earlier.Text)
				break
			}
		}
	}
}

// mostStarted is how many operations per second of what an objective is about a load
// starts at most, with why; 0: nothing says.
func (l *ScenarioLoad) mostStarted(s *SLO, operations []Operation) (most float64, why string) {
	number := func(f float64) string { return strconv.FormatFloat(f, 'g', 6, 64) }
	switch {
	case l.Mode == ModeQPS && l.Rate > 0:
		most = l.Rate
		why = fmt.Sprintf("load.rate starts only %s operations per second", number(most))
		if length := l.Duration.Std(); l.Ramp != nil && length > 0 && l.Operations == 0 && !s.holdsFor() {
			most = NewPace(l.Rate, l.Ramp).Count(length) / length.Seconds()
			why = fmt.Sprintf("load.rate with load.ramp starts only %s operations per second on average", number(most))
		}
	case l.Mode == ModeConcurrency && l.ThinkTime > 0 && l.Duration > 0 && l.Operations == 0:
		most = float64(l.Connections) * (1/l.ThinkTime.Std().Seconds() + 1/l.Duration.Std().Seconds()) // each begins at once
		why = fmt.Sprintf("%d connections with a load.think_time of %s start fewer than %s operations per second", l.Connections, l.ThinkTime, number(most))
	}
	for _, op := range operations {
		if op.Kind == s.Kind && most > 0 {
			most *= float64(op.Weight) / 10_000
			why += fmt.Sprintf(", of which %s are %s", number(most), op.Kind)
		}
	}
	return most, why
}
