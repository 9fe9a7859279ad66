package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/report"
	"github.com/spf13/cobra"
)

// tokenVariable holds the token for a controller, or, with _FILE at its end, names
// the file that does.
const tokenVariable = "BENCHFLEET_CONTROLLER_TOKEN"

// remotely is what a command does where a controller is to do it.
type remotely func(ctx context.Context, c *client.Client, cmd *cobra.Command, args []string) error

// orRemote lets a command do its work through a controller, if --controller names
// one.
func (a *app) orRemote(cmd *cobra.Command, remote remotely) *cobra.Command {
	cmd.Flags().StringVar(&a.controller, "controller", "", "have the controller at this `URL` do it; "+tokenVariable+" holds its token, or "+tokenVariable+"_FILE names a file with it")
	local := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if a.controller == "" {
			return local(cmd, args)
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		return remote(cmd.Context(), c, cmd, args)
	}
	return cmd
}

func (a *app) client() (*client.Client, error) {
	token, _ := a.lookup(tokenVariable)
	if path, ok := a.lookup(tokenVariable + "_FILE"); ok && token == "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, usage("%s_FILE: %w", tokenVariable, err)
		}
		token = strings.TrimSpace(string(text))
	}
	c, err := client.New(a.controller, client.Options{Token: token})
	if err != nil {
		return nil, usage("--controller: %w", err)
	}
	return c, nil
}

func (a *app) remoteRuns(ctx context.Context, c *client.Client, cmd *cobra.Command, _ []string) error {
	limit, err := cmd.Flags().GetInt("limit")
	if err != nil {
		return err
	}
	if limit < 1 || limit > maxRuns {
		return usage("--limit is %d; allowed: 1 to %d", limit, maxRuns)
	}
	group, err := cmd.Flags().GetString("group")
	if err != nil {
		return err
	}
	list, err := c.Runs(ctx, client.RunFilter{Limit: limit, Search: group})
	if err != nil {
		return err
	}
	runs := summariesOf(list.Items)
	if a.json() {
		return report.RunsJSON(a.out, runs)
	}
	return report.RunsText(a.out, runs, a.layout()...)
}

func (a *app) remoteResult(ctx context.Context, c *client.Client, _ *cobra.Command, args []string) error {
	document, err := c.Result(ctx, args[0], a.output)
	return a.showDocument(document, err)
}

func (a *app) remoteWatch(ctx context.Context, c *client.Client, _ *cobra.Command, args []string) error {
	last, err := a.follow(ctx, c, args[0], a.newDisplay(), nil)
	if err != nil && ctx.Err() != nil {
		return exitWith(ExitCancelled, fmt.Errorf("watching ends; run %s goes on", args[0]))
	}
	if err != nil {
		return err
	}
	return a.remoteEnd(c, last)
}

func (a *app) remoteStop(ctx context.Context, c *client.Client, cmd *cobra.Command, args []string) error {
	flags := cmd.Flags()
	reason, err := flags.GetString("reason")
	kill, killErr := flags.GetBool("kill")
	noWait, waitErr := flags.GetBool("no-wait")
	if err := errors.Join(err, killErr, waitErr); err != nil {
		return err
	}
	run, err := c.StopRun(ctx, args[0], client.StopRun{Reason: reason, Kill: kill})
	if err != nil {
		return err
	}
	fmt.Fprintf(a.err, "run %s: %s\n", run.ID, run.Status)
	if noWait {
		return a.stopPublished(core.Run{ID: run.ID, Status: run.Status})
	}
	if _, err := a.follow(ctx, c, run.ID, a.newDisplay(), nil); err != nil {
		if ctx.Err() != nil {
			return exitWith(ExitCancelled, fmt.Errorf("the stop of run %s is published and goes on without this command", run.ID))
		}
		return err
	}
	return a.remoteResult(ctx, c, cmd, args)
}

// remoteRun has the run made, started and driven elsewhere, and watches it. An
// interrupt stops it there.
func (a *app) remoteRun(ctx context.Context, c *client.Client, cmd *cobra.Command, args []string) error {
	if cmd.Flags().Changed("repeat") {
		return usage("--repeat is not for --controller: it drives each run itself; start the runs one by one, or repeat them where the store is")
	}
	if a.output == "md" {
		return usage("--output is %q; allowed without --repeat: text, json", a.output)
	}
	n := client.NewRun{Template: args[0], Start: true}
	var err error
	if n.Set, err = assignments(cmd.Flags()); err != nil {
		return err
	}
	more, err := cmd.Flags().GetStringArray("set")
	if err != nil {
		return err
	}
	n.Set = append(n.Set, more...)
	if cmd.Flags().Changed("launcher") {
		n.Launcher = cmd.Flags().Lookup("launcher").Value.String()
	}
	// With a key, so that a call that is lost can be made again; it begins as ids do, and
	// so does the id that is made of it.
	run, err := c.CreateRun(ctx, n, NewRunID()+randomHex(10))
	if core.CodeOf(err) == core.Unavailable && ctx.Err() == nil {
		return fmt.Errorf("%w; whether the run was made is not known: benchfleet runs --controller %s", err, a.controller)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(a.err, "run %s: %s at %s\n", run.ID, run.Name, a.controller)
	if detach, err := cmd.Flags().GetBool("detach"); err != nil || detach {
		if a.json() {
			return errors.Join(err, writeJSON(a.out, map[string]string{"run_id": run.ID}))
		}
		return errors.Join(err, a.print("%s\n", run.ID))
	}
	a.drives = true // an interrupt stops the run
	watching, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	display := a.newDisplay()
	defer display.Close()
	stops := Interrupts(display, display.at, leave)
	defer stops.Close()
	last, err := a.follow(watching, c, run.ID, display, stops.C)
	if err != nil && watching.Err() != nil {
		return exitWith(ExitCancelled, fmt.Errorf("left run %s, which goes on: benchfleet watch %s --controller %s", run.ID, run.ID, a.controller))
	}
	if err != nil {
		return err
	}
	return a.remoteEnd(c, last)
}

// remoteEnd shows the end of a run, and returns the error that carries its exit
// code.
func (a *app) remoteEnd(c *client.Client, last client.Frame) error {
	ctx, cancel := context.WithTimeout(context.Background(), showWait)
	defer cancel()
	run := core.Run{ID: last.Run.ID, Status: last.Run.Status, Reason: last.Run.Reason, Detail: last.Run.Detail}
	if run.Reason == core.PreflightRefused {
		stored, err := c.Run(ctx, run.ID)
		if err != nil {
			return err
		}
		a.sayRefused(stored.Findings)
		if !a.json() {
			return exitWith(ExitRefused, nil)
		}
	}
	if err := a.remoteResult(ctx, c, nil, []string{run.ID}); err != nil {
		return err
	}
	rollup, err := c.Rollup(ctx, run.ID)
	parent := &rollup.Run
	switch {
	case core.CodeOf(err) == core.NotFound:
		parent = nil
	case err != nil:
		return err
	}
	if code := runExit(run, parent); code != ExitCompleted {
		return exitWith(code, nil)
	}
	return nil
}
