package health_test

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/health"
)

// A role keeps the newest value that it has made, and its health address reads
// that.
func Example() {
	if err := example(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	// Output:
	// live: true, ready: false
	// 3 of 4 connections are open
}

func example(ctx context.Context) error {
	var newest atomic.Pointer[health.Worker]
	server, err := health.Serve(ctx, health.Options{
		Role:    "worker",
		Build:   core.Build{ID: "v1.2.3"},
		Check:   func() health.Status { return newest.Load().Status(time.Now()) },
		Metrics: func() health.Metrics { return health.Metrics{Worker: newest.Load()} },
	})
	if err != nil {
		return err
	}
	newest.Store(&health.Worker{
		Key:      core.WorkerKey{RunID: "r1", WorkerID: "worker-0", Epoch: 1},
		State:    core.WorkerRunning,
		Beat:     core.Beat{Count: 1, Connections: 3, Target: 4},
		Interval: time.Second, Lease: 15 * time.Second,
		Turned: time.Now(), Read: time.Now(),
	})
	status, err := health.Ask(ctx, server.Address())
	if err != nil {
		return err
	}
	fmt.Printf("live: %t, ready: %t\n", status.Live, status.Ready)
	for _, reason := range status.Reasons {
		fmt.Println(reason)
	}
	return server.Close()
}
