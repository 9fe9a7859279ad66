package worker

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/fault"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// Warm-up, measurement and cool-down together start no operation beyond the budget,
// in a closed loop and in an open one, whether anybody stops the run or not.
func TestBudgetOfOperationsIsNeverPassed(t *testing.T) {
	const budget = 1000
	closed := func(workers int) core.Template { return template(workers, 6/workers) }
	open := func(workers int) core.Template {
		tmpl := openTemplate(workers, 6/workers, 300)
		tmpl.Load.Arrivals = core.ArrivalsPoisson
		return tmpl
	}
	for _, c := range []struct {
		name    string
		make    func(int) core.Template
		workers int
		deaf    bool
	}{
		{"closed loop", closed, 1, false},
		{"closed loop, 3 workers", closed, 3, false},
		{"closed loop that nobody stops", closed, 3, true},
		{"open loop", open, 1, false},
		{"open loop, 3 workers", open, 3, false},
		{"open loop that nobody stops", open, 3, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				is := is.New(t)
				tmpl := c.make(c.workers)
				tmpl.Load.Warmup = core.Duration(500 * time.Millisecond)
				tmpl.Load.Duration = core.Duration(2 * time.Second)
				tmpl.Load.Cooldown = core.Duration(2 * time.Second)
				tmpl.Budget.Operations = 10 * budget
				f := newFleet(t, tmpl, 5*time.Millisecond)
				f.scenario.Budget.Operations = budget // which a template of that rate could not have
				f.create("run-2")
				f.deaf = c.deaf
				run, parent := f.ledger(nil)
				started := parent.Ledger.Started
				is.True(started <= budget)
				is.True(started >= budget*9/10) // and it is not given away
				is.Equal(parent.Budget.UsedOperations, started)
				if c.deaf {
					is.Equal(run.Reason, core.Elapsed)
				} else {
					is.Equal(run.Reason, core.Budget)
					is.Equal(run.Status, core.Cancelled)
				}
				is.True(run.Certificate().Clean)
				for _, b := range f.beats() {
					if c.deaf && c.workers > 1 {
						is.Equal(b.Report.Spent, core.SpentOperations)
						is.Equal(int64(b.Report.Totals().Started), f.scenario.Budget.Share(f.scenario.Load, b.GroupID).Operations)
					}
				}
			})
		})
	}
}

// A budget that is as large as what is asked for is in nobody's way.
func TestBudgetThatSuffices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		tmpl := template(3, 2)
		tmpl.Load.Duration, tmpl.Load.Operations = 0, 1001
		tmpl.Budget.Operations = 1001
		f := newFleet(t, tmpl, time.Millisecond)
		run, parent := f.ledger(nil)
		is.Equal(run.Reason, core.OperationsDone)
		is.Equal(parent.Ledger.Started, uint64(1001))
		is.Equal(parent.Verdict.Level, core.Valid)
	})
}

// So it is of an open loop, whose arrivals go round over all connections.
func TestBudgetThatSufficesAnOpenLoop(t *testing.T) {
	for _, warmup := range []time.Duration{0, 1010 * time.Millisecond} {
		t.Run(warmup.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				is := is.New(t)
				tmpl := openTemplate(3, 2, 300)
				tmpl.Load.Warmup, tmpl.Load.Duration, tmpl.Load.Operations = core.Duration(warmup), 0, 1004
				tmpl.Budget.Operations = 1004 + int64(300*warmup.Seconds())
				f := newFleet(t, tmpl, time.Millisecond)
				run, parent := f.ledger(nil)
				is.Equal(run.Reason, core.OperationsDone)
				is.Equal(parent.Ledger.Started, uint64(tmpl.Budget.Operations))
				is.Equal(parent.Verdict.Level, core.Valid)
			})
		})
	}
}

// A budget of rows is used up by all workers together, and not passed where all
// operations have as many.
func TestBudgetOfRows(t *testing.T) {
	for name, span := range map[string]int64{"one row each": 1, "ten rows each": 10} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				is := is.New(t)
				tmpl := template(3, 2)
				tmpl.Mix = []core.TemplateOp{{Kind: core.RangeScan, Weight: 100, Span: span}}
				tmpl.Budget.Rows = 900
				f := newFleet(t, tmpl, time.Millisecond)
				run, parent := f.ledger(nil)
				is.Equal(run.Reason, core.Budget)
				is.True(parent.Budget.UsedRows <= 900)
				is.True(parent.Budget.UsedRows >= 900-6*uint64(span))
				is.Equal(parent.Budget.UsedRows, parent.Ledger.Rows)
			})
		})
	}
}

// How many rows an operation has is not known before one of its kind has ended. So one goes
// first, and the budget is passed by no more than that one, though every connection
// would start at once.
func TestBudgetOfRowsOfLargeOperations(t *testing.T) {
	const span, connections = 1000, 8
	scans := core.TemplateOp{Kind: core.RangeScan, Weight: 100, Span: span}
	for name, c := range map[string]struct {
		open bool
		rows int64
		mix  []core.TemplateOp
		most uint64
	}{
		"a budget of one":      {false, span, []core.TemplateOp{scans}, span},
		"of less than one":     {false, span / 2, []core.TemplateOp{scans}, span},
		"of ten":               {false, 10 * span, []core.TemplateOp{scans}, 10 * span},
		"of a mix":             {false, span / 2, []core.TemplateOp{{Kind: core.PointLookup, Weight: 90}, {Kind: core.RangeScan, Weight: 10, Span: span}}, span * 3 / 2},
		"open loop, of one":    {true, span, []core.TemplateOp{scans}, span},
		"open loop, of twenty": {true, 20 * span, []core.TemplateOp{scans}, 20 * span},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				is := is.New(t)
				tmpl := template(1, connections)
				if c.open {
					tmpl = openTemplate(1, connections, 10_000)
				}
				tmpl.Table.Rows, tmpl.Mix = 100_000, c.mix
				tmpl.Budget.Rows = c.rows
				f := newFleet(t, tmpl, 5*time.Millisecond)
				run, parent := f.ledger(nil)
				is.Equal(run.Reason, core.Budget)
				t.Log(parent.Budget.UsedRows)
				is.True(parent.Budget.UsedRows <= c.most)
				is.True(parent.Budget.UsedRows+span >= uint64(c.rows)) // nor given away
			})
		})
	}
}

// scanFleet is one worker with a budget of one large operation and more connections.
func scanFleet(t *testing.T, latency time.Duration) *fleet {
	tmpl := template(1, 8)
	tmpl.Table.Rows, tmpl.Mix = 100_000, []core.TemplateOp{{Kind: core.RangeScan, Weight: 100, Span: 1000}}
	tmpl.Load.Duration, tmpl.Limits.DrainTimeout = core.Duration(10*time.Second), core.Duration(time.Second)
	tmpl.Limits.StatementTimeout, tmpl.Budget.Rows = core.Duration(time.Second), 1000
	return newFleet(t, tmpl, latency)
}

// One that fails says nothing about its kind: the next one goes alone too.
func TestBudgetOfRowsWhenTheFirstFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		f := scanFleet(t, 5*time.Millisecond)
		f.open = f.faulty(fault.Rule{On: "Session.Exec", Fault: fault.FailBefore, Calls: []int64{1, 2, 3}}).Target(f.target)
		run, parent := f.ledger(nil)
		is.Equal(run.Reason, core.Budget)
		is.Equal(parent.Ledger.Errors, uint64(3))
		is.Equal(parent.Budget.UsedRows, uint64(1000))
	})
}

// Who waits for the first one stops at once.
func TestWaitingForTheFirstStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		f := scanFleet(t, time.Hour)
		run, parent := f.ledger(func(run core.Run) bool {
			if run.Status == core.Running && f.now().Sub(run.Origin) > 500*time.Millisecond {
				f.stops <- core.StopRequested{Reason: core.UserRequested}
			}
			return false
		})
		is.Equal(run.Reason, core.UserRequested)
		is.Equal(parent.Ledger.Started, uint64(1))
		is.True(run.GoneAt.Sub(run.StopAt) < 2*time.Second) // what is in flight has 1 s
		is.True(run.Certificate().Clean)
	})
}

// A first one that does not even hear of its timeout is passed by.
func TestAFirstThatHangsIsPassedBy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		f := scanFleet(t, 5*time.Millisecond)
		target := stubborn{f.target, make(chan struct{}), &atomic.Bool{}}
		target.hang.Store(true)
		f.open = target
		run, parent := f.ledger(func(run core.Run) bool {
			if run.Status == core.Running && f.now().Sub(run.Origin) > time.Second {
				target.hang.Store(false) // for those that come
			}
			if run.Status != core.Running && !run.StopAt.IsZero() && f.now().Sub(run.StopAt) > 500*time.Millisecond {
				select {
				case <-target.release:
				default:
					close(target.release)
				}
			}
			return false
		})
		is.Equal(run.Reason, core.Budget)
		is.True(run.StopAt.Sub(run.Origin) < 4*time.Second)
		is.Equal(parent.Budget.UsedRows, uint64(1001)) // that of the one that hung was still to come
	})
}

// Many connections wait for the first of each kind, some of which fail, and none waits for
// ever: the share is used up and not passed.
func TestFirstsAmongManyConnections(t *testing.T) {
	is := is.New(t)
	const kinds, rows, share = 5, 100, 64 * 100
	s := core.Scenario{Load: core.ScenarioLoad{Workers: 1, Connections: 64}, Operations: make([]core.Operation, kinds), Budget: &core.RunBudget{Rows: share}}
	for range 20 {
		a := newAllowance(s, 0)
		var used, calls atomic.Int64
		var group sync.WaitGroup
		for i := range 64 {
			group.Go(func() {
				for n := i; ; n++ {
					k, other, answer := a.take(n % kinds)
					for ; answer == turnAgain; k, other, answer = a.take(n % kinds) {
						<-other
					}
					if answer == turnOver {
						return
					}
					if calls.Add(1)%4 == 1 {
						a.settle(n%kinds, k, 0, true)
						continue
					}
					used.Add(rows)
					a.settle(n%kinds, k, rows, false)
				}
			})
		}
		group.Wait()
		is.True(used.Load() <= share+rows)
		is.Equal(a.rowsLeft, share-used.Load()) // everything was given back
		is.True(a.first == nil)
		is.Equal(a.keeping, 0)
	}
}

// What never ends is passed by, and counts no more when it ends after all: neither the first
// of a kind, though others go on settling, nor those that rows are kept for.
func TestWhatNeverEndsIsPassedBy(t *testing.T) {
	is := is.New(t)
	s := core.Scenario{Load: core.ScenarioLoad{Workers: 1, Connections: 8}, Operations: make([]core.Operation, 2), Budget: &core.RunBudget{Rows: 100}}
	a := newAllowance(s, 0)
	start := func(operation int) kept {
		t.Helper()
		k, _, answer := a.take(operation)
		is.Equal(answer, turnGo)
		return k
	}
	waits := func(operation int) <-chan struct{} {
		t.Helper()
		_, other, answer := a.take(operation)
		is.Equal(answer, turnAgain)
		return other
	}
	open := func(other <-chan struct{}) bool {
		select {
		case <-other:
			return false
		default:
			return true
		}
	}
	a.settle(0, start(0), 40, false)
	hangs := start(1)
	other := waits(1)
	a.settle(0, start(0), 1, false)
	is.True(open(other)) // it waits for that one alone
	a.passBy(other)
	is.True(!open(other))
	second := start(1)
	a.settle(1, hangs, 1, true)
	other = waits(1) // for the second, whatever became of the one before it
	a.settle(1, second, 30, false)
	is.True(!open(other)) // 100-40-1-1-30: 28 are left

	is.Equal(a.rowsLeft, int64(28))
	a.largest[0] = 9
	hung, also := start(0), start(0)
	a.passBy(waits(1)) // 10 are left, and an operation of that kind had 30
	third := start(0)
	waits(0)
	a.settle(0, hung, 1, false)
	a.settle(0, also, 1, false)
	waits(1) // 17 are left, and the third may give some back
	a.settle(0, third, 1, false)
	_, _, answer := a.take(1)
	is.Equal(answer, turnOver) // 25, and nobody gives any back
	is.Equal(a.spentOn(), core.SpentRows)
}

// uneven answers as many rows as its operation asks for once in so many calls, and else one.
type uneven struct {
	ports.Target
	large int64
	calls *atomic.Int64
}

func (u uneven) Open(ctx context.Context, o ports.SessionOptions) (ports.Session, error) {
	session, err := u.Target.Open(ctx, o)
	return unevenSession{session, u}, err
}

type unevenSession struct {
	ports.Session
	of uneven
}

func (s unevenSession) Exec(ctx context.Context, statement int, args []any) (int64, error) {
	rows, err := s.Session.Exec(ctx, statement, args)
	if err != nil || (s.of.calls.Add(1)-1)%s.of.large == 0 {
		return rows, err
	}
	return 1, nil
}

// Operations of one kind may have very different numbers of rows. What a large one has had
// is kept for each that follows and given back: the share is used up nevertheless, and
// not passed.
func TestBudgetOfRowsOfUnevenOperations(t *testing.T) {
	for name, open := range map[string]bool{"closed loop": false, "open loop": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				is := is.New(t)
				tmpl := template(1, 8)
				if open {
					tmpl = openTemplate(1, 8, 1000)
				}
				tmpl.Table.Rows, tmpl.Mix = 100_000, []core.TemplateOp{{Kind: core.RangeScan, Weight: 100, Span: 1000}}
				tmpl.Load.Duration, tmpl.Budget.Rows = core.Duration(20*time.Second), 5000
				f := newFleet(t, tmpl, 5*time.Millisecond)
				f.open = uneven{f.target, 2000, &atomic.Int64{}}
				run, parent := f.ledger(nil)
				is.Equal(run.Reason, core.Budget)
				t.Log(parent.Budget.UsedRows, run.Detail)
				is.True(parent.Budget.UsedRows <= 5000)
				is.True(parent.Budget.UsedRows > 4000) // what is left is less than the next one may have
				is.True(strings.Contains(run.Detail, "what worker-0 has left of its share of 5000 is less than one more operation may have"))
			})
		})
	}
}

// leftAlone runs a worker with a budget of 4 s that nobody tells anything after START, until
// its lease ends it. begun is when START was published.
func leftAlone(t *testing.T, latency time.Duration) (beats []core.Beat, begun time.Time) {
	t.Helper()
	tmpl := template(1, 2)
	tmpl.Load.Duration, tmpl.Load.Operations = 0, 1_000_000
	tmpl.Budget.Time = core.Duration(4 * time.Second)
	f := newFleet(t, tmpl, latency)
	f.drive(func(run core.Run) bool {
		f.absent = run.Status == core.Running
		return f.absent
	})
	f.running.Wait()
	record, err := f.store.Load(t.Context(), f.runID)
	if err != nil {
		t.Fatal(err)
	}
	return f.beats(), record.Run.Origin.Add(-record.Run.Plan.StartLead)
}

// The time of a budget ends the load although nobody tells the worker.
func TestBudgetOfTimeOfAWorkerAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		beats, begun := leftAlone(t, time.Millisecond)
		b := beats[0]
		is.True(b.Report.LastStart.Before(begun.Add(2850 * time.Millisecond))) // 4 s less 1.2 s, give or take a poll
		is.True(b.Report.LastStart.After(begun.Add(2700 * time.Millisecond)))
	})
}

// What is in flight then is cancelled within the budget, although nobody tells that
// either.
func TestBudgetOfTimeCancelsOfAWorkerAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		beats, begun := leftAlone(t, 2*time.Second)
		b := beats[0]
		is.Equal(core.Total(core.Measured(beats)).Aborted, uint64(2)) // those of the second 2 s
		is.True(b.Report.LastEnd.Before(begun.Add(4 * time.Second)))
	})
}

// Many connections take from one share at the same time, and get it exactly once.
func TestAllowanceIsSharedByConnections(t *testing.T) {
	is := is.New(t)
	s := core.Scenario{Load: core.ScenarioLoad{Workers: 1, Connections: 64}, Operations: make([]core.Operation, 1), Budget: &core.RunBudget{Operations: 20_000}}
	a := newAllowance(s, 0)
	got := make([]int, 64)
	var group sync.WaitGroup
	for i := range got {
		group.Go(func() {
			for {
				kept, _, answer := a.take(0)
				if answer != turnGo {
					return
				}
				a.settle(0, kept, 3, false)
				got[i]++
			}
		})
	}
	group.Wait()
	sum := 0
	for _, n := range got {
		sum += n
	}
	is.Equal(sum, 20_000)
	is.Equal(a.spentOn(), core.SpentOperations)

	a = newAllowance(core.Scenario{Load: s.Load, Operations: s.Operations, Budget: &core.RunBudget{Rows: 100}}, 0)
	for used := int64(0); ; {
		kept, _, answer := a.take(0)
		if answer != turnGo {
			is.True(used > 90 && used <= 100)
			break
		}
		a.settle(0, kept, 7, false)
		used += 7
	}
	is.Equal(a.spentOn(), core.SpentRows)
	is.Equal(newAllowance(core.Scenario{Load: s.Load, Budget: &core.RunBudget{Time: 5}}, 0), nil)
	var none *allowance
	is.Equal(none.spentOn(), "")
}
