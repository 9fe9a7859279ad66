package core

import (
	"flag"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

// explorePlan has a different length for each wait, so that no two are confused.
func explorePlan(workers int, change func(*Plan)) Plan {
	s := time.Second
	p := Plan{
		Workers: workers, Connections: workers, Warmup: 3 * s, Duration: 10 * s, StartLead: s / 10, PhaseLead: s / 10, RunLimit: 30 * s,
		PreflightTimeout: 60 * s, StartTimeout: 61 * s, DrainTimeout: 31 * s, CancelTimeout: 5 * s,
		TerminateTimeout: 6 * s, KillTimeout: 7 * s, ProcessingTimeout: 62 * s, OnLoss: FailOnLoss,
	}
	if change != nil {
		change(&p)
	}
	return p
}

func timeBound(*Plan) {}

func operationBound(p *Plan) { p.Operations, p.Duration, p.Warmup = 1000, 0, 0 }

func degrading(p *Plan) { p.OnLoss = DegradeOnLoss }

// growing is launched with one worker and may have more.
func growing(p *Plan) { p.Initial = 1 }

func growingDegrading(p *Plan) { p.Initial, p.OnLoss = 1, DegradeOnLoss }

var deep = flag.Bool("deep", false, "search the interleavings of four workers, too")

// TestExploreEveryInterleaving visits every reachable state. The counts are
// golden: a change of them is a change of the machine, to be looked at.
func TestExploreEveryInterleaving(t *testing.T) {
	if raceEnabled {
		t.Skip("the machine has no goroutine: under the race detector this only takes longer")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // it keeps all states anyway
	for _, tt := range []struct {
		name          string
		change        func(*Plan)
		workers       int
		states, edges int
	}{
		{"bounded by time", timeBound, 1, 554, 10529},
		{"bounded by time", timeBound, 2, 3935, 102340},
		{"bounded by time", timeBound, 3, 21940, 724105},
		{"bounded by time", timeBound, 4, 105489, 4219745},
		{"bounded by operations", operationBound, 1, 512, 10233},
		{"bounded by operations", operationBound, 2, 3840, 107535},
		{"bounded by operations", operationBound, 3, 22392, 806201},
		{"degrading", degrading, 1, 554, 10529},
		{"degrading", degrading, 2, 4613, 120032},
		{"degrading", degrading, 3, 25982, 857873},
		{"growing", growing, 2, 7003, 197353},
		{"growing, degrading", growingDegrading, 2, 7625, 214897},
	} {
		t.Run(tt.name+"/"+WorkerID(tt.workers), func(t *testing.T) {
			if tt.workers > 3 && !*deep {
				t.Skip("takes a minute of a processor: 'task test:model' searches it")
			}
			is := is.New(t)
			states, edges, counterexample := explore(explorePlan(tt.workers, tt.change), apply)
			t.Logf("%d states, %d edges", states, edges)
			is.Equal(counterexample, "") // every law holds on every edge
			is.Equal(states, tt.states)  // golden
			is.Equal(edges, tt.edges)    // golden
		})
	}
}

// mutants are planted faults. The explorer must catch each of them: a law that
// no fault can break is no law.
var mutants = []struct {
	name   string
	change func(*Plan)
	breaks string // part of the problem that is reported
	apply  applyFunc
}{
	{"FAILED while workers live", timeBound, "FAILED cannot follow RUNNING", func(r Run, ev Event) (Run, []Command, error) {
		next, _, err := r.Apply(ev)
		if r.Status == Running && next.Reason == WorkerLost {
			next.end(ev.when(), Failed)
		}
		return next, nil, err
	}},
	{"COMPLETED after a crash", timeBound, "COMPLETED without every final report", func(r Run, ev Event) (Run, []Command, error) {
		next, cmds, err := r.Apply(ev)
		if next.Status == Failed && next.Reason == Elapsed && r.Step == releasing {
			next.Status = Completed
		}
		return next, cmds, err
	}},
	{"STOP published twice", timeBound, "STOP was published twice", func(r Run, ev Event) (Run, []Command, error) {
		next, cmds, err := r.Apply(ev)
		if _, stop := ev.(StopRequested); stop && r.Status.Ending() && next.Status.Ending() {
			next.emit(ControlEvent{Type: EventStop, Scope: ScopeRun})
		}
		return next, cmds, err
	}},
	{"a late preflight relaunches", timeBound, "STARTING cannot follow", func(r Run, ev Event) (Run, []Command, error) {
		next, cmds, err := r.Apply(ev)
		if _, late := ev.(PreflightFinished); late && r.Status.Ending() {
			next.Status = Starting
			for i := range next.Workers {
				next.Workers[i].Life = Launching
			}
		}
		return next, cmds, err
	}},
	{"the last reason wins", timeBound, "the reason went from", func(r Run, ev Event) (Run, []Command, error) {
		next, cmds, err := r.Apply(ev)
		if stop, ok := ev.(StopRequested); ok && r.Status.Ending() {
			next.Reason = stop.Reason
		}
		return next, cmds, err
	}},
	{"the kill rung gives up", timeBound, "terminal while a worker lives", func(r Run, ev Event) (Run, []Command, error) {
		next, _, err := r.Apply(ev)
		if r.Rung == Kill && next.Rung == Orphaned {
			next.Workers = slices.Clone(r.Workers)
			next.Step = releasing
		}
		return next, nil, err
	}},
	{"the kill rung tries for ever", timeBound, "the clock alone did not end the run", func(r Run, ev Event) (Run, []Command, error) {
		next, cmds, err := r.Apply(ev)
		if r.Rung == Kill && next.Rung == Orphaned {
			next = r
			next.emitted = nil
			next.Deadline = ev.when().Add(r.Plan.KillTimeout)
			return next, nil, nil
		}
		return next, cmds, err
	}},
	{"an aliased slice", timeBound, "the receiver was modified", func(r Run, ev Event) (Run, []Command, error) {
		next, cmds, err := r.Apply(ev)
		copy(r.Workers, next.Workers)
		return next, cmds, err
	}},
	{"a lost worker ignored", timeBound, "RUNNING goes on without a worker", func(r Run, ev Event) (Run, []Command, error) {
		exit, ok := ev.(WorkerExited)
		if !ok || r.Status != Running || exit.Epoch != 1 {
			return r.Apply(ev)
		}
		next := r
		next.emitted = nil
		next.Workers = slices.Clone(r.Workers)
		next.Workers[exit.Worker].Life = Gone
		return next, nil, nil
	}},
	{"the last worker lost and degraded away", degrading, "RUNNING without any worker", func(r Run, ev Event) (Run, []Command, error) {
		next, cmds, err := r.Apply(ev)
		if r.Status == Running && next.Reason == WorkerLost {
			workers := next.Workers
			next = r
			next.emitted, next.Workers = nil, workers
			return next, nil, err
		}
		return next, cmds, err
	}},
	{"a command that the state does not owe", timeBound, "is not outstanding", func(r Run, ev Event) (Run, []Command, error) {
		next, cmds, err := r.Apply(ev)
		if r.Status == Running && next.Status.Ending() {
			cmds = append(cmds, KillWorker{Worker: 0, Epoch: 1})
		}
		return next, cmds, err
	}},
	{"a stop that skips PROCESSING", timeBound, "terminal without PROCESSING", func(r Run, ev Event) (Run, []Command, error) {
		next, _, err := r.Apply(ev)
		if r.Status == Cancelling && r.Step == notProcessing && next.Step == counting {
			next.end(ev.when(), Cancelled)
		}
		return next, nil, err
	}},
	{"a check that launches", timeBound, "a check began something", func(r Run, ev Event) (Run, []Command, error) {
		next, cmds, err := r.Apply(ev)
		if _, done := ev.(PreflightFinished); done && !r.CheckAt.IsZero() && next.CheckAt.IsZero() && r.StartedAt.IsZero() {
			next.Status, next.Deadline = Starting, ev.when().Add(r.Plan.StartTimeout)
		}
		return next, cmds, err
	}},
	{"a check that refuses the run", timeBound, "a check began something", func(r Run, ev Event) (Run, []Command, error) {
		next, cmds, err := r.Apply(ev)
		if done, ok := ev.(PreflightFinished); ok && !r.CheckAt.IsZero() && r.StartedAt.IsZero() && Refusal(done.Findings) != "" {
			next.Reason = PreflightRefused
			next.end(ev.when(), Failed)
		}
		return next, cmds, err
	}},
	{"a refusal that leaves workers behind", timeBound, "left something behind", func(r Run, ev Event) (Run, []Command, error) {
		next, cmds, err := r.Apply(ev)
		if r.Status == Prepared && next.Status == Failed {
			next.Workers[0].Epoch = 1
		}
		return next, cmds, err
	}},
}

func TestExplorerCatchesMutants(t *testing.T) {
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			is := is.New(t)
			_, _, counterexample := explore(explorePlan(1, m.change), m.apply)
			problem, script, _ := strings.Cut(counterexample, "\n")
			t.Log(counterexample)
			is.True(strings.Contains(problem, m.breaks)) // caught, and for the right reason
			is.True(script != "")                        // with a path that leads to it
		})
	}
}

// FuzzApply plays arbitrary events at arbitrary times. The laws hold all the
// same, and the clock still ends the run.
func FuzzApply(f *testing.F) {
	f.Add([]byte{0, 4, 10, 12, 1, 11, 200, 13})
	f.Add([]byte{0, 4, 12, 14, 255, 11, 11, 11})
	f.Fuzz(func(t *testing.T, script []byte) {
		x := exploration{apply: apply, seen: map[string]int{}, live: map[string]bool{}}
		n := node{run: NewRun("run", explorePlan(2, degrading)), now: exploreEpoch, parent: -1}
		for _, b := range script[:min(len(script), 200)] {
			list := moves(n)
			m := list[int(b)%len(list)]
			if b > 128 { // time passes between two events
				n.now = n.now.Add(time.Duration(b) * 50 * time.Millisecond)
				m = moves(n)[int(b)%len(list)]
			}
			next, cmds, err := n.run.Apply(m.ev)
			after := node{run: next, now: m.now, stops: n.stops, via: m.name}
			for _, e := range next.Emitted() {
				if e.Type == EventStop {
					after.stops++
				}
			}
			if problem := checkEdge(n, m, after, cmds, err); problem != "" {
				t.Fatalf("%s: %s → %s: %s", m.name, n.run.Status, next.Status, problem)
			}
			if err == nil {
				n = after
			}
		}
		if problem := x.checkLive(n); problem != "" {
			t.Fatal(problem)
		}
	})
}
