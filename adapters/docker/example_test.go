package docker_test

import (
	"context"
	"fmt"
	"time"

	"github.com/benchfleet/benchfleet/adapters/docker"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// One worker with a limit of memory, of the image that task image builds.
func Example() {
	launcher, err := docker.New(docker.Options{Image: "benchfleet:latest", Memory: 256 << 20})
	if err != nil {
		panic(err)
	}
	defer launcher.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	findings, err := launcher.Check(ctx, 1)
	if err != nil {
		panic(err)
	}
	if refusal := core.Refusal(findings); refusal != "" {
		fmt.Println(refusal)
		return
	}
	handle, err := launcher.Launch(ctx, ports.WorkerSpec{
		Key:       core.WorkerKey{RunID: "run-1", WorkerID: "worker-0", Epoch: 1},
		Secrets:   []ports.EnvVar{{Name: "BENCHFLEET_ENDPOINT_PROD", Value: "postgres://user:password@db/bench"}},
		ExpiresAt: time.Now().Add(time.Hour),
	})
	if err != nil {
		panic(err)
	}
	status, err := launcher.Inspect(ctx, []core.Handle{handle})
	if err != nil {
		panic(err)
	}
	fmt.Println(status[0].State, status[0].Cause)
}
