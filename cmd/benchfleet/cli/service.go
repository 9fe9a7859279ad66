package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
)

const (
	maxDriven    = 32              // runs that one orchestrator drives at once
	claimPause   = 5 * time.Second // before a run that could not be driven is tried again
	claimPoll    = 250 * time.Millisecond
	claimPollFar = 2 * time.Second // where each look costs a round trip and money
	listWait     = 10 * time.Second
)

// orchestrators drives every run that was started, that has no live owner, and
// whose launcher and host are this program's: those of the controller and of the
// orchestrator as a service. Any number may do so over one store: the owner's
// lease and the store's Commit decide who drives which.
type orchestrators struct {
	app       *app
	store     ports.Store
	launchers []string // as --launcher has them: local, docker, plugin:PATH
	names     []string // as runs have them
	host      string
	log       *slog.Logger
	observe   func(runner.Observation)

	group  sync.WaitGroup
	mu     sync.Mutex
	driven map[string]bool      // runs that are driven now
	again  map[string]time.Time // runs that could not be: not before this
}

// newOrchestrators asks each launcher for its name, which that of somebody else
// alone knows.
func (a *app) newOrchestrators(ctx context.Context, store ports.Store, launchers []string) (*orchestrators, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	if _, err := a.thisBuild(); err != nil { // once, before it is shared
		return nil, err
	}
	o := &orchestrators{
		app: a, store: store, launchers: launchers, host: host, log: a.logger(a.err),
		driven: map[string]bool{}, again: map[string]time.Time{},
	}
	for _, name := range launchers {
		own := a.withLauncher(name)
		launcher, closeLauncher, err := own.openLauncher(ctx, name, a.err)
		if err != nil {
			return nil, err
		}
		o.names = append(o.names, launcher.Capabilities().Name)
		if err := closeLauncher(); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// withLauncher is this app for one launcher. Options are for those that have some.
func (a *app) withLauncher(name string) *app {
	own := *a
	own.launcher = name
	if name == "local" {
		own.options = nil
	}
	return &own
}

// run looks for runs until ctx ends, and returns when none is driven here any
// more. Those that go on are left to a successor.
func (o *orchestrators) run(ctx context.Context) {
	defer o.group.Wait()
	pace := claimPoll
	if storeKind(o.app.store) != sqliteStore {
		pace = claimPollFar
	}
	poll := time.NewTicker(pace)
	defer poll.Stop()
	trouble := false
	for {
		err := o.claim(ctx)
		if err != nil && ctx.Err() == nil && !trouble { // once for each trouble
			o.log.Error("runs cannot be looked for", "error", err.Error())
		}
		trouble = err != nil
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		}
	}
}

// unfinished are the statuses of runs that somebody has to drive.
var unfinished = []core.Status{core.Prepared, core.Starting, core.Running, core.Stopping, core.Cancelling}

// claim begins to drive every run that nobody drives.
func (o *orchestrators) claim(ctx context.Context) error {
	call, cancel := context.WithTimeout(ctx, listWait)
	defer cancel()
	runs, err := o.store.List(call, ports.RunFilter{Status: unfinished, Limit: maxRuns})
	if err != nil {
		return err
	}
	for _, summary := range slices.Backward(runs) { // the oldest first
		if !claimable(summary, o.names) || !o.take(summary.ID) {
			continue
		}
		record, err := o.store.Load(call, summary.ID)
		if err != nil || record.Host != "" && record.Host != o.host {
			o.release(summary.ID, time.Now().Add(claimPause))
			continue // gone, or another host's
		}
		o.group.Go(func() { o.drive(ctx, record) })
	}
	return nil
}

// claimable reports whether a run waits for an orchestrator that has one of these
// launchers.
func claimable(r ports.RunSummary, launchers []string) bool {
	return !r.Status.Terminal() && !r.StartedAt.IsZero() && !r.OwnerAlive && slices.Contains(launchers, r.Launcher)
}

// take reserves a run for this process.
func (o *orchestrators) take(id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.driven[id] || len(o.driven) >= maxDriven || time.Now().Before(o.again[id]) {
		return false
	}
	delete(o.again, id)
	o.driven[id] = true
	return true
}

// release gives a run back; it is not taken again before then, if that is given.
func (o *orchestrators) release(id string, again time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.driven, id)
	if len(o.again) >= maxRuns { // of runs that are long gone
		clear(o.again)
	}
	if !again.IsZero() {
		o.again[id] = again
	}
}

// drive drives one run until it ends or ctx does.
func (o *orchestrators) drive(ctx context.Context, record ports.RunRecord) {
	id := record.Run.ID
	log := o.log.With("run_id", id)
	run, err := o.driveOpened(ctx, record, log)
	again := time.Time{}
	switch {
	case err == nil:
		log.Info("run ended", "status", run.Status, "reason", run.Reason)
	case ctx.Err() != nil:
		log.Warn("run left to a successor: its workers end by themselves unless one comes in time")
	case takenOver(err):
		log.Info("run is driven by another orchestrator")
		again = time.Now().Add(claimPause)
	default:
		log.Error("run cannot be driven from here", "error", err.Error())
		again = time.Now().Add(claimPause)
	}
	o.release(id, again)
}

func (o *orchestrators) driveOpened(ctx context.Context, record ports.RunRecord, log *slog.Logger) (core.Run, error) {
	name := o.launchers[slices.Index(o.names, record.Scenario.Launcher)]
	own := o.app.withLauncher(name)
	own.log, own.err = log, logLines{log}
	options := runner.Options{Observe: o.observe}
	s, err := own.openFor(ctx, o.store, record, own.err, options, false)
	if err != nil && ctx.Err() == nil {
		// Without its target a run that has not begun is refused by preflight, which
		// says why, and one that goes on can still be ended.
		log.Warn("not everything that the run needs could be opened", "error", err.Error())
		s, err = own.openFor(ctx, o.store, record, own.err, options, true)
	}
	if err != nil {
		return record.Run, fmt.Errorf("opening what run %s needs: %w", record.Run.ID, err)
	}
	defer s.Close()
	log.Info("driving the run", "status", record.Run.Status)
	return s.runner.Drive(ctx, record.Run.ID, runner.DriveOptions{})
}
