package core

import "math"

// detection holds, by the number of rounds, how many standard errors an effect must
// be to be seen, and how many more to be seen with probability ComparisonPower.
type detection map[int][2]float64

func (q detection) of(rounds int) (beyond, within float64) {
	known, ok := q[rounds]
	if !ok {
		freedom := float64(rounds - 1)
		known = [2]float64{studentQuantile((1+ComparisonConfidence)/2, freedom), studentQuantile(ComparisonPower, freedom)}
		q[rounds] = known
	}
	return known[0], known[1]
}

// roundsFor is after how many rounds an effect of LookedForEffect would be seen with
// probability ComparisonPower; 0: after more than MaxRoundsFor.
func (q detection) roundsFor(deviation, floor float64) int {
	seen := func(n int) bool {
		beyond, within := q.of(n)
		return (beyond+within)*math.Hypot(deviation/math.Sqrt(float64(n)), floor) <= math.Log1p(LookedForEffect)
	}
	if !seen(MaxRoundsFor) {
		return 0
	}
	// So many at least, by the normal distribution; few more are needed.
	beyond, within := q.of(MaxRoundsFor)
	least := deviation * (beyond + within) / math.Log1p(LookedForEffect)
	low := max(leastCounted, int(least*least)) - 1 // not after low
	high := low + 1
	for !seen(high) {
		low, high = high, min(MaxRoundsFor, high+1+(high-low))
	}
	for high-low > 1 {
		if middle := (low + high) / 2; seen(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}
