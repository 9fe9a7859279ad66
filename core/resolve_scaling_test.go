package core_test

import (
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

func TestResolveScaling(t *testing.T) {
	qps := core.TemplateLoad{Mode: core.ModeQPS, Rate: 1000}
	with := func(base core.TemplateLoad, change func(*core.TemplateLoad)) core.TemplateLoad {
		change(&base)
		return base
	}
	type sizes struct{ workers, connections, initial, floor int }
	for _, tt := range []struct {
		name string
		load core.TemplateLoad
		want sizes
	}{
		{"BOUNDED closed: as few workers as can keep them", core.TemplateLoad{Scaling: "BOUNDED", Connections: 50, MaxWorkers: 4, MaxConnections: 20}, sizes{3, 50, 0, 0}},
		{"BOUNDED closed: not fewer than the least", core.TemplateLoad{Scaling: "BOUNDED", Connections: 50, MinWorkers: 4, MaxWorkers: 5, MaxConnections: 20}, sizes{4, 50, 0, 0}},
		{"BOUNDED closed: the default ceiling", core.TemplateLoad{Scaling: "BOUNDED", Connections: 33, MaxWorkers: 5}, sizes{2, 33, 0, 0}},
		{"AUTO closed", core.TemplateLoad{Scaling: "AUTO", Connections: 100}, sizes{4, 100, 0, 0}},
		{"AUTO closed: one", core.TemplateLoad{Scaling: "AUTO", Connections: 1}, sizes{1, 1, 0, 0}},
		{"BOUNDED open", with(qps, func(l *core.TemplateLoad) {
			l.Scaling, l.MinWorkers, l.MaxWorkers, l.MaxConnections = "BOUNDED", 2, 6, 10
		}), sizes{6, 60, 2, 0}},
		{"BOUNDED open: nobody can join", with(qps, func(l *core.TemplateLoad) { l.Scaling, l.MinWorkers, l.MaxWorkers = "BOUNDED", 3, 3 }), sizes{3, 96, 0, 0}},
		{"AUTO open: connections for 100 ms", with(qps, func(l *core.TemplateLoad) { l.Scaling = "AUTO" }), sizes{6, 192, 4, 0}},
		{"AUTO open: a little", with(qps, func(l *core.TemplateLoad) { l.Scaling, l.Rate = "AUTO", 5 }), sizes{6, 192, 1, 0}},
		{"AUTO open: all", with(qps, func(l *core.TemplateLoad) { l.Scaling, l.Rate = "AUTO", 1e6 }), sizes{6, 192, 0, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			tpl := resolvable()
			tpl.Load = tt.load
			s, err := tpl.Resolve(core.Resolution{MaxWorkers: 6})
			is.NoErr(err)
			is.Equal(sizes{s.Load.Workers, s.Load.Connections, s.Load.Initial, s.Load.MinConnections}, tt.want)
			plan := s.Plan()
			is.Equal(plan.Initial, tt.want.initial)
			is.Equal(plan.AtStart(), s.Load.AtStart())
			if tt.want.initial > 0 {
				is.Equal(plan.Rate, s.Load.Rate)
			}
		})
	}
	is := is.New(t)
	tpl := resolvable()
	tpl.Load = core.TemplateLoad{Scaling: "AUTO", Mode: core.ModeQPS, Rate: 5}
	s, err := tpl.Resolve(core.Resolution{})
	is.NoErr(err)
	is.Equal(s.Load.Workers, 8) // where the launcher has no limit
}

func TestResolveRefusesImpossibleScaling(t *testing.T) {
	bounded := core.TemplateLoad{Scaling: "BOUNDED", Connections: 50, MaxWorkers: 4, MaxConnections: 20}
	open := core.TemplateLoad{Scaling: "BOUNDED", Mode: core.ModeQPS, Rate: 100, MaxWorkers: 4, MaxConnections: 20}
	for _, tt := range []struct {
		name   string
		base   core.TemplateLoad
		change func(*core.TemplateLoad)
		want   string
	}{
		{"an unknown word", bounded, func(l *core.TemplateLoad) { l.Scaling = "BOUND" }, `load.scaling is "BOUND"; allowed: FIXED, BOUNDED, AUTO; did you mean BOUNDED?`},
		{"FIXED with bounds", bounded, func(l *core.TemplateLoad) { l.Scaling, l.Workers = "FIXED", 2 }, "load.max_workers is 4, but load.scaling is FIXED"},
		{"FIXED with a floor", core.TemplateLoad{Workers: 1, Connections: 1, MinConnections: 1}, nil, "load.min_connections is 1, but load.scaling is FIXED"},
		{"workers", bounded, func(l *core.TemplateLoad) { l.Workers = 3 }, "load.workers is 3, but load.scaling is BOUNDED"},
		{"no bound", bounded, func(l *core.TemplateLoad) { l.MaxWorkers = 0 }, "load.max_workers is missing or 0; scaling BOUNDED needs it: 1 to 1000 workers"},
		{"least above most", bounded, func(l *core.TemplateLoad) { l.MinWorkers = 5 }, "load.min_workers is 5; allowed: 1 to load.max_workers, which is 4"},
		{"floor above ceiling", bounded, func(l *core.TemplateLoad) { l.MinConnections = 21 }, "load.min_connections is 21; allowed: 1 to load.max_connections, which is 20"},
		{"negative", bounded, func(l *core.TemplateLoad) { l.MinWorkers = -1 }, "load.min_workers is -1; allowed: 1 to 1000"},
		{"far too many", bounded, func(l *core.TemplateLoad) { l.MaxWorkers = 1001 }, "load.max_workers is 1001; allowed: 1 to 1000"},
		{"far too many connections", bounded, func(l *core.TemplateLoad) { l.MaxWorkers, l.MaxConnections = 1000, 1000 }, "load.max_connections is 1000 for each of 1000 workers, 1000000 together; allowed: up to 100000 together"},
		{"more than the bounds", bounded, func(l *core.TemplateLoad) { l.Connections = 81 }, "load.connections is 81; allowed with load.scaling BOUNDED: 1 to 80 over all workers (1 to 4 workers with 1 to 20 connections each)"},
		{"less than the bounds", bounded, func(l *core.TemplateLoad) { l.MinWorkers, l.MinConnections = 3, 17 }, "load.connections is 50; allowed with load.scaling BOUNDED: 51 to 80 over all workers"},
		{"none", bounded, func(l *core.TemplateLoad) { l.Connections = 0 }, "load.connections is 0; allowed with load.scaling BOUNDED: 1 to 80"},
		{"a floor that the ceiling forbids", bounded, func(l *core.TemplateLoad) { l.Connections, l.MinConnections = 21, 15 }, "load.min_connections is 15, but 21 connections of which no worker has more than 20 need 2 workers, which would have 10"},
		{"AUTO with bounds", core.TemplateLoad{Scaling: "AUTO", Connections: 4, MaxWorkers: 4}, nil, "load.max_workers is 4, but load.scaling is AUTO, whose bounds follow from the launcher"},
		{"connections of an open loop", open, func(l *core.TemplateLoad) { l.Connections = 4 }, "load.connections is 4, but with load.mode QPS and load.scaling BOUNDED the workers have load.max_connections each"},
		{"a floor in a search for a rate", open, func(l *core.TemplateLoad) { l.Mode, l.MinConnections = core.ModeFindQPS, 4 }, "load.min_connections is 4, but with load.mode FIND_MAX_QPS all connections"},
		{"a floor in an open loop", open, func(l *core.TemplateLoad) { l.MinConnections = 4 }, "load.min_connections is 4, but with load.mode QPS all connections"},
		{"operations", open, func(l *core.TemplateLoad) { l.Operations = 100 }, "load.operations is 100, but with load.mode QPS and load.scaling BOUNDED"},
		{"a ramp", open, func(l *core.TemplateLoad) {
			l.Ramp = core.TemplateRamp{Shape: "linear", Over: core.Duration(time.Second)}
		}, "load.ramp is given, but load.scaling BOUNDED pursues one rate"},
		{"a rate beyond the bounds", open, func(l *core.TemplateLoad) { l.Rate = 4e6 + 1 }, "load.rate is 4.000001e+06; allowed: 0.001 to 4e+06"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			tpl := resolvable()
			tpl.Load = tt.base
			if tt.change != nil {
				tt.change(&tpl.Load)
			}
			err := tpl.Validate()
			is.True(err != nil)
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v\ndoes not say\n%s", err, tt.want)
			}
		})
	}
}
