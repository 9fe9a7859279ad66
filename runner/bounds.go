package runner

import (
	"context"
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

// checkBounds tells what the run may use up. That it suffices for what is asked was
// checked when the scenario was resolved.
func checkBounds(_ context.Context, s core.Scenario) []core.Finding {
	if s.Budget == nil {
		return nil
	}
	return []core.Finding{ok("budget", "%s", s.Budget)}
}
