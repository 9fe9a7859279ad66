package core

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

// searchModel is an exact model of a target: what a window of load looks like.
type searchModel func(load float64, window int) SearchWindow

const modelWindow = 5.0 // seconds

// closedModel is a closed loop of n connections on servers that each take service:
// by Little's law.
func closedModel(servers float64, service time.Duration) searchModel {
	return func(n float64, _ int) SearchWindow {
		throughput := min(n, servers) / service.Seconds()
		mean := time.Duration(n / throughput * 1e9)
		return modelOf(n, throughput, mean, mean)
	}
}

func modelOf(load, throughput float64, mean, p95 time.Duration) SearchWindow {
	ok := uint64(throughput * modelWindow)
	return SearchWindow{
		Seconds: modelWindow, Intervals: 5, Connections: load, OK: ok, Scheduled: ok, Mean: mean, Service: mean,
		P50: mean, P95: p95, P99: p95, Rates: throughput * 5, Squares: throughput * throughput * 5,
	}
}

// openModel is an open loop on a target that serves capacity operations per second.
// Beyond it the queue grows for settling and window alike, up to the lateness.
func openModel(capacity float64) searchModel {
	return func(rate float64, _ int) SearchWindow {
		w := modelOf(0, min(rate, capacity), time.Millisecond, 2*time.Millisecond)
		w.Scheduled = uint64(rate * modelWindow)
		w.Connections = 100
		if rate <= capacity {
			w.OK = w.Scheduled
			return w
		}
		late := (rate/capacity - 1) * (2 + modelWindow) // seconds behind at the end
		if late > 0.1 {
			w.Skipped = uint64((rate - capacity) * (modelWindow - max(0, 0.1/(rate/capacity-1)-2)))
		}
		return w
	}
}

// limited adds an objective: p95 below a bound.
func limited(m searchModel, bound time.Duration) searchModel {
	return func(load float64, n int) SearchWindow {
		w := m(load, n)
		if w.P95 >= bound {
			w.Unmet = `"p95" was missed`
		}
		return w
	}
}

// mm1 is an open loop on a server with random service times: the p95 of M/M/1.
func mm1(capacity float64) searchModel {
	open := openModel(capacity)
	return func(rate float64, n int) SearchWindow {
		w := open(rate, n)
		w.P95 = time.Hour
		if rate < capacity {
			w.P95 = time.Duration(-math.Log(0.05) / (capacity - rate) * 1e9)
		}
		return w
	}
}

// play searches to the end, and checks the laws on the way.
func playSearch(t *testing.T, p SearchPlan, m searchModel) Search {
	t.Helper()
	s := NewSearch(p, 2)
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for n := 0; !s.Over; n++ {
		step := s.Current()
		switch {
		case step.Load > p.Ceiling || step.Load < p.floor():
			t.Fatalf("step %d is at %v, outside of %v to %v", len(s.Steps), step.Load, p.floor(), p.Ceiling)
		case !p.OpenLoop && step.Load != math.Trunc(step.Load):
			t.Fatalf("step %d is at %v connections", len(s.Steps), step.Load)
		case s.Missed > 0 && !(s.Good < s.Missed):
			t.Fatalf("%v was borne and %v missed", s.Good, s.Missed)
		case n > 3*maxSearchSteps:
			t.Fatalf("no end: %v", describe(&s))
		}
		before := append([]SearchStep(nil), s.Steps...)
		w := m(step.Load, n)
		at = at.Add(7 * time.Second)
		next := s.Observe(p, at, 2, w, w)
		if !slices.EqualFunc(before, s.Steps, func(a, b SearchStep) bool {
			return a.Windows() == b.Windows() && a.Outcome == b.Outcome && a.End.Equal(b.End)
		}) {
			t.Fatal("the receiver was modified")
		}
		s = next
	}
	if again := s.Observe(p, at, 2, m(s.Good, 0), m(s.Good, 0)); len(again.Steps) != len(s.Steps) || !again.Over {
		t.Fatal("a search that is over went on")
	}
	return s
}

func describe(s *Search) string {
	var text strings.Builder
	for _, step := range s.Steps {
		fmt.Fprintf(&text, "%s %v %s %d/%d; ", step.Direction, step.Load, step.Outcome, step.Borne, step.Missed)
	}
	return text.String()
}

func loads(s *Search) (list []float64) {
	for _, step := range s.Steps {
		list = append(list, step.Load)
	}
	return list
}

func closedPlan(ceiling float64) SearchPlan {
	return SearchPlan{Start: 1, Ceiling: ceiling, Growth: 2, Resolution: 0.05, Settle: 2 * time.Second, Window: 5 * time.Second}
}

func openPlan(ceiling float64) SearchPlan {
	return SearchPlan{OpenLoop: true, Start: ceiling / 100, Ceiling: ceiling, Growth: 2, Resolution: 0.05, Settle: 2 * time.Second, Window: 5 * time.Second}
}

// Whatever the true maximum is, a search finds it: exactly up to 20 connections,
// where the resolution is one, and within the resolution above.
func TestSearchFindsAHardLimit(t *testing.T) {
	for _, growth := range []float64{1.1, 1.5, 2, 3.7, 10} {
		for truth := 1.0; truth <= 400; truth = math.Ceil(truth * 1.04) {
			for _, start := range []float64{1, 7, 300} {
				p := closedPlan(400)
				p.Growth, p.Start, p.Objectives = growth, start, true
				s := playSearch(t, p, limited(func(n float64, _ int) SearchWindow {
					return modelOf(n, n*100, 10*time.Millisecond, time.Duration(n)*time.Millisecond)
				}, time.Duration(truth)*time.Millisecond+1))
				if s.Good > truth || truth-s.Good >= p.tolerance(s.Good) && s.Good != truth && s.Good+p.tolerance(s.Good) < truth {
					t.Fatalf("growth %v, from %v: %v, in truth %v: %s", growth, start, s.Good, truth, describe(&s))
				}
				if truth < 400 && !(s.Missed > truth && s.Missed-s.Good <= p.tolerance(s.Good)) {
					t.Fatalf("growth %v, from %v: missed %v, borne %v", growth, start, s.Missed, s.Good)
				}
				if truth == 400 && s.Missed != 0 {
					t.Fatal("nothing is to be missed")
				}
				if last := s.Current(); last.Direction != StepHold || last.Load != s.Good || last.Windows() != 3 {
					t.Fatalf("the answer was not held: %s", describe(&s))
				}
			}
		}
	}
}

// Without objectives the answer of a closed loop is the load at which an operation
// takes twice as long as alone: c servers are full by then.
func TestSearchFindsTheQueueOfServers(t *testing.T) {
	for _, servers := range []float64{1, 2, 5, 20, 64} {
		is := is.New(t)
		p := closedPlan(1000)
		p.Errors = searchErrors
		s := playSearch(t, p, closedModel(servers, 10*time.Millisecond))
		is.True(s.Good <= 2*servers && 2*servers-s.Good < p.tolerance(2*servers)+1)
		missed := s.Steps[slices.IndexFunc(s.Steps, func(step SearchStep) bool { return step.Load == s.Missed })]
		is.Equal(missed.Outcome, StepQueue)
		is.True(strings.HasPrefix(missed.Why, "an operation takes "))
		is.True(strings.HasSuffix(missed.Why, "on average, more than twice the 10ms with 1: they wait for each other"))
		last := s.Current()
		is.Equal(last.Total.Throughput(), servers*100)
	}
}

// More load that brings less throughput is not borne, whatever objectives say; and
// what brings only waiting is told as a queue.
func TestSearchSeesAThroughputThatFalls(t *testing.T) {
	is := is.New(t)
	p := closedPlan(256)
	p.Objectives = true
	s := playSearch(t, p, func(n float64, _ int) SearchWindow {
		throughput := min(n, 32) * 100
		if n > 40 {
			throughput = 2000 // the target collapses
		}
		mean := time.Duration(n / throughput * 1e9)
		return modelOf(n, throughput, mean, mean)
	})
	is.True(s.Good <= 40 && s.Good >= 38)
	is.True(strings.HasPrefix(s.Steps[6].Why, "the throughput fell to 2000.0 per second; 32 gave 3200.0"))
	for _, step := range s.Steps {
		is.Equal(step.Queue, step.Load > 32 && step.Direction != StepHold || step.Direction == StepHold && step.Load > 34)
	}
}

// The highest rate that is kept is found within the resolution, for any capacity.
func TestSearchFindsTheHighestRate(t *testing.T) {
	for capacity := 15.0; capacity < 900; capacity *= 1.13 {
		p := openPlan(1000)
		s := playSearch(t, p, openModel(capacity))
		if s.Good > capacity*1.03 || s.Good < capacity/1.06 { // a queue is seen from 2 % on
			t.Errorf("%v, in truth %v: %s", s.Good, capacity, describe(&s))
		}
	}
	is := is.New(t)
	s := playSearch(t, openPlan(1000), openModel(2000))
	is.Equal(s.Good, 1000.0)
	is.Equal(s.Missed, 0.0)
}

// With an objective on the p95 of M/M/1 the answer is the closed form's.
func TestSearchFindsTheRateOfMM1(t *testing.T) {
	for _, bound := range []time.Duration{5 * time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond} {
		const capacity = 1000
		p := openPlan(2000)
		p.Objectives = true
		s := playSearch(t, p, limited(mm1(capacity), bound))
		truth := capacity + math.Log(0.05)/bound.Seconds()
		if s.Good > truth || s.Missed < truth || s.Missed-s.Good > 0.05*s.Good {
			t.Errorf("p95 < %s: %v was borne and %v missed, in truth %v", bound, s.Good, s.Missed, truth)
		}
	}
}

// A single window that misses, wherever it comes, changes nothing of the answer.
func TestSearchSurvivesAHiccup(t *testing.T) {
	p := closedPlan(200)
	p.Objectives = true
	smooth := limited(func(n float64, _ int) SearchWindow {
		return modelOf(n, n*100, 10*time.Millisecond, time.Duration(n)*time.Millisecond)
	}, 77*time.Millisecond)
	want := playSearch(t, p, smooth)
	for at := range 30 {
		s := playSearch(t, p, func(n float64, window int) SearchWindow {
			w := smooth(n, window)
			if window == at {
				w.Unmet = "a hiccup"
			}
			return w
		})
		if s.Good != want.Good || s.Missed != want.Missed {
			t.Errorf("a hiccup in window %d: %v, without %v: %s", at, s.Good, want.Good, describe(&s))
		}
	}
}

// Near its limit a target is borne in one window and missed in the next. The answer
// is a load that is borne more often than not, and the search always ends.
func TestSearchOfANoisyTarget(t *testing.T) {
	truth, sum := 100.0, 0.0
	const seeds = 300
	for seed := range uint64(seeds) {
		p := closedPlan(1000)
		p.Objectives = true
		s := playSearch(t, p, func(n float64, window int) SearchWindow {
			r := NewRand(seed, 0, uint64(window))
			w := modelOf(n, n*100, 10*time.Millisecond, 10*time.Millisecond)
			if chance := 1 / (1 + math.Exp((truth-n)/3)); r.Float64() < chance {
				w.Unmet = "p95"
			}
			return w
		})
		if s.Good < truth*0.85 || s.Good > truth*1.1 {
			t.Errorf("seed %d: %v, in truth %v: %s", seed, s.Good, truth, describe(&s))
		}
		sum += s.Good
	}
	if mean := sum / seeds; mean < truth*0.94 || mean > truth*1.02 {
		t.Errorf("%v on average, in truth %v", mean, truth)
	}
}

// What the answer's last windows miss is not the answer: the search goes on below.
func TestSearchHoldsItsAnswer(t *testing.T) {
	is := is.New(t)
	p := closedPlan(100)
	p.Objectives = true
	tired := false // from the first hold on the target bears less
	s := playSearch(t, p, func(n float64, window int) SearchWindow {
		w := modelOf(n, n*100, 10*time.Millisecond, 10*time.Millisecond)
		tired = tired || window >= 12
		if n > 50 || tired && n > 30 {
			w.Unmet = "p95"
		}
		return w
	})
	is.True(s.Good <= 30 && s.Good >= 28)
	is.True(slices.ContainsFunc(s.Steps, func(step SearchStep) bool { return step.Direction == StepHold && step.Outcome == StepMissed }))
}

// A target that bears nothing ends the search at the floor.
func TestSearchOfATargetThatBearsNothing(t *testing.T) {
	is := is.New(t)
	never := func(load float64, _ int) SearchWindow {
		w := modelOf(load, 1, time.Second, time.Second)
		w.Unmet = "p95"
		return w
	}
	p := closedPlan(100)
	p.Start, p.Objectives = 50, true
	s := playSearch(t, p, never)
	is.Equal(s.Good, 0.0)
	is.Equal(s.Missed, 1.0)
	is.Equal(loads(&s), []float64{50, 25, 13, 7, 4, 2, 1})
	q := openPlan(100)
	s = playSearch(t, q, never)
	is.Equal(s.Good, 0.0)
	is.True(s.Missed <= q.floor())
	is.True(len(s.Steps) < 15)
}

// Errors beyond one percent are a miss where no objective says otherwise; and a
// window in which nothing ends is one always.
func TestSearchCountsErrors(t *testing.T) {
	is := is.New(t)
	p := closedPlan(100)
	p.Errors, p.Objectives = searchErrors, true
	s := playSearch(t, p, func(n float64, _ int) SearchWindow {
		w := modelOf(n, n*100, time.Millisecond, time.Millisecond)
		if n > 20 {
			w.Errors = w.OK / 50
		}
		return w
	})
	is.Equal(s.Good, 20.0)
	is.True(slices.ContainsFunc(s.Steps, func(step SearchStep) bool {
		return step.Outcome == StepErrors && strings.HasSuffix(step.Why, "operations failed (2.0 %)")
	}))
	p.Errors = 0
	s = playSearch(t, p, func(n float64, _ int) SearchWindow {
		w := modelOf(n, n*100, time.Millisecond, time.Millisecond)
		if w.Errors = w.OK / 50; n > 20 {
			return SearchWindow{Seconds: 5, Intervals: 5, Connections: n}
		}
		return w
	})
	is.Equal(s.Good, 20.0)
}

// The connections of workers that were lost are no part of the search any more: what is
// held with fewer is the answer, and not what was borne with all.
func TestSearchGoesOnWithTheWorkersThatAreLeft(t *testing.T) {
	for name, lost := range map[string]struct {
		at   int // window
		left float64
	}{"from the beginning": {0, 24}, "when it is held": {7, 32}} { // after 1, 2, 4 … 64
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			p := closedPlan(64)
			p.Objectives = true
			s := playSearch(t, p, func(n float64, window int) SearchWindow {
				w := modelOf(n, n*100, time.Millisecond, time.Millisecond)
				if window >= lost.at {
					w.Connections = min(n, lost.left)
				}
				return w
			})
			is.Equal(s.Good, lost.left)
			is.Equal(s.Missed, 0.0)
			is.Equal(s.Ceiling, lost.left)
			is.Equal(s.Current().Direction, StepHold)
			is.Equal(s.Current().Borne, SearchConfirm)
		})
	}
}

// Windows of a step that were measured before workers were lost are of another load.
func TestSearchBeginsAStepAnewWithoutALostWorker(t *testing.T) {
	is := is.New(t)
	p := closedPlan(64)
	p.Objectives = true
	s := NewSearch(p, 2)
	for s.Current().Load < 32 {
		w := modelOf(s.Current().Load, 100, time.Millisecond, time.Millisecond)
		s = s.Observe(p, at(1), 2, w, w)
	}
	missed := modelOf(32, 3200, time.Second, time.Second)
	missed.Unmet = "p95"
	s = s.Observe(p, at(2), 2, missed, missed)
	is.Equal(s.Current().Missed, 1)
	left := modelOf(16, 1600, time.Millisecond, time.Millisecond)
	left.Start = at(3)
	s = s.Observe(p, at(4), 1, left, missed.and(left))
	is.Equal(s.Ceiling, 16.0)
	step := s.Steps[len(s.Steps)-2]
	is.Equal(step.Load, 16.0)
	is.Equal(step.Workers, 1)
	is.Equal(step.Windows(), 1)
	is.Equal(step.Total, left)
	is.Equal(step.Outcome, StepBorne) // one window of it is enough
}

// A closed loop whose connections the target ends is not the load that was asked for.
func TestSearchMissesWhereConnectionsAreMissing(t *testing.T) {
	is := is.New(t)
	p := closedPlan(100)
	p.Objectives = true
	s := playSearch(t, p, func(n float64, _ int) SearchWindow {
		w := modelOf(n, n*100, time.Millisecond, time.Millisecond)
		if n > 40 {
			w.Missing = n - 40
		}
		return w
	})
	is.Equal(s.Good, 40.0)
	is.True(slices.ContainsFunc(s.Steps, func(step SearchStep) bool {
		return step.Outcome == StepErrors && step.Why == "of 64 connections 24.0 were not open on average: the target ends them, or refuses new ones"
	}))
}
