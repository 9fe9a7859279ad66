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

// errAbandoned unwinds a connection that came back after it was given up.
var errAbandoned = errors.New("abandoned")

// operation is one entry of the mix as a connection needs it.
type operation struct {
	kind        string
	first       int // number of its first statement
	statements  int
	transaction bool
}

// connection is one concurrent client: one goroutine, one session, one stream
// of operations.
type connection struct {
	slot

	load    *load
	index   int   // within the worker
	global  int64 // within the run
	stream  *core.Stream
	session ports.Session // nil while none is open
	args    [][]any       // of the current operation, by statement

	ctx    context.Context // of the operation in flight; renewed only after a cancel
	cancel context.CancelCauseFunc

	schedule *core.LoadSchedule // as last seen
	phase    int                // of the operation at hand
	until    time.Duration      // until this stamp the phase holds, by schedule
	measured bool               // the stream was switched to the measurement
	left     int64              // operations of the measurement still to be started
	op       int                // the operation at hand
	failures int                // sessions broken one after another
	_        [64]byte
}

func (l *load) newConnection(index int, global int64) *connection {
	c := &connection{
		load: l, index: index, global: global, stream: l.generator.Connection(global),
		schedule: &core.LoadSchedule{}, phase: noPhase, left: math.MaxInt64,
	}
	if l.operationsBound > 0 {
		c.left = core.Quota(l.operationsBound, l.connectionsTotal, global)
	}
	c.args = make([][]any, l.longest)
	c.buffer = &buffer{}
	c.renew()
	c.release(-l.clock.now())
	return c
}

// renew makes the context of the operations to come.
func (c *connection) renew() {
	c.ctx, c.cancel = context.WithCancelCause(c.load.ctx)
}

// run makes operations until the load ends. It owns the buffer when it begins
// and has released it when it returns.
func (c *connection) run() (quotaDone bool) {
	idle := c.load.clock.now()
	defer func() { c.release(-idle) }()
	drawn := false
	for {
		if !drawn {
			if !c.draw() {
				return false
			}
			drawn = true
		}
		start := c.load.clock.now()
		if schedule := c.load.schedule.Load(); schedule != c.schedule || start >= c.until {
			switch c.turn(schedule, start) {
			case turnAgain:
				continue
			case turnRedraw:
				drawn = false
				continue
			case turnOver:
				idle = c.load.clock.now()
				return c.left == 0
			}
		}
		drawn = false
		if !c.perform(start) {
			idle = math.MaxInt64 // abandoned: the slot is no longer ours
			return false
		}
	}
}

// draw chooses the next operation and makes its parameters.
func (c *connection) draw() bool {
	if c.op = c.stream.Next(); c.op == core.Exhausted {
		c.load.fail(fmt.Sprintf("connection %d: no key is left to insert", c.global))
		return false
	}
	for i := range c.load.operations[c.op].statements {
		c.args[i] = c.stream.Args(i)
	}
	return true
}
