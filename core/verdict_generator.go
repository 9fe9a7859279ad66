package core

import "time"

// The bounds of what a load generator may cost and delay.
const (
	degradedGC       = 0.10      // share of the processor time
	degradedPaused   = 0.01      // share of the time: of as many operations, so the p99 is the pause's
	degradedOverhead = 0.10      // of the run's median
	degradedWaits    = 0.50      // of the run's p99
	leastWait        = LateAfter // below it, waits for a processor are no cause
	leastStrain      = 1.0       // observed seconds, below which shares say nothing
	leastWaits       = 100       // of which a p99 is taken
	leastNulls       = 10        // of which a median is taken
	leastStalls      = 10        // fewer may be chance
	degradedStalls   = 0.01      // share of the null operations
)

// generator looks for a worker that was in its own way. The p50 and p99 are
// those of the worker's run.
func (j *judgement) generator(w WorkerFacts, in VerdictInput) {
	j.strain(w, in)
	o := w.Overhead
	if o == nil || in.Latency == nil || in.Latency.Count() == 0 {
		return
	}
	j.cause = CauseOverhead
	own, median := o.Service.Quantile(0.5), in.Latency.Quantile(0.5)
	if o.Service.Count() >= leastNulls && float64(own) > degradedOverhead*float64(median) {
		j.degrade("%s needed %s of its own for each operation, where the median is %s (allowed %s of it): the load generator is a good part of what was measured",
			w.ID, short(own), short(median), share(degradedOverhead))
	}
	if in.Embedded {
		return
	}
	j.cause = CauseStalls
	p99 := in.Latency.Quantile(0.99)
	n := o.Response.Count()
	above := n - o.Response.CountAtOrBelow(p99)
	if above >= leastStalls && float64(above) > degradedStalls*float64(n) {
		j.degrade("%s was late itself: %d of %d null operations (%s), which ask nothing of the target, took longer than the p99 of %s; their p99 is %s. "+
			"The load generator stood still, and what it did not start meanwhile is in no percentile",
			w.ID, above, n, share(float64(above)/float64(n)), short(p99), short(o.Response.Quantile(0.99)))
	}
}

// strain looks at what the runtime took from the load. Where the target works
// inside the worker it is the target's own work that shows.
func (j *judgement) strain(w WorkerFacts, in VerdictInput) {
	s := w.Strain
	if s == nil || in.Embedded || !(s.Seconds >= leastStrain) {
		return
	}
	j.cause = CauseGC
	if gc := s.GCShare(); gc > degradedGC {
		j.degrade("%s spent %s of its processor time on garbage collection (allowed %s), which the load lacked", w.ID, share(gc), share(degradedGC))
	}
	j.cause = CauseGCPauses
	if paused := s.PausedShare(); paused > degradedPaused {
		j.degrade("%s stood still for %s of the time (allowed %s), in %d pauses of its garbage collection of up to %s",
			w.ID, share(paused), share(degradedPaused), s.Pauses.Count(), short(s.Pauses.Max()))
	}
	if in.Latency == nil || in.Latency.Count() == 0 || s.Waits.Count() < leastWaits {
		return
	}
	j.cause = CauseScheduler
	wait, p99 := s.Waits.Quantile(0.99), in.Latency.Quantile(0.99)
	if wait > leastWait && float64(wait) > degradedWaits*float64(p99) {
		j.degrade("%s let what could run wait for a processor, 1 in 100 for more than %s, where the p99 is %s (allowed %s of it)",
			w.ID, short(wait), short(p99), share(degradedWaits))
	}
}

// begun looks for a worker that began the measurement after it was to.
func (j *judgement) begun(w WorkerFacts, measured float64) {
	j.cause = CauseWorkerLate
	tolerance := max(clockTolerance.Seconds(), clockShare*measured)
	if w.Late > tolerance {
		j.degrade("%s began the measurement %s late (allowed %s): until then the others made the load alone", w.ID, seconds(w.Late), seconds(tolerance))
	}
}

// short is a time for people, with three digits.
func short(d time.Duration) string {
	for _, unit := range []time.Duration{time.Second, time.Millisecond, time.Microsecond} {
		if d >= unit {
			return d.Round(max(unit/100, 1)).String()
		}
	}
	return d.String()
}
