package worker

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// openTemplate is an open loop of the usual mix.
func openTemplate(workers, connections int, rate float64) core.Template {
	tmpl := template(workers, connections)
	tmpl.Load.Mode, tmpl.Load.Rate = core.ModeQPS, rate
	return tmpl
}

// due is when every arrival of the measurement before end is due, in order.
func due(load core.ScenarioLoad, end time.Duration) (all []time.Duration) {
	load.Workers = 1
	a := core.NewArrivals(load, 0, true)
	for next, ok := a.Next(); ok && next.At < end; next, ok = a.Next() {
		all = append(all, next.At)
	}
	return all
}

// ledger drives a run and returns what became of its schedule, checked.
func (f *fleet) ledger(done func(core.Run) bool) (core.Run, core.Rollup) {
	f.t.Helper()
	run := f.drive(done)
	f.running.Wait()
	parent, _ := f.summary(run)
	if !parent.Ledger.Balanced {
		f.t.Error(parent.Ledger.Problem)
	}
	for _, b := range f.beats() {
		f.checkIntervals(b)
	}
	return run, parent
}

// While connections are free every arrival is started at its time, the same ones
// however many workers share them, and nothing is missed.
func TestOpenLoopKeepsItsSchedule(t *testing.T) {
	for _, kind := range []string{core.ArrivalsUniform, core.ArrivalsPoisson} {
		var hash uint64
		for _, workers := range []int{1, 3, 5} {
			t.Run(fmt.Sprintf("%s, %d workers", kind, workers), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					is := is.New(t)
					tmpl := openTemplate(workers, 15/workers, 997)
					tmpl.Load.Arrivals, tmpl.Load.Warmup = kind, core.Duration(time.Second)
					f := newFleet(t, tmpl, 500*time.Microsecond)
					run, parent := f.ledger(nil)
					is.Equal(run.Status, core.Completed)
					total := core.Total(parent.Kinds)
					is.Equal(total.Scheduled, uint64(len(due(f.scenario.Load, 3*time.Second))))
					is.Equal(total.OK, total.Scheduled)
					is.Equal(total.Late, uint64(0))
					is.Equal(total.Response.Min(), total.Service.Min())
					is.Equal(parent.Verdict.Level, core.Valid)
					if kind == core.ArrivalsUniform {
						is.Equal(total.OK, uint64(2991))
						is.Equal(parent.Warmup.OK, uint64(997))
					}
					if workers > 1 {
						is.Equal(parent.Hash, hash)
					}
					hash = parent.Hash
				})
			})
		}
	}
}

// A bound of operations is one of arrivals.
func TestOpenLoopOfOperations(t *testing.T) {
	var hash uint64
	for _, workers := range []int{1, 3, 5} {
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			tmpl := openTemplate(workers, 15/workers, 500)
			tmpl.Load.Duration, tmpl.Load.Operations = 0, 1005
			f := newFleet(t, tmpl, time.Millisecond)
			run, parent := f.ledger(nil)
			is.Equal(run.Reason, core.OperationsDone)
			is.Equal(core.Total(parent.Kinds).OK, uint64(1005))
			is.True(parent.Throughput > 499 && parent.Throughput < 506) // each worker until its own last one
			is.Equal(parent.Hash, quotaHash(t, f.scenario))             // the same work as in a closed loop
			if workers > 1 {
				is.Equal(parent.Hash, hash)
			}
			hash = parent.Hash
			is.Equal(parent.Verdict.Level, core.Valid)
		})
	}
}

// Any connection serves any arrival, so one that cannot get its session back keeps no open
// loop from its end.
func TestOpenLoopOfOperationsWithoutOneConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		tmpl := openTemplate(1, 15, 500)
		tmpl.Load.Duration, tmpl.Load.Operations = 0, 1005
		f := newFleet(t, tmpl, time.Millisecond)
		var down atomic.Bool
		f.open = severed{Target: f.target, down: &down, tag: "/3"}
		run, parent := f.ledger(func(run core.Run) bool {
			if run.Status == core.Running && f.now().Sub(run.Origin) > 500*time.Millisecond {
				down.Store(true)
			}
			return false
		})
		is.Equal(run.Reason, core.OperationsDone)
		is.True(run.StopAt.Sub(run.Origin) < 10*time.Second)
		total := core.Total(parent.Kinds)
		is.Equal(total.OK+total.Errors, uint64(1005))
		is.Equal(total.Errors, uint64(1))
	})
}

// The rate follows the ramp, second by second.
func TestOpenLoopRamp(t *testing.T) {
	for _, ramp := range []core.TemplateRamp{
		{Shape: core.ShapeLinear, From: 100, Over: core.Duration(3 * time.Second)},
		{Shape: core.ShapeSpike, From: 50, At: core.Duration(time.Second), Over: core.Duration(time.Second)},
		{Shape: core.ShapeSine, From: 0, Period: core.Duration(2 * time.Second)},
		{Shape: core.ShapeSteps, From: 0, Over: core.Duration(3 * time.Second), Steps: 3},
	} {
		t.Run(ramp.Shape, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				is := is.New(t)
				tmpl := openTemplate(1, 8, 1000)
				tmpl.Load.Ramp = ramp
				f := newFleet(t, tmpl, time.Millisecond)
				_, parent := f.ledger(nil)
				is.Equal(parent.Verdict.Level, core.Valid)
				stored, err := f.store.WorkerIntervals(t.Context(), f.runID, -1)
				is.NoErr(err)
				started := make([]float64, 4)
				for _, i := range stored {
					started[int(i.Interval.Offset-1)] += float64(core.Total(i.Interval.Kinds).Started)
				}
				pace := core.NewPace(f.scenario.Load.Rate, f.scenario.Load.Ramp)
				for s := range 3 {
					want := pace.Count(time.Duration(s+1)*time.Second) - pace.Count(time.Duration(s)*time.Second)
					is.True(started[s] > want-1.5 && started[s] < want+1.5)
				}
			})
		})
	}
}

// stalling is a target that answers nothing for a second in every ten, and else
// within base.
func stalling(base time.Duration) memory.TargetOptions {
	return memory.TargetOptions{Latency: func(string) time.Duration { return base + stall().Left(time.Now()) }}
}

// stall is one second in every ten.
func stall() memory.Stall { return memory.Stall{Every: 10 * time.Second, For: time.Second} }

func stallingFleet(t *testing.T, tmpl core.Template, base time.Duration) *fleet {
	f := newFleet(t, tmpl, 0)
	target := memory.NewTarget(stalling(base))
	if err := target.Create(t.Context(), f.scenario.Table); err != nil {
		t.Fatal(err)
	}
	if err := target.Load(t.Context(), f.scenario.Table, nil); err != nil {
		t.Fatal(err)
	}
	f.open = target
	return f
}

// The response times of an open loop on a target that stalls are those of the
// exact model, to the last one; a closed loop on the same target does not see
// the stall in its 99th percentile.
func TestOpenLoopOfATargetThatStalls(t *testing.T) {
	const base, length = time.Millisecond, 40 * time.Second
	for _, kind := range []string{core.ArrivalsUniform, core.ArrivalsPoisson} {
		for _, connections := range []int{2, 300} { // clients queue here, or in the target
			t.Run(fmt.Sprintf("%s, %d connections", kind, connections), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					is := is.New(t)
					tmpl := openTemplate(1, connections, 200)
					tmpl.Load.Arrivals, tmpl.Load.CatchUp, tmpl.Load.Duration = kind, true, core.Duration(length)
					f := stallingFleet(t, tmpl, base)
					run, parent := f.ledger(nil)
					total := core.Total(parent.Kinds)
					arrivals := due(f.scenario.Load, length)
					is.Equal(total.Started+total.Unserved, uint64(len(arrivals)))
					if total.Unserved > 0 { // the load ended in a stall
						arrivals = arrivals[:total.Started]
					}
					model := stall().Responses(run.Origin, arrivals, connections, base)
					is.True(model.Quantile(0.99) > 800*time.Millisecond)
					for _, q := range []float64{0, 0.5, 0.9, 0.95, 0.99, 0.999, 1} {
						got, want := total.Response.Quantile(q), model.Quantile(q)
						if diff := (got - want).Abs(); diff > want/1000+time.Microsecond {
							t.Errorf("p%g is %s, by the model %s", 100*q, got, want)
						}
					}
					t.Logf("open: p50 %s p95 %s p99 %s", total.Response.Quantile(0.5), total.Response.Quantile(0.95), total.Response.Quantile(0.99))
				})
			})
		}
	}
	t.Run("closed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			tmpl := template(1, 2)
			tmpl.Load.Duration, tmpl.Load.ThinkTime = core.Duration(length), core.Duration(9*time.Millisecond) // 200 per second
			_, parent := stallingFleet(t, tmpl, base).ledger(nil)
			total := core.Total(parent.Kinds)
			is.True(total.Latency().Quantile(0.99) < 2*base)
			t.Logf("closed: p50 %s p95 %s p99 %s", total.Latency().Quantile(0.5), total.Latency().Quantile(0.95), total.Latency().Quantile(0.99))
		})
	})
}

// Unless asked for, a stall is not followed by a burst of all that came
// meanwhile: what could not be started in time is skipped, counted, and told.
func TestOpenLoopSkipsWhatIsTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		tmpl := openTemplate(1, 2, 200)
		tmpl.Load.Duration = core.Duration(20 * time.Second)
		f := stallingFleet(t, tmpl, time.Millisecond)
		_, parent := f.ledger(nil)
		total := core.Total(parent.Kinds)
		is.Equal(total.Scheduled, uint64(4000))
		is.True(total.Skipped > 340 && total.Skipped < 370) // two stalls of 200 arrivals, less 2 in flight and 100 ms of them
		is.Equal(total.Overslept, uint64(0))
		is.True(total.Late >= 30)
		is.Equal(parent.Verdict.Level, core.Degraded)
		is.True(slices.ContainsFunc(parent.Verdict.Reasons, func(s string) bool {
			return len(s) > 0 && s[:len(fmt.Sprint(total.Skipped))] == fmt.Sprint(total.Skipped)
		}))
	})
}

// A rate beyond what the connections can serve is told, and what is still due
// at the end is unserved.
func TestOpenLoopOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		tmpl := openTemplate(2, 1, 1000)
		tmpl.Load.CatchUp = true
		f := newFleet(t, tmpl, 10*time.Millisecond) // 200 per second
		_, parent := f.ledger(nil)
		total := core.Total(parent.Kinds)
		is.Equal(total.Scheduled, uint64(3000))
		is.True(total.Started >= 598 && total.Started <= 602)
		is.Equal(total.Unserved, total.Scheduled-total.Started)
		is.Equal(parent.Verdict.Level, core.InvalidRun)
	})
}

// A stop at any moment leaves the ledger balanced, whatever connections are at.
func TestStopOfAnOpenLoop(t *testing.T) {
	for _, latency := range []time.Duration{0, time.Millisecond, 3 * time.Second} {
		for _, at := range []time.Duration{1, 500 * time.Millisecond, 1500 * time.Millisecond} {
			t.Run(fmt.Sprintf("%s after %s", latency, at), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					is := is.New(t)
					tmpl := openTemplate(2, 3, 50)
					tmpl.Load.Warmup, tmpl.Load.CatchUp = core.Duration(time.Second), true
					tmpl.Limits.DrainTimeout = core.Duration(time.Second)
					f := newFleet(t, tmpl, latency)
					asked := false
					run, parent := f.ledger(func(run core.Run) bool {
						if run.Status == core.Running && f.now().Sub(run.Origin) >= at && !asked {
							asked = true
							f.stops <- core.StopRequested{Reason: core.UserRequested, By: "test"}
						}
						return false
					})
					is.Equal(run.Status, core.Cancelled)
					is.True(parent.Ledger.Scheduled > 0 || at == 1)
				})
			})
		}
	}
}

// A closed loop with a ramp lets its connections in one by one.
func TestClosedLoopRamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		tmpl := template(2, 10)
		tmpl.Load.Warmup, tmpl.Load.Duration = core.Duration(time.Second), core.Duration(12*time.Second)
		tmpl.Load.Ramp = core.TemplateRamp{Shape: core.ShapeSteps, From: 2, Over: core.Duration(8 * time.Second), Steps: 4}
		f := newFleet(t, tmpl, 10*time.Millisecond)
		run, parent := f.ledger(nil)
		is.Equal(run.Status, core.Completed)
		is.Equal(parent.Verdict.Level, core.Valid)
		stored, err := f.store.WorkerIntervals(t.Context(), f.runID, -1)
		is.NoErr(err)
		targets := map[string][]int{}
		ended := make([]float64, 15)
		for _, i := range stored {
			if i.Interval.Phase == core.Measurement && i.Interval.Seconds > 0.9 {
				targets[i.WorkerID] = append(targets[i.WorkerID], i.Interval.Target)
			}
			ended[int(i.Interval.Offset+0.5)-1] += float64(core.Total(i.Interval.Kinds).OK)
		}
		for _, list := range targets {
			is.Equal(list, []int{2, 2, 4, 4, 6, 6, 8, 8, 10, 10, 10, 10})
		}
		for s, connections := range []float64{4, 4, 4, 8, 8, 12, 12, 16, 16, 20, 20, 20, 20} {
			is.True(ended[s] > 97*connections && ended[s] < 102*connections) // 100 per second each
		}
	})
}

// The same on real time and alarms: what is started is the schedule.
func TestOpenLoopOnRealTime(t *testing.T) {
	is := is.New(t)
	tmpl := openTemplate(1, 4, 2000)
	tmpl.Load.Duration, tmpl.Load.CatchUp = core.Duration(300*time.Millisecond), true
	f := newFleet(t, tmpl, 0)
	report, err := Drive(context.WithoutCancel(t.Context()), f.scenario, ports.Target(f.target))
	is.NoErr(err)
	total := core.Total(report.PhaseOf(core.Measurement).Kinds)
	is.Equal(total.Scheduled, uint64(600))
	is.Equal(total.Started+total.Unserved, uint64(600))
}
