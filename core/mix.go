package core

import (
	"fmt"
	"slices"
)

// MixTotal is what the weights of a mix sum to: 100 % in basis points.
const MixTotal = 10000

// Mix says which operation comes at which position of a connection's stream,
// so that the shares are exact, not only likely. It is the schedule of smooth
// weighted round-robin (nginx's): a cycle of at most MixTotal positions, in
// which every choice comes exactly as often as its weight says, spread out: at
// every position of the cycle a choice has come less than once more often than
// its exact share. The cycle then repeats.
//
// A Mix does not change and may be shared. Make it with NewMix: the zero value
// has no positions.
type Mix struct {
	schedule []int32   // the choice at each position of the cycle
	places   [][]int32 // by choice: its positions in the cycle, ascending
}

// NewMix makes a mix from one weight for each choice, in basis points. The
// weights must sum to 10000; a choice of weight 0 never comes. The error wraps
// ErrInvalid.
func NewMix(weights []int) (Mix, error) {
	divisor, sum := 0, 0
	for i, w := range weights {
		if w < 0 || w > MixTotal {
			return Mix{}, fmt.Errorf("%w: mix: weights[%d] is %d, 0 to %d basis points allowed", ErrInvalid, i, w, MixTotal)
		}
		sum += w
		divisor = commonDivisor(divisor, w)
	}
	if sum != MixTotal {
		return Mix{}, fmt.Errorf("%w: mix: the %d weights sum to %d basis points, they must sum to %d", ErrInvalid, len(weights), sum, MixTotal)
	}
	m := Mix{
		schedule: smoothSchedule(weights, divisor),
		places:   make([][]int32, len(weights)),
	}
	for choice, w := range weights {
		m.places[choice] = make([]int32, 0, w/divisor)
	}
	for position, choice := range m.schedule {
		m.places[choice] = append(m.places[choice], int32(position))
	}
	return m, nil
}

// smoothSchedule is one cycle of smooth weighted round-robin: at each position
// every choice gains its weight, and the one that has most pays the total. Of
// equal ones the first wins.
func smoothSchedule(weights []int, divisor int) []int32 {
	type credit struct{ choice, weight, balance int }
	var credits []credit
	for choice, w := range weights {
		if w > 0 {
			credits = append(credits, credit{choice: choice, weight: w / divisor})
		}
	}
	total := MixTotal / divisor
	schedule := make([]int32, total)
	for position := range schedule {
		best := 0
		for i := range credits {
			credits[i].balance += credits[i].weight
			if credits[i].balance > credits[best].balance {
				best = i
			}
		}
		credits[best].balance -= total
		schedule[position] = int32(credits[best].choice)
	}
	return schedule
}

// Len is the length of the cycle in positions.
func (m Mix) Len() int { return len(m.schedule) }

// At is the choice at a position: the index of its weight.
func (m Mix) At(position uint64) int {
	return int(m.schedule[position%uint64(len(m.schedule))])
}

// Start is the position in the cycle at which a connection starts, so that
// connections do not walk in lock-step.
func (m Mix) Start(seed uint64, connection int64) uint64 {
	r := NewRand(seed, uint64(connection), mixStart)
	return uint64(r.Int64n(int64(len(m.schedule))))
}

// mixStart keeps the numbers of Start apart from those of the operations: no
// operation has this index.
const mixStart = 1<<64 - 1

// Previous is how many positions before a position the choice last came: at
// least 1, at most Len. It counts around the cycle, so it may reach back to
// before the position at which a connection started. It is not ok for a choice
// that never comes.
func (m Mix) Previous(position uint64, choice int) (back int, ok bool) {
	if choice < 0 || choice >= len(m.places) || len(m.places[choice]) == 0 {
		return 0, false
	}
	places, at := m.places[choice], int32(position%uint64(len(m.schedule)))
	if before, _ := slices.BinarySearch(places, at); before > 0 {
		return int(at - places[before-1]), true
	}
	return int(at-places[len(places)-1]) + len(m.schedule), true
}

// commonDivisor is the greatest common divisor; that of 0 and b is b.
func commonDivisor(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
