package worker

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

// bounded is an open loop that begins with one worker and may have more.
func bounded(workers, connections int, rate float64) core.Template {
	tmpl := openTemplate(0, 0, rate)
	tmpl.Load.Scaling, tmpl.Load.MaxWorkers, tmpl.Load.MaxConnections = core.ScalingBounded, workers, connections
	tmpl.Load.Duration = core.Duration(8 * time.Second)
	return tmpl
}

// Workers that join a running open loop take over their exact share from a moment
// on: no arrival is made twice, none is missing, and what was measured is of the
// run's own window.
func TestWorkersJoinAnOpenLoop(t *testing.T) {
	for _, warmup := range []time.Duration{0, 2500 * time.Millisecond} {
		t.Run("warm-up of "+warmup.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				is := is.New(t)
				tmpl := bounded(3, 4, 600)
				tmpl.Load.Warmup = core.Duration(warmup)
				f := newFleet(t, tmpl, time.Millisecond)
				asked := false
				run, parent := f.ledger(func(r core.Run) bool {
					if r.Status == core.Running && !asked && f.now().Sub(r.Origin) >= 2*time.Second {
						asked = true
						f.update(core.LoadSet{At: f.now(), Connections: 12, Workers: 3})
					}
					return false
				})
				is.Equal(run.Reason, core.Elapsed)
				is.Equal(run.Status, core.Completed)
				is.Equal(run.Aim.Workers, 3)
				is.Equal(targetsOf(run), []int{4, 4, 4})

				total := core.Total(parent.Kinds)
				scheduled := float64(total.Scheduled)
				is.True(scheduled > 600*8-4 && scheduled <= 600*8) // each change of the schedule begins anew
				is.Equal(total.OK, total.Scheduled)
				is.Equal(total.Skipped, uint64(0))
				is.True(parent.Throughput > 599 && parent.Throughput < 601) // not more than there was
				is.Equal(parent.Seconds, 8.0)
				is.True(parent.Coverage > 0.99 && parent.Coverage <= 1)
				is.Equal(parent.Verdict.Level, core.Valid)

				_, children := f.summary(run)
				is.Equal(len(children), 3)
				for i, c := range children {
					is.True(c.Coverage > 0.99 && c.Coverage <= 1)
					want := 200.0
					if i == 0 && warmup == 0 {
						want = (600*(8-c8(children)) + 200*c8(children)) / 8 // alone, and then a third
					}
					is.True(c.Throughput > want-5 && c.Throughput < want+5)
				}
				is.Equal(len(parent.Certificate.Workers), 3)
				is.True(parent.Certificate.Clean)
			})
		})
	}
}

// c8 is how long the last worker made load.
func c8(children []core.Rollup) float64 { return children[len(children)-1].Seconds }

func targetsOf(r core.Run) (list []int) {
	for i := range r.Workers {
		list = append(list, r.Workers[i].Target)
	}
	return list
}

// The same of a closed loop whose connections are raised.
func TestWorkersJoinAClosedLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		f := newFleet(t, template(3, 4), time.Millisecond)
		f.scenario.Load.Initial, f.scenario.Load.Duration = 1, core.Duration(6*time.Second)
		f.scenario.Limits.RunLimit = core.Duration(time.Hour)
		f.create("run-2")
		asked := false
		run, parent := f.ledger(func(r core.Run) bool {
			if r.Status == core.Running && !asked && f.now().Sub(r.Origin) >= 2*time.Second {
				asked = true
				f.update(core.LoadSet{At: f.now(), Connections: 6})
			}
			return false
		})
		is.Equal(run.Reason, core.Elapsed)
		is.Equal(targetsOf(run), []int{3, 3, 0}) // the third is not needed
		_, children := f.summary(run)
		is.Equal(len(children), 2)
		late := children[1].Seconds
		is.True(late > 3.5 && late < 4)
		made := 4000*(6-late) + 6000*late // operations of 1 ms
		got := float64(core.Total(parent.Kinds).OK)
		if got < made*0.97 || got > made*1.03 {
			t.Errorf("%v operations, want about %v: %+v", got, made, children)
		}
		is.True(parent.Throughput > made/6*0.97 && parent.Throughput < made/6*1.03)
		is.True(parent.Coverage > 0.98 && parent.Coverage <= 1)
		is.Equal(parent.Verdict.Level, core.Valid)
	})
}
