package worker

import (
	"context"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// The deadline of one control read: a third of the worker lease, within these
// bounds, so that a lost reply leaves time for another try.
const (
	minControlTimeout = 100 * time.Millisecond
	maxControlTimeout = 10 * time.Second
)

// readControl polls the control state until ctx ends, and hands every reading
// to the machine. It waits for nothing else: neither for beats nor for load.
func (w *worker) readControl(ctx context.Context) {
	limits := &w.scenario.Limits
	timeout := min(max(limits.WorkerLease.Std()/3, minControlTimeout), maxControlTimeout)
	calm := max(limits.ControlPoll.Std(), time.Millisecond)
	poll := max(core.WaitingPoll(calm), time.Millisecond)
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	failing := false
	for ctx.Err() == nil {
		before := w.clock.now()
		call, cancel := context.WithTimeout(ctx, timeout)
		control, err := w.ports.Workers.Control(call, w.key.RunID, w.key.WorkerID)
		cancel()
		after := w.clock.now()
		switch {
		case err == nil:
			if failing {
				w.log.Info("the control state can be read again")
			}
			failing = false
			w.store.observe(control.Now, min(before+control.Held, after), after)
			w.tell(core.ControlRead{At: after, Zero: w.store.origin(), Control: control})
			if control.Status != core.Starting && poll != calm { // START is no longer waited for
				poll = calm
				ticker.Reset(calm)
			}
		case ctx.Err() == nil:
			if !failing {
				w.log.Warn("the control state cannot be read", "error", w.text(err))
			}
			failing = true
			w.load.noteError(err) // each time: it is news until a read succeeds
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}
