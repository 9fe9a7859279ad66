package core

import (
	"math"
	"time"
)

// The defaults and bounds of a search.
const (
	defaultSearchDuration   = Duration(10 * time.Minute) // its time limit
	defaultSearchGrowth     = 2.0
	defaultSearchResolution = 5.0 // percent
	defaultSearchSettle     = Duration(2 * time.Second)
	defaultSearchWindow     = Duration(5 * time.Second)
	minSearchGrowth         = 1.01
	maxSearchGrowth         = 10.0
	maxSearchResolution     = 50.0
	minSearchResolution     = 0.1
	maxSearchTime           = Duration(time.Hour) // of a window, and of settling
	leastSearchWindows      = 4                   // that the time limit must leave room for
	leastWindowOperations   = 10                  // of the first step of a rate
)

// LoadSearch is how the most load is searched for, with every default filled in.
// The ceiling is the load's connections, or its rate.
type LoadSearch struct {
	Start      float64  `json:"start"`      // connections over all workers, or operations per second
	Growth     float64  `json:"growth"`     // factor of each step until a load is missed
	Resolution float64  `json:"resolution"` // percent of the answer
	Window     Duration `json:"window"`     // that judges a step
	Settle     Duration `json:"settle"`     // of each step before that
}

// searching reports whether the mode is one of a search.
func searching(mode string) bool { return mode == ModeFindConcurrency || mode == ModeFindQPS }

// search fills in the search of a load whose counts and pace are there.
func (v *resolver) search(load *ScenarioLoad) {
	t := &v.template.Load
	if !searching(load.Mode) {
		if t.Search != (TemplateSearch{}) {
			v.found.add("load.search", "is given, but load.mode is %s; allowed with %s and %s only", load.Mode, ModeFindConcurrency, ModeFindQPS)
		}
		return
	}
	v.noSearch(load)
	before := len(v.found)
	s := &LoadSearch{
		Start: t.Search.Start, Growth: t.Search.Growth, Resolution: t.Search.Resolution,
		Window: v.searchTime("load.search.window", t.Search.Window, defaultSearchWindow, load.Interval),
		Settle: v.searchTime("load.search.settle", t.Search.Settle, defaultSearchSettle, Duration(time.Millisecond)),
	}
	if s.Growth == 0 {
		s.Growth = defaultSearchGrowth
	}
	if !(s.Growth >= minSearchGrowth && s.Growth <= maxSearchGrowth) {
		v.found.add("load.search.growth", "is %v; allowed: %v to %v", s.Growth, minSearchGrowth, maxSearchGrowth)
	}
	if s.Resolution == 0 {
		s.Resolution = defaultSearchResolution
	}
	if !(s.Resolution >= minSearchResolution && s.Resolution <= maxSearchResolution) {
		v.found.add("load.search.resolution", "is %v; allowed: %v to %v percent", s.Resolution, minSearchResolution, maxSearchResolution)
	}
	if len(v.found) > before {
		return
	}
	v.searchStart(s, load)
	if load.Mode == ModeFindQPS && load.MaxLateness > s.Settle {
		v.found.add("load.max_lateness", "is %s, but what one step of load.mode %s has not started after load.search.settle would be the next one's load; allowed: up to that, which is %s", load.MaxLateness, load.Mode, s.Settle)
	}
	if least := leastSearchWindows * (s.Window + s.Settle); load.Duration > 0 && load.Duration < least {
		v.found.add("load.duration", "is %s, the time limit of the search; allowed: at least %s, which is %d times load.search.settle and load.search.window", load.Duration, least, leastSearchWindows)
	}
	load.Search = s
}

// noSearch refuses what a search cannot have.
func (v *resolver) noSearch(load *ScenarioLoad) {
	t := &v.template.Load
	if t.Operations != 0 {
		v.found.add("load.operations", "is %d, but load.mode %s ends when it has its answer, or after load.duration; leave it out", t.Operations, load.Mode)
	}
	if t.Cooldown != 0 {
		v.found.add("load.cooldown", "is %s, but load.mode %s has none; leave it out", t.Cooldown, load.Mode)
	}
	if t.Ramp != (TemplateRamp{}) {
		v.found.add("load.ramp", "is given, but load.mode %s sets the load itself; leave it out", load.Mode)
	}
	if t.CatchUp && load.Mode == ModeFindQPS {
		v.found.add("load.catch_up", "is true, but in load.mode %s what one step has not started would be the next one's load; leave it out", load.Mode)
	}
}

func (v *resolver) searchTime(field string, d, otherwise, least Duration) Duration {
	d = v.duration(field, d, otherwise)
	if d < least || d > maxSearchTime {
		v.found.add(field, "is %s; allowed: %s to %s", d, least, maxSearchTime)
	}
	return d
}

// searchStart fills in and checks the load of the first step.
func (v *resolver) searchStart(s *LoadSearch, load *ScenarioLoad) {
	ceiling, what := float64(load.Connections), "all connections of load.workers × load.connections"
	if load.Mode == ModeFindQPS {
		ceiling, what = load.Rate, "load.rate"
	}
	if !(ceiling > 0) {
		return // said already
	}
	least := leastWindowOperations / s.Window.Std().Seconds()
	switch {
	case s.Start == 0 && load.Mode == ModeFindQPS:
		s.Start = min(max(ceiling/100, least), ceiling)
	case s.Start == 0:
		s.Start = 1
	}
	switch {
	case !(s.Start > 0 && s.Start <= ceiling):
		v.found.add("load.search.start", "is %v; allowed: above 0, up to %s, which are %v", s.Start, what, ceiling)
	case load.Mode == ModeFindConcurrency && s.Start != math.Trunc(s.Start):
		v.found.add("load.search.start", "is %v; allowed: a whole number of connections over all workers", s.Start)
	case load.Mode == ModeFindQPS && s.Start < least*(1-1e-9):
		v.found.add("load.search.start", "is %v operations per second, which makes fewer than %d in the load.search.window of %s; allowed: at least %v, or a longer window",
			s.Start, leastWindowOperations, s.Window, least)
	}
}

// searchObjectives refuses objectives that a search cannot keep.
func (v *resolver) searchObjectives(slos []SLO, load ScenarioLoad) {
	if !searching(load.Mode) {
		return
	}
	for i, s := range slos {
		switch {
		case s.Metric == metricThroughput:
			v.found.add(indexed("slos", i), "is %q, but the throughput is what load.mode %s looks for; allowed: latencies and error_rate, which limit it", s.Text, load.Mode)
		case s.Abort:
			v.found.add(indexed("slos", i), "is %q, but a search misses its objectives on purpose; write it without abort", s.Text)
		case s.For > 0:
			v.found.add(indexed("slos", i), "is %q, but a search judges window by window; write it without for", s.Text)
		}
	}
}

// searchPlan is what the run machine needs of the search; nil: there is none.
func (s Scenario) searchPlan() *SearchPlan {
	if s.Load.Search == nil {
		return nil
	}
	plan := &SearchPlan{
		OpenLoop: s.Load.OpenLoop(), Poisson: s.Load.Arrivals == ArrivalsPoisson, Start: s.Load.Search.Start, Ceiling: float64(s.Load.Connections),
		Growth: s.Load.Search.Growth, Resolution: s.Load.Search.Resolution / 100,
		Settle: s.Load.Search.Settle.Std(), Window: s.Load.Search.Window.Std(),
		Errors: searchErrors,
	}
	if plan.OpenLoop {
		plan.Ceiling = s.Load.Rate
	}
	for _, slo := range s.SLOs {
		switch {
		case slo.Metric != metricErrorRate:
			plan.Objectives = true // of a latency: others are refused
		case slo.Kind == "":
			plan.Errors = 0
		}
	}
	return plan
}
