package cli

import (
	"strings"

	"github.com/spf13/cobra"
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
