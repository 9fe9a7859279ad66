package core

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/matryer/is"
)

// noise makes the numbers of an imaginary target.
type noise struct {
	Rand
	before float64
}

func (n *noise) normal() float64 {
	u := max(n.Float64(), 1e-300)
	return math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*n.Float64())
}

// next is the next of a series with mean 0 and deviation 1, whose neighbours are
// correlated by rho.
func (n *noise) next(rho float64) float64 {
	n.before = rho*n.before + math.Sqrt(1-rho*rho)*n.normal()
	return n.before
}

// imagined is a run of so many seconds: about rate operations in each, that move
// about by deviation, with so much of a second depending on the one before.
type imagined struct {
	id        string
	seed      uint64
	seconds   int
	rate      float64
	latency   time.Duration // median
	deviation float64
	rho       float64
	errors    float64 // share
}

func (m imagined) run() Compared {
	n := &noise{Rand: NewRand(m.seed, 0, 0)}
	for range 50 {
		n.next(m.rho)
	}
	b := &Batches{}
	whole := KindMetrics{Kind: "POINT_LOOKUP", Access: AccessRead}
	for i := range m.seconds {
		slow := math.Exp(m.deviation * n.next(m.rho))
		k := KindMetrics{Kind: "POINT_LOOKUP", Access: AccessRead}
		count := int(m.rate/slow + 0.5)
		for range count {
			if n.Float64() < m.errors {
				k.Errors++
				continue
			}
			k.OK++
			k.Service.Record(time.Duration(float64(m.latency) * slow * (0.5 + n.Float64())))
		}
		k.Started, k.Scheduled = uint64(count), uint64(count)
		whole.Merge(&k)
		b.Add(Interval{Phase: Measurement, Seconds: 1, Offset: float64(i + 1), Kinds: []KindMetrics{k}})
	}
	return Compared{Batches: b, Result: Rollup{
		RunID: m.id, Status: Completed, Verdict: Verdict{Level: Valid}, Seconds: float64(m.seconds),
		Throughput: float64(whole.OK) / float64(m.seconds), Kinds: []KindMetrics{whole},
	}}
}

func compared(t *testing.T, runs ...imagined) Comparison {
	t.Helper()
	var list []Compared
	for i, m := range runs {
		if m.id == "" {
			m.id = fmt.Sprintf("run-%d", i)
		}
		list = append(list, m.run())
	}
	c, err := Compare(list)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func of(t *testing.T, c Comparison, other int, metric string) Difference {
	t.Helper()
	for _, d := range c.Others[other].Differences {
		if d.Metric == metric && d.Kind == "" {
			return d
		}
	}
	t.Fatalf("no %s", metric)
	return Difference{}
}

// TestCompareHoldsItsConfidence compares runs between which there is no difference
// many times over: an interval of 95 % must hold zero in about as many, whether or
// not a second depends on the one before. And of differences of the size that it
// says it would have seen, it must see about four in five. The bounds leave three
// standard errors of 200 times; such figures can be had again with more.
func TestCompareHoldsItsConfidence(t *testing.T) {
	times, least := 200, 0.9
	if raceEnabled {
		times, least = 20, 0.8
	}
	for _, test := range []struct {
		seconds int
		rho     float64
		less    float64 // that may be missing, where the run is too short to tell and the comparison says so
	}{
		{30, 0, 0}, {25, 0.5, 0}, {120, 0.5, 0}, {300, 0.7, 0}, {600, 0.9, 0}, {60, 0.9, 0.05},
	} {
		t.Run(fmt.Sprintf("%d s, rho %v", test.seconds, test.rho), func(t *testing.T) {
			names := []string{metricThroughput, "p50", "p95"}
			holds, sees, width := map[string]int{}, map[string]int{}, map[string]float64{}
			for i := range uint64(times) {
				a := imagined{seed: 1000 + 2*i, seconds: test.seconds, rate: 40, latency: time.Millisecond, deviation: 0.1, rho: test.rho}
				b := a
				b.seed++
				c := compared(t, a, b)
				for _, name := range names {
					d := of(t, c, 0, name)
					if d.Low <= 0 && d.High >= 0 {
						holds[name]++
					}
					if d.Low+d.Smallest > 0 { // had the second run been that much higher
						sees[name]++
					}
					width[name] += (d.High - d.Low) / float64(times)
				}
			}
			for _, name := range names {
				share, power := float64(holds[name])/float64(times), float64(sees[name])/float64(times)
				t.Logf("%-10s holds %.3f, sees %.3f, mean width %.3f", name, share, power, width[name])
				if share < least-test.less {
					t.Errorf("%s: %.3f of the intervals hold the truth", name, share)
				}
				if power < least-0.2 {
					t.Errorf("%s: %.3f of the differences are seen", name, power)
				}
			}
		})
	}
}

func TestCompareSeesDifferences(t *testing.T) {
	is := is.New(t)
	a := imagined{seed: 1, seconds: 60, rate: 600, latency: time.Millisecond, deviation: 0.05, rho: 0.3}
	b := a
	b.seed, b.rate, b.latency, b.errors = 2, 480, 1300*time.Microsecond, 0.02
	c := compared(t, a, b)
	is.Equal(c.Base, "run-0")
	d := of(t, c, 0, metricThroughput)
	is.Equal(d.Outcome, Lower)
	is.True(!d.Better)
	is.True(d.Low < d.Change && d.Change < d.High && d.High < 0)
	is.True(math.Abs(d.Change+0.216) < 0.03) // 480·0.98 of 600
	d = of(t, c, 0, "p95")
	is.Equal(d.Outcome, Higher)
	is.True(!d.Better)
	is.True(math.Abs(d.Change-0.3) < 0.05)
	is.True(d.Smallest > 0 && d.Smallest < 0.15) // as a share
	d = of(t, c, 0, metricErrorRate)
	is.Equal(d.Outcome, Higher)
	is.True(math.Abs(d.Change-0.02) < 0.005)
	is.Equal(of(t, compared(t, b, a), 0, metricThroughput).Better, true)
	is.Equal(of(t, compared(t, b, a), 0, "p50").Better, true)
}

func TestCompareSaysWhenItSeesNone(t *testing.T) {
	is := is.New(t)
	a := imagined{seed: 7, seconds: 60, rate: 600, latency: time.Millisecond, deviation: 0.05}
	b := a
	b.seed = 8
	c := compared(t, a, b)
	for _, m := range []string{metricThroughput, "avg", "p50", "p95", "p99", metricErrorRate} {
		d := of(t, c, 0, m)
		is.Equal(d.Outcome, NoDifference)
		is.True(d.Low <= 0 && d.High >= 0)
		is.True(d.Smallest > 0)
		is.Equal(d.Why, "")
	}
	d := of(t, c, 0, "p999") // 36,000 operations are enough
	is.Equal(d.Outcome, NoDifference)
}

// TestCompareOfAlike: two runs whose every second is the same differ by nothing, and
// the interval is as wide as what the histograms and the cuts leave open.
func TestCompareOfAlike(t *testing.T) {
	is := is.New(t)
	a := imagined{seed: 7, seconds: 40, rate: 200, latency: time.Millisecond}
	b := a
	b.id = "other"
	run := func(m imagined) Compared {
		c := m.run()
		c.Batches = &Batches{}
		part := c.Result.Kinds[0]
		for i := range 40 {
			c.Batches.Add(Interval{Phase: Measurement, Seconds: 40, Offset: float64(40 * i), Kinds: []KindMetrics{part}})
		}
		return c
	}
	c, err := Compare([]Compared{run(a), run(b)})
	is.NoErr(err)
	d := of(t, c, 0, "p50")
	is.Equal(d.Outcome, NoDifference)
	is.Equal(d.Change, 0.0)
	is.True(d.High > 0.004 && d.High < 0.01)
	d = of(t, c, 0, metricThroughput)
	is.Equal(d.Outcome, NoDifference)
	is.True(d.High > 0.001 && d.High < 0.002)
}

func TestCompareSaysWhatItDoesNotKnow(t *testing.T) {
	long := imagined{seed: 1, seconds: 60, rate: 60, latency: time.Millisecond, deviation: 0.05}
	short := long
	short.seed, short.seconds = 2, 4
	failing := long
	failing.errors = 1
	none := Compared{Result: Rollup{RunID: "none", Status: Failed, Kinds: []KindMetrics{{Kind: "POINT_LOOKUP"}}}}
	unheard := long.run()
	unheard.Result.RunID, unheard.Batches = "unheard", nil
	stuck := long.run() // a fifth of it is ten thousand times as slow, and does not move the median
	for i := range stuck.Batches.list[:12] {
		k := &stuck.Batches.list[i].kinds[0]
		k.Service = Histogram{}
		k.Service.RecordN(10*time.Second, k.OK)
	}
	first := long.run()
	first.Result.RunID = "first"
	for _, test := range []struct {
		name   string
		other  Compared
		metric string
		why    string
	}{
		{"too short", short.run(), metricThroughput, "the measurement has too few intervals"},
		{"too few operations", long.run(), "p999", "too few operations for the p99.9"},
		{"all fail", failing.run(), "p50", "no operation succeeded"},
		{"all fail", failing.run(), metricThroughput, "one of the runs has none"},
		{"nothing", none, metricThroughput, "nothing was measured"},
		{"nothing", none, metricErrorRate, "nothing was measured"},
		{"stuck", stuck, "p50", "its values vary too much from one stretch of a run to the next"},
		{"no intervals", unheard, "avg", "too few intervals of run unheard"},
	} {
		t.Run(test.name+" "+test.metric, func(t *testing.T) {
			is := is.New(t)
			if test.other.Result.RunID == "" {
				test.other.Result.RunID = "other"
			}
			c, err := Compare([]Compared{first, test.other})
			is.NoErr(err)
			d := of(t, c, 0, test.metric)
			is.Equal(d.Outcome, UnknownOutcome)
			is.Equal(d.Low, 0.0)
			is.Equal(d.High, 0.0)
			is.True(!d.Better)
			if !strings.Contains(d.Why, test.why) {
				t.Errorf("%q, want %q", d.Why, test.why)
			}
		})
	}
}

func TestCompareRefuses(t *testing.T) {
	is := is.New(t)
	run := func(id string) Compared { return Compared{Result: Rollup{RunID: id}} }
	for _, runs := range [][]Compared{
		nil, {run("a")}, {run("a"), run("a")}, {run("a"), run("b"), run("a")}, {run("a"), run("b"), run("c"), run("d"), run("e"), run("f")},
	} {
		_, err := Compare(runs)
		is.True(errors.Is(err, ErrInvalid))
	}
	_, err := Compare([]Compared{run("a"), run("b"), run("c"), run("d"), run("e")})
	is.NoErr(err)
}

func TestCompareByKind(t *testing.T) {
	is := is.New(t)
	two := func(id string, seed uint64, second time.Duration) Compared {
		a := imagined{id: id, seed: seed, seconds: 30, rate: 80, latency: time.Millisecond, deviation: 0.02}.run()
		b := imagined{id: id, seed: seed + 100, seconds: 30, rate: 80, latency: second, deviation: 0.02}.run()
		b.Result.Kinds[0].Kind = "UPDATE"
		for i := range a.Batches.list {
			b.Batches.list[i].kinds[0].Kind = "UPDATE"
			a.Batches.list[i].kinds = MergeKinds(a.Batches.list[i].kinds, b.Batches.list[i].kinds)
		}
		a.Result.Kinds = append(a.Result.Kinds, b.Result.Kinds...)
		return a
	}
	c, err := Compare([]Compared{two("a", 1, time.Millisecond), two("b", 2, 2*time.Millisecond)})
	is.NoErr(err)
	outcomes := map[string]Outcome{}
	for _, d := range c.Others[0].Differences {
		outcomes[d.Kind+" "+d.Metric] = d.Outcome
	}
	is.Equal(outcomes["POINT_LOOKUP p50"], NoDifference)
	is.Equal(outcomes["UPDATE p50"], Higher)
	is.Equal(outcomes["UPDATE p95"], Higher)
	is.Equal(outcomes["UPDATE p99"], UnknownOutcome) // of 2,400 operations 24 are beyond it, less than 5 in each of 5 stretches
}

// An open loop is told by what paces it.
func TestUnlikeOpenLoops(t *testing.T) {
	is := is.New(t)
	s := Scenario{Load: ScenarioLoad{Mode: ModeQPS, Rate: 500, Arrivals: ArrivalsUniform, MaxLateness: Duration(100 * time.Millisecond)}}
	o := s
	o.Load.Rate, o.Load.Arrivals, o.Load.MaxLateness, o.Load.Ramp = 62.5, ArrivalsPoisson, 0, &Ramp{Shape: ShapeLinear, From: 1, Over: Duration(time.Second)}
	is.Equal(unlike(&Rollup{Scenario: &s}, &Rollup{Scenario: &o}), []Unlikeness{
		{"rate", "500", "62.5"}, {"arrivals", "uniform", "poisson"}, {"max lateness", "100ms", "0s"}, {"ramp", "none", `{"shape":"linear","from":1,"over":"1s"}`},
	})
}

// What decides whether a result is good, or what is done at all, is told too.
func TestUnlikeInWhatDecides(t *testing.T) {
	is := is.New(t)
	s := Scenario{Load: ScenarioLoad{Mode: ModeFindQPS, Rate: 500, Search: &LoadSearch{Start: 5, Growth: 2, Resolution: 5}},
		Operations: []Operation{{Kind: "OWN", Statements: []Statement{{SQL: "SELECT 1"}}}}, SLOs: []SLO{{Text: "p99 < 5ms"}, {Text: "p50 < 1ms"}}}
	o := s
	o.Load.Search = &LoadSearch{Start: 5, Growth: 2, Resolution: 10}
	o.SLOs = []SLO{{Text: "p99 < 50ms"}}
	o.Budget = &RunBudget{Operations: 1000}
	o.Limits.Guardrails = &Guardrails{CPU: 80, Patience: Duration(time.Second)}
	o.Table.Layout = LayoutTPCB
	o.Operations = []Operation{{Kind: "OWN", Transaction: true, Statements: []Statement{{SQL: "SELECT 1"}}}}
	is.Equal(unlike(&Rollup{Scenario: &s}, &Rollup{Scenario: &o}), []Unlikeness{
		{"layout", "", "tpcb"},
		{"search", `{"start":5,"growth":2,"resolution":5,"window":"0s","settle":"0s"}`, `{"start":5,"growth":2,"resolution":10,"window":"0s","settle":"0s"}`},
		{"objectives", "p99 < 5ms; p50 < 1ms", "p99 < 50ms"}, {"budget", "", "at most 1000 operations"}, {"guardrails", "", "CPU 80 %, patience 1s"},
		{"statements of OWN", "SELECT 1", "in a transaction: SELECT 1"},
	})
}

// However long two texts are, little of them is shown, and that is where they differ.
func TestExcerpts(t *testing.T) {
	long := strings.Repeat("日本, ", 1000)
	for _, test := range []struct{ name, a, b string }{
		{"short", "SELECT 1", "SELECT 2"}, {"one is empty", "", long}, {"late", long + "x" + long, long + "y" + long}, {"at the end", long, long + "!"},
		{"within a letter", long + "é", long + "è"}, {"early", "a" + long, "b" + long}, {"not UTF-8", strings.Repeat("\x80", 999), strings.Repeat("\x81", 999)},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			a, b := excerpts(test.a, test.b)
			is.True(a != b)
			for got, whole := range map[string]string{a: test.a, b: test.b} {
				is.True(len(got) <= maxExcerpt+2*len("…"))
				is.True(strings.Contains(whole, strings.TrimSuffix(strings.TrimPrefix(got, "…"), "…")))
				is.True(utf8.ValidString(got) || !utf8.ValidString(whole))
				is.True(len(whole) > maxExcerpt || got == whole || len(test.a)+len(test.b) > 2*maxExcerpt)
			}
		})
	}
	is := is.New(t)
	s := Scenario{Operations: []Operation{{Kind: "OWN", Parameters: []Parameter{{Type: ParamChoice, Values: []any{long, "a"}}}}}}
	o := Scenario{Operations: []Operation{{Kind: "OWN", Parameters: []Parameter{{Type: ParamChoice, Values: []any{long, "b"}}}}}}
	found := unlike(&Rollup{Scenario: &s}, &Rollup{Scenario: &o})
	is.Equal(len(found), 1)
	is.True(strings.HasSuffix(found[0].Base, `","a"]}]`) && len(found[0].Other) < 400)
}

func TestUnlike(t *testing.T) {
	is := is.New(t)
	s := Scenario{Name: "oltp", Target: ScenarioTarget{Kind: "sqlite"}, Load: ScenarioLoad{Workers: 3, Connections: 12}, InsertBase: 1, Operations: []Operation{
		{Kind: "POINT_LOOKUP", Weight: 8000, Statements: []Statement{{SQL: "SELECT 1"}}, Parameters: []Parameter{{Type: ParamLiteral, Value: 4_000_000}}}, {Kind: "UPDATE", Weight: 2000},
	}}
	o := s
	o.InsertBase, o.Load.Connections = 2, 24
	o.Operations = []Operation{{Kind: "POINT_LOOKUP", Weight: 7550, Statements: []Statement{{SQL: "SELECT 2"}}, Parameters: []Parameter{{Type: ParamLiteral, Value: 1000}}}, {Kind: "DELETE", Weight: 2450}}
	a := Rollup{RunID: "a", Status: Completed, Verdict: Verdict{Level: Valid}, Scenario: &s, Environment: []Fact{{"target", "sqlite 3.45"}, {"x", "1"}}}
	b := Rollup{RunID: "b", Status: Cancelled, Verdict: Verdict{Level: Degraded, Reasons: []string{"too hot"}}, Scenario: &o, Environment: []Fact{{"target", "sqlite 3.46"}}}
	c, err := Compare([]Compared{{Result: a}, {Result: b}})
	is.NoErr(err)
	is.Equal(c.Others[0].Unlike, []Unlikeness{
		{"connections", "12", "24"}, {"share of POINT_LOOKUP", "80 %", "75.5 %"}, {"statements of POINT_LOOKUP", "SELECT 1", "SELECT 2"},
		{"parameters of POINT_LOOKUP", `[{"type":"literal","value":4000000}]`, `[{"type":"literal","value":1000}]`},
		{"share of UPDATE", "20 %", "none"}, {"share of DELETE", "none", "24.5 %"}, {"target", "sqlite 3.45", "sqlite 3.46"},
	})
	is.Equal(c.Reservations, []string{
		"run b is CANCELLED: it did not measure all that was asked", "the verdict on run b is DEGRADED: too hot",
		"run b had another mix of operations: numbers of all kinds together are of different work",
	})
}
