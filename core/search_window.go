package core

import (
	"fmt"
	"math"
	"time"
)

// The bounds of what a search takes for a queue.
const (
	searchMissing   = 0.02 // share of the connections that need not be open
	searchErrors    = 0.01 // share of operations that may fail where no objective says so
	queueLatency    = 2.0  // times the mean latency of the lowest load, in a closed loop
	queueThroughput = 0.8  // of the highest throughput of a lower load
	queueBehind     = 0.02 // share of an open loop's schedule that may be in flight
	queueSpread     = 3.0  // standard deviations by which Poisson arrivals may be fewer than are due on average
	queueGain       = 0.1  // of what more connections would bring if none waited
)

// SearchWindow is what was measured in one window, or in several of them.
type SearchWindow struct {
	Start       time.Time     `json:"start,omitzero"`
	Seconds     float64       `json:"seconds"`
	Intervals   int           `json:"intervals"`
	Connections float64       `json:"connections"` // asked for, on average
	OK          uint64        `json:"ok"`
	Errors      uint64        `json:"errors,omitempty"`
	Scheduled   uint64        `json:"scheduled"`
	Skipped     uint64        `json:"skipped,omitempty"` // unserved ones too
	Overslept   uint64        `json:"overslept,omitempty"`
	Waited      uint64        `json:"waited,omitempty"`  // found no free connection in time
	Missing     float64       `json:"missing,omitempty"` // connections that were not open, on average
	Rates       float64       `json:"rates"`             // sum over intervals of operations per second
	Squares     float64       `json:"squares"`           // sum of their squares
	Mean        time.Duration `json:"mean_ns"`
	Service     time.Duration `json:"service_ns"` // mean
	P50         time.Duration `json:"p50_ns"`
	P95         time.Duration `json:"p95_ns"`
	P99         time.Duration `json:"p99_ns"`
	CPU         float64       `json:"cpu"` // percent: see SearchInterval
	// Objectives are what was measured of each objective of the scenario; Unmet
	// those that were missed, in words.
	Objectives []SLOResult `json:"objectives,omitempty"`
	Unmet      string      `json:"unmet,omitempty"`
}

// Throughput is operations per second.
func (w *SearchWindow) Throughput() float64 {
	if !(w.Seconds > 0) {
		return 0
	}
	return float64(w.OK) / w.Seconds
}

// SearchInterval is one complete interval of all workers.
type SearchInterval struct {
	Start       time.Time
	Seconds     float64
	Kinds       []KindMetrics
	Connections int // asked for
	Missing     int // of them, not open
	// CPU of the load generator in percent: of what the busiest worker may use, or all
	// that the workers use of a host that they share, whichever is more.
	CPU float64
}

// SearchGather sums intervals up to a window. Its zero value is empty.
type SearchGather struct {
	kinds   []KindMetrics
	window  SearchWindow
	asked   float64 // connections × seconds
	missing float64 // likewise
	cpu     float64 // percent × seconds
}

// Add takes in one interval.
func (g *SearchGather) Add(i SearchInterval) {
	w := &g.window
	if w.Intervals == 0 || i.Start.Before(w.Start) {
		w.Start = i.Start
	}
	g.kinds = MergeKinds(g.kinds, i.Kinds)
	w.Intervals++
	w.Seconds += i.Seconds
	g.asked += i.Seconds * float64(i.Connections)
	g.missing += i.Seconds * float64(i.Missing)
	g.cpu += i.Seconds * i.CPU
	if i.Seconds > 0 {
		rate := float64(Total(i.Kinds).OK) / i.Seconds
		w.Rates += rate
		w.Squares += rate * rate
	}
}

// Full reports whether the intervals last as long as a window together. They are cut by
// timers, which are late: a quarter of one may be missing.
func (g *SearchGather) Full(window, interval time.Duration) bool {
	return g.window.Seconds >= (window - interval/4).Seconds()
}

// Window is what was measured, against the objectives.
func (g *SearchGather) Window(slos []SLO) SearchWindow {
	w := g.window
	total := Total(g.kinds)
	latency := total.Latency()
	w.OK, w.Errors, w.Scheduled, w.Skipped, w.Overslept = total.OK, total.Errors, total.Scheduled, total.Skipped+total.Unserved, total.Overslept
	w.Waited = waited(total.Counts)
	w.Mean, w.Service = latency.Mean(), total.Service.Mean()
	w.P50, w.P95, w.P99 = latency.Quantile(0.5), latency.Quantile(0.95), latency.Quantile(0.99)
	if w.Seconds > 0 {
		w.Connections, w.Missing, w.CPU = g.asked/w.Seconds, g.missing/w.Seconds, g.cpu/w.Seconds
	}
	w.Objectives = EvaluateSLOs(slos, g.kinds, w.Throughput())
	for i := range w.Objectives {
		o := &w.Objectives[i]
		of := sloSubject(o.Kind, g.kinds)
		if o.Unknown = !o.known(of); o.Met || o.Unknown { // what did not occur misses nothing
			continue
		}
		if w.Unmet != "" {
			w.Unmet += "; "
		}
		w.Unmet += fmt.Sprintf("%q was missed with %s", o.Text, o.inWords())
	}
	return w
}

// lacking reports whether connections were not open that were asked for.
func (w *SearchWindow) lacking() bool { return lacking(w.Missing, w.Connections) }

// lacking is the rule for it, of means or of sums.
func lacking(missing, connections float64) bool { return missing > searchMissing*connections }

// and is a total with one more window of the same load. Percentiles and objectives are
// those of the longer one: nobody has the histograms of both any more.
func (w SearchWindow) and(more SearchWindow) SearchWindow {
	sum, other := w, more
	if more.Seconds > w.Seconds {
		sum, other = more, w
		sum.Start = w.Start
	}
	mean := func(a, b, ofA, ofB float64) float64 {
		if !(ofA+ofB > 0) {
			return 0
		}
		return (a*ofA + b*ofB) / (ofA + ofB)
	}
	ok, otherOK := float64(sum.OK), float64(other.OK)
	sum.Connections = mean(sum.Connections, other.Connections, sum.Seconds, other.Seconds)
	sum.Missing = mean(sum.Missing, other.Missing, sum.Seconds, other.Seconds)
	sum.CPU = mean(sum.CPU, other.CPU, sum.Seconds, other.Seconds)
	sum.Mean = time.Duration(mean(float64(sum.Mean), float64(other.Mean), ok, otherOK))
	sum.Service = time.Duration(mean(float64(sum.Service), float64(other.Service), ok, otherOK))
	sum.count(&other)
	return sum
}

// count adds what can be summed of another window.
func (w *SearchWindow) count(o *SearchWindow) {
	w.Seconds, w.Intervals = w.Seconds+o.Seconds, w.Intervals+o.Intervals
	w.OK, w.Errors = w.OK+o.OK, w.Errors+o.Errors
	w.Scheduled, w.Skipped, w.Overslept = w.Scheduled+o.Scheduled, w.Skipped+o.Skipped, w.Overslept+o.Overslept
	w.Waited, w.Rates, w.Squares = w.Waited+o.Waited, w.Rates+o.Rates, w.Squares+o.Squares
}

// judge says whether a window bears a load, and if not why.
func (s *Search) judge(p *SearchPlan, load float64, w *SearchWindow) (outcome StepOutcome, why string) {
	ended := w.OK + w.Errors
	due := load * w.Seconds // in an open loop; what waits for a connection is not scheduled yet
	spread := 0.0
	if p.Poisson {
		spread = queueSpread * math.Sqrt(due)
	}
	best, at := s.best(load)
	switch {
	case ended == 0: // in an open loop, not even what was due
		return StepQueue, fmt.Sprintf("no operation ended in %s", seconds(w.Seconds))
	case p.Errors > 0 && float64(w.Errors) > p.Errors*float64(ended):
		return StepErrors, fmt.Sprintf("%d of %d operations failed (%s)", w.Errors, ended, share(float64(w.Errors)/float64(ended)))
	case w.Unmet != "":
		return StepMissed, w.Unmet
	case !p.OpenLoop && w.lacking(): // it is not the load that was asked for
		return StepErrors, fmt.Sprintf("of %.0f connections %.1f were not open on average: the target ends them, or refuses new ones", w.Connections, w.Missing)
	case p.OpenLoop && float64(w.Skipped) > degradedMissed*float64(w.Scheduled):
		return StepQueue, fmt.Sprintf("%d of %d operations could not be started in time (%s)", w.Skipped, w.Scheduled, share(float64(w.Skipped)/float64(w.Scheduled)))
	case p.OpenLoop && float64(ended)+2 < (1-queueBehind)*float64(w.Scheduled):
		return StepQueue, fmt.Sprintf("%d operations were asked for and %d ended: the others wait", w.Scheduled, ended)
	case p.OpenLoop && float64(ended)+2+spread < (1-queueBehind)*due:
		return StepQueue, fmt.Sprintf("%.0f operations were due in %s and %d ended: the others wait", due, seconds(w.Seconds), ended)
	case p.OpenLoop:
	case w.Throughput() < queueThroughput*best:
		return StepQueue, fmt.Sprintf("the throughput fell to %.1f per second; %v gave %.1f", w.Throughput(), at, best)
	case !p.Objectives && s.Lowest > 0 && float64(w.Mean) > queueLatency*float64(s.Baseline.Mean):
		return StepQueue, fmt.Sprintf("an operation takes %s on average, more than twice the %s with %v: they wait for each other",
			briefly(w.Mean), briefly(s.Baseline.Mean), s.Lowest)
	}
	return StepBorne, ""
}

// best is the highest throughput of a lower load that was borne, and that load.
func (s *Search) best(load float64) (throughput, at float64) {
	for i := range s.Steps {
		if step := &s.Steps[i]; step.Outcome == StepBorne && step.Load < load && step.Total.Throughput() > throughput {
			throughput, at = step.Total.Throughput(), step.Load
		}
	}
	return throughput, at
}

// queue tells, whether or not the load is borne, that next to nothing but waiting
// came of it. In a closed loop that is Little's law: latency has grown as
// connections have, and throughput has not.
func (s *Search) queue(p *SearchPlan, load float64, w *SearchWindow) bool {
	if p.OpenLoop {
		outcome, _ := s.judge(&SearchPlan{OpenLoop: true, Poisson: p.Poisson}, load, &SearchWindow{
			Seconds: w.Seconds, OK: w.OK, Errors: w.Errors, Scheduled: w.Scheduled, Skipped: w.Skipped})
		return outcome == StepQueue
	}
	before := s.below(load)
	if before == 0 || !(load > before) {
		return false
	}
	throughput, _ := s.best(load)
	return throughput > 0 && w.Throughput()/throughput-1 < queueGain*(load/before-1)
}

// briefly is a time with four digits at most.
func briefly(d time.Duration) string {
	unit := time.Duration(1)
	for d/unit >= 10_000 {
		unit *= 10
	}
	return d.Round(unit).String()
}
