package health

import (
	"strconv"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/prometheus/client_golang/prometheus"
)

// workerMetrics are those of one worker, all from its newest beat.
type workerMetrics struct {
	info, state, turnAge, readAge         metric
	operations, rows, errors              metric
	latency                               histogram
	inFlight, open, target                metric
	beats, reconnects, dropped            metric
	cpu, memory, clockOffset, clockWithin metric
}

func newWorkerMetrics(b *book) workerMetrics {
	return workerMetrics{
		info:    b.gauge("worker_info", "Always 1; the labels are who the worker is.", "run_id", "worker_id", "epoch"),
		state:   b.gauge("worker_state", "1 for the state of the worker, 0 for all others.", "state"),
		turnAge: b.gauge("worker_turn_age_seconds", "Time since the machine's loop last went round."),
		readAge: b.gauge("worker_control_read_age_seconds", "Time since the control state was last read."),

		operations: b.counter("worker_operations_total", "Operations by outcome, as of the newest beat; those in flight are in none.", "kind", "phase", "outcome"),
		rows:       b.counter("worker_rows_total", "Rows read or changed.", "kind", "phase"),
		errors:     b.counter("worker_errors_total", "Failed operations by class of error.", "class"),
		latency:    b.histogram("worker_latency_seconds", "Response time of the operations that succeeded: from the intended start where load has a rate.", "kind", "phase"),

		inFlight: b.gauge("worker_in_flight_operations", "Operations in flight."),
		open:     b.gauge("worker_connections_open", "Connections to the target that are open."),
		target:   b.gauge("worker_connections_target", "Connections to the target that there should be."),

		beats:      b.counter("worker_heartbeats_total", "Beats that were made."),
		reconnects: b.counter("worker_reconnects_total", "Connections to the target that were opened again."),
		dropped:    b.counter("worker_executions_dropped_total", "Sampled operations that did not fit the bounded queue."),

		cpu:         b.gauge("worker_cpu_ratio", "Share of the processors that the worker may use."),
		memory:      b.gauge("worker_memory_ratio", "Share of the memory that the worker may use."),
		clockOffset: b.gauge("worker_clock_offset_seconds", "The store's clock minus the worker's."),
		clockWithin: b.gauge("worker_clock_error_seconds", "Half of the width within which the clock offset is known."),
	}
}

func (m *workerMetrics) collect(to chan<- prometheus.Metric, w *Worker, now time.Time) {
	m.info.send(to, 1, w.Key.RunID, w.Key.WorkerID, strconv.Itoa(w.Key.Epoch))
	sendSet(to, m.state, workerStates(), w.State)
	m.turnAge.send(to, now.Sub(w.Turned).Seconds())
	if !w.Read.IsZero() {
		m.readAge.send(to, now.Sub(w.Read).Seconds())
	}
	b := &w.Beat
	var errors []core.ErrorCount
	for i := range b.Report.Phases {
		phase := &b.Report.Phases[i]
		for j := range phase.Kinds {
			k := &phase.Kinds[j]
			m.operations.sendCounts(to, k.Kind, string(phase.Phase), k.Counts)
			m.rows.send(to, float64(k.Rows), k.Kind, string(phase.Phase))
			m.latency.send(to, k.Latency(), k.Kind, string(phase.Phase))
			errors = addErrors(errors, k.Failures)
		}
	}
	m.errors.sendErrors(to, errors)
	m.inFlight.send(to, float64(b.Report.InFlight))
	m.open.send(to, float64(b.Connections))
	m.target.send(to, float64(b.Target))
	m.beats.send(to, float64(b.Count))
	m.reconnects.send(to, float64(b.Report.Reconnects))
	m.dropped.send(to, float64(b.Report.DroppedExecutions))
	m.cpu.send(to, b.CPU/100)
	m.memory.send(to, b.Memory/100)
	m.clockOffset.send(to, b.Report.ClockOffset)
	m.clockWithin.send(to, b.Report.ClockError)
}

func workerStates() []core.WorkerState {
	return []core.WorkerState{
		core.WorkerStarting, core.WorkerReadyNow, core.WorkerRunning,
		core.WorkerDraining, core.WorkerCompleted, core.WorkerDead,
	}
}

// addErrors adds counts to a bounded list, without their examples: those quote
// the target.
func addErrors(list, more []core.ErrorCount) []core.ErrorCount {
	for _, e := range more {
		list = core.AddError(list, core.ErrorCount{Class: e.Class, Count: e.Count})
	}
	return list
}
