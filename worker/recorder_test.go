package worker

import (
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
)

// testLoad is a load with open sessions and no worker around it.
func testLoad(t testing.TB, tmpl core.Template) (*load, *collector) {
	t.Helper()
	is := is.New(t)
	scenario, err := tmpl.Resolve(core.Resolution{Launcher: "memory"})
	is.NoErr(err)
	target := memory.NewTarget(memory.TargetOptions{})
	is.NoErr(target.Create(t.Context(), scenario.Table))
	is.NoErr(target.Load(t.Context(), scenario.Table, nil))
	clock := newClock()
	l, err := newLoad(t.Context(), clock, scenario, nil, core.WorkerKey{RunID: "r", WorkerID: "worker-0", Epoch: 1}, 0, error.Error, slog.New(slog.DiscardHandler))
	is.NoErr(err)
	is.NoErr(l.openAll(target))
	return l, newCollector(l, newStoreClock(clock.base), unknownUsage)
}

// measuring is a schedule whose measurement goes on for ever.
func measuring() core.LoadSchedule {
	return core.LoadSchedule{Warmup: core.Never, Measurement: 1, Cooldown: core.Never, End: core.Never}
}

// While connections run as fast as they can, others collect and cancel: not one
// operation may be lost or counted twice.
func TestCollectingLosesNothing(t *testing.T) {
	is := is.New(t)
	tmpl := template(1, 6)
	tmpl.Mix = transferMix()
	l, c := testLoad(t, tmpl)
	begin := l.clock.now() + 5*time.Millisecond
	l.publish(core.LoadSchedule{Warmup: begin, Measurement: begin + 20*time.Millisecond, Cooldown: begin + 60*time.Millisecond, End: core.Never})
	idle := make(chan struct{})
	l.start(func() {}, func() { close(idle) })
	over := make(chan struct{})
	var others sync.WaitGroup
	others.Go(func() { // cancels what is in flight, again and again
		for {
			select {
			case <-over:
				return
			default:
				l.cancelSince(l.clock.now(), errStatementTimeout)
				runtime.Gosched()
			}
		}
	})
	var intervals []core.Interval
	for l.clock.now() < begin+100*time.Millisecond || core.Total(c.total[cooldown].kinds).Started < 1000 {
		now := l.clock.now()
		c.cut(mark{at: now, offset: now.Seconds()}, now)
		intervals = append(intervals, c.list...)
		c.learn(core.Control{Acknowledged: c.sequence})
	}
	close(over)
	others.Wait()
	schedule := *l.schedule.Load()
	schedule.End = l.clock.now()
	l.publish(schedule)
	l.end()
	<-idle
	l.leave()
	c.cutLast(l.clock.now())
	intervals = append(intervals, c.list...)
	report := c.report(l.clock.now())
	is.Equal(len(report.Phases), 3)
	var made uint64
	for _, phase := range report.Phases {
		var sum []core.KindMetrics
		for _, i := range intervals {
			if i.Phase == phase.Phase {
				sum = core.MergeKinds(sum, i.Kinds)
			}
		}
		total := core.Total(phase.Kinds)
		is.Equal(differ(phase.Kinds, sum), "")
		is.Equal(total.Started, total.OK+total.Errors)
		is.Equal(total.Service.Count(), total.OK)
		checkStatements(t, &phase.Kinds[1])
		made += total.Started
	}
	var drawn int64 // in the measurement and after it
	for _, conn := range l.connections {
		if conn.measured {
			drawn += conn.stream.N()
		}
	}
	is.True(made > 1000)
	is.Equal(report.InFlight, uint64(0))
	measured, cool := report.PhaseOf(core.Measurement), report.PhaseOf(core.Cooldown)
	started := core.Total(measured.Kinds).Started + core.Total(cool.Kinds).Started
	is.True(drawn-int64(started) <= int64(len(l.connections))) // at most one drawn by each and not started
	is.True(drawn >= int64(started))
}

// A simulated hour at 20,000 operations per second: metrics take no more memory
// at its end than after its first minutes.
func TestMemoryOfMetricsIsFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("it records 72 million operations")
	}
	is := is.New(t)
	tmpl := template(1, 1)
	tmpl.Mix = append(transferMix(), tmpl.Mix[2:]...)
	tmpl.Mix[0].Weight, tmpl.Mix[1].Weight = 40, 30
	l, c := testLoad(t, tmpl)
	l.publish(measuring())
	conn := l.connections[0]
	r := core.NewRand(1, 2, 3)
	stamp := time.Duration(1)
	var early uint64
	for second := range 3600 {
		for i := range 20_000 {
			took := time.Duration(r.Uint64() % (1 << (10 + r.Uint64()%16)))
			kind := 2 * int(r.Uint64()%2)
			if i%64 == 0 {
				kind = 1 // the transaction
			}
			record(t, conn, stamp, took, kind)
			stamp += 50 * time.Microsecond
		}
		c.cut(mark{at: stamp, offset: float64(second)}, l.clock.now())
		if second%7 == 0 {
			c.learn(core.Control{Acknowledged: c.sequence})
		}
		if second == 300 {
			early = heapInUse()
		}
	}
	is.True(conn.settle())
	c.cutLast(l.clock.now())
	late := heapInUse()
	is.Equal(core.Total(c.total[measurement].kinds).OK, uint64(3600*20_000))
	checkStatements(t, &c.total[measurement].kinds[1])
	t.Logf("promised: heap after an hour at most 256 KiB above that after 5 minutes; measured: %d KiB after 5 minutes, %d KiB after an hour", early>>10, late>>10)
	is.True(late < early+256<<10)
}

// record records one operation that ended well, a transaction with its parts.
func record(t testing.TB, c *connection, at, took time.Duration, kind int) {
	begun := c.begin(at, 7, kind, measurement)
	if op := c.load.operations[kind]; op.transaction {
		for i := range op.statements + 1 {
			c.step(i, at+took*time.Duration(i+1)/8)
		}
	}
	if !begun || c.succeed(at+took, 1, measurement) && !c.settle() {
		t.Fatal("abandoned")
	}
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestRecordingAllocatesNothing(t *testing.T) {
	is := is.New(t)
	l, _ := testLoad(t, template(1, 1))
	stamp := time.Duration(1)
	one := func() {
		record(t, l.connections[0], stamp, time.Millisecond, 1)
		stamp += time.Millisecond
	}
	for range logSize {
		one()
	}
	is.Equal(testing.AllocsPerRun(1000, one), 0.0)
}

// What can be known of an operation is known while it is in flight, and what
// came before it is collected.
func TestCollectWhileInFlight(t *testing.T) {
	is := is.New(t)
	l, c := testLoad(t, template(1, 1))
	l.publish(measuring())
	conn := l.connections[0]
	for i := range 3 {
		record(t, conn, time.Duration(10+10*i), 5, 2)
	}
	is.True(conn.begin(40, 7, 1, measurement))
	for range 2 { // twice the same
		now := l.clock.now()
		c.cut(mark{at: now, offset: 1}, now)
		report := c.report(now)
		is.Equal(report.InFlight, uint64(1))
		is.Equal(report.Totals(), core.Counts{Scheduled: 4, Started: 4, OK: 3, Rows: 3})
		is.Equal(report.LastStart, c.clock.origin().Add(40))
		is.Equal(report.LastEnd, c.clock.origin().Add(35))
		is.Equal(report.Phases[0].OperationHash, uint64(4*7))
	}
	is.Equal(conn.succeed(44, 5, measurement), false)
	is.True(conn.settle())
	c.cutLast(l.clock.now())
	report := c.report(l.clock.now())
	is.Equal(report.InFlight, uint64(0))
	is.Equal(report.Totals(), core.Counts{Scheduled: 4, Started: 4, OK: 4, Rows: 8})
	is.Equal(report.Phases[0].OperationHash, uint64(4*7))
	is.Equal(report.Phases[0].Completed, uint64(4))
}

// What was recorded between a switch of phases and its gathering belongs to the
// interval after the switch.
func TestCutAtASwitch(t *testing.T) {
	is := is.New(t)
	l, c := testLoad(t, template(1, 1))
	now := l.clock.now()
	l.publish(core.LoadSchedule{Warmup: 1, Measurement: now, Cooldown: core.Never, End: core.Never})
	conn := l.connections[0]
	is.True(conn.begin(1, 0, 0, warmup))
	conn.succeed(2, 1, warmup)
	record(t, conn, now, 5, 0)
	record(t, conn, now+10, 5, 0)
	c.cut(mark{at: now, offset: 1}, now+100)
	is.Equal(len(c.list), 1)
	is.Equal(c.list[0].Phase, core.Warmup)
	is.Equal(core.Total(c.list[0].Kinds).OK, uint64(1))
	c.cut(mark{at: now + 200, offset: 2}, now+200)
	is.Equal(len(c.list), 2)
	is.Equal(c.list[1].Phase, core.Measurement)
	is.Equal(core.Total(c.list[1].Kinds).Started, uint64(2))
	is.Equal(c.list[1].Seconds, (200 * time.Nanosecond).Seconds()) // from the switch on
}

// A load without a cooldown ends where the measurement does: that is one cut, and
// not a second one a moment later with the operations that ended in between.
func TestOneCutAtTheEnd(t *testing.T) {
	is := is.New(t)
	l, c := testLoad(t, template(1, 1))
	origin := c.clock.origin()
	end := 2500 * time.Millisecond
	is.Equal(l.scenario.Load.Cooldown, core.Duration(0))
	l.publish(core.LoadSchedule{Warmup: core.Never, Measurement: 1, Cooldown: end, End: end})
	c.learn(core.Control{Status: core.Running, Origin: origin, Phase: core.Measurement, PhaseAt: origin, Until: origin.Add(end)})
	var offsets []float64
	for range 5 {
		m, ok := c.next()
		is.True(ok)
		record(t, l.connections[0], m.at-1, 2, 0) // it ends after the mark
		is.True(l.connections[0].settle())
		c.cut(m, m.at+10)
		offsets = append(offsets, m.offset)
	}
	is.Equal(offsets, []float64{0, 1, 2, 2.5, 3})
	is.Equal(len(c.list), 4)
	for _, i := range c.list {
		is.True(i.Seconds >= 0.49)
	}
}

// A cancel hits the operation that it was meant for, or none.
func TestCancelHitsOneOperation(t *testing.T) {
	is := is.New(t)
	l, _ := testLoad(t, template(1, 1))
	conn := l.connections[0]
	is.True(conn.begin(10, 0, 0, measurement))
	state, since := conn.inFlight()
	is.Equal(since, time.Duration(10))
	conn.succeed(11, 1, measurement)
	is.True(conn.begin(20, 0, 0, measurement))
	conn.stop(state, errStatementTimeout) // too late: the next one is in flight
	is.NoErr(conn.ctx.Err())

	state, _ = conn.inFlight()
	conn.stop(state, errStatementTimeout)
	is.True(conn.ctx.Err() != nil)
	stateAgain, _ := conn.inFlight()
	is.Equal(stateAgain, int64(0)) // once is enough
	conn.succeed(21, 1, measurement)
	is.Equal(conn.begin(30, 0, 0, measurement), false) // not under an ended context
	is.True(conn.settle())
	is.NoErr(conn.ctx.Err())
	is.True(conn.begin(30, 0, 0, measurement))
}

// An abandoned connection that comes back touches nothing.
func TestAbandonedConnection(t *testing.T) {
	is := is.New(t)
	l, c := testLoad(t, template(1, 3))
	l.publish(measuring())
	for _, conn := range l.connections {
		record(t, conn, 2, 1, 0)
	}
	is.True(l.connections[0].begin(5, 0, 0, measurement))
	is.True(l.connections[1].begin(5, 0, 0, measurement))
	is.True(l.connections[2].settle())
	is.Equal(c.abandonAll(), 2)
	is.Equal(c.abandonAll(), 0)
	first, second := l.connections[0], l.connections[1]
	is.True(first.ctx.Err() != nil)
	first.succeed(9, 1, measurement)
	is.Equal(first.begin(10, 0, 0, measurement), false)
	is.Equal(first.settle(), false)
	is.Equal(second.fail(5, core.ErrRefused), false)
	c.cutLast(l.clock.now())
	report := c.report(l.clock.now())
	is.Equal(report.Totals(), core.Counts{Scheduled: 5, Started: 5, OK: 3, Lost: 2, Rows: 3})
}

func TestStoreClock(t *testing.T) {
	is := is.New(t)
	base := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c := newStoreClock(base)
	is.Equal(c.origin(), base)
	ahead := func(stamp time.Duration) time.Time { return base.Add(stamp + 3*time.Second) }          // the store's clock is 3 s ahead
	c.observe(ahead(time.Second+30*time.Millisecond), time.Second, time.Second+100*time.Millisecond) // read early in a slow call
	offset, bound := c.offset(time.Second + 100*time.Millisecond)
	is.True(offset > 2.97 && offset < 3.0)
	is.True(bound >= 3.0-offset && bound < 0.051)
	c.observe(ahead(2*time.Second), 2*time.Second-time.Millisecond, 2*time.Second+time.Millisecond)
	offset, bound = c.offset(2*time.Second + time.Millisecond)
	is.Equal(offset, 3.0)
	is.Equal(bound, 0.001)
	c.observe(ahead(3*time.Second), 3*time.Second-time.Second, 3*time.Second+time.Second) // a worse one changes nothing
	offset, _ = c.offset(3 * time.Second)
	is.Equal(offset, 3.0)
	_, bound = c.offset(102 * time.Second)
	is.True(bound > 0.010 && bound < 0.012) // the knowledge ages
	c.observe(ahead(102*time.Second), 102*time.Second-5*time.Millisecond, 102*time.Second+5*time.Millisecond)
	_, bound = c.offset(102*time.Second + 5*time.Millisecond)
	is.Equal(bound, 0.005) // so that a new reading wins at last
}
