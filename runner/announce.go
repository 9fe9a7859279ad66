package runner

import (
	"context"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// announce tells the world beside the machine what the run says now and did not
// say when it was committed before: the log, the row of its result, its
// template. A run that is driven in memory only is told to the log alone.
func (d *driver) announce(ctx context.Context) {
	if !d.dirty || d.away() {
		before := d.told
		d.told = d.run
		d.logChanges(&before, &d.run)
		d.begun = d.begun || before.Origin.IsZero() && !d.run.Origin.IsZero()
	}
	if !d.dirty && d.owns() {
		d.outline(ctx)
		d.countUse(ctx)
	}
	d.keepJournal(ctx)
}

// outline stores the row of the result before there is a result, so that others
// see the run there while it goes on. It is not begun once the run is ending, nor
// does it outlast the lease: so it takes the place of no result.
func (d *driver) outline(ctx context.Context) {
	status := d.run.Status
	if status != core.Starting && status != core.Running || status == d.outlined || time.Now().Before(d.outlineNext) {
		return
	}
	call, cancel := d.call(ctx)
	defer cancel()
	call, release := context.WithTimeout(call, d.leased.Sub(d.clock.now()))
	defer release()
	scenario := d.scenario
	err := d.ports.Results.PutRollup(call, core.Rollup{
		RunID: d.run.ID, Name: scenario.Name, TemplateID: scenario.TemplateID, Status: status,
		Start: d.run.StartedAt, Connections: scenario.Load.Connections, Scenario: &scenario,
	}, nil)
	if err != nil {
		d.outlineNext = time.Now().Add(scenario.Load.Interval.Std())
		d.log.Warn("the outline of the result could not be stored", "error", err)
		return
	}
	d.outlined = status
}

// countUse counts the use of the template once the load is to begin. It is not
// tried again: the count may have been stored.
func (d *driver) countUse(ctx context.Context) {
	if !d.begun || d.counted || d.scenario.TemplateID == "" {
		return
	}
	d.counted = true
	call, cancel := d.call(ctx)
	defer cancel()
	if err := d.ports.Templates.Used(call, d.scenario.TemplateID); err != nil {
		d.log.Warn("the use of the template could not be counted", "error", err)
	}
}
