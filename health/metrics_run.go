package health

import (
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/prometheus/client_golang/prometheus"
)

// runMetrics are those of an orchestrator and of each run that it drives, which is
// their first label.
type runMetrics struct {
	info, status, phase, turnAge   metric
	workers, healths               metric
	operations, errors, events     metric
	inFlight, open, target         metric
	storeTrouble, epoch, leaseLeft metric
}

func newRunMetrics(b *book) runMetrics {
	gauge := func(name, help string, labels ...string) metric { return b.gauge(name, help, ofRun(labels)...) }
	counter := func(name, help string, labels ...string) metric { return b.counter(name, help, ofRun(labels)...) }
	return runMetrics{
		info:    gauge("run_info", "Always 1; the label is a run that is driven."),
		status:  gauge("run_status", "1 for the status of the run, 0 for all others.", "status"),
		phase:   gauge("run_phase", "1 for the phase of the run, 0 for all others.", "phase"),
		turnAge: gauge("run_turn_age_seconds", "Time since the loop that drives the run last went round."),

		workers: gauge("run_workers", "Workers by what the run knows of their life.", "life"),
		healths: gauge("run_workers_health", "Living workers by the age of their newest beat; NONE before the first.", "health"),

		operations: counter("run_operations_total", "Operations of all workers by outcome, as of their newest beats.", "kind", "phase", "outcome"),
		errors:     counter("run_errors_total", "Failed operations of all workers by class of error.", "class"),
		events:     counter("run_control_events_total", "Control events that the run has published."),

		inFlight: gauge("run_in_flight_operations", "Operations in flight in all workers."),
		open:     gauge("run_connections_open", "Connections to the target that all workers have open."),
		target:   gauge("run_connections_target", "Connections to the target that all workers should have."),

		storeTrouble: gauge("run_store_trouble_seconds", "Time since when the store cannot be written; 0 while it can."),
		epoch:        gauge("run_owner_epoch", "How often the run has been claimed by an owner."),
		leaseLeft:    gauge("run_owner_lease_seconds", "Time until the owner lease ends; negative once it has."),
	}
}

// ofRun are labels behind that of the run.
func ofRun(labels []string) []string { return append([]string{"run_id"}, labels...) }

// of is the metrics of one run.
func (m runMetrics) of(run string) runMetrics {
	for _, x := range []*metric{
		&m.info, &m.status, &m.phase, &m.turnAge, &m.workers, &m.healths, &m.operations, &m.errors, &m.events,
		&m.inFlight, &m.open, &m.target, &m.storeTrouble, &m.epoch, &m.leaseLeft,
	} {
		x.first = []string{run}
	}
	return m
}

func (m runMetrics) collect(to chan<- prometheus.Metric, o *Orchestrator, now time.Time) {
	r := &o.Run
	m = m.of(r.ID)
	m.info.send(to, 1)
	sendSet(to, m.status, core.Statuses(), r.Status)
	sendSet(to, m.phase, phases(), r.Phase)
	m.turnAge.send(to, now.Sub(o.Turned).Seconds())
	m.collectWorkers(to, o)
	m.collectBeats(to, o)
	m.events.send(to, float64(r.Sequence))
	trouble := o.StoreTrouble
	if trouble > 0 {
		trouble += now.Sub(o.Turned)
	}
	m.storeTrouble.send(to, trouble.Seconds())
	m.epoch.send(to, float64(r.OwnerEpoch))
	if !r.OwnerLeaseUntil.IsZero() {
		m.leaseLeft.send(to, o.leaseLeft(now).Seconds())
	}
}

// collectWorkers counts the workers by life and by health.
func (m runMetrics) collectWorkers(to chan<- prometheus.Metric, o *Orchestrator) {
	lives, healths := map[core.Life]int{}, map[core.Health]int{}
	target := 0
	for _, w := range o.Run.Workers {
		lives[w.Life]++
		target += w.Target
	}
	for _, w := range o.Workers {
		if w.Health != "" || w.Life.Alive() && !w.State.Final() {
			healths[w.Health]++
		}
	}
	for _, life := range []core.Life{core.Planned, core.Launching, core.Launched, core.Ready, core.Gone, core.Orphan} {
		name := string(life)
		if life == core.Planned {
			name = "PLANNED"
		}
		m.workers.send(to, float64(lives[life]), name)
	}
	for _, health := range []core.Health{"", core.Healthy, core.Stale, core.Lost} {
		name := string(health)
		if health == "" {
			name = "NONE"
		}
		m.healths.send(to, float64(healths[health]), name)
	}
	m.target.send(to, float64(target))
}

// collectBeats adds up the newest beats of all workers.
func (m runMetrics) collectBeats(to chan<- prometheus.Metric, o *Orchestrator) {
	type key struct{ kind, phase string }
	counts := map[key]core.Counts{}
	var errors []core.ErrorCount
	var open int
	var inFlight uint64
	for i := range o.Beats {
		b := &o.Beats[i]
		w, ok := o.Run.WorkerIndex(b.Key.WorkerID)
		if ok && o.Run.Workers[w].Life.Alive() && !b.State.Final() { // what a lost worker had, it has no more
			open += b.Connections
			inFlight += b.Report.InFlight
		}
		for p := range b.Report.Phases {
			phase := &b.Report.Phases[p]
			for j := range phase.Kinds {
				k := &phase.Kinds[j]
				at := key{k.Kind, string(phase.Phase)}
				sum := counts[at]
				sum.Add(k.Counts)
				counts[at] = sum
				errors = addErrors(errors, k.Failures)
			}
		}
	}
	for at, c := range counts {
		m.operations.sendCounts(to, at.kind, at.phase, c)
	}
	m.errors.sendErrors(to, errors)
	m.open.send(to, float64(open))
	m.inFlight.send(to, float64(inFlight))
}

func phases() []core.Phase {
	return append(append([]core.Phase{core.Preparing}, core.LoadPhases()...), core.Processing)
}
