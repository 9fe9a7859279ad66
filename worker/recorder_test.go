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
	for range 300 {
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
	is.Equal(measured.OperationHash+cool.OperationHash, hashOf(l, core.Total(measured.Kinds).Started+core.Total(cool.Kinds).Started))
}

// hashOf sums the hashes of the first operations of every connection, drawn
// anew; it is the sum that was made if they number as many as were started.
func hashOf(l *load, started uint64) (sum uint64) {
	var made uint64
	for _, conn := range l.connections {
		again := l.generator.Connection(conn.global)
		again.Measure()
		n := conn.stream.N()
		if conn.stamp < 0 && conn.drawnOnly {
			n--
		}
		for range n {
			again.Next()
			sum += again.Hash()
			made++
		}
	}
	if made != started {
		return 0
	}
	return sum
}
