package worker

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// pacer hands the arrivals of an open loop to the connections of a worker, in
// order. A connection takes its arrival before that is due and waits for it, so
// the time between choosing an operation and starting it costs nothing; what is
// due while no connection is free stays here, as the place of the next arrival
// and nothing else: there is no queue that could grow.
//
// Every arrival that is due before the load ends is started by the connection
// that took it, or skipped, or unserved. Once a stream has no key left to insert
// all connections end, and whatever is due from then on is unserved.
type pacer struct {
	clock    clock
	lateness time.Duration // beyond which an arrival is skipped; 0: never
	first    int           // global index of the worker's first connection

	load   core.ScenarioLoad
	worker int

	mu       sync.Mutex
	streams  []*core.Stream // by connection of the worker
	arrivals *core.Arrivals // of the phase and aim at hand
	aim      core.LoadAim   // that they are of
	measured bool           // the measurement has begun
	base     time.Duration  // stamp at which the phase or the aim at hand was to begin
	from     time.Duration  // stamp from which on that was known: what was due before is skipped
	based    bool
	next     core.Arrival // not taken yet; At is since base
	left     bool         // there is a next
	drained  bool         // a stream had no key left to insert

	missed [phaseCount][]missedCount // by operation, not collected yet
	any    bool

	served atomic.Bool // the bound of operations leaves none
}

type missedCount struct{ skipped, unserved uint64 }

// An arrival is one operation that a connection has taken.
type arrival struct {
	operation int
	due       time.Duration
	measured  bool  // made by the measurement's streams
	stream    int64 // global index of its connection's stream
	n         int64 // its place in that
	early     bool  // it was not due yet when it was taken
	aim       int   // number of the aim that it is of
}

func newPacer(clock clock, s core.Scenario, worker int, generator *core.Generator) *pacer {
	p := &pacer{
		clock: clock, lateness: s.Load.MaxLateness.Std(), load: s.Load, worker: worker,
	}
	var count int
	p.first, count = core.Connections(s.Load.Connections, s.Load.Workers, worker)
	for i := range count {
		p.streams = append(p.streams, generator.Connection(int64(p.first+i)))
	}
	for phase := range p.missed {
		p.missed[phase] = make([]missedCount, len(s.Operations))
	}
	return p
}

// What a connection gets when it asks for an arrival.
type supply int

const (
	supplied supply = iota
	notYet          // ask again when the schedule changes
	usedUp          // the bound of operations leaves none
	over            // none that is still to come is due before the load ends
	drained         // a stream has no key left to insert
)

// take is the next arrival that can still be started. Its arguments are copied
// to the connection, since its stream may be asked again before they are used.
//
// The clock is read before the schedule, here as everywhere in an open loop: a
// switch that was published before its time is known to whoever is past it.
func (p *pacer) take(newest *atomic.Pointer[core.LoadSchedule], c *connection) (a arrival, answer supply) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		now := p.clock.now()
		schedule := newest.Load()
		due, answer := p.head(schedule)
		switch {
		case answer == over && schedule.Aim.Number > 0 && now < schedule.End:
			answer = notYet // until then more may be asked for
		case answer == notYet && now >= schedule.End: // it has not joined before
			answer = over
		}
		if answer != supplied {
			return a, answer
		}
		if p.drained {
			return a, drained
		}
		late := p.late(due, now)
		if now >= schedule.End || late {
			p.pass(schedule, due, late && now < schedule.End)
			continue
		}
		lane := p.next.Connection - p.first
		stream := p.streams[lane]
		a = arrival{operation: stream.Next(), due: due, measured: p.measured, stream: int64(p.next.Connection), n: stream.N() - 1, early: now < due, aim: p.aim.Number}
		if a.operation == core.Exhausted {
			p.drained = true
			return a, drained
		}
		c.copyArgs(stream, a.operation)
		p.advance()
		return a, supplied
	}
}

// late reports whether an arrival may not be started any more.
func (p *pacer) late(due, now time.Duration) bool {
	return p.lateness > 0 && now-due > p.lateness || due < p.from
}

// head is when the next arrival is due, as far as it comes before the end. It
// follows the schedule from the warm-up into the measurement, and from one aim to
// the next.
func (p *pacer) head(schedule *core.LoadSchedule) (due time.Duration, answer supply) {
	if !p.based {
		if schedule.Begin() == core.Never {
			return 0, notYet
		}
		p.based = true
		p.begin(schedule, schedule.Begin()-schedule.WarmupLate, schedule.Begin())
	}
	aim := &schedule.Aim
	if aim.Number > p.aim.Number && !p.measured && aim.At < schedule.Measurement && p.stamp() >= aim.At {
		p.begin(schedule, aim.At, aim.From)
	}
	if m := schedule.Measurement; !p.measured && m != core.Never && (p.stamp() >= m || schedule.Warmup >= m) {
		p.measured = true
		for _, s := range p.streams {
			s.Measure()
		}
		p.begin(schedule, m-schedule.MeasurementLate, m)
	}
	if aim.Number > p.aim.Number && p.stamp() >= aim.At {
		p.begin(schedule, aim.At, aim.From)
	}
	switch due = p.stamp(); {
	case !p.left && p.measured && p.aim.Number == 0:
		p.served.Store(true)
		return 0, usedUp
	case due == core.Never && schedule.End == core.Never:
		return 0, notYet
	case due >= schedule.End:
		return 0, over
	default:
		return due, supplied
	}
}

// begin goes on with the arrivals from a stamp on, at which a phase or an aim
// begins; from is when that was known. A worker that does not know which aim holds
// there waits for the one that it knows of.
func (p *pacer) begin(schedule *core.LoadSchedule, base, from time.Duration) {
	p.base, p.from = base, from
	switch aim := schedule.Aim; {
	case aim.Number > 0 && aim.At <= base:
		p.aim, p.from = aim, max(from, aim.From)
	case aim.Number > 1 && p.aim.Number == 0:
		p.next, p.left = core.Arrival{At: core.Never}, true
		return
	}
	p.arrivals = core.NewAimedArrivals(p.load, p.worker, p.measured, p.aim)
	p.advance()
}

func (p *pacer) advance() { p.next, p.left = p.arrivals.Next() }

// stamp is when the next arrival is due.
func (p *pacer) stamp() time.Duration {
	if p.next.At >= core.Never-max(p.base, 0) {
		return core.Never
	}
	return p.base + p.next.At
}

// pass counts the next arrival as skipped, or as unserved.
func (p *pacer) pass(schedule *core.LoadSchedule, due time.Duration, skipped bool) {
	operation := p.streams[p.next.Connection-p.first].Skip()
	begun := schedule.Begin() // of the phase that it belongs to, however late that was heard of
	if p.measured {
		begun = schedule.Measurement
	}
	p.count(schedule, max(due, begun), operation, skipped)
	p.advance()
}

func (p *pacer) count(schedule *core.LoadSchedule, due time.Duration, operation int, skipped bool) {
	phase := phaseIndex(schedule.PhaseAt(due))
	if phase == noPhase {
		return // it is not due in any phase: nobody scheduled it
	}
	p.any = true
	if skipped {
		p.missed[phase][operation].skipped++
	} else {
		p.missed[phase][operation].unserved++
	}
}

// giveUp takes back an arrival that its connection could not start before the
// load ended. One that turned out not to be due before the end, or to belong to
// a warm-up that was over before, counts nowhere.
func (p *pacer) giveUp(schedule *core.LoadSchedule, a arrival) {
	if a.belongs(schedule) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.count(schedule, a.due, a.operation, false)
	}
}

// belongs reports whether an arrival is due in a phase that its stream is for, and
// before another aim holds.
func (a *arrival) belongs(schedule *core.LoadSchedule) bool {
	if a.aim < schedule.Aim.Number && a.due >= schedule.Aim.At {
		return false
	}
	phase := schedule.PhaseAt(a.due)
	return phase != "" && (phase == core.Warmup) != a.measured
}

// collect hands over what was missed since it was last called. That is also what is
// late by now though nobody came to see it, and everything that was due and nobody took
// after the end of the load, or by now where nobody comes any more.
func (p *pacer) collect(schedule *core.LoadSchedule, now time.Duration, miss func(phase, operation int, skipped, unserved uint64)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		due, answer := p.head(schedule)
		left := now >= schedule.End || p.drained && now >= due
		if answer != supplied || !left && (p.drained || !p.late(due, now)) {
			break
		}
		p.pass(schedule, due, !left)
	}
	if !p.any {
		return
	}
	p.any = false
	for phase, operations := range p.missed {
		for operation, n := range operations {
			if n != (missedCount{}) {
				miss(phase, operation, n.skipped, n.unserved)
				operations[operation] = missedCount{}
			}
		}
	}
}
