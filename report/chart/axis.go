package chart

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// logFrom is how many times the smallest value the largest must be for an
// Automatic scale to be logarithmic.
const logFrom = 20

// axis is an axis that knows what it spans.
type axis struct {
	Axis
	low, high float64
	ticks     []float64
}

// newAxis spans at least the numbers low to high with about n ticks.
func newAxis(a Axis, low, high float64, positive float64, n int) axis {
	out := axis{Axis: a, low: low, high: high}
	if a.Scale == Automatic {
		out.Scale = Linear
		if positive > 0 && high > logFrom*positive {
			out.Scale = Log
		}
	}
	switch {
	case out.Scale == Tail:
		out.low, out.high = 0, max(high, 0.9)
		out.ticks = tailTicks(out.high)
	case out.Scale == Log && high > 0:
		out.low = positive
		out.roundLog(n)
	case a.Unit == Elapsed:
		out.low = 0
		out.high = max(high, 1)
		out.ticks = steps(0, out.high, elapsedStep(out.high, n))
	default:
		out.Scale, out.low = Linear, min(0, low)
		step := niceStep((high-out.low)/float64(n), a.Unit)
		out.high = max(step, step*math.Ceil(high/step-1e-9))
		out.low = step * math.Floor(out.low/step)
		out.ticks = steps(out.low, out.high, step)
	}
	return out
}

// at is the place of a number, 0 to 1.
func (a *axis) at(v float64) float64 {
	switch a.Scale {
	case Log:
		v = math.Log(max(v, a.low)/a.low) / math.Log(a.high/a.low)
	case Tail:
		v = tail(v) / tail(a.high)
	default:
		v = (v - a.low) / (a.high - a.low)
	}
	return min(1, max(0, v))
}

// tail is how far out a quantile is, in nines.
func tail(q float64) float64 { return -math.Log10(max(1-q, 1e-12)) }

// tailTicks are the quantiles that are named, up to a highest.
func tailTicks(high float64) []float64 {
	all := []float64{0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999}
	return slices.DeleteFunc(all, func(q float64) bool { return q > high+1e-12 })
}

// steps are the multiples of a step from low to high.
func steps(low, high, step float64) []float64 {
	var all []float64
	for i := math.Round(low / step); i*step <= high*(1+1e-9) && len(all) < 50; i++ {
		all = append(all, i*step)
	}
	return all
}

// niceStep is 1, 2 or 5 times a power of ten, at least v.
func niceStep(v float64, u Unit) float64 {
	if !(v > 0) || math.IsInf(v, 0) {
		if u == Percent || u == Latency {
			return 0.001
		}
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= v*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// elapsedStep is a length of time that people count in.
func elapsedStep(high float64, n int) float64 {
	const minute, hour = 60, 3600
	for _, s := range []float64{0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, minute, 2 * minute, 5 * minute, 10 * minute, 15 * minute, 30 * minute, hour, 2 * hour, 3 * hour, 6 * hour, 12 * hour, 24 * hour} {
		if high/s <= float64(n) {
			return s
		}
	}
	return 24 * hour * niceStep(high/(24*hour)/float64(n), Number)
}

// roundLog widens a logarithmic axis to 1, 2 or 5 times a power of ten, and names
// those, or where that would be too many the powers of ten alone.
func (a *axis) roundLog(n int) {
	var all []float64
	for e := math.Floor(math.Log10(a.low)) - 1; e <= math.Ceil(math.Log10(a.high))+1; e++ {
		for _, m := range []float64{1, 2, 5} {
			all = append(all, m*math.Pow(10, e))
		}
	}
	from, to := 0, len(all)-1
	for from+1 < len(all) && all[from+1] <= a.low*(1+1e-9) {
		from++
	}
	for to-1 > from && all[to-1] >= a.high*(1-1e-9) {
		to--
	}
	a.low, a.high = all[from], all[to]
	for i := from; i <= to; i++ {
		if i%3 == 0 || to-from < 2*n {
			a.ticks = append(a.ticks, all[i])
		}
	}
}

// text is a number of the axis, with its unit where the label does not say it.
func (a *axis) text(v float64) string {
	switch a.Unit {
	case Latency:
		return latency(v)
	case Elapsed:
		return elapsed(v)
	case Percentile:
		return trimmed(100*v, 4) + "%"
	case Percent:
		return trimmed(100*v, 3) + "%"
	default:
		return short(v)
	}
}

// short is a number with k, M or G for thousands, millions and milliards.
func short(v float64) string {
	for _, u := range []struct {
		name string
		size float64
	}{{"G", 1e9}, {"M", 1e6}, {"k", 1e3}} {
		if math.Abs(v) >= u.size*(1-1e-9) {
			return trimmed(v/u.size, 2) + u.name
		}
	}
	return trimmed(v, 3)
}

// latency is a number of seconds in the unit in which it is a small number.
func latency(v float64) string {
	for _, u := range []struct {
		name string
		size float64
	}{{"s", 1}, {"ms", 1e-3}, {"µs", 1e-6}} {
		if math.Abs(v) >= u.size*(1-1e-9) {
			return trimmed(v/u.size, 3) + " " + u.name
		}
	}
	if v == 0 {
		return "0"
	}
	return trimmed(v/1e-9, 1) + " ns"
}

// elapsed is a time as min:s, with hours or tenths where there are some.
func elapsed(v float64) string {
	tenths := int64(math.Round(v * 10))
	s, rest := tenths/10, ""
	if tenths%10 != 0 {
		rest = "." + strconv.FormatInt(tenths%10, 10)
	}
	two := func(n int64) string { return strconv.FormatInt(100+n, 10)[1:] }
	if s >= 3600 {
		return strconv.FormatInt(s/3600, 10) + ":" + two(s/60%60) + ":" + two(s%60) + rest
	}
	return strconv.FormatInt(s/60, 10) + ":" + two(s%60) + rest
}

// trimmed has at most that many decimals, and no needless ones.
func trimmed(v float64, decimals int) string {
	text := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}
