package cli

import (
	"context"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/report"
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
			Long: `Creates the tables and columns that the store lacks, and in Snowflake its database
and schemas. It can be run again at any time and removes nothing. Roles and grants
are not made: review what schema print shows, and run it by hand.`,
			Example: `  benchfleet schema apply
  benchfleet schema apply --store sqlite:/data/bench.db
  benchfleet schema apply --store snowflake:connection:admin`,
			Args: noArguments,
			RunE: func(cmd *cobra.Command, _ []string) error {
				if err := applySchema(cmd.Context(), a.store, a.environ); err != nil {
					return err
				}
				if a.json() {
					return writeJSON(a.out, map[string]string{"store": a.shownStore()})
				}
				return a.print("the schema is in place: %s\n", a.shownStore())
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
			Short: "Print the DDL, to be reviewed or run by hand; for --store snowflake:ADDRESS also grants and services",
			Args:  noArguments,
			RunE: func(*cobra.Command, []string) error {
				script, err := printSchema(a.store, a.environ)
				if err != nil {
					return err
				}
				if a.json() {
					return writeJSON(a.out, map[string]string{"dialect": storeKind(a.store), "ddl": script})
				}
				return a.print("%s", script)
			},
		},
	)
	return cmd
}

func (a *app) checkSchema(ctx context.Context) error {
	if err := checkStore(a.store, a.environ); err != nil {
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
