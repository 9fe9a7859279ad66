package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/report"
	"github.com/benchfleet/benchfleet/runner"
	"github.com/spf13/cobra"
)

func (a *app) preflightCommand() *cobra.Command {
	var o overrides
	cmd := &cobra.Command{
		Use:   "preflight TEMPLATE",
		Short: "Make every check that a run would make, and nothing else; exit code 4 when it would be refused",
		Args:  exactly("TEMPLATE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := a.admit(cmd.Context(), args[0], &o)
			if err != nil {
				return err
			}
			defer found.store.Close()
			s, err := a.open(cmd.Context(), found.store, found.scenario, a.err, runner.Options{})
			if err != nil {
				return a.cannotOpen(err)
			}
			defer s.Close()
			return a.showFindings(append(found.findings, s.runner.Preflight(cmd.Context(), found.scenario)...))
		},
	}
	o.add(cmd)
	return cmd
}

// cannotOpen turns a target or launcher that cannot even be opened into a
// refusal, unless the command line is at fault.
func (a *app) cannotOpen(err error) error {
	var exit *exitError
	if errors.As(err, &exit) {
		return err
	}
	return exitWith(ExitRefused, err)
}

func (a *app) runCommand() *cobra.Command {
	var o overrides
	var detach bool
	cmd := &cobra.Command{
		Use:   "run TEMPLATE",
		Short: "Run a template: preflight, launch, measure, stop, report",
		Long: `Runs a template and drives the run to its end. The live view goes to stderr, the
result to stdout.

Ctrl-C stops the run cleanly: workers finish what they have begun, the partial
result and the stop certificate are stored and shown. A second Ctrl-C kills the
workers at once.

` + exitHelp,
		Example: `  benchfleet run oltp
  benchfleet run oltp --workers 5 --connections 8 --duration 1m --seed 7
  benchfleet run oltp --operations 100000 --set load.warmup=0s
  benchfleet run oltp --output json > result.json`,
		Args: exactly("TEMPLATE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := a.admit(cmd.Context(), args[0], &o)
			if err != nil {
				return err
			}
			defer found.store.Close()
			if detach {
				return a.runDetached(cmd.Context(), found)
			}
			return a.runHere(context.WithoutCancel(cmd.Context()), found)
		},
	}
	o.add(cmd)
	cmd.Flags().BoolVar(&detach, "detach", false, "start the run in the background and print its id")
	return cmd
}

// runHere drives the run in this process.
func (a *app) runHere(ctx context.Context, found *admitted) error {
	display := a.newDisplay()
	defer display.Close()
	s, err := a.open(ctx, found.store, found.scenario, display, runner.Options{Attached: true, Observe: display.Observe})
	if err != nil {
		return a.cannotOpen(err)
	}
	defer s.Close()
	id, err := a.create(ctx, s, found, display)
	if err != nil {
		return err
	}
	run, err := drive(ctx, s.runner, id, display)
	display.Close()
	return a.ended(ctx, found.store, run, err)
}

// drive drives a run and turns interrupts into its stop.
func drive(ctx context.Context, r *runner.Runner, id string, say io.Writer) (core.Run, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stops := Interrupts(say, cancel)
	defer stops.Close()
	return r.Drive(ctx, id, runner.DriveOptions{Start: true, Stop: stops.C})
}

// create stores the new run and counts the use of its template.
func (a *app) create(ctx context.Context, s *session, found *admitted, say io.Writer) (string, error) {
	info, err := s.target.Describe(ctx, found.scenario.Table)
	if err == nil { // what preflight will find wrong is its to say
		found.scenario.Target.Host, found.scenario.Target.Database, found.scenario.Target.User = info.Host, info.Database, info.User
	}
	id := newRunID(time.Now())
	if _, err := s.runner.Create(ctx, id, found.scenario); err != nil {
		return "", err
	}
	fmt.Fprintf(say, "run %s: %s on %s\n", id, found.scenario.Name, a.store)
	return id, found.store.Templates().Used(ctx, found.template.ID)
}

// ended shows the end of a run and returns the error that carries its exit code.
func (a *app) ended(ctx context.Context, store ports.Store, run core.Run, driveErr error) error {
	var lost *runner.StoreLostError
	if driveErr != nil && !errors.As(driveErr, &lost) {
		return driveErr
	}
	if run.Reason == core.PreflightRefused {
		return a.refused(run.Findings)
	}
	result, err := loadResult(ctx, store, run, a.store)
	if err != nil && driveErr == nil {
		return err
	}
	if err := a.showResult(result); err != nil {
		return err
	}
	if driveErr != nil {
		return driveErr
	}
	if code := runExit(run, result.Parent); code != ExitCompleted {
		return exitWith(code, nil)
	}
	return nil
}

// loadResult reads what is stored of a run's result. A run that ended before
// anything was stored has none.
func loadResult(ctx context.Context, store ports.Store, run core.Run, location string) (report.Result, error) {
	result := report.Result{Run: run, Location: location}
	parent, children, err := store.Rollup(ctx, run.ID)
	switch core.CodeOf(err) {
	case "":
		result.Parent, result.Children = &parent, children
		return result, nil
	case core.NotFound:
		return result, nil
	default:
		return result, err
	}
}

func (a *app) showResult(r report.Result) error {
	if a.json() {
		return report.JSON(a.out, r)
	}
	return report.Text(a.out, r, a.layout()...)
}
