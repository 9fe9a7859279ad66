package cli

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/health"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
)

const (
	maxDriven    = 32              // runs that one orchestrator drives at once
	claimPause   = 5 * time.Second // before a run that could not be driven is tried again
	claimPoll    = 250 * time.Millisecond
	claimPollFar = 2 * time.Second // where each look costs a round trip and money
	listWait     = 10 * time.Second

	// serviceHealth is where a service of Snowpark Container Services is asked.
	serviceHealth = "0.0.0.0:8081"
)

// orchestrators drives every run that was started, that has no live owner, and
// whose launcher and host are this program's: those of the controller and of the
// orchestrator as a service. Any number may do so over one store: the owner's
// lease and the store's Commit decide who drives which.
type orchestrators struct {
	app   *app
	store ports.Store
	served
	host string
	log  *slog.Logger

	group  sync.WaitGroup
	mu     sync.Mutex
	driven map[string]*health.Orchestrator // runs that are driven now, as they were seen last; nil: not yet
	again  map[string]time.Time            // runs that could not be: not before this
	turned time.Time                       // when the last look for runs ended
	away   error                           // what it met; nil: the store is there
}

// served are launchers of a service, and their names, which that of somebody else
// alone knows.
type served struct {
	launchers []string
	names     []string
}

// serves opens each launcher once, so that a wrong one is refused at once.
func (a *app) serves(ctx context.Context, launchers []string) (s served, err error) {
	if len(launchers) == 0 {
		launchers = []string{"local"}
	}
	for _, name := range launchers {
		launcher, closeLauncher, err := a.withLauncher(name).openLauncher(ctx, name, a.err)
		if err != nil {
			return s, err
		}
		s.launchers, s.names = append(s.launchers, name), append(s.names, launcher.Capabilities().Name)
		if err := closeLauncher(); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (a *app) newOrchestrators(store ports.Store, s served) (*orchestrators, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	if _, err := a.thisBuild(); err != nil { // once, before it is shared
		return nil, err
	}
	return &orchestrators{
		app: a, store: store, served: s, host: host, log: a.logger(a.err),
		driven: map[string]*health.Orchestrator{}, again: map[string]time.Time{}, turned: time.Now(),
	}, nil
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
	for {
		if err := o.claim(ctx); ctx.Err() == nil {
			o.looked(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		}
	}
}

// looked notes how a look for runs ended. Trouble is said once.
func (o *orchestrators) looked(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err != nil && o.away == nil:
		o.log.Error("runs cannot be looked for", "error", err.Error())
	case err == nil && o.away != nil:
		o.log.Info("runs are looked for again")
	}
	o.turned, o.away = time.Now(), err
}

// status is what this orchestrator says of itself.
func (o *orchestrators) status() health.Status {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := health.Status{Role: "orchestrator", State: fmt.Sprintf("drives %d runs", len(o.driven)), Live: true, Ready: o.away == nil}
	if age := time.Since(o.turned); age > 2*listWait+claimPollFar {
		s.Live, s.Ready = false, false
		s.Reasons = append(s.Reasons, fmt.Sprintf("it last looked for runs %s ago", age.Round(time.Second)))
	}
	if o.away != nil { // its error belongs in the log
		s.Reasons = append(s.Reasons, "runs cannot be looked for: "+string(core.CodeOf(o.away)))
	}
	return s
}

// observe notes how a run is that is driven here.
func (o *orchestrators) observe(seen runner.Observation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, driven := o.driven[seen.Run.ID]; driven {
		o.driven[seen.Run.ID] = observedRun(seen)
	}
}

// seen are the runs that are driven now, at most maxDriven of them.
func (o *orchestrators) seen() (list []*health.Orchestrator) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(o.driven)) {
		list = append(list, o.driven[id])
	}
	return list
}

// orchestrateAll drives runs until ctx ends.
func (a *app) orchestrateAll(ctx context.Context, launchers []string) error {
	served, err := a.serves(ctx, launchers)
	if err != nil {
		return err
	}
	store, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	a.asService()
	o, err := a.newOrchestrators(store, served)
	if err != nil {
		return err
	}
	if a.health == "" && a.inService() {
		a.health = serviceHealth
	}
	build, err := a.thisBuild()
	if err != nil {
		return err
	}
	server, err := health.Serve(ctx, health.Options{
		Address: a.health, Role: "orchestrator", Build: build, Logger: o.log,
		Check: o.status, Metrics: func() health.Metrics { return health.Metrics{Orchestrators: o.seen()} },
	})
	if err != nil {
		return usage("--health is %q: %w", a.health, err)
	}
	fmt.Fprintf(a.err, "the orchestrator drives runs of %s on %s; health is served at http://%s/health\n", strings.Join(o.names, ", "), a.shownStore(), server.Address())
	o.run(ctx)
	return server.Close()
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

// claimable reports whether a run, to be driven or only checked, waits for an orchestrator that has one of these
// launchers.
func claimable(r ports.RunSummary, launchers []string) bool {
	asked := !r.StartedAt.IsZero() || !r.CheckAt.IsZero()
	return !r.Status.Terminal() && asked && !r.OwnerAlive && slices.Contains(launchers, r.Launcher)
}

// take reserves a run for this process.
func (o *orchestrators) take(id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, driven := o.driven[id]; driven || len(o.driven) >= maxDriven || time.Now().Before(o.again[id]) {
		return false
	}
	delete(o.again, id)
	o.driven[id] = nil
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
