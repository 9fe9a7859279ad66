package runner

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// warehousePace is how often the target's warehouse is asked how busy it is.
const warehousePace = 5 * time.Second

// warehousePolls are the questions of one driver, one at a time, beside its loop.
type warehousePolls struct {
	group sync.WaitGroup
	asked atomic.Bool // one is being asked
	none  atomic.Bool // the target has no warehouse
	next  time.Time
}

// pollWarehouse asks the target's warehouse how busy it is, and stores what it
// says, while workers run or end. Losing one loses no number of the result, so a
// failure is logged and nothing else.
func (d *driver) pollWarehouse(ctx context.Context) {
	p := &d.polls
	poller, asks := d.ports.Target.(ports.WarehousePoller)
	store, keeps := d.ports.Results.(ports.PollStore)
	if !asks || !keeps || !d.owns() || d.away() || p.none.Load() || time.Now().Before(p.next) || !d.loaded() || !p.asked.CompareAndSwap(false, true) {
		return
	}
	p.next = time.Now().Add(warehousePace)
	at := d.clock.now()
	elapsed := 0.0
	if !d.run.Origin.IsZero() {
		elapsed = max(0, at.Sub(d.run.Origin).Seconds()) // the origin is set a little ahead
	}
	runID, log := d.run.ID, d.log
	p.group.Go(func() {
		defer p.asked.Store(false)
		ctx, cancel := context.WithTimeout(ctx, callWait)
		defer cancel()
		poll, err := poller.PollWarehouse(ctx)
		if core.CodeOf(err) == core.Unsupported {
			p.none.Store(true)
			return
		}
		if err == nil {
			poll.RunID, poll.At, poll.Elapsed = runID, at, elapsed
			err = store.AppendPolls(ctx, []core.WarehousePoll{poll})
		}
		if err != nil && ctx.Err() == nil {
			log.Warn("the warehouse could not be polled", "error", err)
		}
	})
}

// loaded reports whether workers may be making load.
func (d *driver) loaded() bool {
	switch d.run.Status {
	case core.Running, core.Stopping, core.Cancelling:
		return true
	}
	return false
}
