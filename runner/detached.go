package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// storeFailed decides what a failing store means. Within one owner lease it is
// waited for. After that an attached runner ends its workers from memory; a
// service stops driving and touches nothing. An attached runner whose own user
// has asked for the hard end does not wait.
func (d *driver) storeFailed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if d.failing.IsZero() {
		d.failing = time.Now()
	}
	away, gone, lease := time.Since(d.renewed), core.CodeOf(err) == core.NotFound, d.scenario.Limits.OwnerLease.Std()
	// One failed call after a long time in which none was made, because this
	// process stood still, says nothing of the store.
	over := away >= lease && time.Since(d.failing) >= lease/4
	insisted := d.insisted && d.options.Attached && d.dirty
	if d.lost != nil || !gone && !insisted && !over {
		return nil
	}
	detail := fmt.Sprintf("the store could not be written for %s", away.Round(time.Millisecond))
	if gone {
		detail = fmt.Sprintf("run %s has vanished from the store", d.run.ID)
	}
	d.log.Error(detail, "error", err)
	if !d.options.Attached {
		return fmt.Errorf("run %s: %s; the workers end by their leases: %w", d.run.ID, detail, err)
	}
	d.lost, d.vanished = err, gone
	if insisted || !d.run.GoneAt.IsZero() { // nobody is left to be ended, or it is being done
		d.dirty = true
		return nil
	}
	return d.fold(core.StopRequested{
		At: d.clock.now(), Reason: core.Guardrail, Rung: core.Terminate, Detail: detail + ": " + err.Error(),
	})
}

// finished reports whether nothing more can be done: the run is terminal, and
// either stored or, for an attached runner without a store, given up after
// StoreRetry.
func (d *driver) finished() bool {
	terminal := d.run.Status.Terminal()
	if d.released() {
		return true
	}
	if d.away() && (terminal || d.run.Running != core.RunningCount{}) {
		d.spool() // the certificate is complete
	}
	if !terminal || !d.dirty {
		return terminal
	}
	if d.ended.IsZero() {
		d.ended = time.Now()
	}
	return d.lost != nil && (d.vanished || time.Since(d.ended) > d.options.StoreRetry)
}

// storeLate stores the result of a run that has ended in memory, before its end
// itself is stored.
func (d *driver) storeLate(ctx context.Context) error {
	if d.lost == nil || d.rolled || !d.run.Status.Terminal() || d.run.GoneAt.IsZero() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, effectWait)
	defer cancel()
	p := d.performance()
	if _, err := p.storeRollup(ctx); err != nil {
		return err
	}
	d.rolled, d.result = true, p.result
	if err := p.releaseAll(ctx); err != nil {
		d.log.Warn("gc has to release what is left of the workers", "error", err)
	}
	return nil
}

// spool keeps the certificate where the store cannot.
func (d *driver) spool() {
	if d.options.Spool == nil || d.spooled {
		return
	}
	d.spooled = true // once: what cannot be written now will not be in a moment
	text, err := json.MarshalIndent(d.run.Certificate(), "", "  ")
	if err == nil {
		err = d.options.Spool("certificate-"+d.run.ID+".json", append(text, '\n'))
	}
	if err != nil {
		d.log.Error("the stop certificate could not be kept", "error", err)
	}
}
