package core_test

import (
	"math"
	"math/bits"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

// sound is the input of a VALID verdict: two workers, 10 s of 10 s measured.
func sound() core.VerdictInput {
	counts := core.Counts{Scheduled: 1000, Started: 1000, OK: 1000}
	return core.VerdictInput{
		Status: core.Completed, Reason: core.Elapsed, Measured: counts, Seconds: 10, Planned: 10,
		Latency: latency(time.Millisecond, 5*time.Millisecond),
		Ledger:  core.BalanceLedger(counts), Coverage: 1,
		Workers: []core.WorkerFacts{
			{ID: "worker-0", Reported: true, Clean: true, Connections: 4, Asked: 4, CPU: 30, ClockError: 0.001},
			{ID: "worker-1", Reported: true, Clean: true, Connections: 4, Asked: 4, CPU: 30, ClockError: 0.001},
		},
	}
}

// latency is that of 100 operations: the median, and the p99 of two.
func latency(median, p99 time.Duration) *core.Histogram {
	h := &core.Histogram{}
	h.RecordN(median, 98)
	h.RecordN(p99, 2)
	return h
}

// nulls are n null operations that took service each; so many of them stalled.
func nulls(n uint64, service time.Duration, stalled uint64, stall time.Duration) *core.Overhead {
	o := &core.Overhead{}
	o.Service.RecordN(service, n)
	o.Response.RecordN(50*time.Microsecond, n-stalled)
	o.Response.RecordN(stall, stalled)
	return o
}

// strained is a process that had 10 s of processor time in 5 s.
func strained(gc float64, pause time.Duration, waits uint64, each time.Duration) *core.Strain {
	s := &core.Strain{Seconds: 5, CPU: 10, GCCPU: gc}
	s.Pauses.Record(pause)
	s.Waits.RecordN(each, waits)
	return s
}

func TestJudge(t *testing.T) {
	type input = core.VerdictInput
	for _, c := range []struct {
		name    string
		change  func(*input)
		level   core.VerdictLevel
		reasons string // one per line
	}{
		{"all is well", func(*input) {}, core.Valid, ""},

		{"nothing measured", func(in *input) { in.Measured, in.Seconds = core.Counts{}, 0 }, core.InvalidRun,
			"nothing was measured: 0 operations ended in 0 ms of measurement\n0 ms of 10.0 s were measured"},
		{"nothing heard of", func(in *input) {
			in.Measured, in.Seconds, in.Begun = core.Counts{}, 0, true
			in.Workers[1].Reported, in.Workers[1].Clean, in.Workers[1].Ending = false, false, "killed by signal 9, without a final report"
		}, core.InvalidRun, "what was measured is unknown: no operation of the measurement was reported, and 1 of 2 workers made no final report\n" +
			"0 ms of 10.0 s were measured\nworker-1: killed by signal 9, without a final report; what it did after its last beat is not counted"},
		{"nothing begun", func(in *input) {
			in.Measured, in.Seconds, in.Planned = core.Counts{}, 0, 0
			in.Workers = []core.WorkerFacts{{ID: "worker-0", Ending: "killed by signal 9, without a final report"}}
		}, core.InvalidRun, "nothing was measured: 0 operations ended in 0 ms of measurement\n" +
			"worker-0: killed by signal 9, without a final report; what it did after its last beat is not counted"},
		{"all aborted", func(in *input) { in.Measured = core.Counts{Started: 5, Aborted: 5} }, core.InvalidRun,
			"nothing was measured: 0 operations ended in 10.0 s of measurement"},
		{"no window", func(in *input) { in.Seconds, in.Planned = math.NaN(), 0 }, core.InvalidRun,
			"nothing was measured: 1000 operations ended in unknown time of measurement"},

		{"ledger", func(in *input) { in.Ledger = core.BalanceLedger(core.Counts{Scheduled: 2, Started: 2, OK: 1}) }, core.Degraded,
			"the ledger does not balance: 2 operations were started, but 1 accounted for (1 ok, 0 errors, 0 aborted, 0 lost)"},

		{"coverage 95 %", func(in *input) { in.Coverage = 0.95 }, core.Valid, ""},
		{"coverage 94 %", func(in *input) { in.Coverage = 0.94 }, core.Degraded, "the workers made 94.0 % of the load: they were at work for that share of the measurement"},
		{"coverage 50 %", func(in *input) { in.Coverage = 0.5 }, core.Degraded, "the workers made 50.0 % of the load: they were at work for that share of the measurement"},
		{"coverage 49 %", func(in *input) { in.Coverage = 0.49 }, core.InvalidRun, "the workers made 49.0 % of the load: they were at work for that share of the measurement"},
		{"coverage unknown", func(in *input) { in.Coverage = math.NaN() }, core.InvalidRun, "the workers made an unknown share of the load: they were at work for that share of the measurement"},

		{"missed 0.1 %", func(in *input) { in.Measured.Scheduled, in.Measured.Skipped = 1001, 1 }, core.Valid, ""},
		{"missed 0.2 %", func(in *input) { in.Measured.Scheduled, in.Measured.Skipped, in.Measured.Unserved = 1002, 1, 1 }, core.Degraded,
			"2 of 1002 scheduled operations were not started (0.20 %): 1 skipped, since no connection was free in time or the worker heard of it late, and 1 still due when the load of their worker ended. " +
				"The percentiles lack them. If connections were wanting, more of them or a lower rate let all start; if not, look for late workers"},
		{"missed 50 %", func(in *input) { in.Measured.Scheduled, in.Measured.Unserved = 2000, 1000 }, core.Degraded,
			"1000 of 2000 scheduled operations were not started (50.0 %): 0 skipped, since no connection was free in time or the worker heard of it late, and 1000 still due when the load of their worker ended. " +
				"The percentiles lack them. If connections were wanting, more of them or a lower rate let all start; if not, look for late workers"},
		{"missed more", func(in *input) { in.Measured.Scheduled, in.Measured.Skipped = 2001, 1001 }, core.InvalidRun,
			"1001 of 2001 scheduled operations were not started (50.0 %): 1001 skipped, since no connection was free in time or the worker heard of it late, and 0 still due when the load of their worker ended. " +
				"The percentiles lack them. If connections were wanting, more of them or a lower rate let all start; if not, look for late workers"},
		{"late behind others", func(in *input) { in.Measured.Late = 900 }, core.Valid, ""},
		{"overslept 1 %", func(in *input) { in.Measured.Late, in.Measured.Overslept = 10, 10 }, core.Valid, ""},
		{"overslept more", func(in *input) { in.Measured.Late, in.Measured.Overslept = 11, 11 }, core.Degraded,
			"11 of 1000 operations were started more than 1ms late though a connection was waiting (1.1 %): the load generator missed its schedule"},

		{"overslept beyond the answer of a search", func(in *input) {
			in.Searched, in.Found, in.Measured.Overslept = true, true, 900
			in.Answer = core.SearchWindow{OK: 500, Errors: 100, Overslept: 6}
		}, core.Valid, ""},
		{"overslept at the answer of a search", func(in *input) {
			in.Searched, in.Found = true, true
			in.Answer = core.SearchWindow{OK: 500, Errors: 100, Overslept: 7}
		}, core.Degraded, "7 of 600 operations were started more than 1ms late though a connection was waiting (1.2 %): the load generator missed its schedule"},

		{"errors 1 %", func(in *input) { in.Measured.OK, in.Measured.Errors = 990, 10 }, core.Valid, ""},
		{"errors 1.1 %", func(in *input) { in.Measured.OK, in.Measured.Errors = 989, 11 }, core.Degraded, "11 of 1000 operations failed (1.1 %)"},
		{"errors 50 %", func(in *input) { in.Measured.OK, in.Measured.Errors = 500, 500 }, core.Degraded, "500 of 1000 operations failed (50.0 %)"},
		{"errors 50.1 %", func(in *input) { in.Measured.OK, in.Measured.Errors = 499, 501 }, core.InvalidRun, "501 of 1000 operations failed (50.1 %)"},
		{"aborted are no errors", func(in *input) { in.Measured.Started, in.Measured.Aborted = 2000, 1000 }, core.Valid, ""},

		{"worker lost", func(in *input) {
			w := &in.Workers[1]
			w.Lost, w.Reported, w.Clean, w.Ending = true, false, false, "killed by signal 9, without a final report"
		}, core.Degraded, "worker-1 was lost while it was needed: killed by signal 9, without a final report"},
		{"worker unreported", func(in *input) {
			w := &in.Workers[1]
			w.Reported, w.Clean, w.Ending = false, false, "killed by signal 9, without a final report"
		}, core.Degraded, "worker-1: killed by signal 9, without a final report; what it did after its last beat is not counted"},
		{"worker killed after its report", func(in *input) {
			w := &in.Workers[0]
			w.Clean, w.Ending = false, "reported, then killed by signal 9"
		}, core.Degraded, "worker-0 did not end by itself: reported, then killed by signal 9"},
		{"late worker", func(in *input) { in.StaleFacts = 3 }, core.Degraded,
			"3 reports came from workers that had been given up: they may have made load beside the run's own"},

		{"connections 95 %", func(in *input) { in.Workers[0].Connections = 3.8 }, core.Valid, ""},
		{"connections fewer, of a search beyond what was borne", func(in *input) {
			in.Searched, in.Found, in.Workers[0].Connections = true, true, 2
		}, core.Valid, ""},
		{"connections fewer, of a search that found nothing", func(in *input) {
			in.Searched, in.Workers[0].Connections = true, 2
		}, core.Degraded, "worker-0 kept 2.0 connections of 4 on average"},
		{"connections fewer", func(in *input) { in.Workers[0].Connections = 3.7 }, core.Degraded, "worker-0 kept 3.7 connections of 4 on average"},
		{"connections unknown", func(in *input) { in.Workers[0].Connections, in.Workers[0].Asked = 0, 0 }, core.Valid, ""},
		{"no connections", func(in *input) { in.Workers[0].Connections = 0 }, core.Degraded, "worker-0 kept 0.0 connections of 4 on average"},
		{"no key is left", func(in *input) { in.Workers[1].Exhausted = 3 }, core.Degraded,
			"worker-1 ended 3 of its connections early, since no key was left to insert"},
		{"dropped", func(in *input) { in.Workers[1].Dropped = 12 }, core.Degraded,
			"worker-1 could not store 12 sampled operations in time; counts and percentiles hold all of them"},

		{"clock known to 1 %", func(in *input) { in.Workers[0].ClockError = 0.1 }, core.Valid, ""},
		{"clock unknown", func(in *input) { in.Workers[0].ClockError = 0.101 }, core.Degraded,
			"worker-0 knew the store's clock only to ±101 ms (allowed ±100 ms), so its measurement may have begun and ended that much too early or late"},
		{"clock in a short run", func(in *input) { in.Seconds, in.Planned, in.Workers[0].ClockError = 1, 1, 0.05 }, core.Valid, ""},
		{"clock unknown in a short run", func(in *input) { in.Seconds, in.Planned, in.Workers[0].ClockError = 1, 1, 0.06 }, core.Degraded,
			"worker-0 knew the store's clock only to ±60 ms (allowed ±50 ms), so its measurement may have begun and ended that much too early or late"},

		{"cpu 90 %", func(in *input) { in.Workers[0].CPU = 90 }, core.Valid, ""},
		{"cpu", func(in *input) { in.Workers[0].CPU = 91 }, core.Degraded, "worker-0 used 91 % of its CPU: the load generator may have been the bottleneck"},
		{"cpu of hosts of their own", func(in *input) { in.Workers[0].CPU, in.Workers[1].CPU = 80, 80 }, core.Valid, ""},
		{"cpu of one host", func(in *input) { in.SharedHost = true; in.Workers[0].HostCPU, in.Workers[1].HostCPU = 46, 45 }, core.Degraded,
			"the workers used 91 % of their host's CPU: the load generator may have been the bottleneck"},
		{"cpu of one host, all of what a worker may have", func(in *input) { in.SharedHost = true; in.Workers[1].CPU, in.Workers[1].HostCPU = 95, 12 }, core.Degraded,
			"worker-1 used 95 % of its CPU: the load generator may have been the bottleneck"},
		{"cpu of one host, halves of what they may have", func(in *input) {
			in.SharedHost = true
			for i := range in.Workers {
				in.Workers[i].CPU, in.Workers[i].HostCPU = 50, 12
			}
		}, core.Valid, ""},
		{"cpu of one host, fine", func(in *input) { in.SharedHost = true; in.Workers[0].HostCPU, in.Workers[1].HostCPU = 45, 45 }, core.Valid, ""},
		{"cpu with an embedded target", func(in *input) {
			in.SharedHost, in.Embedded = true, true
			in.Workers[0].CPU, in.Workers[0].HostCPU = 100, 100
		}, core.Valid, ""},

		{"began 100 ms late", func(in *input) { in.Workers[1].Late = 0.1 }, core.Valid, ""},
		{"began later", func(in *input) { in.Workers[1].Late = 0.101 }, core.Degraded,
			"worker-1 began the measurement 101 ms late (allowed 100 ms): until then the others made the load alone"},
		{"began late in a short run", func(in *input) { in.Seconds, in.Planned, in.Workers[1].Late = 1, 1, 0.051 }, core.Degraded,
			"worker-1 began the measurement 51 ms late (allowed 50 ms): until then the others made the load alone"},

		{"harness 10 % of the median", func(in *input) { in.Workers[0].Overhead = nulls(10, 100*time.Microsecond, 0, 0) }, core.Valid, ""},
		{"harness more", func(in *input) { in.Workers[0].Overhead = nulls(10, 102*time.Microsecond, 0, 0) }, core.Degraded,
			"worker-0 needed 102µs of its own for each operation, where the median is 1ms (allowed 10.0 % of it): the load generator is a good part of what was measured"},
		{"harness more, of few", func(in *input) { in.Workers[0].Overhead = nulls(9, time.Second, 0, 0) }, core.Valid, ""},
		{"harness more, embedded target", func(in *input) {
			in.Embedded, in.Workers[0].Overhead = true, nulls(10, 102*time.Microsecond, 0, 0)
		}, core.Degraded,
			"worker-0 needed 102µs of its own for each operation, where the median is 1ms (allowed 10.0 % of it): the load generator is a good part of what was measured"},
		{"harness, and nothing measured", func(in *input) { in.Latency, in.Workers[0].Overhead = nil, nulls(500, time.Second, 100, time.Second) }, core.Valid, ""},
		{"stalls, of 9", func(in *input) { in.Workers[0].Overhead = nulls(200, 0, 9, time.Second) }, core.Valid, ""},
		{"stalls, of 10", func(in *input) { in.Workers[0].Overhead = nulls(200, 0, 10, time.Second) }, core.Degraded,
			"worker-0 was late itself: 10 of 200 null operations (5.0 %), which ask nothing of the target, took longer than the p99 of 5ms; their p99 is 1s. " +
				"The load generator stood still, and what it did not start meanwhile is in no percentile"},
		{"stalls, of 1 %", func(in *input) { in.Workers[0].Overhead = nulls(1500, 0, 15, time.Second) }, core.Valid, ""},
		{"stalls, below the p99", func(in *input) { in.Workers[0].Overhead = nulls(200, 0, 100, 5*time.Millisecond) }, core.Valid, ""},
		{"stalls, embedded target", func(in *input) { in.Embedded, in.Workers[0].Overhead = true, nulls(200, 0, 100, time.Second) }, core.Valid, ""},

		{"garbage 10 %", func(in *input) { in.Workers[1].Strain = strained(1, 0, 0, 0) }, core.Valid, ""},
		{"garbage more", func(in *input) { in.Workers[1].Strain = strained(1.01, 0, 0, 0) }, core.Degraded,
			"worker-1 spent 10.1 % of its processor time on garbage collection (allowed 10.0 %), which the load lacked"},
		{"garbage more, in a blink", func(in *input) { s := strained(9, 0, 0, 0); s.Seconds, in.Workers[1].Strain = 0.9, s }, core.Valid, ""},
		{"garbage more, embedded target", func(in *input) {
			in.Embedded, in.Workers[1].Strain = true, strained(9, 5*time.Second, 500, time.Second)
		}, core.Valid, ""},
		{"garbage unknown", func(in *input) { s := strained(9, 0, 0, 0); s.CPU, in.Workers[1].Strain = 0, s }, core.Valid, ""},
		{"paused 1 %", func(in *input) { in.Workers[1].Strain = strained(0, 50*time.Millisecond, 0, 0) }, core.Valid, ""},
		{"paused more", func(in *input) { in.Workers[1].Strain = strained(0, 60*time.Millisecond, 0, 0) }, core.Degraded,
			"worker-1 stood still for 1.2 % of the time (allowed 1.0 %), in 1 pauses of its garbage collection of up to 60ms"},
		{"waits half of the p99", func(in *input) { in.Workers[1].Strain = strained(0, 0, 100, 2450*time.Microsecond) }, core.Valid, ""},
		{"waits more", func(in *input) { in.Workers[1].Strain = strained(0, 0, 100, 2600*time.Microsecond) }, core.Degraded,
			"worker-1 let what could run wait for a processor, 1 in 100 for more than 2.6ms, where the p99 is 5ms (allowed 50.0 % of it)"},
		{"waits more, of few", func(in *input) { in.Workers[1].Strain = strained(0, 0, 99, time.Second) }, core.Valid, ""},
		{"waits 1 ms, of a fast target", func(in *input) {
			in.Latency, in.Workers[1].Strain = latency(time.Microsecond, time.Microsecond), strained(0, 0, 100, time.Millisecond)
		}, core.Valid, ""},

		{"95 % of the time", func(in *input) { in.Seconds = 9.5 }, core.Valid, ""},
		{"too short", func(in *input) { in.Seconds = 9.4 }, core.Degraded, "9.4 s of 10.0 s were measured"},
		{"stopped early", func(in *input) { in.Status, in.Reason, in.Seconds = core.Cancelled, core.UserRequested, 3.2 }, core.Degraded,
			"the run is CANCELLED (USER_REQUESTED), its numbers are partial: 3.2 s of 10.0 s were measured"},
		{"stopped at the very end", func(in *input) { in.Status, in.Reason = core.Cancelled, core.UserRequested }, core.Degraded, "the run is CANCELLED (USER_REQUESTED)"},
		{"failed", func(in *input) { in.Status, in.Reason = core.Failed, core.WorkerLost }, core.Degraded, "the run is FAILED (WORKER_LOST)"},

		{"operations done", func(in *input) { in.Reason, in.Planned, in.Operations, in.Seconds = core.OperationsDone, 0, 1000, 1 }, core.Valid, ""},
		{"operations done before the time", func(in *input) { in.Reason, in.Operations, in.Seconds = core.OperationsDone, 1000, 1 }, core.Valid, ""},
		{"time over before the operations", func(in *input) { in.Operations = 5000 }, core.Valid, ""},
		{"time over early", func(in *input) { in.Operations, in.Seconds = 5000, 5 }, core.Degraded,
			"5.0 s of 10.0 s were measured, 1000 of 5000 operations were started"},
		{"operations of a lost worker missing", func(in *input) { in.Reason, in.Planned, in.Operations = core.OperationsDone, 0, 1500 }, core.Degraded,
			"1000 of 1500 operations were started"},
		{"operations of an open loop, one of them skipped", func(in *input) {
			in.Reason, in.Planned, in.Operations, in.Measured.Scheduled, in.Measured.Skipped = core.OperationsDone, 0, 1001, 1001, 1
		}, core.Valid, ""},
		{"operations stopped early", func(in *input) {
			in.Status, in.Reason, in.Planned, in.Operations = core.Cancelled, core.UserRequested, 0, 5000
		}, core.Degraded, "the run is CANCELLED (USER_REQUESTED), its numbers are partial: 1000 of 5000 operations were started"},

		{"the worst comes first", func(in *input) {
			in.StaleFacts, in.Measured.OK, in.Measured.Errors, in.Coverage = 1, 1, 999, 0.9
		}, core.InvalidRun, "999 of 1000 operations failed (99.9 %)\n" +
			"the workers made 90.0 % of the load: they were at work for that share of the measurement\n" +
			"1 reports came from workers that had been given up: they may have made load beside the run's own"},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			in := sound()
			c.change(&in)
			verdict := core.Judge(in)
			is.Equal(strings.Join(verdict.Reasons, "\n"), c.reasons)
			is.Equal(verdict.Level, c.level)
			is.Equal(len(verdict.Causes), len(verdict.Reasons)) // one each
			for _, cause := range verdict.Causes {
				is.True(slices.Contains(core.Causes(), cause))
			}
		})
	}
}

// What each of many workers has is told of ten, and counted of the others.
func TestJudgeOfManyWorkers(t *testing.T) {
	is := is.New(t)
	in := sound()
	in.Workers = slices.Repeat(in.Workers, 6)
	for i := range in.Workers {
		in.Workers[i].Dropped = uint64(i + 1)
	}
	in.Coverage = 0.9
	v := core.Judge(in)
	is.Equal(v.Level, core.Degraded)
	is.Equal(len(v.Reasons), 12)
	is.Equal(len(v.Causes), 12)
	is.Equal(v.Reasons[11], "2 more reasons are "+string(core.CauseRecorder))
	is.Equal(v.Causes[11], core.CauseRecorder)
	is.True(slices.Contains(v.Causes, core.CauseCoverage))
}

// TestJudgeNeverForgives: one fault more never makes a verdict better, whatever up
// to three others are.
func TestJudgeNeverForgives(t *testing.T) {
	rank := map[core.VerdictLevel]int{core.Valid: 0, core.Degraded: 1, core.InvalidRun: 2}
	faults := []func(*core.VerdictInput){
		func(in *core.VerdictInput) { in.Measured = core.Counts{} },
		func(in *core.VerdictInput) { in.Measured.Errors += 500 },
		func(in *core.VerdictInput) { in.Measured.Errors += 20 },
		func(in *core.VerdictInput) { in.Ledger = core.Ledger{} },
		func(in *core.VerdictInput) { in.Coverage -= 0.3 },
		func(in *core.VerdictInput) { in.Status = core.Failed },
		func(in *core.VerdictInput) { in.Seconds /= 2 },
		func(in *core.VerdictInput) { in.StaleFacts++ },
		func(in *core.VerdictInput) { in.Workers[0].Lost = true },
		func(in *core.VerdictInput) { in.Workers[0].Reported = false },
		func(in *core.VerdictInput) { in.Workers[1].Clean = false },
		func(in *core.VerdictInput) { in.Workers[1].Dropped = 1 },
		func(in *core.VerdictInput) { in.Workers[1].ClockError = 1 },
		func(in *core.VerdictInput) { in.Workers[1].CPU = 99 },
		func(in *core.VerdictInput) { in.Workers[1].Connections = 1 },
		func(in *core.VerdictInput) { in.Workers[0].Late = 1 },
		func(in *core.VerdictInput) { in.Workers[0].Overhead = nulls(200, time.Millisecond, 100, time.Second) },
		func(in *core.VerdictInput) { in.Workers[0].Strain = strained(5, time.Second, 500, time.Second) },
	}
	is := is.New(t)
	for set := range uint(1) << len(faults) {
		if bits.OnesCount(set) > 3 {
			continue
		}
		in := sound()
		for i, fault := range faults {
			if set>>i&1 == 1 {
				fault(&in)
			}
		}
		verdict := core.Judge(in)
		is.Equal(len(verdict.Reasons) == 0, verdict.Level == core.Valid)
		is.Equal(set == 0, verdict.Level == core.Valid)
		for i, fault := range faults {
			if i > 2 && set>>i&1 == 0 { // the first three replace or add to the same counts
				more := in
				more.Workers = append([]core.WorkerFacts{}, in.Workers...)
				fault(&more)
				is.True(rank[core.Judge(more).Level] >= rank[verdict.Level])
			}
		}
	}
}
