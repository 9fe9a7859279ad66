package core

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// budget checks what the run may use up, against what it is asked to do.
func (v *resolver) budget(s *Scenario) *RunBudget {
	t := v.template.Budget
	if t == (TemplateBudget{}) {
		return nil
	}
	b := RunBudget{Time: v.duration("budget.time", t.Time, 0), Credits: t.Credits, CreditsPerHour: t.CreditsPerHour}
	b.Operations = v.budgetCount("budget.operations", t.Operations, s.Load.Connections)
	b.Rows = v.budgetCount("budget.rows", t.Rows, s.Load.Connections)
	v.budgetCredits(&b)
	v.budgetShares(b, s.Load)
	if b.Operations > 0 {
		v.budgetOperations(b.Operations, s.Load)
	}
	if len(v.found) == 0 {
		v.budgetTime(b, *s)
	}
	return &b
}

// budgetCount is a number of operations or rows: at least one for each connection,
// so that every worker has a share.
func (v *resolver) budgetCount(field string, n int64, connections int) int64 {
	switch {
	case n == 0:
	case n < 0 || n > maxOperations:
		v.found.add(field, "is %d; allowed: 1 to %d, or none", n, maxOperations)
		return 0
	case n < int64(connections):
		v.found.add(field, "is %d for %d connections; allowed: at least one for each", n, connections)
		return 0
	}
	return n
}

// budgetShares refuses a budget that is dealt out to workers of which some may never be.
func (v *resolver) budgetShares(b RunBudget, load ScenarioLoad) {
	fewer := load.Scaling == ScalingAuto && load.Mode != ModeConcurrency // where the target grants no more
	first := load.Mode == ModeFindConcurrency && load.Workers > 1        // whose small steps are the first workers'
	if load.Initial == 0 && !fewer && !first {
		return
	}
	why := fmt.Sprintf("load.scaling is %s, which may need more workers, or get fewer, than it is shared out among", load.Scaling)
	all := "all workers from the beginning (FIXED)"
	switch {
	case first:
		why, all = "load.mode FIND_MAX_CONCURRENCY gives the workers, among which it is shared out, different loads", "one worker"
	case load.Scaling == ScalingBounded:
		all = fmt.Sprintf("all workers from the beginning (FIXED, or load.min_workers %d)", load.Workers)
	}
	for _, of := range []struct {
		field string
		n     int64
	}{{"budget.operations", b.Operations}, {"budget.rows", b.Rows}} {
		if of.n > 0 {
			v.found.add(of.field, "is %d, but %s; allowed with %s, or budget.time and budget.credits", of.n, why, all)
		}
	}
}

func (v *resolver) budgetCredits(b *RunBudget) {
	valid := func(f float64) bool { return f > 0 && f <= maxCredits }
	switch {
	case b.Credits == 0 && b.CreditsPerHour == 0:
		return
	case b.CreditsPerHour == 0:
		v.found.add("budget.credits_per_hour", "is missing or 0; budget.credits needs it: what an hour of the run costs, above 0")
	case !valid(b.CreditsPerHour):
		v.found.add("budget.credits_per_hour", "is %v; allowed: above 0, up to %v", b.CreditsPerHour, float64(maxCredits))
	}
	switch {
	case b.Credits == 0:
		v.found.add("budget.credits", "is missing or 0; budget.credits_per_hour bounds nothing without it")
	case !valid(b.Credits):
		v.found.add("budget.credits", "is %v; allowed: above 0, up to %v", b.Credits, float64(maxCredits))
	}
}

// poissonRoom is how many standard deviations of the number of random arrivals a budget
// must have room for.
const poissonRoom = 4

// budgetOperations refuses a budget that the load, as it is asked for, passes.
func (v *resolver) budgetOperations(n int64, load ScenarioLoad) {
	if load.Operations > n {
		v.found.add("budget.operations", "is %d, but load.operations is %d; allowed: at least that, and what the warm-up takes", n, load.Operations)
		return
	}
	if load.Mode != ModeQPS || !(load.Rate > 0) || len(v.found) > 0 { // a search may end long before its ceiling
		return
	}
	pace := NewPace(load.Rate, load.Ramp)
	asked := pace.Count((load.Duration + load.Cooldown).Std())
	if load.Operations > 0 && (load.Duration == 0 || float64(load.Operations) < asked) {
		asked = float64(load.Operations)
	}
	warmup := pace.RateAt(0) * load.Warmup.Std().Seconds()
	random := asked + warmup
	if load.Operations > 0 {
		random = warmup
	}
	asked += warmup
	about, least := "", math.Floor(asked*(1-1e-9))+1
	if load.Arrivals == ArrivalsPoisson && random > 0 {
		// As many on average: four deviations are hardly ever passed. The shares are dealt from
		// the first worker on, those of the warm-up and those of the rest, and so are the
		// arrivals: the room reaches the last worker where each has one more of both.
		about, least = "about ", math.Ceil(asked+poissonRoom*math.Sqrt(random))+2*float64(load.Workers-1)
	}
	if least > float64(n) {
		v.found.add("budget.operations", "is %d, but warm-up, measurement and cool-down start %s%.0f at that load.rate; allowed: at least %.0f", n, about, asked, least)
	}
}

// budgetTime refuses a budget that is over before the load is.
func (v *resolver) budgetTime(b RunBudget, s Scenario) {
	if b.Time == 0 && b.Credits == 0 {
		return
	}
	plan := s.Plan()
	least := plan.StartLead + s.Load.Warmup.Std() + s.Load.Duration.Std() + s.Load.Cooldown.Std() + budgetLead(plan.PhaseLead, s.Load.Interval.Std())
	least = (least + time.Millisecond - 1).Truncate(time.Millisecond)
	if b.Time > 0 && b.Time.Std() < least {
		v.found.add("budget.time", "is %s; allowed: at least %s, which is warm-up, duration, cooldown and the time that stopping takes", b.Time, least)
	}
	if b.Credits > 0 && b.CreditsPerHour > 0 && b.worth() < least {
		v.found.add("budget.credits", "is %s, which at %s per hour lasts %s; allowed: at least %s, for the %s of warm-up, duration, cooldown and stopping",
			amount(b.Credits), amount(b.CreditsPerHour), b.worth(), strconv.FormatFloat(1.001*least.Hours()*b.CreditsPerHour, 'g', 4, 64), least)
	}
}

// budgetLead is how long before the end of a budget's time STOP is published: a
// lead until every worker knows, an interval for what is in flight, and a lead
// until every worker knows that the rest is to be cancelled.
func budgetLead(phaseLead, interval time.Duration) time.Duration { return 2*phaseLead + interval }

// guardrails checks the bounds on the workers themselves.
func (v *resolver) guardrails() *Guardrails {
	t := v.template.Limits.Guardrails
	if t == (TemplateGuardrails{}) {
		return nil
	}
	for _, of := range []struct {
		field string
		value float64
	}{{"limits.guardrails.cpu", t.CPU}, {"limits.guardrails.memory", t.Memory}} {
		if of.value != 0 && !(of.value > 0 && of.value < 100) {
			v.found.add(of.field, "is %v; allowed: above 0 and below 100 percent, or none", of.value)
		}
	}
	if t.CPU == 0 && t.Memory == 0 {
		v.found.add("limits.guardrails.patience", "is %s, but there is no guardrail; set limits.guardrails.cpu or limits.guardrails.memory too", t.Patience)
	}
	return &Guardrails{CPU: t.CPU, Memory: t.Memory, Patience: v.atLeast("limits.guardrails.patience", t.Patience, defaultPatience, defaultInterval.Std())}
}
