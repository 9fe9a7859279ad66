package cli

import (
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
)

// What a controller told is what a display shows, to the digits that it shows.
func TestFarRunShowsWhatWasTold(t *testing.T) {
	for _, ok := range []uint64{1, 2, 20, 100, 123_456_789} {
		is := is.New(t)
		told := client.Latency{P50: 1.5, P95: 20, P99: 300, Max: 4000}
		kinds := kindsOf(ok, 7, 2, told)
		total := core.Total(kinds)
		is.Equal(total.OK, ok)
		is.Equal(total.Errors, uint64(7))
		is.Equal(total.Done(), ok+9)
		is.Equal(total.Latency().Count(), ok)
		if ok < 100 { // fewer have no such percentiles
			continue
		}
		for q, ms := range map[float64]float64{0.5: told.P50, 0.95: told.P95, 0.99: told.P99, 1: told.Max} {
			got := total.Latency().Quantile(q)
			want := time.Duration(ms * float64(time.Millisecond))
			is.True((got - want).Abs() < want/100) // a bucket of the histogram
		}
	}
}

func TestFarRunFrames(t *testing.T) {
	is := is.New(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	far := &farRun{scenario: core.Scenario{Name: "oltp", Load: core.ScenarioLoad{Workers: 2, Connections: 4}}}
	first := far.observe(client.Frame{
		Run:     client.RunState{ID: "run", Status: core.Running, Phase: core.Measurement, LoadFrom: &at, Now: at.Add(3 * time.Second), Search: "step 2"},
		Workers: []client.Worker{{ID: "worker-0", Connections: 2, Health: core.Healthy}, {ID: "worker-1", Life: "LAUNCHED", Target: 2}},
		Intervals: []client.Interval{
			{Phase: core.Measurement, Elapsed: 1, Seconds: 1, OK: 100, Healthy: 1}, {Phase: core.Measurement, Elapsed: 2, Seconds: 1, OK: 200, Healthy: 1},
		},
		Measured: &client.Measured{OK: 300},
	})
	is.Equal(len(first), 2) // one for each interval
	is.Equal(first[1].Interval.Offset, 2.0)
	is.Equal(first[1].Run.Origin, at)
	is.Equal(first[1].Search, "step 2")
	is.Equal(first[1].Run.Workers[0].Life, core.Ready) // a frame leaves it out
	is.Equal(first[1].Run.Workers[1].Life, core.Launched)
	is.Equal(first[1].Workers[0].Target, 2)
	total := core.Total(first[1].Measured)
	is.Equal(total.OK, uint64(300))
	later := far.observe(client.Frame{Run: client.RunState{ID: "run", Status: core.Cancelling, Rung: "DRAIN", StageFrom: &at, Now: at}})
	is.Equal(len(later), 1)
	is.Equal(later[0].Interval.Offset, 2.0) // the newest is shown on
	is.Equal(later[0].Run.Rung, core.Drain)
	is.Equal(later[0].Run.ClimbedAt, at)
}

// What a worker said last is shown until it says something else: frames tell it once.
func TestFarRunKeepsLastWords(t *testing.T) {
	is := is.New(t)
	far := &farRun{scenario: core.Scenario{Name: "oltp", Load: core.ScenarioLoad{Workers: 2, Connections: 4}}}
	observe := func(workers ...client.Worker) []core.WorkerHealth {
		return far.observe(client.Frame{Run: client.RunState{ID: "run", Status: core.Running}, Workers: workers})[0].Workers
	}
	observe(client.Worker{ID: "worker-0", LastError: "locked"}, client.Worker{ID: "worker-1"})
	is.Equal(observe(client.Worker{ID: "worker-0"}, client.Worker{ID: "worker-1"})[0].LastError, "locked")
	shown := observe(client.Worker{ID: "worker-0", LastError: "busy"}, client.Worker{ID: "worker-1", Ending: "killed"})
	is.Equal(shown[0].LastError, "busy")
	shown = observe(client.Worker{ID: "worker-0"}, client.Worker{ID: "worker-1"})
	is.Equal(shown[0].LastError, "busy")
	is.Equal(shown[1].LastError, "")
	is.Equal(shown[1].Ending, "killed")
}
