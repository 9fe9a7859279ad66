package worker

import (
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
	a, answer := p.take(schedule, c)
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

// An arrival of the warm-up that was taken before the switch was known, and is
// due after it, counts nowhere; the measurement begins with its own first one.
func TestPacerSwitches(t *testing.T) {
	is := is.New(t)
	tmpl := openTemplate(1, 2, 0.01) // the first is due after 50 s
	tmpl.Load.Duration = core.Duration(time.Hour)
	p, c := testPacer(t, tmpl)
	schedule := &core.LoadSchedule{Warmup: 1, Measurement: core.Never, Cooldown: core.Never, End: core.Never}
	a, answer := p.take(schedule, c)
	is.Equal(answer, supplied)
	is.True(!a.measured)
	is.True(a.belongs(schedule))
	schedule.Measurement = time.Second
	is.True(!a.belongs(schedule))
	p.giveUp(schedule, a)
	b, answer := p.take(schedule, c)
	is.Equal(answer, supplied)
	is.True(b.measured)
	is.Equal(b.n, int64(0))
	is.Equal(b.due, 51*time.Second)
	schedule.End = 2 * time.Second
	_, answer = p.take(schedule, c)
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
