package cli

import (
	"context"
	"fmt"
	"io"
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
func serveWorker(ctx context.Context, address string, open *worker.Opener, log io.Writer) (*health.Server, error) {
	var newest atomic.Pointer[health.Worker]
	open.Observe = func(o worker.Observation) {
		newest.Store(&health.Worker{
			Key: o.Key, State: o.Duty.State, Cause: o.Duty.Cause, Beat: o.Beat,
			Interval: o.Interval, Lease: o.Lease, Turned: o.At, Read: o.Read,
		})
	}
	return health.Serve(ctx, health.Options{
		Address: address, Role: "worker", Build: open.Build(), Logger: slog.New(slog.NewJSONHandler(log, nil)),
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
		Metrics: func() health.Metrics { return health.Metrics{Orchestrator: newest.Load()} },
	})
	return server, func(o runner.Observation) {
		newest.Store(&health.Orchestrator{
			Run: o.Run, Beats: o.Beats, Workers: o.Workers, Interval: o.Scenario.Load.Interval.Std(),
			StoreTrouble: o.StoreTrouble, Turned: time.Now(), Now: o.Now,
		})
	}, err
}

// observed serves the health of the orchestrator that this process is, and
// returns whom its runner shows what it does: the health address and the display.
func (a *app) observed(ctx context.Context, display *Display) (observe func(runner.Observation), end func(), err error) {
	build, err := ThisBuild()
	if err != nil {
		return nil, nil, err
	}
	address, _ := a.lookup(ports.EnvHealth)
	server, show, err := serveOrchestrator(ctx, address, build, a.logger(display))
	if err != nil {
		return nil, nil, exitWith(ExitUsage, fmt.Errorf("%s: %w", ports.EnvHealth, err))
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
