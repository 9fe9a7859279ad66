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
	for range 80 {
		middle := (low + high) / 2
		if studentBelow(middle, freedom) < p {
			low = middle
		} else {
			high = middle
		}
	}
	return (low + high) / 2
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
