package core

import (
	"fmt"
	"time"
)

// The bounds of what a search takes for a queue.
const (
	searchErrors    = 0.01 // share of operations that may fail where no objective says so
	queueLatency    = 2.0  // times the mean latency of the lowest load, in a closed loop
	queueThroughput = 0.8  // of the highest throughput of a lower load
	queueBehind     = 0.02 // share of an open loop's schedule that may be in flight
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
	Rates       float64       `json:"rates"`             // sum over intervals of operations per second
	Squares     float64       `json:"squares"`           // sum of their squares
	Mean        time.Duration `json:"mean_ns"`
	Service     time.Duration `json:"service_ns"` // mean
	P50         time.Duration `json:"p50_ns"`
	P95         time.Duration `json:"p95_ns"`
	P99         time.Duration `json:"p99_ns"`
	CPU         float64       `json:"cpu"` // percent of what a worker may use, on average over workers
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
	CPU         float64
}

// SearchGather sums intervals up to a window. Its zero value is empty.
type SearchGather struct {
	kinds  []KindMetrics
	window SearchWindow
	asked  float64 // connections × seconds
	cpu    float64 // percent × seconds
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
	g.cpu += i.Seconds * i.CPU
	if i.Seconds > 0 {
		rate := float64(Total(i.Kinds).OK) / i.Seconds
		w.Rates += rate
		w.Squares += rate * rate
	}
}

// Seconds is how long the intervals last together.
func (g *SearchGather) Seconds() float64 { return g.window.Seconds }

// Window is what was measured, against the objectives.
func (g *SearchGather) Window(slos []SLO) SearchWindow {
	w := g.window
	total := Total(g.kinds)
	latency := total.Latency()
	w.OK, w.Errors, w.Scheduled, w.Skipped = total.OK, total.Errors, total.Scheduled, total.Skipped+total.Unserved
	w.Mean, w.Service = latency.Mean(), total.Service.Mean()
	w.P50, w.P95, w.P99 = latency.Quantile(0.5), latency.Quantile(0.95), latency.Quantile(0.99)
	if w.Seconds > 0 {
		w.Connections, w.CPU = g.asked/w.Seconds, g.cpu/w.Seconds
	}
	w.Objectives = EvaluateSLOs(slos, g.kinds, w.Throughput())
	for i := range w.Objectives {
		o := &w.Objectives[i]
		of := sloSubject(o.Kind, g.kinds)
		if o.Met || !o.known(of) { // what did not occur misses nothing
			continue
		}
		if w.Unmet != "" {
			w.Unmet += "; "
		}
		w.Unmet += fmt.Sprintf("%q was missed with %s", o.Text, o.inWords())
	}
	return w
}

// judge says whether a window bears a load, and if not why.
func (s *Search) judge(p *SearchPlan, load float64, w *SearchWindow) (outcome StepOutcome, why string) {
	ended := w.OK + w.Errors
	best, at := s.best(load)
	switch {
	case ended == 0 && w.Scheduled > 0 || w.Scheduled == 0 && !p.OpenLoop:
		return StepQueue, fmt.Sprintf("no operation ended in %s", seconds(w.Seconds))
	case p.Errors > 0 && float64(w.Errors) > p.Errors*float64(ended):
		return StepErrors, fmt.Sprintf("%d of %d operations failed (%s)", w.Errors, ended, share(float64(w.Errors)/float64(ended)))
	case w.Unmet != "":
		return StepMissed, w.Unmet
	case p.OpenLoop && float64(w.Skipped) > degradedMissed*float64(w.Scheduled):
		return StepQueue, fmt.Sprintf("%d of %d operations could not be started in time (%s)", w.Skipped, w.Scheduled, share(float64(w.Skipped)/float64(w.Scheduled)))
	case p.OpenLoop && float64(ended)+2 < (1-queueBehind)*float64(w.Scheduled):
		return StepQueue, fmt.Sprintf("%d operations were asked for and %d ended: the others wait", w.Scheduled, ended)
	case p.OpenLoop:
	case w.Throughput() < queueThroughput*best:
		return StepQueue, fmt.Sprintf("the throughput fell to %.1f per second; %v gave %.1f", w.Throughput(), at, best)
	case !p.Objectives && float64(w.Mean) > queueLatency*float64(s.Baseline.Mean):
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
		outcome, _ := s.judge(&SearchPlan{OpenLoop: true}, load, &SearchWindow{
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
