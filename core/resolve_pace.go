package core

import (
	"math"
	"strings"
	"time"
)

// The bounds of an open loop.
const (
	maxWorkerRate = 1e6 // operations per second of one worker
	minRate       = 1e-3
	maxRampSteps  = 1000
)

// pace fills in how the load is paced: the rate of an open loop, and the ramp.
func (v *resolver) pace(load *ScenarioLoad) {
	if load.OpenLoop() {
		v.rate(load)
	} else if load.Mode == ModeConcurrency || load.Mode == ModeFindConcurrency {
		v.noRate(load.Mode)
	}
	if v.template.Load.Ramp != (TemplateRamp{}) && (load.Mode == ModeQPS || load.Mode == ModeConcurrency) {
		v.ramp(load)
	}
	if load.Mode == ModeQPS && len(v.found) == 0 {
		v.possible(load)
	}
}

// noRate refuses to a closed loop what only an open one has.
func (v *resolver) noRate(mode string) {
	t := &v.template.Load
	for _, key := range []struct {
		name  string
		given bool
		value any
	}{
		{"rate", t.Rate != 0, t.Rate}, {"arrivals", t.Arrivals != "", t.Arrivals},
		{"max_lateness", t.MaxLateness != 0, t.MaxLateness}, {"catch_up", t.CatchUp, t.CatchUp},
	} {
		if key.given {
			v.found.add("load."+key.name, "is %v, but load.mode is %s, whose connections set the rate; allowed with load.mode %s and %s only", key.value, mode, ModeQPS, ModeFindQPS)
		}
	}
}

func (v *resolver) rate(load *ScenarioLoad) {
	t := &v.template.Load
	highest := maxWorkerRate * float64(min(max(load.Workers, 1), maxWorkers))
	switch {
	case t.Rate == 0:
		v.found.add("load.rate", "is missing or 0; load.mode %s needs it: operations per second of all workers together, %v to %v", load.Mode, minRate, highest)
	case !(t.Rate >= minRate && t.Rate <= highest):
		v.found.add("load.rate", "is %v; allowed: %v to %v operations per second, %v for each worker", t.Rate, minRate, highest, maxWorkerRate)
	}
	load.Rate = t.Rate
	load.Arrivals = v.found.word("load.arrivals", t.Arrivals, ArrivalsUniform, []string{ArrivalsUniform, ArrivalsPoisson})
	load.MaxLateness = v.duration("load.max_lateness", t.MaxLateness, DefaultMaxLateness)
	if t.CatchUp {
		load.MaxLateness = 0
		if t.MaxLateness != 0 {
			v.found.add("load.max_lateness", "is %s, but load.catch_up is true, which skips nothing; leave one of them out", t.MaxLateness)
		}
	}
	if t.ThinkTime != 0 {
		v.found.add("load.think_time", "is %s, but load.mode is %s, whose rate says when operations start; leave it out, or set it to 0s", t.ThinkTime, load.Mode)
	}
}

func (v *resolver) ramp(load *ScenarioLoad) {
	t := &v.template.Load.Ramp
	shapes := []string{ShapeLinear, ShapeSteps}
	if load.Mode == ModeQPS {
		shapes = append(shapes, ShapeSine, ShapeSpike)
	}
	before := len(v.found)
	r := &Ramp{From: t.From, Steps: t.Steps}
	if t.Shape == "" {
		v.found.add("load.ramp.shape", "is missing; allowed: %s", strings.Join(shapes, ", "))
		return
	}
	r.Shape = v.found.word("load.ramp.shape", t.Shape, "", shapes)
	r.Over = v.duration("load.ramp.over", t.Over, 0)
	r.At = v.duration("load.ramp.at", t.At, 0)
	r.Period = v.duration("load.ramp.period", t.Period, 0)
	if len(v.found) > before {
		return
	}
	v.rampKeys(r)
	v.rampBounds(r, load)
	if len(v.found) == before {
		load.Ramp = r
	}
}

// rampKeys checks that a ramp has what its shape needs, and nothing else.
func (v *resolver) rampKeys(r *Ramp) {
	const no, may, must = 0, 1, 2
	for _, key := range []struct {
		name                       string
		given                      bool
		value                      any
		linear, steps, sine, spike int
	}{
		{"over", r.Over != 0, r.Over, must, must, no, must},
		{"steps", r.Steps != 0, r.Steps, no, must, no, no},
		{"at", r.At != 0, r.At, no, no, no, may},
		{"period", r.Period != 0, r.Period, no, no, must, may},
	} {
		rule := map[string]int{ShapeLinear: key.linear, ShapeSteps: key.steps, ShapeSine: key.sine, ShapeSpike: key.spike}[r.Shape]
		switch {
		case rule == no && key.given:
			v.found.add("load.ramp."+key.name, "is %v; a ramp of shape %s has none", key.value, r.Shape)
		case rule == must && !key.given:
			v.found.add("load.ramp."+key.name, "is missing; shape %s needs it", r.Shape)
		}
	}
	if r.Steps < 0 || r.Steps > maxRampSteps {
		v.found.add("load.ramp.steps", "is %d; allowed: 1 to %d", r.Steps, maxRampSteps)
	}
	if r.Shape == ShapeSpike && r.Period != 0 && r.At+r.Over > r.Period {
		v.found.add("load.ramp.period", "is %s; allowed: at least %s, which is when the spike ends", r.Period, r.At+r.Over)
	}
}

// rampBounds checks a ramp against the load that it is part of, and counts its
// connections over all workers.
func (v *resolver) rampBounds(r *Ramp, load *ScenarioLoad) {
	highest, what := load.Rate, "load.rate"
	if load.Mode == ModeConcurrency {
		highest, what = float64(v.template.Load.Connections), "load.connections"
		if load.Scaling != ScalingFixed {
			highest = float64(load.Connections) / float64(max(load.Workers, 1))
		}
		if r.From != math.Trunc(r.From) {
			v.found.add("load.ramp.from", "is %v; allowed: a whole number of connections of each worker", r.From)
			return
		}
	}
	if highest > 0 && !(r.From >= 0 && r.From < highest) {
		v.found.add("load.ramp.from", "is %v; allowed: from 0 to less than %s, which is %v", r.From, what, highest)
	}
	if end := r.At + r.Over; load.Duration > 0 && end > load.Duration {
		v.found.add("load.ramp.over", "is %s, so the ramp ends at %s; allowed: until the end of load.duration, which is %s", r.Over, end, load.Duration)
	}
	if half := r.Period / 2; r.Shape == ShapeSine && load.Duration > 0 && half > load.Duration {
		v.found.add("load.ramp.period", "is %s, so %s is reached after %s; allowed: up to twice load.duration, which is %s", r.Period, what, half, load.Duration)
	}
	if load.Mode == ModeConcurrency {
		r.From *= float64(load.Workers)
	}
}

// possible checks that the rate and the bounds of the load fit each other.
func (v *resolver) possible(load *ScenarioLoad) {
	pace := NewPace(load.Rate, load.Ramp)
	if load.Duration > 0 {
		if expected := pace.Count(load.Duration.Std()); expected < 1 {
			v.found.add("load.rate", "is %v, which makes %.3g operations in the load.duration of %s; allowed: at least 1", load.Rate, expected, load.Duration)
		}
		return
	}
	limit := v.template.Limits.RunLimit
	if limit <= 0 || limit > maxTime { // where it is read that is told
		limit = load.Warmup + defaultRunLimit
	}
	limit -= load.Warmup
	if needed := pace.When(float64(load.Operations)); needed > limit.Std() {
		text := "never come"
		if needed != Never {
			text = "take " + needed.Round(time.Millisecond).String()
		}
		v.found.add("load.operations", "is %d, which %s at load.rate %v; allowed: what comes within limits.run_limit, which leaves %s", load.Operations, text, load.Rate, limit)
	}
}
