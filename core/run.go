package core

import (
	"fmt"
	"slices"
	"time"
)

// Plan is what the run machine needs of a scenario: counts, times and policies,
// frozen when the run is created.
type Plan struct {
	Workers     int   `json:"workers"`
	Connections int   `json:"connections"`          // over all workers
	Operations  int64 `json:"operations,omitempty"` // 0: bounded by Duration
	// Initial is how many of the workers are launched at the start; 0: all. The
	// others join the running load when more is asked for than those there can make.
	Initial int `json:"initial,omitempty"`
	// Floor is the least number of connections of a worker that makes load at all.
	Floor int `json:"floor,omitempty"`
	// Rate is the highest rate that may be asked for; 0: none is.
	Rate float64 `json:"rate,omitempty"`

	Warmup   time.Duration `json:"warmup_ns"`
	Duration time.Duration `json:"duration_ns"` // 0: bounded by Operations
	Cooldown time.Duration `json:"cooldown_ns"`
	// StartLead and PhaseLead are how long before the load begins, and before a
	// phase takes effect, that is published.
	StartLead time.Duration `json:"start_lead_ns"`
	PhaseLead time.Duration `json:"phase_lead_ns"`
	// RunLimit ends the load if nothing else does, counted from its beginning.
	RunLimit time.Duration `json:"run_limit_ns"`
	// BudgetTime is how long the run may take from START, 0: it is not bounded so;
	// BudgetText what says so, and BudgetLead how long before that STOP is published.
	BudgetTime time.Duration `json:"budget_time_ns,omitempty"`
	BudgetText string        `json:"budget_text,omitempty"`
	BudgetLead time.Duration `json:"budget_lead_ns,omitempty"`

	PreflightTimeout  time.Duration `json:"preflight_timeout_ns"`
	StartTimeout      time.Duration `json:"start_timeout_ns"`
	DrainTimeout      time.Duration `json:"drain_timeout_ns"`
	CancelTimeout     time.Duration `json:"cancel_timeout_ns"`
	TerminateTimeout  time.Duration `json:"terminate_timeout_ns"`
	KillTimeout       time.Duration `json:"kill_timeout_ns"`
	ProcessingTimeout time.Duration `json:"processing_timeout_ns"`

	OnLoss LostPolicy `json:"on_loss"`

	Search *SearchPlan `json:"search,omitempty"` // for the most load; nil: none
}

// step is how far the work after the last worker has come.
type step int

const (
	notProcessing step = iota
	counting
	storing
	releasing
)

// Run is the whole state of one run as the machine sees it: plain data, never
// modified in place. Everything that must survive a crash is in it.
type Run struct {
	ID       string         `json:"id"`
	Plan     Plan           `json:"plan"`
	Status   Status         `json:"status"`
	Phase    Phase          `json:"phase"`
	PhaseAt  time.Time      `json:"phase_at,omitzero"`
	Reason   Reason         `json:"reason,omitempty"`
	Detail   string         `json:"detail,omitempty"`
	Workers  []WorkerRecord `json:"workers,omitempty"`
	Findings []Finding      `json:"findings,omitempty"`
	Pools    []string       `json:"pools,omitempty"` // ids of the scenario's value pools, in its order

	CheckAt   time.Time `json:"check_at,omitzero"`   // checks alone were asked for, and are not made yet
	CheckedAt time.Time `json:"checked_at,omitzero"` // Findings were made

	StartedAt time.Time `json:"started_at,omitzero"` // the start was requested
	Origin    time.Time `json:"origin,omitzero"`     // the load begins
	Until     time.Time `json:"until,omitzero"`      // the load ends by itself
	Deadline  time.Time `json:"deadline,omitzero"`   // of the present stage

	StopBy    string    `json:"stop_by,omitempty"`
	StopAt    time.Time `json:"stop_at,omitzero"`
	Rung      Rung      `json:"rung"`
	ClimbedAt time.Time `json:"climbed_at,omitzero"` // the present rung was reached
	GoneAt    time.Time `json:"gone_at,omitzero"`    // no worker was left
	EndedAt   time.Time `json:"ended_at,omitzero"`   // terminal

	Aim    Aim     `json:"aim,omitzero"`     // how much load is asked for; zero: the plan's
	Search *Search `json:"search,omitempty"` // what Plan.Search has found so far; replaced, never modified
	// Unjoined says of the first worker that could not join the running load why.
	// No further one is launched then.
	Unjoined string `json:"unjoined,omitempty"`

	Step    step         `json:"step"`
	Running RunningCount `json:"target_running"`

	Owner           string    `json:"owner,omitempty"`
	OwnerEpoch      int       `json:"owner_epoch"`
	OwnerLeaseUntil time.Time `json:"owner_lease_until,omitzero"`

	Sequence   int64 `json:"sequence"`    // of the last control event
	StaleFacts int64 `json:"stale_facts"` // refused: they came from an old epoch

	emitted []ControlEvent // by the Apply that made this value
}

// NewRun returns a PREPARED run. The plan must be valid: Scenario.Plan makes one.
func NewRun(id string, plan Plan) Run {
	plan = plan.first() // its first step needs no one to join
	r := Run{ID: id, Plan: plan, Status: Prepared, Phase: Preparing}
	for i, target := range ShareOut(plan.Connections, plan.Workers) {
		if i >= plan.AtStart() {
			target = 0 // until it has joined
		}
		r.Workers = append(r.Workers, WorkerRecord{ID: WorkerID(i), Target: target})
	}
	r.beginSearch()
	r.beginAim()
	return r
}

// Apply folds one event into the run and returns the run that follows and the
// commands that are newly owed. r itself is not modified. A request may be
// refused: then the run is returned as it was, with an error that carries
// ErrRefused or ErrConflict. A fact is never refused.
//
// Laws: whatever is returned is in next.Outstanding(); a terminal run absorbs
// everything; the reason only rises; STOP is published once; from any started
// state the clock alone, by Ticked, ends the run.
func (r Run) Apply(ev Event) (next Run, cmds []Command, err error) {
	next = r
	next.emitted = nil
	if r.Status.Terminal() {
		return next, nil, r.refuseTerminal(ev)
	}
	next.Workers = slices.Clone(r.Workers)
	if err := next.fold(ev); err != nil {
		r.emitted = nil
		return r, nil, err
	}
	next.settle(ev.when())
	return next, newlyOwed(r.Outstanding(), next.Outstanding()), nil
}

// Fold applies several events one after another and gathers the control events
// that must be committed with the result. It stops at the first refusal. Of a
// thousand workers that each say something it makes one copy, not a thousand.
func (r Run) Fold(evs ...Event) (next Run, events []ControlEvent, err error) {
	next = r
	next.Workers = slices.Clone(r.Workers)
	for _, ev := range evs {
		next.emitted = nil
		if next.Status.Terminal() {
			err = next.refuseTerminal(ev)
		} else if err = next.fold(ev); err == nil {
			next.settle(ev.when())
		}
		if err != nil {
			return r, nil, err
		}
		events = append(events, next.emitted...)
	}
	return next, events, nil
}

// Emitted returns the control events that the last Apply published: they are
// committed together with the run that it returned.
func (r Run) Emitted() []ControlEvent { return r.emitted }

// refuseTerminal answers requests to a run that has ended: a stop is granted
// already, the others come too late.
func (r Run) refuseTerminal(ev Event) error {
	switch ev.(type) {
	case StartRequested, CheckRequested, OwnerClaimed, OwnerRenewed:
		return fmt.Errorf("%w: run %s is already %s", ErrRefused, r.ID, r.Status)
	default:
		return nil
	}
}

func (r *Run) fold(ev Event) error {
	switch e := ev.(type) {
	case StartRequested:
		return r.start(e)
	case CheckRequested:
		return r.check(e)
	case StopRequested:
		r.stop(e)
	case OwnerClaimed:
		return r.claim(e)
	case OwnerRenewed:
		return r.renew(e)
	case PreflightFinished:
		r.preflightFinished(e)
	case WorkerLaunched:
		r.launched(e)
	case WorkerPending:
		r.pending(e)
	case LaunchFailed:
		r.launchFailed(e)
	case BeatSeen:
		r.beat(e)
	case WorkerSilent:
		r.silent(e)
	case WorkerExited:
		r.exited(e)
	case LoadSet:
		r.setLoad(e)
	case WorkerBackedOff:
		r.backedOff(e)
	case WorkerDegraded:
		r.degraded(e)
	case GuardrailFailed:
		r.guardrailFailed(e)
	case WindowMeasured:
		r.windowMeasured(e)
	case SessionsCounted:
		if r.Step == counting {
			r.counted(e.At, e.Running)
		}
	case RollupStored:
		if r.Step == storing {
			r.Step, r.Deadline = releasing, e.At.Add(r.Plan.ProcessingTimeout)
		}
	case ResourcesReleased:
		if r.Step == releasing {
			r.finish(e.At, "")
		}
	case Ticked:
		r.tick(e.At)
	}
	return nil
}

func (r *Run) start(e StartRequested) error {
	if r.Status != Prepared || !r.StartedAt.IsZero() {
		return fmt.Errorf("%w: run %s is %s and was already started", ErrRefused, r.ID, r.Status)
	}
	r.StartedAt = e.At
	r.Deadline = e.At.Add(r.Plan.PreflightTimeout)
	r.CheckAt = time.Time{} // the start's own checks are those
	return nil
}

func (r *Run) check(e CheckRequested) error {
	if r.Status != Prepared || !r.StartedAt.IsZero() {
		return fmt.Errorf("%w: run %s is %s and was started, which has made its checks", ErrRefused, r.ID, r.Status)
	}
	if r.CheckAt.IsZero() {
		r.CheckAt, r.CheckedAt, r.Findings = e.At, time.Time{}, nil
	}
	return nil
}

func (r *Run) preflightFinished(e PreflightFinished) {
	if r.Status != Prepared || r.StartedAt.IsZero() && r.CheckAt.IsZero() {
		return // late, repeated, or never asked for: it must not launch anything
	}
	r.Findings, r.CheckedAt = slices.Clone(e.Findings), e.At
	if r.StartedAt.IsZero() { // nothing more was asked for, and nobody has to drive it
		r.CheckAt, r.Owner, r.OwnerLeaseUntil = time.Time{}, "", time.Time{}
		return
	}
	if refusal := Refusal(e.Findings); refusal != "" {
		r.Reason, r.Detail = PreflightRefused, refusal
		r.end(e.At, Failed)
		return
	}
	r.Pools = slices.Clone(e.Pools)
	r.limit(e.Most)
	r.Status = Starting
	r.Deadline = e.At.Add(r.Plan.StartTimeout)
	for i := range r.Workers[:r.Plan.AtStart()] {
		r.Workers[i].Epoch = 1
		r.Workers[i].Life = Launching
	}
}

func (r *Run) emit(e ControlEvent) {
	r.Sequence++
	e.RunID, e.Sequence = r.ID, r.Sequence
	r.emitted = append(r.emitted, e)
}

// settle takes every transition that the state itself calls for.
func (r *Run) settle(at time.Time) {
	if r.Status == Starting && r.all(func(w *WorkerRecord) bool { return w.Life == Planned || w.Life == Ready && !w.Silent }) {
		r.begin(at)
	}
	if r.Status == Running {
		r.join(at)
	}
	if r.Status == Running && r.Plan.Operations > 0 && r.quotaDone() {
		r.requestEnd(at, OperationsDone, "")
	}
	if r.Status.Ending() && r.Step == notProcessing && r.aliveCount() == 0 {
		r.process(at)
	}
}

func (r *Run) all(holds func(*WorkerRecord) bool) bool {
	for i := range r.Workers {
		if !holds(&r.Workers[i]) {
			return false
		}
	}
	return true
}

func (r *Run) quotaDone() bool {
	return r.all(func(w *WorkerRecord) bool { return w.QuotaDone || !w.Life.Alive() })
}

func (r *Run) claim(e OwnerClaimed) error {
	if r.Owner != "" && r.Owner != e.Owner && e.At.Before(r.OwnerLeaseUntil) {
		return fmt.Errorf("%w: run %s is driven by %s until %s", ErrRefused, r.ID, r.Owner, r.OwnerLeaseUntil.UTC().Format(time.RFC3339))
	}
	if r.Owner != "" && r.Owner != e.Owner && !r.StartedAt.IsZero() { // who was to check it has left nothing
		r.emit(ControlEvent{Type: EventOwnerChanged, Scope: ScopeRun, By: e.Owner, Detail: "took over from " + r.Owner, At: e.At})
	}
	r.Owner, r.OwnerLeaseUntil = e.Owner, e.Until
	r.OwnerEpoch++
	return nil
}

func (r *Run) renew(e OwnerRenewed) error {
	if r.Owner != e.Owner || r.OwnerEpoch != e.Epoch {
		return fmt.Errorf("%w: run %s is now driven by %s (owner epoch %d, not %d)", ErrConflict, r.ID, r.Owner, r.OwnerEpoch, e.Epoch)
	}
	if e.Until.After(r.OwnerLeaseUntil) {
		r.OwnerLeaseUntil = e.Until
	}
	return nil
}
