// Command spcs runs the built-in OLTP benchmark with three workers as job services
// in Snowflake. Variables say where; without them task example:spcs has a stand-in.
//
//	BENCHFLEET_STORE           snowflake:ADDRESS of the store
//	BENCHFLEET_ENDPOINT_LOCAL  ADDRESS of the target, with another warehouse
//	BENCHFLEET_SPCS_POOL       a compute pool
//	BENCHFLEET_SPCS_SCHEMA     DATABASE.SCHEMA in which jobs are made
//	BENCHFLEET_SPCS_IMAGE      /database/schema/repository/benchfleet:tag, of this build
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/adapters/snowflake"
	"github.com/benchfleet/benchfleet/adapters/spcs"
	"github.com/benchfleet/benchfleet/cmd/benchfleet/cli"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/library"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/worker"
)

func main() {
	dir := flag.String("dir", ".benchfleet", "folder for the certificate of a run whose store is lost")
	duration := flag.Duration("duration", 0, "length of the measurement (default: what the template says)")
	kind := flag.String("table", "HYBRID", "type of the benchmark table: HYBRID or STANDARD")
	flag.Parse()
	code, err := run(context.Background(), *dir, *kind, core.Duration(*duration))
	if err != nil {
		fmt.Fprintln(os.Stderr, "spcs:", err)
	}
	os.Exit(code)
}

func run(ctx context.Context, dir, kind string, duration core.Duration) (int, error) {
	environ, storeAddress, targetAddress := os.Environ(), os.Getenv(ports.EnvStore), os.Getenv(worker.EndpointVariable("local"))
	err := snowflake.ApplySchema(ctx, storeAddress, snowflake.ApplyOptions{Environ: environ})
	if err != nil {
		return cli.ExitUsage, err
	}
	store, err := snowflake.OpenStore(ctx, storeAddress, snowflake.StoreOptions{Environ: environ})
	if err != nil {
		return cli.ExitUsage, err
	}
	defer store.Close()
	target, err := snowflake.OpenTarget(targetAddress, snowflake.TargetOptions{Environ: environ})
	if err != nil {
		return cli.ExitUsage, err
	}
	defer target.Close()
	// The launcher, with a login of its own. In a job the platform logs in, so the
	// workers get the addresses without it.
	db, err := snowflake.OpenPool(storeAddress, snowflake.PoolOptions{Environ: environ})
	if err != nil {
		return cli.ExitUsage, err
	}
	defer db.Close()
	storeInside, err := snowflake.ServiceAddress(storeAddress, environ)
	targetInside, targetErr := snowflake.ServiceAddress(targetAddress, environ)
	build, buildErr := cli.ThisBuild() // the workers must be of the same
	if err = errors.Join(err, targetErr, buildErr); err != nil {
		return cli.ExitUsage, err
	}
	database, schema, _ := strings.Cut(os.Getenv("BENCHFLEET_SPCS_SCHEMA"), ".")
	launcher, err := spcs.New(db, spcs.Options{
		Database: database, Schema: schema, Pool: os.Getenv("BENCHFLEET_SPCS_POOL"), Image: os.Getenv("BENCHFLEET_SPCS_IMAGE"),
		Build: build, Command: []string{"/benchfleet", "worker"}, HealthPort: 9464,
		Number: snowflake.ErrorNumber, Code: snowflake.ErrorCode,
	})
	if err != nil {
		return cli.ExitUsage, err
	}
	// The template, its table, and the run.
	template, err := library.Get("oltp")
	template.Target.Kind, template.Table.Type = "snowflake", kind
	template.Load.Duration = cmp.Or(duration, template.Load.Duration)
	scenario, resolveErr := template.Resolve(core.Resolution{ // each read of the control state is a round trip, and costs
		Launcher: "spcs", StartTimeout: launcher.Capabilities().StartTimeout,
		ControlPoll: time.Second, OwnerLease: 20 * time.Second, WorkerLease: time.Minute,
	})
	if err = errors.Join(err, resolveErr, cli.Prepare(ctx, target, template.Table)); err != nil {
		return cli.ExitUsage, err
	}
	return cli.DriveHere(ctx, cli.Fleet{
		Dir: dir, Location: "snowflake:" + storeInside, Store: store, Target: target, Launcher: launcher,
		Environment: []ports.EnvVar{
			{Name: ports.EnvStore, Value: "snowflake:" + storeInside}, {Name: worker.EndpointVariable("local"), Value: targetInside},
		},
	}, scenario)
}
