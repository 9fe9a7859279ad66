package core

import (
	"math"
	"time"
)

// A search looks for the most load that a target bears: connections of a closed
// loop, or a rate of an open one. It goes up by a factor until a load is missed, and
// then halves the gap between the highest load that was borne and the lowest that
// was missed, until that is within the resolution. Each step is judged by complete
// windows behind its settling time. One window is enough to bear a load; a miss
// counts when a second window misses too, or two of three. At last the answer is
// held for three windows: if two of them miss it, the search goes on below it.
//
// Laws: no step is above the ceiling or below the floor; every window that is
// measured is one step nearer to the end; the whole state is in the run.

// SearchPlan is what a search needs of a scenario. Loads are connections over all
// workers, or operations per second.
type SearchPlan struct {
	OpenLoop   bool          `json:"open_loop,omitempty"` // the load is a rate
	Poisson    bool          `json:"poisson,omitempty"`   // of random arrivals
	Start      float64       `json:"start"`
	Ceiling    float64       `json:"ceiling"`
	Growth     float64       `json:"growth"`     // factor of each step until the first miss
	Resolution float64       `json:"resolution"` // of the answer, as a share of it; connections: at least one
	Settle     time.Duration `json:"settle_ns"`  // of each step, before its first window
	Window     time.Duration `json:"window_ns"`
	// Objectives says that the scenario has one of a latency; without any a queue is
	// told by the mean latency. Errors is the share of operations that may fail; 0: an objective
	// says so.
	Objectives bool    `json:"objectives,omitempty"`
	Errors     float64 `json:"errors,omitempty"`
}

// The bounds of a search.
const (
	SearchConfirm  = 3   // windows of a step at most, and of the last one
	maxSearchSteps = 100 // a search that is not over by then ends
	searchDepth    = 1000
)

// floor is the lowest load that is tried.
func (p *SearchPlan) floor() float64 {
	if p.OpenLoop {
		return max(minRate, p.Start/searchDepth)
	}
	return 1
}

// tolerance is how far a missed load may be above one that was borne.
func (p *SearchPlan) tolerance(borne float64) float64 {
	if p.OpenLoop {
		return borne * p.Resolution
	}
	return max(1, math.Floor(borne*p.Resolution))
}

// round makes a load one that can be asked for.
func (p *SearchPlan) round(load float64) float64 {
	load = min(max(load, p.floor()), p.Ceiling)
	if !p.OpenLoop {
		return math.Round(load)
	}
	digits := math.Pow(10, 3-math.Floor(math.Log10(load))) // four of them
	return min(max(math.Round(load*digits)/digits, p.floor()), p.Ceiling)
}

// StepOutcome says what became of a step of a search.
type StepOutcome string

// The outcomes.
const (
	StepBorne      StepOutcome = "BORNE"
	StepMissed     StepOutcome = "SLO_MISSED"
	StepErrors     StepOutcome = "ERRORS"
	StepQueue      StepOutcome = "QUEUE_DETECTED"
	StepUnfinished StepOutcome = "UNFINISHED" // the run ended before
)

// The directions of a step.
const (
	StepStart = "START"
	StepUp    = "UP"
	StepDown  = "DOWN"
	StepHold  = "HOLD"  // the answer, once more
	StepAgain = "AGAIN" // what fewer workers had too few connections for
)

// SearchStep is one load and what came of it.
type SearchStep struct {
	Load      float64      `json:"load"`
	Direction string       `json:"direction"`
	Workers   int          `json:"workers"`
	Start     time.Time    `json:"start,omitzero"`
	End       time.Time    `json:"end,omitzero"` // zero while it is at hand
	Borne     int          `json:"borne,omitempty"`
	Missed    int          `json:"missed,omitempty"` // windows
	Total     SearchWindow `json:"total,omitzero"`   // all of its windows
	Outcome   StepOutcome  `json:"outcome,omitempty"`
	Why       string       `json:"why,omitempty"`   // it was missed
	Queue     bool         `json:"queue,omitempty"` // more load brought next to nothing but waiting
}

// Search is the state of a search: plain data, never modified in place.
type Search struct {
	Steps    []SearchStep `json:"steps"` // the last one is at hand
	Good     float64      `json:"good,omitempty"`
	Missed   float64      `json:"missed,omitempty"` // the lowest load above Good that was; 0: none
	Ceiling  float64      `json:"ceiling"`          // the plan's, or what workers that were lost leave of it
	Baseline SearchWindow `json:"baseline,omitzero"`
	Lowest   float64      `json:"lowest,omitempty"` // load of the baseline: the lowest that was borne
	Over     bool         `json:"over,omitempty"`
}

// NewSearch is a search at its first step.
func NewSearch(p SearchPlan, workers int) Search {
	return Search{Ceiling: p.Ceiling, Steps: []SearchStep{{Load: p.round(p.Start), Direction: StepStart, Workers: workers}}}
}

// Current is the step at hand, or the last one when the search is over.
func (s *Search) Current() *SearchStep { return &s.Steps[len(s.Steps)-1] }

// Windows is how many windows of the step at hand were judged.
func (s *SearchStep) Windows() int { return s.Borne + s.Missed }

// Wanted is how many windows the step needs, as far as is known.
func (s *SearchStep) Wanted() int {
	switch {
	case s.Direction == StepHold, s.Borne > 0 && s.Missed > 0:
		return SearchConfirm
	case s.Missed > 0:
		return 2
	default:
		return 1
	}
}

// decided reports whether the step needs no further window, and if it was borne.
func (s *SearchStep) decided() (over, borne bool) {
	switch {
	case s.Missed == 2:
		return true, false
	case s.Direction == StepHold || s.Missed > 0:
		return s.Borne == 2 && s.Missed > 0 || s.Borne == SearchConfirm, true
	default:
		return s.Borne > 0, true
	}
}

// Observe takes in one window of the step at hand, which total sums up with the
// step's earlier ones. The search that follows may be at another step, or over.
func (s Search) Observe(p SearchPlan, at time.Time, workers int, window, total SearchWindow) Search {
	if s.Over {
		return s
	}
	s.Steps = append([]SearchStep(nil), s.Steps...)
	step := s.Current()
	if !p.OpenLoop && window.Connections+0.5 < step.Load { // workers were lost: it is another load
		*step = SearchStep{Load: max(1, math.Round(window.Connections)), Direction: step.Direction, Start: step.Start}
		s.Ceiling = min(s.Ceiling, step.Load)
		total = window
	}
	step.Workers = workers // those that were launched for it and have not joined are no part of it
	if step.Start.IsZero() {
		step.Start = window.Start
	}
	outcome, why := s.judge(&p, step.Load, &window)
	if outcome == StepBorne {
		step.Borne++
		if s.Lowest == 0 || step.Load < s.Lowest {
			s.Lowest, s.Baseline = step.Load, window
		}
	} else {
		step.Missed++
		step.Outcome, step.Why = outcome, why
	}
	if total.Intervals < step.Total.Intervals+window.Intervals { // a former owner gathered the earlier windows
		total = step.Total.and(window)
	}
	step.Total = total
	step.Queue = s.queue(&p, step.Load, &total)
	over, borne := step.decided()
	if !over {
		return s
	}
	step.End = at
	if borne {
		step.Outcome, step.Why = StepBorne, ""
	}
	s.proceed(&p, at, workers, borne)
	return s
}

// proceed goes on from a step that is decided.
func (s *Search) proceed(p *SearchPlan, at time.Time, workers int, borne bool) {
	step := *s.Current()
	switch {
	case borne && step.Direction == StepHold:
		s.Good, s.Over = min(s.Good, step.Load), true // less where workers were lost
		return
	case borne:
		s.Good = max(s.Good, step.Load)
	default:
		s.Missed = step.Load
		s.Good = s.below(step.Load)
	}
	next, direction := s.next(p)
	if direction == "" || len(s.Steps) >= maxSearchSteps {
		s.Over = true
		return
	}
	s.Steps = append(s.Steps, SearchStep{Load: next, Direction: direction, Workers: workers, Start: at})
}

// again is the search at a load that was missed for want of connections, now with more
// workers. Nothing that fewer of them missed counts any more.
func (s Search) again(load float64, workers int, at time.Time) Search {
	s.Steps = append([]SearchStep(nil), s.Steps...)
	if s.Current().End.IsZero() { // it was to follow, and has not begun
		s.Steps = s.Steps[:len(s.Steps)-1]
	}
	s.Steps = append(s.Steps, SearchStep{Load: load, Direction: StepAgain, Workers: workers, Start: at})
	s.Missed, s.Over = 0, false
	return s
}

// below is the highest load under a limit that was borne and not missed since.
func (s *Search) below(limit float64) (load float64) {
	for i := range s.Steps {
		if step := &s.Steps[i]; step.Outcome == StepBorne && step.Load < limit {
			load = max(load, step.Load)
		}
	}
	return load
}

// next is the load of the step that follows; no direction when nothing does.
func (s *Search) next(p *SearchPlan) (load float64, direction string) {
	least := 1.0 // connections
	if p.OpenLoop {
		least = 0
	}
	switch {
	case s.Good >= s.Ceiling: // which may have come down
		return s.Good, StepHold
	case s.Missed == 0:
		return min(max(p.round(s.Good*p.Growth), s.Good+least), s.Ceiling), StepUp
	case s.Good == 0 && s.Missed <= p.floor():
		return 0, ""
	case s.Good == 0:
		down := p.round(s.Missed / p.Growth)
		return max(p.floor(), min(down, s.Missed-least)), StepDown
	case s.Missed-s.Good <= p.tolerance(s.Good):
		return s.Good, StepHold
	}
	middle := min(p.round((s.Good+s.Missed)/2), s.Ceiling)
	if middle <= s.Good || middle >= s.Missed { // the resolution is finer than loads are
		return s.Good, StepHold
	}
	if middle < s.Current().Load {
		return middle, StepDown
	}
	return middle, StepUp
}
