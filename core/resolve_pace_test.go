package core_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

// paced is a valid template of an open loop: 3 workers, 10 s.
func paced() core.Template {
	t := resolvable()
	t.Load.Mode, t.Load.Rate, t.Load.ThinkTime = core.ModeQPS, 500, 0
	t.Load.Duration, t.Load.Operations, t.Load.Warmup, t.Load.Cooldown = core.Duration(10*time.Second), 0, 0, 0
	t.Limits = core.TemplateLimits{}
	return t
}

func TestResolveOpenLoop(t *testing.T) {
	is := is.New(t)
	s, err := paced().Resolve(core.Resolution{})
	is.NoErr(err)
	is.True(s.Load.OpenLoop())
	is.Equal(s.Load.Rate, 500.0)
	is.Equal(s.Load.Arrivals, core.ArrivalsUniform)
	is.Equal(s.Load.MaxLateness, core.DefaultMaxLateness)
	is.Equal(s.Load.Ramp, nil)

	tmpl := paced()
	tmpl.Load.CatchUp, tmpl.Load.Arrivals = true, core.ArrivalsPoisson
	tmpl.Load.Ramp = core.TemplateRamp{Shape: core.ShapeSine, From: 100, Period: core.Duration(time.Second)}
	s, err = tmpl.Resolve(core.Resolution{})
	is.NoErr(err)
	is.Equal(s.Load.MaxLateness, core.Duration(0)) // however late
	is.Equal(*s.Load.Ramp, core.Ramp{Shape: core.ShapeSine, From: 100, Period: core.Duration(time.Second)})
}

// A ramp of a closed loop is written for one worker and resolved for all.
func TestResolveClosedRamp(t *testing.T) {
	is := is.New(t)
	tmpl := resolvable()
	tmpl.Load.Ramp = core.TemplateRamp{Shape: core.ShapeSteps, From: 1, Over: core.Duration(2 * time.Second), Steps: 2}
	s, err := tmpl.Resolve(core.Resolution{})
	is.NoErr(err)
	is.Equal(s.Load.Ramp.From, float64(s.Load.Workers))
	is.Equal(s.Load.Rate, 0.0)
}

// What a closed loop without a ramp is stored as has not changed: its hash is
// what workers register with.
func TestClosedLoopsAreStoredAsBefore(t *testing.T) {
	is := is.New(t)
	s, err := resolvable().Resolve(core.Resolution{})
	is.NoErr(err)
	text, err := json.Marshal(s.Load)
	is.NoErr(err)
	for _, key := range []string{"rate", "arrivals", "max_lateness", "ramp"} {
		is.True(!strings.Contains(string(text), key))
	}
}

func TestResolvePaceRefusals(t *testing.T) {
	type ramp = core.TemplateRamp
	const s = core.Duration(time.Second)
	closed := func(plant func(*core.Template)) func(*core.Template) {
		return func(t *core.Template) { *t = resolvable(); plant(t) }
	}
	ramped := func(r ramp) func(*core.Template) {
		return func(t *core.Template) { t.Load.Ramp = r }
	}
	for _, c := range []struct {
		plant   func(*core.Template)
		message string
	}{
		{func(t *core.Template) { t.Load.Rate = 0 }, `load.rate is missing or 0; load.mode QPS needs it: operations per second of all workers together, 0.001 to 3e+06`},
		{func(t *core.Template) { t.Load.Rate = -1 }, `load.rate is -1; allowed: 0.001 to 3e+06 operations per second, 1e+06 for each worker`},
		{func(t *core.Template) { t.Load.Rate = 1e9 }, `load.rate is 1e+09; allowed: 0.001 to 3e+06 operations per second, 1e+06 for each worker`},
		{func(t *core.Template) { t.Load.Rate = math.NaN() }, `load.rate is NaN; allowed: 0.001 to 3e+06 operations per second, 1e+06 for each worker`},
		{func(t *core.Template) { t.Load.Rate = 0.05 }, `load.rate is 0.05, which makes 0.5 operations in the load.duration of 10s; allowed: at least 1`},
		{func(t *core.Template) { t.Load.Duration, t.Load.Operations, t.Load.Rate = 0, 7200, 1 },
			`load.operations is 7200, which take 2h0m0s at load.rate 1; allowed: what comes within limits.run_limit, which leaves 1h0m0s`},
		{func(t *core.Template) {
			t.Load.Duration, t.Load.Operations = 0, 7200
			t.Load.Ramp = ramp{Shape: core.ShapeSpike, Over: s}
		}, `load.operations is 7200, which never come at load.rate 500; allowed: what comes within limits.run_limit, which leaves 1h0m0s`},
		{func(t *core.Template) { t.Load.Arrivals = "poison" }, `load.arrivals is "poison"; allowed: uniform, poisson; did you mean poisson?`},
		{func(t *core.Template) { t.Load.MaxLateness = -1 }, `load.max_lateness is -1ns; a time cannot be negative`},
		{func(t *core.Template) { t.Load.MaxLateness, t.Load.CatchUp = s, true },
			`load.max_lateness is 1s, but load.catch_up is true, which skips nothing; leave one of them out`},
		{func(t *core.Template) { t.Load.ThinkTime = s },
			`load.think_time is 1s, but load.mode is QPS, whose rate says when operations start; leave it out, or set it to 0s`},
		{closed(func(t *core.Template) { t.Load.Rate = 5 }), `load.rate is 5, but load.mode is CONCURRENCY, whose connections set the rate; allowed with load.mode QPS and FIND_MAX_QPS only`},
		{closed(func(t *core.Template) { t.Load.Arrivals = "uniform" }),
			`load.arrivals is uniform, but load.mode is CONCURRENCY, whose connections set the rate; allowed with load.mode QPS and FIND_MAX_QPS only`},
		{closed(func(t *core.Template) { t.Load.MaxLateness = s }),
			`load.max_lateness is 1s, but load.mode is CONCURRENCY, whose connections set the rate; allowed with load.mode QPS and FIND_MAX_QPS only`},
		{closed(func(t *core.Template) { t.Load.CatchUp = true }),
			`load.catch_up is true, but load.mode is CONCURRENCY, whose connections set the rate; allowed with load.mode QPS and FIND_MAX_QPS only`},

		{ramped(ramp{From: 1}), `load.ramp.shape is missing; allowed: linear, steps, sine, spike`},
		{ramped(ramp{Shape: "line"}), `load.ramp.shape is "line"; allowed: linear, steps, sine, spike; did you mean sine?`},
		{closed(ramped(ramp{Shape: "sine", Period: s})), `load.ramp.shape is "sine"; allowed: linear, steps`},
		{ramped(ramp{Shape: "linear"}), `load.ramp.over is missing; shape linear needs it`},
		{ramped(ramp{Shape: "steps", Over: s}), `load.ramp.steps is missing; shape steps needs it`},
		{ramped(ramp{Shape: "steps", Over: s, Steps: 1001}), `load.ramp.steps is 1001; allowed: 1 to 1000`},
		{ramped(ramp{Shape: "steps", Over: s, Steps: -1}), `load.ramp.steps is -1; allowed: 1 to 1000`},
		{ramped(ramp{Shape: "sine"}), `load.ramp.period is missing; shape sine needs it`},
		{ramped(ramp{Shape: "sine", Period: s, Over: s}), `load.ramp.over is 1s; a ramp of shape sine has none`},
		{ramped(ramp{Shape: "linear", Over: s, Steps: 3}), `load.ramp.steps is 3; a ramp of shape linear has none`},
		{ramped(ramp{Shape: "linear", Over: s, At: s}), `load.ramp.at is 1s; a ramp of shape linear has none`},
		{ramped(ramp{Shape: "linear", Over: 11 * s}), `load.ramp.over is 11s, so the ramp ends at 11s; allowed: until the end of load.duration, which is 10s`},
		{ramped(ramp{Shape: "spike", Over: 6 * s, At: 5 * s}), `load.ramp.over is 6s, so the ramp ends at 11s; allowed: until the end of load.duration, which is 10s`},
		{ramped(ramp{Shape: "spike", Over: 2 * s, At: s, Period: 2 * s}), `load.ramp.period is 2s; allowed: at least 3s, which is when the spike ends`},
		{ramped(ramp{Shape: "sine", Period: 21 * s}), `load.ramp.period is 21s, so load.rate is reached after 10.5s; allowed: up to twice load.duration, which is 10s`},
		{ramped(ramp{Shape: "linear", Over: -s}), `load.ramp.over is -1s; a time cannot be negative`},
		{ramped(ramp{Shape: "linear", Over: s, From: 500}), `load.ramp.from is 500; allowed: from 0 to less than load.rate, which is 500`},
		{ramped(ramp{Shape: "linear", Over: s, From: -1}), `load.ramp.from is -1; allowed: from 0 to less than load.rate, which is 500`},
		{ramped(ramp{Shape: "linear", Over: s, From: math.NaN()}), `load.ramp.from is NaN; allowed: from 0 to less than load.rate, which is 500`},
		{closed(ramped(ramp{Shape: "linear", Over: s, From: 1.5})), `load.ramp.from is 1.5; allowed: a whole number of connections of each worker`},
		{closed(ramped(ramp{Shape: "linear", Over: s, From: 400})), `load.ramp.from is 400; allowed: from 0 to less than load.connections, which is 4`},
	} {
		t.Run(c.message, func(t *testing.T) {
			is := is.New(t)
			template := paced()
			c.plant(&template)
			wantProblem(is, template, c.message)
		})
	}
}
