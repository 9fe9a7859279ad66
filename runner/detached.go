package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// storeFailed decides what a failing store means. Within one owner lease it is
// waited for. After that an attached runner ends its workers from memory; a
// service stops driving and touches nothing.
func (d *driver) storeFailed(ctx context.Context, err error) error {
	switch core.CodeOf(err) {
	case core.NotFound:
		return fmt.Errorf("run %s has vanished from the store: %w", d.run.ID, err)
	case core.Conflict:
		return err
	}
	if ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return ctx.Err()
	}
	away := time.Since(d.renewed)
	if away < d.scenario.Limits.OwnerLease.Std() || d.lost != nil {
		return nil
	}
	d.log.Error("the store cannot be written", "for", away, "error", err)
	if !d.options.Attached {
		return fmt.Errorf("run %s: the store could not be written for %s; the workers end by their leases: %w", d.run.ID, away.Round(time.Millisecond), err)
	}
	d.lost = err
	return d.fold(core.StopRequested{
		At: d.clock.now(), Reason: core.Guardrail, Rung: core.Terminate,
		Detail: fmt.Sprintf("the store could not be written for %s: %v", away.Round(time.Millisecond), err),
	})
}

// finished reports whether nothing more can be done: the run is terminal, and
// either stored or, for an attached runner without a store, given up after
// StoreRetry.
func (d *driver) finished() bool {
	if !d.run.Status.Terminal() {
		return false
	}
	if !d.dirty {
		return true
	}
	if d.lost == nil {
		return false
	}
	d.spool()
	return time.Since(d.renewed) > d.scenario.Limits.OwnerLease.Std()+d.options.StoreRetry
}

// spool keeps the certificate where the store cannot.
func (d *driver) spool() {
	if d.options.Spool == nil || d.spooled {
		return
	}
	text, err := json.MarshalIndent(d.run.Certificate(), "", "  ")
	if err == nil {
		err = d.options.Spool("certificate-"+d.run.ID+".json", append(text, '\n'))
	}
	if err != nil {
		d.log.Error("the stop certificate could not be kept", "error", err)
	}
	d.spooled = err == nil
}
