package core_test

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

func newKeys(t testing.TB, d core.Distribution, rows int64, theta float64) core.Keys {
	t.Helper()
	k, err := core.NewKeys(d, rows, theta)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestNewKeysRefusals(t *testing.T) {
	for _, c := range []struct {
		distribution core.Distribution
		rows         int64
		theta        float64
		want         string
	}{
		{"", 10, 0, `distribution is "", allowed are ["uniform" "zipfian" "scrambled_zipfian" "sequential" "latest"]`},
		{"zipf", 10, 0, `distribution is "zipf", allowed are`},
		{core.Uniform, 0, 0, "rows is 0, at least 1 required"},
		{core.Latest, -5, 0, "rows is -5, at least 1 required"},
		{core.Zipfian, 10, -0.1, "theta is -0.1, above 0 to 5 allowed, or 0 for the default, 0.99"},
		{core.Zipfian, 10, 5.01, "theta is 5.01"},
		{core.Latest, 10, math.NaN(), "theta is NaN"},
		{core.Uniform, 10, math.Inf(1), "theta is +Inf"},
	} {
		t.Run(c.want, func(t *testing.T) {
			is := is.New(t)
			_, err := core.NewKeys(c.distribution, c.rows, c.theta)
			is.True(errors.Is(err, core.ErrInvalid))
			is.True(strings.Contains(err.Error(), c.want))
		})
	}
}

func TestKeysZeroValue(t *testing.T) {
	is := is.New(t)
	var k core.Keys
	r := core.NewRand(1, 2, 3)
	is.Equal(k.Key(&r, 1, 2, 3), int64(0))
}

// Every key is in range, and with few rows every key comes.
func TestKeysBounds(t *testing.T) {
	thetas := []float64{0, 1e-9, 0.5, 0.99, 1 - 1e-12, 1, 1 + 1e-12, 1.5, 2, 5}
	rows := []int64{1, 2, 3, 4, 5, 7, 8, 9, 1000, 1 << 20, 1<<31 + 1, 1<<53 + 1, math.MaxInt64 - 1, math.MaxInt64}
	for _, d := range core.Distributions() {
		for _, rows := range rows {
			for _, theta := range thetas {
				k := newKeys(t, d, rows, theta)
				seen := map[int64]bool{}
				for n := range int64(2000) {
					r := core.NewRand(7, 3, uint64(n))
					key := k.Key(&r, n%5, 5, n/5)
					if key < 0 || key >= rows {
						t.Fatalf("%s of %d rows, theta %v: key %d", d, rows, theta, key)
					}
					seen[key] = true
				}
				if rows <= 3 && int64(len(seen)) != rows {
					t.Errorf("%s of %d rows, theta %v: only %v", d, rows, theta, seen)
				}
			}
		}
	}
}

// Latest gives the ranks as they are drawn, so its counts must follow the exact
// law: 1/k^theta over the sum of all. Ranks that are expected less than 50
// times are counted together.
func TestZipfLaw(t *testing.T) {
	const draws = 300_000
	for _, rows := range []int64{1, 2, 3, 10, 1000, 100_000} {
		for _, theta := range []float64{0.2, 0.5, 0.99, 1, 1.2, 2, 5} {
			t.Run(fmt.Sprint(rows, " rows, theta ", theta), func(t *testing.T) {
				var sum float64
				for rank := rows; rank >= 1; rank-- {
					sum += math.Pow(float64(rank), -theta)
				}
				var expected []float64
				rest := float64(draws)
				for rank := int64(1); rank <= min(rows, 1000); rank++ {
					e := draws * math.Pow(float64(rank), -theta) / sum
					if e < 50 {
						break
					}
					expected = append(expected, e)
					rest -= e
				}
				k := newKeys(t, core.Latest, rows, theta)
				counts := make([]int, len(expected)+1)
				for n := range uint64(draws) {
					r := core.NewRand(11, 0, n)
					rank := rows - 1 - k.Key(&r, 0, 1, 0)
					counts[min(rank, int64(len(expected)))]++
				}
				if len(expected) == int(rows) {
					rest = 0
				}
				if rest < 5 { // too few for the statistic: then too few must have come
					if last := counts[len(expected)]; float64(last) > rest+20 {
						t.Errorf("%d beyond rank %d, %.1f expected", last, len(expected), rest)
					}
					counts = counts[:len(expected)]
				} else {
					expected = append(expected, rest)
				}
				if len(counts) > 1 {
					chiSquare(t, "ranks", counts, func(i int) float64 { return expected[i] })
				}
			})
		}
	}
}

// A long tail of a large table: one in how many draws lies within the first
// 1 %, 10 % and half of the ranks, against the sums of the law.
func TestZipfTail(t *testing.T) {
	const rows, draws = 1_000_000, 300_000
	for _, theta := range []float64{0.5, 0.99, 1.1} {
		t.Run(fmt.Sprint("theta ", theta), func(t *testing.T) {
			sums := make([]float64, rows+1)
			for rank := 1; rank <= rows; rank++ {
				sums[rank] = sums[rank-1] + math.Pow(float64(rank), -theta)
			}
			k := newKeys(t, core.Latest, rows, theta)
			ranks := make([]int64, draws)
			for n := range ranks {
				r := core.NewRand(12, 0, uint64(n))
				ranks[n] = rows - k.Key(&r, 0, 1, 0)
			}
			slices.Sort(ranks)
			for _, part := range []int64{10, 1000, rows / 100, rows / 10, rows / 2} {
				got, _ := slices.BinarySearch(ranks, part+1)
				p := sums[part] / sums[rows]
				if diff := float64(got) - p*draws; math.Abs(diff) > 5*math.Sqrt(draws*p*(1-p)) {
					t.Errorf("%d draws within the first %d ranks, %.0f expected", got, part, p*draws)
				}
			}
		})
	}
}

// The scramble is a permutation: each rank has one key, and no key has two.
// Zipfian and Latest draw the same ranks from the same generator, so their keys
// show which rank became which key. The hot keys are spread.
func TestZipfianScrambleIsAPermutation(t *testing.T) {
	for _, rows := range []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33, 100, 127, 128, 129, 1000} {
		t.Run(fmt.Sprint(rows), func(t *testing.T) {
			is := is.New(t)
			scrambled, plain := newKeys(t, core.Zipfian, rows, 0.01), newKeys(t, core.Latest, rows, 0.01)
			keys, ranks := map[int64]int64{}, map[int64]int64{}
			for n := range uint64(20 * rows) {
				a, b := core.NewRand(1, 0, n), core.NewRand(1, 0, n)
				key, rank := scrambled.Key(&a, 0, 1, 0), rows-1-plain.Key(&b, 0, 1, 0)
				if known, ok := keys[rank]; ok {
					is.Equal(known, key)
				}
				if known, ok := ranks[key]; ok {
					is.Equal(known, rank)
				}
				keys[rank], ranks[key] = key, rank
			}
			is.Equal(int64(len(keys)), rows)
			is.Equal(int64(len(ranks)), rows)
		})
	}
	t.Run("hot keys are spread", func(t *testing.T) {
		const rows, hot = 1_000_000, 1000
		scrambled, plain := newKeys(t, core.Zipfian, rows, 1), newKeys(t, core.Latest, rows, 1)
		tenths, seen := make([]int, 10), map[int64]bool{}
		for n := range uint64(100_000) {
			a, b := core.NewRand(1, 0, n), core.NewRand(1, 0, n)
			key, rank := scrambled.Key(&a, 0, 1, 0), rows-1-plain.Key(&b, 0, 1, 0)
			if rank < hot && !seen[key] {
				seen[key] = true
				tenths[key*10/rows]++
			}
		}
		chiSquare(t, "tenths", tenths, func(int) float64 { return float64(len(seen)) / 10 })
	})
}

func TestUniformKeysAreEven(t *testing.T) {
	const rows, draws = 50, 100_000
	k := newKeys(t, core.Uniform, rows, 0)
	counts := make([]int, rows)
	for n := range uint64(draws) {
		r := core.NewRand(3, 0, n)
		counts[k.Key(&r, 0, 1, 0)]++
	}
	chiSquare(t, "keys", counts, func(int) float64 { return draws / rows })
}

func TestSequentialKeys(t *testing.T) {
	t.Run("all connections together take every key once per cycle", func(t *testing.T) {
		is := is.New(t)
		for rows := int64(1); rows <= 30; rows++ {
			k := newKeys(t, core.Sequential, rows, 0)
			for connections := int64(1); connections <= 12; connections++ {
				counts := make([]int64, rows)
				for n := range rows { // rows operations each: as many cycles as connections
					for connection := range connections {
						counts[k.Key(nil, connection, connections, n)]++
					}
				}
				for _, count := range counts {
					is.Equal(count, connections)
				}
				for i := range rows { // the first cycle in order
					is.Equal(k.Key(nil, i%connections, connections, i/connections), i)
				}
			}
		}
	})
	t.Run("far along", func(t *testing.T) {
		is := is.New(t)
		k := newKeys(t, core.Sequential, 1_000_003, 0)
		// (2^63-1)² + 2^63-2, mod 1000003, computed apart.
		is.Equal(k.Key(nil, math.MaxInt64-1, math.MaxInt64, math.MaxInt64), int64(825415))
		is.Equal((k.Key(nil, 6, 7, 1<<62)+1)%1_000_003, k.Key(nil, 0, 7, 1<<62+1))
	})
}

// The keys are part of what a scenario and a seed mean: on every platform the
// same. Floating point is where platforms differ: GOAMD64=v3 fuses products
// with sums where it may, and so does arm64; amd64 by default does not.
func TestKeysAreFixedForever(t *testing.T) {
	for _, c := range []struct {
		distribution core.Distribution
		rows         int64
		theta        float64
		want         string
	}{
		{core.Uniform, 1000000, 0, "d8488d20d120898a"},
		{core.Sequential, 1000, 0, "a95d096d0ebd59cd"},
		{core.Zipfian, 1000, 0.99, "a8684667917a2a38"},
		{core.Zipfian, 1000000, 0.99, "00461f6fa15c07f9"},
		{core.Zipfian, 1000000000, 1, "98f970d12bddd268"},
		{core.Zipfian, 1000000000000, 0.5, "4c971ab54bf6400b"},
		{core.Scrambled, 1000000, 0, "967c8f5f804daca2"},
		{core.Latest, 1000000, 0.99, "632cd75beb3cd953"},
		{core.Latest, 1000000000000, 1.01, "c13b51b7f1eeeac0"},
		{core.Latest, 1000000000, 5, "bda7e6ed661ed0da"},
	} {
		t.Run(fmt.Sprint(c.distribution, c.rows, c.theta), func(t *testing.T) {
			is := is.New(t)
			k := newKeys(t, c.distribution, c.rows, c.theta)
			hash := fnv.New64a()
			for n := range int64(100_000) {
				r := core.NewRand(42, uint64(n%15), uint64(n))
				fmt.Fprintln(hash, k.Key(&r, n%15, 15, n/15))
			}
			is.Equal(fmt.Sprintf("%016x", hash.Sum64()), c.want)
		})
	}
	t.Run("the default theta is 0.99", func(t *testing.T) {
		is := is.New(t)
		is.Equal(newKeys(t, core.Zipfian, 1000, 0), newKeys(t, core.Zipfian, 1000, core.DefaultTheta))
	})
}

func TestKeysAllocateNothing(t *testing.T) {
	for _, d := range core.Distributions() {
		t.Run(string(d), func(t *testing.T) {
			is := is.New(t)
			k := newKeys(t, d, 1_000_000, 0)
			var n int64
			is.Equal(testing.AllocsPerRun(1000, func() {
				r := core.NewRand(1, 2, uint64(n))
				sinkInt64 += k.Key(&r, 1, 2, n)
				n++
			}), 0.0)
		})
	}
}

func BenchmarkKeys(b *testing.B) {
	for _, d := range core.Distributions() {
		b.Run(string(d), func(b *testing.B) {
			k := newKeys(b, d, 1_000_000, 0)
			var sum int64
			for n := int64(0); b.Loop(); n++ {
				r := core.NewRand(1, 2, uint64(n))
				sum += k.Key(&r, 3, 7, n)
			}
			sinkInt64 = sum
		})
	}
}

func BenchmarkNewKeys(b *testing.B) {
	for b.Loop() {
		k := newKeys(b, core.Zipfian, 1<<40, 0.99)
		sinkInt64 += k.Key(&core.Rand{}, 0, 1, 0)
	}
}
