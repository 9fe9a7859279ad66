package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// DriveOptions say how a run is driven.
type DriveOptions struct {
	// Start requests the start, unless it was requested before.
	Start bool
	// Stop is read while the run is driven: each request is folded in at once,
	// even while the store cannot be written.
	Stop <-chan core.StopRequested
}

// ErrTakenOver is returned by Drive when another orchestrator has become the
// owner: the run goes on without this one.
var ErrTakenOver = fmt.Errorf("%w: another orchestrator has taken the run over", core.ErrConflict)

// StoreLostError is returned by an attached Drive that had to end its workers
// without the store.
type StoreLostError struct {
	Run    core.Run // as it ended, in memory
	Stored bool     // the end was stored after all
	Cause  error
}

// Error says what became of the run.
func (e *StoreLostError) Error() string {
	if e.Stored {
		return fmt.Sprintf("the store could not be written for a while, so the workers were ended from memory: %v", e.Cause)
	}
	return fmt.Sprintf("the store cannot be written, so the workers were ended from memory and the result is not stored: %v", e.Cause)
}

// Unwrap returns what the store said.
func (e *StoreLostError) Unwrap() error { return e.Cause }

// pace of the loop.
const (
	busyPoll   = 20 * time.Millisecond // while workers start or end
	effectWait = 10 * time.Second      // one attempt of an effect
	callWait   = 5 * time.Second       // one call of a port, at most
)

// driver is the state of one Drive.
type driver struct {
	*Runner
	run      core.Run
	scenario core.Scenario
	version  int64
	epoch    int // of ownership
	clock    storeClock
	pending  []core.Event        // folded into run since the last commit
	events   []core.ControlEvent // that they published
	dirty    bool                // run differs from what is committed

	beats    []core.Beat // the newest of each worker, with its last report
	counts   map[string]int64
	measured *series
	effects  *effects
	poll     time.Duration

	lastInspect time.Time
	lastBeats   time.Time
	lastAppend  time.Time
	lastRenew   time.Time // the lease was prolonged
	renewed     time.Time // the last successful commit
	lost        error     // the store is given up: what it said
	changed     bool      // something to observe
	spooled     bool      // the certificate is kept elsewhere
}

// Drive claims a run and drives it until it is terminal, or until ctx ends: then
// the run is left to a successor. Errors: Refused while another owner lives,
// ErrTakenOver, *StoreLostError, NotFound.
func (r *Runner) Drive(ctx context.Context, runID string, options DriveOptions) (core.Run, error) {
	d := &driver{Runner: r, counts: map[string]int64{}}
	if err := d.claim(ctx, runID, options); err != nil {
		return d.run, err
	}
	d.measured = newSeries(len(d.run.Workers))
	d.effects = newEffects(ctx)
	defer d.effects.wait()
	for !d.finished() {
		if err := d.step(ctx); err != nil {
			return d.run, err
		}
		if d.changed || d.run.Status.Terminal() {
			d.observe()
		}
		if d.run.Status.Terminal() && !d.dirty {
			break
		}
		if err := d.sleep(ctx, options.Stop); err != nil {
			return d.run, err
		}
	}
	if d.lost != nil {
		return d.run, &StoreLostError{Run: d.run, Stored: !d.dirty, Cause: d.lost}
	}
	return d.run, nil
}

// claim becomes the owner, and requests the start if it is asked to.
func (d *driver) claim(ctx context.Context, runID string, options DriveOptions) error {
	for {
		record, err := d.ports.Runs.Load(ctx, runID)
		if err != nil {
			return err
		}
		d.adopt(record)
		if record.Run.Status.Terminal() {
			return nil
		}
		lease := d.scenario.Limits.OwnerLease.Std()
		requests := []core.Event{core.OwnerClaimed{At: record.Now, Owner: d.options.Owner, Until: record.Now.Add(lease)}}
		if options.Start && record.Run.StartedAt.IsZero() {
			requests = append(requests, core.StartRequested{At: record.Now})
		}
		next, events, err := record.Run.Fold(requests...)
		if err != nil {
			return err
		}
		version, err := d.ports.Runs.Commit(ctx, record.Version, next, events, ports.Progress{})
		switch {
		case err == nil:
			d.run, d.version, d.epoch = next, version, next.OwnerEpoch
			d.renewed, d.lastRenew = time.Now(), time.Now()
			return nil
		case !errors.Is(err, core.ErrConflict) || ctx.Err() != nil:
			return err
		}
	}
}

func (d *driver) adopt(record ports.RunRecord) {
	d.run, d.scenario, d.version = record.Run, record.Scenario, record.Version
	d.clock.heard(record.Now)
	d.poll = d.scenario.Limits.ControlPoll.Std()
	d.pending, d.events, d.dirty, d.changed = nil, nil, false, true
}

// callWait bounds one call, so that several fit into a lease.
func (d *driver) callWait() time.Duration {
	return min(callWait, max(busyPoll, d.scenario.Limits.OwnerLease.Std()/3))
}

// step observes, folds, commits and executes, once.
func (d *driver) step(ctx context.Context) error {
	if err := d.reload(ctx); err != nil {
		return err
	}
	if err := d.fold(d.observeWorld(ctx)...); err != nil {
		return err
	}
	if err := d.fold(d.effects.finished()...); err != nil {
		return err
	}
	for { // a deadline may follow at once upon another
		deadline, ok := d.run.NextDeadline()
		now := d.clock.now()
		if !ok || now.Before(deadline) {
			break
		}
		if err := d.fold(core.Ticked{At: now}); err != nil {
			return err
		}
	}
	d.renew()
	if err := d.commit(ctx); err != nil {
		return err
	}
	d.execute(ctx)
	return nil
}

// fold folds facts into the run in memory; commit stores the result.
func (d *driver) fold(facts ...core.Event) error {
	for _, fact := range facts {
		next, _, err := d.run.Apply(fact)
		if err != nil {
			return err
		}
		if events := next.Emitted(); len(events) > 0 {
			d.events = append(d.events, events...)
		}
		d.run, d.dirty, d.changed = next, true, true
		d.pending = append(d.pending, fact)
	}
	return nil
}

// renew prolongs the lease three times as often as it ends.
func (d *driver) renew() {
	lease := d.scenario.Limits.OwnerLease.Std()
	if d.run.Status.Terminal() || time.Since(d.lastRenew) < lease/4 {
		return
	}
	now := d.clock.now()
	next, _, err := d.run.Apply(core.OwnerRenewed{At: now, Owner: d.options.Owner, Epoch: d.epoch, Until: now.Add(lease)})
	if err == nil {
		d.run, d.dirty, d.lastRenew = next, true, time.Now()
	}
}

// reload notices, by one cheap read, that somebody else has changed the run: a
// stop, or a new owner.
func (d *driver) reload(ctx context.Context) error {
	if d.lost != nil || d.dirty {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, d.callWait())
	defer cancel()
	control, err := d.ports.Workers.Control(ctx, d.run.ID, core.WorkerID(0))
	if err != nil {
		return d.storeFailed(ctx, err)
	}
	d.clock.heard(control.Now)
	if control.Version == d.version {
		return nil
	}
	return d.refresh(ctx)
}

// refresh loads the run anew, after somebody else has written it, and folds what
// is not committed yet into what they have made of it.
func (d *driver) refresh(ctx context.Context) error {
	record, err := d.ports.Runs.Load(ctx, d.run.ID)
	if err != nil {
		return d.storeFailed(ctx, err)
	}
	if !record.Run.Status.Terminal() && (record.Run.Owner != d.options.Owner || record.Run.OwnerEpoch != d.epoch) {
		d.run = record.Run
		return ErrTakenOver
	}
	pending := d.pending
	d.adopt(record)
	return d.fold(pending...)
}

// commit stores what was folded. The loser of a race loads, folds again, and
// commits in its next step.
func (d *driver) commit(ctx context.Context) error {
	if !d.dirty {
		return nil
	}
	call, cancel := context.WithTimeout(ctx, d.callWait())
	defer cancel()
	version, err := d.ports.Runs.Commit(call, d.version, d.run, d.events, d.progress())
	switch {
	case err == nil:
		d.version, d.renewed = version, time.Now()
		d.pending, d.events, d.dirty = nil, nil, false
		return nil
	case errors.Is(err, core.ErrConflict) && d.lost == nil:
		return d.refresh(ctx)
	default:
		return d.storeFailed(ctx, err)
	}
}

// sleep waits for the next thing to do: a deadline, an effect's end, a stop, or
// the next poll.
func (d *driver) sleep(ctx context.Context, stop <-chan core.StopRequested) error {
	wait := d.poll
	if d.run.Status == core.Starting || d.run.Status.Ending() || d.run.Status == core.Prepared {
		wait = min(wait, busyPoll)
	}
	if d.dirty {
		wait = max(wait, 100*time.Millisecond) // the store is away
	}
	if deadline, ok := d.run.NextDeadline(); ok {
		wait = min(wait, max(0, deadline.Sub(d.clock.now())))
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	case <-d.effects.wake:
	case request := <-stop:
		request.At = d.clock.now()
		return d.fold(request)
	}
	return nil
}
