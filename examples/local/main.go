// Command local runs the built-in OLTP benchmark on this machine: an embedded
// store and target, three worker subprocesses of four connections each. It is
// the whole of benchfleet as a library, put together by hand; the workers are
// this same program, started again.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/benchfleet/benchfleet/adapters/local"
	"github.com/benchfleet/benchfleet/adapters/sqlite"
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
	flag.Parse()
	code, err := run(context.Background(), *dir, core.Duration(*duration))
	if err != nil {
		fmt.Fprintln(os.Stderr, "local:", err)
	}
	os.Exit(code)
}

func run(ctx context.Context, dir string, duration core.Duration) (int, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return cli.ExitUsage, err
	}
	// The store and its tables; the template; the target and its table.
	storePath, targetPath := filepath.Join(dir, "store.db"), filepath.Join(dir, "target.db")
	if err := sqlite.ApplySchema(ctx, storePath); err != nil {
		return cli.ExitUsage, err
	}
	store, err := sqlite.OpenStore(ctx, storePath, sqlite.Options{})
	if err != nil {
		return cli.ExitUsage, err
	}
	defer store.Close()
	template, err := library.Get("oltp")
	if err != nil {
		return cli.ExitInternal, err
	}
	record, err := store.Templates().Put(ctx, template)
	if err != nil {
		return cli.ExitInternal, err
	}
	if duration > 0 {
		template.Load.Duration = duration // for this run only
	}
	target, err := sqlite.OpenTarget(ctx, targetPath, sqlite.TargetOptions{})
	if err != nil {
		return cli.ExitUsage, err
	}
	defer target.Close()
	if err := cli.Prepare(ctx, target, template.Table); err != nil {
		return cli.ExitUsage, err
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
		Dir: dir, Store: store, Target: target, Launcher: launcher, Location: "sqlite:" + storePath,
		Environment: []ports.EnvVar{{Name: ports.EnvStore, Value: "sqlite:" + storePath}},
		Secrets:     []ports.EnvVar{{Name: worker.EndpointVariable("local"), Value: targetPath}},
	}, scenario)
}
