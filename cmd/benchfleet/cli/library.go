package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/library"
	"github.com/benchfleet/benchfleet/templatefile"
	"github.com/spf13/cobra"
)

func (a *app) templateLibrary() *cobra.Command {
	var target library.Target
	var store bool
	cmd := &cobra.Command{
		Use:   "library [NAME]",
		Short: "List the built-in templates, or print or store one for a target",
		Long: `Lists the built-in templates, or prints one with its comments, fitted to a target:
its kind, its endpoint, and on Snowflake a hybrid table for what looks rows up by
key. --import stores it instead.`,
		Example: `  benchfleet template library
  benchfleet template library tpcb --target postgres --endpoint pg > tpcb.yaml
  benchfleet template library ycsb-a --target snowflake --endpoint sf --import`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return exactly("NAME")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			kinds := targetKinds()
			if target.Kind != "" && !slices.Contains(kinds, target.Kind) {
				return usage("--target is %q; allowed: %s", target.Kind, strings.Join(kinds, ", "))
			}
			if len(args) == 0 {
				if store || target != (library.Target{}) {
					return usage("--target, --endpoint and --import are about one template: name it; there are: %s", strings.Join(library.Names(), ", "))
				}
				return a.listLibrary()
			}
			return a.oneOfLibrary(cmd, args[0], target, store)
		},
	}
	cmd.Flags().StringVar(&target.Kind, "target", "", "fit it to that `KIND` of target: "+strings.Join(targetKinds(), ", "))
	cmd.Flags().StringVar(&target.Endpoint, "endpoint", "", "let it name the endpoint `NAME`")
	cmd.Flags().BoolVar(&store, "import", false, "store it instead of printing it")
	return cmd
}

// listed is a built-in template in a list.
type listed struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Tables      int    `json:"tables"`
	Rows        int64  `json:"rows"`
}

func (a *app) listLibrary() error {
	list := []listed{}
	for _, name := range library.Names() {
		t, err := library.Get(name)
		if err != nil {
			return err
		}
		list = append(list, listed{name, t.Description, len(t.Table.Tables()), t.Table.Rows})
	}
	if a.json() {
		return writeJSON(a.out, list)
	}
	for _, l := range list {
		tables := "1 table "
		if l.Tables > 1 {
			tables = fmt.Sprintf("%d tables", l.Tables)
		}
		if err := a.print("%-12s  %9s rows in %s  %s\n", l.Name, grouped(l.Rows), tables, l.Description); err != nil {
			return err
		}
	}
	return nil
}

// oneOfLibrary prints one built-in template, or stores it.
func (a *app) oneOfLibrary(cmd *cobra.Command, name string, target library.Target, store bool) error {
	text, err := library.For(name, target)
	if core.CodeOf(err) == core.NotFound {
		return exitWith(ExitUsage, err)
	}
	if err != nil {
		return err
	}
	list, err := templatefile.Parse("library:"+name, text)
	if err != nil {
		return exitWith(ExitUsage, err)
	}
	t := list[0]
	if err := t.Validate(); err != nil {
		return exitWith(ExitUsage, err)
	}
	switch {
	case store:
		return a.storeTemplates(cmd.Context(), list)
	case a.json():
		return writeJSON(a.out, t)
	}
	_, err = a.out.Write(text)
	return err
}
