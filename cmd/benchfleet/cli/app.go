package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"github.com/benchfleet/benchfleet/adapters/snowflake"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/report"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// app is what every command shares.
type app struct {
	environ []string
	out     io.Writer
	err     io.Writer

	dir        string
	store      string
	output     string
	endpoints  []string
	controller string      // as --controller says; empty: there is none
	launcher   string      // as --launcher says
	options    []string    // of the launcher
	build      *core.Build // of this binary; nil: not asked for yet
	verbose    bool
	health     string       // as --health says
	drives     bool         // a run, which interrupts stop
	log        *slog.Logger // of a service: err writes to it too; nil: no service
}

// Main runs the command with its arguments and environment and returns its exit
// code.
func Main(args, environ []string, stdout, stderr io.Writer) int {
	a := &app{environ: environ, out: stdout, err: stderr}
	ctx, stop := interruptible(context.Background())
	defer stop()
	root := a.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var exit *exitError
	if err != nil && ctx.Err() != nil && !a.drives && !errors.As(err, &exit) {
		err = exitWith(ExitCancelled, fmt.Errorf("interrupted: %w", err))
	}
	a.say(err)
	return exitCode(err)
}

// say writes an error: for people without what could spoil a terminal, and of a
// service into its log.
func (a *app) say(err error) {
	if err == nil || err.Error() == "" {
		return
	}
	if a.log != nil {
		a.log.Error(err.Error())
		return
	}
	for i, line := range strings.Split(err.Error(), "\n") {
		if i == 0 {
			line = "benchfleet: " + line
		}
		fmt.Fprintln(a.err, report.Clean(line))
	}
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "benchfleet",
		Short: "Run one database benchmark on many workers, and leave a result that can be trusted",
		Long: `benchfleet runs one database benchmark on many workers, stops it cleanly, and
leaves a result that can be trusted.

  benchfleet schema apply                  create the store's tables
  benchfleet template import oltp          import a built-in template (or a file)
  benchfleet prepare oltp                  create and load the benchmark table
  benchfleet run oltp                      preflight, launch, measure, stop, report
  benchfleet result RUN --output json      read the result again
  benchfleet ab oltp oltp --set-b load.connections=16
                                           is one better than the other, and how sure is it?

Every flag can also be set in the environment, --store as BENCHFLEET_STORE; a flag
wins, and one that is repeatable takes a value from each line. Where an endpoint
is, and its secret, comes from BENCHFLEET_ENDPOINT_<NAME>, from the file that
BENCHFLEET_ENDPOINT_<NAME>_FILE names, or from --endpoint.

` + exitHelp,
		SilenceUsage:      true,
		SilenceErrors:     true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return a.settings(cmd) },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		var invalid *pflag.InvalidValueError
		if errors.As(err, &invalid) {
			err = fmt.Errorf("--%s is %q; allowed: %s", invalid.GetFlag().Name, invalid.GetValue(), allowedFor(invalid.GetFlag()))
		}
		var unknown *pflag.NotExistError
		if errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "" {
			err = unknownFlag(cmd, unknown.GetSpecifiedName(), err)
		}
		return usage("%w\nSee: %s --help", err, cmd.CommandPath())
	})
	flags := root.PersistentFlags()
	flags.StringVar(&a.dir, "dir", ".benchfleet", "data `FOLDER`: the default store and target, worker logs, kept certificates")
	flags.StringVar(&a.store, "store", "", "where control state and results live, `sqlite:PATH` or snowflake:ADDRESS (default sqlite:FOLDER/store.db)")
	flags.StringVarP(&a.output, "output", "o", "text", "`text or json`, and what a command says; it is all that is then on stdout")
	flags.StringArrayVar(&a.endpoints, "endpoint", nil, "`NAME=FILE`: the file holds the address and secret of an endpoint that templates name; repeatable")
	flags.StringArrayVar(&a.options, "launcher-option", nil, "`KEY=VALUE` for the launcher; repeatable. docker: "+dockerOptions+"; spcs: "+servicesOptions+"; plugin: "+pluginOptions)
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "log on stderr what goes wrong underneath")
	root.AddCommand(
		a.schemaCommand(), a.templateCommand(), a.prepareCommand(), a.preflightCommand(), a.orRemote(a.runCommand(), a.remoteRun), a.abCommand(),
		a.orchestratorCommand(), a.orRemote(a.stopCommand(), a.remoteStop), a.orRemote(a.watchCommand(), a.remoteWatch),
		a.orRemote(a.statusCommand(), a.remoteStatus), a.orRemote(a.runsCommand(), a.remoteRuns),
		a.orRemote(a.resultCommand(), a.remoteResult), a.orRemote(a.compareCommand(), a.remoteCompare), a.orRemote(a.eventsCommand(), a.remoteEvents), a.orRemote(a.logsCommand(), a.remoteLogs), a.gcCommand(), a.controllerCommand(), a.tokenCommand(), a.workerCommand(), a.healthCommand(), a.versionCommand(),
	)
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
	refuseStrayArguments(root)
	return root
}

// settings fills in what flags leave open from the environment, then from the
// defaults, and checks what all commands share.
func (a *app) settings(cmd *cobra.Command) error {
	var failed error
	if cmd.Flags().Changed("store") && storeKind(a.store) == snowflakeStore && snowflake.HasSecret(strings.TrimPrefix(a.store, "snowflake:")) {
		return usage("--store has a secret in it, which everybody on this host can see: set BENCHFLEET_STORE instead, or name an entry of connections.toml with snowflake:connection:NAME")
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		name := "BENCHFLEET_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, set := a.lookup(name)
		if f.Changed || !set || f.Name == "help" || failed != nil {
			return
		}
		values := []string{value}
		if f.Value.Type() == "stringArray" { // repeatable: one on each line
			values = strings.FieldsFunc(value, func(r rune) bool { return r == '\n' })
		}
		for _, value := range values {
			if err := cmd.Flags().Set(f.Name, value); err != nil {
				failed = usage("%s is %q; allowed: %s", name, value, allowedFor(f))
			}
		}
	})
	if failed != nil {
		return failed
	}
	if allowed := outputsOf(cmd); !slices.Contains(allowed, a.output) {
		return usage("--output is %q; allowed: %s", a.output, strings.Join(allowed, ", "))
	}
	if a.dir == "" {
		return usage("--dir is empty; allowed: a folder")
	}
	dir, err := filepath.Abs(a.dir)
	if err != nil {
		return usage("--dir is %q: %w", a.dir, err)
	}
	a.dir = dir
	if a.store == "" {
		a.store = "sqlite:" + filepath.Join(a.dir, "store.db")
	}
	// A worker, and an orchestrator that is started later, may stand elsewhere.
	if path, err := sqlitePath(a.store); err == nil {
		if path, err = filepath.Abs(path); err != nil {
			return usage("--store is %q: %w", a.store, err)
		}
		a.store = "sqlite:" + path
	}
	_, err = a.endpointFiles()
	return err
}

// allowedFor says what a flag takes.
func allowedFor(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "bool":
		return "true, false"
	case "int":
		return "a whole number"
	default:
		return f.Value.Type()
	}
}

func (a *app) lookup(name string) (string, bool) {
	for i := len(a.environ) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(a.environ[i], name+"="); ok {
			return value, value != ""
		}
	}
	return "", false
}
