package core

import (
	"testing"

	"github.com/matryer/is"
)

// A run that does not fit is refused with bounds with which it does; AUTO takes what is
// there.
func TestConnectionsFinding(t *testing.T) {
	for _, tt := range []struct {
		name    string
		load    ScenarioLoad
		granted int
		message string // "" fits
		mend    string
		most    int // workers, of AUTO
	}{
		{"the target does not tell", ScenarioLoad{Scaling: ScalingFixed, Workers: 3, Connections: 900}, 0, "", "", 0},
		{"just enough", ScenarioLoad{Scaling: ScalingFixed, Workers: 3, Connections: 6}, 8, "", "", 0},
		{"FIXED", ScenarioLoad{Scaling: ScalingFixed, Workers: 3, Connections: 120}, 60,
			"the run needs 122 connections, the target grants 60", "lower load.connections to 19, or let the target accept more connections", 0},
		{"FIXED, more workers than connections", ScenarioLoad{Scaling: ScalingFixed, Workers: 30, Connections: 60}, 9,
			"the run needs 62 connections, the target grants 9", "lower load.workers to 7 and load.connections to 1, or let the target accept more connections", 0},
		{"BOUNDED closed", ScenarioLoad{Mode: ModeConcurrency, Scaling: ScalingBounded, Workers: 4, Connections: 100}, 97,
			"the run needs 102 connections, the target grants 97", "lower load.connections to 95, or let the target accept more connections", 0},
		{"AUTO open", ScenarioLoad{Mode: ModeQPS, Scaling: ScalingAuto, Workers: 8, Initial: 1, Connections: 256}, 97,
			"AUTO may have up to 2 workers of 32 connections here, instead of 8: the target grants 97 connections", "let the target accept more connections for more of them", 2},
		{"AUTO open, more at the start", ScenarioLoad{Mode: ModeQPS, Scaling: ScalingAuto, Workers: 8, Initial: 3, Connections: 256}, 97,
			"AUTO may have up to 2 workers of 32 connections here, instead of 8: the target grants 97 connections", "let the target accept more connections for more of them", 2},
		{"AUTO open, not one worker", ScenarioLoad{Mode: ModeQPS, Scaling: ScalingAuto, Workers: 8, Initial: 1, Connections: 256}, 30,
			"the run may grow to 258 connections, the target grants 30", "take load.scaling BOUNDED with load.max_workers 1 and load.max_connections 28, or let the target accept more connections", 0},
		{"AUTO search", ScenarioLoad{Mode: ModeFindConcurrency, Scaling: ScalingAuto, Workers: 8, Initial: 1, Connections: 256, Search: &LoadSearch{Start: 33}}, 97,
			"AUTO may have up to 2 workers of 32 connections here, instead of 8: the target grants 97 connections", "let the target accept more connections for more of them", 2},
		{"AUTO search, from the middle", ScenarioLoad{Mode: ModeFindConcurrency, Scaling: ScalingAuto, Workers: 8, Initial: 1, Connections: 256, Search: &LoadSearch{Start: 65}}, 97,
			"the run may grow to 258 connections, the target grants 97", "take load.scaling BOUNDED with load.max_workers 1 and load.max_connections 95, or let the target accept more connections", 0},
		{"BOUNDED search", ScenarioLoad{Mode: ModeFindConcurrency, Scaling: ScalingBounded, Workers: 6, Initial: 3, Connections: 60}, 33,
			"the run may grow to 62 connections, the target grants 33", "lower load.max_workers to 3, or let the target accept more connections", 0},
		{"BOUNDED, fewer than the fewest", ScenarioLoad{Mode: ModeFindConcurrency, Scaling: ScalingBounded, Workers: 6, Initial: 4, Connections: 60}, 33,
			"the run may grow to 62 connections, the target grants 33", "lower load.min_workers and load.max_workers to 3, or let the target accept more connections", 0},
		{"BOUNDED, not one worker", ScenarioLoad{Mode: ModeQPS, Scaling: ScalingBounded, Workers: 2, Initial: 1, Connections: 40}, 12,
			"the run may grow to 42 connections, the target grants 12", "lower load.max_workers to 1, load.max_connections to 10, or let the target accept more connections", 0},
		{"none are left", ScenarioLoad{Scaling: ScalingFixed, Workers: 1, Connections: 1}, 2,
			"the run needs 3 connections, the target grants 2", "let the target accept more connections", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			f, most, told := ConnectionsFinding(Scenario{Load: tt.load}, tt.granted)
			is.Equal(told, tt.message != "")
			is.Equal(most, tt.most)
			is.Equal(f.Message, tt.message)
			is.Equal(f.Mend, tt.mend)
			is.Equal(f.Severity == SeverityError, told && tt.most == 0)
		})
	}
}

// What the target leaves of the workers is all that the run has from then on.
func TestLimitedRun(t *testing.T) {
	for mode, change := range map[string]func(*Plan){
		ModeQPS: func(p *Plan) { p.Rate = 800 },
		ModeFindQPS: func(p *Plan) {
			p.Rate, p.Search = 800, &SearchPlan{OpenLoop: true, Start: 8, Ceiling: 800, Growth: 2, Resolution: 0.05}
		},
		ModeFindConcurrency: func(p *Plan) { p.Search = &SearchPlan{Start: 1, Ceiling: 32, Growth: 2, Resolution: 0.05} },
	} {
		t.Run(mode, func(t *testing.T) {
			is := is.New(t)
			r := NewRun("r", explorePlan(8, func(p *Plan) {
				p.Initial, p.Connections = 1, 32
				change(p)
			}))
			r, _ = play(t, r, StartRequested{At: at(0)}, PreflightFinished{At: at(1), Findings: passed(1).Findings, Most: 2})
			is.Equal(r.Status, Starting)
			is.Equal(r.Plan.Workers, 2)
			is.Equal(r.Plan.Connections, 8)
			is.True(r.Aim.Connections <= 8)
			is.Equal(r.Outstanding(), []Command{LaunchWorker{Worker: 0, Epoch: 1}})
			if mode == ModeFindConcurrency {
				is.Equal(r.Plan.Search.Ceiling, 8.0)
				is.Equal(r.Search.Ceiling, 8.0)
			}
			r, _ = play(t, r, WorkerLaunched{At: at(2), Worker: 0, Epoch: 1, Handle: Handle{Launcher: "l"}}, BeatSeen{At: at(9.9), Worker: 0, Epoch: 1, State: WorkerReadyNow})
			is.Equal(r.Status, Running)
			r, _ = play(t, r, LoadSet{At: at(11), Connections: 32, Rate: r.Plan.Rate, Workers: 8})
			is.Equal(r.Outstanding(), []Command{LaunchWorker{Worker: 1, Epoch: 1}})
			is.Equal(r.Aim.Connections, 8)
			r, _ = play(t, r, started(1, 12)...)
			is.Equal(targets(r), []int{4, 4, 0, 0, 0, 0, 0, 0})
			is.Equal(r.Aim.Workers, 2)
			is.Equal(r.Asked(), 2)
		})
	}
	is := is.New(t)
	for _, initial := range []int{0, 3} { // of all, or of more than there may be
		plan := explorePlan(4, func(p *Plan) { p.Initial, p.Rate, p.Connections = initial, 9, 16 })
		r := NewRun("r", plan)
		for _, most := range []int{0, -1, 4, 9} {
			same := r
			same.limit(most)
			is.Equal(same, r)
		}
		r, _ = play(t, r, StartRequested{At: at(0)}, PreflightFinished{At: at(1), Findings: passed(1).Findings, Most: 2})
		is.Equal(r.Outstanding(), []Command{LaunchWorker{Worker: 0, Epoch: 1}, LaunchWorker{Worker: 1, Epoch: 1}})
		is.Equal(targets(r), []int{4, 4, 0, 0})
		is.Equal(r.Aim, Aim{Number: 1, Connections: 8, Workers: 2, Wanted: 2}) // who share the whole rate
		is.Equal(r.Asked(), 2)
	}
}

// Of a rate that is searched for, the workers that are left are launched as soon as they
// would have been of all.
func TestLimitedSearchForARate(t *testing.T) {
	is := is.New(t)
	r := NewRun("r", explorePlan(8, func(p *Plan) {
		p.Initial, p.Rate, p.Connections = 1, 8000, 32
		p.Search = &SearchPlan{OpenLoop: true, Start: 80, Ceiling: 8000, Growth: 2, Resolution: 0.05}
	}))
	for rate, want := range map[float64]int{80: 1, 1000: 1, 1001: 2, 8000: 2} {
		limited := r
		limited.limit(2)
		is.Equal(limited.Plan.needs(0, rate), want)
		is.Equal(min(r.Plan.needs(0, rate), 2), want)
	}
}
