package gateway_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/benchfleet/benchfleet/adapters/gateway"
	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// The owner of a run serves its store to workers that cannot open it.
func Example() {
	if err := example(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// the worker reads run-1, version 1
	// denied: gateway: the token of a run does not allow RunStore.Delete
}

func example() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	dir, err := os.MkdirTemp("", "gateway")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	key, err := gateway.LoadKey(filepath.Join(dir, "gateway.key"))
	if err != nil {
		return err
	}

	// The owner uses the store through the server.
	server := gateway.New(memory.NewStore(memory.Options{}), gateway.Options{Key: key})
	store := server.Store()
	defer store.Close()
	run := core.NewRun("run-1", core.Plan{Workers: 1, Connections: 1})
	if _, err := store.Create(ctx, run, core.Scenario{}, ports.Home{}); err != nil {
		return err
	}
	l, err := gateway.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, l) }()

	// A worker has its address and the token of the run.
	token := gateway.Token(key, "run-1")
	far, err := gateway.Open(ctx, "http://"+l.Addr().String(), gateway.ClientOptions{Token: token})
	if err != nil {
		return err
	}
	control, err := far.Control(ctx, "run-1", "worker-0")
	if err != nil {
		return err
	}
	fmt.Printf("the worker reads run-1, version %d\n", control.Version)
	fmt.Println(far.Delete(ctx, "run-1"))
	if err := far.Close(); err != nil {
		return err
	}
	cancel()
	return <-served
}
