package core

// ShareOut divides total into parts that differ by at most 1, the larger ones
// first, and that sum to total. No part is negative: a negative total shares
// out as 0. It is nil when parts is not positive.
func ShareOut(total, parts int) []int {
	if parts <= 0 {
		return nil
	}
	shares := make([]int, parts)
	for i := range shares {
		_, shares[i] = Connections(total, parts, i)
	}
	return shares
}

// ShareWithin divides total into parts of which none exceeds its ceiling: as even
// as the ceilings let it be, the larger ones first. What no part can take is left
// out, so that the parts may sum to less.
func ShareWithin(total int, ceilings []int) []int {
	parts := make([]int, len(ceilings))
	left, open := max(total, 0), len(ceilings)
	full := make([]bool, len(ceilings))
	for again := true; again; { // whoever an even part would fill up is full
		again = false
		for i, ceiling := range ceilings {
			if !full[i] && ceiling*open <= left {
				parts[i], full[i], again = ceiling, true, true
				left, open = left-ceiling, open-1
			}
		}
	}
	for i, n := 0, 0; i < len(parts); i++ {
		if !full[i] {
			_, parts[i] = Connections(left, open, n)
			n++
		}
	}
	return parts
}

// ShareBetween is ShareWithin with a floor: a part is 0 or at least the floor, where
// total and ceilings let it be; nothing is left out for it. So only the first ones take
// part when there is too little for all.
func ShareBetween(total, floor int, ceilings []int) []int {
	take := len(ceilings)
	if floor > 1 {
		take = min(take, max(1, total/floor))
	}
	room := 0
	for i, ceiling := range ceilings { // rather below the floor than left out
		if i >= take && room < total {
			take++
		}
		room += ceiling
	}
	return append(ShareWithin(total, ceilings[:take]), make([]int, len(ceilings)-take)...)
}

// Connections is the range of global connection indexes that a worker keeps:
// count indexes from first on. The ranges of workers 0 to workers-1 are
// contiguous, disjoint, cover [0, total) and differ in length by at most 1,
// longer ones first; they never fill up one worker before the next. A worker
// outside [0, workers) keeps none.
func Connections(total, workers, worker int) (first, count int) {
	if total <= 0 || worker < 0 || worker >= workers {
		return 0, 0
	}
	each, more := total/workers, total%workers
	first = worker*each + min(worker, more)
	if worker < more {
		return first, each + 1
	}
	return first, each
}

// Quota is how many of a run's operations belong to one global connection. The
// quotas of connections 0 to connections-1 sum to operations and differ by at
// most 1, larger ones first. A connection outside the range has none.
func Quota(operations, connections, connection int64) int64 {
	if operations <= 0 || connection < 0 || connection >= connections {
		return 0
	}
	quota := operations / connections
	if connection < operations%connections {
		quota++
	}
	return quota
}
