package core

// maxBatches bounds how finely a measurement is kept: when there would be more,
// neighbours are merged by two.
const maxBatches = 120

// Batches is the measurement of one run in stretches of time, each of the same
// number of intervals, of all workers together: what a comparison knows of how
// much a run's numbers move about. Memory does not grow with the length of the
// run. The zero value is empty and ready.
type Batches struct {
	list    []batch
	slots   int // that each batch has, but for the last
	open    int // slots in the last one
	waiting []batch
}

// batch is one stretch.
type batch struct {
	seconds float64
	ok      uint64        // that ended in it, of operations of any phase
	kinds   []KindMetrics // of operations that belong to the measurement
}

// Add takes in the next slot: the intervals of all workers together that end at
// one offset, one for each phase that something ended of. Slots come in order.
// Those of other phases do not count, save for what of the measurement ended in
// them. A slot in which nothing was started counts once the measurement goes on
// behind it: at its end, workers only wait.
func (b *Batches) Add(slot ...Interval) {
	if len(slot) == 0 {
		return
	}
	var most, all uint64
	phase, s := slot[0].Phase, batch{}
	for i := range slot {
		started := uint64(0)
		for k := range slot[i].Kinds {
			started += slot[i].Kinds[k].Started
			s.ok += slot[i].Kinds[k].OK
		}
		if started >= most {
			most, phase = started, slot[i].Phase
		}
		all += started
		s.seconds = max(s.seconds, slot[i].Seconds)
	}
	switch {
	case phase != Measurement:
		b.waiting = nil
	case all == 0:
		if len(b.list) > 0 && len(b.waiting) < maxBatches {
			b.waiting = append(b.waiting, s)
		}
	default:
		for _, w := range b.waiting {
			b.push(w)
		}
		b.waiting = nil
		b.push(s)
	}
	if len(b.list) == 0 {
		return
	}
	last := &b.list[len(b.list)-1]
	for i := range slot {
		if slot[i].Phase == Measurement {
			last.kinds = MergeKinds(last.kinds, slot[i].Kinds)
		}
	}
}

// push counts one slot.
func (b *Batches) push(s batch) {
	if b.slots == 0 {
		b.slots = 1
	}
	if len(b.list) == 0 || b.open >= b.slots {
		if len(b.list) >= maxBatches {
			b.list = partition(b.list, maxBatches/2)
			b.slots *= 2
		}
		b.list, b.open = append(b.list, batch{}), 0
	}
	last := &b.list[len(b.list)-1]
	last.seconds += s.seconds
	last.ok += s.ok
	b.open++
}

// Len is how many stretches there are.
func (b *Batches) Len() int { return len(b.list) }

// partition merges neighbours into n batches as equal as can be. It shares
// nothing with list.
func partition(list []batch, n int) []batch {
	out := make([]batch, n)
	for i := range list {
		to := &out[i*n/len(list)]
		to.seconds += list[i].seconds
		to.ok += list[i].ok
		to.kinds = MergeKinds(to.kinds, list[i].kinds)
	}
	return out
}
