package core

import (
	"fmt"
	"time"
)

// The exit codes of a worker. They are stable, and recorded by the run.
const (
	ExitCompleted   = 0 // stopped as asked, everything reported
	ExitInternal    = 1 // a defect
	ExitEnvironment = 2 // the environment of the worker contract is incomplete or wrong
	ExitLease       = 3 // ended by its lease or another deadline of its own
	ExitConnections = 4 // the connections to the target could not be opened
	ExitRefused     = 5 // an old epoch, or a scenario that this build cannot run
	ExitAbandoned   = 6 // a second signal: operations in flight were given up
)

// WorkerPlan is what the worker machine needs: its epoch and the bounds of its
// life.
type WorkerPlan struct {
	Epoch         int
	Connections   int           // that it keeps; 0: any number, none of them ever parked
	Lease         time.Duration // longest age of the last control read
	StartTimeout  time.Duration
	RunLimit      time.Duration
	Warmup        time.Duration
	Cooldown      time.Duration
	LoadLimit     time.Duration // of the load, by the budget's time; 0: as long as the run says
	LimitDrain    time.Duration // after which, from there on, what is in flight is cancelled
	DrainTimeout  time.Duration
	CancelTimeout time.Duration
	FlushTimeout  time.Duration // for everything that is still to be stored
	// Grace is how long after a gentle stop the platform kills; 0: never.
	Grace time.Duration
}

// signalReserve is the part of the platform's grace that is kept for cancelling
// and reporting.
const signalReserve = 10 * time.Second

// DefaultFlushTimeout bounds the final report of a worker.
const DefaultFlushTimeout = 10 * time.Second

// WorkerPlan is what the machine of the worker with that zero-based index needs of
// the scenario.
func (s Scenario) WorkerPlan(worker, epoch int, grace time.Duration) WorkerPlan {
	_, connections := Connections(s.Load.Connections, s.Load.Workers, worker)
	run := s.Plan()
	return WorkerPlan{
		LoadLimit:     max(0, run.BudgetTime-run.StartLead-run.BudgetLead),
		LimitDrain:    max(0, run.BudgetLead-run.PhaseLead),
		Epoch:         epoch,
		Connections:   connections,
		Lease:         s.Limits.WorkerLease.Std(),
		StartTimeout:  s.Limits.StartTimeout.Std(),
		RunLimit:      s.Limits.RunLimit.Std(),
		Warmup:        run.Warmup,
		Cooldown:      run.Cooldown,
		DrainTimeout:  s.Limits.DrainTimeout.Std(),
		CancelTimeout: s.Limits.CancelTimeout.Std(),
		FlushTimeout:  DefaultFlushTimeout,
		Grace:         grace,
	}
}

// WorkerEvent is a fact that the worker machine folds in. Each carries the stamp
// at which it became known. Late and repeated facts change nothing.
//
//sumtype:decl
type WorkerEvent interface{ stamp() time.Duration }

// The events of a worker.
type (
	// ControlRead carries the control state. Zero is the store time of stamp 0,
	// as well as it is known.
	ControlRead struct {
		At      time.Duration
		Zero    time.Time
		Control Control
	}
	// ConnectionsOpen says that every connection is open.
	ConnectionsOpen struct{ At time.Duration }
	// OpenFailed says that the connections cannot be opened.
	OpenFailed struct {
		At     time.Duration
		Detail string
	}
	// QuotaDone says that every connection has run its share of an operations
	// bound, as far as there are keys to insert.
	QuotaDone struct{ At time.Duration }
	// BudgetSpent says that the worker's share of the budget is used up.
	BudgetSpent struct{ At time.Duration }
	// LoadIdle says that no operation is in flight and that none will start.
	LoadIdle struct{ At time.Duration }
	// Flushed says that the final report is stored.
	Flushed struct{ At time.Duration }
	// Signalled says that the platform asked the worker to end.
	Signalled struct{ At time.Duration }
	// WorkerTicked says what time it is.
	WorkerTicked struct{ At time.Duration }
)

func (e ControlRead) stamp() time.Duration     { return e.At }
func (e ConnectionsOpen) stamp() time.Duration { return e.At }
func (e OpenFailed) stamp() time.Duration      { return e.At }
func (e QuotaDone) stamp() time.Duration       { return e.At }
func (e BudgetSpent) stamp() time.Duration     { return e.At }
func (e LoadIdle) stamp() time.Duration        { return e.At }
func (e Flushed) stamp() time.Duration         { return e.At }
func (e Signalled) stamp() time.Duration       { return e.At }
func (e WorkerTicked) stamp() time.Duration    { return e.At }

// WorkerDuty is what a worker has to do now. It is level state: a shell that
// missed every earlier duty does the right thing by the newest.
type WorkerDuty struct {
	State    WorkerState
	Schedule LoadSchedule // of the load; once it has ended it never grows again
	Load     bool         // operations may start now
	Cancel   bool         // cancel the operations in flight
	Abandon  bool         // wait for none of them any more
	Flush    bool         // store the final report, by FlushBy
	FlushBy  time.Duration
	Exit     bool
	Code     int    // one of the exit codes
	Cause    string // of the exit, in words; known as soon as the drain begins
}

// WorkerMachine is one worker's side of the worker contract: a plain comparable
// value without a clock. Laws: from any state the clock alone ends it; load
// never resumes after draining; a worker of another epoch never loads.
type WorkerMachine struct {
	plan     WorkerPlan
	state    WorkerState
	schedule LoadSchedule
	lastRead time.Duration
	deadline time.Duration // of STARTING, READY and RUNNING
	openedAt time.Duration // Never: the connections are not open
	started  bool          // the run is RUNNING
	begun    bool          // it takes part: since START, or since load was asked of it
	bounded  bool          // the end of the load is known
	idle     bool
	signals  int

	cancelAt  time.Duration // of DRAINING, and for the budget's sake of RUNNING: cancel; then stop waiting, give up the report
	abandonAt time.Duration
	flushing  bool
	flushBy   time.Duration
	killAt    time.Duration // the platform's; Never when it has none

	code  int
	cause string
}

// NewWorkerMachine is the machine of a worker that is STARTING at that stamp.
func NewWorkerMachine(plan WorkerPlan, at time.Duration) WorkerMachine {
	return WorkerMachine{
		plan:      plan,
		state:     WorkerStarting,
		schedule:  LoadSchedule{Warmup: Never, Measurement: Never, Cooldown: Never, End: Never},
		lastRead:  at,
		deadline:  at + plan.StartTimeout + plan.Lease,
		cancelAt:  Never,
		abandonAt: Never,
		flushBy:   Never,
		openedAt:  Never,
		killAt:    Never,
	}
}

// Apply folds one event in and returns the machine that follows.
func (m WorkerMachine) Apply(ev WorkerEvent) WorkerMachine {
	at := ev.stamp()
	m.settle(at) // what is late is late, whatever comes with it
	if m.state.Final() {
		return m
	}
	switch e := ev.(type) {
	case ControlRead:
		m.obey(e)
	case ConnectionsOpen:
		m.openedAt = min(m.openedAt, at)
	case OpenFailed:
		m.end(at, 0, ExitConnections, e.Detail)
	case QuotaDone:
		m.schedule.End = min(m.schedule.End, at)
	case BudgetSpent:
		m.schedule.End = min(m.schedule.End, at)
	case LoadIdle:
		m.idle = true
	case Flushed:
		if m.flushing {
			m.finish()
		}
	case Signalled:
		m.signalled(at)
	case WorkerTicked:
	}
	m.settle(at)
	return m
}

// obey follows the control state, if it speaks to this worker.
func (m *WorkerMachine) obey(e ControlRead) {
	c := e.Control
	if c.Epoch != m.plan.Epoch {
		m.end(e.At, 0, ExitRefused, fmt.Sprintf("epoch %d is not, or no longer, the one that may speak: it is %d", m.plan.Epoch, c.Epoch))
		return
	}
	m.lastRead = max(m.lastRead, e.At)
	switch {
	case c.Status.Ending() || c.Status.Terminal() || c.Rung >= Drain:
		m.end(e.At, m.plan.DrainTimeout, ExitCompleted, fmt.Sprintf("the run is %s", c.Status))
	case !c.OwnerLeaseUntil.IsZero() && c.Now.Sub(c.OwnerLeaseUntil) > m.plan.Lease:
		m.end(e.At, m.plan.DrainTimeout, ExitLease, fmt.Sprintf("the run has had no owner for longer than %s", m.plan.Lease))
	case c.Status == Running && m.state != WorkerDraining:
		m.follow(e)
	}
	if c.Rung >= Cancel {
		m.cancelAt = min(m.cancelAt, e.At)
		m.abandonAt = min(m.abandonAt, e.At+m.plan.CancelTimeout)
	}
	if c.Rung >= Terminate {
		m.abandonAt = min(m.abandonAt, e.At)
	}
}

// follow takes over the phases of a running run. A switch that is known stays
// where it is; one that was read too late takes effect at once.
func (m *WorkerMachine) follow(e ControlRead) {
	c, s := e.Control, &m.schedule
	s.Parked = max(0, m.plan.Connections-c.Target)
	local := func(t time.Time) time.Duration { return max(t.Sub(e.Zero), e.At) }
	// Who was there at START begins with the load, be it that nothing is asked of it yet.
	present := !c.Origin.IsZero() && c.Origin.Sub(e.Zero) >= m.openedAt
	var from time.Time // of a phase: a worker that joins begins when its load is asked for
	if !m.begun && !present {
		from = c.Aim.At
	}
	if !m.started && c.Phase != Preparing && !c.Origin.IsZero() {
		m.started = true
		m.deadline = local(c.Origin) + m.plan.RunLimit + m.plan.Lease
		if m.plan.LoadLimit > 0 { // whatever becomes of the orchestrator
			s.End = min(s.End, local(c.Origin.Add(m.plan.LoadLimit)))
			m.cancelAt = min(m.cancelAt, local(c.Origin.Add(m.plan.LoadLimit+m.plan.LimitDrain)))
		}
	}
	if m.begun = m.begun || present || m.openedAt != Never && (c.Target > 0 || m.plan.Connections == 0); m.begun {
		m.enter(e, from)
	}
	if c.Aim.Number > s.Aim.Number {
		s.Aim = LoadAim{Number: c.Aim.Number, Rate: c.Aim.Rate, Workers: c.Aim.Workers, From: e.At}
		if !c.Aim.At.IsZero() {
			s.Aim.At = c.Aim.At.Sub(e.Zero)
			s.Aim.From = local(c.Aim.At)
		}
	}
	if !c.Until.IsZero() && !m.bounded {
		m.bounded = true
		s.End = min(s.End, local(c.Until))
	}
}

// enter takes over when the phases begin, for this worker not before from.
func (m *WorkerMachine) enter(e ControlRead, from time.Time) {
	known := func(stamp *time.Duration, begins time.Time) (late time.Duration) {
		if !begins.IsZero() && *stamp == Never {
			due := later(begins, from).Sub(e.Zero)
			*stamp = max(due, e.At)
			late = *stamp - due
		}
		return late
	}
	s, phases := &m.schedule, e.Control.Phases(m.plan.Warmup, m.plan.Cooldown)
	s.WarmupLate += known(&s.Warmup, phases.Warmup)
	s.MeasurementLate += known(&s.Measurement, phases.Measurement)
	known(&s.Cooldown, phases.Cooldown)
}

// end begins the drain. The first cause stays, save that an error replaces a
// stop that was asked for.
func (m *WorkerMachine) end(at, budget time.Duration, code int, cause string) {
	if m.cause == "" || m.code == ExitCompleted && code != ExitCompleted {
		m.code, m.cause = code, cause
	}
	m.state = WorkerDraining
	m.schedule.End = min(m.schedule.End, at)
	m.cancelAt = min(m.cancelAt, at+budget)
	m.abandonAt = min(m.abandonAt, m.cancelAt+m.plan.CancelTimeout)
}

// signalled drains at the first signal, within the platform's grace, and gives
// up what is in flight at the second.
func (m *WorkerMachine) signalled(at time.Duration) {
	m.signals++
	if m.signals > 1 {
		m.end(at, 0, ExitAbandoned, "a second signal")
		m.code, m.cause = ExitAbandoned, "a second signal"
		m.abandonAt = min(m.abandonAt, at)
		return
	}
	if m.plan.Grace <= 0 {
		m.end(at, m.plan.DrainTimeout, ExitCompleted, "a signal")
		return
	}
	reserve := min(signalReserve, m.plan.Grace)
	m.killAt = at + m.plan.Grace
	m.end(at, min(m.plan.DrainTimeout, m.plan.Grace-reserve), ExitCompleted, "a signal")
	m.abandonAt = min(m.abandonAt, m.killAt-reserve*3/5)
	m.flushBy = min(m.flushBy, m.killAt-reserve/5)
}

// settle takes every transition that state and time call for.
func (m *WorkerMachine) settle(at time.Duration) {
	if m.state == WorkerStarting && m.openedAt != Never {
		m.state = WorkerReadyNow
	}
	if m.state == WorkerReadyNow && m.started {
		m.state = WorkerRunning
	}
	switch m.state {
	case WorkerStarting, WorkerReadyNow, WorkerRunning:
		if at >= m.lastRead+m.plan.Lease {
			m.end(at, m.plan.DrainTimeout, ExitLease, fmt.Sprintf("no control read for %s", m.plan.Lease))
		} else if at >= m.deadline {
			m.end(at, m.plan.DrainTimeout, ExitLease, fmt.Sprintf("the deadline of %s has passed", m.state))
		}
	}
	if m.state != WorkerDraining {
		return
	}
	if !m.flushing && (m.idle || at >= m.abandonAt) {
		m.flushing = true
		m.flushBy = min(m.flushBy, at+m.plan.FlushTimeout)
	}
	if m.flushing && at >= m.flushBy {
		if m.code == ExitCompleted {
			m.code, m.cause = ExitLease, fmt.Sprintf("%s, but the final report was not accepted in time", m.cause)
		}
		m.finish()
	}
}

func (m *WorkerMachine) finish() {
	m.state = WorkerDead
	if m.code == ExitCompleted {
		m.state = WorkerCompleted
	}
}

// Duty is what the worker has to do at that stamp, which is not before the last
// event's.
func (m WorkerMachine) Duty(now time.Duration) WorkerDuty {
	m = m.Apply(WorkerTicked{At: now})
	ending := m.state == WorkerDraining || m.state.Final()
	return WorkerDuty{
		State:    m.state,
		Schedule: m.schedule,
		Load:     m.state == WorkerRunning && m.schedule.PhaseAt(now) != "",
		Cancel:   (ending || m.state == WorkerRunning) && !m.idle && now >= m.cancelAt,
		Abandon:  ending && !m.idle && now >= m.abandonAt,
		Flush:    m.flushing && !m.state.Final(),
		FlushBy:  m.flushBy,
		Exit:     m.state.Final(),
		Code:     m.code,
		Cause:    m.cause,
	}
}

// NextDeadline is when the clock alone next changes the duty, a switch of
// phases aside; Never once the worker may exit.
func (m WorkerMachine) NextDeadline(now time.Duration) time.Duration {
	switch {
	case m.state.Final():
		return Never
	case m.flushing:
		return m.flushBy
	case m.state == WorkerDraining && now < m.cancelAt:
		return m.cancelAt
	case m.state == WorkerDraining:
		return m.abandonAt
	}
	next := min(m.lastRead+m.plan.Lease, m.deadline)
	if m.state == WorkerRunning && now < m.cancelAt {
		next = min(next, m.cancelAt)
	}
	return next
}

// FinalState is what the final report says of the worker: COMPLETED, or DEAD on
// an error.
func (d WorkerDuty) FinalState() WorkerState {
	if d.Code == ExitCompleted {
		return WorkerCompleted
	}
	return WorkerDead
}
