package runner

import (
	"context"
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
	busyPoll    = 20 * time.Millisecond  // while workers start or end
	awayPause   = 100 * time.Millisecond // between two tries of a store that is away
	awayWait    = 250 * time.Millisecond // one call of it while workers are ended from memory
	effectWait  = 10 * time.Second       // one attempt of an effect
	callWait    = 5 * time.Second        // one call of a port, at most
	commitTries = 5                      // races lost in one step
	showPace    = time.Second            // between two observations without news
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
	leased   time.Time           // store time until which this runner is known to be the owner

	beats    []core.Beat // the newest of each worker, with its last report
	counts   map[string]int64
	measured *series
	watched  *watched
	watch    core.SLOWatch
	guard    core.GuardrailWatch
	searcher searcher
	pursuit  core.Pursuit
	resumed  bool                  // pursuit knows the steps of a predecessor
	unstored []core.ControllerStep // of the pursuit
	effects  *effects
	poll     time.Duration
	stops    <-chan core.StopRequested

	lastInspect time.Time
	lastBeats   time.Time
	lastAppend  time.Time
	renewed     time.Time // the last successful commit
	failing     time.Time // since when the store fails; zero: it does not
	readTrouble time.Time // since when the beats cannot be read; zero: they can
	putTrouble  time.Time // since when nothing can be committed; zero: it can
	steady      time.Time // since when the store has been there
	lost        error     // the store is given up: what it said
	vanished    bool      // the run is no longer in the store
	insisted    bool      // the own user wants no more waiting
	ended       time.Time // the run ended in memory
	rolled      bool      // the result was stored
	changed     bool      // something to observe
	shown       time.Time // when it was observed last
	spooled     bool      // the certificate is kept elsewhere

	result      *ports.Progress // what is shown of the stored result
	told        core.Run        // what was announced
	outlined    core.Status     // of the outline that is stored
	outlineNext time.Time       // not again before this
	begun       bool            // the load was begun by this driver
	counted     bool            // so the use of the template is
	journal     *journal
	heard       heard
	journalNext time.Time // not again before this
	polls       warehousePolls
}

// Drive claims a run and drives it until it is terminal, or until the checks are
// made that it was asked for alone, or until ctx ends: then the run is left to a
// successor. Errors: Refused while another owner lives, or
// where the run's workers cannot be reached; ErrTakenOver, *StoreLostError,
// NotFound.
func (r *Runner) Drive(ctx context.Context, runID string, options DriveOptions) (core.Run, error) {
	d := &driver{Runner: r, counts: map[string]int64{}, watched: newWatched(), stops: options.Stop}
	if err := d.claim(ctx, runID, options.Start); err != nil {
		return d.run, err
	}
	d.journal = newJournal(runID, d.epoch)
	d.heard = heard{newest: map[core.WorkerKey]int64{}}
	own := *r
	own.log = d.journal.tee(r.log)
	d.Runner = &own
	defer d.closeJournal(ctx)
	d.measured = newSeries(len(d.run.Workers), d.measuredBefore())
	d.measured.shared = d.ports.Launcher.Capabilities().HostBound
	d.measured.watched = d.scenario.Limits.Guardrails != nil
	d.measured.nominal = d.scenario.Load.Interval.Std().Seconds()
	d.effects = newEffects(ctx, d.log)
	defer d.effects.wait()
	defer d.polls.group.Wait()
	for !d.finished() {
		if err := d.step(ctx); err != nil {
			return d.run, err
		}
		if d.changed || d.run.Status.Terminal() || time.Since(d.shown) >= showPace {
			d.observe()
		}
		if (d.run.Status.Terminal() || d.released()) && !d.dirty {
			break
		}
		if err := d.sleep(ctx); err != nil {
			return d.run, err
		}
	}
	if d.lost != nil {
		return d.run, &StoreLostError{Run: d.run, Stored: !d.dirty, Cause: d.lost}
	}
	return d.run, nil
}

// claim becomes the owner, and requests the start if it is asked to.
func (d *driver) claim(ctx context.Context, runID string, start bool) error {
	return insist(ctx, func(ctx context.Context) error {
		record, err := d.ports.Runs.Load(ctx, runID)
		if err != nil {
			return err
		}
		d.adopt(record)
		d.told = record.Run
		if record.Run.Status.Terminal() {
			return nil
		}
		if err := d.reaches(record); err != nil {
			return err
		}
		lease := d.scenario.Limits.OwnerLease.Std()
		requests := []core.Event{core.OwnerClaimed{At: record.Now, Owner: d.options.Owner, Until: record.Now.Add(lease)}}
		if start && record.Run.StartedAt.IsZero() {
			requests = append(requests, core.StartRequested{At: record.Now})
		}
		next, events, err := record.Run.Fold(requests...)
		if err != nil {
			return err
		}
		version, err := d.ports.Runs.Commit(ctx, record.Version, next, events, ports.Progress{})
		if err != nil {
			return err
		}
		d.run, d.version, d.epoch, d.leased = next, version, next.OwnerEpoch, next.OwnerLeaseUntil
		d.renewed, d.steady = time.Now(), time.Now()
		return nil
	})
}

// released reports whether the run needs no owner any more and says so: it was only
// to be checked.
func (d *driver) released() bool { return d.run.Owner == "" && !d.dirty }

// measuredBefore is how far a predecessor may have stored the time series.
func (d *driver) measuredBefore() time.Duration {
	if d.run.Origin.IsZero() {
		return 0
	}
	return d.clock.now().Sub(d.run.Origin) + 2*d.scenario.Load.Interval.Std()
}

// reaches refuses a run whose workers this runner could not find.
func (d *driver) reaches(record ports.RunRecord) error {
	if record.Host != "" && record.Host != d.options.Host {
		return fmt.Errorf("%w: run %s has its workers on the host %s, not on %s", core.ErrRefused, record.Run.ID, record.Host, d.options.Host)
	}
	if name := d.ports.Launcher.Capabilities().Name; record.Scenario.Launcher != "" && record.Scenario.Launcher != name {
		return fmt.Errorf("%w: run %s has its workers in the launcher %s, not in %s", core.ErrRefused, record.Run.ID, record.Scenario.Launcher, name)
	}
	return nil
}

func (d *driver) adopt(record ports.RunRecord) {
	d.run, d.scenario, d.version = record.Run, record.Scenario, record.Version
	d.clock.heard(record.Now)
	d.leased = record.Run.OwnerLeaseUntil
	d.poll = d.scenario.Limits.ControlPoll.Std()
	d.pending, d.events, d.dirty, d.changed = nil, nil, false, true
}

// step observes, folds, commits and executes, once.
func (d *driver) step(ctx context.Context) error {
	if err := d.reload(ctx); err != nil {
		return err
	}
	if err := d.fold(d.observeWorld(ctx)...); err != nil {
		return err
	}
	d.pollWarehouse(ctx)
	facts, result := d.effects.finished(d.run)
	if result != nil {
		d.result = result
	}
	if err := d.fold(facts...); err != nil {
		return err
	}
	if err := d.listen(); err != nil { // before any command of this step
		return err
	}
	for { // a deadline may follow at once upon another
		deadline, ok := d.run.NextDeadline()
		now := d.clock.now()
		if !ok || now.Before(deadline) {
			break
		}
		if err := d.fold(append(d.launchProblems(now), core.Ticked{At: now})...); err != nil {
			return err
		}
	}
	d.renew()
	if err := d.commit(ctx); err != nil {
		return err
	}
	d.storeSteps(ctx)
	d.execute(ctx)
	d.announce(ctx)
	return nil
}

// fold folds facts into the run in memory; commit stores the result. A run that
// has ended takes in nothing more.
func (d *driver) fold(facts ...core.Event) error {
	if len(facts) == 0 || d.run.Status.Terminal() {
		return nil
	}
	next, events, err := d.run.Fold(facts...)
	if err != nil {
		return err
	}
	for _, fact := range facts {
		_, stored := fact.(core.RollupStored)
		d.rolled = d.rolled || stored
	}
	d.run, d.dirty, d.changed = next, true, true
	d.events = append(d.events, events...)
	d.pending = append(d.pending, facts...)
	return nil
}

// listen folds in the requests that are there already.
func (d *driver) listen() error {
	for {
		select {
		case request, ok := <-d.stops:
			if err := d.requested(request, ok); err != nil || !ok {
				return err
			}
		default:
			return nil
		}
	}
}

// requested folds in one request of the own user. A channel that was closed has
// no more.
func (d *driver) requested(request core.StopRequested, ok bool) error {
	if !ok {
		d.stops = nil
		return nil
	}
	request.At = d.clock.now()
	d.insisted = d.insisted || request.Rung >= core.Terminate
	return d.fold(request)
}

// sleep waits for the next thing to do: a deadline, an effect's end, a stop, or
// the next poll.
func (d *driver) sleep(ctx context.Context) error {
	wait := d.poll
	if !d.run.StartedAt.IsZero() && d.run.Status != core.Running {
		wait = min(wait, max(busyPoll, d.poll/4))
	}
	if d.dirty {
		wait = max(wait, awayPause)
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
	case request, ok := <-d.stops:
		return d.requested(request, ok)
	}
	return nil
}
