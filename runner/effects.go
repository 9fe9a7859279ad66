package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// effects executes commands beside the loop: each in a goroutine of its own,
// with a deadline, at most once at a time, again after a pause for as long as
// it is owed.
type effects struct {
	ctx   context.Context
	stop  context.CancelFunc
	log   *slog.Logger
	wake  chan struct{} // a result is there
	group sync.WaitGroup

	attempts map[core.Command]*attempt // of the loop's goroutine only

	mu   sync.Mutex
	done []outcome
}

// attempt is what has been tried for one command.
type attempt struct {
	cancel context.CancelFunc
	ended  chan struct{}
	next   time.Time // not again before this
	tries  int

	problem error // of the last try; valid once it has ended
	once    bool  // it was done, and must not be done again
}

// outcome is what came of one try, the run as the try knew it, and what is shown
// of its result if that is stored now.
type outcome struct {
	fact   core.Event
	run    core.Run
	result *ports.Progress
}

func (a *attempt) running() bool {
	select {
	case <-a.ended:
		return false
	default:
		return true
	}
}

func newEffects(ctx context.Context, log *slog.Logger) *effects {
	ctx, stop := context.WithCancel(ctx)
	return &effects{ctx: ctx, stop: stop, log: log, wake: make(chan struct{}, 1), attempts: map[core.Command]*attempt{}}
}

// wait ends every effect and waits for all of them.
func (e *effects) wait() {
	e.stop()
	e.group.Wait()
}

// finished returns the facts that effects have found since the last call, and
// what is shown of the result if they have stored it. That everything is released
// is no fact any more when the run was ended otherwise meanwhile: then its stored
// result must be stored anew.
func (e *effects) finished(now core.Run) (facts []core.Event, result *ports.Progress) {
	e.mu.Lock()
	done := e.done
	e.done = nil
	e.mu.Unlock()
	for _, o := range done {
		if o.result != nil {
			result = o.result
		}
		if _, released := o.fact.(core.ResourcesReleased); !released || sameEnd(&o.run, &now) {
			facts = append(facts, o.fact)
		}
	}
	return facts, result
}

// sameEnd reports whether two states of a run give the same result.
func sameEnd(a, b *core.Run) bool {
	return a.Reason == b.Reason && a.Outcome() == b.Outcome() &&
		slices.EqualFunc(a.Workers, b.Workers, func(a, b core.WorkerRecord) bool { return a.Reported == b.Reported })
}

// due reports whether a command should be begun now: it does not run already,
// has not run a moment ago, and is not done for good.
func (e *effects) due(command core.Command) bool {
	a := e.attempts[command]
	return a == nil || !a.running() && !a.once && !time.Now().Before(a.next)
}

// waiting reports whether results are there that the loop has not folded in.
func (e *effects) waiting() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.done) > 0
}

// problem is why the last try for a command failed; nil while nothing is known.
func (e *effects) problem(command core.Command) error {
	if a := e.attempts[command]; a != nil && !a.running() {
		return a.problem
	}
	return nil
}

// start executes a command that is due.
func (e *effects) start(command core.Command, timeout time.Duration, p performance) {
	a := e.attempts[command]
	if a == nil {
		a = &attempt{}
		e.attempts[command] = a
	}
	a.tries++
	a.next = time.Now().Add(min(time.Second, 50*time.Millisecond<<min(a.tries, 5)))
	ctx, cancel := context.WithTimeout(e.ctx, timeout)
	ended := make(chan struct{})
	a.cancel, a.ended = cancel, ended
	e.group.Go(func() {
		defer close(ended)
		defer cancel()
		fact, err := p.perform(ctx, command)
		a.problem = err
		if _, gentle := command.(core.TerminateWorker); gentle {
			a.once = err == nil // a worker takes a second signal as "abandon"
		}
		if err != nil && ctx.Err() == nil {
			e.log.Warn("an effect failed and is tried again while it is owed", "effect", fmt.Sprintf("%T", command), "error", err)
		}
		if fact == nil {
			return
		}
		e.mu.Lock()
		e.done = append(e.done, outcome{fact, p.run, p.result})
		e.mu.Unlock()
		select {
		case e.wake <- struct{}{}:
		default:
		}
	})
}

// retain ends the attempts of commands that are no longer owed.
func (e *effects) retain(owed []core.Command) {
	for command, a := range e.attempts {
		if !slices.Contains(owed, command) {
			a.cancel()
			if !a.running() {
				delete(e.attempts, command)
			}
		}
	}
}

// execute begins every outstanding command of the committed run, for as long as
// this runner is its owner. While the store is away nothing new is begun, unless
// it was given up.
func (d *driver) execute(ctx context.Context) {
	if ctx.Err() != nil || d.effects.waiting() || !d.away() && (d.dirty || !d.owns()) {
		return
	}
	owed := d.run.Outstanding()
	d.effects.retain(owed)
	for _, command := range owed {
		if !d.effects.due(command) {
			continue
		}
		timeout := effectWait
		switch c := command.(type) {
		case core.RunPreflight: // its findings shall be there before its deadline
			timeout = d.run.Plan.PreflightTimeout * 9 / 10
		case core.LaunchWorker:
			timeout = d.run.Plan.StartTimeout
		case core.StoreRollup: // so that one that hangs is tried again
			timeout = max(effectWait, d.run.Plan.ProcessingTimeout/3)
		case core.LocateWorker: // an attempt to launch it must have ended first
			if a := d.effects.attempts[core.LaunchWorker(c)]; a != nil && a.running() {
				continue
			}
		}
		d.effects.start(command, timeout, d.performance())
	}
}

// performance binds a command to a snapshot of what it needs, so that it can run
// beside the loop.
func (d *driver) performance() performance {
	return performance{Runner: d.Runner, run: d.run, scenario: d.scenario, beats: d.beats, clock: d.clock, measured: d.measured.clone(), watched: d.watched, unstored: slices.Clone(d.unstored)}
}

// launchProblems says of each worker that could not be launched until now why,
// when the time to start, or to join, is over.
func (d *driver) launchProblems(now time.Time) []core.Event {
	if d.run.Status != core.Starting && d.run.Status != core.Running {
		return nil
	}
	var facts []core.Event
	for i, w := range d.run.Workers {
		if w.Joining && w.JoinBy.After(now) || !w.Joining && (d.run.Status != core.Starting || d.run.Deadline.After(now)) {
			continue
		}
		err := d.effects.problem(core.LaunchWorker{Worker: i, Epoch: w.Epoch})
		if w.Life == core.Launching && err != nil { // nothing but the message is news
			facts = append(facts, core.BeatSeen{At: now, Worker: i, Epoch: w.Epoch, State: w.State, Connections: w.Connections, Detail: err.Error()})
		}
	}
	return facts
}

// performance executes one command.
type performance struct {
	*Runner
	run      core.Run
	scenario core.Scenario
	beats    []core.Beat
	clock    storeClock
	measured *series
	watched  *watched
	unstored []core.ControllerStep // of the pursuit
	result   *ports.Progress       // what is shown of the result, once it is stored
}

// perform returns the fact that answers the command, or nil when its answer is
// seen elsewhere or it must be tried again.
func (p *performance) perform(ctx context.Context, command core.Command) (core.Event, error) {
	switch c := command.(type) {
	case core.RunPreflight:
		findings, sampled, most := p.preflight(ctx, p.scenario)
		pools, err := p.storePools(ctx, findings, sampled)
		if err != nil {
			return nil, err
		}
		return core.PreflightFinished{Findings: findings, Pools: pools, Most: most, At: p.clock.now()}, nil
	case core.LaunchWorker:
		return p.launch(ctx, c)
	case core.LocateWorker:
		return p.locate(ctx, c)
	case core.CancelSessions:
		return nil, p.cancelSessions(ctx)
	case core.TerminateWorker:
		return nil, p.end(ctx, c.Worker, ports.Gentle, "asked a worker to end")
	case core.KillWorker:
		return nil, p.end(ctx, c.Worker, ports.Hard, "killed a worker")
	case core.CountSessions:
		return p.countSessions(ctx), nil
	case core.StoreRollup:
		return p.storeRollup(ctx)
	case core.ReleaseResources:
		return p.release(ctx)
	default:
		return nil, fmt.Errorf("%w: unknown command %T", core.ErrInternal, command)
	}
}

// end stops a worker through its launcher, and logs that it did.
func (p *performance) end(ctx context.Context, worker int, force ports.Force, did string) error {
	w := &p.run.Workers[worker]
	err := p.ports.Launcher.Stop(ctx, w.Handle, force)
	if err == nil {
		p.log.Info(did, "worker", w.ID)
	}
	return err
}

func (p *performance) key(worker, epoch int) core.WorkerKey {
	return core.WorkerKey{RunID: p.run.ID, WorkerID: p.run.Workers[worker].ID, Epoch: epoch}
}

func (p *performance) launch(ctx context.Context, c core.LaunchWorker) (core.Event, error) {
	limits := p.scenario.Limits
	life := limits.StartTimeout.Std() + limits.RunLimit.Std() + limits.DrainTimeout.Std() + limits.WorkerLease.Std()
	handle, err := p.ports.Launcher.Launch(ctx, ports.WorkerSpec{
		Key:         p.key(c.Worker, c.Epoch),
		GroupID:     c.Worker,
		GroupCount:  len(p.run.Workers),
		Environment: p.contract(c),
		Secrets:     p.options.Secrets,
		ExpiresAt:   p.clock.now().Add(life),
	})
	switch {
	case err == nil:
		return core.WorkerLaunched{At: p.clock.now(), Worker: c.Worker, Epoch: c.Epoch, Handle: handle}, nil
	case core.Retryable(err) || ctx.Err() != nil:
		return nil, err
	default:
		return core.LaunchFailed{At: p.clock.now(), Worker: c.Worker, Epoch: c.Epoch, Detail: err.Error()}, nil
	}
}

// contract is the environment of a worker, the same on every launcher.
func (p *performance) contract(c core.LaunchWorker) []ports.EnvVar {
	environment := append(slices.Clone(p.options.Environment),
		ports.EnvVar{Name: ports.EnvRunID, Value: p.run.ID},
		ports.EnvVar{Name: ports.EnvWorkerID, Value: p.run.Workers[c.Worker].ID},
		ports.EnvVar{Name: ports.EnvGroupID, Value: strconv.Itoa(c.Worker)},
		ports.EnvVar{Name: ports.EnvGroupCount, Value: strconv.Itoa(len(p.run.Workers))},
		ports.EnvVar{Name: ports.EnvEpoch, Value: strconv.Itoa(c.Epoch)},
	)
	if grace := p.ports.Launcher.Capabilities().Grace; grace > 0 {
		environment = append(environment, ports.EnvVar{Name: ports.EnvGrace, Value: grace.String()})
	}
	return environment
}

// locate finds out what a launch of unknown outcome has left.
func (p *performance) locate(ctx context.Context, c core.LocateWorker) (core.Event, error) {
	launches, err := p.ports.Launcher.List(ctx, p.run.ID)
	if err != nil {
		return nil, err
	}
	key := p.key(c.Worker, c.Epoch)
	for _, l := range launches {
		if l.Key == key {
			return core.WorkerLaunched{At: p.clock.now(), Worker: c.Worker, Epoch: c.Epoch, Handle: l.Handle}, nil
		}
	}
	return core.WorkerExited{At: p.clock.now(), Worker: c.Worker, Epoch: c.Epoch, Exit: core.Exit{Code: -1, Cause: "never launched"}}, nil
}

func (p *performance) sessions() []string {
	var all []string
	for i := range p.beats {
		all = append(all, p.beats[i].Sessions...)
	}
	return all
}

func (p *performance) cancelSessions(ctx context.Context) error {
	err := p.ports.Target.CancelSessions(ctx, p.sessions())
	if errors.Is(err, core.ErrUnsupported) {
		return nil // sessions live inside the workers, which the next rungs end
	}
	return err
}

// countSessions asks the target. Sessions that no worker has told cannot be
// asked after, so then nothing counted is not nothing.
func (p *performance) countSessions(ctx context.Context) core.Event {
	count, err := p.ports.Target.Running(ctx, p.sessions())
	switch untold := p.untold(); {
	case err != nil:
		count = core.RunningCount{Why: p.hide.text(err.Error())}
	case count.Known && count.Count == 0 && len(untold) > 0:
		count = core.RunningCount{Why: "the sessions of " + strings.Join(untold, ", ") + " were never told"}
	}
	return core.SessionsCounted{At: p.clock.now(), Running: count}
}

// untold names the workers that were launched and never said what sessions they
// have.
func (p *performance) untold() []string {
	var names []string
	for i, w := range p.run.Workers {
		if !w.Handle.Zero() && (i >= len(p.beats) || p.beats[i].Count == 0 || p.beats[i].State == core.WorkerStarting) {
			names = append(names, w.ID)
		}
	}
	return names
}
