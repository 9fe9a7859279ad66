package cli

import (
	"context"
	"log/slog"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/worker"
	"github.com/spf13/cobra"
)

func (a *app) workerCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "worker",
		Short: "Be a worker: started by a launcher, with everything in environment variables",
		Long: `Runs one worker of a run. A launcher starts it; nobody needs to by hand. It reads
BENCHFLEET_RUN_ID, BENCHFLEET_WORKER_ID, BENCHFLEET_WORKER_GROUP_ID,
BENCHFLEET_WORKER_GROUP_COUNT, BENCHFLEET_EPOCH, BENCHFLEET_STORE,
BENCHFLEET_STORE_TOKEN and BENCHFLEET_ENDPOINT_<NAME>; secrets also from the file
that the name with _FILE at its end names. /health and /metrics are served at
BENCHFLEET_HEALTH, else at a free port of loopback, which the log names.

Exit codes of a worker:
  0  drained and reported
  1  internal error
  2  its environment is incomplete
  3  ended by its lease or its deadline
  4  its connections could not be opened
  5  refused: an old epoch, or another build or scenario
  6  abandoned after a second signal`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// A worker obeys its run and its launcher, so the interrupt that ends
			// other commands does not end it.
			ctx := context.WithoutCancel(cmd.Context())
			run, _ := a.lookup(ports.EnvRunID)
			id, _ := a.lookup(ports.EnvWorkerID)
			log := slog.New(slog.NewJSONHandler(a.err, nil)).With("run_id", run, "worker_id", id)
			open := Opener()
			address, _ := a.lookup(ports.EnvHealth)
			server, err := serveWorker(ctx, address, &open, log)
			if err != nil {
				log.Error("health cannot be served", "error", err.Error())
				return exitWith(core.ExitEnvironment, nil)
			}
			exit := worker.Main(ctx, worker.Process{Environ: a.environ, Log: a.err}, open)
			if err := server.Close(); err != nil { // of one who asks, and not of the work
				log.Warn("health was not closed in order", "error", err.Error())
			}
			return exitWith(exit.Code, nil)
		},
	}
}
