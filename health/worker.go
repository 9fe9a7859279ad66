package health

import (
	"fmt"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// Worker is what a worker last knew of itself. Once it is shown nobody changes
// it.
type Worker struct {
	Key   core.WorkerKey
	State core.WorkerState
	Cause string    // why it ends, in words; empty while it does not
	Beat  core.Beat // the newest that was made; zero before the first
	// Interval is how often it makes a beat; Lease the longest age of its control
	// read.
	Interval time.Duration
	Lease    time.Duration
	// Turned is when its machine's loop last went round, Read when it last read
	// its control state; zero before the first time. By this process's clock.
	Turned time.Time
	Read   time.Time
}

// minWorkerStall is the least time without a turn after which a worker is not
// live; otherwise it is core.LostAfter intervals.
const minWorkerStall = 5 * time.Second

// Status judges a worker at that time. It is live while its loop goes round, and
// ready while it is READY or RUNNING, all its connections are open, and its
// control read is younger than half its lease. A nil worker has not begun: it is
// live and not ready.
func (w *Worker) Status(now time.Time) Status {
	if w == nil {
		return Status{State: string(core.WorkerStarting)}.judged("", []string{"STARTING: the worker has not begun"})
	}
	s := Status{State: string(w.State), RunID: w.Key.RunID, WorkerID: w.Key.WorkerID}
	return s.judged(stall(w.Turned, now, max(core.LostAfter*w.Interval, minWorkerStall)), w.reasons(now))
}

// reasons say why the worker is not ready.
func (w *Worker) reasons(now time.Time) (list []string) {
	switch w.State {
	case core.WorkerReadyNow, core.WorkerRunning:
		if open, target := w.Beat.Connections, w.Beat.Target; open < target || w.Beat.Count == 0 {
			list = append(list, fmt.Sprintf("%d of %d connections are open", open, target))
		}
	case core.WorkerStarting:
		list = append(list, "STARTING: not all connections to the target are open")
	default:
		return append(list, because(string(w.State), w.Cause)) // its lease matters no more
	}
	age := now.Sub(w.Read)
	switch left := w.Lease - age; {
	case w.Read.IsZero():
		list = append(list, "the control state has not been read yet")
	case left <= 0:
		list = append(list, fmt.Sprintf("last control read was %s ago; the lease has ended", seconds(age)))
	case age > w.Lease/2:
		list = append(list, fmt.Sprintf("last control read was %s ago; the lease ends in %s", seconds(age), seconds(left)))
	}
	return list
}
