package worker

import (
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// Observation is what a worker shows of itself while it lives. It belongs to the
// viewer, who does not change it.
type Observation struct {
	Key      core.WorkerKey
	Interval time.Duration // of its beats
	Lease    time.Duration // longest age of its control read
	Duty     core.WorkerDuty
	Beat     core.Beat // the newest that was made; zero before the first
	At       time.Time // by this process's clock
	Read     time.Time // of the newest control read; zero before the first
}

// observe shows one turn of the machine.
func (w *worker) observe(duty core.WorkerDuty) {
	if w.config.Observe == nil {
		return
	}
	o := Observation{
		Key: w.key, Interval: w.collector.interval, Lease: w.scenario.Limits.WorkerLease.Std(),
		Duty: duty, At: time.Now(),
	}
	if b := w.newest.Load(); b != nil {
		o.Beat = *b
	}
	if w.read > 0 {
		o.Read = w.clock.base.Add(w.read)
	}
	w.config.Observe(o)
}
