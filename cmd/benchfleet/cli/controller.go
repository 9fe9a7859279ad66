package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/controller"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/spf13/cobra"
)

const defaultListen = "127.0.0.1:8080"

// controllerFlags are the flags of the controller.
type controllerFlags struct {
	listen         string
	noOrchestrator bool
	launchers      []string
}

func (a *app) controllerCommand() *cobra.Command {
	var f controllerFlags
	cmd := &cobra.Command{
		Use:   "controller",
		Short: "Serve the API and the pages, and drive the runs that are started there",
		Long: `Serves the API (/api/v1, described at /api/openapi.json) and the pages. Runs that are
started there are driven by this process, or, with --no-orchestrator, by those of
benchfleet orchestrator.

It listens on loopback, where everybody on this host may use it, unless --listen
names another address.

An interrupt ends it. Runs that go on are left to a successor, which may be the same
command again: their workers go on for as long as their lease lasts.`,
		Example: `  benchfleet controller
  benchfleet controller --listen 127.0.0.1:9000 --launcher local --launcher docker`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.control(cmd.Context(), f) },
	}
	cmd.Flags().StringVar(&f.listen, "listen", defaultListen, "`HOST:PORT` to serve on")
	cmd.Flags().BoolVar(&f.noOrchestrator, "no-orchestrator", false, "drive no run: others do")
	addLaunchers(cmd, &f.launchers)
	return cmd
}

// addLaunchers adds the flag of services that drive runs of several launchers.
func addLaunchers(cmd *cobra.Command, launchers *[]string) {
	cmd.Flags().StringArrayVar(launchers, "launcher", nil, launcherHelp+"; repeatable: those whose runs it drives (default local)")
}

// control serves until ctx ends.
func (a *app) control(ctx context.Context, f controllerFlags) error {
	a.asService()
	if len(f.launchers) == 0 {
		f.launchers = []string{"local"}
	}
	store, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	service, err := a.newController(ctx, store, f)
	if err != nil {
		return err
	}
	handler, err := controller.Handler(service, controller.ServerOptions{})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", f.listen)
	if err != nil {
		return usage("--listen is %q: %w", f.listen, err)
	}
	var group sync.WaitGroup
	defer group.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if !f.noOrchestrator {
		o, err := a.newOrchestrators(ctx, store, f.launchers)
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		group.Go(func() { o.run(ctx) })
	}
	fmt.Fprintf(a.err, "the controller serves http://%s/ on %s\n", listener.Addr(), a.shownStore())
	return controller.Serve(ctx, listener, handler, a.logger(a.err))
}

// newController is the controller over the store.
func (a *app) newController(ctx context.Context, store ports.Store, f controllerFlags) (*controller.Service, error) {
	build, err := a.thisBuild()
	if err != nil {
		return nil, err
	}
	o := controller.Options{NewRunID: NewRunID, Build: build, Logger: a.logger(a.err)}
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
func (a *app) offered(ctx context.Context, name string) (controller.Launcher, error) {
	own := a.withLauncher(name)
	launcher, closeLauncher, err := own.openLauncher(ctx, name, a.err)
	if err != nil {
		return controller.Launcher{}, err
	}
	defer closeLauncher()
	caps := launcher.Capabilities()
	l := controller.Launcher{Resolution: resolution(caps, storeKind(a.store))}
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
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("%w: a port for the gateway: %w", core.ErrUnavailable, err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return ":" + port, listener.Close()
}
