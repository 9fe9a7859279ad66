package cli

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/spf13/cobra"
)

func (a *app) prepareCommand() *cobra.Command {
	var rows string
	var set []string
	var drop bool
	cmd := &cobra.Command{
		Use:   "prepare TEMPLATE",
		Short: "Create and load the benchmark table, or tables, on the target",
		Long: `Creates the benchmark table, or the tables of its layout, and loads the rows: set-up, never part of a run, and
the only command that executes DDL on a target. An interrupted load goes on where
it stopped; rows that are there are left alone. --drop removes the tables.`,
		Example: `  benchfleet prepare oltp
  benchfleet prepare oltp --rows 1000000     # as many as: run oltp --set table.rows=1000000
  benchfleet prepare oltp --drop`,
		Args: exactly("TEMPLATE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if drop && cmd.Flags().Changed("rows") {
				return usage("--rows loads and --drop removes: give one of them")
			}
			t, err := a.findTemplate(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if t, err = preparable(cmd, t, set, rows); err != nil {
				return err
			}
			if err := a.onlyEndpoint(t.Target.Endpoint); err != nil {
				return err
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
	cmd.Flags().StringVar(&rows, "rows", "", "load `N` rows (default: what the template says)")
	cmd.Flags().StringArrayVar(&set, "set", nil, "`KEY=VALUE` changes one field of the template, like table.name=OTHER; repeatable")
	cmd.Flags().BoolVar(&drop, "drop", false, "remove the table instead")
	return cmd
}

// preparable is the template with the flags of prepare applied.
func preparable(cmd *cobra.Command, t core.Template, set []string, rows string) (core.Template, error) {
	t, err := assign(t, set)
	if err != nil {
		return t, err
	}
	if cmd.Flags().Changed("rows") {
		if t.Table.Rows, err = positive("rows", rows); err != nil {
			return t, err
		}
	}
	if err := t.Validate(); err != nil {
		return t, exitWith(ExitUsage, err)
	}
	return t, nil
}

// dropped is what prepare --drop did, loaded what prepare did.
type dropped struct {
	Table   string `json:"table"`
	Dropped bool   `json:"dropped"` // it was there
}

type loaded struct {
	Table   string  `json:"table"`
	Rows    int64   `json:"rows"`
	Seconds float64 `json:"seconds"`
}

func (a *app) dropTable(ctx context.Context, target targetAndLoader, table core.TemplateTable) error {
	info, err := target.Describe(ctx, table)
	if err != nil && core.CodeOf(err) != core.NotFound {
		return err
	}
	if err := target.Drop(ctx, table); err != nil {
		return err
	}
	switch {
	case a.json():
		return writeJSON(a.out, dropped{table.Name, info.Table.Exists})
	case !info.Table.Exists:
		return a.print("there is no table %s\n", table.Name)
	}
	return a.print("dropped %s\n", table.Name)
}

// loadTable creates the benchmark table if it is missing and loads its rows,
// with a progress bar on a terminal or a line now and then elsewhere.
func (a *app) loadTable(ctx context.Context, target ports.Loader, table core.TemplateTable) error {
	err := target.Create(ctx, table)
	if err != nil && core.CodeOf(err) != core.Conflict {
		return err
	}
	start := time.Now()
	tables := table.Tables()
	total := int64(0)
	for _, of := range tables {
		total += of.Rows
	}
	bar := a.newBar(total)
	err = target.Load(ctx, table, bar.set)
	bar.end()
	if err != nil && ctx.Err() != nil {
		return exitWith(ExitCancelled, fmt.Errorf("interrupted: %s has %s of %s rows; the same command goes on there",
			table.Name, grouped(bar.rows), grouped(total)))
	}
	if err != nil {
		return fmt.Errorf("loading %s: %w", table.Name, err)
	}
	took := time.Since(start)
	if a.json() {
		return writeJSON(a.out, loaded{table.Name, table.Rows, took.Seconds()})
	}
	for _, of := range tables[1:] {
		if err := a.print("%s has its %s rows\n", of.Name, grouped(of.Rows)); err != nil {
			return err
		}
	}
	return a.print("%s has its %s rows (%s)\n", table.Name, grouped(table.Rows), took.Round(10*time.Millisecond))
}

// Prepare creates the benchmark table if it is missing, loads its rows, and
// shows how far it is, as the command does.
func Prepare(ctx context.Context, target ports.Loader, table core.TemplateTable) error {
	a := &app{environ: os.Environ(), out: os.Stderr, err: os.Stderr, output: "text"}
	return a.loadTable(ctx, target, table)
}
