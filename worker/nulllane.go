package worker

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

const (
	// nullPace is the mean time between two null operations. What each costs is
	// waking a processor, up to a tenth of a millisecond: so a lane takes about a
	// thousandth of one.
	nullPace = 100 * time.Millisecond
	// maxNullBacklog bounds how many null operations that came due while the
	// process stood still are made up for: those of a minute.
	maxNullBacklog = int64(time.Minute / nullPace)
)

// nullLane is one lane of a worker that is no connection of its run. At a low,
// fixed pace it runs the whole path of an operation (to choose it, to make its
// parameters, to time and to record it) against a session that does nothing. So
// it measures, beside the load and under it, what the harness costs for each
// operation, and how much later than asked this process gets to work. What it
// records stays its own: it is in no count, ledger, hash or sample of the run.
type nullLane struct {
	load *load
	conn *connection
	n    int64 // null operations of the measurement
	wake *time.Timer

	mu       sync.Mutex
	measured core.Overhead // guarded by mu
}

func newNullLane(l *load, first int) *nullLane {
	c := &connection{
		load: l, index: -1, global: int64(first), lane: int64(first), args: make([][]any, l.longest),
		phase: noPhase, left: math.MaxInt64, stream: l.generator.Connection(int64(first)), session: nullSession{}, unsampled: true,
	}
	c.buffer, c.kinds, c.steps = &buffer{}, len(l.operations), newStepLog(l.operations)
	c.rest()
	c.renew()
	return &nullLane{load: l, conn: c}
}

// run makes null operations while the load is in the measurement. It ends with
// that, or with ctx.
func (n *nullLane) run(ctx context.Context) {
	n.wake = time.NewTimer(0)
	defer n.wake.Stop()
	if !n.load.coarse {
		n.conn.alarm = newAlarm()
		defer context.AfterFunc(ctx, n.conn.alarm.close)()
		defer n.conn.alarm.close()
	}
	for ctx.Err() == nil {
		change := n.load.change()
		now := n.load.clock.now()
		start, end := n.load.schedule.Load().Window(core.Measurement)
		switch {
		case start == core.Never:
			n.pause(ctx, core.Never, change)
		case n.due(start) >= end:
			return
		case now < n.due(start):
			n.await(ctx, n.due(start)-now, change)
		default:
			n.make(start, now)
		}
	}
}

// due is when the next null operation is to start: one in each turn of the pace,
// at a place in it that wanders, so that nothing else that comes periodically,
// such as the cuts of the intervals, meets them always or never.
func (n *nullLane) due(start time.Duration) time.Duration {
	const golden = 0x9E3779B97F4A7C15 // 2^64 ÷ the golden ratio: its multiples fill the turn evenly
	place := time.Duration(uint64(n.n+1) * golden >> 40 * uint64(nullPace) >> 24)
	return start + time.Duration(n.n)*nullPace + place
}

// make makes the null operation that is due. It is made twice: the first finds
// the caches cold, as no operation of a busy connection does, so it tells when
// the process got to work; the second tells what an operation costs.
func (n *nullLane) make(start, now time.Duration) {
	due := n.due(start)
	n.n++
	if behind := int64((now - due) / nullPace); behind > maxNullBacklog {
		n.n += behind - maxNullBacklog // the oldest are given up
	}
	woken := n.once()
	before := n.load.clock.now()
	after := n.once()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.measured.Response.Record(woken - due)
	n.measured.Service.Record(after - before)
}

// once makes one null operation and tells when it was recorded.
func (n *nullLane) once() time.Duration {
	c := n.conn
	if c.op = c.stream.Next(); c.op == core.Exhausted { // nothing is inserted: begin again
		c.stream = n.load.generator.Connection(c.global)
		c.op = c.stream.Next()
	}
	c.hash, c.n = c.stream.Hash(), c.stream.N()-1
	for i := range n.load.operations[c.op].statements {
		c.args[i] = c.stream.Args(i)
	}
	start := n.load.clock.now()
	if schedule := n.load.schedule.Load(); schedule != c.schedule || start >= c.until {
		c.schedule = schedule
		c.phase, c.until = phaseSpan(schedule, start)
		if c.phase == noPhase { // it has just ended
			c.phase = measurement
		}
	}
	c.perform(start)
	return n.load.clock.now()
}

// await sleeps towards a null operation, as exactly as an open loop does: on its
// alarm, which the end of ctx closes.
func (n *nullLane) await(ctx context.Context, left time.Duration, change <-chan struct{}) {
	if alarm := n.conn.alarm; alarm == nil || !alarm.sleep(left) {
		n.pause(ctx, left, change)
	}
}

func (n *nullLane) pause(ctx context.Context, d time.Duration, change <-chan struct{}) {
	n.wake.Reset(d)
	select {
	case <-n.wake.C:
	case <-change:
	case <-ctx.Done():
	}
}

// overhead is what was measured so far; it shares nothing with the lane.
func (n *nullLane) overhead() *core.Overhead {
	if n == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.measured.Clone()
}

// nullSession is a session that does nothing.
type nullSession struct{}

var _ ports.Session = nullSession{}

func (nullSession) ID() string                                      { return "" }
func (nullSession) Exec(context.Context, int, []any) (int64, error) { return 0, nil }
func (nullSession) Begin(context.Context) error                     { return nil }
func (nullSession) Commit(context.Context) error                    { return nil }
func (nullSession) Rollback(context.Context) error                  { return nil }
func (nullSession) QueryID() string                                 { return "" }
func (nullSession) Close() error                                    { return nil }
