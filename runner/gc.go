package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// orphanWait bounds how long a killed orphan is waited for, besides the time that
// its platform takes.
const orphanWait = 10 * time.Second

// Collected is what gc did about one run or launch.
type Collected struct {
	RunID    string      `json:"run_id"`
	WorkerID string      `json:"worker_id,omitempty"`
	Action   string      `json:"action"` // "closed" a run, "ended" or "released" a launch, or "left" it
	Status   core.Status `json:"status,omitempty"`
	Detail   string      `json:"detail"`
}

// forgotten is how long after its creation a run that nobody has started is
// dead: whoever created it would have started it long ago.
const forgotten = 10 * time.Minute

// Dead reports whether a run goes on and nobody drives it any more, or whether it
// was created and never started.
func Dead(record ports.RunRecord) bool {
	run := record.Run
	started := !run.StartedAt.IsZero() || record.Now.Sub(record.CreatedAt) > forgotten
	return !run.Status.Terminal() && started && record.Now.After(run.OwnerLeaseUntil)
}

// Close drives a dead run to its end: its workers are stopped if they still
// live, and its result is stored. Errors: as Drive.
func (r *Runner) Close(ctx context.Context, runID, why string) (core.Run, error) {
	stop := make(chan core.StopRequested, 1)
	stop <- core.StopRequested{Reason: core.Guardrail, By: r.options.Owner, Detail: why}
	return r.Drive(ctx, runID, DriveOptions{Stop: stop})
}

// CollectLaunches ends and releases every launch whose run is terminal, or whose
// run the store does not know and whose time is over. Launches of runs that
// still go on are left alone. One that does not end keeps none of the others:
// the errors of all are returned together, with what was done.
func CollectLaunches(ctx context.Context, runs ports.RunStore, launcher ports.Launcher) ([]Collected, error) {
	launches, err := launcher.List(ctx, "")
	if err != nil {
		return nil, err
	}
	var done []Collected
	var failed []error
	for _, l := range launches {
		record, err := runs.Load(ctx, l.Key.RunID)
		unknown := core.CodeOf(err) == core.NotFound
		switch {
		case err != nil && !unknown:
			return done, errors.Join(append(failed, err)...)
		case unknown && !time.Now().After(l.ExpiresAt):
			done = append(done, left(l, "its time is not over until "+l.ExpiresAt.UTC().Format(time.RFC3339)))
		case unknown && l.ExpiresAt.IsZero():
			done = append(done, left(l, "nobody knows when its time is over"))
		case unknown || record.Run.Status.Terminal():
			collected, err := collect(ctx, launcher, l)
			if err != nil {
				failed = append(failed, fmt.Errorf("%s of run %s: %w", l.Key.WorkerID, l.Key.RunID, err))
				continue
			}
			done = append(done, collected)
		}
	}
	return done, errors.Join(failed...)
}

func left(l ports.Launch, why string) Collected {
	return Collected{RunID: l.Key.RunID, WorkerID: l.Key.WorkerID, Action: "left", Detail: "this store does not know the run, and " + why}
}

// collect ends one launch and releases it.
func collect(ctx context.Context, launcher ports.Launcher, l ports.Launch) (Collected, error) {
	c := Collected{RunID: l.Key.RunID, WorkerID: l.Key.WorkerID, Action: "released", Detail: "it had ended"}
	ctx, cancel := context.WithTimeout(ctx, orphanWait+launcher.Capabilities().Grace)
	defer cancel()
	poll := time.NewTicker(busyPoll)
	defer poll.Stop()
	for {
		states, err := launcher.Inspect(ctx, []core.Handle{l.Handle})
		if err != nil {
			return c, err
		}
		if len(states) == 1 && states[0].State == ports.LaunchGone {
			return c, launcher.Release(ctx, l.Handle)
		}
		c.Action, c.Detail = "ended", "it outlived its run"
		if err := launcher.Stop(ctx, l.Handle, ports.Hard); err != nil {
			return c, err
		}
		select {
		case <-ctx.Done():
			return c, fmt.Errorf("%w: it does not end", core.ErrUnavailable)
		case <-poll.C:
		}
	}
}
