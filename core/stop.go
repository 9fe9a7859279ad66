package core

import (
	"fmt"
	"strings"
	"time"
)

// begin starts the load: every worker is ready.
func (r *Run) begin(at time.Time) {
	r.Status = Running
	r.Phase = Measurement
	if r.Plan.Warmup > 0 {
		r.Phase = Warmup
	}
	r.PhaseAt = at.Add(r.Plan.StartLead)
	r.Origin = r.PhaseAt
	if r.Plan.Duration > 0 {
		r.Until = r.Origin.Add(r.Plan.Warmup + r.Plan.Duration + r.Plan.Cooldown)
	}
	r.emit(ControlEvent{Type: EventStart, Scope: ScopeRun, Phase: r.Phase, Effective: r.PhaseAt, At: at})
	r.tellStep(at)
	r.schedule()
}

// schedule sets the deadline of the present phase: the moment at which the next
// one is published, a lead ahead of its taking effect.
func (r *Run) schedule() {
	limit := r.Origin.Add(r.Plan.RunLimit)
	early := r.Plan.PhaseLead * 5 / 4 // so that a tick a little late still gives the lead
	switch {
	case r.Phase == Warmup:
		r.Deadline = r.PhaseAt.Add(r.Plan.Warmup - early)
	case r.Phase == Measurement && r.Plan.Duration > 0:
		r.Deadline = r.PhaseAt.Add(r.Plan.Duration - early)
	case r.Phase == Cooldown:
		r.Deadline = r.Until
	default:
		r.Deadline = limit
	}
	if limit.Before(r.Deadline) {
		r.Deadline = limit
	}
	if stop, ok := r.budgetStop(); ok && stop.Before(r.Deadline) {
		r.Deadline = stop
	}
}

// phaseOver publishes the next phase, or ends the load.
func (r *Run) phaseOver(at time.Time) {
	if !at.Before(r.Origin.Add(r.Plan.RunLimit)) {
		r.emit(ControlEvent{Type: EventGuardrail, Scope: ScopeRun, Detail: "run limit", At: at})
		r.requestEnd(at, Guardrail, fmt.Sprintf("the load lasted longer than the run limit of %s", r.Plan.RunLimit))
		return
	}
	if r.budgetOver(at) {
		r.requestEnd(at, Budget, fmt.Sprintf("the budget is used up but for the time that stopping takes: %s", r.Plan.BudgetText))
		return
	}
	switch r.Phase {
	case Warmup:
		r.publishPhase(Measurement, r.PhaseAt.Add(r.Plan.Warmup), at)
	case Measurement: // of a load whose end is known
		r.publishPhase(Cooldown, r.PhaseAt.Add(r.Plan.Duration), at)
	default:
		r.requestEnd(at, Elapsed, "")
	}
}

// publishPhase records a phase. Workers have known since START when it takes effect,
// so one that is published late takes effect no later.
func (r *Run) publishPhase(phase Phase, effective, at time.Time) {
	r.Phase, r.PhaseAt = phase, effective
	r.emit(ControlEvent{Type: EventSetPhase, Scope: ScopeRun, Phase: phase, Effective: effective, At: at})
	r.schedule()
}

func (r *Run) stop(e StopRequested) {
	if e.Reason.Outcome() == "" {
		e.Reason = UserRequested
	}
	if !r.Status.Ending() || e.By != "" && e.Reason.Outranks(r.Reason) {
		r.StopBy = e.By
	}
	r.requestEnd(e.At, e.Reason, e.Detail)
	if to := min(e.Rung, Kill); r.Status.Ending() && r.Step == notProcessing && r.Rung < to {
		r.climb(to, e.At)
		r.emit(ControlEvent{Type: EventStopRaised, Scope: ScopeRun, Reason: r.Reason, Rung: r.Rung.String(), By: e.By, At: e.At})
	}
}

// requestEnd is the only way towards the end of a run. STOP is published once;
// a later reason of a higher rank is published as STOP_RAISED.
func (r *Run) requestEnd(at time.Time, reason Reason, detail string) {
	switch {
	case r.Status == Prepared:
		r.Reason, r.Detail, r.StopAt = reason, detail, at
		r.end(at, reason.Outcome()) // nothing was launched
	case !r.Status.Ending():
		r.Reason, r.Detail, r.StopAt = reason, detail, at
		r.Status = endingStatus(reason)
		r.climb(Drain, at)
		r.emit(ControlEvent{Type: EventStop, Scope: ScopeRun, Reason: reason, By: r.StopBy, Detail: detail, At: at})
	case reason.Outranks(r.Reason):
		r.Reason, r.Detail = reason, detail
		r.Status = endingStatus(reason)
		r.emit(ControlEvent{Type: EventStopRaised, Scope: ScopeRun, Reason: reason, Rung: r.Rung.String(), By: r.StopBy, Detail: detail, At: at})
	}
}

func endingStatus(reason Reason) Status {
	if reason.Outcome() == Completed {
		return Stopping
	}
	return Cancelling
}

// climb moves the ladder to a rung and gives it its deadline.
func (r *Run) climb(to Rung, at time.Time) {
	r.Rung, r.ClimbedAt = to, at
	timeout := r.Plan.DrainTimeout
	switch to {
	case Cancel:
		timeout = r.Plan.CancelTimeout
	case Terminate:
		timeout = r.Plan.TerminateTimeout
	case Kill:
		timeout = r.Plan.KillTimeout
	}
	r.Deadline = at.Add(timeout)
	if to == Drain {
		r.Deadline = r.drainUntil(r.Deadline, at)
	}
}

// tick does what the clock calls for.
func (r *Run) tick(at time.Time) {
	r.giveUpOnSilent(at)
	r.giveUpOnJoining(at)
	if r.Deadline.IsZero() || at.Before(r.Deadline) {
		return
	}
	switch {
	case r.Status == Prepared:
		r.Reason, r.Detail = PreflightRefused, fmt.Sprintf("the checks did not finish within %s", r.Plan.PreflightTimeout)
		r.end(at, Failed)
	case r.Status == Starting:
		r.requestEnd(at, StartTimeout, r.notReady())
	case r.Status == Running:
		r.phaseOver(at)
	case r.Step != notProcessing:
		r.processingLate(at)
	case r.Rung < Kill:
		r.climb(r.Rung+1, at)
	default:
		r.orphanAll(at)
	}
}

// giveUpOnSilent names as orphans the silent workers that no kill has ended.
func (r *Run) giveUpOnSilent(at time.Time) {
	for i := range r.Workers {
		w := &r.Workers[i]
		if w.Silent && w.Life.Alive() && !at.Before(w.KillBy) && !r.Status.Ending() {
			w.Life, w.EndedOn = Orphan, Orphaned
			r.lose(w, at)
		}
	}
}

func (r *Run) orphanAll(at time.Time) {
	r.Rung, r.ClimbedAt = Orphaned, at
	for i := range r.Workers {
		if w := &r.Workers[i]; w.Life.Alive() {
			w.Life, w.EndedOn = Orphan, Orphaned
		}
	}
}

func (r *Run) notReady() string {
	var missing []string
	for _, w := range r.Workers {
		if w.Life == Ready || w.Life == Planned {
			continue
		}
		text := fmt.Sprintf("%s (%s)", w.ID, strings.ToLower(string(w.Life)))
		if w.Message != "" {
			text += ": " + w.Message
		}
		missing = append(missing, text)
	}
	return fmt.Sprintf("not ready within %s: %s", r.Plan.StartTimeout, firstOf(missing))
}

// process begins the work that remains when no worker is left.
func (r *Run) process(at time.Time) {
	r.Phase, r.PhaseAt, r.GoneAt = Processing, at, at
	r.Step = counting
	r.Deadline = at.Add(r.Plan.CancelTimeout)
}

func (r *Run) counted(at time.Time, answer RunningCount) {
	r.Running = answer
	r.Step = storing
	r.Deadline = at.Add(r.Plan.ProcessingTimeout)
}

func (r *Run) processingLate(at time.Time) {
	switch r.Step {
	case counting:
		r.counted(at, RunningCount{Why: fmt.Sprintf("no answer of the target came within %s", r.Plan.CancelTimeout)})
	case storing:
		r.finish(at, fmt.Sprintf("the result could not be stored within %s", r.Plan.ProcessingTimeout))
	default:
		r.finish(at, "")
	}
}

// finish makes the run terminal. A problem makes it FAILED whatever it was.
func (r *Run) finish(at time.Time, problem string) {
	status := r.Outcome()
	if r.Detail == "" {
		r.Detail = r.unfinished()
	}
	if problem != "" {
		status = Failed
		r.Detail = strings.TrimPrefix(r.Detail+"; "+problem, "; ")
	}
	r.end(at, status)
}

func (r *Run) end(at time.Time, status Status) {
	r.Status, r.EndedAt, r.Deadline = status, at, time.Time{}
	r.Step = notProcessing
	r.OwnerLeaseUntil, r.CheckAt = time.Time{}, time.Time{}
}

// Outcome is the terminal status that the run reaches once nothing is left to
// do: that of its reason, save that a worker which ended without its final
// report while the run was STOPPING makes it FAILED.
func (r Run) Outcome() Status {
	if r.Reason.Outcome() == Completed && r.unfinished() != "" {
		return Failed
	}
	return r.Reason.Outcome()
}

// unfinished names the workers that ended without a final report after a stop
// that should have let them finish.
func (r Run) unfinished() string {
	if r.Reason.Outcome() != Completed {
		return ""
	}
	var names []string
	for _, w := range r.Workers {
		if !w.Reported && !w.Lost && !w.Joining && w.Life != Planned {
			names = append(names, fmt.Sprintf("%s ended without its final report (%s)", w.ID, w.Exit.Cause))
		}
	}
	return firstOf(names)
}

// maxNamedWorkers is how many workers one text names.
const maxNamedWorkers = 5

// firstOf names the first workers of a list, and says how many more there are.
func firstOf(texts []string) string {
	first := texts[:min(len(texts), maxNamedWorkers)]
	text := strings.Join(first, "; ")
	if more := len(texts) - len(first); more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}

// NextDeadline is when Apply(Ticked) will next do something.
func (r Run) NextDeadline() (time.Time, bool) {
	if r.Status.Terminal() {
		return time.Time{}, false
	}
	next := r.Deadline
	if !r.Status.Ending() {
		for i := range r.Workers {
			w := &r.Workers[i]
			if due := w.giveUpAt(); !due.IsZero() && (next.IsZero() || due.Before(next)) {
				next = due
			}
		}
	}
	return next, !next.IsZero()
}
