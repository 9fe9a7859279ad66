package core

import "math"

// Of so many rounds it is counted what other orders would have given. With fewer, no
// outcome is rare enough among them; with more, Student's t needs no help.
const (
	leastDrawn = 8
	mostDrawn  = 20
)

// drawnChance is the share of all orders, among those with as many rounds turned, that would
// have given a difference at least as large if A and B were the same: then each run would be
// what it is, and only be called otherwise. As the order was drawn, that share is below p in
// at most p of all experiments without an effect, however runs vary, and whatever one does to
// the next. 0: it is not counted.
func drawnChance(differences []float64, turned []bool) float64 {
	n := len(differences)
	if n < leastDrawn || n > mostDrawn {
		return 0
	}
	second := make([]float64, n) // the second run beside the first
	seen, sum, many := 0.0, 0.0, 0
	for i, d := range differences {
		seen += d
		if turned[i] {
			d = -d
			many++
		}
		second[i] = d
		sum += d
	}
	seen = math.Abs(seen) * (1 - 1e-9) // sums of the same in another order differ by less
	orders, alike := 0, 0
	var turn func(from, left int, sum float64)
	turn = func(from, left int, sum float64) {
		if left == 0 {
			orders++
			if math.Abs(sum) >= seen {
				alike++
			}
			return
		}
		for i := from; i <= n-left; i++ {
			turn(i+1, left-1, sum-2*second[i])
		}
	}
	turn(0, many, sum)
	return float64(alike) / float64(orders)
}
