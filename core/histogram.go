package core

import (
	"cmp"
	"iter"
	"math"
	"math/bits"
	"time"
)

// Octave 0 of a Histogram holds 0 to 127 ns, each exactly; octave k holds
// [128<<(k-1), 256<<(k-1)) ns in 128 buckets of equal width.
const (
	histogramBits    = 7                  // log2 of the buckets per octave
	histogramBuckets = 1 << histogramBits // buckets per octave
	histogramOctaves = 36                 // covers 42 bits: 73 min 18 s
	histogramSlots   = histogramOctaves * histogramBuckets
	histogramLimit   = 1<<(histogramBits+histogramOctaves-1) - 1 // ns, the last resolved value
)

// Histogram counts durations in log-linear buckets, 128 to each power of two,
// from 0 to 73 minutes in nanoseconds: a bucket's midpoint is at most 0.4 %
// from any duration in it. Longer durations are counted in the last bucket;
// negative ones are recorded as 0. Count, Sum, Min and Max are exact.
//
// The zero value is empty and ready. Memory is taken in pieces of 512 bytes, one
// per power of two that occurs, at most 36; once they exist nothing allocates
// (but for 18 KiB when a bucket has counted 2^32 durations).
// Merging is associative and commutative, so percentiles of merged histograms
// do not depend on who merged what first. Do not copy a Histogram that is in
// use: the copy shares its buckets; use Clone. It is not safe for concurrent
// use. The design follows Gil Tene's HdrHistogram (http://hdrhistogram.org).
type Histogram struct {
	count uint64
	sum   uint64 // ns, saturating
	low   uint64 // complement of the minimum in ns, so that zero means "none yet"
	high  uint64 // the maximum in ns
	// The counts, in two halves: most histograms are of one connection and one
	// interval, there are many of them, and their counts fit the lower one.
	chunks [histogramOctaves]*[histogramBuckets]uint32
	upper  *[histogramSlots]uint32 // nil while every count is below 2^32
}

// Record counts one duration.
func (h *Histogram) Record(d time.Duration) {
	v := uint64(max(d, 0))
	sum, carry := bits.Add64(h.sum, v, 0)
	h.sum = sum | -carry // saturates without a branch
	h.count++
	h.low = max(h.low, ^v)
	h.high = max(h.high, v)
	at := histogramSlot(v)
	chunk := h.chunks[at>>histogramBits]
	if chunk == nil {
		chunk = h.grow(at >> histogramBits)
	}
	n := &chunk[at%histogramBuckets]
	*n++
	if *n == 0 {
		h.carry(at, 1)
	}
}

// RecordN counts the same duration n times. Counts beyond 2^64-1 wrap.
func (h *Histogram) RecordN(d time.Duration, n uint64) {
	if n == 0 {
		return
	}
	v := uint64(max(d, 0))
	h.sum = saturatingAdd(h.sum, saturatingMul(v, n))
	h.count += n
	h.low = max(h.low, ^v)
	h.high = max(h.high, v)
	h.add(histogramSlot(v), n)
}

// Merge adds everything that o has counted. A nil o adds nothing.
func (h *Histogram) Merge(o *Histogram) {
	if o == nil {
		return
	}
	h.sum = saturatingAdd(h.sum, o.sum)
	h.count += o.count
	h.low = max(h.low, o.low)
	h.high = max(h.high, o.high)
	if o.upper != nil {
		for slot, n := range o.upper {
			h.carry(uint64(slot), n)
		}
	}
	for octave, from := range o.chunks {
		if from == nil {
			continue
		}
		to := h.chunks[octave]
		if to == nil {
			if *from == [histogramBuckets]uint32{} && o.upper == nil {
				continue
			}
			to = h.grow(uint64(octave))
		}
		for i, n := range from {
			to[i] += n
			if to[i] < n {
				h.carry(uint64(octave<<histogramBits+i), 1)
			}
		}
	}
}

// Count is how many durations were recorded.
func (h *Histogram) Count() uint64 { return h.count }

// Sum is the sum of all durations recorded, at most the longest
// time.Duration (292 years).
func (h *Histogram) Sum() time.Duration { return time.Duration(min(h.sum, math.MaxInt64)) }

// Mean is the arithmetic mean, rounded down to the nanosecond; 0 when empty.
func (h *Histogram) Mean() time.Duration {
	if h.count == 0 {
		return 0
	}
	return time.Duration(min(h.sum/h.count, math.MaxInt64))
}

// Min is the shortest duration recorded; 0 when empty.
func (h *Histogram) Min() time.Duration {
	if h.low == 0 {
		return 0
	}
	return time.Duration(^h.low)
}

// Max is the longest duration recorded, also when it is longer than the
// buckets reach; 0 when empty.
func (h *Histogram) Max() time.Duration { return time.Duration(h.high) }

// Quantile is the duration at quantile q (0.99 is the 99th percentile), by the
// nearest-rank method: the midpoint of the bucket that holds the duration of
// rank ⌈q·Count⌉, kept between Min and Max. The lowest and highest rank are
// exact. A q of 0 or less (or NaN) gives Min, of 1 or more Max. Empty gives 0.
func (h *Histogram) Quantile(q float64) time.Duration {
	switch {
	case h.count == 0:
		return 0
	case !(q > 0):
		return h.Min()
	case q >= 1:
		return h.Max()
	}
	// A decimal such as 0.07 is stored a little too large, and 0.07·100 would
	// come out above 7: give back a few units in the last place before rounding up.
	const slack = 1 - 4.0/(1<<52)
	rank := uint64(math.Ceil(q * float64(h.count) * slack))
	switch {
	case rank <= 1:
		return h.Min()
	case rank >= h.count:
		return h.Max()
	}
	var seen uint64
	for slot, n := range h.slots() {
		seen += n
		if seen >= rank {
			lower, upper := histogramBounds(slot)
			return min(max(time.Duration(lower+(upper-lower)/2), h.Min()), h.Max())
		}
	}
	return h.Max()
}

// CountAtOrBelow is how many durations were at or below d, to the resolution
// of a bucket: all of the bucket that holds d counts. It is exact below Min,
// from Max on, and below 256 ns.
func (h *Histogram) CountAtOrBelow(d time.Duration) uint64 {
	switch {
	case h.count == 0 || d < h.Min():
		return 0
	case d >= h.Max():
		return h.count
	}
	last := histogramSlot(uint64(d))
	var below uint64
	for slot, n := range h.slots() {
		if slot > last {
			break
		}
		below += n
	}
	return below
}

// Buckets yields every bucket that is not empty, shortest first: the longest
// duration that it can hold, and its count. The bound of the last bucket is
// Max when Max is longer than the buckets reach.
func (h *Histogram) Buckets() iter.Seq2[time.Duration, uint64] {
	return func(yield func(time.Duration, uint64) bool) {
		for slot, n := range h.slots() {
			_, upper := histogramBounds(slot)
			if slot == histogramSlots-1 {
				upper = max(upper, h.high)
			}
			if !yield(time.Duration(upper), n) {
				return
			}
		}
	}
}

// Reset empties the histogram and keeps its memory for what comes next.
func (h *Histogram) Reset() {
	for _, chunk := range h.chunks {
		if chunk != nil {
			clear(chunk[:])
		}
	}
	*h = Histogram{chunks: h.chunks}
}

// Clone is a copy that shares nothing with h.
func (h *Histogram) Clone() Histogram {
	var c Histogram
	c.Merge(h)
	return c
}

// Equal says whether both have counted the same: count, sum, minimum, maximum
// and every bucket. A nil o equals an empty histogram.
func (h *Histogram) Equal(o *Histogram) bool {
	if o == nil {
		o = new(Histogram)
	}
	if h.count != o.count || h.sum != o.sum || h.low != o.low || h.high != o.high {
		return false
	}
	var none [histogramBuckets]uint32
	for octave := range h.chunks {
		if *cmp.Or(h.chunks[octave], &none) != *cmp.Or(o.chunks[octave], &none) {
			return false
		}
	}
	if h.upper == o.upper { // both nil, as a rule
		return true
	}
	var nothing [histogramSlots]uint32
	return *cmp.Or(h.upper, &nothing) == *cmp.Or(o.upper, &nothing)
}

// slots yields the index and count of every bucket that is not empty, in order.
func (h *Histogram) slots() iter.Seq2[uint64, uint64] {
	return func(yield func(uint64, uint64) bool) {
		for octave, chunk := range h.chunks {
			if chunk == nil {
				continue
			}
			for i, lower := range chunk {
				slot, n := uint64(octave<<histogramBits+i), uint64(lower)
				if h.upper != nil {
					n |= uint64(h.upper[slot]) << 32
				}
				if n != 0 && !yield(slot, n) {
					return
				}
			}
		}
	}
}

// add counts n in one bucket.
func (h *Histogram) add(slot, n uint64) {
	if h.chunks[slot>>histogramBits] == nil {
		h.grow(slot >> histogramBits)
	}
	to := &h.chunks[slot>>histogramBits][slot%histogramBuckets]
	sum, over := bits.Add32(*to, uint32(n), 0)
	*to = sum
	h.carry(slot, uint32(n>>32)+over)
}

// carry adds n·2^32 to the count of a bucket whose chunk exists.
func (h *Histogram) carry(slot uint64, n uint32) {
	switch {
	case n == 0:
		return
	case h.upper == nil:
		h.upper = new([histogramSlots]uint32)
	}
	h.upper[slot] += n
}

func (h *Histogram) grow(octave uint64) *[histogramBuckets]uint32 {
	h.chunks[octave] = new([histogramBuckets]uint32)
	return h.chunks[octave]
}

// histogramSlot is the index of the bucket that counts v ns.
func histogramSlot(v uint64) uint64 {
	v = min(v, histogramLimit)
	shift := uint64(bits.Len64(v|(2*histogramBuckets-1))) - (histogramBits + 1)
	return shift<<histogramBits + v>>(shift&63)
}

// histogramBounds are the least and greatest value in ns of a bucket.
func histogramBounds(slot uint64) (lower, upper uint64) {
	shift := max(slot>>histogramBits, 1) - 1
	lower = (slot - shift<<histogramBits) << shift
	return lower, lower + 1<<shift - 1
}

// saturatingAdd is a+b, at most 2^64-1.
func saturatingAdd(a, b uint64) uint64 {
	sum, carry := bits.Add64(a, b, 0)
	return sum | -carry
}

// saturatingMul is a·b, at most 2^64-1.
func saturatingMul(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	if high != 0 {
		return math.MaxUint64
	}
	return low
}
