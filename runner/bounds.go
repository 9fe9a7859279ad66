package runner

import (
	"context"
	"slices"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// budget ends a run of which a worker has used up its share of the budget: the
// worker starts nothing more, so the load is not what was asked.
func (d *driver) budget(now time.Time) []core.Event {
	if d.scenario.Budget == nil || d.run.Status != core.Running {
		return nil
	}
	for i := range d.beats {
		if what := d.beats[i].Report.Spent; what != "" {
			return []core.Event{core.StopRequested{At: now, Reason: core.Budget, Detail: d.scenario.Budget.Spent(what, d.scenario.Load, i)}}
		}
	}
	return nil
}

// guardrails watches what every worker uses itself, interval by interval: one that
// exceeds is told to back off, is degraded, and fails the run when all do. A
// successor begins anew.
func (d *driver) guardrails(now time.Time) (facts []core.Event) {
	usage := d.measured.usage
	d.measured.usage = nil
	policy, ok := d.scenario.Guard()
	if !ok || d.run.Status != core.Running {
		return nil
	}
	workers := slices.Clone(d.run.Workers) // as they will be, once the facts are folded
	for _, u := range usage {
		w := &workers[u.Worker]
		var step core.GuardrailStep
		d.guard, step = d.guard.Observe(policy, u, *w, d.run.Plan.Opens(u.Worker))
		switch {
		case step.Target > 0:
			w.Target = step.Target
			facts = append(facts, core.WorkerBackedOff{At: now, Worker: u.Worker, Epoch: w.Epoch, Target: step.Target, Detail: step.Detail})
		case step.Degrade:
			w.Degraded = true
			facts = append(facts, core.WorkerDegraded{At: now, Worker: u.Worker, Epoch: w.Epoch, Detail: step.Detail})
		}
	}
	if detail := d.guard.Failed(policy, workers); len(usage) > 0 && detail != "" {
		facts = append(facts, core.GuardrailFailed{At: now, Detail: detail})
	}
	return facts
}

// checkBounds tells what the run may use up. That it suffices for what is asked was
// checked when the scenario was resolved.
func checkBounds(_ context.Context, s core.Scenario) []core.Finding {
	if s.Budget == nil {
		return nil
	}
	return []core.Finding{ok("budget", "%s", s.Budget)}
}
