package core_test

import (
	"fmt"
	"math"
	"math/bits"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

// The numbers are part of what a scenario and a seed mean: they must never
// change, on any platform.
func TestRandIsFixedForever(t *testing.T) {
	is := is.New(t)
	// The first output of SplitMix64 with seed 0, from the reference code.
	is.Equal(core.Mix64(0x9e3779b97f4a7c15), uint64(0xe220a8397b1dcdaf))
	is.Equal(core.Mix64(0), uint64(0))
	var zero core.Rand
	is.Equal(zero.Uint64(), uint64(0xe220a8397b1dcdaf))
	is.Equal(zero.Uint64(), uint64(0x6e789e6aa1b965f4))
	is.Equal(zero.Uint64(), uint64(0x06c45d188009454f))

	r := core.NewRand(1, 2, 3)
	is.Equal(fmt.Sprintf("%x", r.Uint64()), "5916e91a5136f310")
	is.Equal(r.Int64n(1000), int64(586))
	is.Equal(r.Float64(), 0.5435763633248634)
	is.Equal(fmt.Sprintf("%x", core.HashString(0, "")), "48218226ff3cd4bf")
	is.Equal(fmt.Sprintf("%x", core.HashString(7, "a")), "ff35059e5326520")
	is.Equal(fmt.Sprintf("%x", core.HashString(7, "SELECT 1, 'äöü'")), "2c373331382072f3")
}

func TestRandDependsOnItsPositionAlone(t *testing.T) {
	is := is.New(t)
	a := core.NewRand(1, 2, 3)
	for range 100 {
		a.Uint64()
	}
	b, c := core.NewRand(1, 2, 3), core.NewRand(1, 2, 3)
	is.Equal(b.Uint64(), c.Uint64())
	first := b
	is.Equal(first.Uint64(), b.Uint64()) // a copy goes on alike
}

// Each of the 192 input bits flips each of the 64 output bits about half of
// the time: 4096 trials, five standard deviations.
func TestNewRandAvalanche(t *testing.T) {
	const trials = 4096
	source := core.NewRand(99, 0, 0)
	var flips [192][64]int
	for range trials {
		in := [3]uint64{source.Uint64(), source.Uint64() & 1023, source.Uint64() & (1<<20 - 1)}
		r := core.NewRand(in[0], in[1], in[2])
		base := r.Uint64()
		for bit := range 192 {
			changed := in
			changed[bit/64] ^= 1 << (bit % 64)
			r := core.NewRand(changed[0], changed[1], changed[2])
			for diff := base ^ r.Uint64(); diff != 0; diff &= diff - 1 {
				flips[bit][bits.TrailingZeros64(diff)]++
			}
		}
	}
	limit := 5 * math.Sqrt(trials) / 2
	for in := range flips {
		for out, n := range flips[in] {
			if math.Abs(float64(n)-trials/2) > limit {
				t.Errorf("input bit %d flips output bit %d in %d of %d", in, out, n, trials)
			}
		}
	}
}

// Small seeds, streams and positions, as they occur in practice, give neither
// equal numbers nor equal numbers for inputs that are swapped.
func TestNewRandKeepsNeighboursApart(t *testing.T) {
	seen := map[uint64]string{}
	for seed := range uint64(60) {
		for stream := range uint64(60) {
			for n := range uint64(60) {
				r := core.NewRand(seed, stream, n)
				for draw := range 2 {
					v, at := r.Uint64(), fmt.Sprint(seed, stream, n, draw)
					if other, ok := seen[v]; ok {
						t.Fatalf("%s gives the same as %s", at, other)
					}
					seen[v] = at
				}
			}
		}
	}
}

func TestInt64n(t *testing.T) {
	t.Run("even, over consecutive operations", func(t *testing.T) {
		for _, n := range []int64{1, 2, 3, 7, 10, 100} {
			counts := make([]int, n)
			const draws = 200_000
			for i := range uint64(draws) {
				r := core.NewRand(5, 1, i)
				counts[r.Int64n(n)]++
			}
			chiSquare(t, fmt.Sprint("n=", n), counts, func(int) float64 { return draws / float64(n) })
		}
	})
	t.Run("bounds", func(t *testing.T) {
		is := is.New(t)
		r := core.NewRand(1, 1, 1)
		for _, n := range []int64{1, 2, 1 << 32, 1<<62 + 1, math.MaxInt64} {
			for range 1000 {
				v := r.Int64n(n)
				is.True(v >= 0 && v < n)
			}
		}
	})
	t.Run("without bias where a remainder would have it", func(t *testing.T) {
		const n, draws = 3 << 61, 100_000 // 2^64 mod n: a third of n would come twice as often
		counts := make([]int, 3)
		r := core.NewRand(1, 1, 1)
		for range draws {
			counts[r.Int64n(n)>>61]++
		}
		chiSquare(t, "thirds", counts, func(int) float64 { return draws / 3.0 })
	})
	for _, n := range []int64{0, -1, math.MinInt64} {
		t.Run(fmt.Sprint("panics for ", n), func(t *testing.T) {
			is := is.New(t)
			defer func() { is.True(recover() != nil) }()
			r := core.NewRand(1, 1, 1)
			r.Int64n(n)
		})
	}
}

func TestFloat64(t *testing.T) {
	is := is.New(t)
	const draws = 200_000
	counts := make([]int, 20)
	r := core.NewRand(1, 2, 0)
	for range draws {
		f := r.Float64()
		is.True(f >= 0 && f < 1)
		counts[int(f*20)]++
	}
	chiSquare(t, "twentieths", counts, func(int) float64 { return draws / 20 })
}

func TestHashString(t *testing.T) {
	is := is.New(t)
	seen := map[uint64]string{}
	keep := func(seed uint64, s string) {
		h := core.HashString(seed, s)
		is.Equal(h, core.HashString(seed, strings.Clone(s)))
		name := fmt.Sprintf("%d %q", seed, s)
		if other, ok := seen[h]; ok && other != name {
			t.Errorf("%s and %s have the same hash", name, other)
		}
		seen[h] = name
	}
	for seed := range uint64(4) {
		for length := range 40 { // padding must not matter
			keep(seed, strings.Repeat("\x00", length))
			keep(seed, strings.Repeat("a", length))
			for at := range length { // each byte counts
				keep(seed, strings.Repeat("b", at)+"c"+strings.Repeat("b", length-at-1))
			}
		}
		for i := range 20_000 {
			keep(seed, fmt.Sprintf("key-%d", i))
		}
	}
	low := make([]int, 64)
	for h := range seen {
		low[h&63]++
	}
	chiSquare(t, "low bits", low, func(int) float64 { return float64(len(seen)) / 64 })
}

func TestRandAllocatesNothing(t *testing.T) {
	is := is.New(t)
	s := strings.Repeat("x", 100)
	is.Equal(testing.AllocsPerRun(100, func() {
		r := core.NewRand(1, 2, core.HashString(3, s))
		sinkInt64 = r.Int64n(10) + int64(r.Float64())
	}), 0.0)
}

// chiSquare fails when counts are further from what is expected than five
// standard deviations of their chi-square statistic.
func chiSquare(t *testing.T, name string, counts []int, expected func(i int) float64) {
	t.Helper()
	var statistic float64
	for i, n := range counts {
		diff := float64(n) - expected(i)
		statistic += diff * diff / expected(i)
	}
	freedom := float64(len(counts) - 1)
	if limit := freedom + 5*math.Sqrt(2*freedom); statistic > limit {
		t.Errorf("%s: chi-square %.1f, at most %.1f expected: %v", name, statistic, limit, counts)
	}
}

var (
	sinkUint64 uint64
	sinkInt64  int64
)

// A new generator and its first number.
func BenchmarkNewRand(b *testing.B) {
	var sum uint64
	for n := uint64(0); b.Loop(); n++ {
		r := core.NewRand(1, 2, n)
		sum += r.Uint64()
	}
	sinkUint64 = sum
}

func BenchmarkRandUint64(b *testing.B) {
	r := core.NewRand(1, 2, 3)
	var sum uint64
	for b.Loop() {
		sum += r.Uint64()
	}
	sinkUint64 = sum
}

func BenchmarkRandInt64n(b *testing.B) {
	r := core.NewRand(1, 2, 3)
	var sum int64
	for b.Loop() {
		sum += r.Int64n(1_000_000)
	}
	sinkInt64 = sum
}

func BenchmarkRandFloat64(b *testing.B) {
	r := core.NewRand(1, 2, 3)
	var sum float64
	for b.Loop() {
		sum += r.Float64()
	}
	sinkInt64 = int64(sum)
}

func BenchmarkHashString(b *testing.B) {
	for _, length := range []int{8, 13, 32, 256} {
		b.Run(fmt.Sprint(length), func(b *testing.B) {
			s := strings.Repeat("x", length)
			var sum uint64
			for b.Loop() {
				sum += core.HashString(7, s)
			}
			sinkUint64 = sum
		})
	}
}
