package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// sendDead tells the run why a worker could not even start, if it can be told.
func (w *worker) sendDead(ctx context.Context, cause string) {
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	err := w.ports.Workers.Beat(ctx, core.Beat{
		Key: w.key, GroupID: w.config.GroupID, State: core.WorkerDead, Count: 1, LastError: cause, Build: w.config.Build,
	})
	if err != nil {
		w.log.Warn("a beat was not accepted", "error", w.text(err))
	}
}

// prepareTimeout bounds how long an unavailable store is tried at the start.
const prepareTimeout = 30 * time.Second

// prepare reads the scenario and makes everything that needs no connection to
// the target. On an error it tells the exit code too.
func (w *worker) prepare(ctx context.Context) (code int, err error) {
	if err := w.config.check(); err != nil {
		return core.ExitEnvironment, err
	}
	record, err := w.loadRun(ctx)
	if err != nil {
		if w.early {
			return core.ExitCompleted, fmt.Errorf("a signal, before anything was begun: %w", err)
		}
		if core.Retryable(err) {
			return core.ExitLease, err
		}
		return core.ExitEnvironment, err
	}
	w.scenario = record.Scenario
	if n := w.scenario.Load.Workers; n != w.config.GroupCount {
		return core.ExitRefused, fmt.Errorf("%w: the scenario is for %d workers, this one is of %d", core.ErrRefused, n, w.config.GroupCount)
	}
	if w.config.Build.Scenario, err = w.scenario.Hash(); err != nil {
		return core.ExitInternal, err
	}
	pools, err := w.readPools(ctx, record.Run.Pools)
	if err != nil {
		if core.Retryable(err) {
			return core.ExitLease, err
		}
		return core.ExitRefused, err
	}
	w.load, err = newLoad(ctx, w.clock, w.scenario, pools, w.key, w.config.GroupID, w.text, w.log)
	if err != nil {
		return core.ExitRefused, err
	}
	w.load.coarse = w.config.CoarseTimers
	w.collector = newCollector(w.load, w.store, w.ports.Usage)
	w.collector.share = w.ports.Share
	w.collector.strains = w.ports.Strain
	if w.load.samples != nil && w.ports.Results != nil {
		w.executions = &executionWriter{
			delay: executionDelay(w.scenario.Limits.ControlPoll.Std()),
			store: w.ports.Results, queue: w.load.samples, dropped: &w.load.dropped, clock: w.store, key: w.key, text: w.text, log: w.log,
		}
	} else {
		w.load.sampler.threshold = 0
	}
	w.machine = core.NewWorkerMachine(w.scenario.WorkerPlan(w.config.GroupID, w.config.Epoch, w.config.Grace), w.clock.now())
	return 0, nil
}

func (c Config) check() error {
	switch {
	case c.RunID == "" || c.WorkerID == "":
		return fmt.Errorf("%w: run id %q and worker id %q must not be empty", core.ErrInvalid, c.RunID, c.WorkerID)
	case c.GroupID < 0 || c.GroupID >= c.GroupCount:
		return fmt.Errorf("%w: worker group id is %d, it must be at least 0 and below the count of %d", core.ErrInvalid, c.GroupID, c.GroupCount)
	case c.Epoch < 1:
		return fmt.Errorf("%w: epoch is %d, it must be at least 1", core.ErrInvalid, c.Epoch)
	default:
		return nil
	}
}

// loadRun reads the run, again and again while the store is unavailable and
// nobody asks the worker to end.
func (w *worker) loadRun(ctx context.Context) (ports.RunRecord, error) {
	ctx, cancel := context.WithTimeout(ctx, prepareTimeout)
	defer cancel()
	ctx, heard := untilSignal(ctx, w.config.Signals)
	defer func() { w.early = heard() }()
	for failures := 1; ; failures++ {
		record, err := w.ports.Runs.Load(ctx, w.key.RunID)
		if err == nil || !core.Retryable(err) || ctx.Err() != nil {
			return record, err
		}
		wait(ctx, beatPause(failures))
	}
}

// readPools reads the value pools of the run, and proves that they are those that
// were sampled for it.
func (w *worker) readPools(ctx context.Context, ids []string) (pools []core.ValuePool, err error) {
	ctx, cancel := context.WithTimeout(ctx, prepareTimeout)
	defer cancel()
	for _, id := range ids {
		if w.ports.Pools == nil {
			return nil, fmt.Errorf("%w: the run has value pools, and nothing to read them from", core.ErrInvalid)
		}
		var chunks []string
		for failures := 1; ; failures++ {
			chunks, err = w.ports.Pools.Get(ctx, id)
			if err == nil || !core.Retryable(err) || ctx.Err() != nil {
				break
			}
			wait(ctx, beatPause(failures))
		}
		if err != nil {
			return nil, fmt.Errorf("value pool %.12s: %w", id, err)
		}
		pool, err := core.ParsePool(id, chunks)
		if err != nil {
			return nil, err
		}
		pools = append(pools, pool)
	}
	return pools, nil
}

// untilSignal derives a context that ends with the next signal. heard gives it
// up and tells whether it has taken one.
func untilSignal(ctx context.Context, signals <-chan struct{}) (until context.Context, heard func() bool) {
	until, cancel := context.WithCancel(ctx)
	result := make(chan bool, 1)
	go func() {
		select {
		case <-signals:
			cancel()
			result <- true
		case <-until.Done():
			result <- false
		}
	}()
	return until, func() bool {
		cancel()
		return <-result
	}
}
