// Command snowflake runs the built-in OLTP benchmark on Snowflake: control state,
// results and the benchmark table are there, in two warehouses; three workers are
// subprocesses on this machine. Two variables say where, like
// user:password@account/UNISTORE_BENCHMARK/PUBLIC?warehouse=BENCH_WH&role=R or
// connection:NAME for an entry of connections.toml:
//
//	BENCHFLEET_STORE           of the store, with snowflake: before it
//	BENCHFLEET_ENDPOINT_LOCAL  of the target, with another warehouse
//
// `task example:snowflake` runs it on the stand-in where they are not set.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/benchfleet/benchfleet/adapters/local"
	"github.com/benchfleet/benchfleet/adapters/snowflake"
	"github.com/benchfleet/benchfleet/cmd/benchfleet/cli"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/library"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/worker"
)

func main() {
	worker.RunIfChild(cli.Opener()) // a worker goes no further
	dir := flag.String("dir", ".benchfleet", "data directory")
	duration := flag.Duration("duration", 0, "length of the measurement (default: what the template says)")
	kind := flag.String("table", "HYBRID", "type of the benchmark table: HYBRID or STANDARD")
	flag.Parse()
	code, err := run(context.Background(), *dir, *kind, core.Duration(*duration))
	if err != nil {
		fmt.Fprintln(os.Stderr, "snowflake:", err)
	}
	os.Exit(code)
}

func run(ctx context.Context, dir, kind string, duration core.Duration) (int, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return cli.ExitUsage, err
	}
	storeAddress, targetAddress := os.Getenv(ports.EnvStore), os.Getenv(worker.EndpointVariable("local"))
	place, err := snowflake.ParseAddress(storeAddress, os.Environ())
	if err != nil {
		return cli.ExitUsage, fmt.Errorf("%s: %w", ports.EnvStore, err)
	}
	// The store and its tables; the template; the target and its table.
	err = snowflake.ApplySchema(ctx, storeAddress, snowflake.ApplyOptions{Environ: os.Environ()})
	if err != nil {
		return cli.ExitUsage, err
	}
	store, err := snowflake.OpenStore(ctx, storeAddress, snowflake.StoreOptions{Environ: os.Environ()})
	if err != nil {
		return cli.ExitUsage, err
	}
	defer store.Close()
	target, err := snowflake.OpenTarget(targetAddress, snowflake.TargetOptions{Environ: os.Environ()})
	if err != nil {
		return cli.ExitUsage, err
	}
	defer target.Close()
	template, err := library.Get("oltp")
	if err != nil {
		return cli.ExitInternal, err
	}
	template.Name, template.Target.Kind, template.Table.Type = "oltp-snowflake", "snowflake", kind
	record, err := store.Templates().Put(ctx, template)
	if err = errors.Join(err, cli.Prepare(ctx, target, template.Table)); err != nil {
		return cli.ExitUsage, err
	}
	if duration > 0 {
		template.Load.Duration = duration // for this run only
	}
	// The launcher starts this program again as the worker.
	launcher, err := local.New(dir, local.Options{Environ: os.Environ()})
	if err != nil {
		return cli.ExitUsage, err
	}
	defer launcher.Close()
	scenario, err := template.Resolve(core.Resolution{TemplateID: record.ID, Launcher: "local", StartTimeout: launcher.Capabilities().StartTimeout})
	if err != nil {
		return cli.ExitUsage, err
	}
	return cli.DriveHere(ctx, cli.Fleet{
		Dir: dir, Store: store, Target: target, Launcher: launcher, Location: "snowflake:" + place.Account + "/" + place.StoreDatabase,
		Secrets: []ports.EnvVar{{Name: ports.EnvStore, Value: storeAddress}, {Name: worker.EndpointVariable("local"), Value: targetAddress}},
	}, scenario)
}
