package core

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

// The shares of all workers are exactly the budget, each is what the quotas of the
// worker's connections sum to, and no worker goes without.
func TestBudgetShares(t *testing.T) {
	is := is.New(t)
	for workers := 1; workers <= 7; workers++ {
		for connections := workers; connections <= 3*workers+2; connections++ {
			load := ScenarioLoad{Workers: workers, Connections: connections}
			for whole := int64(connections); whole < int64(5*connections); whole++ {
				b := RunBudget{Operations: whole, Rows: 2 * whole}
				sum, rows := int64(0), int64(0)
				for w := range workers {
					share := b.Share(load, w)
					sum, rows = sum+share.Operations, rows+share.Rows
					quotas := int64(0)
					first, count := Connections(connections, workers, w)
					for c := first; c < first+count; c++ {
						quotas += Quota(whole, int64(connections), int64(c))
					}
					is.Equal(share.Operations, quotas)
					is.True(share.Operations > 0)
				}
				is.Equal(sum, whole)
				is.Equal(rows, 2*whole)
			}
		}
	}
	load := ScenarioLoad{Workers: maxWorkers, Connections: maxConnections}
	is.Equal(RunBudget{}.Share(load, 3), Allowance{-1, -1})
	is.Equal(RunBudget{Rows: maxOperations}.Share(load, 3), Allowance{-1, maxOperations / maxWorkers})
}

// In an open loop every worker's share is what its arrivals need: a budget of just the
// load is in nobody's way.
func TestBudgetSharesOfAnOpenLoop(t *testing.T) {
	is := is.New(t)
	for workers := 1; workers <= 5; workers++ {
		for connections := workers; connections <= 3*workers+2; connections++ {
			load := ScenarioLoad{Mode: ModeQPS, Rate: 10, Workers: workers, Connections: connections}
			for warmup := range 7 {
				load.Warmup = Duration(time.Duration(warmup) * 170 * time.Millisecond)
				for whole := int64(connections); whole < int64(4*connections); whole++ {
					sum := int64(0)
					for w := range workers {
						need := int64(0)
						before := NewArrivals(load, w, false)
						for a, _ := before.Next(); a.At < load.Warmup.Std(); a, _ = before.Next() {
							need++
						}
						total := int64(0) // of all workers, in the warm-up
						for v := range workers {
							other := NewArrivals(load, v, false)
							for a, _ := other.Next(); a.At < load.Warmup.Std(); a, _ = other.Next() {
								total++
							}
						}
						if total < whole {
							load := load
							load.Operations = whole - total
							after := NewArrivals(load, w, true)
							for _, more := after.Next(); more; _, more = after.Next() {
								need++
							}
							is.Equal(RunBudget{Operations: whole}.Share(load, w).Operations, need)
						}
						sum += RunBudget{Operations: whole}.Share(load, w).Operations
					}
					is.Equal(sum, whole)
				}
			}
		}
	}
}

func TestBudgetLimit(t *testing.T) {
	s := Duration(time.Second)
	for _, c := range []struct {
		budget RunBudget
		limit  time.Duration
		text   string
	}{
		{RunBudget{Operations: 7, Rows: 8}, 0, ""},
		{RunBudget{Time: 90 * s}, 90 * time.Second, "time of 1m30s"},
		{RunBudget{Credits: 0.5, CreditsPerHour: 2}, 15 * time.Minute, "0.5 credits, which at 2 per hour last 15m0s"},
		{RunBudget{Credits: 1, CreditsPerHour: 3600 * 7}, 142 * time.Millisecond, "1 credits, which at 25200 per hour last 142ms"}, // never rounded up
		{RunBudget{Time: 90 * s, Credits: 1, CreditsPerHour: 1}, 90 * time.Second, "time of 1m30s"},
		{RunBudget{Time: 90 * s, Credits: 1, CreditsPerHour: 60}, time.Minute, "1 credits, which at 60 per hour last 1m0s"},
		{RunBudget{Credits: maxCredits, CreditsPerHour: 1e-9}, maxTime.Std(), "1e+09 credits, which at 1e-09 per hour last 720h0m0s"},
	} {
		t.Run(fmt.Sprint(c.budget), func(t *testing.T) {
			is := is.New(t)
			limit, text := c.budget.Limit()
			is.Equal(limit, c.limit)
			is.Equal(text, c.text)
		})
	}
}

// budgetTemplate is a run of 3 workers with 2 connections each, 2 s of warm-up, 10
// s of measurement and 1 s of cool-down.
func budgetTemplate(change func(*Template)) Template {
	s := Duration(time.Second)
	t := Template{
		Name: "b", Target: TemplateTarget{Kind: "memory"}, Table: TemplateTable{Name: "T", Rows: 10},
		Load: TemplateLoad{Workers: 3, Connections: 2, Warmup: 2 * s, Duration: 10 * s, Cooldown: s},
		Mix:  []TemplateOp{{Kind: PointLookup, Weight: 100}},
	}
	change(&t)
	return t
}

func TestResolveBudget(t *testing.T) {
	is := is.New(t)
	s, err := budgetTemplate(func(*Template) {}).Resolve(Resolution{})
	is.NoErr(err)
	is.Equal(s.Budget, nil)
	is.Equal(s.Plan().BudgetTime, time.Duration(0))
	is.Equal(s.WorkerPlan(0, 1, 0).LoadLimit, time.Duration(0))

	s, err = budgetTemplate(func(t *Template) {
		t.Budget = TemplateBudget{Operations: 6, Rows: 6, Time: Duration(time.Minute), Credits: 3, CreditsPerHour: 60}
	}).Resolve(Resolution{})
	is.NoErr(err)
	is.Equal(*s.Budget, RunBudget{Operations: 6, Rows: 6, Time: Duration(time.Minute), Credits: 3, CreditsPerHour: 60})
	plan := s.Plan()
	is.Equal(plan.BudgetTime, time.Minute)
	is.Equal(plan.BudgetLead, 1200*time.Millisecond) // 2 leads of 100 ms and an interval
	is.Equal(s.WorkerPlan(0, 1, 0).LoadLimit, time.Minute-10*time.Millisecond-1200*time.Millisecond)
}

func TestBudgetProblems(t *testing.T) {
	s := Duration(time.Second)
	for _, c := range []struct {
		name   string
		change func(*Template)
		want   string // "" when it is fine
	}{
		{"operations below 0", func(t *Template) { t.Budget.Operations = -1 }, "budget.operations is -1; allowed: 1 to 1000000000000000, or none"},
		{"operations too many", func(t *Template) { t.Budget.Operations = maxOperations + 1 }, "budget.operations is 1000000000000001; allowed: 1 to"},
		{"fewer operations than connections", func(t *Template) { t.Budget.Operations = 5 }, "budget.operations is 5 for 6 connections; allowed: at least one for each"},
		{"workers that join later", func(t *Template) {
			t.Load.Mode, t.Load.Scaling, t.Load.Rate = ModeQPS, ScalingBounded, 10
			t.Load.Workers, t.Load.Connections, t.Load.MaxWorkers, t.Load.MaxConnections = 0, 0, 6, 4
			t.Budget.Operations, t.Budget.Rows = 30_000, 1_000_000
		}, "budget.operations is 30000, but load.scaling is BOUNDED, which may need more workers, or get fewer, than it is shared out among; allowed with all workers from the beginning (FIXED, or load.min_workers 6), or budget.time and budget.credits"},
		{"rows", func(t *Template) { t.Budget.Rows = 5 }, "budget.rows is 5 for 6 connections; allowed: at least one for each"},
		{"fewer operations than asked", func(t *Template) { t.Load.Operations, t.Budget.Operations = 1000, 999 },
			"budget.operations is 999, but load.operations is 1000; allowed: at least that, and what the warm-up takes"},
		{"as many as asked", func(t *Template) { t.Load.Operations, t.Budget.Operations = 1000, 1000 }, ""},
		{"fewer than the rate", func(t *Template) { t.Load.Mode, t.Load.Rate, t.Budget.Operations = ModeQPS, 100, 1299 },
			"budget.operations is 1299, but warm-up, measurement and cool-down start 1300 at that load.rate; allowed: at least 1300"},
		{"as many as the rate", func(t *Template) { t.Load.Mode, t.Load.Rate, t.Budget.Operations = ModeQPS, 100, 1300 }, ""},
		{"as many as random arrivals are on average", func(t *Template) {
			t.Load.Mode, t.Load.Rate, t.Load.Arrivals, t.Budget.Operations = ModeQPS, 100, ArrivalsPoisson, 1448
		}, "budget.operations is 1448, but warm-up, measurement and cool-down start about 1300 at that load.rate; allowed: at least 1449"},
		{"no room for those of the warm-up", func(t *Template) {
			t.Load.Mode, t.Load.Rate, t.Load.Arrivals, t.Load.Operations, t.Budget.Operations = ModeQPS, 100, ArrivalsPoisson, 50, 310
		}, "budget.operations is 310, but warm-up, measurement and cool-down start about 250 at that load.rate; allowed: at least 311"},
		{"room for random arrivals", func(t *Template) {
			t.Load.Mode, t.Load.Rate, t.Load.Arrivals, t.Budget.Operations = ModeQPS, 100, ArrivalsPoisson, 1449
		}, ""},
		{"a search whose first steps are one worker's", func(t *Template) {
			t.Load.Mode, t.Load.Cooldown, t.Load.Duration, t.Budget.Operations, t.Budget.Rows = ModeFindConcurrency, 0, 100*s, 1000, 2000
		}, "budget.rows is 2000, but load.mode FIND_MAX_CONCURRENCY gives the workers, among which it is shared out, different loads; allowed with one worker, or budget.time"},
		{"a search by one worker", func(t *Template) {
			t.Load.Mode, t.Load.Cooldown, t.Load.Duration, t.Load.Workers, t.Budget.Operations = ModeFindConcurrency, 0, 100*s, 1, 1000
		}, ""},
		{"credits that last no millisecond", func(t *Template) {
			t.Budget.Time, t.Budget.Credits, t.Budget.CreditsPerHour = 3600*s, 1e-7, 1
		}, "budget.credits is 1e-07, which at 1 per hour lasts 0s; allowed: at least "},
		{"such credits, and too little time", func(t *Template) {
			t.Budget.Time, t.Budget.Credits, t.Budget.CreditsPerHour = s, 1e-7, 1
		}, "budget.time is 1s; allowed: at least "},
		{"fewer than a ramp", func(t *Template) {
			t.Load.Mode, t.Load.Rate, t.Budget.Operations = ModeQPS, 100, 599
			t.Load.Ramp = TemplateRamp{Shape: ShapeLinear, Over: 10 * s}
		}, "budget.operations is 599, but warm-up, measurement and cool-down start 600"},
		{"a rate that operations end", func(t *Template) {
			t.Load.Mode, t.Load.Rate, t.Load.Operations, t.Budget.Operations = ModeQPS, 100, 50, 249
		}, "budget.operations is 249, but warm-up, measurement and cool-down start 250"},
		{"a search, which may end long before its ceiling", func(t *Template) {
			t.Load.Mode, t.Load.Rate, t.Load.Cooldown, t.Budget.Operations = ModeFindQPS, 20_000, 0, 1000
			t.Load.Duration = 100 * s
		}, ""},
		{"workers that the target may not grant", func(t *Template) {
			t.Load.Mode, t.Load.Scaling, t.Load.Rate, t.Load.Workers, t.Load.Connections, t.Budget.Operations = ModeQPS, ScalingAuto, 10, 0, 0, 30_000
		}, "budget.operations is 30000, but load.scaling is AUTO, which may need more workers, or get fewer"},
		{"time below 0", func(t *Template) { t.Budget.Time = -s }, "budget.time is -1s; a time cannot be negative"},
		{"time of less than the load", func(t *Template) { t.Budget.Time = 14 * s },
			"budget.time is 14s; allowed: at least 14.21s, which is warm-up, duration, cooldown and the time that stopping takes"},
		{"time of just the load", func(t *Template) { t.Budget.Time = 14210 * Duration(time.Millisecond) }, ""},
		{"time beside operations", func(t *Template) {
			t.Load.Duration, t.Load.Cooldown, t.Load.Operations, t.Budget.Time = 0, 0, 10, 3*s
		}, "budget.time is 3s; allowed: at least 3.21s"},
		{"credits without a rate", func(t *Template) { t.Budget.Credits = 1 }, "budget.credits_per_hour is missing or 0; budget.credits needs it"},
		{"a rate without credits", func(t *Template) { t.Budget.CreditsPerHour = 1 }, "budget.credits is missing or 0; budget.credits_per_hour bounds nothing without it"},
		{"credits below 0", func(t *Template) { t.Budget.Credits, t.Budget.CreditsPerHour = -1, 1 }, "budget.credits is -1; allowed: above 0, up to 1e+09"},
		{"a rate beyond all bounds", func(t *Template) { t.Budget.Credits, t.Budget.CreditsPerHour = 1, 2e9 }, "budget.credits_per_hour is 2e+09; allowed: above 0, up to 1e+09"},
		{"credits of less than the load", func(t *Template) { t.Budget.Credits, t.Budget.CreditsPerHour = 0.003, 1 },
			"budget.credits is 0.003, which at 1 per hour lasts 10.8s; allowed: at least 0.003951, for the 14.21s of warm-up, duration, cooldown and stopping"},
		{"credits of just the load", func(t *Template) { t.Budget.Credits, t.Budget.CreditsPerHour = 0.003951, 1 }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			err := budgetTemplate(c.change).Validate()
			if c.want == "" {
				is.NoErr(err)
				return
			}
			is.True(errors.Is(err, ErrInvalid))
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// timed gives a run of explorePlan 8 s from its START, which is 9.9 s after it was
// asked for: STOP at 16.7 s, and at 17.8 s everything in flight is cancelled.
func timed(p *Plan) {
	p.BudgetTime, p.BudgetLead, p.BudgetText = 8*time.Second, 1200*time.Millisecond, "time of 8s"
}

func TestBudgetOfTimeEndsTheLoadBeforeItIsOver(t *testing.T) {
	is := is.New(t)
	r := loaded(t, 2, timed)
	r, _ = play(t, r, Ticked{At: at(12.9)})
	is.Equal(r.Phase, Measurement)
	due, _ := r.NextDeadline()
	is.Equal(due, at(16.7))
	r, _ = play(t, r, Ticked{At: at(16.699)})
	is.Equal(r.Status, Running)
	r, events := play(t, r, Ticked{At: at(16.7)})
	is.Equal(r.Status, Cancelling)
	is.Equal(r.Reason, Budget)
	is.Equal(r.Reason.Outcome(), Cancelled)
	is.Equal(r.Detail, "the budget is used up but for the time that stopping takes: time of 8s")
	is.Equal(len(events), 1)
	is.Equal(events[0].Type, EventStop)
	is.Equal(r.Rung, Drain)
	due, _ = r.NextDeadline()
	is.Equal(due, at(17.8)) // and not the 31 s of the drain timeout
	r, _ = play(t, r, Ticked{At: at(17.8)})
	is.Equal(r.Rung, Cancel)
	due, _ = r.NextDeadline()
	is.Equal(due, at(22.8))
}

// Whatever ends the load, its drain is not longer than the budget.
func TestBudgetOfTimeBoundsEveryDrain(t *testing.T) {
	is := is.New(t)
	stop := func(seconds float64) StopRequested {
		return StopRequested{At: at(seconds), Reason: UserRequested, By: "ada"}
	}
	r, _ := play(t, loaded(t, 1, timed), stop(12))
	due, _ := r.NextDeadline()
	is.Equal(due, at(17.8))
	is.Equal(r.Reason, UserRequested)
	r, _ = play(t, r, Ticked{At: at(17.8)})
	is.Equal(r.Rung, Cancel)
	is.Equal(r.Reason, UserRequested)

	r, _ = play(t, loaded(t, 1, func(p *Plan) { timed(p); p.DrainTimeout = time.Second }), stop(12))
	due, _ = r.NextDeadline()
	is.Equal(due, at(13)) // a shorter drain stays

	r, _ = play(t, loaded(t, 1, timed), stop(19)) // the orchestrator was away
	due, _ = r.NextDeadline()
	is.Equal(due, at(19))
}

// A load that ends by itself before the budget does has not been ended by it, even
// if the orchestrator comes late.
func TestBudgetOfTimeThatSuffices(t *testing.T) {
	is := is.New(t)
	enough := func(p *Plan) {
		timed(p)
		p.BudgetTime = p.StartLead + p.Warmup + p.Duration + p.BudgetLead
	}
	r := loaded(t, 1, enough)
	r, _ = play(t, r, Ticked{At: at(12.9)}, Ticked{At: at(22.9)})
	is.Equal(r.Phase, Cooldown)
	r, _ = play(t, r, Ticked{At: at(25)})
	is.Equal(r.Reason, Elapsed)

	r, _ = play(t, loaded(t, 1, enough), Ticked{At: at(12.9)}, Ticked{At: at(25)}) // away while it should have ended
	is.Equal(r.Reason, Budget)
}

// A worker that hears of nobody any more ends its load within the budget.
func TestWorkersKnowTheBudgetsTime(t *testing.T) {
	is := is.New(t)
	plan := workerTestPlan(0)
	plan.LoadLimit = 1500 * time.Millisecond
	read := workerTestControls(2500 * time.Millisecond)[1] // RUNNING since 2 s
	m := NewWorkerMachine(plan, 0)
	m = m.Apply(ConnectionsOpen{At: 0})
	m.lastRead = 2 * time.Second // it was waiting
	m = m.Apply(ControlRead{At: 2500 * time.Millisecond, Zero: workerTestZero(), Control: read})
	is.Equal(m.state, WorkerRunning)
	is.Equal(m.schedule.End, 3500*time.Millisecond)

	m = m.Apply(BudgetSpent{At: 3 * time.Second}) // its share of the operations
	duty := m.Duty(3 * time.Second)
	is.Equal(duty.State, WorkerRunning) // until the orchestrator stops the run
	is.Equal(duty.Schedule.End, 3*time.Second)
	is.True(!duty.Load)
	m = m.Apply(BudgetSpent{At: 3100 * time.Millisecond})
	is.Equal(m.schedule.End, 3*time.Second)
}

func TestBudgetSpentInWords(t *testing.T) {
	is := is.New(t)
	load := ScenarioLoad{Workers: 3, Connections: 6}
	b := RunBudget{Operations: 1000, Rows: 50}
	is.Equal(b.Spent(SpentOperations, load, 0), "the budget of 1000 operations is used up: worker-0 has started its share of 334")
	is.Equal(b.Spent(SpentRows, load, 2), "the budget of 50 rows is used up: what worker-2 has left of its share of 16 is less than one more operation may have")
}

// What was used is counted over all phases, and time until the last operation.
func TestBudgetUse(t *testing.T) {
	is := is.New(t)
	scenario := Scenario{
		Load:   ScenarioLoad{Workers: 2, Connections: 2},
		Budget: &RunBudget{Operations: 100, Credits: 1, CreditsPerHour: 3600},
	}
	r := loaded(t, 2, nil)
	r, _ = play(t, r,
		BeatSeen{At: at(15), Worker: 0, Epoch: 1, State: WorkerRunning, LastStart: at(14), LastEnd: at(14.9)},
		StopRequested{At: at(15), Reason: Budget, Detail: "d"},
		BeatSeen{At: at(16), Worker: 0, Epoch: 1, State: WorkerCompleted, LastStart: at(15), LastEnd: at(15.4)},
		WorkerExited{At: at(16.1), Worker: 0, Epoch: 1},
		WorkerExited{At: at(16.5), Worker: 1, Epoch: 1}) // it never reported: what it did until then is not known
	beat := func(i int, phase Phase, started, rows uint64) Beat {
		return Beat{Key: WorkerKey{RunID: "r", WorkerID: WorkerID(i), Epoch: 1}, GroupID: i, State: WorkerCompleted, Report: Report{
			Phases: []PhaseMetrics{{Phase: phase, Kinds: []KindMetrics{{Kind: PointLookup, Counts: Counts{Scheduled: started, Started: started, OK: started, Rows: rows}}}}},
		}}
	}
	parent, _ := Summarise(SummaryInput{Run: r, Scenario: scenario, Beats: []Beat{beat(0, Warmup, 7, 8), beat(1, Measurement, 20, 300)}})
	is.Equal(parent.Budget.Operations, int64(100))
	is.Equal(parent.Budget.UsedOperations, uint64(27))
	is.Equal(parent.Budget.UsedRows, uint64(308))
	is.Equal(parent.Budget.UsedSeconds, 6.6) // from 9.9 to 16.5
	is.Equal(parent.Budget.UsedCredits, 6.6)

	parent, _ = Summarise(SummaryInput{Run: r, Scenario: Scenario{}})
	is.Equal(parent.Budget, nil)
}
