package benchfleet_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
	"github.com/benchfleet/benchfleet/worker"
)

// A whole benchmark as a library: three real workers make 1200 operations on a
// table. Here everything is in the memory of one process; another store,
// target or launcher is another constructor, and nothing else.
func Example() {
	if err := benchmark(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	// Output:
	// COMPLETED OPERATIONS_DONE
	// POINT_LOOKUP: 1080 ok, 0 errors
	// UPDATE: 120 ok, 0 errors
	// stopped clean: true
}

func benchmark(ctx context.Context) error {
	template := core.Template{
		Name:   "first",
		Target: core.TemplateTarget{Kind: "memory"},
		Table:  core.TemplateTable{Name: "ACCOUNTS", Rows: 1000},
		Load:   core.TemplateLoad{Workers: 3, Connections: 4, Operations: 1200},
		Mix:    []core.TemplateOp{{Kind: core.PointLookup, Weight: 90}, {Kind: core.Update, Weight: 10}},
	}
	scenario, err := template.Resolve(core.Resolution{Launcher: "memory"})
	if err != nil {
		return err
	}
	store, target := memory.NewStore(memory.Options{}), memory.NewTarget(memory.TargetOptions{})
	if err := errors.Join(target.Create(ctx, scenario.Table), target.Load(ctx, scenario.Table, nil)); err != nil {
		return err
	}
	launcher := memory.NewLauncher(func(ctx context.Context, p *memory.Process) (int, string) {
		spec := p.Spec()
		exit := worker.Run(ctx, worker.Config{
			RunID: spec.Key.RunID, WorkerID: spec.Key.WorkerID, Epoch: spec.Key.Epoch,
			GroupID: spec.GroupID, GroupCount: spec.GroupCount,
		}, worker.Ports{
			Runs: store, Workers: store, Results: store,
			Target: func(context.Context, core.ScenarioTarget) (ports.Target, error) { return target, nil },
		})
		return exit.Code, exit.Cause
	})
	defer launcher.Close() //nolint:errcheck // its workers have ended with the run

	r, err := runner.New(runner.FromStore(store, launcher, target), runner.Options{Owner: "example"})
	if err != nil {
		return err
	}
	run, err := r.Run(ctx, "run-1", scenario)
	if err != nil {
		return err
	}
	result, _, err := store.Rollup(ctx, run.ID)
	if err != nil {
		return err
	}
	fmt.Println(run.Status, run.Reason)
	for _, k := range result.Kinds {
		fmt.Printf("%s: %d ok, %d errors\n", k.Kind, k.OK, k.Errors)
	}
	fmt.Println("stopped clean:", run.Certificate().Clean)
	return nil
}
