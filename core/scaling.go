package core

import (
	"fmt"
	"math"
	"time"
)

// The rules by which workers are added for a rate.
const (
	// pursuitWindow is how many complete intervals of an unchanged load are looked at.
	pursuitWindow = 2
	// pursuitWaited is the share of arrivals that may have waited for a connection.
	pursuitWaited = 0.01
	// pursuitSkipped is the share of them that may have been skipped.
	pursuitSkipped = 0.001
	// pursuitRoom is how many more connections are taken than are busy on average.
	pursuitRoom = 1.25
	// pursuitGrowth is by how much the workers may become more in one step.
	pursuitGrowth = 2
)

// The outcomes of a step of the pursuit of a rate.
const (
	PursuitMet       = "RATE_MET"    // arrivals find a free connection
	PursuitMore      = "MORE"        // they do not: workers are added
	PursuitBound     = "BOUND"       // they do not, and there may be no more workers
	PursuitGenerator = "GENERATOR"   // they do not, since the load generator's host is busy
	PursuitUnjoined  = "NOT_JOINED"  // they do not, and a worker could not join
	PursuitLacking   = "CONNECTIONS" // they do not, and some that are asked for are not open
)

// Pursuit adds workers to an open loop whose arrivals find no free connection, until
// they do. It never takes one away. Its zero value has seen nothing.
type Pursuit struct {
	Steps int // that there are of the run

	aim     int // number of the aim that is looked at
	outcome string
	kinds   []KindMetrics
	start   time.Time
	end     time.Time
	cpu     float64
	asked   float64 // connections × intervals
	missing float64
	seen    int
	prior   float64 // throughput of the step before
	base    time.Duration
}

// PursuitInterval is one interval that every worker is in.
type PursuitInterval struct {
	Start                time.Time
	Seconds              float64
	Kinds                []KindMetrics
	Connections, Missing int // those that are asked for, and of them those that are not open
	// CPU is what the load generator used of its host, in percent; 0: unknown, or
	// each worker has a host of its own.
	CPU float64
}

// Observe folds in one interval. step is what was seen and decided when a window is
// complete and that is news; set is the load that follows, nil where it stays.
func (p Pursuit) Observe(run Run, load ScenarioLoad, in PursuitInterval) (next Pursuit, step *ControllerStep, set *LoadSet) {
	switch {
	case run.Status != Running || !run.Plan.grows() || load.Mode != ModeQPS || run.Aim.Number == 0:
		return p, nil, nil
	case run.Aim.Wanted > run.Aim.Workers && run.Unjoined == "": // some are about to join
		return p.anew(run.Aim.Number), nil, nil
	case p.aim != run.Aim.Number:
		p = p.anew(run.Aim.Number)
	}
	length := time.Duration(in.Seconds * float64(time.Second))
	if in.Start.Before(run.Aim.At.Add(length)) || length <= 0 { // at first what had waited before is served
		return p, nil, nil
	}
	p.kinds = MergeKinds(MergeKinds(nil, p.kinds), in.Kinds) // those before may be shared
	p.seen++
	p.cpu = max(p.cpu, in.CPU)
	p.asked, p.missing = p.asked+float64(in.Connections), p.missing+float64(in.Missing)
	if p.start.IsZero() {
		p.start = in.Start
	}
	p.end = later(p.end, in.Start.Add(length))
	if p.seen < pursuitWindow {
		return p, nil, nil
	}
	return p.judge(run, load)
}

// anew begins a window for an aim.
func (p Pursuit) anew(aim int) Pursuit {
	fresh := Pursuit{Steps: p.Steps, aim: aim, prior: p.prior, base: p.base}
	if p.aim == aim {
		fresh.outcome = p.outcome
	}
	return fresh
}

// judge decides upon a complete window.
func (p Pursuit) judge(run Run, load ScenarioLoad) (next Pursuit, step *ControllerStep, set *LoadSet) {
	total := Total(p.kinds)
	workers := max(run.Aim.Workers, 1)
	outcome, more := PursuitMet, 0
	if p.misses(&total, load.Rate) {
		switch {
		case lacking(p.missing, p.asked): // more workers do not help where a target is away or grants no more
			outcome = PursuitLacking
		case workers >= run.Plan.Workers:
			outcome = PursuitBound
		case run.Unjoined != "":
			outcome = PursuitUnjoined
		case p.cpu > degradedCPU:
			outcome = PursuitGenerator
		default:
			outcome, more = PursuitMore, moreWorkers(run.Plan, workers, load.Rate, total.Service.Mean())
		}
	}
	next = p.anew(p.aim)
	if outcome == p.outcome {
		return next, nil, nil // said already
	}
	next.Steps, next.outcome = p.Steps+1, outcome
	s := p.step(run, load, &total, outcome)
	s.Number = next.Steps
	if more > workers {
		s.Workers, s.ToConnections, s.Direction = more, run.Plan.within(more), "UP"
		set = &LoadSet{
			Connections: s.ToConnections, Workers: more,
			Detail: fmt.Sprintf("%d workers instead of %d: %s", more, workers, waiting(total.Counts)),
		}
	}
	next.prior = s.QPS
	if next.base == 0 {
		next.base = s.P95
	}
	return next, &s, set
}

// step is the record of a window.
func (p Pursuit) step(run Run, load ScenarioLoad, total *KindMetrics, outcome string) ControllerStep {
	latency := total.Latency()
	seconds := p.end.Sub(p.start).Seconds()
	qps := 0.0
	if seconds > 0 {
		qps = float64(total.OK) / seconds
	}
	target, off := load.Rate, 100*(qps-load.Rate)/load.Rate
	s := ControllerStep{
		RunID: run.ID, Type: StepQPSScaling, Workers: max(run.Aim.Workers, 1),
		FromConnections: run.Aim.Connections, ToConnections: run.Aim.Connections, Direction: "STAY",
		Start: p.start, End: p.end, Operations: int64(total.Started), QPS: qps, TargetQPS: &target, QPSErrorPercent: &off,
		P50: latency.Quantile(0.5), P95: latency.Quantile(0.95), P99: latency.Quantile(0.99), Errors: int64(total.Errors),
		QueueDetected: p.misses(total, load.Rate), Outcome: outcome,
	}
	if p.prior > 0 {
		gain := qps/p.prior - 1
		s.QPSVsPrior = &gain
	}
	if p.base > 0 {
		rise := s.P95.Seconds()/p.base.Seconds() - 1
		s.P95VsBaseline = &rise
	}
	switch outcome {
	case PursuitBound:
		s.StopReason = fmt.Sprintf("all %d workers are there; more of them, or of connections each, would be needed", run.Plan.Workers)
	case PursuitGenerator:
		s.StopReason = fmt.Sprintf("the workers use %.0f %% of their host's CPU: more of them would not help", p.cpu)
	case PursuitUnjoined:
		s.StopReason = run.Unjoined
	case PursuitLacking:
		n := float64(p.seen)
		s.StopReason = fmt.Sprintf("of %.0f connections %.1f were not open on average: more workers would not help", p.asked/n, p.missing/n)
	}
	return s
}

// waitedShare is the share of arrivals that found no free connection in time.
func waitedShare(c Counts) float64 {
	if c.Scheduled == 0 {
		return 0
	}
	return float64(waited(c)) / float64(c.Scheduled)
}

// waited is how many they were: late ones save those that the load generator overslept.
func waited(c Counts) uint64 { return c.Skipped + c.Unserved + c.Late - min(c.Late, c.Overslept) }

// waiting says so.
func waiting(c Counts) string {
	if c.Scheduled == 0 {
		return "no connection was free for any of the arrivals"
	}
	return share(waitedShare(c)) + " of the arrivals found no free connection"
}

// misses reports whether too many arrivals found no free connection. One that waits for
// it is not scheduled yet: where nothing is, all of them wait.
func (p Pursuit) misses(total *KindMetrics, rate float64) bool {
	c := total.Counts
	if c.Scheduled == 0 {
		return rate*p.end.Sub(p.start).Seconds() >= leastWindowOperations
	}
	return waitedShare(c) > pursuitWaited || float64(c.Skipped) > pursuitSkipped*float64(c.Scheduled)
}

// moreWorkers is how many workers have as many connections as a rate keeps busy at
// that mean service time (Little's law), with some room: more than now, and not more
// than twice as many. Where nothing has ended it is as many as that.
func moreWorkers(plan Plan, now int, rate float64, service time.Duration) int {
	need := float64(plan.Workers)
	if service > 0 {
		each := float64(plan.Connections) / float64(plan.Workers)
		need = min(need, math.Ceil(rate*service.Seconds()*pursuitRoom/each))
	}
	return min(max(int(need), now+1), pursuitGrowth*now, plan.Workers)
}
