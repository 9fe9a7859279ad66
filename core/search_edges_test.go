package core

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

// What waits for a connection and may wait long is not scheduled yet. A search for a rate
// does not take that for a load that is borne.
func TestSearchOfARateThatWaits(t *testing.T) {
	is := is.New(t)
	s := playSearch(t, openPlan(5000), func(rate float64, _ int) SearchWindow {
		return modelOf(100, min(rate, 400), time.Millisecond, time.Millisecond)
	})
	is.True(s.Good <= 400/0.95 && s.Good > 380)
	missed := s.last(s.Missed, StepQueue)
	is.True(missed != nil)
	is.True(strings.Contains(missed.Why, "operations were due in 5.0 s and 2000 ended: the others wait"))
}

// Poisson arrivals are now fewer than are due on average and now more; that is no queue.
func TestSearchOfPoissonArrivals(t *testing.T) {
	for seed := range uint64(200) {
		p := openPlan(1000)
		p.Poisson = true
		s := playSearch(t, p, func(rate float64, window int) SearchWindow {
			r := NewRand(seed, 1, uint64(window))
			w := modelOf(100, rate, time.Millisecond, time.Millisecond)
			w.OK = 0
			for at := 0.0; at < rate*modelWindow; at -= math.Log(1 - r.Float64()) {
				w.OK++
			}
			w.Scheduled = w.OK
			return w
		})
		if s.Good != p.Ceiling {
			t.Errorf("seed %d: %v: %s", seed, s.Good, describe(&s))
		}
	}
}

// A window in which nothing was due tells nothing good of a target that bears nothing.
func TestSearchDownToNothing(t *testing.T) {
	is := is.New(t)
	s := playSearch(t, openPlan(100), func(rate float64, _ int) SearchWindow {
		w := modelOf(100, rate, time.Second, time.Second)
		if w.Unmet = "p95"; w.OK == 0 {
			w.Unmet = ""
		}
		return w
	})
	is.Equal(s.Good, 0.0)
	is.Equal(s.bound(&SearchPlan{OpenLoop: true, Start: 1, Ceiling: 100}, TargetFound, nil, false), BoundFloor)
}

// Workers that are lost when a load was missed already lower the ceiling: the search ends
// at it and does not ask for the same load again and again.
func TestSearchBelowALoweredCeiling(t *testing.T) {
	is := is.New(t)
	p := closedPlan(64)
	p.Objectives, p.Start = true, 8
	s := playSearch(t, p, func(n float64, window int) SearchWindow {
		w := modelOf(n, n*100, time.Millisecond, time.Millisecond)
		if n == 64 {
			w.Unmet = "p95"
		}
		if window > 4 { // 8, 16, 32, 64 twice: then half of the connections is gone
			w.Connections = min(n, 32)
		}
		return w
	})
	is.Equal(loads(&s), []float64{8, 16, 32, 64, 32, 32})
	is.Equal(s.Good, 32.0)
	is.Equal(s.bound(&p, TargetFound, s.last(64, StepMissed), false), BoundConnections)
}

// A first window that misses is no baseline: what comes after it is judged by one that
// was borne.
func TestSearchTakesItsBaselineFromWhatWasBorne(t *testing.T) {
	is := is.New(t)
	p := closedPlan(100)
	model := closedModel(10, 10*time.Millisecond)
	want := playSearch(t, p, model)
	for name, first := range map[string]SearchWindow{
		"nothing ended":  {Seconds: modelWindow, Intervals: 5, Connections: 1},
		"all failed":     {Seconds: modelWindow, Intervals: 5, Connections: 1, Errors: 100, Scheduled: 100},
		"slow and wrong": {Seconds: modelWindow, Intervals: 5, Connections: 1, OK: 5, Errors: 5, Scheduled: 10, Mean: time.Second},
	} {
		p.Errors = searchErrors
		s := playSearch(t, p, func(n float64, window int) SearchWindow {
			if window == 0 {
				return first
			}
			return model(n, window)
		})
		if s.Good != want.Good || s.Missed != want.Missed {
			t.Errorf("%s: %v and %v, not %v and %v: %s", name, s.Good, s.Missed, want.Good, want.Missed, describe(&s))
		}
		is.Equal(s.Baseline.Mean, 10*time.Millisecond)
	}
}

// A successor of an owner that died has only its own windows of the step at hand: they
// are added to what the run knows.
func TestSearchStepOfTwoOwners(t *testing.T) {
	is := is.New(t)
	p := closedPlan(1)
	s := NewSearch(p, 2)
	window := func(ok uint64, mean time.Duration) SearchWindow {
		w := modelOf(1, float64(ok)/modelWindow, mean, mean)
		w.CPU = float64(ok) / 10
		return w
	}
	s = s.Observe(p, at(5), 2, window(100, time.Millisecond), window(100, time.Millisecond)) // then it is held
	first, third := window(200, 2*time.Millisecond), window(600, 6*time.Millisecond)
	s = s.Observe(p, at(10), 2, first, first)
	s = s.Observe(p, at(15), 2, third, third) // of a successor, whose total has this one only
	s = s.Observe(p, at(20), 2, third, third.and(third))
	is.True(s.Over)
	total := s.Current().Total
	is.Equal(s.Current().Windows(), 3)
	is.Equal(total.OK, uint64(1400))
	is.Equal(total.Intervals, 15)
	is.Equal(total.Seconds, 15.0)
	is.Equal(total.Connections, 1.0)
	is.Equal(total.Mean, time.Duration(7600000000/1400))
	is.Equal(total.CPU, (20.0+60+60)/3)
	is.Equal(total.Throughput(), 1400.0/15)
	is.Equal(SearchWindow{}.and(first), first)
}

// A lost worker ends a search for a rate, of which nobody makes its share; one for
// connections goes on.
func TestALostWorkerOfASearch(t *testing.T) {
	for mode, ends := range map[string]bool{ModeFindQPS: true, ModeFindConcurrency: false} {
		t.Run(mode, func(t *testing.T) {
			is := is.New(t)
			r := searchRun(t, mode)
			r.Plan.OnLoss = DegradeOnLoss
			r, _ = play(t, r, WorkerExited{At: at(20), Worker: 1, Epoch: 1, Exit: Exit{Code: -1, Cause: "signal 9"}})
			is.Equal(r.Status.Ending(), ends)
			if ends {
				is.Equal(r.Reason, WorkerLost)
				is.True(strings.HasSuffix(r.Detail, "nobody makes its share of a rate, so that the search ends here"))
				is.Equal(r.SearchResult(mode).Bound, BoundStopped)
			}
		})
	}
}

// A rate that is missed since there are too few connections is no limit while more
// workers may be launched: it is tried again with them, and what fewer of them missed
// says nothing any more.
func TestSearchOfARateAddsWorkers(t *testing.T) {
	const service, each = 50 * time.Millisecond, 4.0 // connections of a worker
	for name, c := range map[string]struct {
		start, capacity float64
		cpu             float64
		embedded        bool
		workers         int
		kind            MaxKind
		bound           string
	}{
		"the target's limit is within their reach": {10, 200, 0, false, 4, TrueMax, ""},
		"so it is when the first step has missed":  {150, 200, 0, false, 3, TrueMax, ""},
		"they are not enough":                      {10, 5000, 0, false, 6, BoundedMax, BoundConnections},
		"their host is full":                       {10, 5000, 95, false, 1, BoundedMax, BoundGenerator},
		"a target within the workers fills it":     {10, 5000, 95, true, 1, TrueMax, ""},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			r := growable(t, 6, 1, func(p *Plan) {
				p.Rate = 10_000 // of which each step is so small a share that one worker suffices
				p.Search = &SearchPlan{OpenLoop: true, Start: c.start, Ceiling: 10_000, Growth: 2, Resolution: 0.05, Errors: 0.01, Window: 5 * time.Second}
			})
			now, most := 20.0, 1
			for !r.Search.Over {
				for i := range r.Workers {
					if r.Workers[i].Joining {
						r, _ = play(t, r, started(i, now)...)
					}
				}
				step := r.Search.Current()
				connections := float64(r.Aim.Workers) * each
				reach := min(c.capacity, connections/service.Seconds())
				w := modelOf(connections, min(step.Load, reach), service, service)
				w.Scheduled, w.CPU = uint64(step.Load*modelWindow), c.cpu
				if step.Load > c.capacity {
					w.Service *= 2 // the target is slower then
				}
				now += 7
				most = max(most, r.Aim.Workers)
				r, _ = play(t, r, WindowMeasured{At: at(now), Step: len(r.Search.Steps), Number: step.Windows() + 1, Window: w, Total: w})
				is.True(now < 2000)
			}
			result := r.searchResult(ModeFindQPS, c.embedded)
			t.Log(describe(r.Search), result.Sentence)
			is.Equal(result.Kind, c.kind)
			is.Equal(result.Bound, c.bound)
			reach := min(c.capacity, float64(c.workers)*each/service.Seconds())
			is.True(result.Load > 0.94*reach && result.Load < 1.03*reach)
			is.True(most >= c.workers)
			for i, s := range r.Search.Steps[1:] {
				if s.Direction == StepAgain {
					is.True(s.Workers > r.Search.Steps[i].Workers)
				}
			}
		})
	}
}

// A step is of those who made it, not of those who were launched for it and never joined.
func TestSearchStepWithoutTheWorkerThatFailed(t *testing.T) {
	is := is.New(t)
	r := growable(t, 2, 1, func(p *Plan) {
		p.Rate = 1000
		p.Search = &SearchPlan{OpenLoop: true, Start: 10, Ceiling: 1000, Growth: 2, Resolution: 0.05, Errors: 0.01, Window: 5 * time.Second}
	})
	for now, failed := 20.0, false; !r.Search.Over; now += 7 {
		is.True(now < 1000)
		step := r.Search.Current()
		w := modelOf(4, min(step.Load, 80), 50*time.Millisecond, 50*time.Millisecond)
		w.Scheduled = uint64(step.Load * modelWindow)
		r, _ = play(t, r, WindowMeasured{At: at(now), Step: len(r.Search.Steps), Number: step.Windows() + 1, Window: w, Total: w})
		if r.Workers[1].Joining && !failed {
			failed = true
			r, _ = play(t, r, LaunchFailed{At: at(now), Worker: 1, Epoch: 1, Detail: "no room"})
		}
	}
	is.True(r.Unjoined != "")
	for i, s := range r.ControllerSteps() {
		is.Equal(s.Workers, 1)
		is.Equal(s.ToConnections, r.Plan.within(1))
		is.Equal(r.Search.Steps[i].Workers, 1)
	}
}

// A search whose every operation fails has found nothing, and its numbers are none of
// the target's limit.
func TestSearchInWhichEverythingFails(t *testing.T) {
	is := is.New(t)
	p := closedPlan(8)
	p.Errors = searchErrors
	s := playSearch(t, p, func(n float64, _ int) SearchWindow {
		return SearchWindow{Seconds: modelWindow, Intervals: 5, Connections: n, Errors: 100, Scheduled: 100}
	})
	is.Equal(s.Good, 0.0)
	is.Equal(s.bound(&p, TargetFound, s.last(s.Missed, StepErrors), false), BoundFloor)
	in := VerdictInput{Status: Completed, Begun: true, Measured: Counts{Started: 100, Errors: 100}, Seconds: 10, Ledger: Ledger{Balanced: true}, Coverage: 1, Searched: true}
	verdict := Judge(in)
	is.Equal(verdict.Level, InvalidRun)
	is.Equal(verdict.Causes, []Cause{CauseErrors})
	in.Found = true // then they failed beyond it
	is.Equal(Judge(in).Level, Valid)
}

// What counts is that most windows at the answer have met the objectives: so they are met,
// also where one bad window makes all of them together miss.
func TestObjectivesOfASearch(t *testing.T) {
	is := is.New(t)
	slo, err := ParseSLO("p95 < 10ms")
	is.NoErr(err)
	other, err := ParseSLO("INSERT p95 < 10ms")
	is.NoErr(err)
	windows := func(latencies ...time.Duration) (one, all SearchWindow) {
		var total SearchGather
		for i, latency := range latencies {
			k := KindMetrics{Kind: Update, Counts: Counts{Scheduled: 100, Started: 100, OK: 100}}
			k.Service.RecordN(latency, 100)
			in := SearchInterval{Start: at(float64(i)), Seconds: 5, Connections: 1, Kinds: []KindMetrics{k}}
			total.Add(in)
			var g SearchGather
			g.Add(in)
			one = g.Window([]SLO{slo, other})
		}
		return one, total.Window([]SLO{slo, other})
	}
	p := closedPlan(1)
	p.Objectives = true
	s := NewSearch(p, 1)
	for i, latencies := range [][]time.Duration{{5e6}, {5e6}, {5e6, 30e6}, {5e6, 30e6, 5e6}} { // the second step is the first once more
		one, all := windows(latencies...)
		s = s.Observe(p, at(float64(10*i)), 1, one, all)
	}
	is.True(s.Over)
	r := SearchResult{}
	r.gather(&s)
	is.Equal(len(r.Objectives), 2)
	o := r.Objectives[0]
	is.True(o.Met && o.Mostly && !o.Unknown && o.Measured > 0.02)
	is.True(!r.Objectives[1].Met && r.Objectives[1].Unknown && !r.Objectives[1].Mostly)
	is.True(!s.Current().Total.Objectives[0].Met) // the run's own state stays
}

// What fewer workers made of the answer's load is not in its numbers; and workers that
// make the target fail are followed by no more of them.
func TestSearchAfterWorkersWereAdded(t *testing.T) {
	is := is.New(t)
	const service = 50 * time.Millisecond
	search := func(fails bool) Run {
		r := growable(t, 4, 1, func(p *Plan) {
			p.Rate = 10_000
			p.Search = &SearchPlan{OpenLoop: true, Start: 50, Ceiling: 100, Growth: 2, Resolution: 0.05, Errors: 0.01, Window: 5 * time.Second}
		})
		for now := 20.0; !r.Search.Over; now += 7 {
			for i := range r.Workers {
				if r.Workers[i].Joining {
					r, _ = play(t, r, started(i, now-2)...)
				}
			}
			step := r.Search.Current()
			w := modelOf(4*float64(r.Aim.Workers), min(step.Load, 80*float64(r.Aim.Workers)), service, service)
			if w.Scheduled = uint64(step.Load * modelWindow); fails && r.Aim.Workers > 1 {
				w.OK, w.Errors = w.OK/2, w.OK/2
			}
			r, _ = play(t, r, WindowMeasured{At: at(now), Step: len(r.Search.Steps), Number: step.Windows() + 1, Window: w, Total: w})
		}
		return r
	}
	r := search(false)
	result := r.searchResult(ModeFindQPS, false)
	is.Equal(describe(r.Search), "START 50 BORNE 1/0; UP 100 QUEUE_DETECTED 0/2; AGAIN 100 BORNE 1/0; HOLD 100 BORNE 3/0; ")
	is.Equal(result.Throughput, 100.0)
	is.Equal([]int{result.Borne, result.Windows}, []int{4, 4})
	r = search(true)
	is.Equal(r.Aim.Workers, 2)
	t.Log(describe(r.Search))
}
