package runner

import (
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// An owner that took the run over when everything had been acknowledged judges what the
// workers did all the same: it looks into the store.
func TestObservedAfterATakeover(t *testing.T) {
	for name, moments := range map[string]int{"few": 30, "many": 1700} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			m := storeWithRun(t)
			before := newSeries(2, 0)
			for i := range moments {
				for worker := range 2 {
					one := intervalAt(int64(i+1), float64(i+1), 5)
					one.CPU, one.Connections, one.Target = float64(90*worker+2), 3-worker, 3
					before.add(beatOf(worker, one), 0)
				}
				store(t, before, m, 2)
			}
			newest := []core.Beat{beatOf(0), beatOf(1, core.Interval{Share: core.HostShare{CPU: 0.5}})}
			p := &performance{Runner: &Runner{ports: Ports{Results: m}}, run: core.NewRun("run", core.Plan{Workers: 2, Connections: 2}), measured: newSeries(2, time.Hour)}
			p.run.OwnerEpoch = 2
			for i := range newest {
				newest[i].Report.Phases = []core.PhaseMetrics{{Phase: core.Measurement, Seconds: float64(moments)}}
			}
			got, err := p.observed(t.Context(), newest)
			is.NoErr(err)
			looked := got[0].Seconds
			is.True(looked == float64(moments) || looked > 60 && looked <= mostLooked)
			is.Equal(got[0], core.Observed{Asking: looked, Watched: looked, Seconds: looked, Connections: 3 * looked, Asked: 3 * looked, CPU: 2 * looked, HostCPU: 2 * looked})
			is.Equal(got[1], core.Observed{Asking: looked, Watched: looked, Seconds: looked, Connections: 2 * looked, Asked: 3 * looked, CPU: 92 * looked, HostCPU: 46 * looked})

			for epoch := range 3 { // who has seen all of it looks nowhere
				p.run.OwnerEpoch, p.measured = epoch, before
				got, err = p.observed(t.Context(), newest)
				is.NoErr(err)
				is.Equal(got[0].Seconds, float64(moments))
			}
		})
	}
}

// A worker that was asked for nothing for a while was there all the same.
func TestObservedOfAParkedWorker(t *testing.T) {
	is := is.New(t)
	s := newSeries(1, 0)
	for i := range 10 {
		one := intervalAt(int64(i+1), float64(i+1), 5)
		if one.Connections, one.Target = 3, 3; i < 8 { // parked
			one.Target, one.Kinds = 0, nil
		}
		s.add(beatOf(0, one), 0)
	}
	newest := beatOf(0)
	newest.Report.Phases = []core.PhaseMetrics{{Phase: core.Measurement, Seconds: 10}}
	p := &performance{Runner: &Runner{}, run: core.NewRun("run", core.Plan{Workers: 1, Connections: 3}), measured: s}
	p.run.OwnerEpoch = 2
	got, err := p.observed(t.Context(), []core.Beat{newest}) // and not from the store, which it has not
	is.NoErr(err)
	is.Equal(got[0].Watched, 10.0)
	is.Equal(got[0].Seconds, 2.0)
}

// What comes after the measurement, and the few operations that outlast it, are no
// picture of it: nothing is decided by them.
func TestDecisionsEndWithTheMeasurement(t *testing.T) {
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		name   string
		phase  core.Phase
		second float64 // since the measurement began
		end    float64 // of it; 0: nobody has told of it yet
		kept   bool
	}{
		{"the last interval", core.Measurement, 9, 10, true},
		{"a tail", core.Measurement, 9.999, 10, false},
		{"a tail behind it", core.Measurement, 10.002, 10, false},
		{"of no end", core.Measurement, 9, 0, true},
		{"the warm-up", core.Warmup, -1, 0, true},
		{"the cool-down", core.Cooldown, 10.002, 10, false},
		{"the cool-down of an end that nobody has told of", core.Cooldown, 10.002, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			after := func(second float64) time.Time { return began.Add(time.Duration(second * float64(time.Second))) }
			var end time.Time
			if c.end > 0 {
				end = after(c.end)
			}
			kept := untilMeasured([]ports.RunInterval{{Phase: c.phase, Start: after(c.second), Seconds: 1}}, end)
			is.Equal(len(kept) == 1, c.kept)
		})
	}
}

// So an objective that ends the run is not missed by what outlasts the measurement.
func TestObjectivesEndWithTheMeasurement(t *testing.T) {
	is := is.New(t)
	slo, err := core.ParseSLO("throughput > 10 abort")
	is.NoErr(err)
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	beat := beatOf(0)
	beat.Report.Phases = []core.PhaseMetrics{{Phase: core.Measurement, Start: began, Seconds: 10}}
	d := &driver{scenario: core.Scenario{SLOs: []core.SLO{slo}}, run: core.Run{Status: core.Running}, beats: []core.Beat{beat}}
	at := func(second float64) []ports.RunInterval {
		return untilMeasured([]ports.RunInterval{{
			Phase: core.Measurement, Start: began.Add(time.Duration(second * float64(time.Second))), Seconds: 1, Kinds: intervalAt(1, 1, 4).Kinds,
		}}, core.MeasuredUntil(d.beats))
	}
	is.Equal(len(d.objectives(at(9.999), began)), 0)
	is.Equal(len(d.objectives(at(10.002), began)), 0)
	is.Equal(len(d.objectives(at(9), began)), 1)
	d.beats = nil // of a measurement of which nobody has told yet
	is.Equal(len(d.objectives(at(9), began)), 1)
}

// While a worker joins, an interval may lack its part, or be read before it: no run ends
// by that.
func TestObjectivesWaitForAWorkerThatJoins(t *testing.T) {
	is := is.New(t)
	slo, err := core.ParseSLO("throughput > 10 abort")
	is.NoErr(err)
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	d := &driver{scenario: core.Scenario{SLOs: []core.SLO{slo}, Load: core.ScenarioLoad{Interval: core.Duration(time.Second)}}}
	d.run = core.Run{Status: core.Running, Workers: []core.WorkerRecord{{}, {Since: began}}}
	for second, ends := range []int{0, 0, 1} {
		is.Equal(len(d.objectives([]ports.RunInterval{{
			Phase: core.Measurement, Start: began.Add(time.Duration(second) * time.Second), Seconds: 1, Kinds: intervalAt(1, 1, 4).Kinds,
		}}, began)), ends)
	}
}
