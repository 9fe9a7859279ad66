package worker

import (
	"runtime"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// The last part of a wait for an arrival is slept on an alarm, since a timer may
// be a millisecond late: it is set to end that much too early. The very last part is
// spun, since waking up takes time.
const (
	alarmSpan = 2 * time.Millisecond
	spinSpan  = 5 * time.Microsecond
)

// serve makes the operations of an open loop: each at its time, or as soon after
// it as this connection is free. It reports whether the bound of operations left
// none, or none that there is a key for.
func (c *connection) serve() (quotaDone bool) {
	if !c.load.coarse {
		c.alarm = newAlarm()
		defer c.alarm.close()
	}
	more := true
	for more && c.healthy() {
		change := c.load.change() // before the schedule, so that none is missed
		a, answer := c.load.pacer.take(&c.load.schedule, c)
		switch answer {
		case supplied:
			more = c.meet(a)
		case notYet:
			more = c.pauseFor(c.load.schedule.Load().End-c.load.clock.now(), change)
		case usedUp:
			more, quotaDone = false, true
		case drained:
			c.exhaust()
			more, quotaDone = false, c.load.quotas
		default:
			more = false
		}
	}
	if more { // its session is not replaced: others may have served all
		quotaDone = c.load.served()
	}
	if quotaDone {
		c.load.quotaDone(c.lastOr(c.load.schedule.Load().Begin()))
	}
	return c.settle() && quotaDone
}

// healthy replaces a broken session. It is false when the load was stopped before
// that worked, or the others have served all of an open loop meanwhile.
func (c *connection) healthy() bool { return !c.broken || c.reconnect() }

// lastOr is when the newest operation ended, or another stamp when there is none.
func (c *connection) lastOr(other time.Duration) time.Duration {
	if c.ended > 0 {
		return c.ended
	}
	return other
}

// meet waits for an arrival and starts it. It is false when no other may follow:
// the connection is abandoned, or the load has ended.
func (c *connection) meet(a arrival) bool {
	for {
		change := c.load.change()
		now := c.load.clock.now()
		schedule := c.load.schedule.Load()
		switch {
		case !a.belongs(schedule): // the load, or the warm-up, ends before it is due
			return true
		case now >= schedule.End:
			c.load.pacer.giveUp(schedule, a)
			return true
		case now >= a.due:
			switch c.allowed(a.operation) {
			case turnGo:
				return c.startArrival(a, schedule, now)
			case turnOver:
				c.load.pacer.giveUp(c.load.schedule.Load(), a)
				return false
			}
			a.early = false // the budget kept it
		case !c.await(a.due-now, change):
			c.load.pacer.giveUp(c.load.schedule.Load(), a)
			return false
		}
	}
}

// await sleeps towards an arrival, at most until the schedule changes. It is
// false when the load has ended, or the connection is abandoned.
func (c *connection) await(left time.Duration, change <-chan struct{}) bool {
	switch {
	case c.alarm == nil:
		return c.pauseFor(left, change)
	case left > alarmSpan:
		return c.pauseFor(left-alarmSpan, change)
	case left > spinSpan:
		return c.settle() && (c.alarm.sleep(left-spinSpan/2) || c.pauseFor(left, change))
	default:
		runtime.Gosched()
		return true
	}
}

// startArrival starts an operation that is due and records it.
func (c *connection) startArrival(a arrival, schedule *core.LoadSchedule, now time.Duration) bool {
	c.op, c.due, c.measured, c.lane, c.n = a.operation, a.due, a.measured, a.stream, a.n
	c.overslept = a.early
	phase := c.phase
	c.schedule = schedule
	c.phase, c.until = phaseSpan(schedule, a.due)
	if c.phase != phase {
		c.tell()
		if c.phase == measurement {
			c.load.measures(now)
		}
	}
	if !c.perform(now) {
		return false
	}
	c.yield()
	return true
}

// copyArgs takes over the operation that a stream has made.
func (c *connection) copyArgs(stream *core.Stream, operation int) {
	c.hash = stream.Hash()
	for i := range c.load.operations[operation].statements {
		c.args[i] = append(c.args[i][:0], stream.Args(i)...)
	}
}
