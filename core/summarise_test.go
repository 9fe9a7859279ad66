package core_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

func summaryTime(seconds float64) time.Time {
	return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
}

// kindOf is what one worker measured of a kind: so many operations, each of
// another duration.
func kindOf(kind string, ok, errors int, each time.Duration) core.KindMetrics {
	n := uint64(ok + errors)
	k := core.KindMetrics{Kind: kind, Access: core.AccessRead, Counts: core.Counts{Scheduled: n, Started: n, OK: uint64(ok), Errors: uint64(errors)}}
	for i := range ok {
		k.Service.Record(each * time.Duration(i+1))
	}
	if errors > 0 {
		k.Failures = []core.ErrorCount{{Class: "TIMEOUT", Count: uint64(errors), Example: "too slow"}}
	}
	return k
}

// summaryInput is a run of two workers that went well: 10 s measured of 10 s.
func summaryInput(t testing.TB) core.SummaryInput {
	t.Helper()
	template := resolvable()
	template.Load = core.TemplateLoad{Workers: 2, Connections: 3, Duration: core.Duration(10 * time.Second)}
	scenario, err := template.Resolve(core.Resolution{TemplateID: "t-1", Launcher: "local"})
	if err != nil {
		t.Fatal(err)
	}
	run := core.NewRun("run-1", scenario.Plan())
	run.Status, run.Phase, run.Reason, run.Rung = core.Stopping, core.Processing, core.Elapsed, core.Drain
	run.StartedAt, run.StopAt, run.GoneAt = summaryTime(0), summaryTime(13), summaryTime(14)
	in := core.SummaryInput{Scenario: scenario, Environment: []core.Fact{{Name: "target", Value: "sqlite 3"}}}
	for i := range run.Workers {
		w := &run.Workers[i]
		w.Epoch, w.Life, w.State, w.Reported, w.EndedOn = 1, core.Gone, core.WorkerCompleted, true, core.Drain
		w.Exit = core.Exit{At: summaryTime(13.5 + float64(i)/10)}
		in.Beats = append(in.Beats, core.Beat{
			Key: core.WorkerKey{RunID: run.ID, WorkerID: w.ID, Epoch: 1}, State: core.WorkerCompleted,
			Report: core.Report{
				CPUSeconds: 2.5, LastEnd: summaryTime(13),
				Phases: []core.PhaseMetrics{
					{Phase: core.Warmup, Kinds: []core.KindMetrics{kindOf(core.PointLookup, 50, 0, time.Millisecond)}, Start: summaryTime(1), Seconds: 2, Completed: 50, OperationHash: 999},
					{Phase: core.Measurement, Start: summaryTime(3), End: summaryTime(13), Seconds: 10, Completed: uint64(100 * (i + 1)), OperationHash: 1<<63 + uint64(i),
						Kinds: []core.KindMetrics{kindOf(core.Insert, 10, 0, time.Millisecond), kindOf(core.PointLookup, 90+100*i, 0, time.Duration(i+1)*time.Microsecond)}},
					{Phase: core.Cooldown, Kinds: []core.KindMetrics{kindOf(core.PointLookup, 5, 0, time.Millisecond)}, Start: summaryTime(13), Seconds: 1, OperationHash: 5},
				},
			},
		})
		in.Observed = append(in.Observed, core.Observed{})
		in.Observed[i].Add(&core.Interval{Phase: core.Measurement, Seconds: 10, Connections: 3, CPU: 20, Kinds: in.Beats[i].Report.Phases[1].Kinds})
	}
	in.Run = run
	return in
}

func TestSummarise(t *testing.T) {
	is := is.New(t)
	in := summaryInput(t)
	parent, children := core.Summarise(in)

	is.Equal(len(children), 2)
	is.Equal(parent.RunID, "run-1")
	is.Equal(parent.WorkerID, "")
	is.Equal(parent.Name, "oltp")
	is.Equal(parent.TemplateID, "t-1")
	is.Equal(parent.Status, core.Completed) // what the run is about to be
	is.Equal(parent.Reason, core.Elapsed)
	is.Equal(parent.Start, summaryTime(0))
	is.Equal(parent.End, summaryTime(14))
	is.Equal(parent.Seconds, 10.0)
	is.Equal(parent.Connections, 6)
	is.Equal(parent.Coverage, 1.0)
	is.Equal(parent.Throughput, 30.0) // 100/10 + 200/10
	is.Equal(parent.CPUSeconds, 5.0)
	is.Equal(parent.Hash, uint64(1)) // 2^63 + 2^63 + 1, mod 2^64
	is.Equal(parent.Warmup, core.Counts{Scheduled: 100, Started: 100, OK: 100})
	is.True(parent.Ledger.Balanced)
	is.Equal(parent.Ledger.Started, uint64(100+300+10)) // warm-up, measurement, cooldown
	is.Equal(parent.Verdict, core.Verdict{Level: core.Valid})
	is.Equal(parent.Environment, in.Environment)
	is.Equal(parent.Certificate.RunID, "run-1")
	is.Equal(parent.Scenario.Name, "oltp")
	is.Equal(len(parent.SLOs), 2)
	is.Equal(parent.SLOs[0].Met, true)
	is.Equal(parent.SLOs[1].Met, false) // nothing of that kind was measured

	var kinds []string
	for i, k := range parent.Kinds {
		kinds = append(kinds, k.Kind)
		is.Equal(k.Kind, in.Scenario.Operations[i].Kind) // the order of the mix, none missing
		is.Equal(k.Access, in.Scenario.Operations[i].Access)
	}
	is.Equal(len(kinds), len(in.Scenario.Operations))
	is.Equal(parent.Kinds[0].OK, uint64(90+190))
	is.Equal(parent.Kinds[2].OK, uint64(20))

	for i, c := range children {
		is.Equal(c.WorkerID, core.WorkerID(i))
		is.Equal(c.Status, core.Completed)
		is.Equal(c.Connections, 3)
		is.Equal(c.Throughput, float64(10*(i+1)))
		is.Equal(c.Coverage, 1.0)
		is.Equal(c.Hash, 1<<63+uint64(i))
		is.Equal(c.Start, summaryTime(1))
		is.Equal(c.End, in.Run.Workers[i].Exit.At)
		is.Equal(c.WorkerEnding, "drained, reported and exited")
		is.Equal(c.Verdict, core.Verdict{Level: core.Valid})
		is.True(c.Certificate == nil && c.Scenario == nil)
	}
}

// TestSummariseMerges: percentiles of the parent are those of all samples
// together, not the maximum or the mean of the workers'.
func TestSummariseMerges(t *testing.T) {
	is := is.New(t)
	in := summaryInput(t)
	parent, children := core.Summarise(in)
	var all core.Histogram
	sums := core.Counts{}
	for _, c := range children {
		all.Merge(c.Kinds[0].Latency())
		total := core.Total(c.Kinds)
		sums.Add(total.Counts)
	}
	is.True(parent.Kinds[0].Latency().Equal(&all))
	total := core.Total(parent.Kinds)
	is.Equal(total.Counts, sums)
	p := func(r core.Rollup) time.Duration { return r.Kinds[0].Latency().Quantile(0.5) }
	is.True(p(parent) > p(children[0]) && p(parent) < p(children[1]))
	is.True(p(parent) != (p(children[0])+p(children[1]))/2)
}

// TestSummariseSharesNothing: the result does not change with the beats, and
// computing it changes nothing and can be repeated.
func TestSummariseSharesNothing(t *testing.T) {
	is := is.New(t)
	in := summaryInput(t)
	in.Beats[0].Report.Phases[1].Kinds[1] = kindOf(core.PointLookup, 80, 10, time.Millisecond)
	before, err := json.Marshal(in.Beats)
	is.NoErr(err)
	parent, children := core.Summarise(in)
	text, err := json.Marshal([]any{parent, children})
	is.NoErr(err)
	again, childrenAgain := core.Summarise(in)
	textAgain, err := json.Marshal([]any{again, childrenAgain})
	is.NoErr(err)
	is.Equal(string(text), string(textAgain))
	after, err := json.Marshal(in.Beats)
	is.NoErr(err)
	is.Equal(string(before), string(after))
	for i := range in.Beats {
		for p := range in.Beats[i].Report.Phases {
			for k := range in.Beats[i].Report.Phases[p].Kinds {
				kind := &in.Beats[i].Report.Phases[p].Kinds[k]
				kind.Service.Record(time.Hour)
				for f := range kind.Failures {
					kind.Failures[f].Count = 12345
				}
			}
		}
	}
	slices.Reverse(in.Beats)
	textAgain, err = json.Marshal([]any{parent, children})
	is.NoErr(err)
	is.Equal(string(text), string(textAgain))
}

func TestSummariseOrderOfBeats(t *testing.T) {
	is := is.New(t)
	in := summaryInput(t)
	one, _ := core.Summarise(in)
	slices.Reverse(in.Beats)
	stale := in.Beats[0]
	stale.Key.Epoch, stale.Report = 2, core.Report{CPUSeconds: 1000}
	stranger := in.Beats[0]
	stranger.Key.WorkerID = "worker-9"
	in.Beats = append([]core.Beat{stale, stranger}, in.Beats...)
	other, children := core.Summarise(in)
	a, err := json.Marshal(one)
	is.NoErr(err)
	b, err := json.Marshal(other)
	is.NoErr(err)
	is.Equal(string(a), string(b))
	is.Equal(len(children), 2)
}

// TestSummariseKilledWorker: a worker that was killed leaves its last beat; what
// it had in flight then is lost, and the ledger says so.
func TestSummariseKilledWorker(t *testing.T) {
	is := is.New(t)
	in := summaryInput(t)
	in.Run.Status, in.Run.Reason, in.Run.Detail = core.Cancelling, core.WorkerLost, "worker-1 ended before the stop"
	w := &in.Run.Workers[1]
	w.Reported, w.Lost, w.EndedOn = false, true, core.NotStopping
	w.Exit.Cause, w.Exit.Code = "killed by signal 9", -1
	in.Beats[1].State = core.WorkerRunning
	in.Beats[1].Report.Phases = in.Beats[1].Report.Phases[:2]
	half := &in.Beats[1].Report.Phases[1]
	half.Seconds, half.Completed = 2.5, 50
	half.Kinds[1].Started += 3
	half.Kinds[1].Scheduled += 3
	in.Beats[1].Report.InFlight = 3
	parent, children := core.Summarise(in)

	is.Equal(parent.Status, core.Failed)
	is.Equal(parent.Detail, "worker-1 ended before the stop")
	is.Equal(children[0].Status, core.Failed) // it is the run's
	is.Equal(children[1].Status, core.Failed)
	is.Equal(children[1].Kinds[0].Lost, uint64(3))
	is.Equal(children[1].Ledger.Lost, uint64(3))
	is.True(children[1].Ledger.Balanced)
	is.True(parent.Ledger.Balanced)
	is.Equal(parent.Ledger.Lost, uint64(3))
	is.Equal(in.Beats[1].Report.Phases[1].Kinds[1].Lost, uint64(0)) // the beat is as it was
	is.Equal(children[1].Throughput, 20.0)
	is.Equal(parent.Throughput, 30.0)
	is.Equal(children[1].Coverage, 0.25)
	is.Equal(parent.Coverage, 0.625)
	is.Equal(parent.Verdict.Level, core.Degraded)
	is.Equal(strings.Join(parent.Verdict.Reasons, "\n"), `the workers made 62.5 % of the load: they were at work for that share of the measurement
the run is FAILED (WORKER_LOST)
worker-1 was lost while it was needed: killed by signal 9, without a final report`)
	is.Equal(children[1].Verdict.Level, core.InvalidRun) // 25 %
}

// TestSummariseNeverHeardOf: a worker without any beat is a child all the same.
func TestSummariseNeverHeardOf(t *testing.T) {
	is := is.New(t)
	in := summaryInput(t)
	in.Beats, in.Observed = in.Beats[:1], nil
	in.Run.Workers[1].Reported, in.Run.Workers[1].Exit.Cause = false, "exit status 3"
	parent, children := core.Summarise(in)
	is.Equal(len(children), 2)
	is.Equal(children[1].Status, core.Failed)
	is.Equal(children[1].Coverage, 0.0)
	is.Equal(children[1].Verdict.Level, core.InvalidRun)
	is.Equal(len(children[1].Kinds), len(in.Scenario.Operations))
	is.Equal(parent.Status, core.Failed) // a worker ended without its final report while STOPPING
	is.Equal(parent.Coverage, 0.5)
	is.Equal(parent.Throughput, 10.0)
}

// TestSummariseImbalance: a final report that does not add up is shown, not
// mended.
func TestSummariseImbalance(t *testing.T) {
	is := is.New(t)
	in := summaryInput(t)
	in.Beats[0].Report.Phases[0].Kinds[0].Started++
	in.Beats[0].Report.Phases[0].Kinds[0].Scheduled++
	parent, children := core.Summarise(in)
	is.Equal(parent.Ledger.Balanced, false)
	is.Equal(children[0].Ledger.Balanced, false)
	is.Equal(children[1].Ledger.Balanced, true)
	is.Equal(parent.Verdict.Level, core.Degraded)
	is.True(strings.Contains(parent.Verdict.Reasons[0], "411 operations were started, but 410 accounted for"))
}

// TestSummariseShort: a run that ended by its time, but measured less than that,
// has not covered it, however equal its workers are.
func TestSummariseShort(t *testing.T) {
	is := is.New(t)
	in := summaryInput(t)
	for i := range in.Beats {
		in.Beats[i].Report.Phases[1].Seconds = 7.5
	}
	parent, children := core.Summarise(in)
	is.Equal(parent.Coverage, 0.75)
	is.Equal(children[1].Coverage, 0.75)
	is.Equal(parent.Verdict.Level, core.Degraded)
	is.Equal(parent.Verdict.Reasons[1], "7.5 s of 10.0 s were measured")
}

func TestSummariseOperationsBound(t *testing.T) {
	is := is.New(t)
	in := summaryInput(t)
	in.Scenario.Load.Duration, in.Scenario.Load.Operations = 0, 300
	in.Run.Reason = core.OperationsDone
	for i := range in.Beats {
		in.Beats[i].Report.QuotaDone = true
	}
	in.Beats[0].Report.Phases[1].Seconds = 2 // done early is done
	parent, children := core.Summarise(in)
	is.Equal(children[0].Coverage, 1.0)
	is.Equal(parent.Coverage, 1.0)
	is.Equal(parent.Verdict, core.Verdict{Level: core.Valid})
	is.Equal(parent.Throughput, 100.0/2+200.0/10)

	in.Scenario.Load.Operations = 301
	parent, _ = core.Summarise(in)
	is.Equal(parent.Verdict.Reasons, []string{"300 of 301 operations were started"})
}

func TestSummariseCancelled(t *testing.T) {
	t.Run("in the measurement", func(t *testing.T) {
		is := is.New(t)
		in := summaryInput(t)
		in.Run.Status, in.Run.Reason, in.Run.EndedAt = core.Cancelled, core.UserRequested, summaryTime(15)
		for i := range in.Beats {
			in.Beats[i].Report.Phases[1].Seconds = 3.2
		}
		parent, children := core.Summarise(in)
		is.Equal(parent.Status, core.Cancelled)
		is.Equal(children[0].Status, core.Cancelled)
		is.Equal(parent.End, summaryTime(15))
		is.Equal(parent.Coverage, 1.0) // all were at work until the stop
		is.Equal(parent.Verdict, core.Verdict{Level: core.Degraded, Reasons: []string{
			"the run is CANCELLED (USER_REQUESTED), its numbers are partial: 3.2 s of 10.0 s were measured"},
			Causes: []core.Cause{core.CauseEndedEarly}})
	})
	t.Run("in the warm-up", func(t *testing.T) {
		is := is.New(t)
		in := summaryInput(t)
		in.Run.Status, in.Run.Reason = core.Cancelling, core.UserRequested
		for i := range in.Beats {
			in.Beats[i].Report.Phases = in.Beats[i].Report.Phases[:1]
		}
		parent, _ := core.Summarise(in)
		is.Equal(parent.Verdict.Level, core.InvalidRun)
		is.Equal(parent.Verdict.Reasons[0], "nothing was measured: 0 operations ended in 0 ms of measurement")
		is.Equal(parent.Throughput, 0.0)
		is.Equal(parent.Warmup.OK, uint64(100))
		is.Equal(parent.SLOs[0].Met, false)
	})
	t.Run("before anything was launched", func(t *testing.T) {
		is := is.New(t)
		in := summaryInput(t)
		in.Run = core.NewRun("run-1", in.Scenario.Plan())
		in.Run.Status, in.Run.Reason = core.Cancelled, core.UserRequested
		in.Beats = nil
		parent, children := core.Summarise(in)
		is.Equal(len(children), 0)
		is.Equal(parent.Connections, 0)
		is.Equal(parent.Verdict.Level, core.InvalidRun)
	})
}

func TestSummariseObserved(t *testing.T) {
	is := is.New(t)
	in := summaryInput(t)
	busy := []core.KindMetrics{{Counts: core.Counts{Started: 1}}}
	o := &in.Observed[1]
	*o = core.Observed{}
	o.Add(&core.Interval{Phase: core.Warmup, Seconds: 100, Connections: 0, Target: 3, CPU: 100, Kinds: busy}) // another phase
	o.Add(&core.Interval{Phase: core.Measurement, Seconds: 100, Connections: 3, CPU: 100})                    // only waiting, and asked for nothing
	o.Add(&core.Interval{Phase: core.Measurement, Seconds: 6, Connections: 4, Target: 3, CPU: 60, Kinds: busy})
	o.Add(&core.Interval{Phase: core.Measurement, Seconds: 2, Connections: 4, Target: 3, Missing: 2, CPU: 100, Kinds: busy}) // those that are open are others
	is.Equal(*o, core.Observed{Watched: 108, Asking: 8, Connections: 20, Asked: 24, Seconds: 8, CPU: 560, HostCPU: 560})     // 2.5 of 3, 70 %
	gone := core.Observed{}
	gone.Add(&core.Interval{Phase: core.Measurement, Seconds: 2, Connections: 3, Target: 3, CPU: 9})             // a slow operation goes on
	gone.Add(&core.Interval{Phase: core.Measurement, Seconds: 6, Connections: 0, Target: 3, Missing: 3, CPU: 9}) // the target is gone: nothing can be started
	is.Equal(gone, core.Observed{Watched: 8, Asking: 8, Connections: 6, Asked: 24})
	in.SharedHost = true // with 20 % of the other
	in.Beats[0].Report.DroppedExecutions, in.Beats[0].Report.ClockOffset, in.Beats[0].Report.ClockError = 7, 3600, 0.2
	in.Run.StaleFacts = 2
	parent, children := core.Summarise(in)
	is.Equal(strings.Join(parent.Verdict.Reasons, "\n"), `worker-0 could not store 7 sampled operations in time; counts and percentiles hold all of them
worker-0 knew the store's clock only to ±200 ms (allowed ±100 ms), so its measurement may have begun and ended that much too early or late
worker-1 kept 2.5 connections of 3 on average
2 reports came from workers that had been given up: they may have made load beside the run's own`)
	is.Equal(len(children[0].Verdict.Reasons), 2)
	is.Equal(children[1].Verdict.Reasons, []string{"worker-1 kept 2.5 connections of 3 on average"})
	o.HostCPU = 8 * 71
	parent, _ = core.Summarise(in)
	is.Equal(parent.Verdict.Reasons[len(parent.Verdict.Reasons)-1], "the workers used 91 % of their host's CPU: the load generator may have been the bottleneck")
	in.Embedded = true
	parent, _ = core.Summarise(in)
	is.Equal(len(parent.Verdict.Reasons), 4)
}

// A worker whose connections ended since no key was left made load only while it
// kept them.
func TestSummariseExhausted(t *testing.T) {
	is := is.New(t)
	in := summaryInput(t)
	in.Beats[1].Report.Exhausted = 3
	in.Observed[1] = core.Observed{Watched: 10, Asking: 10, Connections: 7.5, Asked: 30}
	parent, children := core.Summarise(in)
	is.Equal(children[0].Coverage, 1.0)
	is.Equal(children[1].Coverage, 0.25)
	is.Equal(parent.Coverage, 0.625)
	is.Equal(parent.Verdict.Causes, []core.Cause{core.CauseCoverage, core.CauseConnections, core.CauseKeys})
	is.Equal(children[1].Verdict.Level, core.InvalidRun)
}

// What load generators cost and delay is merged from the workers that tell it, and
// shares nothing with their beats.
func TestSummariseOverheadAndStrain(t *testing.T) {
	is := is.New(t)
	in := summaryInput(t)
	parent, children := core.Summarise(in)
	is.Equal(parent.Overhead, nil) // nobody tells
	is.Equal(parent.Strain, nil)
	is.Equal(children[0].Overhead, nil)

	in.Beats[0].Report.Overhead = nulls(100, time.Microsecond, 1, time.Millisecond)
	in.Beats[0].Report.Strain = strained(0.5, 0, 30, time.Microsecond)
	parent, children = core.Summarise(in)
	is.Equal(parent.Overhead.Service.Count(), uint64(100))
	is.Equal(children[0].Strain.GCShare(), 0.05)
	is.Equal(children[1].Strain, nil)

	in.Beats[1].Report.Overhead = nulls(50, 3*time.Microsecond, 0, 0)
	in.Beats[1].Report.Strain = strained(0.1, 0, 0, 0)
	parent, children = core.Summarise(in)
	is.Equal(parent.Overhead.Service.Count(), uint64(150))
	is.Equal(parent.Overhead.Service.Max(), 3*time.Microsecond)
	is.Equal(parent.Overhead.Response.Max(), time.Millisecond)
	is.Equal(parent.Strain.Seconds, 10.0)
	is.True(parent.Strain.GCShare() > 0.0299 && parent.Strain.GCShare() < 0.0301)
	is.Equal(in.Beats[1].Report.Overhead.Service.Count(), uint64(50)) // untouched
	is.Equal(children[1].Overhead.Service.Count(), uint64(50))

	in.Beats[1].Report.Late = 0.2
	parent, children = core.Summarise(in)
	is.Equal(parent.Verdict.Causes, []core.Cause{core.CauseWorkerLate})
	is.Equal(children[0].Verdict.Level, core.Valid)
	is.Equal(children[1].Verdict.Causes, []core.Cause{core.CauseWorkerLate})
}

// TestSummariseAWorkerThatJoined: rates over windows of different length do not add
// up to the run's, and nobody is to blame for what was not asked of him.
func TestSummariseAWorkerThatJoined(t *testing.T) {
	is := is.New(t)
	in := summaryInput(t)
	in.Run.Plan.Initial = 1
	w := &in.Run.Workers[1]
	w.Since = summaryTime(8) // of a measurement from 3 to 13
	phase := in.Beats[1].Report.PhaseOf(core.Measurement)
	phase.Start, phase.Seconds, phase.Completed = summaryTime(8), 5, 300
	in.Beats[1].Report.Late = 5 // than was published; it was asked for load then
	in.Beats[0].Report.PhaseOf(core.Measurement).Completed = 400

	parent, children := core.Summarise(in)
	is.Equal(children[0].Throughput, 40.0)
	is.Equal(children[1].Throughput, 60.0) // of its own window
	is.Equal(parent.Throughput, 70.0)      // and not their sum
	is.Equal(parent.Seconds, 10.0)
	is.Equal(children[1].Coverage, 1.0)
	is.Equal(parent.Coverage, 1.0)
	is.Equal(parent.Verdict.Level, core.Valid)

	phase.Start, phase.Seconds = summaryTime(9), 4 // it began late
	parent, children = core.Summarise(in)
	is.Equal(children[1].Coverage, 0.8)
	is.Equal(parent.Coverage, (1.0*10+0.8*5)/15) // by what was asked: as many connections for half of the time
	is.Equal(parent.Verdict.Level, core.Degraded)

	w.Joining, w.Since, w.Reported, w.Target = true, time.Time{}, false, 0 // it never did
	in.Run.Unjoined = "worker-1 could not join the load: no room"
	in.Beats = in.Beats[:1]
	parent, children = core.Summarise(in)
	is.Equal(parent.Throughput, 40.0)
	is.Equal(parent.Coverage, 1.0)
	is.Equal(parent.Status, core.Completed)
	is.Equal(parent.Verdict.Level, core.Degraded)
	is.Equal(parent.Verdict.Reasons, []string{"worker-1 could not join the load: no room: the others made the load alone"})
	is.Equal(len(children), 2)

	in.Scenario.Load.Search = &core.LoadSearch{} // in which workers weigh what they have open
	in.Run.Plan.Connections = 8
	parent, children = core.Summarise(in)
	is.Equal(parent.Coverage, 1.0)
	is.Equal(children[1].Connections, 0)
	is.Equal(parent.Verdict.Causes, []core.Cause{core.CauseUnjoined})
}
