//go:build linux || darwin

package local_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/benchfleet/benchfleet/adapters/local"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

func Example() {
	dir, err := os.MkdirTemp("", "benchfleet-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	launcher, err := local.New(dir, local.Options{Command: []string{"/bin/sh", "-c", `echo "I am $BENCHFLEET_WORKER_ID"; exit 3`}})
	if err != nil {
		panic(err)
	}
	defer launcher.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	handle, err := launcher.Launch(ctx, ports.WorkerSpec{Key: core.WorkerKey{RunID: "run-1", WorkerID: "worker-0", Epoch: 1}, GroupCount: 1})
	if err != nil {
		panic(err)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range tick.C { // ctx ends it
		status, err := launcher.Inspect(ctx, []core.Handle{handle})
		if err != nil {
			panic(err)
		}
		if status[0].State == ports.LaunchGone {
			fmt.Println(status[0].State, status[0].Cause)
			break
		}
	}
	log, err := launcher.Logs(ctx, handle, 0)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s", log)
	if err := launcher.Release(ctx, handle); err != nil {
		panic(err)
	}
	// Output:
	// GONE exited with code 3
	// I am worker-0
}
