package runner

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// owns reports whether nobody else can have become the owner meanwhile.
func (d *driver) owns() bool { return d.clock.now().Before(d.leased) }

// away reports whether the run goes on in memory only.
func (d *driver) away() bool { return d.lost != nil && d.dirty }

// call bounds one call of a port, so that several fit into an owner's lease, and
// a store that hangs does not hold up the end of the workers after that.
func (d *driver) call(ctx context.Context) (context.Context, context.CancelFunc) {
	wait := min(callWait, max(busyPoll, d.scenario.Limits.OwnerLease.Std()/3))
	if d.away() && !d.run.Status.Terminal() {
		wait = min(wait, awayWait)
	}
	return context.WithTimeout(ctx, wait)
}

// renew prolongs the lease: with every commit, and four times as often as it
// would end.
func (d *driver) renew() {
	lease, now := d.scenario.Limits.OwnerLease.Std(), d.clock.now()
	if d.run.Status.Terminal() || !d.dirty && d.run.OwnerLeaseUntil.Sub(now) > lease*3/4 {
		return
	}
	next, _, err := d.run.Apply(core.OwnerRenewed{At: now, Owner: d.options.Owner, Epoch: d.epoch, Until: now.Add(lease)})
	if err == nil {
		d.run, d.dirty = next, true
	}
}

// reload notices, by one cheap read, that somebody else has changed the run: a
// stop, or a new owner.
func (d *driver) reload(ctx context.Context) error {
	if d.dirty {
		return nil
	}
	call, cancel := d.call(ctx)
	defer cancel()
	control, err := d.ports.Workers.Control(call, d.run.ID, core.WorkerID(0))
	if err != nil {
		return d.storeFailed(ctx, err)
	}
	d.failing = time.Time{}
	d.clock.heard(control.Now)
	if control.Version == d.version {
		return nil
	}
	_, err = d.refresh(ctx)
	return err
}

// refresh loads the run anew, after somebody else has written it, and folds what
// is not committed yet into what they have made of it. It is false when the store
// does not answer.
func (d *driver) refresh(ctx context.Context) (bool, error) {
	call, cancel := d.call(ctx)
	defer cancel()
	record, err := d.ports.Runs.Load(call, d.run.ID)
	if err != nil {
		return false, d.storeFailed(ctx, err)
	}
	if record.Run.Owner == "" { // our last commit was stored after all, and has released it
		d.adopt(record)
		return true, nil
	}
	if !record.Run.Status.Terminal() && (record.Run.Owner != d.options.Owner || record.Run.OwnerEpoch != d.epoch) {
		d.run = record.Run
		d.log.Warn("another orchestrator has taken the run over", "owner", d.run.Owner)
		return false, ErrTakenOver
	}
	pending := d.pending
	if record.Run.Reason != d.run.Reason { // the stored result does not say so
		pending = slices.DeleteFunc(pending, func(ev core.Event) bool {
			_, released := ev.(core.ResourcesReleased)
			return released
		})
	}
	d.adopt(record)
	return true, d.fold(pending...)
}

// commit stores what was folded. The loser of a race loads, folds again, and
// commits again at once.
func (d *driver) commit(ctx context.Context) error {
	for range commitTries {
		if !d.dirty {
			return nil
		}
		err := d.put(ctx)
		switch {
		case err == nil:
			d.pending, d.events, d.dirty = nil, nil, false
			return nil
		case !errors.Is(err, core.ErrConflict):
			return d.storeFailed(ctx, err)
		}
		if there, err := d.refresh(ctx); err != nil || !there {
			return err
		}
	}
	return nil
}

// put is one try to store the run.
func (d *driver) put(ctx context.Context) error {
	if err := d.storeLate(ctx); err != nil {
		return d.troubled(err)
	}
	call, cancel := d.call(ctx)
	defer cancel()
	version, err := d.ports.Runs.Commit(call, d.version, d.run, d.events, d.progress())
	if err != nil {
		return d.troubled(err)
	}
	d.settled(&d.putTrouble)
	d.failing = time.Time{}
	d.version, d.leased, d.renewed = version, d.run.OwnerLeaseUntil, time.Now()
	return nil
}

// troubled notes since when nothing can be committed. A race that was lost is no
// trouble.
func (d *driver) troubled(err error) error {
	if d.putTrouble.IsZero() && !errors.Is(err, core.ErrConflict) {
		d.putTrouble = time.Now()
	}
	return err
}
