package runner

import (
	"context"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// pursue adds workers to an open loop that cannot start its arrivals in time, where
// its scenario lets it.
func (d *driver) pursue(ctx context.Context, fresh []ports.RunInterval, now time.Time) (facts []core.Event) {
	load := d.scenario.Load
	if load.Initial == 0 || load.Mode != core.ModeQPS || d.run.Status != core.Running || !d.countSteps(ctx) {
		return nil
	}
	for i := range fresh {
		in := core.PursuitInterval{
			Start: fresh[i].Start, Seconds: fresh[i].Seconds, Kinds: fresh[i].Kinds, CPU: fresh[i].HostCPU,
			Connections: fresh[i].Target, Missing: fresh[i].Missing,
		}
		var (
			step *core.ControllerStep
			set  *core.LoadSet
		)
		d.pursuit, step, set = d.pursuit.Observe(d.run, load, in)
		if step != nil {
			d.log.Info("a step of the pursuit of the rate", "step", step.Number, "outcome", step.Outcome, "workers", step.Workers, "qps", step.QPS)
			d.unstored = append(d.unstored, *step)
		}
		if set != nil {
			set.At = now
			facts = append(facts, *set)
			break // what is left was measured under the load before
		}
	}
	return facts
}

// countSteps reads, once, how many steps a predecessor has stored.
func (d *driver) countSteps(ctx context.Context) bool {
	if d.resumed {
		return true
	}
	call, cancel := d.call(ctx)
	defer cancel()
	steps, err := d.ports.Results.Steps(call, d.run.ID)
	if err != nil {
		d.log.Warn("the steps so far could not be read", "error", err)
		return false
	}
	for _, step := range steps {
		if step.Type == core.StepQPSScaling {
			d.pursuit.Steps = max(d.pursuit.Steps, step.Number)
		}
	}
	d.resumed = true
	return true
}
