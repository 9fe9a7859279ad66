package memory_test

import (
	"context"
	"fmt"
	"time"

	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// A store whose clock stands still: two runs created at once have their own
// keys all the same.
func ExampleNewStore() {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	store := memory.NewStore(memory.Options{Now: func() time.Time { return now }})
	defer store.Close()
	scenario := core.Scenario{Name: "example", Load: core.ScenarioLoad{Workers: 1, Connections: 1}}
	for _, id := range []string{"first", "second"} {
		record, err := store.Create(context.Background(), core.NewRun(id, scenario.Plan()), scenario, ports.Home{})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(record.Run.ID, record.Run.Status, record.Scenario.InsertBase/core.InsertRange)
	}
	// Output:
	// first PREPARED 63158400
	// second PREPARED 63158401
}

// A target with ten rows, and one lookup of the last of them.
func ExampleNewTarget() {
	ctx, table := context.Background(), core.TemplateTable{Name: "BENCH", Rows: 10}
	target := memory.NewTarget(memory.TargetOptions{})
	if err := target.Create(ctx, table); err != nil {
		fmt.Println(err)
		return
	}
	if err := target.Load(ctx, table, nil); err != nil {
		fmt.Println(err)
		return
	}
	sql, _ := core.DefaultStatement(core.PointLookup)
	session, err := target.Open(ctx, ports.SessionOptions{Table: table, Statements: []core.Statement{{SQL: sql}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close()
	rows, err := session.Exec(ctx, 0, []any{int64(9)})
	fmt.Println(rows, err)
	// Output: 1 <nil>
}

// A worker that runs until it is asked to end.
func ExampleNewLauncher() {
	ctx := context.Background()
	launcher := memory.NewLauncher(func(ctx context.Context, process *memory.Process) (int, string) {
		select {
		case <-ctx.Done(): // a hard stop
		case <-process.Terminate(): // a gentle one
		}
		return 0, "asked to end"
	})
	handle, err := launcher.Launch(ctx, ports.WorkerSpec{Key: core.WorkerKey{RunID: "run-1", WorkerID: "worker-0", Epoch: 1}})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := launcher.Stop(ctx, handle, ports.Gentle); err != nil {
		fmt.Println(err)
		return
	}
	for status := []ports.WorkerStatus{{}}; status[0].State != ports.LaunchGone; {
		if status, err = launcher.Inspect(ctx, []core.Handle{handle}); err != nil {
			fmt.Println(err)
			return
		}
		if status[0].State == ports.LaunchGone {
			fmt.Println(status[0].Cause)
		}
	}
	fmt.Println(launcher.Close())
	// Output:
	// exited with code 0: asked to end
	// <nil>
}
