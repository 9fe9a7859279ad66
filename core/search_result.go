package core

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// MaxKind says whether a search has found the target's limit.
type MaxKind string

// The kinds of a maximum.
const (
	TrueMax    MaxKind = "TRUE_MAX"    // a load within the resolution above it was missed
	BoundedMax MaxKind = "BOUNDED_MAX" // the target may bear more: something else was the limit
)

// The bounds of a BOUNDED_MAX.
const (
	BoundConnections = "CONNECTIONS"    // all that there are, of an open loop those that serve
	BoundRate        = "RATE"           // load.rate
	BoundTime        = "TIME"           // load.duration
	BoundGenerator   = "LOAD_GENERATOR" // its CPU was full when the load was missed, or it overslept
	BoundStopped     = "STOPPED"        // the run was ended by something else
	BoundFloor       = "FLOOR"          // no load that was tried was borne
	BoundSteps       = "STEPS"          // a search makes no more
)

// SearchResult is what a search has found. Loads are connections over all workers,
// or operations per second.
type SearchResult struct {
	Mode       string  `json:"mode"`
	Kind       MaxKind `json:"kind"`
	Bound      string  `json:"bound,omitempty"` // of a BOUNDED_MAX
	Load       float64 `json:"load"`            // the most that was borne; 0: none
	Missed     float64 `json:"missed,omitempty"`
	Why        string  `json:"why,omitempty"`      // it was missed
	Resolution float64 `json:"resolution_percent"` // that was asked for
	Sentence   string  `json:"sentence"`

	// Of all windows at that load: how many were borne of those that were judged, the
	// throughput with the half width of its 95 % confidence interval from the means of
	// so many intervals (0: unknown), and latencies.
	Borne      int           `json:"windows_borne"`
	Windows    int           `json:"windows"`
	Intervals  int           `json:"intervals"`
	Throughput float64       `json:"qps"`
	PlusMinus  float64       `json:"qps_plus_minus"`
	P50        time.Duration `json:"p50_ns"`
	P95        time.Duration `json:"p95_ns"`
	P99        time.Duration `json:"p99_ns"`
	Errors     float64       `json:"error_rate"`
	Objectives []SLOResult   `json:"objectives,omitempty"`

	Steps []ControllerStep `json:"steps"`
}

// SearchResult is what the run's search has found; nil where there is none. While it
// goes on it is what is known so far.
func (r *Run) SearchResult(mode string) *SearchResult {
	return r.searchResult(mode, true)
}

// searchResult is told whether the CPU of the workers is the target's work.
func (r *Run) searchResult(mode string, embedded bool) *SearchResult {
	s, p := r.Search, r.Plan.Search
	if s == nil || p == nil {
		return nil
	}
	result := &SearchResult{
		Mode: mode, Load: s.Good, Missed: s.Missed, Resolution: p.Resolution * 100,
		Steps: r.ControllerSteps(),
	}
	result.gather(s)
	missed := s.last(s.Missed, StepMissed, StepErrors, StepQueue)
	if missed != nil {
		result.Why = missed.Why
	}
	result.Kind = TrueMax
	if result.Bound = s.bound(p, r.Reason, missed, embedded); result.Bound != "" {
		result.Kind = BoundedMax
	}
	result.Sentence = result.sentence(p)
	return result
}

// found reports whether the run's search has found a load that is borne.
func (r *Run) found() bool { return r.Search != nil && r.Search.Good > 0 }

// last is the newest step at a load that ended in one of some ways.
func (s *Search) last(load float64, outcomes ...StepOutcome) *SearchStep {
	for i := len(s.Steps) - 1; i >= 0; i-- {
		for _, outcome := range outcomes {
			if step := &s.Steps[i]; step.Load == load && step.Outcome == outcome && !step.End.IsZero() {
				return step
			}
		}
	}
	return nil
}

// searchAnswer is what was measured at the load that was found.
type searchAnswer struct {
	sum            SearchWindow // counts and time
	longest        *SearchStep  // nil: nothing was
	borne, windows int
}

func (s *Search) answer() (a searchAnswer) {
	for i := range s.Steps {
		step := &s.Steps[i]
		if step.Load != s.Good || step.Windows() == 0 || s.Good == 0 {
			continue
		}
		if step.Direction == StepAgain { // what fewer workers made of it counts no more
			a = searchAnswer{}
		}
		a.borne, a.windows = a.borne+step.Borne, a.windows+step.Windows()
		a.sum.count(&step.Total)
		if a.longest == nil || step.Total.Seconds >= a.longest.Total.Seconds {
			a.longest = step
		}
	}
	return a
}

// gather takes in what was measured at the load that was found. Percentiles are
// those of its longest step: windows of different steps are not merged any more.
func (r *SearchResult) gather(s *Search) {
	a := s.answer()
	sum, longest := a.sum, a.longest
	r.Borne, r.Windows = a.borne, a.windows
	if longest == nil {
		if s.Missed > 0 { // nothing was borne
			if missed := s.last(s.Missed, StepMissed, StepErrors, StepQueue); missed != nil {
				r.Objectives = missed.Total.Objectives
			}
		}
		return
	}
	r.Intervals, r.Throughput, r.PlusMinus = sum.Intervals, sum.Throughput(), sum.plusMinus()
	r.Errors = errorRate(Counts{OK: sum.OK, Errors: sum.Errors})
	r.P50, r.P95, r.P99 = longest.Total.P50, longest.Total.P95, longest.Total.P99
	r.Objectives = slices.Clone(longest.Total.Objectives)
	for i := range r.Objectives { // the load was borne: most windows have met all of them
		if o := &r.Objectives[i]; !o.Met && !o.Unknown {
			o.Met, o.Mostly = true, true
		}
	}
}

// plusMinus is the half width of the 95 % confidence interval of the mean of the
// intervals' rates; 0 when there are too few.
func (w *SearchWindow) plusMinus() float64 {
	n := float64(w.Intervals)
	if n < 2 {
		return 0
	}
	variance := max(0, (w.Squares-w.Rates*w.Rates/n)/(n-1))
	return studentQuantile(0.975, n-1) * math.Sqrt(variance/n)
}

// bound is what kept the search from the target's own limit; "" for nothing.
func (s *Search) bound(p *SearchPlan, reason Reason, missed *SearchStep, embedded bool) string {
	switch {
	case s.Missed == 0 && s.Good >= s.Ceiling && p.OpenLoop:
		return BoundRate
	case s.Missed == 0 && s.Good >= s.Ceiling:
		return BoundConnections
	case missed != nil && missed.Total.generatorFull(embedded):
		return BoundGenerator
	case missed != nil && p.OpenLoop && s.fewConnections(missed) && !(embedded && missed.Total.CPU > degradedCPU):
		return BoundConnections // and not the CPU, filled by the work of a target within the workers
	case !s.Over && (reason == "" || reason == Elapsed): // be it that only the answer was to be held
		return BoundTime
	case !s.Over:
		return BoundStopped
	case s.Missed > 0 && s.Good > 0 && s.Missed-s.Good <= p.tolerance(s.Good):
		return ""
	case s.Good > 0 && s.Good >= s.Ceiling: // workers were lost
		return BoundConnections
	case s.Current().Direction == StepHold && s.Current().Outcome == StepBorne: // loads are coarser than the resolution
		return ""
	case s.Good > 0 || s.Missed > p.floor():
		return BoundSteps
	case !p.OpenLoop && (missed == nil || missed.Outcome != StepErrors):
		return "" // not even one connection
	default:
		return BoundFloor
	}
}

// generatorFull reports whether the load generator itself could not do more: its CPU
// was full, or it started arrivals late for which connections were waiting.
func (w *SearchWindow) generatorFull(embedded bool) bool {
	overslept := w.Overslept >= leastStalls && float64(w.Overslept) > degradedOverslept*float64(w.Scheduled)
	return !embedded && (w.CPU > degradedCPU || overslept)
}

// fewConnections reports whether an open loop was missed since arrivals waited for
// connections of a target that was as fast as ever: more of them would have served more.
// They were all busy by Little's law, or, as random arrivals do, too many found none free.
func (s *Search) fewConnections(missed *SearchStep) bool {
	w := &missed.Total
	busy := w.Throughput() * w.Service.Seconds()
	waited := float64(w.Waited) > pursuitWaited*float64(w.Scheduled)
	return missed.Outcome != StepErrors && w.Connections > 0 && (busy > 0.9*(w.Connections-w.Missing) || waited) &&
		float64(w.Service) < 1.25*float64(s.Baseline.Service)
}

// sentence is the result in words.
func (r *SearchResult) sentence(p *SearchPlan) string {
	text := fmt.Sprintf("at most %s: %s", p.InWords(r.Load), r.Kind)
	switch {
	case r.Load == 0:
		text = fmt.Sprintf("no load that was tried was borne: %s", r.Kind)
	case r.Kind == BoundedMax:
		text = fmt.Sprintf("at least %s: %s", p.InWords(r.Load), r.Kind)
	}
	switch r.Bound {
	case BoundConnections:
		text += ", since there are no more connections"
		if p.OpenLoop {
			text += ": operations waited for one, of a target that was as fast as before"
		}
	case BoundRate:
		text += ", since load.rate allows no more"
	case BoundTime:
		text += ", since the time limit of load.duration came first"
	case BoundGenerator:
		text += ", since the load generator could do no more: its CPU was full, or it started operations late by itself"
	case BoundStopped:
		text += ", since the run was ended before"
	case BoundSteps:
		text += fmt.Sprintf(", since a search ends after %d steps: a larger load.search.growth or resolution needs fewer", maxSearchSteps)
	}
	if r.Load > 0 && r.Windows > 0 {
		text += fmt.Sprintf(". It gave %.1f", r.Throughput)
		if r.PlusMinus > 0 {
			text += fmt.Sprintf(" ± %.1f", r.PlusMinus)
		}
		text += fmt.Sprintf(" operations per second with a p95 of %s, and was borne in %d of %d windows", briefly(r.P95), r.Borne, r.Windows)
	}
	if r.Missed > 0 {
		text += fmt.Sprintf(". %s was missed: %s", p.InWords(r.Missed), r.Why)
	}
	return text
}

// ControllerSteps are the steps of the run's search as they are stored: those that
// are over, and once a run ends that has made load the one that was at hand, be it
// without a window. The last one says why none follows.
func (r *Run) ControllerSteps() []ControllerStep {
	s, p := r.Search, r.Plan.Search
	if s == nil || p == nil {
		return nil
	}
	var list []ControllerStep
	for i := range s.Steps {
		step := &s.Steps[i]
		if step.End.IsZero() && (!r.Status.Ending() && !r.Status.Terminal() || r.Origin.IsZero()) {
			continue
		}
		var before *SearchStep
		if i > 0 {
			before = &s.Steps[i-1]
		}
		c := r.controllerStep(i+1, step, before)
		if i == len(s.Steps)-1 {
			c.StopReason = r.searchEnd()
		}
		list = append(list, c)
	}
	return list
}

// searchEnd says why no step follows.
func (r *Run) searchEnd() string {
	switch s, p := r.Search, r.Plan.Search; {
	case !s.Over && r.Reason == Elapsed:
		return "the time limit"
	case !s.Over:
		return string(r.Reason)
	case s.Good >= s.Ceiling:
		return "the bound of " + p.InWords(s.Ceiling)
	case len(s.Steps) >= maxSearchSteps:
		return fmt.Sprintf("the bound of %d steps", maxSearchSteps)
	case s.Good == 0:
		return "nothing was borne"
	default:
		return fmt.Sprintf("%s was borne and %s missed", p.number(s.Good), p.number(s.Missed))
	}
}

func (r *Run) controllerStep(number int, step, before *SearchStep) ControllerStep {
	s, p, w := r.Search, r.Plan.Search, &step.Total
	c := ControllerStep{
		RunID: r.ID, Type: StepFindMax, Number: number, Workers: step.Workers, Direction: step.Direction,
		Start: step.Start, End: step.End, Operations: int64(w.OK), QPS: w.Throughput(),
		P50: w.P50, P95: w.P95, P99: w.P99, Errors: int64(w.Errors), QueueDetected: step.Queue, Outcome: string(step.Outcome),
	}
	if c.Start.IsZero() { // the first one, without a window
		c.Start = r.Origin
	}
	if step.End.IsZero() {
		c.End, c.Outcome = later(c.Start, later(r.StopAt, r.GoneAt)), string(StepUnfinished)
	}
	measured := step.Windows() > 0
	c.ToConnections, c.FromConnections = int(step.Load), 0
	if before != nil {
		c.FromConnections = int(before.Load)
		if q := before.Total.Throughput(); q > 0 && measured {
			gain := w.Throughput()/q - 1
			c.QPSVsPrior = &gain
		}
	}
	if p.OpenLoop {
		c.ToConnections = r.Plan.within(step.Workers)
		c.FromConnections = c.ToConnections
		if before != nil {
			c.FromConnections = r.Plan.within(before.Workers)
		}
		target := step.Load
		c.TargetQPS = &target
		if measured {
			off := (w.Throughput()/target - 1) * 100
			c.QPSErrorPercent = &off
		}
	}
	if base := s.Baseline.P95; base > 0 && measured {
		rise := float64(w.P95)/float64(base) - 1
		c.P95VsBaseline = &rise
	}
	return c
}
