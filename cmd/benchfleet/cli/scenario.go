package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/library"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/report"
	"github.com/benchfleet/benchfleet/runner"
	"github.com/benchfleet/benchfleet/templatefile"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// overrides are the flags that change a template for one run. Each is a short
// name for a --set.
type overrides struct {
	launcher string
	set      []string
	flags    *pflag.FlagSet
	several  bool // they are for several templates: which endpoints those name is known later
}

var overrideFlags = []struct{ name, key, help string }{
	{"workers", "load.workers", "start `N` workers"},
	{"connections", "load.connections", "keep `N` connections in each worker"},
	{"rate", "load.rate", "start `N` operations per second in all workers together, whatever the target does"},
	{"warmup", "load.warmup", "warm up for a `TIME` like 3s, which is not measured"},
	{"duration", "load.duration", "measure for a `TIME` like 30s"},
	{"operations", "load.operations", "measure `N` operations"},
	{"seed", "load.seed", "the `N` that all random choices follow from"},
}

func (o *overrides) add(cmd *cobra.Command) {
	o.flags = cmd.Flags()
	for _, f := range overrideFlags {
		o.flags.String(f.name, "", f.help+"; "+f.key)
	}
	addFindMax(o.flags)
	o.flags.StringArrayVar(&o.set, "set", nil, "`KEY=VALUE` changes one field of the template, like load.think_time=5ms; repeatable")
	o.flags.StringVar(&o.launcher, "launcher", "local", launcherHelp)
	cmd.PreRunE = func(*cobra.Command, []string) error { return o.check() }
}

// check refuses what fits no template, before one is looked for. Whether there is an
// element of a list to change, only the template tells.
func (o *overrides) check() error {
	any := overrides{flags: o.flags}
	for _, assignment := range o.set {
		if key, _, _ := strings.Cut(assignment, "="); !strings.Contains(key, "[") {
			any.set = append(any.set, assignment)
		}
	}
	_, err := any.apply(core.Template{})
	return err
}

// apply changes the template.
func (o *overrides) apply(t core.Template) (core.Template, error) {
	set, err := assignments(o.flags)
	if err != nil {
		return t, err
	}
	return assign(t, append(set, o.set...))
}

// assignments are the flags that change the template, as --set has them. --operations
// alone bounds the run by operations only; --rate takes the place of the mode and the
// think time.
func assignments(flags *pflag.FlagSet) ([]string, error) {
	var set []string
	if flags.Changed("rate") {
		set = append(set, "load.mode="+core.ModeQPS, "load.think_time=0s")
	}
	search, err := findMax(flags)
	if err != nil {
		return nil, err
	}
	set = append(set, search...)
	if flags.Changed("operations") && !flags.Changed("duration") {
		set = append(set, "load.duration=0s")
	}
	for _, f := range overrideFlags {
		if !flags.Changed(f.name) {
			continue
		}
		value := flags.Lookup(f.name).Value.String()
		alone, err := templatefile.Set(core.Template{}, []string{f.key + "=" + value})
		switch {
		case err != nil:
			return nil, usage("--%s: %s", f.name, strings.TrimPrefix(err.Error(), "--set "+f.key+": "))
		// A bound of 0 means none to a template; to somebody who types it, nothing.
		case f.name == "duration" && alone.Load.Duration == 0:
			return nil, usage("--duration is %q; allowed: a time above 0; --operations bounds a run without one", value)
		case f.name == "operations" && alone.Load.Operations == 0:
			return nil, usage("--operations is %q; allowed: a whole number above 0", value)
		}
		set = append(set, f.key+"="+value)
	}
	return set, nil
}

// assign applies --set.
func assign(t core.Template, assignments []string) (core.Template, error) {
	t, err := templatefile.Set(t, assignments)
	if err != nil {
		return t, exitWith(ExitUsage, err)
	}
	return t, nil
}

// resolution are the defaults that depend on the launcher and on the kind of the
// store: each read of one that is far away costs a round trip and money, and its
// clock is asked over that way too.
func resolution(caps ports.Capabilities, store string) core.Resolution {
	r := core.Resolution{Launcher: caps.Name, StartTimeout: caps.StartTimeout, Grace: caps.Grace, MaxWorkers: caps.MaxWorkers}
	if store == snowflakeStore {
		r.ControlPoll, r.OwnerLease, r.WorkerLease = time.Second, 20*time.Second, time.Minute
	}
	return r
}

// admitted is what group 1 of the preflight checks lets through.
type admitted struct {
	store    ports.Store
	scenario core.Scenario
	findings []core.Finding
}

// refuse shows findings and returns the error that carries the exit code.
type refuse func([]core.Finding) error

// admit makes the checks of group 1. When they refuse, the store is closed.
func (a *app) admit(ctx context.Context, name string, o *overrides, refuse refuse) (*admitted, error) {
	a.launcher = o.launcher
	if err := checkStore(a.store, a.environ); err != nil {
		return nil, err
	}
	launcher, closeLauncher, err := a.openLauncher(ctx, o.launcher, a.err)
	var shut *shutDoor
	switch {
	case errors.As(err, &shut):
		return nil, refuse([]core.Finding{shut.finding()})
	case err != nil:
		return nil, err
	}
	defer closeLauncher()
	store, err := a.openStore(ctx)
	if err != nil {
		return nil, refuse([]core.Finding{{ID: "store.reachable", Severity: core.SeverityError, Message: err.Error()}})
	}
	found := &admitted{store: store}
	err = a.resolve(ctx, found, name, o, resolution(launcher.Capabilities(), storeKind(a.store)))
	if err == nil && core.Refusal(found.findings) != "" {
		err = refuse(found.findings)
	}
	if err == nil && !o.several {
		err = a.onlyEndpoint(found.scenario.Target.Endpoint)
	}
	if err != nil {
		store.Close()
		return nil, err
	}
	return found, nil
}

// resolve makes the scenario out of the template and the flags. The error says
// that the flags are wrong; what else is wrong is in the findings.
func (a *app) resolve(ctx context.Context, found *admitted, name string, o *overrides, defaults core.Resolution) error {
	var flagErr error
	found.scenario, found.findings = runner.Admit(ctx, found.store, func(ctx context.Context) (core.Scenario, error) {
		record, err := found.store.Templates().Get(ctx, name)
		if err != nil {
			return core.Scenario{}, builtIn(name, err)
		}
		defaults.TemplateID = record.ID
		changed, err := o.apply(record.Template)
		if err != nil {
			flagErr = err
			return core.Scenario{}, err
		}
		scenario, err := changed.Resolve(defaults)
		if err != nil {
			if _, asStored := record.Template.Resolve(defaults); asStored == nil {
				flagErr = exitWith(ExitUsage, err) // the template is fine: the flags are not
			}
		}
		return scenario, err
	})
	return flagErr
}

// builtIn adds to the error of a template that is not stored that it could be.
func builtIn(name string, err error) error {
	if core.CodeOf(err) != core.NotFound {
		return err
	}
	if _, libErr := library.Get(name); libErr == nil {
		return fmt.Errorf("%w; it is built in: benchfleet template import %s", err, name)
	}
	return err
}

// refused shows findings that refuse and returns the error that carries the exit
// code.
func (a *app) refused(findings []core.Finding) error {
	a.sayRefused(findings)
	if a.json() {
		if err := report.FindingsJSON(a.out, findings); err != nil {
			return err
		}
	}
	return exitWith(ExitRefused, nil)
}

// sayRefused says what refuses, and how to mend it: once, where findings that
// follow each other are mended in the same way.
func (a *app) sayRefused(findings []core.Finding) {
	refusing := slices.DeleteFunc(slices.Clone(findings), func(f core.Finding) bool {
		return f.Severity == core.SeverityOK || f.Severity == core.SeverityWarning
	})
	for i, f := range refusing {
		fmt.Fprintln(a.err, "benchfleet: refused:", report.Clean(f.Message))
		if f.Mend != "" && (i == len(refusing)-1 || refusing[i+1].Mend != f.Mend) {
			fmt.Fprintln(a.err, "  →", report.Clean(f.Mend))
		}
	}
}

func positive(flag, text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 {
		return 0, usage("--%s is %q; allowed: a whole number above 0", flag, text)
	}
	return n, nil
}
