package fault_test

import (
	"context"
	"fmt"

	"github.com/benchfleet/benchfleet/adapters/fault"
	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// The second Create is done, but its reply is lost; beats are now and then sent
// twice.
func ExampleNew() {
	injector, err := fault.New(42,
		fault.Rule{On: "RunStore.Create", Fault: fault.FailAfter, Calls: []int64{2}},
		fault.Rule{On: "WorkerStore.Beat", Fault: fault.Duplicate, Probability: 0.01},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	store := injector.Store(memory.NewStore(memory.Options{}))
	defer store.Close()
	scenario := core.Scenario{Name: "example"}
	for _, id := range []string{"first", "second"} {
		_, err := store.Create(context.Background(), core.NewRun(id, scenario.Plan()), scenario, ports.Home{})
		fmt.Println(id, err)
	}
	_, err = store.Load(context.Background(), "second")
	fmt.Println("it is there:", err == nil)
	// Output:
	// first <nil>
	// second unavailable: fault: the reply to call 2 of RunStore.Create was lost
	// it is there: true
}
