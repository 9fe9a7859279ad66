package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
	"github.com/spf13/cobra"
)

const (
	ownWait  = 20 * time.Second       // a detached orchestrator must own its run by then
	ownPoll  = 50 * time.Millisecond  // how often that is looked at, in a store at hand
	watchGap = 250 * time.Millisecond // how often a watched run is read
)

// runDetached creates the run and starts an orchestrator for it in a session of
// its own. It returns once that owns the run and preflight has let it start.
func (a *app) runDetached(ctx context.Context, found *admitted) error {
	if err := a.checkHealth(ctx); err != nil {
		return err
	}
	id := NewRunID()
	s, err := a.open(ctx, found.store, found.scenario, a.err, runner.Options{}, home{run: id, reserve: true})
	if err != nil {
		return a.cannotStart(ctx, found, err)
	}
	defer s.Close()
	if err := a.create(ctx, s, id, found, a.err); err != nil {
		return err
	}
	logPath := filepath.Join(a.dir, "orchestrator-"+id+".log")
	ended, err := a.startOrchestrator(id, logPath)
	if err != nil {
		return err
	}
	run, err := awaitStarted(ctx, found.store, id, ended)
	if err != nil && ctx.Err() != nil {
		return exitWith(ExitCancelled, fmt.Errorf("interrupted: run %s goes on; to end it: benchfleet stop %s", id, id))
	}
	if err != nil {
		return fmt.Errorf("%w; see %s", err, logPath)
	}
	if run.Reason == core.PreflightRefused {
		result, err := a.loadResult(ctx, found.store, run)
		if err != nil {
			return err
		}
		return a.refusedRun(result)
	}
	if a.json() {
		return writeJSON(a.out, map[string]string{"run_id": id, "log": logPath})
	}
	return a.print("%s\n", id)
}

// startOrchestrator starts this binary again, with the same settings, so that no
// signal to this terminal reaches it. The channel closes when it ends.
func (a *app) startOrchestrator(id, logPath string) (<-chan struct{}, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(logPath), 0o700); err != nil { // with store and workers elsewhere nobody has needed it yet
		return nil, err
	}
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(self, "orchestrator", "--run", id)
	cmd.Env, cmd.Stderr = append(slices.Clip(a.environ), a.asEnvironment()...), log // its result is in the store
	cmd.SysProcAttr = ownSession()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() { // it outlives this process unless it ends at once
		cmd.Wait()
		close(ended)
	}()
	return ended, nil
}

// asEnvironment is what all commands share, for a process that is to have the
// same: not as arguments, which others on this host can read.
func (a *app) asEnvironment() []string {
	return []string{
		"BENCHFLEET_DIR=" + a.dir, "BENCHFLEET_STORE=" + a.store, "BENCHFLEET_HEALTH=" + a.health,
		"BENCHFLEET_ENDPOINT=" + strings.Join(a.endpoints, "\n"),
		"BENCHFLEET_LAUNCHER_OPTION=" + strings.Join(a.options, "\n"),
		"BENCHFLEET_LAUNCHER=" + a.launcher,
	}
}

// awaitStarted waits until a run is owned and no longer PREPARED. A preflight
// that lasts longer than that is not waited for.
func awaitStarted(ctx context.Context, runs ports.RunStore, id string, ended <-chan struct{}) (core.Run, error) {
	ctx, cancel := context.WithTimeout(ctx, ownWait)
	defer cancel()
	for {
		record, err := runs.Load(ctx, id)
		owned := err == nil && record.Run.Owner != ""
		if owned && record.Run.Status != core.Prepared {
			return record.Run, nil
		}
		select {
		case <-ctx.Done():
			if owned {
				return record.Run, nil
			}
			return record.Run, fmt.Errorf("%w: no orchestrator has taken run %s within %s", core.ErrUnavailable, id, ownWait)
		case <-ended:
			if record, err := runs.Load(ctx, id); err == nil && record.Run.Status != core.Prepared {
				return record.Run, nil
			}
			return record.Run, fmt.Errorf("%w: the orchestrator of run %s ended at once", core.ErrInternal, id)
		case <-nextLook(record):
		}
	}
}

func (a *app) orchestratorCommand() *cobra.Command {
	var id string
	var launchers []string
	cmd := &cobra.Command{
		Use:   "orchestrator",
		Short: "Drive the runs that are started in a controller, or one run",
		Long: `Drives every run that was started, that nobody drives, and whose launcher and host are
its own: those that are started in a controller, and those whose orchestrator has
died, as soon as the dead one's lease has ended: their workers are adopted and go on
without a gap. Any number may do so over one store. An interrupt ends it; runs that
go on are left to a successor.

With --run it drives one run to its end. A run that is PREPARED is started; a run
whose orchestrator has died is taken over. A run whose orchestrator lives is left
alone. Options of the launcher are not stored: say again those that workers still to
be started need.

What it says goes to stderr, as a log in JSON unless that is a terminal.

` + exitHelp,
		Example: `  benchfleet orchestrator --launcher local --launcher docker
  benchfleet orchestrator --run RUN`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if id == "" {
				return a.orchestrateAll(cmd.Context(), launchers)
			}
			if n := len(launchers); n > 1 {
				return usage("--run drives one run, and it has one launcher: --launcher is given %d times", n)
			} else if n == 1 {
				a.launcher = launchers[0]
			}
			return a.orchestrate(cmd.Context(), id)
		},
	}
	cmd.Flags().StringVar(&id, "run", "", "the one `RUN` to drive")
	addLaunchers(cmd, &launchers)
	a.addHealth(cmd)
	return cmd
}

func (a *app) orchestrate(ctx context.Context, id string) error {
	store, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	record, err := a.awaitDead(ctx, store, id)
	if err != nil {
		return err
	}
	a.asService()
	display := a.newDisplay()
	defer display.Close()
	d := a.newDrive(context.WithoutCancel(ctx), display)
	defer d.close()
	if ctx.Err() != nil {
		return exitWith(ExitCancelled, errors.New("interrupted: the run was left as it is"))
	}
	observe, endHealth, err := a.observed(d.ctx, display)
	if err != nil {
		return err
	}
	defer endHealth()
	s, err := a.openFor(d.ctx, store, record, display, runner.Options{Observe: observe}, false)
	if err != nil {
		return err
	}
	defer s.Close()
	run, err := d.drive(s.runner, id)
	return a.ended(store, run, err)
}

// openFor opens what driving a stored run needs, on the host that its workers
// live on. A run that is only to be ended needs less: ending.
func (a *app) openFor(ctx context.Context, store ports.Store, record ports.RunRecord, say io.Writer, options runner.Options, ending bool) (*session, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	if record.Host != "" && record.Host != host {
		return nil, fmt.Errorf("%w: the workers of run %s live on the host %s; run this command there", core.ErrRefused, record.Run.ID, record.Host)
	}
	return a.open(ctx, store, record.Scenario, say, options, home{run: record.Run.ID, gateway: record.Gateway, ending: ending})
}

// nextLook is when to look at a run again: no more often than its workers do,
// since what they ask costs as much.
func nextLook(record ports.RunRecord) <-chan time.Time {
	return time.After(max(ownPoll, record.Scenario.Limits.ControlPoll.Std()))
}

// awaitDead waits for the lease of a run's owner to end. An owner that renews it
// lives, and is left alone.
func (a *app) awaitDead(ctx context.Context, runs ports.RunStore, id string) (ports.RunRecord, error) {
	var first time.Time
	for {
		record, err := loadRun(ctx, runs, id)
		if err != nil {
			return record, err
		}
		lease := record.Run.OwnerLeaseUntil
		switch {
		case record.Run.Status.Terminal():
			return record, usage("run %s has ended: %s; see: benchfleet result %s", id, record.Run.Status, id)
		case record.Run.Owner == "" || record.Now.After(lease):
			return record, nil
		case first.IsZero():
			first = lease
			fmt.Fprintf(a.err, "run %s is driven by %s until %s; waiting whether it lives\n", id, record.Run.Owner, lease.UTC().Format(time.TimeOnly))
		case lease.After(first):
			return record, exitWith(ExitUsage, fmt.Errorf("%w: run %s is driven by %s, which lives", core.ErrRefused, id, record.Run.Owner))
		}
		select {
		case <-ctx.Done():
			return record, ctx.Err()
		case <-nextLook(record):
		}
	}
}

// takenOver reports whether somebody else drives the run now.
func takenOver(err error) bool {
	return errors.Is(err, runner.ErrTakenOver) || core.CodeOf(err) == core.Refused || core.CodeOf(err) == core.Conflict
}
