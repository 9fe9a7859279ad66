package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strings"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/report"
	"github.com/benchfleet/benchfleet/runner"
	"github.com/spf13/cobra"
)

func (a *app) stopCommand() *cobra.Command {
	var reason string
	var kill, noWait bool
	cmd := &cobra.Command{
		Use:   "stop RUN",
		Short: "Stop a run, and wait until everything of it is gone",
		Long: `Stops a run through the STOP ladder: drain, cancel, terminate, kill. The partial
result and the stop certificate are stored. Stopping a run twice, or one that has
ended, changes nothing. A run whose orchestrator has died is driven to its end by
this command. The exit code is 0 when the run is over, however it ended.`,
		Example: `  benchfleet stop RUN --reason "wrong table"
  benchfleet stop RUN --kill`,
		Args: exactly("RUN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := a.openStore(cmd.Context())
			if err != nil {
				return err
			}
			defer store.Close()
			request := core.StopRequested{Reason: core.UserRequested, By: whoami(), Detail: reason}
			if kill {
				request.Rung = core.Kill
			}
			if _, err := loadRun(cmd.Context(), store, args[0]); err != nil {
				return err
			}
			run, err := runner.RequestStop(cmd.Context(), store, args[0], request)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.err, "run %s: %s\n", run.ID, run.Status)
			if noWait {
				return a.stopPublished(run)
			}
			return a.awaitEnd(cmd.Context(), store, args[0])
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, in `WORDS`; stored with the run")
	cmd.Flags().BoolVar(&kill, "kill", false, "go straight to killing the workers")
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "return once the stop is published")
	a.addLauncher(cmd)
	return cmd
}

func (a *app) stopPublished(run core.Run) error {
	if !a.json() {
		return nil
	}
	return writeJSON(a.out, map[string]any{"run_id": run.ID, "status": run.Status})
}

// whoami names the user and host for the record.
func whoami() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

// awaitEnd waits for a stopped run to be terminal, and drives it itself when
// nobody else does. It shows the certificate.
func (a *app) awaitEnd(ctx context.Context, store ports.Store, id string) error {
	for {
		record, err := store.Load(ctx, id)
		if err != nil {
			return err
		}
		if record.Run.Status.Terminal() {
			return a.showStopped(ctx, store, record.Run)
		}
		if runner.Dead(record) {
			if err := a.driveDead(ctx, store, record); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return exitWith(ExitCancelled, fmt.Errorf("the stop of run %s is published and goes on without this command", id))
		case <-nextLook(record):
		}
	}
}

// driveDead drives a run that nobody drives, unless somebody else comes first.
func (a *app) driveDead(ctx context.Context, store ports.Store, record ports.RunRecord) error {
	s, err := a.openFor(ctx, store, record, a.err, runner.Options{}, true)
	if err != nil {
		return err
	}
	defer s.Close()
	_, err = s.runner.Drive(ctx, record.Run.ID, runner.DriveOptions{})
	if takenOver(err) { // or refused, and then nobody drives it still
		if now, loadErr := store.Load(ctx, record.Run.ID); loadErr != nil || !runner.Dead(now) {
			return loadErr
		}
	}
	return err
}

func (a *app) showStopped(ctx context.Context, store ports.Store, run core.Run) error {
	result, err := a.loadResult(ctx, store, run)
	if err != nil {
		return err
	}
	return a.showResult(result)
}

func (a *app) gcCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Find and end what dead runs have left: runs without an orchestrator, workers without a run",
		Long: `Closes every run that nobody drives any more, or that nobody has started for 10
minutes, and ends every worker whose run is over. It can be run at any time: what
lives is left alone. A dead run that it cannot end from here it leaves, says what
that needs, and exits with 5.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := a.openStore(cmd.Context())
			if err != nil {
				return err
			}
			defer store.Close()
			done, err := a.collect(cmd.Context(), store)
			if showErr := a.showCollected(done); showErr != nil {
				return showErr
			}
			if err == nil && len(done) == 0 && !a.json() {
				return a.print("nothing to collect\n")
			}
			return err
		},
	}
	a.addLauncher(cmd)
	return cmd
}

func (a *app) showCollected(done []runner.Collected) error {
	if a.json() {
		return writeJSON(a.out, append([]runner.Collected{}, done...))
	}
	for _, c := range done {
		what := c.RunID
		if c.WorkerID != "" {
			what += " " + c.WorkerID
		}
		if err := a.print("%s %s: %s\n", c.Action, what, report.Clean(c.Detail)); err != nil {
			return err
		}
	}
	return nil
}

// collect closes dead runs, then ends launches that outlived theirs. What cannot
// be closed keeps nothing else from it.
func (a *app) collect(ctx context.Context, store ports.Store) ([]runner.Collected, error) {
	var done []runner.Collected
	var failed []error
	var left []string
	alive, err := store.List(ctx, ports.RunFilter{
		Status: []core.Status{core.Prepared, core.Starting, core.Running, core.Stopping, core.Cancelling}, Limit: maxRuns,
	})
	if err != nil {
		return nil, err
	}
	for _, summary := range alive {
		record, err := store.Load(ctx, summary.ID)
		if err != nil {
			return done, errors.Join(append(failed, err)...)
		}
		if !runner.Dead(record) {
			continue
		}
		closed, err := a.closeDead(ctx, store, record)
		if err != nil {
			failed = append(failed, fmt.Errorf("run %s: %w", record.Run.ID, err))
			continue
		}
		if closed.Action == "left" {
			left = append(left, record.Run.ID)
		}
		done = append(done, closed)
	}
	names, err := a.launchersOf(ctx, store)
	if err != nil {
		return done, errors.Join(append(failed, err)...)
	}
	for _, name := range names {
		launches, err := a.collectFrom(ctx, store, name)
		done = append(done, launches...)
		if err != nil {
			failed = append(failed, fmt.Errorf("launcher %s: %w", name, err))
		}
	}
	if len(left) > 0 {
		failed = append(failed, fmt.Errorf("left as they are, and what each needs is said with it: %s", strings.Join(left, ", ")))
		return done, exitWith(ExitFailed, errors.Join(failed...))
	}
	return done, errors.Join(failed...)
}

// launchersOf are the launchers that may have left something: that of
// subprocesses, the one that --launcher names, and those of containers and of job
// services if any of the newest runs was theirs.
func (a *app) launchersOf(ctx context.Context, store ports.Store) ([]string, error) {
	names := []string{"local"}
	if a.launcher != "" && a.launcher != "local" {
		names = append(names, a.launcher)
	}
	runs, err := store.List(ctx, ports.RunFilter{Limit: maxRuns})
	for _, name := range []string{"docker", servicesLauncher} {
		used := slices.ContainsFunc(runs, func(r ports.RunSummary) bool { return r.Launcher == name })
		if used && a.launcher != name {
			names = append(names, name)
		}
	}
	return names, err
}

// collectFrom ends the launches of one launcher that outlived their runs.
func (a *app) collectFrom(ctx context.Context, store ports.Store, name string) ([]runner.Collected, error) {
	if name == "local" || a.launcher != "" && name != a.launcher {
		defer func(options []string) { a.options = options }(a.options)
		a.options = nil // they are another launcher's
	}
	launcher, closeLauncher, err := a.openLauncher(ctx, name, a.err)
	if err != nil {
		return nil, err
	}
	defer closeLauncher()
	return runner.CollectLaunches(ctx, store, launcher)
}

func (a *app) closeDead(ctx context.Context, store ports.Store, record ports.RunRecord) (runner.Collected, error) {
	c := runner.Collected{RunID: record.Run.ID, Action: "closed"}
	s, err := a.openFor(ctx, store, record, a.err, runner.Options{}, true)
	if err != nil {
		c.Action, c.Detail = "left", err.Error()
		return c, nil
	}
	defer s.Close()
	run, err := s.runner.Close(ctx, record.Run.ID, "its orchestrator died and nobody took it over")
	if err != nil && !takenOver(err) {
		return c, err
	}
	c.Status, c.Detail = run.Status, fmt.Sprintf("%s (%s) %s", run.Status, run.Reason, run.Detail)
	return c, nil
}
