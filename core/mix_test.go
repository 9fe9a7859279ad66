package core_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

func newMix(t testing.TB, weights ...int) core.Mix {
	t.Helper()
	m, err := core.NewMix(weights)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// 50 % point lookups, 30 % range scans, 20 % inserts.
func ExampleMix() {
	mix, err := core.NewMix([]int{5000, 3000, 2000})
	if err != nil {
		panic(err)
	}
	for position := range uint64(mix.Len()) {
		fmt.Print(mix.At(position), " ")
	}
	fmt.Println()
	// Output: 0 1 2 0 0 1 0 2 1 0
}

func TestNewMixRefusals(t *testing.T) {
	for _, c := range []struct {
		weights []int
		want    string
	}{
		{nil, "the 0 weights sum to 0 basis points, they must sum to 10000"},
		{[]int{}, "sum to 0"},
		{[]int{0, 0}, "the 2 weights sum to 0"},
		{[]int{5000, 4999}, "the 2 weights sum to 9999 basis points"},
		{[]int{50, 50}, "sum to 100 basis points"},
		{[]int{10000, 10000}, "sum to 20000"},
		{[]int{11000, -1000}, "weights[0] is 11000, 0 to 10000 basis points allowed"},
		{[]int{10000, -1}, "weights[1] is -1"},
		{[]int{math.MaxInt, math.MaxInt, 10002}, "weights[0] is"},
	} {
		t.Run(fmt.Sprint(c.weights), func(t *testing.T) {
			is := is.New(t)
			_, err := core.NewMix(c.weights)
			is.True(errors.Is(err, core.ErrInvalid))
			is.True(strings.Contains(err.Error(), c.want))
		})
	}
}

// mixes are fixed and seeded random mixes, small and large.
func mixes() [][]int {
	all := [][]int{
		{10000}, {0, 10000}, {10000, 0, 0}, {5000, 5000}, {5000, 0, 5000}, {9999, 1}, {1, 9999},
		{3333, 3333, 3334}, {9000, 500, 500}, {9997, 1, 1, 1}, {6000, 2500, 1000, 500},
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 60 {
		weights := make([]int, 1+r.IntN(12))
		unit := []int{1, 10, 100, 500, 1000}[r.IntN(5)]
		for left := 10000; left > 0; {
			w := min(left, unit*(1+r.IntN(8)))
			weights[r.IntN(len(weights))] += w
			left -= w
		}
		all = append(all, weights)
	}
	return all
}

func TestMixProportionsAreExact(t *testing.T) {
	for _, weights := range mixes() {
		t.Run(fmt.Sprint(weights), func(t *testing.T) {
			is := is.New(t)
			m := newMix(t, weights...)
			is.True(m.Len() >= 1 && m.Len() <= core.MixTotal)
			is.Equal(core.MixTotal%m.Len(), 0)
			counts := make([]int, len(weights))
			for position := range uint64(m.Len()) {
				counts[m.At(position)]++
			}
			divisor := 0 // the cycle is as short as it can be
			for choice, w := range weights {
				is.Equal(counts[choice]*core.MixTotal, w*m.Len())
				for a, b := divisor, counts[choice]; ; a, b = b, a%b {
					if b == 0 {
						divisor = a
						break
					}
				}
			}
			is.Equal(divisor, 1)
			for range 100 { // and it repeats
				position := rand.Uint64() >> 1
				is.Equal(m.At(position), m.At(position+uint64(m.Len())))
			}
		})
	}
}

// Smooth: within the cycle a choice is never a whole operation ahead of its
// exact share, and two of its occurrences are less than two of its mean
// distances apart, also around the end of the cycle. The first is a law of the
// method; the second held for all of 460,000 random mixes of 2 to 121 choices.
func TestMixIsSmooth(t *testing.T) {
	for _, weights := range mixes() {
		t.Run(fmt.Sprint(weights), func(t *testing.T) {
			m := newMix(t, weights...)
			counts, last := make([]int, len(weights)), make([]int, len(weights))
			for position := range 2 * m.Len() {
				choice := m.At(uint64(position))
				counts[choice]++
				w := weights[choice]
				// Compare shares multiplied by MixTotal, to stay with whole numbers.
				if ahead := counts[choice]*core.MixTotal - w*(position+1); ahead >= core.MixTotal {
					t.Fatalf("choice %d has come %d times in %d positions", choice, counts[choice], position+1)
				}
				if gap := position - last[choice]; counts[choice] > 1 && gap*w >= 2*core.MixTotal {
					t.Fatalf("choice %d waits from position %d to %d", choice, last[choice], position)
				}
				last[choice] = position
			}
		})
	}
	t.Run("the known schedule of nginx, at the same proportions", func(t *testing.T) {
		is := is.New(t)
		m := newMix(t, 6000, 2000, 2000)
		var got []int
		for position := range uint64(m.Len()) {
			got = append(got, m.At(position))
		}
		is.Equal(got, []int{0, 1, 0, 2, 0})
	})
}

// Previous against walking backwards.
func TestMixPrevious(t *testing.T) {
	for _, weights := range mixes() {
		t.Run(fmt.Sprint(weights), func(t *testing.T) {
			is := is.New(t)
			m := newMix(t, weights...)
			cycle := uint64(m.Len())
			for _, position := range []uint64{0, 1, 2, cycle - 1, cycle, cycle + 1, cycle * 7 / 2, 1<<40 + 3, math.MaxUint64} {
				for choice, w := range weights {
					back, ok := m.Previous(position, choice)
					is.Equal(ok, w > 0)
					if !ok {
						continue
					}
					is.True(back >= 1 && back <= m.Len())
					at := position%cycle + cycle
					is.Equal(m.At(at-uint64(back)), choice)
					for nearer := 1; nearer < back; nearer++ {
						if m.At(at-uint64(nearer)) == choice {
							t.Fatalf("choice %d also came %d before %d, not only %d", choice, nearer, position, back)
						}
					}
				}
			}
			for _, choice := range []int{-1, len(weights), math.MaxInt} {
				_, ok := m.Previous(0, choice)
				is.True(!ok)
			}
		})
	}
}

func TestMixStart(t *testing.T) {
	is := is.New(t)
	m := newMix(t, 9900, 100) // a cycle of 100
	counts := make([]int, m.Len())
	const connections = 20_000
	for connection := range int64(connections) {
		start := m.Start(1, connection)
		is.Equal(start, m.Start(1, connection))
		counts[start]++ // panics when it is not within the cycle
	}
	chiSquare(t, "starts", counts, func(int) float64 { return connections / 100 })
	same := 0
	for connection := range int64(1000) {
		if m.Start(1, connection) == m.Start(2, connection) {
			same++
		}
	}
	is.True(same < 40) // another seed, other starts
	one := newMix(t, 10000)
	is.Equal(one.Start(1, 5), uint64(0))
	var zero core.Mix
	is.Equal(zero.Len(), 0)
}

func BenchmarkMixAt(b *testing.B) {
	m := newMix(b, 6000, 2500, 1000, 500)
	sum := 0
	for position := uint64(0); b.Loop(); position++ {
		sum += m.At(position)
	}
	sinkInt64 = int64(sum)
}

func BenchmarkMixPrevious(b *testing.B) {
	for _, weights := range [][]int{{6000, 2500, 1000, 500}, {6001, 2499, 1007, 493}} {
		b.Run(fmt.Sprint(weights), func(b *testing.B) {
			m := newMix(b, weights...)
			sum := 0
			for position := uint64(0); b.Loop(); position++ {
				back, _ := m.Previous(position, 2)
				sum += back
			}
			sinkInt64 = int64(sum)
		})
	}
}

func BenchmarkNewMix(b *testing.B) {
	for b.Loop() {
		newMix(b, 6001, 2499, 1007, 493)
	}
}
