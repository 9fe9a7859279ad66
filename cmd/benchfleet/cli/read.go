package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/report"
	"github.com/benchfleet/benchfleet/runner"
	"github.com/spf13/cobra"
)

const (
	maxRuns     = 1000    // that one list shows
	maxLogLines = 10000   // kept lines that are shown of a run
	maxLiveLog  = 1 << 20 // bytes that are read of the log of one living worker
)

// reading makes a command that opens the store, reads, and shows.
func (a *app) reading(use, short string, args cobra.PositionalArgs, read func(ctx context.Context, store ports.Store, args []string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := a.openStore(cmd.Context())
			if err != nil {
				return err
			}
			defer store.Close()
			return read(cmd.Context(), store, args)
		},
	}
}

// loadRun reads a run; what is not there is looked for in the list.
func loadRun(ctx context.Context, runs ports.RunStore, id string) (ports.RunRecord, error) {
	record, err := runs.Load(ctx, id)
	if core.CodeOf(err) == core.NotFound {
		err = fmt.Errorf("%w; see: benchfleet runs", err)
	}
	return record, err
}

func (a *app) runsCommand() *cobra.Command {
	var limit int
	var group string
	cmd := a.reading("runs", "List the runs, newest first", noArguments, func(ctx context.Context, store ports.Store, _ []string) error {
		if limit < 1 || limit > maxRuns {
			return usage("--limit is %d; allowed: 1 to %d", limit, maxRuns)
		}
		runs, err := store.List(ctx, ports.RunFilter{Limit: limit, Search: group})
		if err != nil {
			return err
		}
		if a.json() {
			return report.RunsJSON(a.out, runs)
		}
		return report.RunsText(a.out, runs, a.layout()...)
	})
	cmd.Flags().IntVar(&limit, "limit", 20, fmt.Sprintf("list `N` runs, at most %d", maxRuns))
	cmd.Flags().StringVar(&group, "group", "", "list only the runs of this `GROUP`, of run --repeat or ab")
	return cmd
}

func (a *app) eventsCommand() *cobra.Command {
	return a.reading("events RUN", "Show the control events of a run", exactly("RUN"), func(ctx context.Context, store ports.Store, args []string) error {
		if _, err := loadRun(ctx, store, args[0]); err != nil {
			return err
		}
		all, err := readEvents(ctx, store, args[0])
		if err != nil {
			return err
		}
		if a.json() {
			return report.EventsJSON(a.out, all)
		}
		return report.EventsText(a.out, all, a.layout()...)
	})
}

// readEvents reads all control events of a run.
func readEvents(ctx context.Context, runs ports.RunStore, id string) (all []core.ControlEvent, err error) {
	for {
		after := int64(0)
		if len(all) > 0 {
			after = all[len(all)-1].Sequence
		}
		events, err := runs.Events(ctx, id, after)
		if err != nil {
			return nil, err
		}
		if len(events) == 0 {
			return all, nil
		}
		all = append(all, events...)
	}
}

func (a *app) statusCommand() *cobra.Command {
	return a.reading("status RUN", "Show where a run stands now", exactly("RUN"), func(ctx context.Context, store ports.Store, args []string) error {
		o, err := look(ctx, store, args[0])
		if err != nil {
			return err
		}
		if a.json() {
			return report.StatusJSON(a.out, statusOf(o))
		}
		return report.StatusText(a.out, statusOf(o), a.layout()...)
	})
}

func statusOf(o runner.Observation) report.Status {
	return report.Status{Run: o.Run, Scenario: o.Scenario, Now: o.Now, Workers: o.Workers, Interval: o.Interval}
}

// look reads what a viewer is shown of a run, from the store alone.
func look(ctx context.Context, store ports.Store, id string) (runner.Observation, error) {
	record, err := loadRun(ctx, store, id)
	if err != nil {
		return runner.Observation{}, err
	}
	status, beats, err := report.ReadStatus(ctx, store, record)
	return runner.Observation{
		Run: status.Run, Scenario: status.Scenario, Now: status.Now, Measured: core.Measured(beats),
		Workers: status.Workers, Interval: status.Interval,
	}, err
}

func (a *app) watchCommand() *cobra.Command {
	cmd := a.reading("watch RUN", "Watch a run until it ends, then show its result", exactly("RUN"), func(ctx context.Context, store ports.Store, args []string) error {
		display := a.newDisplay()
		defer display.Close()
		tick := time.NewTicker(watchGap)
		defer tick.Stop()
		for {
			o, err := look(ctx, store, args[0])
			if err != nil {
				return err
			}
			display.Observe(o)
			if o.Run.Status.Terminal() {
				display.Close()
				return a.ended(store, o.Run, nil)
			}
			if o.Now.After(o.Run.OwnerLeaseUntil) && o.Run.Owner != "" {
				display.Note("nobody drives this run; take it over: benchfleet orchestrator --run " + o.Run.ID)
			}
			select {
			case <-ctx.Done():
				display.Close()
				return exitWith(ExitCancelled, fmt.Errorf("watching ends; run %s goes on", args[0]))
			case <-tick.C:
			}
		}
	})
	cmd.Long = "Shows the live view of a run until it ends, then its result, and exits as run would.\nCtrl-C ends the watching, with exit code 3, and not the run."
	return cmd
}

func (a *app) logsCommand() *cobra.Command {
	var workerID string
	var follow bool
	cmd := a.reading("logs RUN", "Show what the orchestrator and the workers of a run wrote", exactly("RUN"), func(ctx context.Context, store ports.Store, args []string) error {
		return a.logs(ctx, store, args[0], workerID, follow)
	})
	cmd.Example = `  benchfleet logs RUN
  benchfleet logs RUN --worker worker-1 --follow`
	cmd.Flags().StringVar(&workerID, "worker", "", "of one `WORKER` only, like worker-0")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on showing new lines until the run ends")
	a.addLauncher(cmd)
	return cmd
}

// logs shows the lines of living workers as their launcher has them, and those
// of the orchestrator and of ended workers as they were kept. As JSON they are
// one list, or one object on each line when they are followed.
func (a *app) logs(ctx context.Context, store ports.Store, id, workerID string, follow bool) error {
	shown, told := map[string]int64{}, ""
	unheard := func(err error) error {
		if !follow {
			return err
		}
		if text := err.Error(); text != told { // the next time it may answer
			told = text
			fmt.Fprintln(a.err, "benchfleet: trying again:", report.Clean(text))
		}
		return nil
	}
	tick := time.NewTicker(watchGap)
	defer tick.Stop()
	for {
		record, err := loadRun(ctx, store, id)
		if err != nil {
			return err
		}
		lines, err := a.readLogs(ctx, store, record, workerID, unheard)
		if err != nil {
			return err
		}
		if a.json() && !follow {
			return writeJSON(a.out, append([]ports.LogLine{}, lines...))
		}
		for _, l := range lines {
			if l.Sequence <= shown[l.WorkerID] {
				continue
			}
			shown[l.WorkerID] = l.Sequence
			if err := a.showLine(l); err != nil {
				return err
			}
		}
		if !follow || record.Run.Status.Terminal() {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// readLogs reads the lines of a run. unheard decides about a worker whose platform
// does not answer now: with nil it is left out.
func (a *app) readLogs(ctx context.Context, store ports.Store, record ports.RunRecord, workerID string, unheard func(error) error) ([]ports.LogLine, error) {
	known := false
	for _, w := range record.Run.Workers {
		known = known || w.ID == workerID
	}
	if workerID != "" && !known {
		return nil, fmt.Errorf("%w: run %s has no worker %s; it has worker-0 to worker-%d", core.ErrNotFound, record.Run.ID, workerID, len(record.Run.Workers)-1)
	}
	if record.Run.Status.Terminal() {
		return store.Logs().Read(ctx, record.Run.ID, workerID, time.Time{}, maxLogLines)
	}
	launcher, closeLauncher, err := a.openLauncherOf(ctx, record.Scenario, a.err)
	if err != nil {
		return nil, err
	}
	defer closeLauncher()
	var lines []ports.LogLine
	if workerID == "" {
		if lines, err = store.Logs().Read(ctx, record.Run.ID, "", time.Time{}, maxLogLines); err != nil {
			return nil, err
		}
		lines = slices.DeleteFunc(lines, func(l ports.LogLine) bool { return l.WorkerID != "" }) // those are read where they live
	}
	for _, w := range record.Run.Workers {
		if w.Handle.Zero() || workerID != "" && w.ID != workerID {
			continue
		}
		text, err := launcher.Logs(ctx, w.Handle, maxLiveLog)
		if core.CodeOf(err) == core.NotFound {
			continue // released just now: its lines are kept, and read when the run is terminal
		}
		if core.Retryable(err) && ctx.Err() == nil {
			if err = unheard(fmt.Errorf("the log of %s: %w", w.ID, err)); err == nil {
				continue
			}
		}
		if err != nil {
			return nil, err
		}
		lines = append(lines, runner.LogLines(record.Run.ID, w.ID, text)...)
	}
	slices.SortStableFunc(lines, func(x, y ports.LogLine) int { return x.Time.Compare(y.Time) })
	return lines, nil
}

func (a *app) showLine(l ports.LogLine) error {
	if a.json() {
		return json.NewEncoder(a.out).Encode(l)
	}
	return report.LogLine(a.out, l, a.layout()...)
}
