package cli

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/health"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/report"
	"github.com/benchfleet/benchfleet/runner"
	"github.com/benchfleet/benchfleet/worker"
	"github.com/spf13/cobra"
)

// defaultHealth is the health address in an image.
const defaultHealth = "127.0.0.1:9464"

// serveWorker serves the health of the worker that open opens.
func serveWorker(ctx context.Context, address string, open *worker.Opener, log *slog.Logger) (*health.Server, error) {
	build := open.Build()
	open.Build = func() core.Build { return build } // which may be a hash of the whole executable
	var newest atomic.Pointer[health.Worker]
	open.Observe = func(o worker.Observation) {
		newest.Store(&health.Worker{
			Key: o.Key, State: o.Duty.State, Cause: o.Duty.Cause, Beat: o.Beat,
			Interval: o.Interval, Lease: o.Lease, Turned: o.At, Read: o.Read,
		})
	}
	return health.Serve(ctx, health.Options{
		Address: address, Role: "worker", Build: build, Logger: log,
		Check:   func() health.Status { return newest.Load().Status(time.Now()) },
		Metrics: func() health.Metrics { return health.Metrics{Worker: newest.Load()} },
	})
}

// serveOrchestrator serves the health of an orchestrator, and returns what its
// runner shows each observation to.
func serveOrchestrator(ctx context.Context, address string, build core.Build, log *slog.Logger) (*health.Server, func(runner.Observation), error) {
	var newest atomic.Pointer[health.Orchestrator]
	server, err := health.Serve(ctx, health.Options{
		Address: address, Role: "orchestrator", Build: build, Logger: log,
		Check:   func() health.Status { return newest.Load().Status(time.Now()) },
		Metrics: func() health.Metrics { return health.Metrics{Orchestrators: []*health.Orchestrator{newest.Load()}} },
	})
	return server, func(o runner.Observation) { newest.Store(observedRun(o)) }, err
}

// observedRun is an observation as the health address shows it.
func observedRun(o runner.Observation) *health.Orchestrator {
	return &health.Orchestrator{
		Run: o.Run, Beats: o.Beats, Workers: o.Workers, Interval: o.Scenario.Load.Interval.Std(),
		StoreTrouble: o.StoreTrouble, Turned: time.Now(), Now: o.Now,
	}
}

// addHealth adds the flag of commands that serve a health address.
func (a *app) addHealth(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.health, "health", "", "`IP:PORT` to serve /health and /metrics on (default a free port of loopback, which the log names)")
}

// observed serves the health of the orchestrator that this process is, and
// returns whom its runner shows what it does: the health address and the display.
// An address that was asked for is said.
func (a *app) observed(ctx context.Context, display *Display) (observe func(runner.Observation), end func(), err error) {
	server, show, err := a.serveHealth(ctx, a.logger(display))
	if err != nil {
		return nil, nil, err
	}
	if a.health != "" {
		fmt.Fprintf(display, "health is served at http://%s/health\n", server.Address())
	}
	observe = func(o runner.Observation) {
		display.Observe(o)
		show(o)
	}
	return observe, func() {
		if err := server.Close(); err != nil {
			fmt.Fprintln(a.err, "benchfleet:", err)
		}
	}, nil
}

func (a *app) serveHealth(ctx context.Context, log *slog.Logger) (*health.Server, func(runner.Observation), error) {
	build, err := a.thisBuild()
	if err != nil {
		return nil, nil, err
	}
	server, show, err := serveOrchestrator(ctx, a.health, build, log)
	if err != nil {
		return nil, nil, usage("--health is %q: %w", a.health, err)
	}
	return server, show, nil
}

// checkHealth refuses a health address that cannot be had, for an orchestrator
// that is started after it.
func (a *app) checkHealth(ctx context.Context) error {
	server, _, err := a.serveHealth(ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return server.Close()
}

func (a *app) healthCommand() *cobra.Command {
	var address string
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask a worker or an orchestrator whether it is ready",
		Long: `Asks a worker or an orchestrator at its health address, and says what it answers.
It is the health check of the image, where there is no other program.

Exit codes: 0 ready, 1 not ready, 2 nobody answers.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if given, ok := a.lookup(ports.EnvHealth); ok && !cmd.Flags().Changed("address") {
				address = given
			}
			status, err := health.Ask(cmd.Context(), address)
			switch {
			case err != nil:
				return exitWith(ExitUsage, err)
			case a.json():
				err = writeJSON(a.out, status)
			default:
				err = a.print("%s %s: live %t, ready %t\n", report.Clean(status.Role), report.Clean(status.State), status.Live, status.Ready)
			}
			if err == nil && !status.Ready {
				err = exitWith(ExitInternal, fmt.Errorf("not ready: %s", strings.Join(status.Reasons, "; ")))
			}
			return err
		},
	}
	cmd.Flags().StringVar(&address, "address", defaultHealth, "`HOST:PORT` that it serves; also BENCHFLEET_HEALTH")
	return cmd
}
