package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/spf13/cobra"
)

func (a *app) prepareCommand() *cobra.Command {
	var rows string
	var drop bool
	cmd := &cobra.Command{
		Use:   "prepare TEMPLATE",
		Short: "Create and load the benchmark table on the target",
		Long: `Creates the benchmark table and loads its rows: set-up, never part of a run, and
the only command that executes DDL on a target. An interrupted load goes on where
it stopped. --drop removes the table.`,
		Args: exactly("TEMPLATE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := a.findTemplate(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if rows != "" {
				if t.Table.Rows, err = positive("rows", rows); err != nil {
					return err
				}
			}
			if err := t.Validate(); err != nil {
				return exitWith(ExitUsage, err)
			}
			target, _, err := a.openTarget(cmd.Context(), core.ScenarioTarget{Kind: t.Target.Kind, Endpoint: t.Target.Endpoint})
			if err != nil {
				return err
			}
			defer target.Close()
			if drop {
				return a.dropTable(cmd.Context(), target, t.Table)
			}
			return a.loadTable(cmd.Context(), target, t.Table)
		},
	}
	cmd.Flags().StringVar(&rows, "rows", "", "rows to load (default: what the template says)")
	cmd.Flags().BoolVar(&drop, "drop", false, "remove the table instead")
	return cmd
}

func (a *app) dropTable(ctx context.Context, target ports.Loader, table core.TemplateTable) error {
	if err := target.Drop(ctx, table); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "dropped %s\n", table.Name)
	return nil
}

func (a *app) loadTable(ctx context.Context, target ports.Loader, table core.TemplateTable) error {
	return Prepare(ctx, target, table, a.err, a.terminal(a.err), a.out)
}

// Prepare creates the benchmark table if it is missing and loads its rows, with
// a progress bar on a terminal or a line now and then elsewhere.
func Prepare(ctx context.Context, target ports.Loader, table core.TemplateTable, progress io.Writer, terminal bool, out io.Writer) error {
	err := target.Create(ctx, table)
	if err != nil && core.CodeOf(err) != core.Conflict {
		return err
	}
	start := time.Now()
	bar := newBar(progress, terminal, table.Rows)
	err = target.Load(ctx, table, bar.set)
	bar.end()
	if err != nil {
		return fmt.Errorf("loading %s: %w", table.Name, err)
	}
	fmt.Fprintf(out, "%s holds %d rows (%s)\n", table.Name, table.Rows, time.Since(start).Round(10*time.Millisecond))
	return nil
}
