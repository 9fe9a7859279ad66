package cli

import (
	"context"

	"github.com/benchfleet/benchfleet/worker"
	"github.com/spf13/cobra"
)

func (a *app) workerCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "worker",
		Short: "Be a worker: started by a launcher, with everything in environment variables",
		Long: `Runs one worker of a run. A launcher starts it; nobody needs to by hand. It reads
BENCHFLEET_RUN_ID, BENCHFLEET_WORKER_ID, BENCHFLEET_WORKER_GROUP_ID,
BENCHFLEET_WORKER_GROUP_COUNT, BENCHFLEET_EPOCH, BENCHFLEET_STORE and
BENCHFLEET_ENDPOINT_<NAME>.

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
			exit := worker.Main(context.WithoutCancel(cmd.Context()), worker.Process{Environ: a.environ, Log: a.err}, Opener())
			if exit.Code == 0 {
				return nil
			}
			return exitWith(exit.Code, nil)
		},
	}
}
