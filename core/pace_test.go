package core

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/matryer/is"
)

const second = Duration(time.Second)

// paces are all shapes, also those that touch 0.
func paces() map[string]Pace {
	all := map[string]Pace{"constant": NewPace(500, nil), "slow": NewPace(0.001, nil), "fast": NewPace(1e6, nil)}
	for _, from := range []float64{0, 20, 499} {
		for _, r := range []Ramp{
			{Shape: ShapeLinear, Over: 10 * second}, {Shape: ShapeSteps, Over: 10 * second, Steps: 1},
			{Shape: ShapeSteps, Over: 10 * second, Steps: 7}, {Shape: ShapeSine, Period: 4 * second},
			{Shape: ShapeSpike, At: 3 * second, Over: 2 * second}, {Shape: ShapeSpike, Over: 2 * second, Period: 5 * second},
			{Shape: ShapeSpike, At: 3 * second, Over: 2 * second, Period: 5 * second}, {Shape: ShapeSpike, At: second, Over: second, Period: 3 * second},
		} {
			r.From = from
			all[fmt.Sprintf("%+v", r)] = NewPace(500, &r)
		}
	}
	return all
}

// When is the inverse of Count, neither ever falls, and Count is the integral of
// RateAt.
func TestPaceIsInvertible(t *testing.T) {
	for name, p := range paces() {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			const step = time.Millisecond
			sum, before := 0.0, 0.0
			for at := time.Duration(0); at < 13*time.Second; at += step {
				count := p.Count(at)
				is.True(count >= before)
				is.True(math.Abs(count-sum) < 1e-4*(1+count)+0.6) // the midpoint rule, and one jump
				sum += p.RateAt(at+step/2) * step.Seconds()
				before = count
			}
			last, hint := time.Duration(0), 0
			for n := 0.5; n < min(20_000, p.Count(45*time.Second)); n += 7 {
				at := p.When(n)
				is.True(at >= last)
				is.Equal(at, p.when(n, &hint)) // the hint changes nothing
				if at > 0 && at != Never {
					is.True(math.Abs(p.Count(at)-n) < 1e-3+1e-9*n) // a nanosecond at the highest rate
				}
				last = at
			}
		})
	}
}

func TestPaceRates(t *testing.T) {
	for _, c := range []struct {
		ramp  Ramp
		at    []float64 // seconds
		rates []float64
	}{
		{Ramp{Shape: ShapeLinear, From: 100, Over: 10 * second}, []float64{-1, 0, 5, 10, 99}, []float64{0, 100, 300, 500, 500}},
		{Ramp{Shape: ShapeSteps, From: 100, Over: 8 * second, Steps: 4}, []float64{0, 1.9, 2, 4, 7.9, 8}, []float64{100, 100, 200, 300, 400, 500}},
		{Ramp{Shape: ShapeSine, From: 100, Period: 4 * second}, []float64{0, 1, 2, 3, 4, 6}, []float64{100, 300, 500, 300, 100, 500}},
		{Ramp{Shape: ShapeSpike, From: 100, At: 3 * second, Over: 2 * second}, []float64{0, 2.9, 3, 4.9, 5, 13}, []float64{100, 100, 500, 500, 100, 100}},
		{Ramp{Shape: ShapeSpike, From: 100, Over: 2 * second, Period: 5 * second}, []float64{0, 1.9, 2, 5, 7}, []float64{500, 500, 100, 500, 100}},
	} {
		t.Run(fmt.Sprintf("%+v", c.ramp), func(t *testing.T) {
			is := is.New(t)
			p := NewPace(500, &c.ramp)
			for i, at := range c.at {
				rate := p.RateAt(time.Duration(at * 1e9))
				is.True(math.Abs(rate-c.rates[i]) < 1e-6)
			}
		})
	}
}

func TestPaceThatNeverComes(t *testing.T) {
	is := is.New(t)
	once := NewPace(10, &Ramp{Shape: ShapeSpike, At: second, Over: second})
	is.Equal(once.When(9.5), 1950*time.Millisecond)
	is.Equal(once.When(10.5), Never)
	is.Equal(NewPace(0, nil).When(1), Never)
	is.Equal(NewPace(0, nil).Count(time.Hour), 0.0)
	is.Equal(NewPace(1e-3, nil).When(1e18), Never) // beyond what a Duration holds
}

func FuzzPace(f *testing.F) {
	f.Add(500.0, 20.0, uint8(2), int64(1000), int64(5000), uint16(3), 77.5)
	f.Fuzz(func(t *testing.T, rate, from float64, shape uint8, over, period int64, steps uint16, count float64) {
		shapes := []string{ShapeLinear, ShapeSteps, ShapeSine, ShapeSpike}
		over = 1 + (over&math.MaxInt64)%100_000
		period = over + (period&math.MaxInt64)%100_000
		if !(rate >= 1e-3 && rate <= 1e9 && from >= 0 && from < rate && count >= 0 && count < 1e9) {
			t.Skip("refused by Resolve")
		}
		p := NewPace(rate, &Ramp{
			Shape: shapes[int(shape)%len(shapes)], From: from, Steps: int(steps%1000) + 1,
			Over: Duration(over) * Duration(time.Millisecond), Period: Duration(period) * Duration(time.Millisecond),
		})
		at := p.When(count)
		if at < 0 {
			t.Fatalf("%s is before the beginning", at)
		}
		if back := p.Count(at); at != Never && math.Abs(back-count) > 1e-6*(1+count)+rate*2e-9 {
			t.Fatalf("count %g comes at %s, where it is %g", count, at, back)
		}
	})
}

func openLoad(workers, connections int, arrivals string, ramp *Ramp) ScenarioLoad {
	return ScenarioLoad{Mode: ModeQPS, Workers: workers, Connections: connections, Seed: 7, Rate: 1000, Arrivals: arrivals, Ramp: ramp}
}

// The arrivals of all workers are the same however many share them; each has its
// exact share in every cycle; and no worker's count strays from its share.
func TestArrivalsAreSharedExactly(t *testing.T) {
	const connections, cycles = 15, 200
	for _, kind := range []string{ArrivalsUniform, ArrivalsPoisson} {
		for name, ramp := range map[string]*Ramp{"constant": nil, "sine": {Shape: ShapeSine, From: 100, Period: second}} {
			t.Run(kind+" "+name, func(t *testing.T) {
				whole := NewArrivals(openLoad(1, connections, kind, ramp), 0, true)
				var want []Arrival
				for range connections * cycles {
					next, ok := whole.Next()
					if !ok || len(want) > 0 && next.At < want[len(want)-1].At {
						t.Fatal(next, ok)
					}
					want = append(want, next)
				}
				for _, workers := range []int{1, 3, 4, 5, 15, 20} {
					is := is.New(t)
					var shares []*Arrivals
					heads := make([]Arrival, workers)
					served := make([]int, workers)
					for w := range workers {
						shares = append(shares, NewArrivals(openLoad(workers, connections, kind, ramp), w, true))
						heads[w], _ = shares[w].Next()
					}
					for k, arrival := range want {
						found := 0
						for w := range workers {
							first, count := Connections(connections, workers, w)
							if heads[w] == arrival && arrival.Connection >= first && arrival.Connection < first+count {
								found++
								served[w]++
								heads[w], _ = shares[w].Next()
							}
							share := float64(k+1) * float64(count) / connections
							is.True(math.Abs(float64(served[w])-share) < 1.5) // never packed
							if (k+1)%connections == 0 {
								is.Equal(served[w], count*(k+1)/connections)
							}
						}
						is.Equal(found, 1)
					}
				}
			})
		}
	}
}

func TestUniformArrivalsAreEven(t *testing.T) {
	is := is.New(t)
	a := NewArrivals(openLoad(1, 4, ArrivalsUniform, nil), 0, true)
	for k := range 10_000 {
		next, ok := a.Next()
		is.True(ok)
		is.True((next.At - time.Duration(k)*time.Millisecond - 500*time.Microsecond).Abs() <= 2) // ns
	}
}

// Gaps of a Poisson process are exponential: their mean is 1/rate, their spread
// as large as their mean, and a share 1/e is longer than it.
func TestPoissonArrivals(t *testing.T) {
	is := is.New(t)
	const n = 200_000
	a := NewArrivals(openLoad(1, 4, ArrivalsPoisson, nil), 0, true)
	var sum, squares, longer float64
	last := time.Duration(0)
	for range n {
		next, _ := a.Next()
		gap := (next.At - last).Seconds() * 1000
		last = next.At
		sum, squares = sum+gap, squares+gap*gap
		if gap > 1 {
			longer++
		}
	}
	mean := sum / n
	is.True(math.Abs(mean-1) < 0.01)
	is.True(math.Abs(math.Sqrt(squares/n-mean*mean)-1) < 0.02)
	is.True(math.Abs(longer/n-1/math.E) < 0.005)
	other := NewArrivals(openLoad(1, 4, ArrivalsPoisson, nil), 0, false)
	first, _ := other.Next()
	again, _ := NewArrivals(openLoad(1, 4, ArrivalsPoisson, nil), 0, true).Next()
	is.True(first.At != again.At) // the warm-up has its own
}

func TestArrivalsAreBounded(t *testing.T) {
	is := is.New(t)
	for _, workers := range []int{1, 3, 20} {
		load := openLoad(workers, 15, ArrivalsUniform, nil)
		load.Operations = 1003
		total := 0
		for w := range workers {
			a := NewArrivals(load, w, true)
			for _, ok := a.Next(); ok; _, ok = a.Next() {
				total++
			}
		}
		is.Equal(total, 1003)
		_, ok := NewArrivals(load, 0, false).Next() // the warm-up has no bound
		is.True(ok)
	}
}

// The warm-up keeps the rate with which the ramp begins.
func TestWarmupArrivals(t *testing.T) {
	is := is.New(t)
	a := NewArrivals(openLoad(1, 2, ArrivalsUniform, &Ramp{Shape: ShapeLinear, From: 100, Over: second}), 0, false)
	for range 500 {
		a.Next()
	}
	next, _ := a.Next()
	is.Equal(next.At.Round(time.Millisecond), 5005*time.Millisecond)
}

func TestArrivalsAllocateNothing(t *testing.T) {
	for _, kind := range []string{ArrivalsUniform, ArrivalsPoisson} {
		is := is.New(t)
		a := NewArrivals(openLoad(3, 15, kind, &Ramp{Shape: ShapeSine, Period: second}), 1, true)
		is.Equal(testing.AllocsPerRun(1000, func() { a.Next() }), 0.0)
	}
}

func BenchmarkArrivals(b *testing.B) {
	for name, ramp := range map[string]*Ramp{
		"constant": nil, "steps": {Shape: ShapeSteps, Steps: 1000, Over: 3600 * second}, "sine": {Shape: ShapeSine, Period: 10 * second},
	} {
		for _, kind := range []string{ArrivalsUniform, ArrivalsPoisson} {
			b.Run(name+" "+kind, func(b *testing.B) {
				a := NewArrivals(openLoad(1, 32, kind, ramp), 0, true)
				b.ReportAllocs()
				for b.Loop() {
					a.Next()
				}
			})
		}
	}
}

// Every stretch of the order is spread over all connections.
func TestEntryOrder(t *testing.T) {
	is := is.New(t)
	is.Equal(len(entryOrder(0)), 0)
	for n := 1; n < 70; n++ {
		seen := make([]bool, n)
		for _, at := range entryOrder(n) {
			is.True(!seen[at])
			seen[at] = true
		}
		is.Equal(len(entryOrder(n)), n)
	}
	is.Equal(entryOrder(8), []int32{0, 4, 2, 6, 1, 5, 3, 7})
}

// As many connections have entered as the ramp says, spread over the workers.
func TestEntries(t *testing.T) {
	is := is.New(t)
	load := ScenarioLoad{Mode: ModeConcurrency, Workers: 3, Connections: 30}
	is.Equal(Entries(load), nil)
	load.Ramp = &Ramp{Shape: ShapeLinear, From: 3, Over: 27 * second}
	linear := Entries(load)
	for s := range 40 {
		is.Equal(Entered(linear, time.Duration(s)*time.Second), min(3+s, 30))
		for w := range 3 {
			in := Entered(linear[10*w:10*w+10], time.Duration(s)*time.Second)
			is.True(math.Abs(float64(in)-float64(min(3+s, 30))/3) < 2)
		}
	}
	load.Ramp = &Ramp{Shape: ShapeSteps, From: 0, Over: 9 * second, Steps: 3}
	steps := Entries(load)
	for s, want := range []int{0, 0, 0, 10, 10, 10, 20, 20, 20, 30, 30} {
		is.Equal(Entered(steps, time.Duration(s)*time.Second), want)
	}
}
