package core

import (
	"math"
	"math/bits"
	"testing"

	"github.com/matryer/is"
)

// TestDrawnChance counts all orders once more, in another way.
func TestDrawnChance(t *testing.T) {
	is := is.New(t)
	random := NewRand(1, 2, 3)
	for n := leastDrawn; n <= 12; n++ {
		for range 20 {
			differences, turned, mask := make([]float64, n), make([]bool, n), uint(0)
			for i := range n {
				differences[i] = math.Round(8*random.Float64()-4) / 4 // with many that are equal
				if turned[i] = random.Float64() < 0.5; turned[i] {
					mask |= 1 << i
				}
			}
			sum := func(order uint) (s float64) {
				for i, d := range differences {
					if (order^mask)>>i&1 == 1 {
						d = -d
					}
					s += d
				}
				return math.Abs(s)
			}
			orders, alike := 0.0, 0.0
			for order := range uint(1) << n {
				if bits.OnesCount(order) == bits.OnesCount(mask) {
					orders++
					if sum(order) >= sum(mask) {
						alike++
					}
				}
			}
			is.Equal(drawnChance(differences, turned), alike/orders)
		}
	}
}

// A difference that every round shows is as rare as can be; too few rounds are left to
// Student's t.
func TestDrawnChanceOfWhatIsPlain(t *testing.T) {
	is := is.New(t)
	chance := func(n int) float64 {
		differences, turned := make([]float64, n), make([]bool, n)
		for i := range n {
			differences[i], turned[i] = 0.2, i%2 == 0
		}
		return drawnChance(differences, turned)
	}
	is.Equal(chance(7), 0.0)
	is.Equal(chance(8), 2.0/70)
	is.Equal(chance(9), 1.0/126) // and as many with the other side first once more
	is.Equal(chance(20), 2.0/184_756)
	is.Equal(chance(21), 1.0/20_001) // none of those that were drawn
	is.Equal(chance(200), 1.0/20_001)
}

// Of more rounds than all orders are counted of, so many are drawn that the share is near
// that of all.
func TestDrawnChanceOfManyRounds(t *testing.T) {
	is := is.New(t)
	const n, many = mostCounted + 2, 11
	for plus := 12; plus <= 18; plus++ {
		differences, turned := make([]float64, n), make([]bool, n)
		for i := range n {
			differences[i], turned[i] = 1, i%2 == 0
			if i >= plus {
				differences[i] = -1
			}
		}
		// Of the second runs beside the first so many are faster; as many of them turned as
		// here, or more, or as few, give a sum as far from 0.
		fast, sum := 0, 0
		for i, d := range differences {
			if sum += int(d); (d > 0) != turned[i] {
				fast++
			}
		}
		exact, all := 0.0, 0.0
		for k := max(0, many-(n-fast)); k <= min(many, fast); k++ { // of the fast ones turned
			ways := binomial(fast, k) * binomial(n-fast, many-k)
			all += ways
			if got := (2*fast - n) - 2*(k-(many-k)); max(got, -got) >= sum {
				exact += ways
			}
		}
		exact /= all
		got := drawnChance(differences, turned)
		t.Logf("%d of %d: %.4f, of all orders %.4f", plus, n, got, exact)
		is.True(math.Abs(got-exact) < 4*math.Sqrt(exact*(1-exact)/drawnOrders)+2.0/drawnOrders)
	}
}

func binomial(n, k int) float64 {
	product := 1.0
	for i := range k {
		product *= float64(n-i) / float64(i+1)
	}
	return product
}

// Where the order would give as much by chance, the interval is wide enough to hold zero,
// and the chance is that of the order.
func TestAnIntervalHoldsWhatTheOrderGives(t *testing.T) {
	is := is.New(t)
	var a, b []float64
	var turned []bool
	for i, d := range []float64{0.9, 0.9, 0.9, 0.9, 1.1, 1.1, 1.1, 1.1, -0.9, -0.9} {
		a, b, turned = append(a, 0), append(b, d), append(turned, i%2 == 0)
	}
	var d Effect
	d.estimate(a, b, turned, 0, detection{})
	centre, deviation := spreadOf(b)
	is.True(chanceOf(centre/deviation*math.Sqrt(10), 9) < 0.05) // by t alone
	order := drawnChance(b, turned)
	is.Equal(order, 20.0/252)
	is.True(math.Abs(d.Chance-order) < 1e-6)
	is.True(d.Low < 0 && d.High > 0)
	d.Adjusted = d.Chance
	d.decide()
	is.Equal(d.Outcome, NoDifference)
}
