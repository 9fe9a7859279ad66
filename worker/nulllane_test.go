package worker

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

// The lane measures in the measurement alone, at its pace, and nothing of it is in
// the numbers of the run: they are those of a run without it.
func TestNullLaneIsBesideTheRun(t *testing.T) {
	for _, mode := range []string{core.ModeConcurrency, core.ModeQPS} {
		t.Run(mode, func(t *testing.T) {
			var with, without core.Rollup
			for _, on := range []bool{true, false} {
				synctest.Test(t, func(t *testing.T) {
					is := is.New(t)
					tmpl := template(3, 2)
					if mode == core.ModeQPS {
						tmpl = openTemplate(3, 2, 300)
					}
					sampling := 100.0
					tmpl.Load.Warmup, tmpl.Load.Sampling, tmpl.Load.NullLane = core.Duration(time.Second), &sampling, &on
					tmpl.Load.Duration, tmpl.Load.Operations = 0, 1200
					f := newFleet(t, tmpl, 10*time.Millisecond)
					run, parent := f.ledger(nil)
					is.Equal(run.Status, core.Completed)
					is.Equal(parent.Verdict, core.Verdict{Level: core.Valid})
					for _, b := range f.beats() {
						if !on {
							is.Equal(b.Report.Overhead, nil)
							continue
						}
						o := b.Report.Overhead
						turns := b.Report.PhaseOf(core.Measurement).Seconds / nullPace.Seconds()
						is.True(float64(o.Service.Count()) > turns-2 && float64(o.Service.Count()) < turns+2)
						is.Equal(o.Response.Count(), o.Service.Count())
						is.Equal(o.Response.Max(), time.Duration(0)) // no time passes in a null operation
					}
					if on {
						with = parent
						is.True(parent.Overhead.Service.Count() > 50)
					} else {
						without = parent
						is.Equal(parent.Overhead, nil)
					}
				})
			}
			is := is.New(t)
			is.Equal(with.Hash, without.Hash)
			is.Equal(with.Ledger.Started-with.Warmup.Started, without.Ledger.Started-without.Warmup.Started)
			a, b := core.Total(with.Kinds), core.Total(without.Kinds)
			is.Equal(a.Counts, b.Counts)
		})
	}
}

// The places of the null operations in their turns are spread evenly, and each is
// in its own turn.
func TestNullLaneWanders(t *testing.T) {
	is := is.New(t)
	n := &nullLane{}
	var tenths [10]int
	for n.n = range 1000 {
		place := n.due(time.Hour) - time.Hour - time.Duration(n.n)*nullPace
		is.True(place >= 0 && place < nullPace)
		tenths[place*10/nullPace]++
	}
	for _, count := range tenths {
		is.True(count >= 98 && count <= 102)
	}
}

// What came due while the process stood still is made up for, up to a bound.
func TestNullLaneMakesUp(t *testing.T) {
	is := is.New(t)
	l, _ := testLoad(t, template(1, 1))
	l.publish(measuring())
	n := l.nulls
	start := time.Duration(1)
	n.make(start, n.due(start)+time.Millisecond)
	is.Equal(n.n, int64(1))
	n.make(start, n.due(start)+time.Hour)
	is.Equal(n.n, 2+int64(time.Hour/nullPace)-maxNullBacklog)
	is.Equal(n.overhead().Response.Count(), uint64(2))
}

func TestNullLaneAllocatesNothing(t *testing.T) {
	is := is.New(t)
	tmpl := template(1, 1)
	tmpl.Mix = []core.TemplateOp{{Kind: core.PointLookup, Weight: 50}, {Kind: core.RangeScan, Weight: 50, Span: 10}}
	l, _ := testLoad(t, tmpl)
	l.publish(measuring())
	n := l.nulls
	one := func() { n.make(1, n.due(1)) }
	for range 10 * logSize {
		one()
	}
	before := testing.AllocsPerRun(1000, one)
	plain := testing.AllocsPerRun(1000, func() { n.conn.stream.Next() }) // keys beyond the runtime's small integers become values
	t.Logf("%v for two operations, %v to make the parameters of one", before, plain)
	is.True(before <= 2*plain+1)
}
