package worker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// Why the context of an operation was ended by the worker itself.
var (
	errStatementTimeout = errors.New("statement timeout")
	errStopped          = errors.New("cancelled by the stop")
)

// operation is one entry of the mix as a connection needs it.
type operation struct {
	kind        string
	access      string
	first       int // number of its first statement
	statements  int
	transaction bool
}

// connection is one concurrent client: one goroutine, one session, one stream
// of operations. What is below the slot belongs to whoever holds the slot's
// buffer, session and stream to the connection's goroutine alone.
type connection struct {
	slot

	ctx       context.Context // of the operation at hand; renewed only after a cancel
	cancel    context.CancelCauseFunc
	why       error // why the operation in flight was cancelled; nil: it was not
	cancelled bool  // ctx has ended

	op    int          // the operation at hand
	phase int          // it belongs to
	into  *phaseBuffer // where it is counted, and in it the kind
	kind  *kindBuffer

	load    *load
	index   int   // within the worker
	global  int64 // within the run
	stream  *core.Stream
	session ports.Session // nil while none is open
	args    [][]any       // of the operation at hand, by statement
	hash    uint64

	schedule *core.LoadSchedule // as last seen
	until    time.Duration      // the phase holds up to this stamp, by that schedule
	stamp    time.Duration      // as last released
	measured bool               // the stream has been switched to the measurement
	broken   bool               // the session must be replaced
	failures int                // sessions broken one after another
	left     int64              // operations of the measurement still to be started
	timer    *time.Timer        // of pauses
	_        [64]byte
}

func (l *load) newConnection(index int, global int64) *connection {
	c := &connection{
		load: l, index: index, global: global, stream: l.generator.Connection(global),
		args: make([][]any, l.longest), phase: noPhase, left: math.MaxInt64,
	}
	if l.quotas {
		c.left = core.Quota(l.scenario.Load.Operations, int64(l.scenario.Load.Connections), global)
	}
	c.buffer = &buffer{}
	c.renew()
	c.idle()
	return c
}

// renew makes the context of the operations to come.
func (c *connection) renew() {
	c.ctx, c.cancel = context.WithCancelCause(c.load.ctx)
	c.cancelled = false
}

// idle gives the buffer free for as long as no operation is in flight.
func (c *connection) idle() {
	c.stamp = -c.load.clock.now()
	c.release(c.stamp)
}

// How a turn to a new schedule or phase goes on.
type turn int

const (
	turnGo     turn = iota // start the operation at hand
	turnAgain              // look at the clock again
	turnRedraw             // the operation at hand belongs to the phase before
	turnOver               // no operation will start
)

// run makes operations until the load ends, and reports whether its quota is
// done. The slot is idle before and after, save for an abandoned connection.
func (c *connection) run() (quotaDone bool) {
	if !c.take(c.stamp) {
		return false
	}
	for drawn := false; ; {
		if !drawn && !c.draw() {
			break
		}
		drawn = true
		start := c.load.clock.now()
		if schedule := c.load.schedule.Load(); schedule != c.schedule || start >= c.until {
			next := c.turn(schedule, start)
			if next == turnOver {
				break
			}
			if next != turnGo {
				drawn = next == turnAgain
				continue
			}
		}
		drawn = false
		if !c.perform(start) {
			return false
		}
		if c.phase == measurement {
			if c.left--; c.left == 0 {
				break
			}
		}
		if (c.broken && !c.reconnect()) || (c.load.think > 0 && !c.pause(c.load.think)) {
			break
		}
	}
	done := c.left == 0
	if done {
		c.load.quotaDone(c.buffer.lastEnd)
	}
	c.idle()
	return done
}

// draw chooses the next operation and makes its parameters.
func (c *connection) draw() bool {
	if c.op = c.stream.Next(); c.op == core.Exhausted {
		c.load.note(fmt.Sprintf("connection %d: no key is left to insert", c.global))
		return false
	}
	c.hash = c.stream.Hash()
	for i := range c.load.operations[c.op].statements {
		c.args[i] = c.stream.Args(i)
	}
	return true
}

// turn follows a new schedule, or the old one into its next phase.
func (c *connection) turn(schedule *core.LoadSchedule, start time.Duration) turn {
	c.schedule = schedule
	c.phase, c.until = phaseSpan(schedule, start)
	switch {
	case start >= schedule.End:
		return turnOver
	case c.phase == noPhase:
		if !c.pause(schedule.Begin() - start) {
			return turnOver
		}
		return turnAgain
	case c.phase != warmup && !c.measured:
		c.measured = true
		c.stream.Measure()
		if c.left == 0 { // more connections than operations
			return turnOver
		}
		return turnRedraw
	default:
		return turnGo
	}
}

// phaseSpan is the phase at a stamp, and the stamp up to which it holds.
func phaseSpan(s *core.LoadSchedule, at time.Duration) (phase int, until time.Duration) {
	phase = phaseIndex(s.PhaseAt(at))
	if phase == noPhase {
		return noPhase, 0
	}
	until = s.End
	for _, switchAt := range []time.Duration{s.Measurement, s.Cooldown} {
		if switchAt > at {
			until = min(until, switchAt)
		}
	}
	return phase, until
}

// perform executes the operation at hand and records it. It is false when the
// connection was abandoned meanwhile: then it must touch nothing.
func (c *connection) perform(start time.Duration) bool {
	c.begin(start)
	rows, err := c.execute(&c.load.operations[c.op])
	return c.finish(start, c.load.clock.now(), rows, err)
}

// begin counts the operation at hand as started and gives the buffer free.
func (c *connection) begin(start time.Duration) {
	p := c.phaseBuffer()
	k := &p.kinds[c.op]
	k.started++
	p.hash += c.hash
	c.buffer.lastStart = start
	c.into, c.kind, c.stamp = p, k, start
	c.release(start)
}

// phaseBuffer is where operations of the present phase are counted.
func (c *connection) phaseBuffer() *phaseBuffer {
	if p := c.buffer.phases[c.phase]; p != nil {
		return p
	}
	return c.buffer.phase(c.phase, len(c.load.operations))
}

// finish takes the buffer back and counts how the operation ended.
func (c *connection) finish(start, end time.Duration, rows int64, err error) bool {
	if !c.take(c.stamp) {
		return false
	}
	c.record(start, end, rows, err)
	return true
}

// execute calls the target: one statement, or a transaction.
func (c *connection) execute(op *operation) (rows int64, err error) {
	if !op.transaction {
		return c.session.Exec(c.ctx, op.first, c.args[0])
	}
	if err = c.session.Begin(c.ctx); err != nil {
		return 0, c.undo(err)
	}
	for i := range op.statements {
		c.restamp()
		n, err := c.session.Exec(c.ctx, op.first+i, c.args[i])
		if err != nil {
			return 0, c.undo(err)
		}
		rows += n
	}
	c.restamp()
	if err = c.session.Commit(c.ctx); err != nil {
		return 0, c.undo(err)
	}
	return rows, nil
}

// restamp says that the next statement of a transaction is in flight from now
// on, so that each gets the whole statement timeout.
func (c *connection) restamp() {
	if c.take(c.stamp) { // else it was abandoned: perform will see it too
		c.stamp = c.load.clock.now()
		c.release(c.stamp)
	}
}

// undo rolls a failed transaction back, in the time of the operation. A session
// that cannot is broken.
func (c *connection) undo(err error) error {
	if core.CodeOf(err) == core.Unavailable || !c.take(c.stamp) {
		return err
	}
	if c.cancelled {
		c.renew()
	}
	c.stamp = c.load.clock.now()
	c.release(c.stamp)
	if problem := c.session.Rollback(c.ctx); problem != nil {
		c.broken = true
	}
	return err
}

// record counts the operation that has just ended.
func (c *connection) record(start, end time.Duration, rows int64, err error) {
	c.buffer.lastEnd = end
	if c.into != c.buffer.phases[c.phase] { // the buffer was collected meanwhile
		c.into = c.phaseBuffer()
		c.kind = &c.into.kinds[c.op]
	}
	k := c.kind
	if err != nil || c.why != nil {
		c.unusual(k, start, end, rows, err)
		return
	}
	k.ok++
	k.rows += uint64(rows)
	k.service.Record(end - start)
	if end < c.until && c.load.schedule.Load() == c.schedule {
		c.into.completed++
	} else {
		c.complete(end)
	}
	c.failures = 0
	if c.load.sampler.threshold != 0 {
		c.sample(start, end, rows, nil, "")
	}
}

// complete counts a completion in the window that it falls into, if any.
func (c *connection) complete(end time.Duration) {
	if phase, _ := phaseSpan(c.load.schedule.Load(), end); phase != noPhase {
		c.buffer.phase(phase, len(c.load.operations)).completed++
	}
}

// unusual records an operation that failed or that was cancelled.
func (c *connection) unusual(k *kindBuffer, start, end time.Duration, rows int64, err error) {
	why := c.why
	c.why = nil
	if c.cancelled {
		c.renew()
	}
	if err == nil { // it was cancelled too late
		c.record(start, end, rows, nil)
		return
	}
	class := core.ErrorClass(err)
	switch {
	case why == errStopped, class == core.ClassCancelled && c.load.stopped():
		class = core.ClassCancelled
		k.aborted++
	default:
		if why != nil {
			class = core.ClassTimeout
			err = fmt.Errorf("%w after %s: %w", why, c.load.timeout, err)
		}
		k.errors++
		k.failures = core.AddError(k.failures, core.ErrorCount{Class: class, Count: 1, Example: c.load.example(k.failures, class, err)})
		c.load.noteError(err)
	}
	if core.CodeOf(err) == core.Unavailable {
		c.broken = true
	}
	if c.load.sampler.threshold != 0 {
		c.sample(start, end, 0, err, class)
	}
}

// pause waits with the buffer given free. It is false when the load has been
// stopped.
func (c *connection) pause(d time.Duration) bool {
	c.idle()
	going := c.wait(d)
	return c.take(c.stamp) && going
}

func (c *connection) wait(d time.Duration) bool {
	if c.timer == nil {
		c.timer = time.NewTimer(d)
	} else {
		c.timer.Reset(d)
	}
	defer c.timer.Stop()
	select {
	case <-c.timer.C:
		return true
	case <-c.load.stop:
		return false
	}
}

// The pauses before a broken session is replaced: none at first, then doubling.
const (
	minReconnectPause = 10 * time.Millisecond
	maxReconnectPause = 2 * time.Second
)

// reconnect replaces a broken session. It is false when the load was stopped
// before that worked. No operation is in flight meanwhile.
func (c *connection) reconnect() bool {
	c.idle()
	c.closeSession()
	for c.broken && !c.load.stopped() {
		if c.failures > 0 {
			c.wait(min(minReconnectPause<<min(c.failures-1, 20), maxReconnectPause))
		}
		c.failures++
		if err := c.openSession(c.load.opening); err != nil {
			c.load.noteError(err)
			continue
		}
		c.broken = false
		c.load.reconnects.Add(1)
	}
	return c.take(c.stamp) && !c.broken
}

// openSession opens the connection's session.
func (c *connection) openSession(ctx context.Context) error {
	session, err := c.load.open(ctx, c.global)
	if err != nil {
		return err
	}
	c.session = session
	c.load.opened(c.index, session.ID())
	return nil
}

// closeSession ends the connection's session, if it has one.
func (c *connection) closeSession() {
	if c.session == nil {
		return
	}
	c.load.closed(c.index)
	if err := c.session.Close(); err != nil && !c.broken {
		c.load.noteError(err)
	}
	c.session = nil
}
