package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/controller"
	"github.com/benchfleet/benchfleet/controller/web"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/spf13/cobra"
)

const (
	controllerPort = "8080"
	livePollFar    = time.Second // between two looks at a watched run in a store that is far away
)

// controllerFlags are the flags of the controller.
type controllerFlags struct {
	listen, prefix, tokenFile string
	hosts, operators          []string
	noOrchestrator            bool
	launchers                 []string
}

func (a *app) controllerCommand() *cobra.Command {
	var f controllerFlags
	cmd := &cobra.Command{
		Use:   "controller",
		Short: "Serve the API and the pages, and drive the runs that are started there",
		Long: `Serves the pages and the API (/api/v1, described at /api/openapi.json). Runs that are
started there are driven by this process, or, with --no-orchestrator, by those of
benchfleet orchestrator.

It listens on loopback, where everybody on this host may use it. Another address needs
--token-file, whose tokens benchfleet token makes: then whoever comes shows one, as
Authorization: Bearer TOKEN or on the page that asks for it. In a service of Snowpark
Container Services Snowflake itself says who comes: there it listens on port ` + controllerPort + ` of
every address, and users may read, or do everything if --operator names them. Tokens
are for a network that nobody else listens on, or behind something that speaks TLS.

An interrupt ends it. Runs that go on are left to a successor, which may be the same
command again: their workers go on for as long as their lease lasts.`,
		Example: `  benchfleet controller
  benchfleet controller --listen 127.0.0.1:9000 --launcher local --launcher docker
  benchfleet token ada --token-file tokens
  benchfleet controller --listen 0.0.0.0:8080 --token-file tokens`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.control(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.listen, "listen", "", "`HOST:PORT` to serve on (default 127.0.0.1:"+controllerPort+")")
	flags.StringVar(&f.prefix, "prefix", "", "`PATH` that everything is below, like /benchfleet, for a proxy that hands it on")
	flags.StringVar(&f.tokenFile, "token-file", "", "`FILE` with the hashes of the tokens that let people in")
	flags.StringArrayVar(&f.operators, "operator", nil, "`USER` of Snowflake who may do everything, or * for all of them; repeatable; only in Snowpark Container Services")
	flags.StringArrayVar(&f.hosts, "allow-host", nil, "another `NAME` by which a controller on loopback is asked for, as that of a proxy; repeatable")
	flags.BoolVar(&f.noOrchestrator, "no-orchestrator", false, "drive no run: others do")
	addLaunchers(cmd, &f.launchers)
	return cmd
}

// addLaunchers adds the flag of services that drive runs of several launchers.
func addLaunchers(cmd *cobra.Command, launchers *[]string) {
	cmd.Flags().StringArrayVar(launchers, "launcher", nil, launcherHelp+"; repeatable: those whose runs it drives (default local)")
}

// control serves until ctx ends.
func (a *app) control(ctx context.Context, f controllerFlags) error {
	gate, listen, err := a.gate(f)
	if err != nil {
		return err
	}
	if err := controller.CheckPrefix(f.prefix); err != nil {
		return usage("--prefix: %w", err)
	}
	served, err := a.serves(ctx, f.launchers)
	if err != nil {
		return err
	}
	f.launchers = served.launchers
	store, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return usage("--listen is %q: %w", listen, err)
	}
	a.asService()
	return errors.Join(a.controlAt(ctx, listener, store, gate, f, served), closed(listener.Close()))
}

// closed is the error of closing what may be closed already.
func closed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// controlAt serves on a listener.
func (a *app) controlAt(ctx context.Context, listener net.Listener, store ports.Store, gate *controller.Gate, f controllerFlags, served served) error {
	service, err := a.newController(ctx, store, f)
	if err != nil {
		return err
	}
	defer service.Close()
	pages, err := web.New(service, web.Options{Prefix: f.prefix})
	if err != nil {
		return err
	}
	handler, err := controller.Handler(service, controller.ServerOptions{Prefix: f.prefix, Gate: gate, Pages: pages})
	if err != nil {
		return err
	}
	var group sync.WaitGroup
	defer group.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if !f.noOrchestrator {
		o, err := a.newOrchestrators(store, served)
		if err != nil {
			return err
		}
		group.Go(func() { o.run(ctx) })
	}
	debug.FreeOSMemory() // what the API's document was made of
	fmt.Fprintf(a.err, "the controller serves http://%s%s/ on %s\n", listener.Addr(), f.prefix, a.shownStore())
	return controller.Serve(ctx, listener, handler, a.logger(a.err))
}

// newController is the controller over the store.
func (a *app) newController(ctx context.Context, store ports.Store, f controllerFlags) (*controller.Service, error) {
	build, err := a.thisBuild()
	if err != nil {
		return nil, err
	}
	o := controller.Options{NewRunID: NewRunID, Build: build, Location: a.shownStore(), Logger: a.logger(a.err)}
	if storeKind(a.store) != sqliteStore {
		o.LivePoll = livePollFar
	}
	for _, name := range f.launchers {
		l, err := a.offered(ctx, name)
		if err != nil {
			return nil, err
		}
		o.Launchers = append(o.Launchers, l)
	}
	return controller.New(store, o)
}

// offered is a launcher as the controller offers it, from what it can do.
func (a *app) offered(ctx context.Context, name string) (l controller.Launcher, err error) {
	own := a.withLauncher(name)
	launcher, closeLauncher, err := own.openLauncher(ctx, name, a.err)
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, closeLauncher()) }()
	caps := launcher.Capabilities()
	l.Resolution = resolution(caps, storeKind(a.store))
	if caps.HostBound {
		if l.Host, err = os.Hostname(); err != nil {
			return l, err
		}
	}
	if a.needsGateway(launcher) {
		l.Gateway = freePort
	}
	return l, nil
}

// freePort is a port at which a run's gateway can be served now: its address is
// known to whoever drives the run.
func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("%w: a port for the gateway: %w", core.ErrUnavailable, err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return ":" + port, listener.Close()
}
