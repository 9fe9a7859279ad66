package core

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// How many runs one comparison may be of.
const (
	MinCompared = 2
	MaxCompared = 5
)

// ComparisonConfidence is the probability with which an interval of a comparison
// holds the difference, and Power that with which a difference of the size named
// would have been seen.
const (
	ComparisonConfidence = 0.95
	ComparisonPower      = 0.80
)

// Compared is one run of a comparison.
type Compared struct {
	Result  Rollup   // the parent
	Batches *Batches // its measurement in time; nil: not known
}

// Outcome is what a comparison says of one metric.
type Outcome string

// The outcomes.
const (
	NoDifference   Outcome = "NO_DIFFERENCE" // none was seen: its interval holds zero
	Higher         Outcome = "HIGHER"        // than in the first run
	Lower          Outcome = "LOWER"
	UnknownOutcome Outcome = "UNKNOWN" // nothing can be said of it
)

// Difference is one metric of a run beside that of the first run.
//
// Its interval rests on how much both runs' numbers move about from one stretch of
// time to the next. So it says how sure the difference of these two runs is, and
// not that it would be the same if both were run again.
type Difference struct {
	Kind   string `json:"kind,omitempty"` // empty: of all kinds
	Metric string `json:"metric"`         // throughput avg p50 p95 p99 p999 error_rate
	// Base is the first run's value and Other this one's: operations per second,
	// seconds, or a fraction.
	Base  float64 `json:"base"`
	Other float64 `json:"other"`
	// Change is Other ÷ Base − 1; of error_rate, Other − Base. Low to High is its
	// confidence interval, and Smallest the least change that would have been seen;
	// all are 0 where Outcome is UNKNOWN.
	Change   float64 `json:"change"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
	Smallest float64 `json:"smallest"`
	Outcome  Outcome `json:"outcome"`
	Better   bool    `json:"better,omitempty"` // a difference was seen, and it is a good one
	// Drifts says that a run's values depend on those before them even over long
	// stretches: then the interval may be too narrow.
	Drifts bool   `json:"drifts,omitempty"`
	Why    string `json:"why,omitempty"` // it is UNKNOWN
}

// Comparison is what runs have in common and what not, beside the first of them.
type Comparison struct {
	Base   string          `json:"base"` // run id
	Others []RunComparison `json:"others"`
	// Reservations say what to keep in mind with all of it.
	Reservations []string `json:"reservations,omitempty"`
}

// RunComparison is one run beside the first.
type RunComparison struct {
	RunID       string       `json:"run_id"`
	Differences []Difference `json:"differences"`
	Unlike      []Unlikeness `json:"unlike,omitempty"` // what was asked of one and not of the other
}

// metric is one that is compared.
type metric struct {
	name string
	// quantile, of a latency that is one; 0: another metric.
	quantile float64
}

// comparedMetrics are those of all kinds, and of each kind.
func comparedMetrics() (whole, kind []metric) {
	quantiles := []metric{{"p50", 0.5}, {"p95", 0.95}, {"p99", 0.99}, {"p999", 0.999}}
	return append(append([]metric{{name: metricThroughput}, {name: "avg"}}, quantiles...), metric{name: metricErrorRate}), quantiles[:3]
}

// Compare compares runs with the first of them. The error wraps ErrInvalid.
func Compare(runs []Compared) (Comparison, error) {
	if len(runs) < MinCompared || len(runs) > MaxCompared {
		return Comparison{}, fmt.Errorf("%w: a comparison is of %d to %d runs, not of %d", ErrInvalid, MinCompared, MaxCompared, len(runs))
	}
	for i := range runs {
		for j := range i {
			if runs[i].Result.RunID == runs[j].Result.RunID {
				return Comparison{}, fmt.Errorf("%w: run %s is to be compared with itself", ErrInvalid, runs[i].Result.RunID)
			}
		}
	}
	sides := make([]*side, len(runs))
	for i := range runs {
		sides[i] = newSide(&runs[i])
	}
	c := Comparison{Base: runs[0].Result.RunID}
	known := 0
	for _, other := range sides[1:] {
		r := RunComparison{RunID: other.result.RunID, Differences: differences(sides[0], other), Unlike: unlike(sides[0].result, other.result)}
		for _, d := range r.Differences {
			if d.Outcome != UnknownOutcome {
				known++
			}
		}
		c.Others = append(c.Others, r)
	}
	c.Reservations = reservations(sides, c.Others, known)
	return c, nil
}

// side is one run while it is compared.
type side struct {
	result *Rollup
	total  KindMetrics
	time   stretches
}

func newSide(c *Compared) *side {
	s := &side{result: &c.Result, total: Total(c.Result.Kinds)}
	if c.Batches != nil {
		s.time.list = c.Batches.list
	}
	return s
}

// kind is what was measured of a kind, "" being all; nil where there is none.
func (s *side) kind(name string) *KindMetrics {
	if name == "" {
		return &s.total
	}
	for i := range s.result.Kinds {
		if s.result.Kinds[i].Kind == name {
			return &s.result.Kinds[i]
		}
	}
	return nil
}

func differences(base, other *side) (list []Difference) {
	whole, kind := comparedMetrics()
	for _, m := range whole {
		list = append(list, difference(base, other, "", m))
	}
	if len(base.result.Kinds) < 2 && len(other.result.Kinds) < 2 {
		return list // one kind is all kinds
	}
	for i := range base.result.Kinds {
		name := base.result.Kinds[i].Kind
		if k := other.kind(name); k == nil || k.Started == 0 || base.result.Kinds[i].Started == 0 {
			continue
		}
		for _, m := range kind {
			list = append(list, difference(base, other, name, m))
		}
	}
	return list
}

// difference compares one metric.
func difference(base, other *side, kind string, m metric) Difference {
	d := Difference{Kind: kind, Metric: m.name, Outcome: UnknownOutcome}
	var problem, otherProblem string
	d.Base, problem = base.value(kind, m)
	d.Other, otherProblem = other.value(kind, m)
	absolute := m.name == metricErrorRate
	switch {
	case problem != "" || otherProblem != "":
		if problem == "" {
			problem = otherProblem
		}
		d.Why = problem
		return d
	case absolute:
		d.Change = d.Other - d.Base
	case !(d.Base > 0) || !(d.Other > 0):
		d.Why = "one of the runs has none"
		return d
	default:
		d.Change = d.Other/d.Base - 1
	}
	a, b := base.variation(kind, m, d.Base), other.variation(kind, m, d.Other)
	switch {
	case a.unknown != "":
		d.Why = fmt.Sprintf("%s of run %s", a.unknown, base.result.RunID)
	case b.unknown != "":
		d.Why = fmt.Sprintf("%s of run %s", b.unknown, other.result.RunID)
	default:
		d.judge(a, b, absolute)
	}
	return d
}

// mostUncertain is the half width of a logarithm's interval beyond which it says nothing:
// a factor of 22,026 either way.
const mostUncertain = 10.0

// judge fills in the interval and what it says: Welch's, of the difference of an
// error rate, or of the logarithm of the ratio of everything else.
func (d *Difference) judge(a, b variation, absolute bool) {
	centre := d.Change
	if !absolute {
		centre = math.Log1p(d.Change)
		a.error, b.error = a.error/d.Base, b.error/d.Other
	}
	va, vb := a.error*a.error, b.error*b.error
	se := math.Sqrt(va + vb)
	freedom := min(a.freedom, b.freedom)
	if se > 0 {
		freedom = (va + vb) * (va + vb) / (va*va/a.freedom + vb*vb/b.freedom)
	}
	t := studentQuantile((1+ComparisonConfidence)/2, freedom)
	if half := t * se; !absolute && !(half < mostUncertain) {
		d.Why = "its values vary too much from one stretch of a run to the next"
		return
	}
	d.Low, d.High, d.Smallest = centre-t*se, centre+t*se, (t+studentQuantile(ComparisonPower, freedom))*se
	d.Drifts = a.drifts || b.drifts
	switch {
	case d.Low > 0:
		d.Outcome = Higher
	case d.High < 0:
		d.Outcome = Lower
	default:
		d.Outcome = NoDifference
	}
	if !absolute {
		d.Low, d.High, d.Smallest = math.Expm1(d.Low), math.Expm1(d.High), math.Expm1(d.Smallest)
	}
	d.Better = better(d.Outcome, d.Metric)
}

// value is a metric of the whole run, or why there is none.
func (s *side) value(kind string, m metric) (v float64, problem string) {
	k := s.kind(kind)
	switch {
	case k.OK+k.Errors == 0:
		return 0, "nothing was measured in run " + s.result.RunID
	case m.name == metricThroughput:
		return s.result.Throughput, ""
	case m.name == metricErrorRate:
		return errorRate(k.Counts), ""
	case k.Latency().Count() == 0:
		return 0, "no operation succeeded in run " + s.result.RunID
	default:
		return m.latency(k.Latency()), ""
	}
}

func (m metric) latency(h *Histogram) float64 {
	if m.quantile == 0 {
		if h.Count() == 0 {
			return 0
		}
		return h.Sum().Seconds() / float64(h.Count())
	}
	return h.Quantile(m.quantile).Seconds()
}

// beyondQuantile is how many operations of a stretch must be slower than a
// quantile for the stretch to know it.
const beyondQuantile = 5

// What is not known of a value beside how it moves about, as a share of it: the
// width of a histogram's buckets, spread evenly, and how exactly intervals are cut.
const (
	bucketError = 1.0 / histogramBuckets / 3.4641 // the square root of 12
	cutError    = 0.0005
)

// better reports whether a difference that was seen in a metric is a good one.
func better(outcome Outcome, metric string) bool {
	switch metric {
	case metricThroughput, metricMaxConnections, metricMaxQPS:
		return outcome == Higher
	default:
		return outcome == Lower
	}
}

// variation is how a metric moves about within the run.
func (s *side) variation(kind string, m metric, whole float64) variation {
	v := s.time.variation(whole, func(part *stretch) (float64, string) {
		k := &part.total
		if kind != "" {
			at := slices.IndexFunc(part.kinds, func(k KindMetrics) bool { return k.Kind == kind })
			if at < 0 {
				return 0, "some stretches have no operation of the kind"
			}
			k = &part.kinds[at]
		}
		switch {
		case m.name == metricThroughput:
			return float64(part.ok) / part.seconds, ""
		case m.name == metricErrorRate:
			return errorRate(k.Counts), ""
		case float64(k.Latency().Count())*(1-m.quantile) < beyondQuantile:
			return 0, "too few operations for the " + strings.Replace(m.name, "p999", "p99.9", 1)
		default:
			return m.latency(k.Latency()), ""
		}
	})
	known := 0.0
	switch {
	case m.name == metricErrorRate: // one error more or less
		n := float64(s.kind(kind).OK + s.kind(kind).Errors)
		known = math.Sqrt(whole*(1-whole)/n + 1/(n*n))
	case m.quantile > 0:
		known = bucketError * whole
	default:
		known = cutError * whole
	}
	v.error = math.Hypot(v.error, known)
	return v
}
