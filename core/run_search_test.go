package core

import (
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

func searchTemplate(mode string, change func(*Template)) Template {
	t := Template{
		Name: "t", Target: TemplateTarget{Kind: "memory"}, Table: TemplateTable{Name: "T", Rows: 100},
		Mix: []TemplateOp{{Kind: PointLookup, Weight: 100}}, Load: TemplateLoad{Mode: mode, Workers: 2, Connections: 8},
	}
	if mode == ModeFindQPS {
		t.Load.Rate = 1000
	}
	if change != nil {
		change(&t)
	}
	return t
}

func TestResolveSearch(t *testing.T) {
	is := is.New(t)
	s, err := searchTemplate(ModeFindConcurrency, nil).Resolve(Resolution{})
	is.NoErr(err)
	second := Duration(time.Second)
	is.Equal(*s.Load.Search, LoadSearch{Start: 1, Growth: 2, Resolution: 5, Window: 5 * second, Settle: 2 * second})
	is.Equal(s.Load.Duration, Duration(10*time.Minute))
	is.Equal(*s.Plan().Search, SearchPlan{Start: 1, Ceiling: 16, Growth: 2, Resolution: 0.05, Settle: 2 * time.Second, Window: 5 * time.Second, Errors: 0.01})
	is.True(!s.Load.OpenLoop())

	s, err = searchTemplate(ModeFindQPS, func(t *Template) {
		t.SLOs = []string{"p95 < 20ms", "error_rate < 5%"}
		t.Load.Search = TemplateSearch{Growth: 1.5, Resolution: 10, Window: 10 * second, Settle: second}
	}).Resolve(Resolution{})
	is.NoErr(err)
	is.Equal(*s.Load.Search, LoadSearch{Start: 10, Growth: 1.5, Resolution: 10, Window: 10 * second, Settle: second})
	is.Equal(*s.Plan().Search, SearchPlan{OpenLoop: true, Start: 10, Ceiling: 1000, Growth: 1.5, Resolution: 0.1, Settle: time.Second, Window: 10 * time.Second, Objectives: true})
	is.True(s.Load.OpenLoop())

	s, err = searchTemplate(ModeFindConcurrency, func(t *Template) { t.SLOs = []string{"error_rate < 5%"} }).Resolve(Resolution{})
	is.NoErr(err)
	is.True(!s.Plan().Search.Objectives && s.Plan().Search.Errors == 0) // latency is told by queues

	plain, err := searchTemplate(ModeConcurrency, nil).Resolve(Resolution{})
	is.NoErr(err)
	is.True(plain.Load.Search == nil && plain.Plan().Search == nil)
}

func TestResolveSearchRefusals(t *testing.T) {
	for _, tc := range []struct {
		mode   string
		change func(*Template)
		says   string
	}{
		{ModeConcurrency, func(t *Template) { t.Load.Search.Growth = 2 }, "load.search is given, but load.mode is CONCURRENCY; allowed with FIND_MAX_CONCURRENCY and FIND_MAX_QPS only"},
		{ModeFindConcurrency, func(t *Template) { t.Load.Search.Start = 17 }, "load.search.start is 17; allowed: above 0, up to all connections of load.workers × load.connections, which are 16"},
		{ModeFindConcurrency, func(t *Template) { t.Load.Search.Start = 1.5 }, "load.search.start is 1.5; allowed: a whole number of connections over all workers"},
		{ModeFindConcurrency, func(t *Template) { t.Load.Search.Start = -1 }, "load.search.start is -1; allowed: above 0, up to all connections of load.workers × load.connections, which are 16"},
		{ModeFindQPS, func(t *Template) { t.Load.Search.Start = 1001 }, "load.search.start is 1001; allowed: above 0, up to load.rate, which are 1000"},
		{ModeFindQPS, func(t *Template) { t.Load.Search.Start = 1 }, "load.search.start is 1 operations per second, which makes fewer than 10 in the load.search.window of 5s; allowed: at least 2, or a longer window"},
		{ModeFindQPS, func(t *Template) { t.Load.Search.Growth = 1 }, "load.search.growth is 1; allowed: 1.01 to 10"},
		{ModeFindQPS, func(t *Template) { t.Load.Search.Resolution = 51 }, "load.search.resolution is 51; allowed: 0.1 to 50 percent"},
		{ModeFindQPS, func(t *Template) { t.Load.Search.Window = Duration(time.Millisecond) }, "load.search.window is 1ms; allowed: 1s to 1h0m0s"},
		{ModeFindQPS, func(t *Template) { t.Load.Search.Settle = Duration(2 * time.Hour) }, "load.search.settle is 2h0m0s; allowed: 1ms to 1h0m0s"},
		{ModeFindQPS, func(t *Template) { t.Load.Duration = Duration(20 * time.Second) }, "load.duration is 20s, the time limit of the search; allowed: at least 28s, which is 4 times load.search.settle and load.search.window"},
		{ModeFindQPS, func(t *Template) { t.Load.Rate = 0 }, "load.rate is missing or 0; load.mode FIND_MAX_QPS needs it"},
		{ModeFindQPS, func(t *Template) { t.Load.CatchUp = true }, "load.catch_up is true, but in load.mode FIND_MAX_QPS what one step has not started"},
		{ModeFindQPS, func(t *Template) { t.Load.MaxLateness = Duration(3 * time.Second) }, "load.max_lateness is 3s, but what one step of load.mode FIND_MAX_QPS has not started after load.search.settle would be the next one's load; allowed: up to that, which is 2s"},
		{ModeFindQPS, func(t *Template) { t.Load.ThinkTime = 1 }, "load.think_time is 1ns, but load.mode is FIND_MAX_QPS"},
		{ModeFindConcurrency, func(t *Template) { t.Load.Rate = 5 }, "load.rate is 5, but load.mode is FIND_MAX_CONCURRENCY, whose connections set the rate"},
		{ModeFindConcurrency, func(t *Template) { t.Load.Operations = 5 }, "load.operations is 5, but load.mode FIND_MAX_CONCURRENCY ends when it has its answer, or after load.duration; leave it out"},
		{ModeFindConcurrency, func(t *Template) { t.Load.Cooldown = 5 }, "load.cooldown is 5ns, but load.mode FIND_MAX_CONCURRENCY has none; leave it out"},
		{ModeFindConcurrency, func(t *Template) { t.Load.Ramp = TemplateRamp{Shape: "linear", Over: 5} }, "load.ramp is given, but load.mode FIND_MAX_CONCURRENCY sets the load itself; leave it out"},
		{ModeFindConcurrency, func(t *Template) { t.SLOs = []string{"throughput > 5"} }, `slos[0] is "throughput > 5", but the throughput is what load.mode FIND_MAX_CONCURRENCY looks for`},
		{ModeFindQPS, func(t *Template) { t.SLOs = []string{"p95 < 5ms abort"} }, `slos[0] is "p95 < 5ms abort", but a search misses its objectives on purpose; write it without abort`},
	} {
		err := searchTemplate(tc.mode, tc.change).Validate()
		if err == nil || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "problems") {
			t.Errorf("%v, want %s", err, tc.says)
		}
	}
}

// searchRun is a run in its measurement that searches.
func searchRun(t *testing.T, mode string) Run {
	t.Helper()
	s, err := searchTemplate(mode, nil).Resolve(Resolution{})
	if err != nil {
		t.Fatal(err)
	}
	return loaded(t, 2, func(p *Plan) { p.Connections, p.Search = 16, s.Plan().Search })
}

// The first step's load is there from the beginning; each window moves the search,
// the load and the events in one.
func TestSearchIsPartOfTheRun(t *testing.T) {
	is := is.New(t)
	r := searchRun(t, ModeFindConcurrency)
	is.Equal(r.Aim, Aim{Number: 1, Connections: 1})
	is.Equal(targets(r), []int{1, 0})
	good := modelOf(1, 100, 10*time.Millisecond, 10*time.Millisecond)
	r, events := play(t, r, WindowMeasured{At: at(20), Step: 1, Number: 1, Window: good, Total: good})
	is.Equal(r.Aim, Aim{Number: 2, Connections: 2, At: at(20.1)})
	is.Equal(targets(r), []int{1, 1})
	is.Equal(len(events), 2)
	is.Equal(events[0].Type, EventStep)
	is.Equal(events[0].Detail, "step 2: 2 connections; 1 was borne")
	is.Equal(events[1].Type, EventSetWorkerTarget)
	for _, late := range []WindowMeasured{{Step: 1, Number: 1}, {Step: 1, Number: 2}, {Step: 2, Number: 2}, {Step: 3, Number: 1}} {
		late.At, late.Window, late.Total = at(21), good, good
		same, events := play(t, r, late)
		is.Equal(len(events), 0)
		is.Equal(same.Search, r.Search)
	}
	r, _ = play(t, r, StopRequested{At: at(22)})
	same, events := play(t, r, WindowMeasured{At: at(23), Step: 2, Number: 1, Window: good, Total: good})
	is.Equal(len(events), 0)
	is.Equal(same.Search, r.Search)
}

// The run ends as soon as the search has its answer, and not before.
func TestSearchEndsTheRun(t *testing.T) {
	is := is.New(t)
	r := searchRun(t, ModeFindQPS)
	is.Equal(r.Aim, Aim{Number: 1, Connections: 16, Rate: 10})
	is.Equal(targets(r), []int{8, 8})
	model := openModel(300)
	for n := 0; r.Status == Running; n++ {
		is.True(n < 50)
		s := r.Search
		w := model(s.Current().Load, n)
		var events []ControlEvent
		r, events = play(t, r, WindowMeasured{At: at(float64(20 + n)), Step: len(s.Steps), Number: s.Current().Windows() + 1, Window: w, Total: w})
		is.Equal(r.Aim.Rate, r.Search.Current().Load)
		is.Equal(len(events) > 0, len(r.Search.Steps) > len(s.Steps) || r.Search.Over) // told, also where the load stays
	}
	is.Equal(r.Reason, TargetFound)
	is.Equal(r.Status, Stopping)
	result := r.SearchResult(ModeFindQPS)
	is.Equal(result.Kind, TrueMax)
	is.True(result.Load > 285 && result.Load < 309)
	is.Equal(len(result.Steps), len(r.Search.Steps))
	last := result.Steps[len(result.Steps)-1]
	is.Equal(last.Direction, StepHold)
	is.True(*last.TargetQPS == result.Load && last.StopReason != "")
	is.True(result.PlusMinus >= 0 && result.Windows == 4)
}

// A miss that the load generator, or its connections, have caused is no maximum of
// the target.
func TestSearchKnowsItsOwnLimits(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(w *SearchWindow, load float64)
		local  bool
		bound  string
	}{
		{"nothing else", func(*SearchWindow, float64) {}, false, ""},
		{"a full CPU", func(w *SearchWindow, load float64) { w.CPU = 95 }, false, BoundGenerator},
		{"arrivals that it started late by itself", func(w *SearchWindow, load float64) { w.Overslept = max(leastStalls, w.Scheduled/50) }, false, BoundGenerator},
		{"a few of them", func(w *SearchWindow, load float64) { w.Overslept = leastStalls - 1 }, false, ""},
		{"half of a CPU", func(w *SearchWindow, load float64) { w.CPU = 50 }, false, ""},
		{"a CPU that is the target's", func(w *SearchWindow, load float64) { w.CPU = 95 }, true, ""},
		{"busy connections", func(w *SearchWindow, load float64) {
			w.Connections = 3
			w.Service = 10 * time.Millisecond // 300 per second keep 3 busy
		}, false, BoundConnections},
		{"busy connections, which an objective told first", func(w *SearchWindow, load float64) {
			w.Connections, w.Service = 3, 10*time.Millisecond
			if load > 300 {
				w.Unmet = "p95"
			}
		}, false, BoundConnections},
		{"random arrivals that found none free", func(w *SearchWindow, load float64) {
			w.Connections, w.Service = 4, 10*time.Millisecond
			if load > 300 {
				w.Unmet, w.Waited = "p95", w.Scheduled/20
			}
		}, false, BoundConnections},
		{"a few of them", func(w *SearchWindow, load float64) { w.Waited = w.Scheduled / 200 }, false, ""},
		{"connections that were not open", func(w *SearchWindow, load float64) {
			w.Connections, w.Missing, w.Service = 9, 6, 10*time.Millisecond
		}, false, BoundConnections},
		{"busy connections of a slow target", func(w *SearchWindow, load float64) {
			w.Connections, w.Service = 3, 10*time.Millisecond
			if load > 300 {
				w.Service = 20 * time.Millisecond
			}
		}, false, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			r := searchRun(t, ModeFindQPS)
			search := playSearch(t, *r.Plan.Search, func(load float64, n int) SearchWindow {
				w := openModel(300)(load, n)
				tc.change(&w, load)
				return w
			})
			r.Search, r.Reason = &search, TargetFound
			result := r.searchResult(ModeFindQPS, tc.local)
			is.Equal(result.Bound, tc.bound)
			is.Equal(result.Kind == TrueMax, tc.bound == "")
			t.Log(result.Sentence)
		})
	}
}

// A maximum that was not held yet is none: what was borne once may be chance.
func TestSearchThatIsNotOver(t *testing.T) {
	for _, c := range []struct {
		reason Reason
		bound  string
	}{{Elapsed, BoundTime}, {"", BoundTime}, {UserRequested, BoundStopped}, {WorkerLost, BoundStopped}} {
		t.Run(string(c.reason), func(t *testing.T) {
			is := is.New(t)
			r := searchRun(t, ModeFindConcurrency)
			p := r.Plan.Search
			search, model := NewSearch(*p, 1), limited(closedModel(1000, 10*time.Millisecond), time.Hour)
			for n := 0; search.Current().Direction != StepHold; n++ {
				w := model(search.Current().Load, n)
				if search.Current().Load > 10 {
					w.Unmet = "p95"
				}
				search = search.Observe(*p, at(float64(n)), 1, w, w)
			}
			w := model(10, 100)
			w.Unmet = "p95"
			search = search.Observe(*p, at(100), 1, w, w)
			is.True(!search.Over && search.Good == 10 && search.Missed == 11)
			r.Search, r.Reason = &search, c.reason
			result := r.searchResult(ModeFindConcurrency, false)
			is.Equal(result.Kind, BoundedMax)
			is.Equal(result.Bound, c.bound)
		})
	}
}

// Steps say how many workers make their load, and how many connections those have.
func TestSearchStepsOfAddedWorkers(t *testing.T) {
	is := is.New(t)
	s, err := searchTemplate(ModeFindConcurrency, nil).Resolve(Resolution{})
	is.NoErr(err)
	r := loaded(t, 4, func(p *Plan) { p.Connections, p.Initial, p.Search = 16, 1, s.Plan().Search })
	is.Equal(r.Search.Current().Workers, 1)
	for n, workers := range []int{1, 1, 2} { // with 2, 4 and 8 connections
		w := modelOf(r.Search.Current().Load, 100*r.Search.Current().Load, time.Millisecond, time.Millisecond)
		r, _ = play(t, r, WindowMeasured{At: at(float64(20 + n)), Step: n + 1, Number: 1, Window: w, Total: w})
		is.Equal(r.Search.Current().Workers, workers)
	}
}

// A search that has made all its steps and missed nothing knows no maximum.
func TestSearchOfTooManySteps(t *testing.T) {
	is := is.New(t)
	r := searchRun(t, ModeFindConcurrency)
	p := r.Plan.Search
	p.Start, p.Growth, p.Ceiling = 1, 1.01, 400
	search := NewSearch(*p, 1)
	for n := 0; !search.Over; n++ {
		w := SearchWindow{Start: at(float64(n)), Seconds: 1, OK: 10, Scheduled: 10, Connections: search.Current().Load}
		w.OK *= uint64(search.Current().Load) // as fast as ever
		w.Scheduled = w.OK
		search = search.Observe(*p, at(float64(n)), 1, w, w)
	}
	r.Search, r.Reason = &search, TargetFound
	result := r.searchResult(ModeFindConcurrency, false)
	is.Equal(len(search.Steps), maxSearchSteps)
	is.Equal(result.Kind, BoundedMax)
	is.Equal(result.Bound, BoundSteps)
	is.Equal(r.searchEnd(), "the bound of 100 steps")
	is.True(strings.HasPrefix(result.Sentence, "at least 100 connections: BOUNDED_MAX, since a search ends after 100 steps"))
}

// The interval of the throughput is Student's.
func TestSearchPlusMinus(t *testing.T) {
	is := is.New(t)
	w := SearchWindow{Intervals: 5, Rates: 10 + 12 + 11 + 9 + 13, Squares: 100 + 144 + 121 + 81 + 169}
	is.True(w.plusMinus() > 1.962 && w.plusMinus() < 1.964) // 2.776 × 1.5811 ÷ √5
	is.Equal((&SearchWindow{Intervals: 1, Rates: 3, Squares: 9}).plusMinus(), 0.0)
}

// Intervals fill a window though the first of them lacks what the one before was cut late.
func TestSearchGatherIsFull(t *testing.T) {
	is := is.New(t)
	var g SearchGather
	full := func() bool { return g.Full(5*time.Second, time.Second) }
	for _, seconds := range []float64{0.8, 1, 1, 1} {
		g.Add(SearchInterval{Seconds: seconds})
		is.True(!full())
	}
	g.Add(SearchInterval{Seconds: 1})
	is.True(full())
	g = SearchGather{}
	g.Add(SearchInterval{Seconds: 4.749})
	is.True(!full())
	g.Add(SearchInterval{Seconds: 0.001})
	is.True(full())
}

// Windows are made of whole histograms, never of other windows' percentiles.
func TestSearchGather(t *testing.T) {
	is := is.New(t)
	slow, err := ParseSLO("A p95 < 40ms")
	is.NoErr(err)
	other, err := ParseSLO("B p95 < 1ms")
	is.NoErr(err)
	var g SearchGather
	for i := range 10 {
		k := KindMetrics{Kind: "A", Counts: Counts{Scheduled: 10, Started: 10, OK: 10}}
		k.Service.RecordN(time.Duration(1+i*10)*time.Millisecond, 10) // 1, 11 … 91 ms
		g.Add(SearchInterval{Start: at(float64(i)), Seconds: 1, Kinds: []KindMetrics{k}, Connections: 4, Missing: i % 2, CPU: 30})
	}
	w := g.Window([]SLO{slow, other})
	is.Equal(w.Intervals, 10)
	is.Equal(w.Seconds, 10.0)
	is.Equal(w.OK, uint64(100))
	is.Equal(w.Throughput(), 10.0)
	is.Equal(w.Start, at(0))
	is.True(w.P95 > 90*time.Millisecond && w.P50 > 40*time.Millisecond && w.P50 < 42*time.Millisecond)
	is.Equal(w.Unmet, `"A p95 < 40ms" was missed with `+w.Objectives[0].inWords()) // B did not occur
	is.True(!w.Objectives[0].Unknown && w.Objectives[1].Unknown)
	is.Equal(w.CPU, 30.0)
	is.Equal(w.Connections, 4.0)
	is.Equal(w.Missing, 0.5)
	both := w.and(w)
	is.Equal(both.Missing, 0.5)
}

// The live view says where a search stands.
func TestSearchLine(t *testing.T) {
	is := is.New(t)
	is.Equal(new(Run).SearchLine(), "")
	plan := Plan{Workers: 1, Connections: 64, Search: &SearchPlan{Start: 24, Ceiling: 64, Growth: 2, Resolution: 0.05}}
	run := NewRun("r", plan)
	is.Equal(run.SearchLine(), "step 1: 24 connections, window 1 of 1")
	good := SearchWindow{Seconds: 1, Connections: 24, OK: 10, Scheduled: 10}
	bad := good
	bad.Unmet, bad.Connections = "p95", 48
	next := run.Search.Observe(*plan.Search, time.Unix(1, 0), 1, good, good)
	next = next.Observe(*plan.Search, time.Unix(2, 0), 1, bad, bad)
	run.Search = &next
	is.Equal(run.SearchLine(), "step 2: 48 connections, window 2 of 2, best 24 connections")
	next = next.Observe(*plan.Search, time.Unix(3, 0), 1, bad, bad)
	run.Search = &next
	is.Equal(run.SearchLine(), "step 3: 36 connections, window 1 of 1, best 24 connections, missed 48 connections")
	next.Over = true
	run.Search = &next
	is.Equal(run.SearchLine(), "")
}
