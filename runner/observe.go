package runner

import (
	"slices"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// Observation is what a viewer is shown of a run while it is driven. It belongs
// to the viewer.
type Observation struct {
	Run      core.Run
	Scenario core.Scenario
	Now      time.Time // the store's clock
	// Interval is the newest one that every worker is in; nil before the first.
	Interval *ports.RunInterval
	// Measured is everything measured so far in MEASUREMENT.
	Measured []core.KindMetrics
	Workers  []core.WorkerHealth
	// Beats are the newest of all workers; shared, not to be changed.
	Beats []core.Beat
	// Search is where a search stands, in words; "": as Run tells.
	Search string
	// StoreTrouble is how long nothing could be committed; 0: it can.
	StoreTrouble time.Duration
}

func (d *driver) observe() {
	d.changed, d.shown = false, time.Now()
	if d.options.Observe == nil {
		return
	}
	o := Observation{Run: d.run, Scenario: d.scenario, Now: d.clock.now(), Workers: d.health()}
	o.Beats = d.beats
	if !d.putTrouble.IsZero() {
		o.StoreTrouble = time.Since(d.putTrouble)
	}
	o.Run.Workers = slices.Clone(d.run.Workers)
	if d.measured.latest != nil {
		latest := *d.measured.latest
		o.Interval = &latest
	}
	o.Measured = core.Measured(d.beats)
	d.options.Observe(o)
}

// health judges every worker by the age of its newest beat.
func (d *driver) health() []core.WorkerHealth {
	return core.HealthOf(d.run, d.beats, d.clock.now(), d.scenario.Load.Interval.Std())
}

// healthCounts count workers; ended are the indexes of those that made their final
// report, and completed those of them that ended in order.
type healthCounts struct {
	healthy, stale, lost int
	ended                []int
	completed            map[int]bool
}

func countHealth(list []core.WorkerHealth) healthCounts {
	c := healthCounts{completed: map[int]bool{}}
	for i, h := range list {
		switch {
		case h.Joining && h.Health != core.Lost: // its intervals are not waited for
		case h.Health == core.Healthy:
			c.healthy++
		case h.Health == core.Stale:
			c.stale++
		case h.Health == core.Lost:
			c.lost++
		case h.State.Final():
			c.ended = append(c.ended, i)
			if h.State == core.WorkerCompleted {
				c.completed[i] = true
			}
		}
	}
	return c
}
