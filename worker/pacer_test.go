package worker

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

// The machine sleeps through a part of the schedule: its own fault, and told.
func TestOpenLoopThatOversleeps(t *testing.T) {
	is := is.New(t)
	p, c := testPacer(t, openTemplate(1, 1, 100))
	schedule := &core.LoadSchedule{Warmup: core.Never, Measurement: 1, Cooldown: core.Never, End: core.Never}
	a, answer := p.take(holding(schedule), c)
	is.Equal(answer, supplied)
	is.True(a.early)
	is.Equal(a.due, 5*time.Millisecond+1)
	c.load.publish(*schedule)
	is.True(c.startArrival(a, c.load.schedule.Load(), a.due+2*time.Millisecond))
	c.flush()
	total := c.buffer.phases[measurement]
	is.Equal(total.kinds[a.operation].late, uint64(1))
	is.Equal(total.kinds[a.operation].overslept, uint64(1))
}

// testPacer is the pacer of a load that is not running, and one of its
// connections, with a session.
func testPacer(t testing.TB, tmpl core.Template) (*pacer, *connection) {
	l, _ := testLoad(t, tmpl)
	return l.pacer, l.connections[0]
}

// holding is where connections find a schedule.
func holding(schedule *core.LoadSchedule) *atomic.Pointer[core.LoadSchedule] {
	var p atomic.Pointer[core.LoadSchedule]
	p.Store(schedule)
	return &p
}

// An arrival of the warm-up that was taken before the switch was known, and is
// due after it, counts nowhere; the measurement begins with its own first one.
func TestPacerSwitches(t *testing.T) {
	is := is.New(t)
	tmpl := openTemplate(1, 2, 0.01) // the first is due after 50 s
	tmpl.Load.Duration = core.Duration(time.Hour)
	p, c := testPacer(t, tmpl)
	schedule := &core.LoadSchedule{Warmup: 1, Measurement: core.Never, Cooldown: core.Never, End: core.Never}
	a, answer := p.take(holding(schedule), c)
	is.Equal(answer, supplied)
	is.True(!a.measured)
	is.True(a.belongs(schedule))
	schedule.Measurement = time.Second
	is.True(!a.belongs(schedule))
	p.giveUp(schedule, a)
	b, answer := p.take(holding(schedule), c)
	is.Equal(answer, supplied)
	is.True(b.measured)
	is.Equal(b.n, int64(0))
	is.Equal(b.due, 51*time.Second)
	schedule.End = 2 * time.Second
	_, answer = p.take(holding(schedule), c)
	is.Equal(answer, over)
	p.collect(schedule, 3*time.Second, func(phase, operation int, skipped, unserved uint64) { t.Error(phase, operation, skipped, unserved) })
	schedule.End = 400 * time.Second // three more are due until then, and nobody takes them
	left := uint64(0)
	p.collect(schedule, 500*time.Second, func(phase, operation int, skipped, unserved uint64) {
		is.Equal(phase, measurement)
		is.Equal(skipped, uint64(0))
		left += unserved
	})
	is.Equal(left, uint64(3))
}

// What is too late is counted as skipped when it is, though every connection is busy and
// nobody comes for it: an interval without it would tell of a target without load.
func TestPacerCountsWhatNobodyComesFor(t *testing.T) {
	is := is.New(t)
	p, c := testPacer(t, openTemplate(1, 2, 1000)) // 100 ms late at most
	schedule := &core.LoadSchedule{Warmup: core.Never, Measurement: 1, Cooldown: core.Never, End: core.Never}
	_, answer := p.take(holding(schedule), c)
	is.Equal(answer, supplied)
	count := func(at time.Duration) (n uint64) {
		p.collect(schedule, at, func(phase, operation int, skipped, unserved uint64) {
			is.Equal(phase, measurement)
			is.Equal(unserved, uint64(0))
			n += skipped
		})
		return n
	}
	is.Equal(count(90*time.Millisecond), uint64(0))
	is.Equal(count(time.Second), uint64(899)) // the first one was taken; 900 are due by 0.9 s
	is.Equal(count(2*time.Second), uint64(1000))
	a, answer := p.take(holding(schedule), c)
	is.Equal(answer, supplied)
	is.Equal(a.n, int64(950)) // of each stream half
}

// A worker that is ready but has not joined when the load ends leaves like any other.
func TestLoadThatHasNotJoinedEnds(t *testing.T) {
	is := is.New(t)
	l, _ := testLoad(t, openTemplate(1, 4, 1000))
	schedule := core.LoadSchedule{Warmup: core.Never, Measurement: core.Never, Cooldown: core.Never, End: core.Never}
	p := l.pacer
	_, answer := p.take(holding(&schedule), l.connections[0])
	is.Equal(answer, notYet)
	idle := make(chan struct{})
	l.start(func() {}, func() { close(idle) })
	schedule.End = l.clock.now()
	l.publish(schedule)
	select {
	case <-idle:
	case <-time.After(10 * time.Second):
		t.Fatal("its connections never end")
	}
	l.end()
	l.leave()
	is.Equal(l.running.Load(), int64(0))
}

// An alarm rings in its time, and allocates nothing.
func TestAlarm(t *testing.T) {
	a := newAlarm()
	if a == nil {
		t.Skip("this system has no alarms")
	}
	is := is.New(t)
	defer a.close()
	start := time.Now()
	is.True(a.sleep(3 * time.Millisecond))
	is.True(time.Since(start) >= 3*time.Millisecond)
	is.Equal(testing.AllocsPerRun(20, func() { a.sleep(time.Microsecond) }), 0.0)
	a.close()
	is.True(!a.sleep(time.Millisecond))
}

// While connections serve an open loop as fast as they can, others collect,
// cancel, and switch the phases: what becomes of the schedule is the schedule,
// arrival for arrival.
func TestCollectingLosesNoArrival(t *testing.T) {
	for _, rate := range []float64{5_000, 500_000} { // it keeps up, or skips
		is := is.New(t)
		tmpl := openTemplate(1, 6, rate)
		tmpl.Load.MaxLateness = core.Duration(2 * time.Millisecond)
		l, c := testLoad(t, tmpl)
		begin := l.clock.now() + 3*time.Millisecond
		schedule := core.LoadSchedule{Warmup: begin, Measurement: core.Never, Cooldown: core.Never, End: begin + 60*time.Millisecond}
		l.publish(schedule)
		timely := true
		idle, over := make(chan struct{}), make(chan struct{})
		l.start(func() {}, func() { close(idle) })
		var others sync.WaitGroup
		others.Go(func() {
			for l.clock.now() < begin+60*time.Millisecond {
				l.cancelSince(l.clock.now(), errStatementTimeout)
				runtime.Gosched()
			}
			close(over)
		})
		for now := l.clock.now(); now < begin+60*time.Millisecond; now = l.clock.now() {
			if now > begin && schedule.Measurement == core.Never {
				schedule.Measurement = begin + 30*time.Millisecond
				l.publish(schedule)
				timely = l.clock.now() < schedule.Measurement // else some of the warm-up came after it
			}
			c.cut(mark{at: now, offset: now.Seconds()}, now)
			c.learn(core.Control{Acknowledged: c.sequence})
		}
		<-over
		others.Wait()
		l.end()
		<-idle
		l.leave()
		c.cutLast(l.clock.now())
		report := c.report(l.clock.now())
		for phase, measured := range map[core.Phase]bool{core.Warmup: false, core.Measurement: true} {
			from, to := schedule.Window(phase)
			due := uint64(0)
			arrivals := core.NewArrivals(l.scenario.Load, 0, measured)
			for next, ok := arrivals.Next(); ok && from+next.At < to; next, ok = arrivals.Next() {
				due++
			}
			p := report.PhaseOf(phase)
			if p == nil { // this test did not come to its switch in time
				is.Equal(due, uint64(0))
				continue
			}
			total := core.Total(p.Kinds)
			if timely {
				is.Equal(total.Scheduled, due)
			}
			is.Equal(total.Scheduled, total.Started+total.Skipped+total.Unserved)
			is.Equal(total.Started, total.OK+total.Errors)
			is.Equal(total.Latency().Count(), total.OK)
		}
	}
}
