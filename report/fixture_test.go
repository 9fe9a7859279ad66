package report_test

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file of testdata what write writes.
func golden(t *testing.T, name string, write func(io.Writer) error) {
	t.Helper()
	var got bytes.Buffer
	if err := write(&got); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%s (write it anew with -update)\n got:\n%s\nwant:\n%s", file, got.Bytes(), want)
	}
}

// start is when every run of these tests starts; not UTC, so that a time that is
// written as it came shows.
func start() time.Time {
	return time.Date(2026, 3, 4, 17, 15, 5, 250e6, time.FixedZone("", 2*3600))
}

func at(seconds float64) time.Time {
	return start().Add(time.Duration(seconds * float64(time.Second)))
}

// kind makes the numbers of one kind: ok operations around a median.
func kind(name, access string, ok int, median time.Duration) core.KindMetrics {
	k := core.KindMetrics{Kind: name, Access: access}
	for i := range ok {
		d := median * time.Duration(50+i%100) / 100
		if i%500 == 499 {
			d *= 40
		}
		k.Service.Record(d)
	}
	k.Counts = core.Counts{Scheduled: uint64(ok), Started: uint64(ok), OK: uint64(ok), Rows: uint64(ok)}
	return k
}

func kinds() []core.KindMetrics {
	list := []core.KindMetrics{
		kind("POINT_LOOKUP", "READ", 36_000, 16*time.Microsecond),
		kind("RANGE_SCAN", "READ", 6_000, 78*time.Microsecond),
		kind("UPDATE", "WRITE", 10_200, 23*time.Microsecond),
		kind("TRANSFER", "WRITE", 1_800, 1234*time.Microsecond),
	}
	parts := core.NewStatementMetrics(2)
	for i, median := range []time.Duration{34 * time.Microsecond, 100 * time.Microsecond, 300 * time.Microsecond, 800 * time.Microsecond} {
		parts[i].Service = kind("", "", 1_800, median).Service
	}
	list[3].Statements = parts
	return list
}

// overhead is that of n null operations.
func overhead(n int) *core.Overhead {
	return &core.Overhead{Service: kind("", "", n, 400*time.Nanosecond).Service, Response: kind("", "", n, 30*time.Microsecond).Service}
}

// strain is that of a process with two processors, over some seconds.
func strain(seconds float64) *core.Strain {
	return &core.Strain{
		Seconds: seconds, CPU: 2 * seconds, GCCPU: 0.012 * seconds,
		Pauses: kind("", "", 14, 60*time.Microsecond).Service, Waits: kind("", "", 5000, 5*time.Microsecond).Service,
	}
}

func scenario() core.Scenario {
	return core.Scenario{
		Name: "oltp", TemplateID: "t-1", Launcher: "local",
		Target: core.ScenarioTarget{Kind: "sqlite", Endpoint: "local"},
		Table:  core.TemplateTable{Name: "BENCHFLEET_OLTP", Type: "STANDARD", Rows: 100_000},
		Load: core.ScenarioLoad{
			Mode: "CONCURRENCY", Scaling: "FIXED", Workers: 3, Connections: 12, Warmup: core.Duration(3 * time.Second),
			Duration: core.Duration(12 * time.Second), ThinkTime: core.Duration(2 * time.Millisecond), Seed: 1, Sampling: 1,
			Interval: core.Duration(time.Second),
		},
		Limits: core.Limits{ControlPoll: core.Duration(50 * time.Millisecond), DrainTimeout: core.Duration(30 * time.Second)},
	}
}

// completed is a run that went well.
func completed() report.Result {
	s := scenario()
	run := core.NewRun("01JTEST", s.Plan())
	run.Status, run.Phase, run.Reason = core.Completed, core.Processing, core.Elapsed
	run.StartedAt, run.Origin, run.StopAt, run.GoneAt, run.EndedAt = at(0), at(1), at(16), at(16.25), at(16.5)
	run.Running = core.RunningCount{Known: true}
	run.Rung = core.Drain
	run.Findings = []core.Finding{{ID: "target.table", Severity: core.SeverityOK, Message: "100000 rows"}}
	for i := range run.Workers {
		w := &run.Workers[i]
		w.Life, w.Reported, w.State, w.EndedOn = core.Gone, true, core.WorkerCompleted, core.Drain
		w.LastStart, w.LastEnd, w.Exit = at(16.012), at(16.0135), core.Exit{At: at(16.2), Cause: "exited with code 0"}
	}
	certificate := run.Certificate()
	all := kinds()
	counts := core.Total(all).Counts
	parent := core.Rollup{
		RunID: run.ID, Name: s.Name, TemplateID: s.TemplateID, Status: run.Status, Reason: run.Reason,
		Start: run.StartedAt, End: run.EndedAt, Seconds: 12, Connections: 12, Throughput: 4500, Kinds: all,
		Ledger: core.BalanceLedger(counts), Hash: 0xfeed, Verdict: core.Verdict{Level: core.Valid},
		SLOs: []core.SLOResult{{
			SLO: core.SLO{Text: "error_rate < 0.1%", Metric: "error_rate", Less: true, Bound: 0.001}, Met: true,
		}},
		Certificate: &certificate, Scenario: &s, Coverage: 1, CPUSeconds: 6.5,
		Environment: []core.Fact{{Name: "target.version", Value: "3.46.0"}},
		Overhead:    overhead(720), Strain: strain(36),
	}
	r := report.Result{Run: run, Parent: &parent, Location: "sqlite:.benchfleet/store.db"}
	for i, w := range run.Workers {
		child := parent
		child.WorkerID, child.Connections, child.Throughput, child.CPUSeconds = w.ID, 4, 1500, 2.1+float64(i)/10
		child.Kinds = kinds()[i : i+1]
		child.WorkerEnding = certificate.Workers[i].Ending
		child.Overhead, child.Strain = overhead(240), strain(12)
		r.Children = append(r.Children, child)
	}
	return r
}

// cancelled is a run that went badly and was stopped, with spoilt texts.
func cancelled() report.Result {
	r := completed()
	run, p := &r.Run, r.Parent
	run.Status, run.Reason, run.StopBy = core.Cancelled, core.UserRequested, "ana@host \x1b[31mred"
	run.Detail = "stopped by signal interrupt"
	run.Rung = core.Kill
	run.Running = core.RunningCount{Why: "the target did not answer within 5s"}
	run.Findings = append(run.Findings, core.Finding{
		ID: "clock.offset", Severity: core.SeverityWarning, Message: "the clock of worker-1 is 1.2s behind", Mend: "synchronise the clocks of the hosts",
	})
	run.Workers[1].Reported, run.Workers[1].EndedOn, run.Workers[1].Exit.Cause = false, core.Kill, "killed by signal 9"
	run.Workers[2].Life, run.Workers[2].EndedOn = core.Orphan, core.Orphaned
	certificate := run.Certificate()
	p.Status, p.Reason, p.Certificate, p.Seconds, p.Coverage = run.Status, run.Reason, &certificate, 4.2, 0.61
	p.Kinds[3].Started, p.Kinds[3].Scheduled, p.Kinds[3].Errors, p.Kinds[3].Aborted = 1817, 1817, 14, 3
	p.Kinds[3].Failures = []core.ErrorCount{
		{Class: "SQLITE_BUSY", Count: 12, Example: "database is locked (5)\n\x1b[2Jgone"},
		{Class: "TIMEOUT", Count: 2, Example: "context deadline exceeded while waiting for the lock that another connection of this worker holds"},
	}
	p.Ledger = core.Ledger{Counts: core.Total(p.Kinds).Counts, Problem: "54017 operations were scheduled, but 54016 accounted for (54016 started, 0 skipped, 0 unserved)"}
	p.Verdict = core.Verdict{Level: core.InvalidRun, Reasons: []string{
		"the run was CANCELLED", "worker-1 ended without its final report: 61 % of the window is covered, less than the 90 % that are needed to trust percentiles",
	}}
	p.SLOs = []core.SLOResult{
		{SLO: core.SLO{Text: "TRANSFER p99 < 1ms", Kind: "TRANSFER", Metric: "p99", Less: true, Bound: 0.001}, Measured: 0.00185},
		{SLO: core.SLO{Text: "throughput > 900", Metric: "throughput", Bound: 900}, Measured: 4500, Met: true},
	}
	response := core.Histogram{}
	response.Merge(&p.Kinds[0].Service)
	response.Record(time.Second)
	p.Kinds[0].Response = &response
	for i := range r.Children {
		r.Children[i].WorkerEnding = certificate.Workers[i].Ending
	}
	r.Children[1].Status, r.Children[1].Detail = core.Failed, "last words\x07"
	r.Children[1].Kinds = nil
	r.Location = "sqlite:/tmp/\x1b]0;title\x07store.db"
	return r
}

// lost is a run whose store was lost under it: its workers were ended from memory,
// and what they did after the last beat that was heard is not known.
func lost() report.Result {
	s := scenario()
	r := completed()
	run := r.Run
	run.Status, run.Reason, run.Rung = core.Failed, core.Guardrail, core.Terminate
	run.Detail = "the store could not be written for 5s; the result could not be stored within 1m0s"
	run.Running = core.RunningCount{Why: "the target did not answer within 5s"}
	run.Findings = nil
	for i := range run.Workers {
		w := &run.Workers[i]
		w.Reported, w.State, w.EndedOn = false, core.WorkerRunning, core.Terminate
		w.LastStart, w.LastEnd = at(10.9), at(10.91) // heard five seconds before the stop
	}
	return report.Result{Scenario: &s, Run: run, Location: "sqlite:store.db"}
}

// refused is a run that preflight refused.
func refused() report.Result {
	run := core.NewRun("01JREFUSED", scenario().Plan())
	run.Status, run.Reason, run.Detail = core.Failed, core.PreflightRefused, "target.table: BENCHFLEET_OLTP does not exist"
	run.StartedAt, run.EndedAt = at(0), at(0.4)
	run.Findings = findings()
	s := scenario()
	return report.Result{Scenario: &s, Run: run, Location: "sqlite:store.db"}
}

func findings() []core.Finding {
	return []core.Finding{
		{ID: "target.reachable", Severity: core.SeverityOK, Message: "SQLite 3.46.0"},
		{ID: "target.table", Severity: core.SeverityError, Message: "BENCHFLEET_OLTP does not exist", Mend: "benchfleet prepare oltp"},
		{ID: "clock.offset", Severity: core.SeverityWarning, Message: "the clock is\n1.2s behind, which makes the response times of an open loop doubtful", Mend: "synchronise the clocks"},
		{ID: "odd", Severity: "ODD", Message: "an unknown severity refuses"},
	}
}

func interval() ports.RunInterval {
	all := kinds()
	all[3].Errors, all[3].Started = 2, 1802
	return ports.RunInterval{
		RunID: "01JTEST", Phase: core.Measurement, Offset: 5, Start: at(5), Seconds: 1, Kinds: all,
		Connections: 12, Target: 12, CPU: 41.5, Memory: 3.25, Healthy: 2, Stale: 1,
	}
}

// running is the state of a run in the middle of its load.
func running() report.Status {
	s := scenario()
	run := core.NewRun("01JTEST", s.Plan())
	run.Status, run.Phase, run.PhaseAt = core.Running, core.Measurement, at(4)
	run.StartedAt, run.Origin, run.Deadline = at(0), at(1), at(15.9)
	run.Owner, run.OwnerEpoch, run.OwnerLeaseUntil = "host/4711", 1, at(10)
	for i := range run.Workers {
		run.Workers[i].Life = core.Ready
	}
	i := interval()
	return report.Status{Run: run, Scenario: s, Now: at(6.04), Interval: &i, Workers: []core.WorkerHealth{
		{ID: "worker-0", Life: core.Ready, State: core.WorkerRunning, Health: core.Healthy, Age: 320 * time.Millisecond, Connections: 4, Target: 4, Throughput: 1502, CPU: 20.2, Memory: 1},
		{ID: "worker-1", Life: core.Ready, State: core.WorkerRunning, Health: core.Stale, Age: 4200 * time.Millisecond, Connections: 3, Target: 4, Throughput: 980, CPU: 19, Errors: 2, LastError: "database is locked\n(5)"},
		{ID: "worker-2", Life: core.Gone, State: core.WorkerDead, Target: 4, Ending: "killed by signal 9, without a final report"},
	}}
}

// stopping is the same run while it is stopped.
func stopping() report.Status {
	s := running()
	s.Run.Status, s.Run.Reason, s.Run.Detail, s.Run.StopBy = core.Cancelling, core.UserRequested, "enough", "ana"
	s.Run.StopAt, s.Run.Rung, s.Run.ClimbedAt, s.Run.Deadline = at(6), core.Cancel, at(6.03), at(11.03)
	s.Now = at(30)
	return s
}

func events() []core.ControlEvent {
	return []core.ControlEvent{
		{RunID: "01JTEST", Sequence: 1, Type: core.EventStart, Scope: core.ScopeRun, Phase: core.Warmup, Effective: at(1), At: at(0.9)},
		{RunID: "01JTEST", Sequence: 2, Type: core.EventSetPhase, Scope: core.ScopeRun, Phase: core.Measurement, Effective: at(4), At: at(3.9)},
		{RunID: "01JTEST", Sequence: 3, Type: core.EventSetWorkerTarget, Scope: core.ScopeWorker, WorkerID: "worker-1", Epoch: 1, Target: 4, At: at(4)},
		{RunID: "01JTEST", Sequence: 4, Type: core.EventWorkerLost, Scope: core.ScopeWorker, WorkerID: "worker-1", Detail: "killed by signal 9\x1b[0m", At: at(5)},
		{RunID: "01JTEST", Sequence: 5, Type: core.EventStop, Scope: core.ScopeRun, Reason: core.UserRequested, By: "ana", Detail: "enough", At: at(6)},
		{RunID: "01JTEST", Sequence: 6, Type: core.EventStopRaised, Scope: core.ScopeRun, Reason: core.WorkerLost, Rung: "CANCEL", At: at(7)},
	}
}

func runs() []ports.RunSummary {
	return []ports.RunSummary{
		{ID: "01JTEST", Name: "oltp", Status: core.Completed, Phase: core.Processing, Reason: core.Elapsed, Launcher: "local", Workers: 3, CreatedAt: at(0), StartedAt: at(0), EndedAt: at(16.5), TotalOps: 54_000, QPS: 4500},
		{ID: "01JOTHER", Name: "a name\nthat is rather long 日本語", Status: core.Running, Phase: core.Warmup, Launcher: "local", Workers: 12, Owner: "host/1", CreatedAt: at(-60), StartedAt: at(-59), TotalOps: 12, Errors: 3, QPS: 1.5},
		{ID: "01JNEW", Status: core.Prepared, Launcher: "local", Workers: 1, CreatedAt: at(-90)},
	}
}

func templates() []ports.TemplateRecord {
	return []ports.TemplateRecord{
		{ID: "t-1", Version: 3, Used: 1204, LastUsed: at(0), CreatedAt: at(-1e6), UpdatedAt: at(-1000), Template: core.Template{
			Name: "oltp", Description: "Mixed reads and small writes on one table, with a transfer between two rows", Tags: map[string]string{"workload": "oltp"},
			Target: core.TemplateTarget{Kind: "sqlite", Endpoint: "local"}, Mix: make([]core.TemplateOp, 6),
		}},
		{ID: "t-2", Version: 1, CreatedAt: at(-5), UpdatedAt: at(-5), Template: core.Template{Name: "reads", Target: core.TemplateTarget{Kind: "memory"}, Mix: make([]core.TemplateOp, 1)}},
	}
}
