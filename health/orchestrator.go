package health

import (
	"fmt"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// Orchestrator is what an orchestrator last knew of the run that it drives. Once
// it is shown nobody changes it.
type Orchestrator struct {
	Run     core.Run
	Beats   []core.Beat         // the newest of each worker, in any order
	Workers []core.WorkerHealth // as core.HealthOf judges them
	// Interval is how often each worker makes a beat.
	Interval time.Duration
	// StoreTrouble is how long the store could not be written at Turned; 0: it
	// can be.
	StoreTrouble time.Duration
	// Turned is when the loop that drives last went round, by this process's
	// clock; Now is the store's clock at that moment.
	Turned time.Time
	Now    time.Time
}

// minRunStall is the least time without a turn after which an orchestrator is
// not live, since one turn calls store and launcher several times; otherwise it
// is core.LostAfter intervals.
const minRunStall = 30 * time.Second

// Status judges an orchestrator at that time. It is live while its loop goes
// round, and ready while the run has not ended, its owner lease lasts, and the
// store can be written. A nil orchestrator drives nothing yet: it is live and not
// ready.
func (o *Orchestrator) Status(now time.Time) Status {
	if o == nil {
		return Status{}.judged("", []string{"no run is driven yet"})
	}
	s := Status{State: string(o.Run.Status), RunID: o.Run.ID}
	return s.judged(stall(o.Turned, now, max(core.LostAfter*o.Interval, minRunStall)), o.reasons(now))
}

// reasons say why the orchestrator is not ready.
func (o *Orchestrator) reasons(now time.Time) (list []string) {
	if o.Run.Status.Terminal() {
		return append(list, because(string(o.Run.Status), "the run has ended"))
	}
	if o.StoreTrouble > 0 {
		list = append(list, fmt.Sprintf("the store could not be written for %s", seconds(o.StoreTrouble+now.Sub(o.Turned))))
	}
	switch left := o.leaseLeft(now); {
	case o.Run.OwnerLeaseUntil.IsZero():
		list = append(list, "the run has no owner")
	case left <= 0:
		list = append(list, fmt.Sprintf("the owner lease ended %s ago", seconds(-left)))
	}
	return list
}

// leaseLeft is how long the owner lease lasts from now, by the store's clock;
// negative once it has ended.
func (o *Orchestrator) leaseLeft(now time.Time) time.Duration {
	return o.Run.OwnerLeaseUntil.Sub(o.Now.Add(now.Sub(o.Turned)))
}
