package worker

import (
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// entered reports whether a ramp has let the connection in.
func (c *connection) entered(schedule *core.LoadSchedule, at time.Duration) bool {
	return schedule.Measurement != core.Never && at >= schedule.Measurement+c.entry
}

// enter waits for that, at most until the schedule changes. It is false when the
// load has been stopped.
func (c *connection) enter(schedule *core.LoadSchedule, start time.Duration) bool {
	change := c.load.change()
	if c.load.schedule.Load() != schedule {
		return true
	}
	c.until = 0 // look again
	left := core.Never
	if schedule.Measurement != core.Never {
		left = schedule.Measurement + c.entry - start
	}
	return c.pauseFor(left, change)
}

// begins waits for the beginning of the load, at most until the schedule changes: a
// worker that joins is told only then when it is to begin. It is false when the
// load has been stopped.
func (c *connection) begins(schedule *core.LoadSchedule, start time.Duration) bool {
	change := c.load.change()
	if c.load.schedule.Load() != schedule {
		return true
	}
	return c.pauseFor(schedule.Begin()-start, change)
}

// park waits until the schedule changes, or ends the load. It is false when the
// load has been stopped.
func (c *connection) park(schedule *core.LoadSchedule, start time.Duration) bool {
	change := c.load.change()
	if c.load.schedule.Load() != schedule {
		return true
	}
	c.until = 0 // look again
	return c.pauseFor(schedule.End-start, change)
}

// pause waits with nothing in flight. It is false when the load has been
// stopped.
func (c *connection) pause(d time.Duration) bool { return c.settle() && c.wait(d) }

// pauseFor is pause that the next schedule ends too.
func (c *connection) pauseFor(d time.Duration, change <-chan struct{}) bool {
	return c.settle() && c.waitFor(d, change)
}

func (c *connection) wait(d time.Duration) bool { return c.waitFor(d, nil) }

func (c *connection) waitFor(d time.Duration, change <-chan struct{}) bool {
	if c.timer == nil {
		c.timer = time.NewTimer(d)
	} else {
		c.timer.Reset(d)
	}
	defer c.timer.Stop()
	select {
	case <-c.timer.C:
		return true
	case <-change:
		return true
	case <-c.load.stop:
		return false
	}
}
