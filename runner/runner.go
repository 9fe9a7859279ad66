// Package runner is the orchestrator: it drives one run at a time through its
// life, by folding what it observes into core's machine, committing the result,
// and executing the commands that the machine owes. It decides nothing itself.
//
// It is not a scheduler of many runs and not a server: a program that wants to
// drive several runs calls Drive for each.
//
// Laws: a state is committed before any command of it is executed; every
// command is idempotent and may be executed again after a crash; only the owner
// of a run executes commands; every effect has a deadline, and every goroutine
// has ended when Drive returns.
package runner

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// Ports are what an orchestrator reaches the world through. All are required.
type Ports struct {
	Runs      ports.RunStore
	Workers   ports.WorkerStore
	Results   ports.ResultStore
	Templates ports.TemplateStore
	Schema    ports.Schema
	Logs      ports.LogStore
	Pools     ports.PoolStore
	Launcher  ports.Launcher
	Target    ports.Target
}

// FromStore fills in every role that a whole store plays.
func FromStore(s ports.Store, launcher ports.Launcher, target ports.Target) Ports {
	return Ports{Runs: s, Workers: s, Results: s, Templates: s.Templates(), Schema: s, Logs: s.Logs(), Pools: s.Pools(), Launcher: launcher, Target: target}
}

// Options are the rest of what a Runner can be told. The zero value works where
// a comment names a default.
type Options struct {
	// Owner identifies this orchestrator among all others, for ever. Required.
	Owner string
	// Host is where handles of a host-bound launcher mean something.
	Host string
	// Gateway is the address (host:port) at which this program serves the store to
	// the workers of the runs that it creates; empty where they reach the store
	// themselves.
	Gateway string
	// Build of this binary; every worker must have the same.
	Build core.Build
	// Environment is given to every worker, beside the worker contract's own.
	Environment []ports.EnvVar
	// Secrets are given to every worker the way its launcher forwards secrets.
	Secrets []ports.EnvVar
	// TargetElsewhere says that the address in Environment by which workers reach
	// the target is not that of this program, so that nothing follows from it.
	TargetElsewhere bool
	// Observe is called after every step that changed something, from the
	// goroutine that drives. It must return soon.
	Observe func(Observation)
	// Attached says that the workers must not outlive a store that cannot be
	// written: after one owner lease they are terminated from memory. A service
	// leaves it false: then worker leases and a successor end the run.
	Attached bool
	// Spool keeps a document (a stop certificate) where the store cannot; nil
	// keeps nothing.
	Spool func(name string, content []byte) error
	// StoreRetry is how long an attached runner goes on trying to store the end
	// of a run. Default 5 min.
	StoreRetry time.Duration
	// Logger gets what happens; nil: nothing is logged. What is logged of a run
	// while it is driven is stored under it as well, at level INFO and above.
	Logger *slog.Logger
}

// Runner drives runs.
type Runner struct {
	ports   Ports
	options Options
	log     *slog.Logger
	hide    redaction // of what is stored
}

// New returns a Runner, or an error that names everything that is missing.
func New(p Ports, o Options) (*Runner, error) {
	var missing []string
	for _, need := range []struct {
		name string
		have bool
	}{
		{"Ports.Runs", p.Runs != nil}, {"Ports.Workers", p.Workers != nil}, {"Ports.Results", p.Results != nil},
		{"Ports.Templates", p.Templates != nil}, {"Ports.Schema", p.Schema != nil}, {"Ports.Logs", p.Logs != nil},
		{"Ports.Launcher", p.Launcher != nil}, {"Ports.Target", p.Target != nil}, {"Options.Owner", o.Owner != ""},
	} {
		if !need.have {
			missing = append(missing, need.name)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%w: runner needs %s", core.ErrInvalid, strings.Join(missing, ", "))
	}
	if o.StoreRetry == 0 {
		o.StoreRetry = 5 * time.Minute
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	hide := redactionOf(o.Secrets)
	p.Launcher = discreet{p.Launcher, hide}
	return &Runner{ports: p, options: o, log: o.Logger, hide: hide}, nil
}

// Create stores a new run of the scenario, PREPARED.
func (r *Runner) Create(ctx context.Context, runID string, scenario core.Scenario) (ports.RunRecord, error) {
	home := ports.Home{Gateway: r.options.Gateway}
	if r.ports.Launcher.Capabilities().HostBound || home.Gateway != "" {
		home.Host = r.options.Host
	}
	return r.ports.Runs.Create(ctx, core.NewRun(runID, scenario.Plan()), scenario, home)
}

// Run creates a run, starts it and drives it to its end.
func (r *Runner) Run(ctx context.Context, runID string, scenario core.Scenario) (core.Run, error) {
	if _, err := r.Create(ctx, runID, scenario); err != nil {
		return core.Run{}, err
	}
	return r.Drive(ctx, runID, DriveOptions{Start: true})
}

// RequestStop publishes the stop of a run and returns the run as it then is. It
// does not wait for the end, and needs nobody's help: workers read the stop in
// the store. It works in every state, and repeating it changes nothing.
func RequestStop(ctx context.Context, runs ports.RunStore, runID string, stop core.StopRequested) (core.Run, error) {
	return Request(ctx, runs, runID, func(now time.Time) core.Event {
		stop.At = now
		return stop
	})
}

// Request folds one request into a run and commits it, again while others are
// faster or the store is away, for 10 s at most. A request that cannot be
// repeated may be refused because its first try was stored after all.
func Request(ctx context.Context, runs ports.RunStore, runID string, request func(now time.Time) core.Event) (run core.Run, err error) {
	var refused error
	err = insist(ctx, func(ctx context.Context) error {
		record, err := runs.Load(ctx, runID)
		if err != nil {
			return err
		}
		next, events, err := record.Run.Fold(request(record.Now))
		if run = record.Run; err != nil || run.Status.Terminal() {
			refused = err
			return nil
		}
		if _, err = runs.Commit(ctx, record.Version, next, events, ports.Progress{}); err == nil {
			run = next
		}
		return err
	})
	if err == nil {
		err = refused
	}
	return run, err
}

// insistFor is how long insist insists; insistPause is its longest pause.
const (
	insistFor   = 10 * time.Second
	insistPause = 100 * time.Millisecond
)

// insist calls try until it succeeds, or fails with something else than that
// somebody was faster or that the store is away.
func insist(ctx context.Context, try func(context.Context) error) error {
	ends := time.Now().Add(insistFor)
	for pause := time.Millisecond; ; pause = min(2*pause, insistPause) {
		call, cancel := context.WithTimeout(ctx, callWait)
		err := try(call)
		cancel()
		code := core.CodeOf(err)
		if code != core.Conflict && code != core.Unavailable || ctx.Err() != nil || time.Now().After(ends) {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}
