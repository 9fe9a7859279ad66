//go:build unix

package main

import (
	"math"
	"slices"
)

// ratio is what pairs say of one side by another.
type ratio struct {
	pairs     int
	median    float64
	mean      float64 // geometric
	low, high float64 // of the mean, 95 %
}

// halfWidth is half of the interval as a share of the mean.
func (r ratio) halfWidth() float64 { return (r.high - r.low) / 2 / r.mean }

// ratioOf is the ratio of two sides that were measured in pairs: the geometric mean
// of the pairs' ratios, with its 95 % interval by Student's t on their logarithms.
// One pair alone has no interval.
func ratioOf(ours, peer []float64) ratio {
	r := ratio{pairs: len(ours), median: math.NaN(), mean: math.NaN(), low: math.NaN(), high: math.NaN()}
	if len(ours) == 0 || len(ours) != len(peer) {
		return r
	}
	logs := make([]float64, len(ours))
	for i := range ours {
		logs[i] = math.Log(ours[i] / peer[i])
	}
	mean := sum(logs) / float64(len(logs))
	r.mean, r.median = math.Exp(mean), math.Exp(median(logs))
	if len(logs) < 2 {
		return r
	}
	squares := 0.0
	for _, x := range logs {
		squares += (x - mean) * (x - mean)
	}
	n := float64(len(logs))
	half := student975(len(logs)-1) * math.Sqrt(squares/(n-1)/n)
	r.low, r.high = math.Exp(mean-half), math.Exp(mean+half)
	return r
}

func sum(values []float64) (total float64) {
	for _, v := range values {
		total += v
	}
	return total
}

// median of values, which are not none.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// means are the geometric means of what one side measured twice in each round.
func means(a, b []float64) []float64 {
	m := make([]float64, len(a))
	for i := range a {
		m[i] = math.Sqrt(a[i] * b[i])
	}
	return m
}

// student975 is the 97.5 % quantile of Student's t, from tables up to 30 degrees of
// freedom, beyond them by the expansion around the normal one (within 0.0001).
func student975(freedom int) float64 {
	table := []float64{
		12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281,
		2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860,
		2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423,
	}
	if freedom <= len(table) {
		return table[freedom-1]
	}
	const z = 1.959964
	v := float64(freedom)
	return z + (z*z*z+z)/(4*v) + (5*math.Pow(z, 5)+16*math.Pow(z, 3)+3*z)/(96*v*v)
}
