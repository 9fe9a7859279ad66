package cli

import (
	"cmp"
	"math"
	"time"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
)

// farRun is a run that a controller tells of, as displays show it.
type farRun struct {
	scenario core.Scenario
	shown    runner.Observation
}

// observe are the observations that a frame brings: one for each of its intervals.
func (f *farRun) observe(frame client.Frame) []runner.Observation {
	r := frame.Run
	run := core.NewRun(r.ID, f.scenario.Plan())
	run.Status, run.Phase, run.PhaseAt, run.Reason, run.Detail = r.Status, r.Phase, moment(r.PhaseAt), r.Reason, r.Detail
	run.Search = nil // how it stands is told in words
	run.StartedAt, run.Origin, run.Until, run.Deadline, run.EndedAt = moment(r.StartedAt), moment(r.LoadFrom), moment(r.LoadUntil), moment(r.Deadline), moment(r.EndedAt)
	run.StopBy, run.StopAt, run.Owner = r.StopBy, moment(r.StopAt), r.Owner
	if run.Status.Ending() {
		run.ClimbedAt = moment(r.StageFrom)
	}
	_ = run.Rung.UnmarshalText([]byte(r.Rung)) // one that is not known is not shown
	workers := make([]core.WorkerHealth, len(frame.Workers))
	for i := range frame.Workers {
		workers[i] = healthOf(&frame.Workers[i])
		if h := &workers[i]; i < len(f.shown.Workers) && f.shown.Workers[i].ID == h.ID { // a frame does not repeat them
			h.LastError, h.Ending = cmp.Or(h.LastError, f.shown.Workers[i].LastError), cmp.Or(h.Ending, f.shown.Workers[i].Ending)
		}
		if i < len(run.Workers) {
			run.Workers[i].Life, run.Workers[i].State, run.Workers[i].Message = workers[i].Life, workers[i].State, workers[i].LastError
		}
	}
	f.shown = runner.Observation{Run: run, Scenario: f.scenario, Now: r.Now, Workers: workers, Interval: f.shown.Interval, Search: r.Search}
	if m := frame.Measured; m != nil {
		f.shown.Measured = kindsOf(m.OK, m.Errors, m.Aborted, m.Latency)
	}
	var all []runner.Observation
	for i := range frame.Intervals {
		d := &frame.Intervals[i]
		f.shown.Interval = &ports.RunInterval{
			RunID: r.ID, Phase: d.Phase, Offset: d.Elapsed, Start: moment(d.Start), Seconds: d.Seconds,
			Kinds: kindsOf(d.OK, d.Errors, d.Aborted, d.Latency), Connections: d.Connections, Target: d.Target,
			CPU: d.CPU, Memory: d.Memory, Healthy: d.Healthy, Stale: d.Stale, Lost: d.Lost,
		}
		all = append(all, f.shown)
	}
	if len(all) == 0 {
		all = append(all, f.shown)
	}
	return all
}

// kindsOf has the counts and the percentiles that were told, and no others: displays
// read them from a histogram.
func kindsOf(ok, errors, aborted uint64, l client.Latency) []core.KindMetrics {
	k := core.KindMetrics{Counts: core.Counts{Started: ok + errors + aborted, OK: ok, Errors: errors, Aborted: aborted}}
	below := uint64(0)
	for _, part := range []struct{ share, ms float64 }{{0.50, l.P50}, {0.95, l.P95}, {0.99, l.P99}, {1, max(l.P99, l.Max)}} {
		upTo := min(ok, uint64(math.Ceil(float64(ok)*part.share)))
		if upTo > below {
			k.Service.RecordN(time.Duration(part.ms*float64(time.Millisecond)), upTo-below)
			below = upTo
		}
	}
	return []core.KindMetrics{k}
}

// healthOf is a worker of a frame, which leaves out what is as usual.
func healthOf(w *client.Worker) core.WorkerHealth {
	h := core.WorkerHealth{
		ID: w.ID, Life: core.Life(w.Life), State: w.State, Health: w.Health, Age: time.Duration(w.Age * float64(time.Second)),
		Connections: w.Connections, Target: w.Target, Throughput: w.Throughput, CPU: w.CPU, Memory: w.Memory,
		Errors: w.Errors, LastError: w.LastError, Ending: w.Ending,
	}
	switch w.Life {
	case "":
		h.Life = core.Ready
	case "PLANNED":
		h.Life = core.Planned
	}
	if h.Target == 0 {
		h.Target = w.Connections
	}
	return h
}
