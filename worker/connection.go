package worker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// Why the context of an operation was ended by the worker itself.
var (
	errStatementTimeout = errors.New("statement timeout")
	errStopped          = errors.New("cancelled by the stop")
)

// How long a connection keeps a processor: the control read of a busy worker must not
// queue behind its load. Calls that wait for a server mostly leave it by themselves; to
// yield after each would send every operation through the scheduler once more.
const (
	yieldAfter       = 250 * time.Microsecond
	yieldAfterRemote = 5 * time.Millisecond
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
// of operations. All but the recorder belongs to its goroutine alone.
type connection struct {
	recorder

	load    *load
	index   int             // within the worker
	global  int64           // within the run
	ctx     context.Context // of operations; renewed only after a cancel
	stream  *core.Stream    // nil in an open loop
	session ports.Session   // nil while none is open

	op    int // the operation at hand
	phase int // it belongs to
	hash  uint64
	args  [][]any // by statement

	due       time.Duration // its intended start; 0 in a closed loop
	overslept bool          // the connection was waiting for that, should it be late
	lane, n   int64         // whose stream has made it, and its place there
	entry     time.Duration // into a closed loop with a ramp, since the measurement began
	alarm     *alarm        // for the last part of waits; nil: the timer has to do

	schedule  *core.LoadSchedule // as last seen
	until     time.Duration      // the phase holds up to this stamp, by that schedule
	ended     time.Duration      // the newest operation
	measured  bool               // the stream has been switched to the measurement
	yielded   time.Duration      // it let others run
	quantum   time.Duration      // after which it does
	broken    bool               // the session must be replaced
	exhausted bool               // no key is left to insert
	failures  int                // sessions broken one after another
	kept      kept               // rows of the budget for the operation at hand
	left      int64              // operations of the measurement still to be started
	unsampled bool               // none of its operations is sampled: it is the null lane's
	timer     *time.Timer        // of pauses
	_         [64]byte
}

func (l *load) newConnection(index int, global int64) *connection {
	c := &connection{
		load: l, index: index, global: global, lane: global,
		args: make([][]any, l.longest), phase: noPhase, left: math.MaxInt64,
	}
	if l.pacer == nil {
		c.stream = l.generator.Connection(global)
	}
	if l.entries != nil {
		c.entry = l.entries[index]
	}
	if l.quotas {
		c.left = core.Quota(l.scenario.Load.Operations, int64(l.scenario.Load.Connections), global)
	}
	c.buffer, c.kinds, c.steps = &buffer{}, len(l.operations), newStepLog(l.operations)
	c.rest()
	c.renew()
	return c
}

// renew makes the context of the operations to come.
func (c *connection) renew() {
	ctx, cancel := context.WithCancelCause(c.load.ctx)
	c.ctx = ctx
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancel = cancel
}

// settle records everything and rests. It is false when the connection is
// abandoned: then it must end.
func (c *connection) settle() bool {
	renew, ok := c.flush()
	if renew {
		c.renew()
	}
	return ok
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
// done, as far as there are keys for it.
func (c *connection) run() (quotaDone bool) {
	if c.load.pacer != nil {
		return c.serve()
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
		if allowed := c.allowed(c.op); allowed == turnAgain {
			continue
		} else if allowed == turnOver {
			break
		}
		drawn = false
		if !c.perform(start) {
			return false
		}
		c.yield()
		if c.phase == measurement {
			if c.left--; c.left == 0 {
				break
			}
		}
		if (c.broken && !c.reconnect()) || (c.load.think > 0 && !c.pause(c.load.think)) {
			break
		}
	}
	quotaDone = c.left == 0 || c.exhausted && c.load.quotas
	if quotaDone {
		c.load.quotaDone(c.ended)
	}
	return c.settle() && quotaDone
}

// yield lets others run, if that is due.
func (c *connection) yield() {
	if c.ended-c.yielded >= c.quantum {
		runtime.Gosched()
		c.yielded = c.load.clock.now()
	}
}

// draw chooses the next operation and makes its parameters.
func (c *connection) draw() bool {
	if c.op = c.stream.Next(); c.op == core.Exhausted {
		c.exhaust()
		return false
	}
	c.hash, c.n = c.stream.Hash(), c.stream.N()-1
	for i := range c.load.operations[c.op].statements {
		c.args[i] = c.stream.Args(i)
	}
	return true
}

// exhaust says that the connection ends before the load does, since no key is left
// to insert.
func (c *connection) exhaust() {
	c.exhausted = true
	c.load.exhausted.Add(1)
	c.load.note(fmt.Sprintf("connection %d: no key is left to insert", c.global))
}

// turn follows a new schedule, or the old one into its next phase.
func (c *connection) turn(schedule *core.LoadSchedule, start time.Duration) turn {
	c.schedule = schedule
	c.phase, c.until = phaseSpan(schedule, start)
	c.tell()
	switch {
	case start >= schedule.End:
		return turnOver
	case c.phase == noPhase:
		if !c.begins(schedule, start) {
			return turnOver
		}
		return turnAgain
	case c.index >= len(c.load.connections)-schedule.Parked:
		if !c.park(schedule, start) {
			return turnOver
		}
		return turnAgain
	case c.entry > 0 && !c.entered(schedule, start):
		if !c.enter(schedule, start) {
			return turnOver
		}
		return turnAgain
	case c.phase != warmup && !c.measured:
		c.measured = true
		c.load.measures(start)
		c.stream.Measure()
		if c.left == 0 { // more connections than operations
			return turnOver
		}
		return turnRedraw
	default:
		return turnGo
	}
}

// measures notes that an operation of the measurement starts.
func (l *load) measures(at time.Duration) {
	for first := l.began.Load(); first == 0 || int64(at) < first; first = l.began.Load() {
		if l.began.CompareAndSwap(first, int64(at)) {
			return
		}
	}
}

// tell lets the session tell the target which phase it is.
func (c *connection) tell() {
	if session, tells := c.session.(ports.Phased); tells && c.phase != noPhase {
		session.Phase(phaseName(c.phase))
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
// connection was abandoned meanwhile.
func (c *connection) perform(start time.Duration) bool {
	if !c.publish(start) && !(c.settle() && c.publish(start)) {
		return false
	}
	rows, err := c.execute(&c.load.operations[c.op])
	c.ended = c.load.clock.now()
	if a := c.load.allowance; a != nil {
		a.settle(c.op, c.kept, rows, err != nil)
	}
	if err != nil {
		return c.fail(start, err)
	}
	window := c.phase
	if c.ended >= c.until || c.load.schedule.Load() != c.schedule {
		window, _ = phaseSpan(c.load.schedule.Load(), c.ended)
	}
	full := c.succeed(c.ended, rows, window)
	c.failures = 0
	if c.load.sampler.threshold != 0 {
		c.sample(start, rows, nil, "")
	}
	return !full || c.settle()
}

// publish says that the operation at hand is in flight.
func (c *connection) publish(start time.Duration) bool {
	c.intend(c.due, c.overslept)
	return c.begin(start, c.hash, c.op, c.phase)
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
		c.step(i, c.load.clock.now()) // each has the whole statement timeout
		n, err := c.session.Exec(c.ctx, op.first+i, c.args[i])
		if err != nil {
			return 0, c.undo(err)
		}
		rows += n
	}
	c.step(op.statements, c.load.clock.now())
	if err = c.session.Commit(c.ctx); err != nil {
		return 0, c.undo(err)
	}
	return rows, nil
}

// undo rolls a failed transaction back, in the time of the operation. A session
// that cannot is broken.
func (c *connection) undo(err error) error {
	if core.CodeOf(err) == core.Unavailable {
		return err // broken anyway
	}
	now := c.load.clock.now()
	if c.ctx.Err() != nil {
		c.renew()
		c.resume(now)
	} else {
		c.restamp(now)
	}
	if problem := c.session.Rollback(c.ctx); problem != nil {
		c.broken = true
	}
	return err
}

// fail records an operation that ended with an error.
func (c *connection) fail(start time.Duration, err error) bool {
	c.mu.Lock()
	if c.state.Load() == abandoned {
		c.mu.Unlock()
		return false
	}
	c.absorb(c.tail)
	k := c.countStart()
	class := core.ErrorClass(err)
	switch {
	case c.why == errStopped, c.why == nil && class == core.ClassCancelled && c.load.stopped():
		class = core.ClassCancelled
		k.aborted++
	default:
		if c.why != nil {
			class = core.ClassTimeout
			err = fmt.Errorf("%w after %s: %w", c.why, c.load.timeout, err)
		}
		k.errors++
		k.failures = core.AddError(k.failures, core.ErrorCount{Class: class, Count: 1, Example: c.load.example(k.failures, class, err)})
	}
	c.buffer.lastEnd = c.ended
	renew := c.rest()
	c.mu.Unlock()
	if renew {
		c.renew()
	}
	if class != core.ClassCancelled {
		c.load.noteError(err)
	}
	c.broken = c.broken || core.CodeOf(err) == core.Unavailable
	if c.load.sampler.threshold != 0 {
		c.sample(start, 0, err, class)
	}
	return true
}

// The pauses before a broken session is replaced: none at first, then doubling.
const (
	minReconnectPause = 10 * time.Millisecond
	maxReconnectPause = 2 * time.Second
)

// reconnect replaces a broken session. It is false when the load was stopped before
// that worked, or there is nothing left to do. No operation is in flight meanwhile.
func (c *connection) reconnect() bool {
	c.closeSession()
	for c.broken && !c.load.stopped() && !c.load.served() {
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
	return !c.broken
}

// openSession opens the connection's session.
func (c *connection) openSession(ctx context.Context) error {
	session, err := c.load.open(ctx, c.global)
	if err != nil {
		return err
	}
	c.session = session
	c.quantum = yieldAfter
	if _, remote := session.(ports.Remote); remote {
		c.quantum = yieldAfterRemote
	}
	c.tell()
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
