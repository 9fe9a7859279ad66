package core

import "math"

// From so many rounds on it is counted what other orders would have given. With fewer, no
// outcome is rare enough among them.
const leastDrawn = 8

// Of so many rounds all orders are counted: at most 184,756. Of more so many are drawn, of
// which a chance of 5 % is known to 0.15 %.
const (
	mostCounted = 20
	drawnOrders = 20_000
)

// drawnChance is the share of all orders, among those with as many rounds turned, that would
// have given a difference at least as large if A and B were the same: then each run would be
// what it is, and only be called otherwise. As the order was drawn, that share is below p in
// at most p of all experiments without an effect, however runs vary, and whatever one does to
// the next. 0: it is not counted.
func drawnChance(differences []float64, turned []bool) float64 {
	n := len(differences)
	if n < leastDrawn {
		return 0
	}
	o := orders{second: make([]float64, n)}
	seen := 0.0
	for i, d := range differences {
		seen += d
		if turned[i] {
			d = -d
			o.turned++
		}
		o.second[i] = d
		o.sum += d
	}
	o.seen = math.Abs(seen) * (1 - 1e-9) // sums of the same in another order differ by less
	if n > mostCounted {
		return o.draw()
	}
	o.count(0, o.turned, o.sum)
	return float64(o.alike) / float64(o.looked)
}

// orders looks at orders in which as many rounds are turned.
type orders struct {
	second        []float64 // by round: the second run beside the first
	sum           float64   // of these
	turned        int       // rounds
	seen          float64   // what the order gave that was drawn
	looked, alike int       // orders, and those that would have given as much
}

func (o *orders) look(sum float64) {
	o.looked++
	if math.Abs(sum) >= o.seen {
		o.alike++
	}
}

// count looks at all of them.
func (o *orders) count(from, left int, sum float64) {
	if left == 0 {
		o.look(sum)
		return
	}
	for i := from; i <= len(o.second)-left; i++ {
		o.count(i+1, left-1, sum-2*o.second[i])
	}
}

// draw looks at some, and counts in the one that was made: so the share is never too low by
// more than its own chance (Phipson and Smyth, 2010).
func (o *orders) draw() float64 {
	random := NewRand(uint64(len(o.second)), 0, 0)
	for range drawnOrders {
		sum := o.sum
		for i := range o.turned { // the first part of a shuffle
			j := i + int(random.Int64n(int64(len(o.second)-i)))
			o.second[i], o.second[j] = o.second[j], o.second[i]
			sum -= 2 * o.second[i]
		}
		o.look(sum)
	}
	return float64(o.alike+1) / float64(o.looked+1)
}
