package core

import "math"

// How many stretches a variation is taken from. Fewer and longer ones depend less
// on each other; more of them make a narrower interval.
const (
	leastStretches = 5
	mostStretches  = 40
)

// variation is how much a metric moves about within a run: its standard error,
// in the unit of the metric, with so many degrees of freedom.
type variation struct {
	error   float64
	freedom float64
	drifts  bool   // even long stretches depend on those before them
	unknown string // why nothing can be said
}

// stretch is a part of a measurement.
type stretch struct {
	batch
	total KindMetrics
}

// stretches are a measurement, cut into different numbers of parts.
type stretches struct {
	list []batch
	cuts map[int][]stretch
}

func (s *stretches) cut(n int) []stretch {
	if parts, ok := s.cuts[n]; ok {
		return parts
	}
	var parts []stretch
	for _, b := range partition(s.list, n) {
		parts = append(parts, stretch{b, Total(b.kinds)})
	}
	if s.cuts == nil {
		s.cuts = map[int][]stretch{}
	}
	s.cuts[n] = parts
	return parts
}

// variation of a metric, whose value over the whole run is known, from its values
// in stretches of the run. It is by sectioning, the spread of the values of
// stretches around that of the whole (Asmussen and Glynn, "Stochastic Simulation",
// 2007, section III.5), on the largest number of stretches that do not depend on
// each other, as far as that shows. What dependence is left widens it by the
// factor of a first-order autoregression, as in Skart (Tafazzoli, Wilson, Lada and
// Steiger, 2011). measure gives the value of one stretch, or why it has none.
func (s *stretches) variation(whole float64, measure func(*stretch) (value float64, problem string)) variation {
	if len(s.list) < leastStretches {
		return variation{unknown: "the measurement has too few intervals"}
	}
	best := variation{unknown: "nothing was measured"}
	for n := min(len(s.list), mostStretches); n >= leastStretches; n = fewer(n) {
		parts := s.cut(n)
		values := make([]float64, len(parts))
		problem := ""
		for i := range parts {
			var p string
			if values[i], p = measure(&parts[i]); p != "" {
				problem = p
			}
		}
		if problem != "" {
			best.unknown = problem
			continue
		}
		best = spread(values, whole)
		if !best.drifts {
			break
		}
	}
	return best
}

// fewer is the next number of stretches to try; 0 after the last.
func fewer(n int) int {
	if n == leastStretches {
		return 0
	}
	return max(leastStretches, n*3/4)
}

// spread is the standard error that the values of stretches give.
func spread(values []float64, whole float64) variation {
	n := float64(len(values))
	mean, around, squares, products := 0.0, 0.0, 0.0, 0.0
	for _, v := range values {
		mean += v / n
	}
	for i, v := range values {
		around += (v - whole) * (v - whole)
		squares += (v - mean) * (v - mean)
		if i > 0 {
			products += (v - mean) * (values[i-1] - mean)
		}
	}
	out := variation{error: math.Sqrt(around / (n - 1) / n), freedom: n - 1}
	if !(squares > 0) {
		return out
	}
	r := products / squares
	out.drifts = r > 1.28/math.Sqrt(n)-1/n // of independent ones, one in ten
	r = min(0.8, r+(1+3*max(r, 0))/n)      // estimates of it are too small by about that
	if r > 0 {
		out.error *= math.Sqrt((1 + r) / (1 - r))
		out.freedom = max(leastStretches-1, n*(1-r)/(1+r)-1)
	}
	return out
}
