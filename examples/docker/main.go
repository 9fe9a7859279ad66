// Command docker runs the built-in OLTP benchmark against a PostgreSQL server,
// with three workers in containers of the image that task image builds. The
// store is an embedded file of this host, which containers do not see: this
// program serves it to them through the gateway.
//
//	task example:docker
//
// --target names the server, by an address that reaches it from here and from
// the containers alike, like that of the container bridge, 172.17.0.1.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/benchfleet/benchfleet/adapters/docker"
	"github.com/benchfleet/benchfleet/adapters/gateway"
	"github.com/benchfleet/benchfleet/adapters/postgres"
	"github.com/benchfleet/benchfleet/adapters/sqlite"
	"github.com/benchfleet/benchfleet/cmd/benchfleet/cli"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/library"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/worker"
)

func main() {
	dir := flag.String("dir", ".benchfleet", "data directory")
	target := flag.String("target", os.Getenv("BENCHFLEET_ENDPOINT_LOCAL"), "address of the PostgreSQL server")
	flag.Parse()
	code, err := run(context.Background(), *dir, *target)
	if err != nil {
		fmt.Fprintln(os.Stderr, "docker:", err)
	}
	os.Exit(code)
}

func run(ctx context.Context, dir, dsn string) (code int, err error) {
	options, err := cli.DockerDaemon(os.Environ()) // where docker itself finds it
	build, buildErr := cli.ThisBuild()             // the workers must be of the same
	if err = errors.Join(err, buildErr); err != nil {
		return cli.ExitUsage, err
	}
	options.Image, options.Command, options.Build = cli.DefaultImage, []string{"/benchfleet", "worker"}, build
	launcher, err := docker.New(options)
	if err != nil {
		return cli.ExitUsage, err
	}
	defer launcher.Close()
	target, err := postgres.New(dsn, postgres.Options{})
	if err != nil {
		return cli.ExitUsage, err
	}
	defer target.Close()
	storePath := filepath.Join(dir, "store.db")
	err = sqlite.ApplySchema(ctx, storePath)
	store, openErr := sqlite.OpenStore(ctx, storePath, sqlite.Options{})
	if err = errors.Join(err, openErr); err != nil {
		return cli.ExitUsage, err
	}
	defer store.Close()
	// The gateway, at the address at which containers reach this host.
	reach, err := launcher.Reach(ctx)
	key, keyErr := gateway.LoadKey(filepath.Join(dir, "gateway.key"))
	if err = errors.Join(err, keyErr); err != nil {
		return cli.ExitUsage, err
	}
	listener, err := gateway.Listen(ctx, net.JoinHostPort(reach.Listen, "0"))
	if err != nil {
		return cli.ExitUsage, err
	}
	server := gateway.New(store, gateway.Options{Key: key})
	ctx, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener) }()
	defer func() { stop(); err = errors.Join(err, <-served, server.Close()) }()
	// The template, on this server; and the run.
	template, getErr := library.Get("oltp")
	template.Target.Kind = "postgres"
	scenario, err := template.Resolve(core.Resolution{Launcher: "docker", StartTimeout: launcher.Capabilities().StartTimeout})
	if err = errors.Join(getErr, err, cli.Prepare(ctx, target, template.Table)); err != nil {
		return cli.ExitUsage, err
	}
	id, port := cli.NewRunID(), listener.Addr().(*net.TCPAddr).Port
	return cli.DriveHere(ctx, cli.Fleet{
		Dir: dir, Location: "sqlite:" + storePath, Store: server.Store(), Target: target, Launcher: launcher,
		RunID: id, Gateway: listener.Addr().String(),
		Environment: []ports.EnvVar{{Name: ports.EnvStore, Value: fmt.Sprintf("http://%s:%d", reach.Dial, port)}},
		Secrets: []ports.EnvVar{
			{Name: ports.EnvStoreToken, Value: gateway.Token(key, id)},
			{Name: worker.EndpointVariable("local"), Value: dsn},
		},
	}, scenario)
}
