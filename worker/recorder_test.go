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
	l, err := newLoad(t.Context(), clock, scenario, core.WorkerKey{RunID: "r", WorkerID: "worker-0", Epoch: 1}, 0, error.Error, slog.New(slog.DiscardHandler))
	is.NoErr(err)
	is.NoErr(l.openAll(target))
	return l, newCollector(l, newStoreClock(clock.base), func() (cpu, memory, seconds float64) { return 0, 0, 0 })
}

// measuring is a schedule whose measurement goes on for ever.
func measuring() core.LoadSchedule {
	return core.LoadSchedule{Warmup: core.Never, Measurement: 1, Cooldown: core.Never, End: core.Never}
}

// While connections run as fast as they can, others collect and cancel: not one
// operation may be lost or counted twice.
func TestCollectingLosesNothing(t *testing.T) {
	is := is.New(t)
	l, c := testLoad(t, template(1, 6))
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
	for l.clock.now() < begin+100*time.Millisecond {
		now := l.clock.now()
		c.cut(mark{at: now, offset: now.Seconds(), which: -1}, now)
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
	l.closing.Wait()
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
		is.Equal(differ(phase.Kinds, sum), "")
		total := core.Total(phase.Kinds)
		is.Equal(total.Started, total.OK+total.Errors)
		is.Equal(total.Service.Count(), total.OK)
		made += total.Started
	}
	var drawn int64
	for _, conn := range l.connections {
		drawn += conn.stream.N()
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
	l, c := testLoad(t, template(1, 1))
	l.publish(measuring())
	conn := l.connections[0]
	is.True(conn.take(conn.stamp))
	conn.phase, conn.until, conn.schedule = measurement, core.Never, l.schedule.Load()
	r := core.NewRand(1, 2, 3)
	stamp := time.Duration(1)
	var early uint64
	for second := range 3600 {
		for range 20_000 {
			conn.op = int(r.Uint64() % 4)
			conn.begin(stamp)
			took := time.Duration(r.Uint64() % (1 << (10 + r.Uint64()%16)))
			is.True(conn.finish(stamp, stamp+took, 1, nil))
			stamp += 50 * time.Microsecond
		}
		conn.idle()
		c.cut(mark{at: stamp, offset: float64(second), which: -1}, l.clock.now())
		if second%7 == 0 {
			c.learn(core.Control{Acknowledged: c.sequence})
		}
		is.True(conn.take(conn.stamp))
		if second == 300 {
			early = heapInUse()
		}
	}
	late := heapInUse()
	is.Equal(core.Total(c.total[measurement].kinds).OK, uint64(3600*20_000))
	t.Logf("heap after 5 minutes %d KiB, after an hour %d KiB", early>>10, late>>10)
	is.True(late < early+256<<10)
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
	l.publish(measuring())
	conn := l.connections[0]
	is.True(conn.take(conn.stamp))
	conn.phase, conn.until, conn.schedule = measurement, core.Never, l.schedule.Load()
	stamp := time.Duration(1)
	one := func() {
		conn.begin(stamp)
		conn.finish(stamp, stamp+time.Millisecond, 1, nil)
		stamp += time.Millisecond
	}
	one()
	is.Equal(testing.AllocsPerRun(1000, one), 0.0)
}

// An abandoned connection that comes back touches nothing.
func TestAbandonedSlot(t *testing.T) {
	is := is.New(t)
	l, c := testLoad(t, template(1, 2))
	l.publish(measuring())
	conn := l.connections[0]
	is.True(conn.take(conn.stamp))
	conn.phase, conn.until, conn.schedule = measurement, core.Never, l.schedule.Load()
	conn.begin(5)
	is.Equal(c.abandonAll(), 1)
	is.Equal(c.abandonAll(), 0)
	is.Equal(conn.ctx.Err() != nil, true)
	is.Equal(conn.finish(5, 9, 1, nil), false)
	c.cutLast(l.clock.now())
	report := c.report(l.clock.now())
	total := report.Totals()
	is.Equal(total, core.Counts{Scheduled: 1, Started: 1, Lost: 1})
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
