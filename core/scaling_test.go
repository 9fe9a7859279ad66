package core

import (
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

// pursued is a run of 4 workers with 4 connections each that began with one.
func pursued(t *testing.T) (Run, ScenarioLoad) {
	t.Helper()
	r := growable(t, 4, 1, func(p *Plan) { p.Rate = 300 })
	return r, ScenarioLoad{Mode: ModeQPS, Rate: 300, Workers: 4, Connections: 16, Initial: 1}
}

// served is one second of a rate at a service time, by as many workers as take part:
// connections that are all busy serve no more.
func served(load ScenarioLoad, workers int, service time.Duration) []KindMetrics {
	k := KindMetrics{Kind: "A", Response: &Histogram{}}
	most := uint64(float64(4*workers) / service.Seconds())
	k.Scheduled = uint64(load.Rate)
	k.OK = min(k.Scheduled, most)
	k.Started, k.Skipped = k.OK, k.Scheduled-k.OK
	if k.Skipped > 0 {
		k.Late = k.OK
	}
	k.Service.RecordN(service, k.OK)
	k.Response.RecordN(service, k.OK)
	return []KindMetrics{k}
}

// follow lets the pursuit see seconds of a run, and its workers join as soon as they
// are launched.
func follow(t *testing.T, r Run, load ScenarioLoad, service time.Duration, seconds int, cpu float64) (Run, []ControllerStep) {
	t.Helper()
	var (
		p     Pursuit
		steps []ControllerStep
	)
	for s := 11; s < 11+seconds; s++ {
		now := float64(s)
		r, _ = play(t, r, Ticked{At: at(now)})
		for i := range r.Workers {
			if r.Workers[i].Joining {
				r, _ = play(t, r, started(i, now-0.9)...)
			}
		}
		var (
			step *ControllerStep
			set  *LoadSet
		)
		p, step, set = p.Observe(r, load, PursuitInterval{Start: at(now), Seconds: 1, Kinds: served(load, r.Aim.Workers, service), CPU: cpu})
		if step != nil {
			steps = append(steps, *step)
		}
		if set != nil {
			set.At = at(now + 0.5)
			r, _ = play(t, r, *set)
		}
	}
	return r, steps
}

func outcomes(steps []ControllerStep) string {
	var list []string
	for _, s := range steps {
		list = append(list, s.Outcome)
	}
	return strings.Join(list, " ")
}

func long(p *Plan) { p.Duration, p.RunLimit = time.Hour, 2*time.Hour }

func TestPursuitGrowsToWhatTheRateNeeds(t *testing.T) {
	for _, tt := range []struct {
		service time.Duration
		workers int
		want    string
	}{
		{time.Millisecond, 1, "RATE_MET"},
		{15 * time.Millisecond, 2, "MORE RATE_MET"},          // 4.5 busy
		{30 * time.Millisecond, 3, "MORE MORE RATE_MET"},     // 9 busy, of 8
		{45 * time.Millisecond, 4, "MORE MORE RATE_MET"},     // 13.5 busy
		{100 * time.Millisecond, 4, "MORE MORE BOUND"},       // 30 busy, of 16
		{13300 * time.Microsecond, 1, "RATE_MET"},            // 3.99 busy, of 4
		{13400 * time.Microsecond, 2, "MORE RATE_MET"},       // 4.02
		{10 * time.Second, 4, "MORE MORE BOUND"},             // almost nothing ends
		{26700 * time.Microsecond, 3, "MORE MORE RATE_MET"},  // 8.01 busy, of 8
		{26600 * time.Microsecond, 2, "MORE RATE_MET"},       // 7.98
		{time.Duration(39.9 * 1e6), 4, "MORE MORE RATE_MET"}, // 11.97 busy and room
		{time.Duration(3.2 * float64(time.Millisecond)), 1, "RATE_MET"},
	} {
		t.Run(tt.service.String(), func(t *testing.T) {
			is := is.New(t)
			r, load := pursued(t)
			long(&r.Plan)
			r, steps := follow(t, r, load, tt.service, 40, 20)
			is.Equal(outcomes(steps), tt.want)
			is.Equal(r.Aim.Workers, tt.workers)
			is.Equal(r.Status, Running)
			for i, s := range steps {
				is.Equal(s.Number, i+1)
				is.Equal(s.Type, StepQPSScaling)
				is.Equal(*s.TargetQPS, 300.0)
				is.Equal(s.QueueDetected, s.Outcome != PursuitMet)
				is.Equal(s.FromConnections <= s.ToConnections, true)
				is.Equal(s.ToConnections, 4*s.Workers)
				is.Equal(s.End.Sub(s.Start), 2*time.Second)
			}
		})
	}
}

// Where not one arrival finds a connection nothing is scheduled; that is no rate that is met.
func TestPursuitOfATargetThatStandsStill(t *testing.T) {
	is := is.New(t)
	r, load := pursued(t)
	long(&r.Plan)
	var p Pursuit
	var step *ControllerStep
	var set *LoadSet
	for s := 12; step == nil; s++ {
		is.True(s < 20)
		p, step, set = p.Observe(r, load, PursuitInterval{Start: at(float64(s)), Seconds: 1, Kinds: []KindMetrics{{Kind: "A"}}})
	}
	is.Equal(step.Outcome, PursuitMore)
	is.True(step.QueueDetected)
	var steps []ControllerStep
	for s := 20; s < 40; s++ { // a target that is away lets nobody in, until it is back
		missing := 1
		if s >= 30 {
			missing = 0
		}
		var away *LoadSet
		p, step, away = p.Observe(r, load, PursuitInterval{Start: at(float64(s)), Seconds: 1, Connections: 32, Missing: missing, Kinds: []KindMetrics{{Kind: "A", Counts: Counts{Scheduled: 300, Skipped: 300}}}})
		if step != nil {
			steps = append(steps, *step)
		}
		is.Equal(away != nil, step != nil && step.Outcome == PursuitMore)
	}
	is.Equal(outcomes(steps), "CONNECTIONS MORE")
	is.Equal(steps[0].StopReason, "of 32 connections 1.0 were not open on average: more workers would not help")
	is.Equal(set.Workers, 2)
	is.Equal(set.Detail, "2 workers instead of 1: no connection was free for any of the arrivals")
}

// More workers on one host do not help where that is busy already.
func TestPursuitStopsAtABusyHost(t *testing.T) {
	is := is.New(t)
	r, load := pursued(t)
	long(&r.Plan)
	r, steps := follow(t, r, load, 30*time.Millisecond, 20, 97)
	is.Equal(outcomes(steps), "GENERATOR")
	is.Equal(steps[0].StopReason, "the workers use 97 % of their host's CPU: more of them would not help")
	is.Equal(r.Aim.Workers, 1)
}

func TestPursuitStopsWhereAWorkerCannotJoin(t *testing.T) {
	is := is.New(t)
	r, load := pursued(t)
	long(&r.Plan)
	r, _ = play(t, r, LoadSet{At: at(11), Workers: 2, Connections: 8}, LaunchFailed{At: at(11), Worker: 1, Epoch: 1, Detail: "no room"})
	r, steps := follow(t, r, load, 30*time.Millisecond, 20, 5)
	is.Equal(outcomes(steps), "NOT_JOINED")
	is.Equal(steps[0].StopReason, "worker-1 could not join the load: no room")
	is.Equal(r.Aim.Workers, 1)
}

// Only complete windows under one load count: nothing while workers join, nothing of
// the load before, and nothing of another run.
func TestPursuitLooksAtWholeWindows(t *testing.T) {
	is := is.New(t)
	r, load := pursued(t)
	miss := func(second float64) PursuitInterval {
		return PursuitInterval{Start: at(second), Seconds: 1, Kinds: served(load, 1, 30*time.Millisecond)}
	}
	var p Pursuit
	p, step, _ := p.Observe(r, load, miss(11))
	is.True(step == nil) // one is no window
	same := p.kinds[0].Service.Count()
	_, step, set := p.Observe(r, load, miss(12))
	is.True(step != nil && set != nil)
	is.Equal(p.kinds[0].Service.Count(), same) // a value that is kept does not change

	asked, _ := play(t, r, LoadSet{At: at(12.5), Workers: 2, Connections: 8})
	q, step, _ := p.Observe(asked, load, miss(13))
	is.True(step == nil) // it is about to join
	is.Equal(q.seen, 0)
	joined, _ := play(t, asked, started(1, 13)...)
	q, step, _ = q.Observe(joined, load, miss(14)) // its load holds from 14.1 on
	is.True(step == nil)
	is.Equal(q.seen, 0)
	q, _, _ = q.Observe(joined, load, miss(15)) // what had waited before is still served
	is.Equal(q.seen, 0)
	q, _, _ = q.Observe(joined, load, miss(16))
	is.Equal(q.seen, 1)

	fixed := r
	fixed.Plan.Initial = 0
	_, step, set = p.Observe(fixed, load, miss(12))
	is.True(step == nil && set == nil)
	load.Mode = ModeConcurrency
	_, step, set = p.Observe(r, load, miss(12))
	is.True(step == nil && set == nil)
}

// A rate that is met for a while and then no more is pursued again.
func TestPursuitGoesOn(t *testing.T) {
	is := is.New(t)
	r, load := pursued(t)
	var p Pursuit
	var seen []string
	for s := range 6 {
		service := time.Millisecond
		if s > 3 {
			service = 20 * time.Millisecond
		}
		var step *ControllerStep
		p, step, _ = p.Observe(r, load, PursuitInterval{Start: at(float64(11 + s)), Seconds: 1, Kinds: served(load, 1, service)})
		if step != nil {
			seen = append(seen, step.Outcome)
			is.Equal(step.Number, len(seen))
		}
	}
	is.Equal(seen, []string{PursuitMet, PursuitMore}) // said once each
}
