package core

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

const workerTestSecond = time.Second

func workerTestZero() time.Time { return time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC) }

func workerTestPlan(grace time.Duration) WorkerPlan {
	s := workerTestSecond
	return WorkerPlan{
		Epoch: 2, Lease: 2 * s, StartTimeout: 1 * s, RunLimit: 3 * s, Warmup: s, Cooldown: s / 2, DrainTimeout: 2 * s,
		CancelTimeout: 1 * s, FlushTimeout: 1 * s, Grace: grace,
	}
}

// workerTestControls are the control states that matter, as they could be read
// at a stamp. The load has a warm-up from 2 s, a measurement from 3 s and, where its
// end is known, a cool-down from 3.5 s to 4 s.
func workerTestControls(now time.Duration) []Control {
	s, zero := workerTestSecond, workerTestZero()
	at := zero.Add(now)
	lease := at.Add(5 * s)
	origin := zero.Add(2 * s)
	own := func(status Status, phase Phase, phaseAt time.Time, rung Rung) Control {
		return Control{Now: at, Status: status, Phase: phase, PhaseAt: phaseAt, Origin: origin, Rung: rung, Epoch: 2, OwnerLeaseUntil: lease}
	}
	list := []Control{
		{Now: at, Status: Starting, Phase: Preparing, Epoch: 2, OwnerLeaseUntil: lease},
		own(Running, Warmup, origin, NotStopping),
		own(Running, Measurement, zero.Add(3*s), NotStopping),
		own(Running, Cooldown, zero.Add(3*s), NotStopping),
		own(Cancelling, Warmup, origin, Drain),
		own(Stopping, Measurement, origin, Cancel),
		own(Stopping, Measurement, origin, Terminate),
		own(Completed, Processing, at, Drain),
	}
	list[3].Until = zero.Add(4 * s)
	ownerless := own(Running, Measurement, origin, NotStopping)
	ownerless.OwnerLeaseUntil = at.Add(-3 * s)
	stranger := own(Running, Measurement, origin, NotStopping)
	stranger.Epoch = 3
	return append(list, ownerless, stranger)
}

func workerTestEvents(now time.Duration) []WorkerEvent {
	events := []WorkerEvent{
		ConnectionsOpen{now}, OpenFailed{now, "refused by the target"}, QuotaDone{now}, LoadIdle{now},
		Flushed{now}, Signalled{now}, WorkerTicked{now},
	}
	for _, c := range workerTestControls(now) {
		events = append(events, ControlRead{At: now, Zero: workerTestZero(), Control: c})
	}
	return events
}

// workerTestState is a machine and what the laws must remember of its past.
type workerTestState struct {
	m        WorkerMachine
	now      time.Duration
	stranger bool // a foreign epoch was read
	invited  bool // a RUNNING run of its own epoch was read
}

// step applies one event and names the law that it breaks, or nothing.
func (s workerTestState) step(ev WorkerEvent) (workerTestState, string) {
	next := s
	next.m = s.m.Apply(ev)
	if e, ok := ev.(ControlRead); ok {
		next.stranger = s.stranger || e.Control.Epoch != s.m.plan.Epoch
		next.invited = s.invited || e.Control.Epoch == s.m.plan.Epoch && e.Control.Status == Running
	}
	before, after := s.m.Duty(s.now), next.m.Duty(next.now)
	return next, workerTestBroken(s, next, before, after)
}

func workerTestBroken(s, next workerTestState, before, after WorkerDuty) string {
	rank := map[WorkerState]int{WorkerStarting: 1, WorkerReadyNow: 2, WorkerRunning: 3, WorkerDraining: 4, WorkerCompleted: 5, WorkerDead: 5}
	draining := rank[after.State] >= 4
	kept := func(a, b time.Duration) bool { return a == Never || a == b }
	x, y := before.Schedule, after.Schedule
	switch {
	case rank[after.State] < rank[before.State]:
		return "the state goes back"
	case before.Exit && before != after:
		return "a final state changes"
	case after.Load && next.stranger:
		return "a worker of an old epoch loads"
	case after.Load && !next.invited:
		return "load without a running run"
	case after.Load && after.State != WorkerRunning:
		return "load outside RUNNING"
	case draining && after.Schedule.PhaseAt(next.now) != "":
		return "the schedule goes on after draining"
	case x.End < y.End:
		return "the end of the load moves back"
	case !kept(x.Warmup, y.Warmup) || !kept(x.Measurement, y.Measurement) || !kept(x.Cooldown, y.Cooldown):
		return "a known switch of phases moves"
	case !next.m.idle && !after.Exit && (before.Cancel && !after.Cancel || before.Abandon && !after.Abandon):
		return "cancel or abandon is taken back"
	case after.Exit && after.Cause == "":
		return "an exit without a cause"
	case after.Exit && after.State != after.FinalState():
		return "the final state and the exit code differ"
	case after.Exit && after.Code == ExitCompleted && next.stranger && !s.m.state.Final():
		return "a stranger exits 0"
	}
	return ""
}

// clockEnds follows the deadlines alone, and checks that nothing happens before
// each and something at each.
func (s workerTestState) clockEnds() string {
	m, now := s.m, s.now
	for range 10 {
		duty := m.Duty(now)
		if duty.Exit {
			return ""
		}
		deadline := m.NextDeadline(now)
		if deadline == Never {
			return "no deadline in " + string(duty.State)
		}
		if deadline > now {
			early := m.Duty(deadline - 1)
			early.Load = duty.Load // phases switch by themselves
			if early != duty {
				return fmt.Sprintf("%s: the duty changes before its deadline", duty.State)
			}
		}
		now = max(now, deadline)
		m = m.Apply(WorkerTicked{At: now})
	}
	return fmt.Sprintf("the clock does not end %s", m.state)
}

func TestExploreWorkerMachine(t *testing.T) {
	for _, grace := range []time.Duration{0, 3 * workerTestSecond} {
		is := is.New(t)
		plan := workerTestPlan(grace)
		states, bad := exploreWorker(plan)
		is.Equal(bad, "")
		is.True(states > 1000) // the search went somewhere
		t.Logf("grace %s: %d states", grace, states)
	}
}

// key is the state as far as the future depends on it: every stamp relative to
// now, and those of the past all alike.
func (s workerTestState) key() workerTestState {
	m := &s.m
	for _, stamp := range []*time.Duration{
		&m.schedule.Warmup, &m.schedule.Measurement, &m.schedule.Cooldown, &m.schedule.End,
		&m.cancelAt, &m.abandonAt, &m.flushBy, &m.deadline, &m.lastRead,
	} {
		if *stamp != Never {
			*stamp = max(*stamp-s.now, -m.plan.Lease)
		}
	}
	m.killAt, m.cause = 0, strings.SplitN(m.cause, " ", 2)[0]
	m.signals = min(m.signals, 2)
	s.now = 0
	return s
}

// exploreWorker searches every order of events, at most two at a time for each
// second, until every machine has ended.
func exploreWorker(plan WorkerPlan) (states int, broken string) {
	start := workerTestState{m: NewWorkerMachine(plan, 0)}
	seen := map[workerTestState]bool{start.key(): true}
	for queue := []workerTestState{start}; len(queue) > 0; queue = queue[1:] {
		s := queue[0]
		if why := s.clockEnds(); why != "" {
			return len(seen), fmt.Sprintf("%s: %+v at %s", why, s.m, s.now)
		}
		if s.m.state.Final() {
			continue
		}
		for _, ev := range workerTestEvents(s.now) {
			next, why := s.step(ev)
			if why != "" {
				return len(seen), fmt.Sprintf("%s: after %+v: %+v at %s", why, ev, next.m, s.now)
			}
			later := next
			later.now += workerTestSecond
			for _, n := range []workerTestState{next, later} {
				if !seen[n.key()] {
					seen[n.key()] = true
					queue = append(queue, n)
				}
			}
		}
	}
	return len(seen), ""
}

func FuzzWorkerMachine(f *testing.F) {
	f.Add([]byte{0, 0, 1, 8, 5, 3, 200, 11})
	f.Add([]byte{5, 1, 5, 2, 3, 4, 0, 250})
	f.Fuzz(func(t *testing.T, script []byte) {
		s := workerTestState{m: NewWorkerMachine(workerTestPlan(time.Duration(len(script)%4)*4*workerTestSecond), 0)}
		for i := 0; i+1 < len(script) && i < 200; i += 2 {
			s.now += time.Duration(script[i]) * workerTestSecond / 64
			events := workerTestEvents(s.now)
			next, why := s.step(events[int(script[i+1])%len(events)])
			if why != "" {
				t.Fatalf("%s: %+v at %s", why, next.m, next.now)
			}
			if why := next.clockEnds(); why != "" {
				t.Fatalf("%s: %+v at %s", why, next.m, next.now)
			}
			s = next
		}
	})
}

func TestWorkerMachineLife(t *testing.T) {
	is := is.New(t)
	s, zero := workerTestSecond, workerTestZero()
	read := func(m WorkerMachine, at time.Duration, i int) WorkerMachine {
		return m.Apply(ControlRead{At: at, Zero: zero, Control: workerTestControls(at)[i]})
	}
	m := read(NewWorkerMachine(workerTestPlan(0), 0), s, 0)
	is.Equal(m.Duty(s).State, WorkerStarting)
	m = m.Apply(ConnectionsOpen{s})
	is.Equal(m.Duty(s).State, WorkerReadyNow)
	m = read(m, s, 1) // warmup from 2 s
	is.Equal(m.Duty(s).State, WorkerRunning)
	is.Equal(m.Duty(s).Load, false) // not before the origin
	is.Equal(m.Duty(2*s).Load, true)
	is.Equal(m.Duty(2*s).Schedule.PhaseAt(3*s-1), Warmup)
	is.Equal(m.Duty(2*s).Schedule.PhaseAt(3*s), Measurement) // as START said
	m = read(m, 2*s, 2)
	m = read(m, 15*s/4, 3) // of the end it hears when the cool-down has begun
	is.Equal(m.Duty(15*s/4).Schedule.Cooldown, 15*s/4)
	is.Equal(m.Duty(4*s-1).Load, true)
	is.Equal(m.Duty(4*s).Load, false)
	is.Equal(read(m, 4*s, 3).Duty(4*s).State, WorkerRunning) // it stops its load by itself, and stays
	m = read(m, 5*s, 5)                                      // stop, rung cancel
	is.Equal(m.Duty(5*s).Cancel, true)
	is.Equal(m.Duty(5*s).Flush, false)
	m = m.Apply(LoadIdle{5 * s})
	is.Equal(m.Duty(5*s).Flush, true)
	m = m.Apply(Flushed{5 * s})
	is.Equal(m.Duty(5*s), WorkerDuty{State: WorkerCompleted, Schedule: m.schedule, FlushBy: 6 * s, Exit: true, Code: 0, Cause: "the run is STOPPING"})
}

// Who was there at START takes part from the beginning, also when a search asks nothing of
// it yet; who joins later does when it is asked.
func TestWorkerMachineOfWhichNothingIsAsked(t *testing.T) {
	is := is.New(t)
	s := workerTestSecond
	start := workerTestControls(s)[1] // origin at 2 s
	start.Target = 0
	at := start.Origin.Sub(workerTestZero())
	for opened, measurement := range map[time.Duration]time.Duration{at - 1: 3 * s, at: 3 * s, at + 1: Never} {
		plan := workerTestPlan(0)
		plan.Connections = 2
		m := NewWorkerMachine(plan, s).Apply(ConnectionsOpen{opened}).Apply(ControlRead{At: opened, Zero: workerTestZero(), Control: start})
		is.Equal(m.Duty(opened).Schedule.Measurement, measurement)
		is.Equal(m.Duty(opened).Schedule.Parked, 2)
	}
}

// What START says is enough: a worker that reads nothing more warms up, measures,
// cools down and stops its load in time, long before its lease is over.
func TestWorkerMachineNeedsNoMoreThanStart(t *testing.T) {
	is := is.New(t)
	s := workerTestSecond
	m := NewWorkerMachine(workerTestPlan(0), s).Apply(ConnectionsOpen{s})
	start := workerTestControls(s)[1]
	start.Until = workerTestZero().Add(4 * s)
	m = m.Apply(ControlRead{At: 21 * s / 10, Zero: workerTestZero(), Control: start})
	for _, phase := range []struct {
		name  Phase
		begin time.Duration
	}{{Warmup, 21 * s / 10}, {Measurement, 3 * s}, {Cooldown, 7 * s / 2}, {"", 4 * s}} {
		m = m.Apply(WorkerTicked{phase.begin})
		is.Equal(m.Duty(phase.begin).Schedule.PhaseAt(phase.begin), phase.name)
		is.Equal(m.Duty(phase.begin).State, WorkerRunning)
		is.Equal(m.Duty(phase.begin).Load, phase.name != "")
	}
}

func TestWorkerMachineLateReader(t *testing.T) {
	is := is.New(t)
	s, zero := workerTestSecond, workerTestZero()
	m := NewWorkerMachine(workerTestPlan(0), 0).Apply(ConnectionsOpen{0})
	m = m.Apply(ControlRead{At: 1 * s, Zero: zero.Add(-2 * s), Control: workerTestControls(s)[2]}) // the store's clock is 2 s behind ours: measurement at 5 s
	is.Equal(m.Duty(s).Schedule.Measurement, 5*s)
	late := NewWorkerMachine(workerTestPlan(0), 4*s).Apply(ConnectionsOpen{4 * s})
	late = late.Apply(ControlRead{At: 4*s + 1, Zero: zero, Control: workerTestControls(4 * s)[2]})
	is.Equal(late.Duty(4*s+1).Schedule.Measurement, 4*s+1) // it catches up at once
	start, end := late.Duty(4*s + 1).Schedule.Window(Warmup)
	is.Equal(start, end) // it never made load in the warmup
}

func TestWorkerMachineSignals(t *testing.T) {
	s := workerTestSecond
	for _, test := range []struct {
		grace, drain                 time.Duration
		cancelAt, abandonAt, flushBy time.Duration
	}{
		{0, 30 * s, 30 * s, 31 * s, Never},
		{60 * s, 30 * s, 30 * s, 31 * s, 58 * s}, // min(30, 60-10)
		{15 * s, 30 * s, 5 * s, 6 * s, 13 * s},   // 15-10
		{5 * s, 30 * s, 0, 1 * s, 4 * s},         // nothing left to drain in
		{1 * s, 30 * s, 0, 400 * s / 1000, 800 * s / 1000},
	} {
		t.Run(test.grace.String(), func(t *testing.T) {
			is := is.New(t)
			plan := workerTestPlan(test.grace)
			plan.DrainTimeout = test.drain
			m := NewWorkerMachine(plan, 0).Apply(Signalled{0})
			is.Equal(m.cancelAt, test.cancelAt)
			is.Equal(m.abandonAt, test.abandonAt)
			is.Equal(m.flushBy, test.flushBy)
			is.Equal(m.Duty(0).Code, ExitCompleted)
			m = m.Apply(Signalled{0}) // the second gives up at once
			d := m.Duty(0)
			is.True(d.Cancel && d.Abandon && d.Flush)
			is.Equal(d.Code, ExitAbandoned)
		})
	}
}
