package cli

import (
	"context"
	"fmt"
	"strconv"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
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
}

var overrideFlags = []struct{ name, key, help string }{
	{"workers", "load.workers", "how many workers"},
	{"connections", "load.connections", "connections of each worker"},
	{"warmup", "load.warmup", "length of the warm-up, like 3s"},
	{"duration", "load.duration", "length of the measurement, like 30s"},
	{"operations", "load.operations", "bound the run by a number of measured operations"},
	{"seed", "load.seed", "seed of every random choice"},
}

func (o *overrides) add(cmd *cobra.Command) {
	o.flags = cmd.Flags()
	for _, f := range overrideFlags {
		o.flags.String(f.name, "", f.help+" ("+f.key+")")
	}
	o.flags.StringArrayVar(&o.set, "set", nil, "KEY=VALUE changes one field of the template, like load.think_time=5ms; repeatable")
	o.flags.StringVar(&o.launcher, "launcher", "local", "where workers run: local (subprocesses)")
}

// apply changes the template. --operations alone bounds the run by operations
// only.
func (o *overrides) apply(t core.Template) (core.Template, error) {
	var assignments []string
	given := map[string]bool{}
	for _, f := range overrideFlags {
		if value := o.flags.Lookup(f.name).Value.String(); value != "" {
			assignments = append(assignments, f.key+"="+value)
			given[f.name] = true
		}
	}
	if given["operations"] && !given["duration"] {
		t.Load.Duration = 0
	}
	if given["warmup"] && t.Load.Duration == 0 && t.Load.Operations == 0 {
		t.Load.Duration = core.DefaultDuration // else the default warm-up would come with it
	}
	t, err := templatefile.Set(t, append(assignments, o.set...))
	if err != nil {
		return t, exitWith(ExitUsage, err)
	}
	return t, nil
}

// resolution are the defaults that depend on the store and the launcher.
func resolution(record ports.TemplateRecord, caps ports.Capabilities) core.Resolution {
	return core.Resolution{TemplateID: record.ID, Launcher: caps.Name, StartTimeout: caps.StartTimeout}
}

// admitted is what group 1 of the preflight checks lets through.
type admitted struct {
	store    ports.Store
	scenario core.Scenario
	template ports.TemplateRecord
	findings []core.Finding
}

// admit makes the checks of group 1. When they refuse, the findings are shown
// and the error carries the exit code; the store is closed.
func (a *app) admit(ctx context.Context, name string, o *overrides) (*admitted, error) {
	launcher, closeLauncher, err := a.openLauncher(o.launcher)
	if err != nil {
		return nil, err
	}
	defer closeLauncher()
	if _, err := a.sqlitePath(); err != nil {
		return nil, err
	}
	store, err := a.openStore(ctx)
	if err != nil {
		return nil, exitWith(ExitRefused, err)
	}
	found := &admitted{store: store}
	var flagErr error
	found.scenario, found.findings = runner.Admit(ctx, store, func(ctx context.Context) (core.Scenario, error) {
		record, err := store.Templates().Get(ctx, name)
		if err != nil {
			return core.Scenario{}, err
		}
		found.template = record
		changed, err := o.apply(record.Template)
		if err != nil {
			flagErr = err
			return core.Scenario{}, err
		}
		defaults := resolution(record, launcher.Capabilities())
		scenario, err := changed.Resolve(defaults)
		if err != nil {
			if _, asStored := record.Template.Resolve(defaults); asStored == nil {
				flagErr = exitWith(ExitUsage, err) // the template is fine: the flags are not
			}
		}
		return scenario, err
	})
	if flagErr != nil {
		store.Close()
		return nil, flagErr
	}
	if core.Refusal(found.findings) != "" {
		store.Close()
		return nil, a.refused(found.findings)
	}
	return found, nil
}

// refused shows findings that refuse and returns the error that carries the exit
// code.
func (a *app) refused(findings []core.Finding) error {
	if a.json() {
		return a.showFindings(findings)
	}
	for _, f := range findings {
		if f.Severity == core.SeverityError {
			fmt.Fprintln(a.err, "benchfleet: refused:", f.Message)
			if f.Mend != "" {
				fmt.Fprintln(a.err, "  →", f.Mend)
			}
		}
	}
	return exitWith(ExitRefused, nil)
}

func positive(flag, text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 {
		return 0, usage("--%s is %q; allowed: a whole number above 0", flag, text)
	}
	return n, nil
}
