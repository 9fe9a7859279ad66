package core

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// A run may have more workers than it launches at its start. The others are
// Planned until more load is asked for than the workers there can make. Then the
// next ones are launched, in order; one that is ready joins: the load is shared
// anew over all. One that cannot join ends no run: that is recorded, and no further
// worker is tried.

// AtStart is how many workers are launched at the start.
func (p Plan) AtStart() int {
	if p.Initial > 0 && p.Initial < p.Workers {
		return p.Initial
	}
	return p.Workers
}

// grows reports whether workers may be added while the run goes on.
func (p Plan) grows() bool { return p.AtStart() < p.Workers }

// needs is how many workers, the first ones, a load needs: those that have as many
// connections as it asks for. Of a rate it is the same share of the workers as of
// the highest rate.
func (p Plan) needs(connections int, rate float64) int {
	if p.Rate > 0 && rate > 0 {
		share := float64(p.Workers) * rate / p.Rate
		return max(p.AtStart(), min(p.Workers, int(math.Ceil(share*(1-1e-9)))))
	}
	n := p.AtStart()
	for n < p.Workers && p.within(n) < connections {
		n++
	}
	return n
}

// Opens is how many connections the worker with that zero-based index has open: the
// most that it may be asked to keep.
func (p Plan) Opens(worker int) int {
	_, count := Connections(p.Connections, p.Workers, worker)
	return count
}

// within is how many connections the first n workers have.
func (p Plan) within(n int) int {
	first, _ := Connections(p.Connections, p.Workers, n)
	if n >= p.Workers {
		return p.Connections
	}
	return first
}

// launchFor launches the workers that a load needs and that are not there.
func (r *Run) launchFor(needed int, at time.Time) {
	for i := range r.Workers[:min(needed, len(r.Workers))] {
		w := &r.Workers[i]
		if w.Life == Planned && r.Unjoined == "" {
			w.Life, w.Epoch = Launching, 1
			w.Joining, w.JoinBy = true, at.Add(r.Plan.StartTimeout)
		}
	}
}

// join lets the workers take part that have become ready while the load goes on. A rate
// is shared over the first ones, so none of them joins before those before it have.
func (r *Run) join(at time.Time) {
	joined := false
	for i := range r.Workers {
		w := &r.Workers[i]
		if w.Joining && w.Life == Ready && !w.Silent {
			w.Joining, w.JoinBy, w.Since = false, time.Time{}, at.Add(r.Plan.PhaseLead)
			joined = true
		}
		if w.Joining && r.Plan.Rate > 0 {
			break
		}
	}
	if joined {
		r.Aim.Number++
		r.Aim.At = at.Add(r.Plan.PhaseLead)
		r.Aim.Workers = min(r.Aim.Wanted, r.takingPart())
		r.shareAim(at)
	}
}

// takingPart is how many workers, the first ones, have taken part in the load,
// lost ones among them.
func (r *Run) takingPart() int {
	for i := range r.Workers {
		if w := &r.Workers[i]; w.Life == Planned || w.Joining {
			return i
		}
	}
	return len(r.Workers)
}

// Asked is how many workers, the first ones, were or are to be launched: all save
// those that may join later and that nobody has needed yet.
func (r Run) Asked() int {
	n := min(r.Plan.AtStart(), len(r.Workers))
	for n < len(r.Workers) && r.Workers[n].Life != Planned {
		n++
	}
	return n
}

// loading is how many workers make load: the joining ones do not yet.
func (r *Run) loading() int {
	n := r.aliveCount()
	for i := range r.Workers {
		if w := &r.Workers[i]; w.Joining && w.Life.Alive() {
			n--
		}
	}
	return n
}

// beginAim is the load of those that are launched at the start, where there may be
// more.
func (r *Run) beginAim() {
	if !r.Plan.grows() {
		return
	}
	n := r.Plan.AtStart()
	if r.Aim.Number == 0 {
		r.Aim = Aim{Number: 1, Connections: r.Plan.within(n)}
	}
	r.Aim.Workers, r.Aim.Wanted = n, n
}

// needsFirst is how many workers the first step of a search needs.
func (p Plan) needsFirst() int {
	if p.Search.OpenLoop {
		return p.needs(0, p.Search.Start)
	}
	return p.needs(int(p.Search.Start), 0)
}

// first is the plan with as many workers at the start as the first step of a search
// needs, if there is one.
func (p Plan) first() Plan {
	if p.grows() && p.Search != nil {
		p.Initial = p.needsFirst()
	}
	return p
}

// limit leaves the run with so many of its workers, the first ones: the others are never
// asked for. 0 leaves it all.
func (r *Run) limit(most int) {
	if most <= 0 || most >= r.Plan.Workers {
		return
	}
	fewer := most < r.Plan.AtStart()
	r.Plan.Rate *= float64(most) / float64(r.Plan.Workers) // so that a rate needs as many workers as before
	r.Plan.Connections, r.Plan.Workers = r.Plan.within(most), most
	if fewer { // than were to begin: of a rate
		for i := range r.Workers[most:] {
			r.Workers[most+i].Target = 0
		}
		r.Aim.Number, r.Aim.Workers, r.Aim.Wanted = max(r.Aim.Number, 1), most, most
		r.Aim.Connections = r.Plan.Connections
	}
	r.Aim.Connections = min(r.Aim.Connections, r.Plan.Connections)
	if r.Search == nil || r.Plan.Search.OpenLoop {
		return
	}
	plan, search := *r.Plan.Search, *r.Search
	plan.Ceiling = min(plan.Ceiling, float64(r.Plan.Connections))
	search.Ceiling = plan.Ceiling
	r.Plan.Search, r.Search = &plan, &search
}

// giveUpAt is when a worker is given up: one that fell silent and is killed, or one
// that should have joined. Zero: never.
func (w *WorkerRecord) giveUpAt() time.Time {
	switch {
	case !w.Life.Alive():
		return time.Time{}
	case w.Silent:
		return w.KillBy
	case w.Joining:
		return w.JoinBy
	default:
		return time.Time{}
	}
}

// giveUpOnJoining ends the workers that did not join in time.
func (r *Run) giveUpOnJoining(at time.Time) {
	for i := range r.Workers {
		w := &r.Workers[i]
		if w.Joining && w.Life.Alive() && !w.Silent && !at.Before(w.JoinBy) && r.Status == Running {
			text := fmt.Sprintf("not ready within %s (%s)", r.Plan.StartTimeout, strings.ToLower(string(w.Life)))
			if w.Life == Ready {
				text = "a worker before it could not join"
			}
			if w.Message != "" {
				text += ": " + w.Message
			}
			r.giveUpJoining(w, at, text)
		}
	}
}

// giveUpJoining ends a worker that cannot join: whatever runs of it is killed.
func (r *Run) giveUpJoining(w *WorkerRecord, at time.Time, why string) {
	if !w.Life.Alive() || w.Silent {
		return
	}
	w.Silent, w.KillBy, w.Message = true, at.Add(r.Plan.KillTimeout), why
	r.noteUnjoined(w, at)
}

// unjoined records a worker that is gone, or that nothing could end, before it had
// joined.
func (r *Run) unjoined(w *WorkerRecord, at time.Time) {
	if w.Message == "" {
		w.Message = w.Exit.Cause
	}
	r.noteUnjoined(w, at)
}

// noteUnjoined records the first worker that could not join, and asks for no more
// than the others have.
func (r *Run) noteUnjoined(w *WorkerRecord, at time.Time) {
	if r.Unjoined != "" {
		return
	}
	r.Unjoined = fmt.Sprintf("%s could not join the load: %s", w.ID, w.Message)
	reach := 0
	for i := range r.Workers {
		if o := &r.Workers[i]; o.Life.Alive() && !o.Silent {
			reach += r.Plan.Opens(i)
		}
	}
	r.Aim.Connections = min(r.Aim.Connections, reach)
	if r.Search != nil && !r.Plan.Search.OpenLoop && !r.Search.Over { // the step at hand cannot be made
		r.requestEnd(at, Guardrail, "the search cannot go on: "+r.Unjoined)
	}
	r.emit(ControlEvent{Type: EventGuardrail, Scope: ScopeWorker, WorkerID: w.ID, Epoch: w.Epoch, Detail: r.Unjoined, At: at})
}
