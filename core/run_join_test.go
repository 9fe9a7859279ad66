package core

import (
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

// growable is a run whose load began at second 10 with the first of n workers.
func growable(t *testing.T, n, initial int, change func(*Plan)) Run {
	t.Helper()
	r, _ := play(t, NewRun("r", explorePlan(n, func(p *Plan) {
		p.Initial, p.Connections = initial, 4*n
		if change != nil {
			change(p)
		}
	})), StartRequested{At: at(0)}, passed(1))
	for i := range initial {
		r, _ = play(t, r, WorkerLaunched{At: at(2), Worker: i, Epoch: 1, Handle: Handle{Launcher: "l", Data: []byte{byte(i)}}})
	}
	for i := range initial {
		r, _ = play(t, r, BeatSeen{At: at(9.9), Worker: i, Epoch: 1, State: WorkerReadyNow})
	}
	if r.Status != Running {
		t.Fatalf("status %s", r.Status)
	}
	return r
}

func started(i int, seconds float64) []Event {
	return []Event{
		WorkerLaunched{At: at(seconds), Worker: i, Epoch: 1, Handle: Handle{Launcher: "l", Data: []byte{byte(i)}}},
		BeatSeen{At: at(seconds + 1), Worker: i, Epoch: 1, State: WorkerReadyNow},
	}
}

func TestWorkersJoinWhenMoreIsAskedFor(t *testing.T) {
	is := is.New(t)
	r := growable(t, 4, 1, nil)
	is.Equal(targets(r), []int{4, 0, 0, 0})
	is.Equal(r.Aim, Aim{Number: 1, Connections: 4, Workers: 1, Wanted: 1})
	is.Equal(len(r.Outstanding()), 0) // the others are not asked for

	r, _ = play(t, r, LoadSet{At: at(11), Connections: 3})
	is.Equal(targets(r), []int{3, 0, 0, 0}) // there is enough
	is.Equal(len(r.Outstanding()), 0)

	r, _ = play(t, r, LoadSet{At: at(12), Connections: 9})
	is.Equal(targets(r), []int{4, 0, 0, 0}) // meanwhile
	is.Equal(r.Outstanding(), []Command{LaunchWorker{Worker: 1, Epoch: 1}, LaunchWorker{Worker: 2, Epoch: 1}})
	due, _ := r.NextDeadline()
	is.Equal(due, at(12.875)) // the phases go on

	r, events := play(t, r, started(2, 13)...)
	is.Equal(events[0].Type, EventWorkerAdded)
	is.Equal(targets(r), []int{4, 0, 4, 0})
	is.Equal(r.Aim.Workers, 1) // of an open loop only the first ones can take part
	r, _ = play(t, r, started(1, 15)...)
	is.Equal(targets(r), []int{3, 3, 3, 0})
	is.Equal(r.Aim, Aim{Number: 5, Connections: 9, Workers: 3, Wanted: 3, At: at(16.1)})
	is.Equal(r.Workers[1].Since, at(16.1))
	is.Equal(r.Workers[2].Since, at(14.1))
	is.Equal(r.Workers[0].Since.IsZero(), true)
	is.Equal(len(r.Outstanding()), 0)

	c := r.Certificate()
	is.Equal(len(c.Workers), 3) // nobody asked for the last one
}

func TestWorkersJoinForARate(t *testing.T) {
	is := is.New(t)
	r := growable(t, 4, 1, func(p *Plan) { p.Rate = 100 })
	for _, step := range []struct {
		rate float64
		want int
	}{{10, 1}, {25, 1}, {26, 2}, {50, 2}, {99, 4}, {100, 4}, {1, 1}} {
		next, _ := play(t, r, LoadSet{At: at(12), Rate: step.rate})
		is.Equal(next.Aim.Wanted, step.want)
		is.Equal(next.Aim.Workers, 1)
		is.Equal(len(next.Outstanding()), step.want-1)
	}
	next, _ := play(t, r, LoadSet{At: at(12), Workers: 3, Connections: 12}) // the pursuit says so itself
	is.Equal(next.Aim.Wanted, 3)
	is.Equal(len(next.Outstanding()), 2)
}

// A worker that cannot join ends nothing: it is killed, named, and nobody else is
// tried.
func TestAWorkerThatCannotJoin(t *testing.T) {
	asked, _ := play(t, growable(t, 3, 1, func(p *Plan) { p.RunLimit, p.Duration = time.Hour, 10*time.Minute }), Ticked{At: at(12.9)}, LoadSet{At: at(13), Connections: 8})
	launched := WorkerLaunched{At: at(14), Worker: 1, Epoch: 1, Handle: Handle{Launcher: "l"}}
	for _, tt := range []struct {
		name   string
		events []Event
		owed   []Command // after them
		why    string
	}{
		{"refused", []Event{LaunchFailed{At: at(14), Worker: 1, Epoch: 1, Detail: "no room"}}, []Command{LocateWorker{Worker: 1, Epoch: 1}}, "no room"},
		{"exits", []Event{launched, WorkerExited{At: at(15), Worker: 1, Epoch: 1, Exit: Exit{Code: 4, Cause: "exit status 4"}}}, nil, "exit status 4"},
		{"its target refuses it", []Event{launched, BeatSeen{At: at(15), Worker: 1, Epoch: 1, State: WorkerDead, Detail: "password refused"}, WorkerExited{At: at(15), Worker: 1, Epoch: 1}}, nil, "password refused"},
		{"late", []Event{launched, BeatSeen{At: at(15), Worker: 1, Epoch: 1, State: WorkerStarting, Detail: "still opening"}, Ticked{At: at(74)}}, []Command{KillWorker{Worker: 1, Epoch: 1}}, "not ready within 1m1s (launched): still opening"},
		{"never launched", []Event{Ticked{At: at(74)}}, []Command{LocateWorker{Worker: 1, Epoch: 1}}, "not ready within 1m1s (launching)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			r, events := play(t, asked, tt.events...)
			is.Equal(r.Status, Running)
			is.Equal(r.Outstanding(), tt.owed)
			is.Equal(r.Unjoined, "worker-1 could not join the load: "+tt.why)
			is.Equal(events[len(events)-1].Type, EventGuardrail)
			is.Equal(events[len(events)-1].Detail, r.Unjoined)
			is.Equal(r.Aim.Connections, 4) // what the others have
			r, _ = play(t, r, LoadSet{At: at(75), Connections: 12})
			is.Equal(r.Outstanding(), tt.owed) // nobody else is tried
			is.Equal(targets(r), []int{4, 0, 0})
			r, _ = play(t, r, WorkerExited{At: at(76), Worker: 1, Epoch: 1}, StopRequested{At: at(77), Reason: Elapsed},
				BeatSeen{At: at(78), Worker: 0, Epoch: 1, State: WorkerCompleted}, WorkerExited{At: at(78), Worker: 0, Epoch: 1})
			is.Equal(r.Outcome(), Completed) // its numbers are those of the others
		})
	}
}

// A rate is shared over the first workers: one behind another that cannot join does not
// wait for load that never comes, but is ended too.
func TestAWorkerBehindOneThatCannotJoin(t *testing.T) {
	is := is.New(t)
	r := growable(t, 3, 1, func(p *Plan) { p.Rate, p.RunLimit, p.Duration = 300, time.Hour, 10*time.Minute })
	r, _ = play(t, r, Ticked{At: at(12.9)}, LoadSet{At: at(13), Workers: 3, Connections: 12, Rate: 300})
	r, _ = play(t, r, append([]Event{LaunchFailed{At: at(14), Worker: 1, Epoch: 1, Detail: "no room"}}, started(2, 14)...)...)
	is.Equal(r.Aim.Workers, 1)
	is.Equal(targets(r), []int{4, 0, 0})
	is.True(r.Workers[2].Joining)
	r, _ = play(t, r, Ticked{At: at(74)})
	is.Equal(r.Status, Running)
	is.True(r.Workers[2].Silent)
	is.Equal(r.Workers[2].Message, "a worker before it could not join")
	is.Equal(r.Unjoined, "worker-1 could not join the load: no room")
	is.Equal(r.Outstanding()[len(r.Outstanding())-1], Command(KillWorker{Worker: 2, Epoch: 1}))

	// In order, they join as soon as they can.
	r = growable(t, 3, 1, func(p *Plan) { p.Rate, p.RunLimit, p.Duration = 300, time.Hour, 10*time.Minute })
	r, _ = play(t, r, Ticked{At: at(12.9)}, LoadSet{At: at(13), Workers: 3, Connections: 12, Rate: 300})
	r, _ = play(t, r, started(2, 14)...)
	is.Equal(targets(r), []int{4, 0, 0})
	r, _ = play(t, r, started(1, 16)...)
	is.Equal(targets(r), []int{4, 4, 4})
	is.Equal(r.Aim.Workers, 3)
}

// What nothing can kill is an orphan, as any worker.
func TestAJoiningWorkerThatCannotBeKilled(t *testing.T) {
	is := is.New(t)
	r, _ := play(t, growable(t, 2, 1, func(p *Plan) { p.RunLimit, p.Duration = time.Hour, 10*time.Minute }), LoadSet{At: at(12), Connections: 8},
		WorkerLaunched{At: at(12.5), Worker: 1, Epoch: 1, Handle: Handle{Launcher: "l"}}, Ticked{At: at(12.9)}, Ticked{At: at(73)})
	due, _ := r.NextDeadline()
	is.Equal(due, at(80)) // 7 s to kill it
	r, _ = play(t, r, Ticked{At: at(80)})
	is.Equal(r.Workers[1].Life, Orphan)
	is.Equal(r.Status, Running)
	is.Equal(r.Certificate().Orphans, []string{"worker-1"})
}

// A stop ends those that are about to join as well.
func TestAStopWhileWorkersJoin(t *testing.T) {
	is := is.New(t)
	r, _ := play(t, growable(t, 3, 1, nil), LoadSet{At: at(11), Connections: 12},
		WorkerLaunched{At: at(12), Worker: 1, Epoch: 1, Handle: Handle{Launcher: "l"}}, StopRequested{At: at(13), Reason: Elapsed})
	is.Equal(r.Outstanding(), []Command{LocateWorker{Worker: 2, Epoch: 1}})
	r, _ = play(t, r, WorkerExited{At: at(13), Worker: 2, Epoch: 1, Exit: Exit{Code: -1, Cause: "never launched"}},
		BeatSeen{At: at(14), Worker: 0, Epoch: 1, State: WorkerCompleted}, WorkerExited{At: at(14), Worker: 0, Epoch: 1})
	is.Equal(r.Status, Stopping) // worker-1 is still there
	r, _ = play(t, r, WorkerExited{At: at(15), Worker: 1, Epoch: 1, Exit: Exit{Code: 1, Cause: "exit status 1"}},
		SessionsCounted{At: at(15), Running: RunningCount{Known: true}}, RollupStored{At: at(15)}, ResourcesReleased{At: at(15)})
	is.Equal(r.Status, Completed) // it was never part of the load
}

// The load of a lost worker goes to the others where it may go on.
func TestALostWorkersLoadIsShared(t *testing.T) {
	is := is.New(t)
	r := growable(t, 3, 3, degrading)
	r, _ = play(t, r, LoadSet{At: at(11), Connections: 6})
	is.Equal(targets(r), []int{2, 2, 2})
	r, _ = play(t, r, WorkerExited{At: at(12), Worker: 0, Epoch: 1})
	is.Equal(targets(r), []int{2, 3, 3}) // its own is what it was
	is.Equal(r.Status, Running)
}

func TestShareBetween(t *testing.T) {
	is := is.New(t)
	is.Equal(ShareBetween(7, 3, []int{9, 9, 9}), []int{4, 3, 0})
	is.Equal(ShareBetween(2, 3, []int{9, 9, 9}), []int{2, 0, 0}) // less than any floor: one has it
	is.Equal(ShareBetween(0, 3, []int{9, 9}), []int{0, 0})
	is.Equal(ShareBetween(99, 3, []int{9, 9}), []int{9, 9})
	is.Equal(ShareBetween(48, 30, []int{32, 32, 32, 32}), []int{24, 24, 0, 0}) // one has no room for them
	is.Equal(ShareBetween(5, 0, []int{9, 9}), []int{3, 2})
	for total := range 40 {
		for floor := range 8 {
			sum := 0
			for _, part := range ShareBetween(total, floor, []int{8, 8, 8}) {
				sum += part
				if part != 0 && part < floor && total >= floor && total <= 8*(total/floor) {
					t.Errorf("%d of %d connections with a floor of %d", part, total, floor)
				}
			}
			is.Equal(sum, min(total, 24)) // nothing is left out
		}
	}
}

// mutants of joining, which the explorer must catch as well.
func TestExplorerCatchesMutantsOfJoining(t *testing.T) {
	for _, m := range []struct {
		name, breaks string
		apply        applyFunc
	}{
		{"a worker that cannot join is forgotten", "was forgotten", func(r Run, ev Event) (Run, []Command, error) {
			next, _, err := r.Apply(ev)
			next.Unjoined = ""
			return next, nil, err
		}},
		{"load before it has joined", "has not joined is asked for load", func(r Run, ev Event) (Run, []Command, error) {
			next, cmds, err := r.Apply(ev)
			for i := range next.Workers {
				if next.Workers[i].Joining && next.Workers[i].Life == Launched {
					next.Workers[i].Target = 1
				}
			}
			return next, cmds, err
		}},
		{"the last one is lost while another joins", "RUNNING without any worker", func(r Run, ev Event) (Run, []Command, error) {
			next, cmds, err := r.Apply(ev)
			if r.Status == Running && next.Reason == WorkerLost && next.aliveCount() > 0 {
				workers := next.Workers
				next = r
				next.emitted, next.Workers = nil, workers
				return next, nil, err
			}
			return next, cmds, err
		}},
	} {
		t.Run(m.name, func(t *testing.T) {
			_, _, counterexample := explore(explorePlan(2, growingDegrading), m.apply)
			problem, _, _ := strings.Cut(counterexample, "\n")
			is.New(t).True(strings.Contains(problem, m.breaks))
		})
	}
}
