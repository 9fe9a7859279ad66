package porttest

import (
	"fmt"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// sampleTime is the zero of times in samples; its microseconds must survive.
func sampleTime() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 123456000, time.UTC) }

// at is that many milliseconds after it.
func at(ms int) time.Time { return sampleTime().Add(time.Duration(ms) * time.Millisecond) }

// odd is text that must survive every encoding between here and the disk.
const odd = `it's "odd": 100% \n ünï 🎈 <b>&amp; $1 ? {table} ;--`

func seconds(n int) core.Duration { return core.Duration(time.Duration(n) * time.Second) }

// sampleScenario fills every field of a scenario.
func sampleScenario(workers int) core.Scenario {
	sql, parameters := core.DefaultStatement(core.PointLookup)
	return core.Scenario{
		Name: "sample " + odd, TemplateID: "template-1", Launcher: "local",
		Target: core.ScenarioTarget{Kind: "sqlite", Endpoint: "main", Host: "db.example", Database: "bench", User: "reader"},
		Table:  core.TemplateTable{Name: "BENCH_ROWS", Type: "STANDARD", Rows: 100_000},
		Load: core.ScenarioLoad{
			Mode: core.ModeConcurrency, Scaling: core.ScalingFixed, Workers: workers, Connections: 4 * workers,
			Warmup: seconds(2), Duration: seconds(10), Cooldown: seconds(1), ThinkTime: core.Duration(time.Millisecond),
			Seed: -7, Sampling: 0.25, Interval: seconds(1),
		},
		Operations: []core.Operation{
			{Kind: core.PointLookup, Weight: 9000, Access: core.AccessRead, Parameters: parameters,
				Statements: []core.Statement{{SQL: sql, Bind: []int{0}, Query: true}}},
			{Kind: "TRANSFER", Weight: 1000, Access: core.AccessWrite, Transaction: true,
				Parameters: []core.Parameter{
					{Name: "a", Type: core.ParamKey, Distribution: core.Zipfian, Theta: 0.99},
					{Name: "s", Type: core.ParamChoice, Values: []any{"x", odd, true}},
					{Name: "f", Type: core.ParamFloat, Min: -1.5, Max: 1e300, Within: seconds(60)},
				},
				Statements: []core.Statement{{SQL: "UPDATE {table} SET STATUS = ? WHERE ID = ?", Bind: []int{1, 0}}, {SQL: "SELECT 1", Query: true}}},
		},
		SLOs: []core.SLO{{Text: "p99 < 20ms", Metric: "p99", Less: true, Bound: 0.02}},
		Limits: core.Limits{
			StatementTimeout: seconds(5), PreflightTimeout: seconds(30), StartTimeout: seconds(60), DrainTimeout: seconds(30),
			CancelTimeout: seconds(5), TerminateTimeout: seconds(5), KillTimeout: seconds(5), ProcessingTimeout: seconds(60),
			RunLimit: seconds(3600), WorkerLease: seconds(15), OwnerLease: seconds(5),
			ControlPoll: core.Duration(50 * time.Millisecond), OnLoss: core.FailOnLoss,
			Guardrails: &core.Guardrails{CPU: 80.5, Memory: 90, Patience: seconds(10)},
		},
		Budget: &core.RunBudget{Operations: 1 << 53, Rows: 9, Time: seconds(90), Credits: 0.1, CreditsPerHour: 4},
		Tags:   map[string]string{"team": "a", "odd": odd},
	}
}

// A step is one commit in the life of a run: the events folded into it, and the
// status that follows.
type step struct {
	events []core.Event
	status core.Status
}

// sampleLife leads a run of the sample scenario from START to COMPLETED, through
// every status but the failures.
func sampleLife(workers int) []step {
	launched, ready, gone := []core.Event{}, []core.Event{}, []core.Event{}
	for i := range workers {
		launched = append(launched, core.WorkerLaunched{At: at(30), Worker: i, Epoch: 1,
			Handle: core.Handle{Launcher: "local", Version: 2, Data: []byte{0, 1, 0xff, byte(i)}}})
		ready = append(ready, core.BeatSeen{At: at(40), Worker: i, Epoch: 1, State: core.WorkerReadyNow, Connections: 4})
		gone = append(gone,
			core.BeatSeen{At: at(16000), Worker: i, Epoch: 1, State: core.WorkerCompleted, Acknowledged: int64(13 + i), LastStart: at(14000), LastEnd: at(14001), Detail: odd},
			core.WorkerExited{At: at(16001), Worker: i, Epoch: 1, Exit: core.Exit{Cause: "exited with code 0", At: at(16001)}})
	}
	return []step{
		{[]core.Event{core.OwnerClaimed{At: at(0), Owner: "host-1:42", Until: at(5000)}, core.StartRequested{At: at(0)}}, core.Prepared},
		{[]core.Event{core.PreflightFinished{At: at(20), Findings: []core.Finding{
			{ID: "target.table", Severity: core.SeverityOK, Message: odd},
			{ID: "clock", Severity: core.SeverityWarning, Message: "off by 2 s", Mend: "run a time service"},
		}}}, core.Starting},
		{launched, core.Starting},
		{ready, core.Running},
		{[]core.Event{core.Ticked{At: at(2100)}}, core.Running},  // MEASUREMENT is published
		{[]core.Event{core.Ticked{At: at(12200)}}, core.Running}, // COOLDOWN is published
		{[]core.Event{core.BeatSeen{At: at(12500), Worker: 1, Epoch: 1, State: core.WorkerRunning, Acknowledged: 11}}, core.Running},
		{[]core.Event{core.Ticked{At: at(14000)}}, core.Stopping},
		{[]core.Event{core.StopRequested{At: at(14500), Reason: core.UserRequested, By: "me", Detail: odd}}, core.Cancelling},
		{gone, core.Cancelling},
		{[]core.Event{core.SessionsCounted{At: at(16100), Running: core.RunningCount{Known: true}}}, core.Cancelling},
		{[]core.Event{core.RollupStored{At: at(16200)}}, core.Cancelling},
		{[]core.Event{core.ResourcesReleased{At: at(16300)}}, core.Cancelled},
	}
}

// sampleHistogram counts n durations around base.
func sampleHistogram(base time.Duration, n int) core.Histogram {
	var h core.Histogram
	for i := range n {
		h.Record(base + time.Duration(i*i)*37*time.Microsecond)
	}
	return h
}

// sampleKinds fills every field of metrics; n tells samples apart.
func sampleKinds(n int) []core.KindMetrics {
	response := sampleHistogram(3*time.Millisecond, 20+n)
	count := uint64(20 + n)
	return []core.KindMetrics{
		{
			Kind: core.PointLookup, Access: core.AccessRead,
			Counts:  core.Counts{Scheduled: count + 10, Skipped: 1, Unserved: 2, Started: count + 7, OK: count, Errors: 4, Aborted: 2, Lost: 1, Rows: count},
			Service: sampleHistogram(time.Millisecond, 20+n), Response: &response,
			Failures: []core.ErrorCount{{Class: "busy", Count: 3, Example: odd}, {Class: "timeout", Count: 1}},
		},
		{Kind: core.Update, Access: core.AccessWrite, Counts: core.Counts{Scheduled: 5, Started: 5, OK: 5, Rows: 5}, Service: sampleHistogram(90*time.Microsecond, 5),
			Statements: []core.StatementMetrics{{Name: "1", Service: sampleHistogram(50*time.Microsecond, 5)}, {Name: "COMMIT", Service: sampleHistogram(40*time.Microsecond, 5)}}},
	}
}

// sampleInterval is the interval of a worker that ends n seconds after the
// run's origin.
func sampleInterval(n int) core.Interval {
	return core.Interval{
		Sequence: int64(n), Phase: core.Measurement, Start: at(1000 * (n - 1)), Seconds: 1.0005, Offset: float64(n),
		Kinds: sampleKinds(n), Connections: 4, Target: 5, CPU: 12.5, Memory: 3.25, Coarse: n%2 == 0,
	}
}

// sampleAggregate is the aggregate interval of a run that ends at that offset.
func sampleAggregate(run string, phase core.Phase, offset float64, n int) ports.RunInterval {
	return ports.RunInterval{
		RunID: run, Phase: phase, Offset: offset, Start: at(int(1000 * (offset - 1))), Seconds: 1, Kinds: sampleKinds(n),
		Connections: 12, Target: 12, CPU: 50.5, Memory: 1.5, Healthy: 2, Stale: 1, Lost: n,
	}
}

// sampleBeat fills every field of a beat but At, which the store sets.
func sampleBeat(run string, worker, epoch int, count int64) core.Beat {
	return core.Beat{
		Key: core.WorkerKey{RunID: run, WorkerID: core.WorkerID(worker), Epoch: epoch}, GroupID: worker,
		State: core.WorkerRunning, Phase: core.Measurement, Count: count, Connections: 4, Target: 5, CPU: 12.5, Memory: 3.25,
		LastError: odd, LastSequence: 3, Acknowledged: 2, Sessions: []string{"s-1", odd},
		Build: core.Build{ID: "abc", Stamped: true, GoVersion: "go1.26", Platform: "linux/amd64", Image: "sha256:0", Scenario: "f00"},
		Report: core.Report{
			Phases: []core.PhaseMetrics{
				{Phase: core.Warmup, Kinds: sampleKinds(1), Start: at(0), End: at(2000), Seconds: 2, Completed: 40, OperationHash: 1<<64 - 1},
				{Phase: core.Measurement, Kinds: sampleKinds(2), Start: at(2000), Seconds: 1.5, Completed: 30, OperationHash: 7},
			},
			Intervals: []core.Interval{sampleInterval(3), sampleInterval(4)},
			InFlight:  3, QuotaDone: true, Spent: core.SpentRows, LastStart: at(3400), LastEnd: at(3401), DroppedExecutions: 9,
			ClockOffset: -0.25, ClockError: 0.001, CPUSeconds: 1.75, Reconnects: 2, Exhausted: 1,
			Late: 0.0625, Overhead: sampleOverhead(1), Strain: sampleStrain(2),
		},
	}
}

// sampleOverhead and sampleStrain fill every field of what a load generator costs
// and delays.
func sampleOverhead(n int) *core.Overhead {
	o := &core.Overhead{}
	o.Service.RecordN(400*time.Nanosecond, uint64(n)+1)
	o.Response.RecordN(time.Duration(n)*time.Millisecond, uint64(n)+1)
	return o
}

func sampleStrain(n int) *core.Strain {
	s := &core.Strain{Seconds: float64(n), CPU: 2.5, GCCPU: 0.0625}
	s.Pauses.Record(50 * time.Microsecond)
	s.Waits.RecordN(7*time.Microsecond, 1<<40)
	return s
}

// sampleExecutions makes n sampled operations of a run, in order of start time.
func sampleExecutions(run string, n int) []core.Execution {
	var list []core.Execution
	for i := range n {
		e := core.Execution{
			ID: fmt.Sprintf("%s-%06d", run, i), RunID: run, WorkerID: core.WorkerID(i % 3), Connection: int64(i % 12),
			QueryID: "q-" + odd, Kind: core.PointLookup, Start: at(i), Intended: at(i - 1),
			Service: 1234567 * time.Nanosecond, Response: 2*time.Millisecond + time.Microsecond, Rows: int64(i), Success: true, Warmup: i%2 == 0,
		}
		if i%5 == 0 {
			e.Success, e.ErrorClass, e.Error = false, "busy", odd
		}
		list = append(list, e)
	}
	return list
}

// sampleRollup fills every field of the result of a run, or of a worker when
// workerID is not empty.
func sampleRollup(run, workerID string, n int) core.Rollup {
	r := core.Rollup{
		RunID: run, WorkerID: workerID, Name: "sample " + odd, TemplateID: "template-1",
		Status: core.Completed, Reason: core.Elapsed, Detail: odd, Start: at(0), End: at(10000), Seconds: 10.000001,
		Connections: 4, Throughput: 1234.5, Kinds: sampleKinds(n),
		Warmup:   core.Counts{Scheduled: 9, Started: 8, OK: 8},
		Ledger:   core.Ledger{Counts: core.Counts{Scheduled: 99, Started: 90, OK: 90}, Balanced: false, Problem: odd},
		Hash:     1<<64 - 1 - uint64(n),
		Verdict:  core.Verdict{Level: core.Degraded, Reasons: []string{odd, "late worker"}, Causes: []core.Cause{core.CauseErrors, core.CauseWorkerLate}},
		SLOs:     []core.SLOResult{{SLO: core.SLO{Text: "p99 < 20ms", Metric: "p99", Less: true, Bound: 0.02}, Measured: 0.0125, Met: true}},
		Coverage: 0.995, CPUSeconds: 3.5, Overhead: sampleOverhead(n), Strain: sampleStrain(n),
	}
	if workerID != "" {
		r.WorkerEnding = "drained, reported and exited"
		return r
	}
	scenario := sampleScenario(3)
	stage := core.Duration(12 * time.Millisecond)
	r.Certificate = &core.Certificate{
		RunID: run, Reason: core.Elapsed, RequestedBy: "me", RequestedAt: at(10000), HighestRung: core.Terminate,
		Workers: []core.WorkerEnd{{ID: "worker-0", LastStart: at(9999), LastEnd: at(10001), GoneAt: at(10012), Rung: core.Drain, Reported: true, Ending: "drained"}},
		Orphans: []string{"worker-1"}, Target: core.RunningCount{Why: "unknown: " + odd},
		Stages: core.StopStages{LastNewOperation: &stage, WorkersGone: &stage},
	}
	r.Scenario = &scenario
	r.Budget = &core.BudgetUse{RunBudget: *scenario.Budget, UsedOperations: 1<<53 - 1, UsedRows: 8, UsedSeconds: 89.5, UsedCredits: 0.099}
	r.Environment = []core.Fact{{Name: "target.version", Value: odd}}
	return r
}
