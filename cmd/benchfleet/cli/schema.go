package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/benchfleet/benchfleet/adapters/sqlite"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/report"
	"github.com/benchfleet/benchfleet/sql/schema"
	"github.com/spf13/cobra"
)

func (a *app) schemaCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Create, check or print the tables of the store",
	}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "apply",
			Short: "Create what is missing; the only command that executes DDL on the store",
			Long:  "Creates the tables and columns that the store lacks. It can be run again at any time and removes nothing.",
			Example: `  benchfleet schema apply
  benchfleet schema apply --store sqlite:/data/bench.db`,
			Args: noArguments,
			RunE: func(cmd *cobra.Command, _ []string) error {
				path, err := sqlitePath(a.store)
				if err != nil {
					return err
				}
				if err := sqlite.ApplySchema(cmd.Context(), path); err != nil {
					return err
				}
				if a.json() {
					return writeJSON(a.out, map[string]string{"store": a.store})
				}
				return a.print("the schema is in place: %s\n", a.store)
			},
		},
		&cobra.Command{
			Use:   "check",
			Short: "Name each missing table and column; exit code 4 when something is missing",
			Args:  noArguments,
			RunE:  func(cmd *cobra.Command, _ []string) error { return a.checkSchema(cmd.Context()) },
		},
		&cobra.Command{
			Use:   "print",
			Short: "Print the DDL, to be reviewed or run by hand",
			Args:  noArguments,
			RunE: func(*cobra.Command, []string) error {
				script, err := schema.Script("sqlite")
				if err != nil {
					return err
				}
				if a.json() {
					return writeJSON(a.out, map[string]string{"dialect": "sqlite", "ddl": script})
				}
				return a.print("%s", script)
			},
		},
	)
	return cmd
}

// sqlitePath is the file that a store's address names.
func sqlitePath(address string) (string, error) {
	kind, path, _ := strings.Cut(address, ":")
	if kind != "sqlite" || path == "" || strings.HasPrefix(path, ":") || strings.HasPrefix(path, "file:") {
		return "", fmt.Errorf("%w: --store is %q; allowed: sqlite:PATH, where PATH is a file", core.ErrInvalid, address)
	}
	return path, nil
}

func (a *app) checkSchema(ctx context.Context) error {
	if _, err := sqlitePath(a.store); err != nil {
		return err
	}
	store, err := a.openStore(ctx)
	if err != nil {
		return a.showFindings([]core.Finding{{ID: "store.reachable", Severity: core.SeverityError, Message: err.Error()}})
	}
	defer store.Close()
	findings, err := store.Check(ctx)
	if err != nil {
		return err
	}
	return a.showFindings(findings)
}

// showFindings prints findings and turns a refusal into its exit code.
func (a *app) showFindings(findings []core.Finding) error {
	var err error
	if a.json() {
		err = report.FindingsJSON(a.out, findings)
	} else {
		err = report.FindingsText(a.out, findings, a.layout()...)
	}
	if err == nil && core.Refusal(findings) != "" {
		err = exitWith(ExitRefused, nil)
	}
	return err
}
