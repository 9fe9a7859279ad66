package worker

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/fault"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// The same scenario does the same work however many workers share it.
func TestQuota(t *testing.T) {
	var hash uint64
	var counts core.Counts
	for _, workers := range []int{1, 3, 5} {
		t.Run(fmt.Sprintf("%d workers", workers), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				is := is.New(t)
				tmpl := template(workers, 15/workers)
				tmpl.Load.Duration, tmpl.Load.Operations = 0, 2003
				tmpl.Load.Warmup = core.Duration(time.Duration(workers) * 100 * time.Millisecond)
				f := newFleet(t, tmpl, time.Millisecond)
				run := f.drive(nil)
				f.running.Wait()
				if run.Status != core.Completed {
					t.Fatalf("%s: %s: %s", run.Status, run.Reason, run.Detail)
				}
				is.Equal(run.Reason, core.OperationsDone)
				parent, _ := f.summary(run)
				total := core.Total(parent.Kinds).Counts
				is.Equal(total.Started, uint64(2003))
				is.Equal(total.OK, uint64(2003))
				is.True(parent.Ledger.Balanced)
				is.Equal(parent.Verdict.Level, core.Valid)
				is.True(parent.Throughput > 14_900 && parent.Throughput < 15_200) // until the last operation, not until the stop
				if workers > 1 {
					is.Equal(parent.Hash, hash)
					is.Equal(total, counts)
				}
				hash, counts = parent.Hash, total
				is.Equal(hash, quotaHash(t, f.scenario))
				for _, b := range f.beats() {
					is.True(b.Report.QuotaDone)
					f.checkIntervals(b)
				}
			})
		})
	}
}

// quotaHash sums the hashes of the operations that a quota consists of.
func quotaHash(t *testing.T, s core.Scenario) (sum uint64) {
	g, err := core.NewGenerator(s)
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.Load.Connections {
		stream := g.Connection(int64(i))
		stream.Measure()
		for range core.Quota(s.Load.Operations, int64(s.Load.Connections), int64(i)) {
			stream.Next()
			sum += stream.Hash()
		}
	}
	return sum
}

func TestMoreConnectionsThanOperations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		tmpl := template(3, 4)
		tmpl.Load.Duration, tmpl.Load.Operations = 0, 12
		f := newFleet(t, tmpl, time.Millisecond)
		f.scenario.Load.Operations = 12
		run := f.drive(nil)
		f.running.Wait()
		parent, _ := f.summary(run)
		is.Equal(run.Reason, core.OperationsDone)
		is.Equal(core.Total(parent.Kinds).Started, uint64(12))
	})
}

// A slow beat delays neither the load nor the control read.
func TestSlowStore(t *testing.T) {
	started := func(delay time.Duration) (operations uint64, stopped time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			tmpl := template(1, 4)
			tmpl.Load.Duration = core.Duration(time.Hour)
			f := newFleet(t, tmpl, time.Millisecond)
			if delay > 0 {
				slow, err := fault.New(1, fault.Rule{On: "WorkerStore.Beat", Fault: fault.Delay, Delay: delay, Probability: 1})
				is.NoErr(err)
				f.workers = slow.Store(f.store)
			}
			run := f.drive(func(run core.Run) bool {
				if run.Status == core.Running && f.now().Sub(run.Origin) >= 10*time.Second {
					f.stops <- core.StopRequested{Reason: core.UserRequested}
				}
				return false
			})
			f.running.Wait()
			parent, _ := f.summary(run)
			is.True(parent.Ledger.Balanced)
			operations = parent.Ledger.Started
			stopped = parent.Certificate.Stages.LastNewOperation.Std()
			f.checkIntervals(f.beats()[0])
		})
		return operations, stopped
	}
	is := is.New(t)
	fast, _ := started(0)
	slow, stopped := started(3 * time.Second)
	is.True(stopped <= 50*time.Millisecond)
	is.True(fast > 39_900 && slow > 39_900) // 4 connections, 10 s, 1 ms each
}

func TestReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		tmpl := template(1, 3)
		f := newFleet(t, tmpl, time.Millisecond)
		var opens []int64
		for i := range int64(10) {
			opens = append(opens, 4+i) // after the three of the start, ten in a row fail
		}
		broken, err := fault.New(1,
			fault.Rule{On: "Session.Exec", Fault: fault.FailBefore, Calls: []int64{1000, 1500, 1501, 3000}},
			fault.Rule{On: "Session.Exec", Fault: fault.FailBefore, Calls: []int64{2000, 2001}, Error: core.ErrConflict},
			fault.Rule{On: "Target.Open", Fault: fault.FailBefore, Calls: opens})
		is.NoErr(err)
		f.open = broken.Target(f.target)
		run := f.drive(nil)
		f.running.Wait()
		is.Equal(run.Status, core.Completed)
		b := f.beats()[0]
		is.Equal(b.Report.Reconnects, uint64(4))
		is.True(b.LastError != "")
		is.Equal(len(b.Sessions), 3+4) // what broken sessions left behind can still be asked for
		total := b.Report.Totals()
		is.Equal(total.Errors, uint64(6))
		is.Equal(total.Started, total.OK+total.Errors)
		kinds := core.Total(b.Report.PhaseOf(core.Measurement).Kinds)
		is.Equal(len(kinds.Failures), 2)
		is.Equal(kinds.Failures[0].Class, "CONFLICT")
		is.Equal(kinds.Failures[0].Count, uint64(2))
		is.Equal(kinds.Failures[1].Class, "UNAVAILABLE")
		is.True(kinds.Failures[1].Example != "")
		is.True(kinds.Service.Max() < 2*time.Millisecond) // reconnecting is in nobody's time
		// 10 failed opens cost 10+20+…: the connection was away for seconds.
		is.True(total.OK > 5000 && total.OK < 9000)
	})
}

// An error is told while it is news: a beat that says it long after speaks of
// what is over, and whoever reads it takes that for the cause of what comes next.
func TestLastErrorIsNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		tmpl := template(1, 1)
		tmpl.Load.Duration = core.Duration(20 * time.Second)
		f := newFleet(t, tmpl, time.Millisecond)
		away, err := fault.New(1,
			fault.Rule{On: "WorkerStore.Control", Fault: fault.FailBefore, Calls: []int64{100}},
			fault.Rule{On: "Session.Exec", Fault: fault.FailBefore, Calls: []int64{10_000}, Error: core.ErrConflict})
		is.NoErr(err)
		f.workers, f.open = away.Store(f.store), away.Target(f.target)
		var told []string
		run := f.drive(func(core.Run) bool {
			for _, b := range f.beats() {
				if len(told) == 0 || told[len(told)-1] != b.LastError {
					told = append(told, b.LastError)
				}
			}
			return false
		})
		f.running.Wait()
		is.Equal(run.Status, core.Completed)
		is.Equal(len(told), 5) // nothing, the control read, nothing, the operation, nothing
		is.True(strings.Contains(told[1], "WorkerStore.Control"))
		is.Equal(told[2], "")
		is.True(strings.Contains(told[3], "Session.Exec"))
		is.Equal(told[4], "")
		is.Equal(run.Workers[0].Message, "") // nor does the run keep it
		kinds := core.Total(f.beats()[0].Report.PhaseOf(core.Measurement).Kinds)
		is.True(kinds.Failures[0].Example != "") // the counts do
	})
}

// slowOnce is a target in which one operation takes as long as its context lets it.
type slowOnce struct {
	ports.Target
	at, calls *atomic.Int64
}

type slowSession struct {
	ports.Session
	of slowOnce
}

func (s slowOnce) Open(ctx context.Context, options ports.SessionOptions) (ports.Session, error) {
	session, err := s.Target.Open(ctx, options)
	return slowSession{session, s}, err
}

func (s slowSession) Exec(ctx context.Context, statement int, args []any) (int64, error) {
	if s.of.calls.Add(1) == s.of.at.Load() {
		<-ctx.Done()
		return 0, fmt.Errorf("%w: slow: %w", core.ErrRefused, ctx.Err())
	}
	return s.Session.Exec(ctx, statement, args)
}

func TestStatementTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		tmpl := template(1, 2)
		tmpl.Limits.StatementTimeout = core.Duration(800 * time.Millisecond)
		f := newFleet(t, tmpl, time.Millisecond)
		target := slowOnce{f.target, &atomic.Int64{}, &atomic.Int64{}}
		target.at.Store(1000)
		f.open = target
		f.drive(nil)
		f.running.Wait()
		b := f.beats()[0]
		total := b.Report.Totals()
		is.Equal(total.Errors, uint64(1))
		is.Equal(total.Started, total.OK+1)
		kinds := core.Total(b.Report.PhaseOf(core.Measurement).Kinds)
		is.Equal(kinds.Failures[0].Class, core.ClassTimeout)
		is.True(strings.Contains(kinds.Failures[0].Example, "statement timeout after 800ms"))
		is.True(strings.Contains(b.LastError, "statement timeout"))
		is.Equal(b.Report.Reconnects, uint64(0))    // Refused leaves the session whole
		is.True(total.OK > 5100 && total.OK < 5200) // 2 connections, 3 s, one away for 0.8 to 0.85 s
	})
}

func TestThinkTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		tmpl := template(1, 2)
		tmpl.Load.ThinkTime = core.Duration(9 * time.Millisecond)
		f := newFleet(t, tmpl, time.Millisecond)
		f.drive(nil)
		f.running.Wait()
		b := f.beats()[0]
		is.Equal(b.Report.Totals().OK, uint64(2*300))
		kinds := core.Total(b.Report.PhaseOf(core.Measurement).Kinds)
		is.Equal(kinds.Service.Max(), time.Millisecond)
	})
}

func TestExecutions(t *testing.T) {
	run := func(percent float64, workers int) (ids map[string]bool, total uint64) {
		ids = map[string]bool{}
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			tmpl := template(workers, 4/workers)
			tmpl.Load.Duration, tmpl.Load.Operations = 0, 4000
			tmpl.Load.Sampling = &percent
			f := newFleet(t, tmpl, time.Millisecond)
			f.drive(nil)
			f.running.Wait()
			list, err := f.store.Executions(t.Context(), f.runID, "", 10_000)
			is.NoErr(err)
			for _, e := range list {
				ids[e.ID] = true
				is.Equal(e.Service, time.Millisecond)
				is.True(e.Success && e.QueryID != "" && e.Kind != "" && !e.Start.IsZero())
			}
			is.Equal(len(ids), len(list))
			for _, b := range f.beats() {
				total += b.Report.Totals().Started
				is.Equal(b.Report.DroppedExecutions, uint64(0))
			}
		})
		return ids, total
	}
	is := is.New(t)
	all, total := run(100, 1)
	is.Equal(uint64(len(all)), total)
	some, _ := run(5, 1)
	is.True(len(some) > 140 && len(some) < 260)
	same, _ := run(5, 4)
	is.Equal(len(same), len(some))
	for id := range some { // the choice does not depend on who makes the operation
		is.True(same[id])
		is.True(all[id])
	}
}

func TestExecutionsThatDoNotFitAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		tmpl := template(1, 10)
		all := 100.0
		tmpl.Load.Sampling = &all
		f := newFleet(t, tmpl, time.Millisecond)
		slow, err := fault.New(1, fault.Rule{On: "ResultStore.AppendExecutions", Fault: fault.Delay, Delay: 900 * time.Millisecond, Probability: 1})
		is.NoErr(err)
		f.results = slow.Store(f.store)
		f.drive(nil)
		f.running.Wait()
		b := f.beats()[0]
		list, err := f.store.Executions(t.Context(), f.runID, "", 10_000)
		is.NoErr(err)
		is.True(b.Report.DroppedExecutions > 10_000)
		is.Equal(b.Report.Totals().Started, uint64(len(list))+b.Report.DroppedExecutions) // nothing vanishes
		is.True(b.Report.Totals().Started >= 29_990)                                      // and nothing waits
	})
}

// Intervals that nobody acknowledges stay bounded, and still sum up.
func TestCoarseIntervals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		tmpl := template(1, 1)
		tmpl.Load.Warmup = core.Duration(12 * time.Second)
		tmpl.Load.Duration = core.Duration(25 * time.Second)
		f := newFleet(t, tmpl, 10*time.Millisecond)
		f.noAcks = true
		f.drive(nil)
		f.running.Wait()
		b := f.beats()[0]
		is.True(len(b.Report.Intervals) <= 15+2+phaseCount)
		coarse := 0
		last := int64(0)
		sums := map[core.Phase][]core.KindMetrics{}
		seconds := map[core.Phase]float64{}
		for _, i := range b.Report.Intervals {
			is.True(i.Sequence > last)
			last = i.Sequence
			if i.Coarse {
				coarse++
			}
			sums[i.Phase] = core.MergeKinds(sums[i.Phase], i.Kinds)
			seconds[i.Phase] += i.Seconds
		}
		is.Equal(coarse, 2)
		for _, p := range b.Report.Phases {
			is.Equal(differ(p.Kinds, sums[p.Phase]), "")
		}
		is.True(seconds[core.Warmup] > 11.99 && seconds[core.Warmup] < 13.01) // one of them for the operation that outlived its phase
	})
}

// Every worker cuts at the same store times, whatever its own clock says.
func TestIntervalsAreAligned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		tmpl := template(3, 2)
		tmpl.Load.Warmup = core.Duration(1300 * time.Millisecond)
		f := newFleet(t, tmpl, time.Millisecond)
		f.drive(nil)
		f.running.Wait()
		stored, err := f.store.WorkerIntervals(t.Context(), f.runID, -1)
		is.NoErr(err)
		ends := map[string]int{}
		for _, i := range stored {
			ends[fmt.Sprintf("%s %.3f %.3f", i.Interval.Phase, i.Interval.Offset, i.Interval.Seconds)]++
		}
		for _, want := range []string{
			"WARMUP 1.000 1.000", "WARMUP 1.300 0.300", "MEASUREMENT 2.000 0.700", "MEASUREMENT 3.000 1.000",
			"MEASUREMENT 4.000 1.000", "MEASUREMENT 4.300 0.300",
		} {
			is.Equal(ends[want], 3)
		}
	})
}
