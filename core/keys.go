package core

import (
	"fmt"
	"math"
	"math/bits"
)

// Distribution says how often which key of a table is chosen.
type Distribution string

const (
	// Uniform chooses each key equally often.
	Uniform Distribution = "uniform"
	// Zipfian chooses few keys often: the key of rank k with a frequency in
	// proportion to 1/k^theta. The ranks are spread over all keys.
	Zipfian Distribution = "zipfian"
	// Scrambled is what YCSB calls its zipfian distribution: Zipf's law with
	// theta 0.99 over 10^10 items, whatever the number of rows, and each item a key
	// by its hash. The most frequent key gets 3.8 % of the choices, however many
	// rows there are.
	Scrambled Distribution = "scrambled_zipfian"
	// Sequential walks through the keys in order, all connections together.
	Sequential Distribution = "sequential"
	// Latest is Zipfian with the ranks in order: the last key most often.
	Latest Distribution = "latest"
)

// Distributions are all distributions, in the order of the documentation.
func Distributions() []Distribution {
	return []Distribution{Uniform, Zipfian, Scrambled, Sequential, Latest}
}

const (
	// DefaultTheta is the skew that a theta of 0 stands for; it is YCSB's.
	DefaultTheta = 0.99
	// MaxTheta is the greatest skew allowed.
	MaxTheta = 5.0
)

// Keys chooses keys in [0, rows) of a table with a fixed number of rows. It
// keeps no tables and takes no time to make, however many rows there are. It
// does not change and may be shared. Make it with NewKeys: the zero value
// always chooses key 0.
type Keys struct {
	distribution Distribution
	rows         int64
	zipf         zipf
	scramble     scramble
}

// NewKeys makes a chooser of keys. theta is the skew of Zipfian and Latest, in
// (0, 5], and 0 stands for DefaultTheta; the other distributions do not use it.
// The error wraps ErrInvalid.
func NewKeys(d Distribution, rows int64, theta float64) (Keys, error) {
	if rows < 1 {
		return Keys{}, fmt.Errorf("%w: rows is %d, at least 1 required", ErrInvalid, rows)
	}
	if !(theta >= 0 && theta <= MaxTheta) { // also refuses NaN
		return Keys{}, fmt.Errorf("%w: theta is %v, above 0 to %v allowed, or 0 for the default, %v", ErrInvalid, theta, MaxTheta, DefaultTheta)
	}
	if theta == 0 {
		theta = DefaultTheta
	}
	k := Keys{distribution: d, rows: rows}
	switch d {
	case Uniform, Scrambled, Sequential:
	case Zipfian:
		k.zipf = newZipf(rows, theta)
		k.scramble = newScramble(rows)
	case Latest:
		k.zipf = newZipf(rows, theta)
	default:
		return Keys{}, fmt.Errorf("%w: distribution is %q, allowed are %q", ErrInvalid, d, Distributions())
	}
	return k, nil
}

// Key is the key of operation n (from 0) of a global connection (from 0) out
// of connections. It depends on nothing but its arguments: Sequential on the
// last three, the others on r alone, from which they draw. It is the same on
// every platform.
func (k *Keys) Key(r *Rand, connection, connections int64, n int64) int64 {
	switch k.distribution {
	case Uniform:
		return r.Int64n(k.rows)
	case Zipfian:
		return k.scramble.key(k.zipf.rank(r))
	case Scrambled:
		return scrambledKey(r.Float64(), k.rows)
	case Sequential:
		return sequentialKey(connection, connections, n, k.rows)
	case Latest:
		return k.rows - 1 - k.zipf.rank(r)
	}
	return 0
}

// sequentialKey is (n·connections + connection) mod rows, in 128 bits.
func sequentialKey(connection, connections, n, rows int64) int64 {
	high, low := bits.Mul64(uint64(n), uint64(connections))
	low, carry := bits.Add64(low, uint64(connection), 0)
	if high+carry == 0 {
		return int64(low % uint64(rows))
	}
	return int64(bits.Rem64(high+carry, low, uint64(rows)))
}

// zipf draws ranks by rejection-inversion (Hörmann and Derflinger,
// "Rejection-inversion to generate variates from monotone discrete
// distributions", ACM TOMACS 6(3), 1996): a point under the curve x^-theta is
// drawn by inverting its integral, rounded to a rank, and drawn again when it
// lies above that rank's bar, which happens to fewer than 2 in 100 draws.
type zipf struct {
	ranks  float64
	theta  float64
	first  float64 // where the bar of rank 1 starts in the integral
	last   float64 // the integral at the last rank + 1/2
	always float64 // a point this little below its rank is always kept
}

func newZipf(rows int64, theta float64) zipf {
	if rows > 1<<53 {
		rows &^= 1<<11 - 1 // what a float64 holds: the last, rarest ranks never come
	}
	z := zipf{ranks: float64(rows), theta: theta}
	z.first = z.integral(1.5) - 1
	z.last = z.integral(z.ranks + 0.5)
	z.always = 2 - z.inverse(z.integral(2.5)-z.bar(2))
	return z
}

// rank draws a rank from 0, the most frequent, to rows-1.
func (z *zipf) rank(r *Rand) int64 {
	for {
		u := mulAdd(r.Float64(), z.first-z.last, z.last)
		x := z.inverse(u)
		k := min(max(math.Floor(x+0.5), 1), z.ranks)
		if k-x <= z.always || u >= z.integral(k+0.5)-z.bar(k) {
			return int64(k) - 1
		}
	}
}

// bar is the height at rank x: x^-theta.
func (z *zipf) bar(x float64) float64 { return exactExp(float64(-z.theta * exactLog(x))) }

// integral is ∫x^-theta from 1 to x: (x^(1-theta) - 1) / (1-theta), or log x
// when theta is 1. It is written as log x · (e^t - 1)/t with t = (1-theta)·log
// x, and the quotient by Kahan's method, which is accurate near t = 0.
func (z *zipf) integral(x float64) float64 {
	logX := exactLog(x)
	e := exactExp(float64((1 - z.theta) * logX))
	if e == 1 {
		return logX
	}
	return float64(logX * ((e - 1) / exactLog(e)))
}

// inverse is the x whose integral is u: (1 + t)^(1/(1-theta)) with t =
// (1-theta)·u, as e^(u · log(1+t)/t), again by Kahan's method.
func (z *zipf) inverse(u float64) float64 {
	e := 1 + float64((1-z.theta)*u)
	switch {
	case e == 1:
		return exactExp(u)
	case e <= 0: // rounding beyond the end of the curve, at a theta above 1
		return z.ranks
	}
	return exactExp(float64(u * (exactLog(e) / (e - 1))))
}

// scramble is a fixed permutation of [0, rows): it spreads the frequent ranks
// over all keys, and so over all pages of a table, and unlike a hash modulo
// rows it gives each rank a key of its own, so that the law stays exact. It
// permutes the next power of two by odd multiplications and shifts, again
// until the result is in range: less than twice on average.
type scramble struct {
	rows  uint64
	mask  uint64
	shift uint
}

func newScramble(rows int64) scramble {
	width := max(bits.Len64(uint64(rows-1)), 1)
	return scramble{rows: uint64(rows), mask: 1<<width - 1, shift: uint(width+1) / 2}
}

func (s *scramble) key(rank int64) int64 {
	x := uint64(rank)
	for {
		x = (x*randGolden + randStream) & s.mask
		x ^= x >> s.shift
		x = (x*randIndex + randGolden) & s.mask
		x ^= x >> s.shift
		x = (x * randStream) & s.mask
		if x < s.rows {
			return int64(x)
		}
	}
}

// exactLog and exactExp are the natural logarithm of a positive, normal x and
// its inverse, within 1e-15 of the value. They exist because those of package
// math differ in the last bit between platforms, which would now and then
// change a key: here each product is rounded by an explicit conversion, so that
// no compiler fuses it with a sum, and nothing is written in assembler.

// exactLog reduces x to 2^e·m with m in [√½, √2), and sums the series of
// log m = 2·atanh((m-1)/(m+1)).
func exactLog(x float64) float64 {
	b := math.Float64bits(x)
	e := int(b>>52) - 1023
	m := math.Float64frombits(b&(1<<52-1) | 1023<<52)
	if m > math.Sqrt2 {
		m /= 2
		e++
	}
	s := (m - 1) / (m + 1)
	p := s * s
	q := p * p
	odd := mulAdd(q, mulAdd(q, mulAdd(q, mulAdd(q, 2.0/19, 2.0/15), 2.0/11), 2.0/7), 2.0/3)
	even := mulAdd(q, mulAdd(q, mulAdd(q, 2.0/17, 2.0/13), 2.0/9), 2.0/5)
	tail := float64(s * float64(p*mulAdd(p, even, odd)))
	return mulAdd(float64(e), math.Ln2, mulAdd(2, s, tail))
}

// exactExp reduces x to e·ln 2 + r with |r| ≤ ln(2)/2 and sums the series of
// exp r. It gives 0 and +Inf where a normal float64 cannot.
func exactExp(x float64) float64 {
	const (
		ln2High = 0x1.62e42fee00000p-1 // its product with a whole number is exact
		ln2Low  = math.Ln2 - ln2High
	)
	switch {
	case x > 709:
		return math.Inf(1)
	case x < -708:
		return 0
	}
	e := math.Floor(mulAdd(x, 1/math.Ln2, 0.5))
	r := mulAdd(e, -ln2Low, mulAdd(e, -ln2High, x))
	p := r * r
	odd := mulAdd(p, mulAdd(p, mulAdd(p, mulAdd(p, mulAdd(p, 1.0/39916800, 1.0/362880), 1.0/5040), 1.0/120), 1.0/6), 1)
	even := mulAdd(p, mulAdd(p, mulAdd(p, mulAdd(p, mulAdd(p, mulAdd(p, 1.0/479001600, 1.0/3628800), 1.0/40320), 1.0/720), 1.0/24), 1.0/2), 1)
	return float64(mulAdd(r, odd, even) * math.Float64frombits(uint64(int64(e)+1023)<<52))
}

// mulAdd is a·b + c with the product rounded, on every platform.
func mulAdd(a, b, c float64) float64 { return float64(a*b) + c }
