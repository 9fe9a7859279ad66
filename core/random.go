package core

import "math/bits"

// Odd constants that keep the three inputs of NewRand apart. The first is the
// golden ratio, SplitMix64's increment; the others are the fractions of the
// square roots of 2 and 3.
const (
	randGolden = 0x9e3779b97f4a7c15
	randStream = 0x6a09e667f3bcc909
	randIndex  = 0xbb67ae8584caa73b
)

// Rand is a small deterministic random generator, SplitMix64 (Steele, Lea and
// Flood, "Fast Splittable Pseudorandom Number Generators", 2014), that starts
// anywhere at once: NewRand(seed, stream, n) is the generator of operation n on
// connection stream, whatever was drawn before. The same inputs give the same
// numbers on every platform. It is not for secrets.
//
// Its zero value works, and is the same generator each time.
type Rand struct {
	state uint64
}

// NewRand is the generator at position n of a stream of a seed. Each bit of
// each of the three changes every output bit with a probability near one half.
func NewRand(seed, stream, n uint64) Rand {
	return Rand{state: Mix64(seed+stream*randStream) ^ Mix64(n+randIndex)}
}

// Uint64 is the next 64 random bits.
func (r *Rand) Uint64() uint64 {
	r.state += randGolden
	return Mix64(r.state)
}

// Int64n is a random number in [0, n), without bias. It panics when n is not
// positive, as math/rand does. The method is Lemire's ("Fast Random Integer
// Generation in an Interval", 2019).
func (r *Rand) Int64n(n int64) int64 {
	if n <= 0 {
		panic("core: Rand.Int64n: n must be positive")
	}
	high, low := bits.Mul64(r.Uint64(), uint64(n))
	if low < uint64(n) {
		high = r.redraw(uint64(n), high, low)
	}
	return int64(high)
}

// redraw draws again while the product lies in the part that would be biased.
func (r *Rand) redraw(n, high, low uint64) uint64 {
	for biased := -n % n; low < biased; {
		high, low = bits.Mul64(r.Uint64(), n)
	}
	return high
}

// Float64 is a random number in [0, 1), a multiple of 2^-53.
func (r *Rand) Float64() float64 {
	return float64(r.Uint64()>>11) * 0x1p-53
}

// Mix64 is a bijection of the 64-bit numbers in which each input bit changes
// each output bit with a probability near one half: the finaliser of
// SplitMix64 (Stafford's variant 13). Mix64(0) is 0.
func Mix64(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// HashString is a 64-bit hash of s, the same on every platform and in every
// process. It is not for secrets, nor for tables that an opponent fills.
func HashString(seed uint64, s string) uint64 {
	h := Mix64(seed+randGolden) ^ uint64(len(s))*randGolden
	for ; len(s) >= 8; s = s[8:] {
		h = hashWord(h, uint64(s[0])|uint64(s[1])<<8|uint64(s[2])<<16|uint64(s[3])<<24|
			uint64(s[4])<<32|uint64(s[5])<<40|uint64(s[6])<<48|uint64(s[7])<<56)
	}
	if len(s) > 0 { // the length, above, tells a short word from a padded one
		var rest uint64
		for i := range len(s) {
			rest |= uint64(s[i]) << (8 * i)
		}
		h = hashWord(h, rest)
	}
	return Mix64(h)
}

// hashWord folds one word into a hash; for a fixed word it is a bijection of h,
// and for a fixed h one of the word.
func hashWord(h, word uint64) uint64 {
	h = (h ^ word) * randStream
	return h ^ h>>32
}
