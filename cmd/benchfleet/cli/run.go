package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
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
		Example: `  benchfleet preflight oltp
  benchfleet preflight oltp --workers 50 --output json`,
		Args: exactly("TEMPLATE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := a.admit(cmd.Context(), args[0], &o, a.showFindings)
			if err != nil {
				return err
			}
			defer found.store.Close()
			findings, err := a.preflight(cmd.Context(), found)
			if err != nil {
				return cannotOpen(found.findings, err, a.showFindings)
			}
			return a.showFindings(findings)
		},
	}
	o.add(cmd)
	return cmd
}

// preflight makes every check that a run would make. The error says that
// something could not be opened for it.
func (a *app) preflight(ctx context.Context, found *admitted) ([]core.Finding, error) {
	s, err := a.open(ctx, found.store, found.scenario, a.err, runner.Options{}, home{})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	findings := append(slices.Clone(found.findings), s.runner.Preflight(ctx, found.scenario)...)
	return append(findings, a.checkDoor(ctx, s.launcher, found.scenario.Load.Workers)...), nil
}

// cannotStart refuses a run for which something cannot be opened. Without a
// gateway there is no runner that could check the rest, so that is done here: the
// gateway may be shut for a reason that the launcher can tell.
func (a *app) cannotStart(ctx context.Context, found *admitted, err error) error {
	var shut *shutDoor
	if !errors.As(err, &shut) {
		return cannotOpen(found.findings, err, a.refused)
	}
	findings, err := a.preflight(ctx, found)
	switch {
	case err != nil:
		return cannotOpen(found.findings, err, a.refused)
	case core.Refusal(findings) == "": // it would open now
		findings = append(findings, shut.finding())
	}
	return a.refused(findings)
}

// cannotOpen turns a target or launcher that cannot even be opened into a
// refusal, unless the command line is at fault.
func cannotOpen(found []core.Finding, err error, refuse refuse) error {
	var exit *exitError
	if errors.As(err, &exit) {
		return err
	}
	finding := core.Finding{ID: "target.reachable", Severity: core.SeverityError, Message: err.Error()}
	var shut *unopened
	if errors.As(err, &shut) {
		finding.ID = shut.part + ".reachable"
	}
	return refuse(append(found, finding))
}

func (a *app) runCommand() *cobra.Command {
	var o overrides
	var detach bool
	var again repeating
	cmd := &cobra.Command{
		Use:   "run TEMPLATE",
		Short: "Run a template: preflight, launch, measure, stop, report",
		Long: `Runs a template and drives the run to its end. The live view goes to stderr, the
result to stdout.

Ctrl-C stops the run cleanly: workers finish what they have begun, the partial
result and the stop certificate are stored and shown. A second Ctrl-C kills the
workers at once.

Flags change the template for this run only. --operations takes the place of the
template's duration; given both, the run ends with whichever comes first. --rate
takes the place of its load mode and think time: operations are started at that
rate, whatever the target does, and response times count from when they should have.

With --repeat N it makes N runs, one after another, and says what they are on average and
how sure that is. They belong to a group: benchfleet compare --group reads them again.
Ctrl-C then stops the present run and ends the series, with what there is.

With --output json, stdout holds the result, or the findings of a refusal if there
is no run yet.

` + exitHelp,
		Example: `  benchfleet run oltp
  benchfleet run oltp --workers 5 --connections 8 --duration 1m --seed 7
  benchfleet run oltp --operations 100000 --warmup 0s
  benchfleet run oltp --rate 500 --set load.arrivals=poisson
  benchfleet run oltp --set load.think_time=0s --set mix[0].keys=uniform
  benchfleet run oltp --detach                     # then: watch, status, logs, stop
  benchfleet run oltp --repeat 5 --pause 2s --output md
  benchfleet run oltp --output json > result.json`,
		Args: exactly("TEMPLATE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := again.check(cmd, a.output, detach); err != nil {
				return err
			}
			found, err := a.admit(cmd.Context(), args[0], &o, a.refused)
			if err != nil {
				return err
			}
			defer found.store.Close()
			if again.times > 0 {
				return a.repeat(cmd.Context(), found, again)
			}
			if detach {
				return a.runDetached(cmd.Context(), found)
			}
			return a.runHere(cmd.Context(), found)
		},
	}
	o.add(cmd)
	a.addHealth(cmd)
	cmd.Flags().BoolVar(&detach, "detach", false, "start the run in the background and print its id")
	again.add(cmd)
	return cmd
}

// runHere drives the run in this process.
func (a *app) runHere(ctx context.Context, found *admitted) error {
	return a.driveHere(ctx, found, here{
		id:     NewRunID(),
		refuse: func(ctx context.Context, err error) error { return a.cannotStart(ctx, found, err) },
		ended:  func(run core.Run, err error) error { return a.ended(found.store, run, err) },
	})
}

// here is a run that is to be driven in this process.
type here struct {
	id     string
	say    string                                // before it begins; empty: nothing
	refuse func(context.Context, error) error    // something could not be opened for it
	ended  func(run core.Run, drive error) error // it has ended, or was left
}

// driveHere drives one run. An interrupt from here on stops the run; one before has
// ended ctx.
func (a *app) driveHere(ctx context.Context, found *admitted, h here) error {
	display := a.newDisplay()
	defer display.Close()
	d := a.newDrive(context.WithoutCancel(ctx), display)
	defer d.close()
	if ctx.Err() != nil {
		return exitWith(ExitCancelled, errors.New("interrupted: no run was made"))
	}
	if h.say != "" {
		fmt.Fprintln(display, h.say)
	}
	observe, endHealth, err := a.observed(d.ctx, display)
	if err != nil {
		return err
	}
	defer endHealth()
	s, err := a.open(d.ctx, found.store, found.scenario, display, runner.Options{Attached: true, Observe: observe}, home{run: h.id})
	if err != nil {
		display.Close()
		return h.refuse(d.ctx, err)
	}
	defer s.Close()
	if err := a.create(d.ctx, s, h.id, found, display); err != nil {
		return err
	}
	run, err := d.drive(s.runner, h.id)
	return h.ended(run, err)
}

// driving is a run that this process drives and that interrupts stop.
type driving struct {
	ctx     context.Context // ends when the user gives up
	cancel  context.CancelFunc
	display *Display
	stops   *Interrupted
}

// newDrive begins to listen for interrupts. close ends that.
func (a *app) newDrive(ctx context.Context, display *Display) *driving {
	a.drives = true
	d := &driving{display: display}
	d.ctx, d.cancel = context.WithCancel(ctx)
	d.stops = Interrupts(display, display.at, d.cancel)
	return d
}

func (d *driving) close() {
	d.stops.Close()
	d.cancel()
}

// drive drives the run to its end, and takes away what shows it.
func (d *driving) drive(r *runner.Runner, id string) (core.Run, error) {
	defer d.display.Close()
	run, err := r.Drive(d.ctx, id, runner.DriveOptions{Start: true, Stop: d.stops.C})
	if err != nil && d.ctx.Err() != nil {
		code := ExitCancelled
		if run.Outcome() == core.Failed {
			code = ExitFailed
		}
		err = exitWith(code, fmt.Errorf("left run %s before its end was stored; benchfleet gc ends and stores what is left of it", id))
	}
	return run, err
}

// showWait bounds the reading of a result that is to be shown.
const showWait = 15 * time.Second

// create stores the new run under that id.
func (a *app) create(ctx context.Context, s *session, id string, found *admitted, say io.Writer) error {
	info, err := s.target.Describe(ctx, found.scenario.Table)
	if err == nil { // what preflight will find wrong is its to say
		found.scenario.Target.Host, found.scenario.Target.Database, found.scenario.Target.User = info.Host, info.Database, info.User
	}
	if _, err := s.runner.Create(ctx, id, found.scenario); err != nil {
		return err
	}
	fmt.Fprintf(say, "run %s: %s on %s\n", id, found.scenario.Name, a.shownStore())
	return nil
}

// ended shows the end of a run and returns the error that carries its exit code.
// It is shown even to a user who has given up.
func (a *app) ended(store ports.Store, run core.Run, driveErr error) error {
	ctx, cancel := context.WithTimeout(context.Background(), showWait)
	defer cancel()
	var lost *runner.StoreLostError
	if driveErr != nil && !errors.As(driveErr, &lost) {
		return driveErr
	}
	result, err := a.loadResult(ctx, store, run)
	if err != nil && driveErr == nil {
		return err
	}
	if run.Reason == core.PreflightRefused {
		return a.refusedRun(result)
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

// refusedRun shows a run that preflight has refused.
func (a *app) refusedRun(result report.Result) error {
	a.sayRefused(result.Run.Findings)
	if a.json() {
		if err := a.showResult(result); err != nil {
			return err
		}
	}
	return exitWith(ExitRefused, nil)
}

// loadResult reads what is stored of a run's result. A run that goes on, or that
// ended before anything was stored, has none: an outline is no result.
func (a *app) loadResult(ctx context.Context, store ports.Store, run core.Run) (report.Result, error) {
	result := report.Result{Run: run, Location: a.shownStore()}
	parent, children, err := store.Rollup(ctx, run.ID)
	switch {
	case err == nil && parent.Status.Terminal():
		result.Parent, result.Children = &parent, children
		return result, nil
	case err == nil || core.CodeOf(err) == core.NotFound:
		record, err := store.Load(ctx, run.ID)
		if err == nil {
			result.Scenario = &record.Scenario
		}
		return result, err
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
