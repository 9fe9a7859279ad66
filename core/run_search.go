package core

import (
	"fmt"
	"strconv"
	"time"
)

// beginSearch gives a new run that searches the load of its first step.
func (r *Run) beginSearch() {
	if r.Plan.Search == nil {
		return
	}
	search := NewSearch(*r.Plan.Search, r.Plan.AtStart())
	r.Search = &search
	r.Aim = Aim{Number: 1, Connections: r.Plan.Connections}
	if load := search.Current().Load; r.Plan.Search.OpenLoop {
		r.Aim.Rate = load
	} else {
		r.Aim.Connections = int(load)
	}
	var most []int
	for i := range r.Workers {
		most = append(most, r.Workers[i].Target)
	}
	for i, target := range ShareBetween(r.Aim.Connections, r.Plan.Floor, most) {
		r.Workers[i].Target = target
	}
}

// windowMeasured takes one window into the search, and sets the load of the step
// that follows, or ends the run.
func (r *Run) windowMeasured(e WindowMeasured) {
	if r.Status != Running || r.Search == nil || r.Search.Over ||
		e.Step != len(r.Search.Steps) || e.Number != r.Search.Current().Windows()+1 {
		return // late, or repeated
	}
	next := r.Search.Observe(*r.Plan.Search, e.At, r.loading(), e.Window, e.Total)
	workers := r.Aim.Workers
	if load, more := r.wants(&next, e.Step); more > workers {
		next, workers = next.again(load, more, e.At), more
	}
	r.Search = &next
	switch {
	case next.Over:
		r.requestEnd(e.At, TargetFound, fmt.Sprintf("the search has ended with step %d", len(next.Steps)))
	case len(next.Steps) > e.Step:
		set := LoadSet{At: e.At, Connections: r.Plan.Connections, Workers: workers}
		if load := next.Current().Load; r.Plan.Search.OpenLoop {
			set.Rate = load
		} else {
			set.Connections = int(load)
		}
		set.Detail = r.stepDetail()
		number := r.Aim.Number
		if r.setLoad(set); r.Aim.Number == number { // it is so already
			r.tellStep(e.At)
		}
		r.Search.Current().Workers = r.aliveCount() // with those that this step needs
	}
}

// wants is how many workers a rate needs that was missed, as far as is known once a step
// is over, for want of connections alone; 0: none more, or there are none.
func (r *Run) wants(s *Search, step int) (load float64, workers int) {
	missed := s.last(s.Missed, StepMissed, StepErrors, StepQueue)
	switch {
	case s.Steps[step-1].End.IsZero() || missed == nil || step >= maxSearchSteps:
	case !r.Plan.Search.OpenLoop || r.Aim.Workers >= r.Plan.Workers || r.Unjoined != "" || !r.Plan.grows():
	case missed.Total.generatorFull(false) || missed.Total.lacking() || !s.fewConnections(missed): // more would not help
	default:
		return missed.Load, moreWorkers(r.Plan, r.Aim.Workers, missed.Load, missed.Total.Service)
	}
	return 0, 0
}

// tellStep publishes the step at hand.
func (r *Run) tellStep(at time.Time) {
	if r.Search != nil {
		r.emit(ControlEvent{Type: EventStep, Scope: ScopeRun, Target: r.Aim.Connections, Effective: r.Aim.At, Detail: r.stepDetail(), At: at})
	}
}

// stepDetail says which step is at hand, and what is known.
func (r *Run) stepDetail() string {
	s := r.Search
	detail := fmt.Sprintf("step %d: %s", len(s.Steps), r.Plan.Search.InWords(s.Current().Load))
	if s.Current().Direction == StepHold {
		detail += ", held once more"
	}
	if s.Good > 0 {
		detail += fmt.Sprintf("; %s was borne", r.Plan.Search.number(s.Good))
	}
	if s.Missed > 0 {
		detail += fmt.Sprintf("; %s was missed", r.Plan.Search.number(s.Missed))
	}
	return detail
}

// SearchLine says where the search stands: "step 5: 32 connections, window 2 of 3, best
// 24"; nothing when there is none, it is over, or it is not known.
func (r *Run) SearchLine() string {
	s, p := r.Search, r.Plan.Search
	if s == nil || p == nil || s.Over {
		return ""
	}
	step := s.Current()
	text := fmt.Sprintf("step %d: %s", len(s.Steps), p.InWords(step.Load))
	if step.Direction == StepHold {
		text += " once more"
	}
	text += fmt.Sprintf(", window %d of %d", step.Windows()+1, step.Wanted())
	if s.Good > 0 {
		text += ", best " + p.InWords(s.Good)
	}
	if s.Missed > 0 {
		text += ", missed " + p.InWords(s.Missed)
	}
	return text
}

// InWords is a load with its unit.
func (p *SearchPlan) InWords(load float64) string {
	switch {
	case p.OpenLoop:
		return p.number(load) + " operations per second"
	case load == 1:
		return "1 connection"
	default:
		return p.number(load) + " connections"
	}
}

func (p *SearchPlan) number(load float64) string {
	return strconv.FormatFloat(load, 'f', -1, 64)
}
