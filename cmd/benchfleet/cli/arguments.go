package cli

import (
	"fmt"
	"strings"

	"github.com/benchfleet/benchfleet/core"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// noArguments and exactly refuse stray or missing arguments with a usage error.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("%s takes no argument, got %q\nSee: %s --help", cmd.CommandPath(), args[0], cmd.CommandPath())
	}
	return nil
}

func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usage("%s: %s is missing\nSee: %s --help", cmd.CommandPath(), strings.Join(names[len(args):], " "), cmd.CommandPath())
		case len(args) > len(names):
			return usage("%s takes %s, and %q is too much\nSee: %s --help", cmd.CommandPath(), strings.Join(names, " "), args[len(names)], cmd.CommandPath())
		}
		for i, arg := range args {
			if arg == "" {
				return usage("%s: %s is empty\nSee: %s --help", cmd.CommandPath(), names[i], cmd.CommandPath())
			}
		}
		return nil
	}
}

// refuseStrayArguments makes a misspelt subcommand an error instead of a help
// text, after help too.
func refuseStrayArguments(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		refuseStrayArguments(sub)
	}
	if cmd.Name() == "help" {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			found, rest, err := cmd.Root().Find(args)
			if err == nil && len(rest) > 0 {
				err = unknownCommand(found, rest[0])
			}
			return err
		}
	}
	if cmd.HasSubCommands() && cmd.RunE == nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return nil
		}
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
}

// unknownCommand names the subcommand that was probably meant, or all of them.
func unknownCommand(cmd *cobra.Command, name string) error {
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	text := fmt.Sprintf("unknown command %q for %q", name, cmd.CommandPath())
	near, ok := core.Nearest(name, names)
	switch {
	case ok:
		text += fmt.Sprintf("; did you mean %q?", near)
	case len(names) > 0:
		text += "; allowed: " + strings.Join(names, ", ")
	}
	return usage("%s", text)
}

// unknownFlag names the flag that was probably meant.
func unknownFlag(cmd *cobra.Command, name string, err error) error {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	if near, ok := core.Nearest(name, names); ok {
		return fmt.Errorf("%w; did you mean --%s?", err, near)
	}
	return err
}
