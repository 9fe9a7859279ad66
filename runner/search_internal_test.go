package runner

import (
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// searching drives a search whose first step asks two workers for all of 8 connections.
func searching(window, settle time.Duration) *driver {
	run := core.NewRun("run", core.Plan{Workers: 2, Connections: 8, Search: &core.SearchPlan{
		Start: 8, Ceiling: 8, Growth: 2, Resolution: 0.05, Window: window, Settle: settle,
	}})
	run.Status, run.Phase, run.PhaseAt = core.Running, core.Measurement, searchAt(0)
	for i := range run.Workers {
		run.Workers[i].Life = core.Ready
	}
	return &driver{run: run}
}

// searchAt is a second of its measurement.
func searchAt(second int) time.Time {
	return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(second) * time.Second)
}

// What was measured before a worker was lost is of another load than what follows: a
// window holds one of them, and settles anew.
func TestSearchWindowIsOfOneLoad(t *testing.T) {
	is := is.New(t)
	d := searching(4*time.Second, 2*time.Second)
	seen := func(second, target int) []core.Event {
		return d.search([]ports.RunInterval{{
			Phase: core.Measurement, Start: searchAt(second), Seconds: 1, Target: target, Connections: 8, Missing: 1, Kinds: intervalAt(1, 1, 4).Kinds,
		}}, searchAt(second+1))
	}
	for second := range 5 {
		is.Equal(len(seen(second, 8)), 0) // two to settle, and three of a window of four
	}
	d.run.Workers[1].Silent = true
	for second := 5; second < 15; second++ {
		is.Equal(len(seen(second, 4)), 0) // it is being ended, and may make its part still
	}
	d.run.Workers[1].Life = core.Gone
	for second := 15; second < 21; second++ {
		is.Equal(len(seen(second, 4)), 0) // that is seen at 16 s
	}
	facts := seen(21, 4)
	is.Equal(len(facts), 1)
	e := facts[0].(core.WindowMeasured)
	is.Equal(e.Window.Start, searchAt(18))
	is.Equal(e.Window.Connections, 4.0)
	is.Equal(e.Window.Missing, 1.0)
	is.Equal(e.Total, e.Window)
}

// A step that begins again without a lost worker has nothing of its window left, although
// as many windows of it are judged as before.
func TestSearchWindowOfAStepThatBeginsAgain(t *testing.T) {
	is := is.New(t)
	slo, err := core.ParseSLO("throughput > 1000000")
	is.NoErr(err)
	d := searching(3*time.Second, 0)
	d.scenario.SLOs = []core.SLO{slo}
	var windows []core.WindowMeasured
	second := 0
	for ; len(windows) < 3; second++ {
		target := 8
		if len(windows) > 0 {
			d.run.Workers[1].Life, target = core.Gone, 4
		}
		for _, fact := range d.search([]ports.RunInterval{{
			Phase: core.Measurement, Start: searchAt(second), Seconds: 1, Target: target, Kinds: intervalAt(1, 1, 4).Kinds,
		}}, searchAt(second)) {
			e := fact.(core.WindowMeasured)
			windows = append(windows, e)
			next := d.run.Search.Observe(*d.run.Plan.Search, e.At, 1, e.Window, e.Total)
			d.run.Search = &next
		}
		is.True(second < 30)
	}
	for i, w := range windows {
		is.Equal(w.Number, []int{1, 2, 2}[i])
		is.Equal(w.Window.Intervals, 3)
		is.Equal(w.Window.Connections, []float64{8, 4, 4}[i])
		is.Equal(w.Window.Start, searchAt(3*i))
	}
	is.Equal(windows[2].Total.Intervals, 6) // of both windows with what is left
	is.Equal(d.run.Search.Steps[0].Total.Intervals, 6)
	is.Equal(d.run.Search.Steps[0].Missed, 2)
}

// A worker that is lost takes its part along, and the others its connections: that is
// another load, though their sum is the same. So is one that more workers make.
func TestSearchWindowIsOfTheSameWorkers(t *testing.T) {
	is := is.New(t)
	d := searching(3*time.Second, 2*time.Second)
	windows := func(from, to int) (starts []time.Time) {
		for second := from; second < to; second++ {
			for _, fact := range d.search([]ports.RunInterval{{
				Phase: core.Measurement, Start: searchAt(second), Seconds: 1, Target: 4, Kinds: intervalAt(1, 1, 4).Kinds,
			}}, searchAt(second+1)) {
				starts = append(starts, fact.(core.WindowMeasured).Window.Start)
			}
		}
		return starts
	}
	d.run.Workers[0].Target, d.run.Workers[1].Target = 2, 2
	is.Equal(len(windows(0, 4)), 0) // two to settle, and two of a window of three
	d.run.Workers[1].Life, d.run.Workers[0].Target = core.Gone, 4
	is.Equal(windows(4, 10), []time.Time{searchAt(7)}) // seen at 5 s
	d = searching(3*time.Second, 2*time.Second)
	d.run.Workers[0].Target, d.run.Workers[1].Target = 2, 2
	is.Equal(len(windows(0, 4)), 0)
	d.run.Aim.Number, d.run.Aim.At = d.run.Aim.Number+1, searchAt(4)
	is.Equal(windows(4, 9), []time.Time{searchAt(6)})
}
