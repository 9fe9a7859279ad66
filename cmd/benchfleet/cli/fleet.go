package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
)

// Fleet is what a program that puts the adapters together itself, like the
// examples, hands over to have a run driven and shown as the command does it.
type Fleet struct {
	Dir         string // data directory
	Location    string // of the store, in words
	Store       ports.Store
	Target      ports.Target
	Launcher    ports.Launcher
	Environment []ports.EnvVar // of every worker
	Secrets     []ports.EnvVar // of every worker
	RunID       string         // default: NewRunID()
	Gateway     string         // host:port at which Store is served to the workers; empty: they open it themselves
}

// DriveHere runs the scenario in this process, shows it, and returns the exit
// code of the command.
func DriveHere(ctx context.Context, f Fleet, scenario core.Scenario) (int, error) {
	a := &app{environ: os.Environ(), out: os.Stdout, err: os.Stderr, dir: f.Dir, store: f.Location, output: "text"}
	display := a.newDisplay()
	defer display.Close()
	d := a.newDrive(ctx, display)
	defer d.close()
	options := runner.Options{
		Attached: true, Observe: display.Observe, Environment: f.Environment, Secrets: f.Secrets, Spool: spoolIn(f.Dir, display),
		Gateway: f.Gateway,
	}
	if err := a.identify(&options); err != nil {
		return ExitInternal, err
	}
	r, err := runner.New(runner.FromStore(f.Store, f.Launcher, f.Target), options)
	if err != nil {
		return ExitInternal, err
	}
	id := f.RunID
	if id == "" {
		id = NewRunID()
	}
	if _, err := r.Create(d.ctx, id, scenario); err != nil {
		return exitCode(err), err
	}
	fmt.Fprintf(display, "run %s: %s on %s\n", id, scenario.Name, f.Location)
	run, err := d.drive(r, id)
	err = a.ended(f.Store, run, err)
	return exitCode(err), said(err)
}

// said is nil for an error whose text was shown.
func said(err error) error {
	if err == nil || err.Error() == "" {
		return nil
	}
	return err
}
