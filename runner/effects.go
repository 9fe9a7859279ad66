package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
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
	wake  chan struct{} // a result is there
	group sync.WaitGroup

	attempts map[core.Command]*attempt // of the loop's goroutine only

	mu   sync.Mutex
	done []core.Event
}

type attempt struct {
	cancel context.CancelFunc
	ended  chan struct{}
	next   time.Time // not again before this
	tries  int
}

func (a *attempt) running() bool {
	select {
	case <-a.ended:
		return false
	default:
		return true
	}
}

func newEffects(ctx context.Context) *effects {
	ctx, stop := context.WithCancel(ctx)
	return &effects{ctx: ctx, stop: stop, wake: make(chan struct{}, 1), attempts: map[core.Command]*attempt{}}
}

// wait ends every effect and waits for all of them.
func (e *effects) wait() {
	e.stop()
	e.group.Wait()
}

// finished returns the facts that effects have found since the last call.
func (e *effects) finished() []core.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	facts := e.done
	e.done = nil
	return facts
}

// due reports whether a command should be begun now: it does not run already,
// and has not run a moment ago.
func (e *effects) due(command core.Command) bool {
	a := e.attempts[command]
	return a == nil || !a.running() && !time.Now().Before(a.next)
}

// start executes perform for a command that is due.
func (e *effects) start(command core.Command, timeout time.Duration, perform func(context.Context) []core.Event) {
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
		facts := perform(ctx)
		e.mu.Lock()
		e.done = append(e.done, facts...)
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
		if !contains(owed, command) {
			a.cancel()
			if !a.running() {
				delete(e.attempts, command)
			}
		}
	}
}

func contains(list []core.Command, command core.Command) bool {
	for _, c := range list {
		if c == command {
			return true
		}
	}
	return false
}

// execute begins every outstanding command of the committed run. While the
// store is away nothing new is begun, unless it was given up.
func (d *driver) execute(ctx context.Context) {
	if d.dirty && d.lost == nil || ctx.Err() != nil {
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
		case core.RunPreflight:
			timeout = d.run.Plan.PreflightTimeout
		case core.LaunchWorker:
			timeout = d.run.Plan.StartTimeout
		case core.StoreRollup:
			timeout = d.run.Plan.ProcessingTimeout
		case core.LocateWorker: // an attempt to launch it must have ended first
			if a := d.effects.attempts[core.LaunchWorker(c)]; a != nil && a.running() {
				continue
			}
		}
		d.effects.start(command, timeout, d.performer(command))
	}
}

// performer binds a command to a snapshot of what it needs, so that it can run
// beside the loop.
func (d *driver) performer(command core.Command) func(context.Context) []core.Event {
	p := performance{Runner: d.Runner, run: d.run, scenario: d.scenario, beats: d.beats, clock: d.clock, measured: d.measured.clone()}
	return func(ctx context.Context) []core.Event {
		fact, err := p.perform(ctx, command)
		if err != nil && ctx.Err() == nil {
			d.log.Warn("an effect failed and is tried again while it is owed", "effect", fmt.Sprintf("%T", command), "error", err)
		}
		if fact == nil {
			return nil
		}
		return []core.Event{fact}
	}
}

// performance executes one command.
type performance struct {
	*Runner
	run      core.Run
	scenario core.Scenario
	beats    []core.Beat
	clock    storeClock
	measured *series
}

// perform returns the fact that answers the command, or nil when its answer is
// seen elsewhere or it must be tried again.
func (p *performance) perform(ctx context.Context, command core.Command) (core.Event, error) {
	switch c := command.(type) {
	case core.RunPreflight:
		return core.PreflightFinished{Findings: p.Preflight(ctx, p.scenario), At: p.clock.now()}, nil
	case core.LaunchWorker:
		return p.launch(ctx, c)
	case core.LocateWorker:
		return p.locate(ctx, c)
	case core.CancelSessions:
		return nil, p.cancelSessions(ctx)
	case core.TerminateWorker:
		return nil, p.ports.Launcher.Stop(ctx, p.run.Workers[c.Worker].Handle, ports.Gentle)
	case core.KillWorker:
		return nil, p.ports.Launcher.Stop(ctx, p.run.Workers[c.Worker].Handle, ports.Hard)
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

func (p *performance) countSessions(ctx context.Context) core.Event {
	count, err := p.ports.Target.Running(ctx, p.sessions())
	if err != nil {
		count = core.RunningCount{Why: err.Error()}
	}
	return core.SessionsCounted{At: p.clock.now(), Running: count}
}
