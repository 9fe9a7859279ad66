package core

import "math"

// studentQuantile is the value that a Student's t of so many degrees of freedom
// is below with probability p, to nine digits.
func studentQuantile(p, freedom float64) float64 {
	switch {
	case p == 0.5:
		return 0
	case p < 0.5:
		return -studentQuantile(1-p, freedom)
	case freedom > 1e6:
		return math.Sqrt2 * math.Erfinv(2*p-1)
	}
	low, high := 0.0, 1.0
	for studentBelow(high, freedom) < p && high < 1e12 {
		low, high = high, 2*high
	}
	t := (low + high) / 2
	for range 100 { // Newton's steps, and the middle where one leaves what is known
		short := p - studentBelow(t, freedom)
		if short > 0 {
			low = t
		} else {
			high = t
		}
		next := t + short/studentDensity(t, freedom)
		if !(next > low && next < high) {
			next = (low + high) / 2
		}
		if math.Abs(next-t) <= 1e-13*t || next == low || next == high {
			return next
		}
		t = next
	}
	return t
}

// studentDensity is the density of a Student's t at t.
func studentDensity(t, freedom float64) float64 {
	above, _ := math.Lgamma((freedom + 1) / 2)
	below, _ := math.Lgamma(freedom / 2)
	return math.Exp(above-below-(freedom+1)/2*math.Log1p(t*t/freedom)) / math.Sqrt(math.Pi*freedom)
}

// studentBelow is the probability that a Student's t is below t, which is not
// negative.
func studentBelow(t, freedom float64) float64 {
	return 1 - incompleteBeta(freedom/2, 0.5, freedom/(freedom+t*t))/2
}

// incompleteBeta is the regularised incomplete beta function, by its continued
// fraction (Abramowitz and Stegun, 26.5.8).
func incompleteBeta(a, b, x float64) float64 {
	switch {
	case x <= 0:
		return 0
	case x >= 1:
		return 1
	case x > (a+1)/(a+b+2):
		return 1 - incompleteBeta(b, a, 1-x)
	}
	logGamma := func(v float64) float64 { g, _ := math.Lgamma(v); return g }
	front := math.Exp(logGamma(a+b) - logGamma(a) - logGamma(b) + a*math.Log(x) + b*math.Log1p(-x))
	const tiny = 1e-300
	away := func(v float64) float64 { // from zero
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	c, d := 1.0, 1/away(1-(a+b)*x/(a+1))
	fraction := d
	for m := 1.0; m < 500; m++ {
		even := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		d, c = 1/away(1+even*d), away(1+even/c)
		fraction *= d * c
		odd := -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		d, c = 1/away(1+odd*d), away(1+odd/c)
		fraction *= d * c
		if math.Abs(d*c-1) < 1e-15 {
			break
		}
	}
	return front * fraction / a
}
