package core

import (
	"slices"
	"testing"
	"time"

	"github.com/matryer/is"
)

func targets(r Run) (list []int) {
	for i := range r.Workers {
		list = append(list, r.Workers[i].Target)
	}
	return list
}

func TestLoadIsSetAndSharedEvenly(t *testing.T) {
	is := is.New(t)
	r := loaded(t, 3, func(p *Plan) { p.Connections = 11 })
	is.Equal(targets(r), []int{4, 4, 3})

	r, events := play(t, r, LoadSet{At: at(11), Connections: 5, Detail: "step 1"})
	is.Equal(targets(r), []int{2, 2, 1})
	is.Equal(r.Aim, Aim{Number: 1, Connections: 5, At: at(11.1)})
	is.Equal(len(events), 4) // the step, and one for each worker whose target changed
	is.Equal(events[0].Type, EventStep)
	is.Equal(events[0].Target, 5)
	is.Equal(events[0].Effective, at(11.1))
	is.Equal(events[0].Detail, "step 1")
	for i, e := range events[1:] {
		is.Equal(e.Type, EventSetWorkerTarget)
		is.Equal(e.Scope, ScopeWorker)
		is.Equal(e.WorkerID, WorkerID(i))
		is.Equal(e.Target, r.Workers[i].Target)
	}

	again, events := play(t, r, LoadSet{At: at(12), Connections: 5})
	is.Equal(len(events), 0) // it is so already
	is.Equal(again.Aim, r.Aim)

	r, events = play(t, r, LoadSet{At: at(13), Connections: 6})
	is.Equal(targets(r), []int{2, 2, 2})
	is.Equal(len(events), 2) // the two others keep theirs
	r, _ = play(t, r, LoadSet{At: at(14), Connections: 99})
	is.Equal(targets(r), []int{4, 4, 3}) // never more than they have open
	is.Equal(r.Aim.Connections, 11)
	r, _ = play(t, r, LoadSet{At: at(15), Connections: -1})
	is.Equal(targets(r), []int{0, 0, 0})
}

func TestLoadIsSetOnlyWhileItIsMade(t *testing.T) {
	is := is.New(t)
	r, events := play(t, NewRun("r", explorePlan(2, nil)), LoadSet{At: at(0), Connections: 1})
	is.Equal(r.Aim, Aim{})
	is.Equal(len(events), 0)
	r = loaded(t, 2, nil)
	r, _ = play(t, r, StopRequested{At: at(11)})
	r, events = play(t, r, LoadSet{At: at(12), Connections: 1})
	is.Equal(r.Aim, Aim{})
	is.Equal(len(events), 0)
}

func TestShareWithin(t *testing.T) {
	is := is.New(t)
	is.Equal(ShareWithin(7, []int{2, 9, 9}), []int{2, 3, 2})
	is.Equal(ShareWithin(3, nil), []int{})
	for a := range 6 {
		for b := range 6 {
			for c := range 6 {
				for total := range 20 {
					ceilings := []int{a, b, c}
					parts := ShareWithin(total, ceilings)
					sum, lowest, highest := 0, total, 0
					for i, part := range parts {
						is.True(part >= 0 && part <= ceilings[i])
						sum += part
						if part < ceilings[i] {
							lowest = min(lowest, part)
						}
						highest = max(highest, part)
					}
					is.Equal(sum, min(total, a+b+c))
					is.True(highest-lowest <= 1 || !slices.ContainsFunc([]int{0, 1, 2}, func(i int) bool { return parts[i] < ceilings[i] }))
				}
			}
		}
	}
}

// What an aim says reaches the worker's schedule, at its own stamps; a newer one
// takes the place of an older, never the other way round.
func TestWorkerFollowsItsAim(t *testing.T) {
	is := is.New(t)
	zero := workerTestZero()
	m := NewWorkerMachine(workerTestPlan(0), 0)
	read := func(at time.Duration, aim Aim) LoadAim {
		m = m.Apply(ControlRead{At: at, Zero: zero, Control: Control{
			Status: Running, Epoch: 2, Phase: Measurement, PhaseAt: zero.Add(time.Second), Origin: zero.Add(time.Second),
			OwnerLeaseUntil: zero.Add(time.Hour), Aim: aim,
		}})
		return m.Duty(at).Schedule.Aim
	}
	is.Equal(read(time.Millisecond, Aim{}), LoadAim{})
	is.Equal(read(2*time.Millisecond, Aim{Number: 1, Rate: 5}), LoadAim{Number: 1, Rate: 5, From: 2 * time.Millisecond})
	second := Aim{Number: 2, Rate: 7, Workers: 3, At: zero.Add(20 * time.Millisecond)}
	is.Equal(read(10*time.Millisecond, second), LoadAim{Number: 2, Rate: 7, Workers: 3, At: 20 * time.Millisecond, From: 20 * time.Millisecond})
	is.Equal(read(30*time.Millisecond, Aim{Number: 1, Rate: 5}).Number, 2)
	is.Equal(read(30*time.Millisecond, second).From, 20*time.Millisecond) // once is enough
	late := Aim{Number: 3, Rate: 1, At: zero.Add(40 * time.Millisecond)}
	is.Equal(read(90*time.Millisecond, late), LoadAim{Number: 3, Rate: 1, At: 40 * time.Millisecond, From: 90 * time.Millisecond})
}

// The arrivals of an aim are shared exactly over the workers that take part in it.
func TestArrivalsOfAnAim(t *testing.T) {
	for _, kind := range []string{ArrivalsUniform, ArrivalsPoisson} {
		load := ScenarioLoad{Mode: ModeQPS, Rate: 50, Workers: 4, Connections: 11, Arrivals: kind, Seed: 3, Operations: 5,
			Ramp: &Ramp{Shape: ShapeLinear, Over: Duration(time.Minute)}}
		for workers := range 6 {
			is := is.New(t)
			aim := LoadAim{Number: 2, Rate: 200, Workers: workers}
			var all []time.Duration
			taking := min(workers, 4)
			if workers == 0 {
				taking = 4
			}
			for w := range 4 {
				first, count := Connections(11, 4, w)
				a := NewAimedArrivals(load, w, true, aim)
				n := 0
				for next, ok := a.Next(); ok && next.At < 10*time.Second; next, ok = a.Next() {
					is.True(next.Connection >= first && next.Connection < first+count)
					all = append(all, next.At)
					n++
				}
				is.Equal(n > 0, w < taking)
			}
			one := load
			one.Workers = 1
			var whole []time.Duration
			a := NewAimedArrivals(one, 0, true, LoadAim{Number: 2, Rate: 200})
			for next, ok := a.Next(); ok && next.At < 10*time.Second; next, ok = a.Next() {
				whole = append(whole, next.At)
			}
			slices.Sort(all)
			is.Equal(all, whole) // no gap, none twice, however many share them
			if kind == ArrivalsUniform {
				is.Equal(len(all), 2000)
			}
		}
	}
}
