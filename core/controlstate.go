package core

import "time"

// ControlOf is the level state that the worker with that zero-based index must
// obey, derived from a run as it is stored under version. now is the store's
// clock. An index that the run does not have gives Epoch 0, which no launch has:
// nobody may speak for such a worker.
func ControlOf(run Run, version int64, workerIndex int, now time.Time) Control {
	c := Control{
		Now: now, Version: version,
		Status: run.Status, Rung: run.Rung,
		Phase: run.Phase, PhaseAt: run.PhaseAt,
		Origin: run.Origin, Until: run.Until,
		OwnerLeaseUntil: run.OwnerLeaseUntil,
		LastSequence:    run.Sequence,
		Aim:             run.Aim,
	}
	if workerIndex >= 0 && workerIndex < len(run.Workers) {
		w := &run.Workers[workerIndex]
		c.Epoch, c.Target, c.Acknowledged = w.Epoch, w.Target, w.Acknowledged
	}
	return c
}

// WorkerIndex finds a worker of the run by its id.
func (r Run) WorkerIndex(workerID string) (index int, ok bool) {
	for i := range r.Workers {
		if r.Workers[i].ID == workerID {
			return i, true
		}
	}
	return 0, false
}
