package core

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// The bounds beyond which the numbers of a run may not be trusted, or not fully.
const (
	degradedCoverage  = 0.95 // share of the load that was made
	invalidCoverage   = 0.50
	degradedErrorRate = 0.01 // share of operations that failed
	invalidErrorRate  = 0.50
	degradedShortfall = 0.95  // share of the planned time or operations
	degradedPool      = 0.95  // share of the connections asked for
	degradedCPU       = 90.0  // percent of what the load generator may use
	degradedMissed    = 0.001 // share of the open loop's schedule that was not started
	invalidMissed     = 0.50
	degradedOverslept = 0.01 // share of operations that the load generator started late
	clockTolerance    = 50 * time.Millisecond
	clockShare        = 0.01 // of the measured time
)

// VerdictInput is what a verdict rests on.
type VerdictInput struct {
	Status   Status
	Reason   Reason
	Begun    bool   // START was published: workers may have made load
	Measured Counts // operations of the measurement
	// Latency is that of the measurement, all kinds together; nil: unknown.
	Latency    *Histogram
	Seconds    float64 // measured
	Planned    float64 // seconds of measurement; 0: bounded by operations alone
	Operations uint64  // planned; 0: bounded by time alone
	Ledger     Ledger  // over all phases
	Coverage   float64 // share of the load that was made, 0 to 1
	Workers    []WorkerFacts
	Unjoined   string // the worker that could not join the running load, and why; empty: none
	StaleFacts int64  // reports from launches that had been given up
	// SharedHost: the workers share one host, so what they use of it adds up.
	SharedHost bool
	// Embedded: the target works inside the workers, so that a busy CPU is the
	// target's own work and no sign of a weak load generator.
	Embedded bool
	// Searched: the load went beyond what the target bears on purpose, and its steps
	// were judged one by one. Found: one of them was borne, so what failed was beyond it.
	Searched, Found bool
	Answer          SearchWindow // counts at the load that was found
}

// WorkerFacts is what a verdict looks at in one worker.
type WorkerFacts struct {
	ID          string
	Reported    bool    // it made its final report
	Lost        bool    // while it was needed
	Unjoined    bool    // it was launched while the load went on, and never took part
	Clean       bool    // it drained and ended by itself
	Ending      string  // in words
	Dropped     uint64  // sampled operations that were not stored
	Connections float64 // of those that it was asked for, on average
	Asked       float64 // connections, on average; 0: unknown
	Exhausted   int     // connections that ended since no key was left to insert
	CPU         float64 // percent of the cores that it may use; 0: unknown
	HostCPU     float64 // percent of its whole host's
	ClockError  float64 // seconds, plus or minus
	Guardrail   string  // that it has passed, or that could not be watched, in words
	Late        float64 // seconds after the measurement was to begin, until it did
	Overhead    *Overhead
	Strain      *Strain // nil, like Overhead: unknown
}

// Judge says whether the numbers may be trusted: the worst of all causes, each
// with its reason in words and figures, those that make the numbers INVALID
// first. A clock offset as such is no cause, since workers correct for it; how
// little is known of it is one.
func Judge(in VerdictInput) Verdict {
	var j judgement
	j.cause = CauseNothingMeasured
	j.measured(in)
	j.cause = CauseCoverage
	j.coverage(in)
	if in.Searched {
		j.overslept(in.Answer.Overslept, in.Answer.OK+in.Answer.Errors)
	} else {
		j.missed(in.Measured)
		j.overslept(in.Measured.Overslept, in.Measured.Started)
	}
	if !in.Found {
		j.cause = CauseErrors
		j.errors(in)
	}
	j.cause = CauseLedger
	if in.Ledger.Problem != "" || !in.Ledger.Balanced {
		j.degrade("the ledger does not balance: %s", in.Ledger.Problem)
	}
	j.cause = CauseEndedEarly
	j.ending(in)
	if in.Unjoined != "" {
		j.cause = CauseUnjoined
		j.degrade("%s: the others made the load alone", in.Unjoined)
	}
	for _, w := range in.Workers {
		j.worker(w, in)
		j.begun(w, in.Seconds)
		j.generator(w, in)
	}
	j.cause = CauseStaleReports
	if in.StaleFacts > 0 {
		j.degrade("%d reports came from workers that had been given up: they may have made load beside the run's own", in.StaleFacts)
	}
	j.cause = CauseCPU
	j.cpu(in)
	return j.verdict()
}

// judgement gathers the causes, each with its reason.
type judgement struct {
	cause              Cause // what is being looked for
	invalids, degrades []string
	invalid, degraded  []Cause // of these
}

func (j *judgement) invalidate(format string, args ...any) {
	j.invalids = append(j.invalids, fmt.Sprintf(format, args...))
	j.invalid = append(j.invalid, j.cause)
}

func (j *judgement) degrade(format string, args ...any) {
	j.degrades = append(j.degrades, fmt.Sprintf(format, args...))
	j.degraded = append(j.degraded, j.cause)
}

func (j *judgement) verdict() Verdict {
	v := Verdict{Level: Valid}
	v.add(j.invalids, j.invalid)
	v.add(j.degrades, j.degraded)
	switch {
	case len(j.invalids) > 0:
		v.Level = InvalidRun
	case len(j.degrades) > 0:
		v.Level = Degraded
	}
	return v
}

// maxReasons is how many reasons of one cause a verdict gives: each of a thousand
// workers may have its own.
const maxReasons = 10

// add takes in reasons with their causes: the first of each cause, and how many more
// there are.
func (v *Verdict) add(reasons []string, causes []Cause) {
	count := map[Cause]int{}
	for i, cause := range causes {
		if count[cause]++; count[cause] <= maxReasons {
			v.Reasons, v.Causes = append(v.Reasons, reasons[i]), append(v.Causes, cause)
		}
	}
	for _, cause := range slices.Sorted(maps.Keys(count)) {
		if more := count[cause] - maxReasons; more > 0 {
			v.Reasons, v.Causes = append(v.Reasons, fmt.Sprintf("%d more reasons are %s", more, cause)), append(v.Causes, cause)
		}
	}
}

func (j *judgement) measured(in VerdictInput) {
	ended := in.Measured.OK + in.Measured.Errors
	if ended > 0 && in.Seconds > 0 {
		return
	}
	silent := 0 // they may have measured what nobody heard of
	for _, w := range in.Workers {
		if in.Begun && !w.Reported && !w.Clean {
			silent++
		}
	}
	if ended == 0 && silent > 0 {
		j.invalidate("what was measured is unknown: no operation of the measurement was reported, and %d of %d workers made no final report", silent, len(in.Workers))
	} else {
		j.invalidate("nothing was measured: %d operations ended in %s of measurement", ended, seconds(in.Seconds))
	}
}

func (j *judgement) coverage(in VerdictInput) {
	text := fmt.Sprintf("the workers made %s of the load: they were at work for that share of the measurement", share(in.Coverage))
	switch {
	case !(in.Seconds > 0): // said already
	case !(in.Coverage >= invalidCoverage):
		j.invalidate("%s", text)
	case in.Coverage < degradedCoverage:
		j.degrade("%s", text)
	}
}

// missed looks at what an open loop has missed of its schedule. A closed loop
// misses nothing.
func (j *judgement) missed(c Counts) {
	j.cause = CauseMissedSchedule
	if missed := c.Skipped + c.Unserved; missed > 0 {
		rate := float64(missed) / float64(c.Scheduled)
		text := fmt.Sprintf("%d of %d scheduled operations were not started (%s): %d skipped, since no connection was free in time or the worker heard of it late, and %d still due when the load of their worker ended. "+
			"The percentiles lack them. If connections were wanting, more of them or a lower rate let all start; if not, look for late workers", missed, c.Scheduled, share(rate), c.Skipped, c.Unserved)
		switch {
		case rate > invalidMissed:
			j.invalidate("%s", text)
		case rate > degradedMissed:
			j.degrade("%s", text)
		}
	}
}

// overslept looks at what an open loop began late though nothing was in its way.
func (j *judgement) overslept(late, of uint64) {
	j.cause = CauseOverslept
	if of > 0 && float64(late) > degradedOverslept*float64(of) {
		j.degrade("%d of %d operations were started more than %s late though a connection was waiting (%s): the load generator missed its schedule",
			late, of, LateAfter, share(float64(late)/float64(of)))
	}
}

func (j *judgement) errors(in VerdictInput) {
	rate := errorRate(in.Measured)
	text := fmt.Sprintf("%d of %d operations failed (%s)", in.Measured.Errors, in.Measured.OK+in.Measured.Errors, share(rate))
	switch {
	case rate > invalidErrorRate:
		j.invalidate("%s", text)
	case rate > degradedErrorRate:
		j.degrade("%s", text)
	}
}

// ending looks at how the run ended, and at what it did less than planned.
func (j *judgement) ending(in VerdictInput) {
	short := in.shortfall()
	switch {
	case in.Status != Completed:
		text := fmt.Sprintf("the run is %s (%s)", in.Status, in.Reason)
		if short != "" {
			text += ", its numbers are partial: " + short
		}
		j.degrade("%s", text)
	case short != "":
		j.degrade("%s", short)
	}
}

// shortfall says what is missing to the plan, or nothing. A run that both time
// and operations bound ends with whichever comes first. What an open loop did not start
// of its schedule is a cause of its own.
func (in VerdictInput) shortfall() string {
	var parts []string
	lessTime := in.Planned > 0 && in.Reason != TargetFound && in.Seconds < degradedShortfall*in.Planned
	started, missed := in.Measured.Started, in.Measured.Skipped+in.Measured.Unserved
	lessWork := in.Operations > 0 && started+missed < in.Operations
	if lessTime && !(in.Reason == OperationsDone && !lessWork) {
		parts = append(parts, fmt.Sprintf("%s of %s were measured", seconds(in.Seconds), seconds(in.Planned)))
	}
	if lessWork && !(in.Reason == Elapsed && in.Planned > 0 && !lessTime) {
		parts = append(parts, fmt.Sprintf("%d of %d operations were started", started, in.Operations))
	}
	return strings.Join(parts, ", ")
}

func (j *judgement) worker(w WorkerFacts, in VerdictInput) {
	switch {
	case w.Unjoined: // said of the run
	case w.Lost:
		j.cause = CauseWorkerLost
		j.degrade("%s was lost while it was needed: %s", w.ID, w.Ending)
	case !w.Reported:
		j.cause = CauseNoFinalReport
		j.degrade("%s: %s; what it did after its last beat is not counted", w.ID, w.Ending)
	case !w.Clean:
		j.cause = CauseWorkerEnded
		j.degrade("%s did not end by itself: %s", w.ID, w.Ending)
	}
	j.cause = CauseConnections
	if !in.Found && w.Connections < degradedPool*w.Asked { // the step that was borne had them
		j.degrade("%s kept %.1f connections of %.4g on average", w.ID, w.Connections, w.Asked)
	}
	if w.Exhausted > 0 {
		j.cause = CauseKeys
		j.degrade("%s ended %d of its connections early, since no key was left to insert", w.ID, w.Exhausted)
	}
	if w.Guardrail != "" {
		j.cause = CauseGuardrail
		j.degrade("%s", w.Guardrail)
	}
	j.cause = CauseRecorder
	if w.Dropped > 0 {
		j.degrade("%s could not store %d sampled operations in time; counts and percentiles hold all of them", w.ID, w.Dropped)
	}
	j.cause = CauseClock
	tolerance := max(clockTolerance.Seconds(), clockShare*in.Seconds)
	if w.ClockError > tolerance {
		j.degrade("%s knew the store's clock only to ±%s (allowed ±%s), so its measurement may have begun and ended that much too early or late",
			w.ID, seconds(w.ClockError), seconds(tolerance))
	}
}

// cpu looks for a load generator that was too weak for its load.
func (j *judgement) cpu(in VerdictInput) {
	if in.Embedded {
		return
	}
	sum := 0.0
	for _, w := range in.Workers {
		sum += w.HostCPU
		own := !in.SharedHost || w.HostCPU < w.CPU // else the host's sum tells
		if own && w.CPU > degradedCPU {
			j.degrade("%s used %.0f %% of its CPU: the load generator may have been the bottleneck", w.ID, w.CPU)
		}
	}
	if in.SharedHost && sum > degradedCPU {
		j.degrade("the workers used %.0f %% of their host's CPU: the load generator may have been the bottleneck", sum)
	}
}

// share is a fraction in percent. A small one has two digits that say something.
func share(fraction float64) string {
	if math.IsNaN(fraction) {
		return "an unknown share"
	}
	digits := 1
	for rest := 100 * fraction; 0 < rest && rest < 1 && digits < 6; rest *= 10 {
		digits++
	}
	return fmt.Sprintf("%.*f %%", digits, 100*fraction)
}

// seconds is a length of time for people.
func seconds(s float64) string {
	switch {
	case math.IsNaN(s):
		return "unknown time"
	case s < 1:
		return fmt.Sprintf("%.0f ms", 1000*s)
	default:
		return fmt.Sprintf("%.1f s", s)
	}
}
