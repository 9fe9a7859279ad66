package core

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// TemplateBudget is what a run may use up at most. Zero fields bound nothing.
type TemplateBudget struct {
	Operations int64    `json:"operations,omitempty" jsonschema:"description=Operations of all phases that may be started"`
	Rows       int64    `json:"rows,omitempty" jsonschema:"description=Rows of all phases that may be read or changed"`
	Time       Duration `json:"time,omitempty" jsonschema:"description=Time from START until no operation is in flight"`
	Credits    float64  `json:"credits,omitempty" jsonschema:"description=Credits from START at credits_per_hour"`
	// CreditsPerHour is the user's word: nobody asks the target what it costs.
	CreditsPerHour float64 `json:"credits_per_hour,omitempty" jsonschema:"description=What an hour of the run costs; credits needs it"`
}

// RunBudget is what a run may use up at most, from START on and over all phases.
// Zero fields bound nothing. The run is stopped, with the reason Budget, before
// any of them is passed:
//
//   - Operations and rows are shared out among the workers beforehand, and a
//     worker starts nothing beyond its share. The first that has used up its own
//     ends the run, since from then on the load is not what was asked. How many rows
//     an operation has is known when it has ended: a share of them may be passed by
//     the first operation of a kind, and by what later ones have more than any before.
//   - Time, and credits, which are time at a rate, end the load so early that what
//     is in flight can end or be cancelled within them.
type RunBudget struct {
	Operations     int64    `json:"operations,omitempty"`
	Rows           int64    `json:"rows,omitempty"`
	Time           Duration `json:"time,omitempty"`
	Credits        float64  `json:"credits,omitempty"`
	CreditsPerHour float64  `json:"credits_per_hour,omitempty"`
}

// maxCredits bounds credits, and what an hour may cost.
const maxCredits = 1e9

// What of a worker's share of a budget is used up, as its beats say it.
const (
	SpentOperations = "operations"
	SpentRows       = "rows"
)

// Limit is how long the run may take from START, and what of the budget says so;
// 0 when nothing does.
func (b RunBudget) Limit() (limit time.Duration, text string) {
	if b.Time > 0 {
		limit, text = b.Time.Std(), "time of "+b.Time.String()
	}
	if b.Credits > 0 && b.CreditsPerHour > 0 {
		if worth := b.worth(); limit == 0 || worth < limit {
			limit = worth
			text = fmt.Sprintf("%s credits, which at %s per hour last %s", amount(b.Credits), amount(b.CreditsPerHour), worth)
		}
	}
	return limit, text
}

// String lists what is bounded: "at most 1000 operations, 1m30s"; "" for nothing.
func (b *RunBudget) String() string {
	if b == nil {
		return ""
	}
	var parts []string
	if b.Operations > 0 {
		parts = append(parts, fmt.Sprintf("%d operations", b.Operations))
	}
	if b.Rows > 0 {
		parts = append(parts, fmt.Sprintf("%d rows", b.Rows))
	}
	if b.Time > 0 {
		parts = append(parts, b.Time.String())
	}
	if b.Credits > 0 {
		parts = append(parts, fmt.Sprintf("%s credits at %s per hour (%s)", amount(b.Credits), amount(b.CreditsPerHour), b.worth()))
	}
	return "at most " + strings.Join(parts, ", ")
}

// worth is how long the credits last, in whole milliseconds, and at most as long as
// any run.
func (b RunBudget) worth() time.Duration {
	ms := math.Floor(b.Credits / b.CreditsPerHour * float64(time.Hour/time.Millisecond))
	if !(ms < float64(maxTime.Std()/time.Millisecond)) {
		return maxTime.Std()
	}
	return time.Duration(ms) * time.Millisecond
}

func amount(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// Allowance is one worker's share of a budget. -1 bounds nothing.
type Allowance struct{ Operations, Rows int64 }

// Share is the allowance of a worker: the sum of the quotas of its connections, as
// if the budget were a bound of operations; of an open loop as many as are its
// arrivals of so many of the warm-up and then of the measurement. The shares of all
// workers sum to the budget.
func (b RunBudget) Share(load ScenarioLoad, worker int) Allowance {
	first, count := Connections(load.Connections, load.Workers, worker)
	connections := int64(load.Connections)
	part := func(whole int64) int64 {
		if whole <= 0 {
			return -1
		}
		if !load.OpenLoop() {
			return whole/connections*int64(count) + min(max(whole%connections-int64(first), 0), int64(count))
		}
		arrivals := NewArrivals(load, worker, false)
		warmup := min(whole, int64(math.Ceil(arrivals.pace.Count(load.Warmup.Std())-0.5))) // arrival k is due in its middle
		return arrivals.among(warmup) + arrivals.among(whole-warmup)
	}
	return Allowance{Operations: part(b.Operations), Rows: part(b.Rows)}
}

// Spent says in words that a worker has used up its share: operations or rows, as
// its beat says.
func (b RunBudget) Spent(what string, load ScenarioLoad, worker int) string {
	share := b.Share(load, worker)
	if what == SpentRows {
		return fmt.Sprintf("the budget of %d rows is used up: what %s has left of its share of %d is less than one more operation may have", b.Rows, WorkerID(worker), share.Rows)
	}
	return fmt.Sprintf("the budget of %d operations is used up: %s has started its share of %d", b.Operations, WorkerID(worker), share.Operations)
}

// BudgetUse is a budget and how much of it was used. What is not bounded is
// counted all the same, save credits without a rate.
type BudgetUse struct {
	RunBudget
	UsedOperations uint64  `json:"used_operations"` // started, of all phases
	UsedRows       uint64  `json:"used_rows"`
	UsedSeconds    float64 `json:"used_seconds"` // from START until no worker was left, or no operation in flight
	UsedCredits    float64 `json:"used_credits,omitempty"`
}

// useOf is what a run used of its scenario's budget; nil without one.
func useOf(b *RunBudget, run *Run, counts Counts) *BudgetUse {
	if b == nil {
		return nil
	}
	use := BudgetUse{RunBudget: *b, UsedOperations: counts.Started, UsedRows: counts.Rows, UsedSeconds: run.loaded().Seconds()}
	use.UsedCredits = b.CreditsPerHour * use.UsedSeconds / time.Hour.Seconds()
	return &use
}

// The budget's time in the machine: it ends at budgetEnd, everything in flight is
// cancelled a lead before that, and STOP is published so long before that again
// that what takes no longer than an interval can end by itself.

// budgetEnd is when the budget's time is over; not ok without one, or before START.
func (r *Run) budgetEnd() (end time.Time, ok bool) {
	if r.Plan.BudgetTime <= 0 || r.Origin.IsZero() {
		return time.Time{}, false
	}
	return r.Origin.Add(r.Plan.BudgetTime - r.Plan.StartLead), true
}

// budgetStop is when the load has to end for the budget's sake.
func (r *Run) budgetStop() (at time.Time, ok bool) {
	end, ok := r.budgetEnd()
	return end.Add(-r.Plan.BudgetLead), ok
}

// budgetOver reports whether the budget ends the load now. A load that has ended by
// itself before needs no budget for it.
func (r *Run) budgetOver(at time.Time) bool {
	stop, ok := r.budgetStop()
	return ok && !at.Before(stop) && !(r.Phase == Cooldown && !r.Until.After(stop))
}

// drainUntil shortens the drain to what the budget leaves.
func (r *Run) drainUntil(deadline, at time.Time) time.Time {
	if end, ok := r.budgetEnd(); ok {
		if cancel := end.Add(-r.Plan.PhaseLead); cancel.Before(deadline) {
			return later(cancel, at)
		}
	}
	return deadline
}

// loaded is how long the run has made load: from START until its last operation in
// flight ended, or until a worker was gone that made no final report.
func (r *Run) loaded() time.Duration {
	if r.Origin.IsZero() {
		return 0
	}
	begun := r.Origin.Add(-r.Plan.StartLead)
	end := begun
	for i := range r.Workers {
		w := &r.Workers[i]
		end = later(end, w.LastEnd)
		if !w.Reported {
			end = later(end, w.Exit.At)
		}
	}
	return end.Sub(begun)
}
