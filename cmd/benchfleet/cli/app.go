package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/benchfleet/benchfleet/core"
	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// app is what every command shares.
type app struct {
	environ []string
	out     io.Writer
	err     io.Writer

	dir       string
	store     string
	output    string
	endpoints []string
	verbose   bool
}

// Main runs the command with its arguments and environment and returns its exit
// code.
func Main(args, environ []string, stdout, stderr io.Writer) int {
	a := &app{environ: environ, out: stdout, err: stderr}
	// A command that drives a run takes the interrupts over; any other simply
	// ends. A terminal that goes away is an interrupt too.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := a.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err != nil && err.Error() != "" {
		fmt.Fprintln(stderr, "benchfleet: "+err.Error())
	}
	return exitCode(err)
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

Every flag can also be set in the environment: --store as BENCHFLEET_STORE.

` + exitHelp,
		SilenceUsage:      true,
		SilenceErrors:     true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return a.settings(cmd) },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%w\nSee: %s --help", err, cmd.CommandPath())
	})
	flags := root.PersistentFlags()
	flags.StringVar(&a.dir, "dir", ".benchfleet", "data directory: the default store and target, worker logs, kept certificates")
	flags.StringVar(&a.store, "store", "", "where control state and results live, like sqlite:PATH (default sqlite:DIR/store.db)")
	flags.StringVarP(&a.output, "output", "o", "text", "text or json, for commands that read")
	flags.StringArrayVar(&a.endpoints, "endpoint", nil, "NAME=FILE: the file holds the address and secret of an endpoint that templates name; repeatable")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "log what happens on stderr")
	root.AddCommand(
		a.schemaCommand(), a.templateCommand(), a.prepareCommand(), a.preflightCommand(), a.runCommand(),
		a.orchestratorCommand(), a.stopCommand(), a.watchCommand(), a.statusCommand(), a.runsCommand(),
		a.resultCommand(), a.eventsCommand(), a.logsCommand(), a.gcCommand(), a.workerCommand(), a.versionCommand(),
	)
	refuseStrayArguments(root)
	return root
}

// refuseStrayArguments makes a misspelt subcommand an error instead of a help
// text.
func refuseStrayArguments(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		refuseStrayArguments(sub)
	}
	if cmd.HasSubCommands() && cmd.RunE == nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				text := fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())
				var names []string
				for _, sub := range cmd.Commands() {
					names = append(names, sub.Name())
				}
				if near, ok := core.Nearest(args[0], names); ok {
					text += fmt.Sprintf("; did you mean %q?", near)
				}
				return usage("%s", text)
			}
			return nil
		}
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
}

// settings fills in what flags leave open from the environment, then from the
// defaults.
func (a *app) settings(cmd *cobra.Command) error {
	var failed error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		name := "BENCHFLEET_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, set := a.lookup(name)
		if f.Changed || !set || f.Name == "help" || f.Name == "endpoint" || failed != nil {
			return
		}
		if err := cmd.Flags().Set(f.Name, value); err != nil {
			failed = usage("%s=%q: %w", name, value, err)
		}
	})
	if failed != nil {
		return failed
	}
	if a.output != "text" && a.output != "json" {
		return usage("--output is %q; allowed: text, json", a.output)
	}
	dir, err := filepath.Abs(a.dir)
	if err != nil {
		return usage("--dir is %q: %w", a.dir, err)
	}
	a.dir = dir
	if a.store == "" {
		a.store = "sqlite:" + filepath.Join(a.dir, "store.db")
	}
	return nil
}

func (a *app) lookup(name string) (string, bool) {
	for i := len(a.environ) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(a.environ[i], name+"="); ok {
			return value, value != ""
		}
	}
	return "", false
}

func (a *app) json() bool { return a.output == "json" }

func (a *app) logger() *slog.Logger {
	if !a.verbose {
		return slog.New(slog.DiscardHandler)
	}
	if a.terminal(a.err) {
		return slog.New(slog.NewTextHandler(a.err, nil))
	}
	return slog.New(slog.NewJSONHandler(a.err, nil))
}

// terminal reports whether w is a terminal that somebody looks at.
func (a *app) terminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	term, _ := a.lookup("TERM")
	return ok && term != "dumb" && isatty.IsTerminal(file.Fd())
}
