package spcs_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/benchfleet/benchfleet/adapters/spcs"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// What can never work is refused before anything is asked; everything else is
// Check's to find. Workers in Snowflake do not reach a server on this host.
func ExampleNew() {
	// snowflake.OpenPool opens the pool, with its ErrorNumber and ErrorCode in the options.
	var db sqlx.DB
	_, err := spcs.New(&db, spcs.Options{Database: "BENCH", Schema: "SERVICES", Image: "benchfleet:v1"})
	fmt.Println(err)

	launcher, err := spcs.New(&db, spcs.Options{
		Database: "BENCH", Schema: "SERVICES", Pool: "BENCH_POOL", Image: "/bench/services/images/benchfleet:v1",
		Command: []string{"/benchfleet", "worker"}, CPU: "1", Memory: "2Gi", HealthPort: 9464,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(launcher.Capabilities().Name, launcher.Capabilities().Grace)
	_, err = launcher.Reach(context.Background())
	fmt.Println(errors.Is(err, core.ErrUnsupported))
	_, err = launcher.Launch(context.Background(), ports.WorkerSpec{
		Key:     core.WorkerKey{RunID: "20261123-154200-3f9a1c", WorkerID: "worker-0", Epoch: 1},
		Secrets: []ports.EnvVar{{Name: "BENCHFLEET_ENDPOINT_LOCAL", Value: "postgres://me:secret@db/bench"}},
	})
	fmt.Println(core.CodeOf(err))
	// Output:
	// invalid: spcs: image is "benchfleet:v1"; allowed: /database/schema/repository/name:tag
	// spcs 30s
	// true
	// Refused
}
