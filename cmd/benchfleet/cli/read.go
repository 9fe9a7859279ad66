package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/report"
	"github.com/benchfleet/benchfleet/runner"
	"github.com/spf13/cobra"
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

func (a *app) runsCommand() *cobra.Command {
	var limit int
	cmd := a.reading("runs", "List the runs, newest first", noArguments, func(ctx context.Context, store ports.Store, _ []string) error {
		runs, err := store.List(ctx, ports.RunFilter{Limit: limit})
		if err != nil {
			return err
		}
		if a.json() {
			return report.RunsJSON(a.out, runs)
		}
		return report.RunsText(a.out, runs, a.layout()...)
	})
	cmd.Flags().IntVar(&limit, "limit", 20, "how many, at most 1000")
	return cmd
}

func (a *app) resultCommand() *cobra.Command {
	return a.reading("result RUN", "Show the result of a run: numbers, verdict, stop certificate", exactly("RUN"), func(ctx context.Context, store ports.Store, args []string) error {
		record, err := store.Load(ctx, args[0])
		if err != nil {
			return err
		}
		result, err := loadResult(ctx, store, record.Run, a.store)
		if err != nil {
			return err
		}
		return a.showResult(result)
	})
}

func (a *app) eventsCommand() *cobra.Command {
	return a.reading("events RUN", "Show the control events of a run", exactly("RUN"), func(ctx context.Context, store ports.Store, args []string) error {
		if _, err := store.Load(ctx, args[0]); err != nil {
			return err
		}
		var all []core.ControlEvent
		for {
			after := int64(0)
			if len(all) > 0 {
				after = all[len(all)-1].Sequence
			}
			events, err := store.Events(ctx, args[0], after)
			if err != nil {
				return err
			}
			if len(events) == 0 {
				break
			}
			all = append(all, events...)
		}
		if a.json() {
			return report.EventsJSON(a.out, all)
		}
		return report.EventsText(a.out, all, a.layout()...)
	})
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
	record, err := store.Load(ctx, id)
	if err != nil {
		return runner.Observation{}, err
	}
	beats, now, err := store.Beats(ctx, id, nil)
	if err != nil {
		return runner.Observation{}, err
	}
	after := max(0, now.Sub(record.Run.Origin).Seconds()-30)
	if record.Run.Status.Terminal() || record.Run.Origin.IsZero() {
		after = 0
	}
	intervals, err := store.Aggregates(ctx, id, after)
	if err != nil {
		return runner.Observation{}, err
	}
	o := runner.Observation{
		Run: record.Run, Scenario: record.Scenario, Now: now, Measured: core.Measured(beats),
		Workers: core.HealthOf(record.Run, beats, now, record.Scenario.Load.Interval.Std()),
	}
	if len(intervals) > 0 {
		o.Interval = &intervals[len(intervals)-1]
	}
	return o, nil
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
				return a.ended(ctx, store, o.Run, nil)
			}
			if o.Now.After(o.Run.OwnerLeaseUntil) && o.Run.Owner != "" {
				display.Note("nobody drives this run; take it over: benchfleet orchestrator --run " + o.Run.ID)
			}
			select {
			case <-ctx.Done():
				return nil // the watcher leaves; the run goes on
			case <-tick.C:
			}
		}
	})
	cmd.Long = "Shows the live view of a run until it ends, then its result, and exits as run would.\nCtrl-C ends the watching, not the run."
	return cmd
}

func (a *app) logsCommand() *cobra.Command {
	var workerID string
	var follow bool
	cmd := a.reading("logs RUN", "Show what the workers of a run wrote", exactly("RUN"), func(ctx context.Context, store ports.Store, args []string) error {
		return a.logs(ctx, store, args[0], workerID, follow)
	})
	cmd.Flags().StringVar(&workerID, "worker", "", "of one worker only, like worker-0")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on showing new lines until the run ends")
	return cmd
}

// logs shows the lines of living workers as their launcher has them, and those
// of ended ones as they were kept.
func (a *app) logs(ctx context.Context, store ports.Store, id, workerID string, follow bool) error {
	shown := map[string]int64{}
	tick := time.NewTicker(watchGap)
	defer tick.Stop()
	for {
		record, err := store.Load(ctx, id)
		if err != nil {
			return err
		}
		lines, err := a.readLogs(ctx, store, record, workerID)
		if err != nil {
			return err
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

func (a *app) readLogs(ctx context.Context, store ports.Store, record ports.RunRecord, workerID string) ([]ports.LogLine, error) {
	known := false
	for _, w := range record.Run.Workers {
		known = known || w.ID == workerID
	}
	if workerID != "" && !known {
		return nil, fmt.Errorf("%w: run %s has no worker %s; it has worker-0 to worker-%d", core.ErrNotFound, record.Run.ID, workerID, len(record.Run.Workers)-1)
	}
	if record.Run.Status.Terminal() {
		return store.Logs().Read(ctx, record.Run.ID, workerID, time.Time{}, 10000)
	}
	launcher, closeLauncher, err := a.openLauncher(record.Scenario.Launcher)
	if err != nil {
		return nil, err
	}
	defer closeLauncher()
	var lines []ports.LogLine
	for _, w := range record.Run.Workers {
		if w.Handle.Zero() || workerID != "" && w.ID != workerID {
			continue
		}
		text, err := launcher.Logs(ctx, w.Handle, 1<<20)
		if err != nil {
			return nil, err
		}
		lines = append(lines, runner.LogLines(record.Run.ID, w.ID, text)...)
	}
	return lines, nil
}

func (a *app) showLine(l ports.LogLine) error {
	if a.json() {
		return writeJSON(a.out, l)
	}
	return report.LogLine(a.out, l, a.layout()...)
}
