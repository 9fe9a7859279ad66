package core

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The metrics of an SLO that are not a latency.
const (
	metricErrorRate  = "error_rate"
	metricThroughput = "throughput"
)

// sloMetrics are all metrics of an SLO: latencies, then the others.
func sloMetrics() []string {
	return []string{"p50", "p90", "p95", "p99", "p999", "max", "avg", metricErrorRate, metricThroughput}
}

// ParseSLO reads an objective: an optional kind, a metric, < or >, and a bound.
//
//	p99 < 20ms                 latency, with a unit: p50 p90 p95 p99 p999 max avg
//	POINT_LOOKUP p95 < 5ms     the same of one kind of operation
//	error_rate < 0.1%          failed operations, in percent of those that ended
//	throughput > 900           operations per second, of the whole run or of a kind; qps is the same
//	p99 < 20ms for 10s         missed when interval after interval misses it for 10 s
//	p99 < 20ms for 10s abort   also ends the run then; the whole measurement has to meet it too
//
// The error wraps ErrInvalid.
func ParseSLO(text string) (SLO, error) {
	at := strings.IndexAny(text, "<>")
	if at < 0 {
		return SLO{}, invalidSLO(text, "it has no < or >")
	}
	words := strings.Fields(text[:at])
	bound, patience, abort, problem := parseEnd(text[at+1:])
	if problem != "" {
		return SLO{}, invalidSLO(text, problem)
	}
	slo := SLO{Abort: abort, For: Duration(patience), Text: strings.Join(strings.Fields(text), " "), Less: text[at] == '<'}
	switch {
	case strings.HasPrefix(bound, "="):
		return SLO{}, invalidSLO(text, fmt.Sprintf("write %c without =", text[at]))
	case len(words) == 1:
		slo.Metric = words[0]
	case len(words) == 2:
		slo.Kind, slo.Metric = words[0], words[1]
	default:
		return SLO{}, invalidSLO(text, "before < or > stands a metric, or a kind and a metric")
	}
	switch slo.Metric {
	case "p99.9":
		slo.Metric = "p999"
	case "qps":
		slo.Metric = metricThroughput
	}
	if !slices.Contains(sloMetrics(), slo.Metric) {
		return SLO{}, invalidSLO(text, fmt.Sprintf("%q is no metric; allowed: %s%s",
			slo.Metric, strings.Join(sloMetrics(), ", "), didYouMean(slo.Metric, sloMetrics())))
	}
	if slo.Bound, problem = slo.parseBound(bound); problem != "" {
		return SLO{}, invalidSLO(text, problem)
	}
	return slo, nil
}

// parseEnd splits "20ms for 10s abort" into bound and what follows it.
func parseEnd(text string) (bound string, patience time.Duration, abort bool, problem string) {
	words := strings.Fields(text)
	if n := len(words); n > 0 && words[n-1] == "abort" {
		abort, words = true, words[:n-1]
	}
	if n := len(words); n >= 2 && words[n-2] == "for" {
		var err error
		patience, err = time.ParseDuration(words[n-1])
		if err != nil || patience <= 0 || patience > maxTime.Std() {
			return "", 0, false, fmt.Sprintf("%q after for is not a time above 0 with a unit, like 10s", words[n-1])
		}
		words = words[:n-2]
	}
	return strings.Join(words, " "), patience, abort, ""
}

// parseBound reads the bound in the unit of the metric, or says what is wrong.
func (s SLO) parseBound(text string) (bound float64, problem string) {
	switch s.Metric {
	case metricThroughput:
		value, err := strconv.ParseFloat(strings.TrimSuffix(text, "/s"), 64)
		switch {
		case s.Less:
			return 0, "throughput needs >"
		case err != nil || !(value > 0 && value < 1e12):
			return 0, fmt.Sprintf("the bound %q is not a number of operations per second above 0, like 900", text)
		}
		return value, ""
	case metricErrorRate:
		number, percent := strings.CutSuffix(text, "%")
		value, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		switch {
		case !s.Less:
			return 0, "error_rate needs <"
		case err != nil || !percent || !(value > 0 && value <= 100):
			return 0, fmt.Sprintf("the bound %q is not a percentage above 0%% to 100%%, like 0.1%%", text)
		}
		return value / 100, ""
	default:
		value, err := time.ParseDuration(text)
		switch {
		case !s.Less:
			return 0, "a latency needs <"
		case err != nil || value <= 0:
			return 0, fmt.Sprintf("the bound %q is not a time above 0 with a unit, like 20ms", text)
		}
		return value.Seconds(), ""
	}
}

func invalidSLO(text, problem string) error {
	return fmt.Errorf("%w: objective %q: %s", ErrInvalid, text, problem)
}

// EvaluateSLOs measures each objective against what was measured: the kinds of
// the measurement, and the throughput of the whole run. An objective about
// something of which nothing was measured is not met.
func EvaluateSLOs(slos []SLO, kinds []KindMetrics, throughput float64) []SLOResult {
	var results []SLOResult
	for _, s := range slos {
		result := SLOResult{SLO: s}
		of := sloSubject(s.Kind, kinds)
		measured := result.known(of)
		switch s.Metric {
		case metricThroughput:
			if result.Measured = throughput; s.Kind != "" {
				total := Total(kinds)
				result.Measured = ThroughputOf(throughput, &of, &total)
			}
		case metricErrorRate:
			result.Measured = errorRate(of.Counts)
		default:
			result.Measured = s.latency(of.Latency()).Seconds()
		}
		if s.Less {
			result.Met = measured && result.Measured < s.Bound
		} else {
			result.Met = measured && result.Measured > s.Bound
		}
		results = append(results, result)
	}
	return results
}

// ThroughputOf is a kind's part of the throughput, by what of it has succeeded: so that
// the parts sum to the whole.
func ThroughputOf(throughput float64, kind, total *KindMetrics) float64 {
	if total.OK == 0 {
		return 0
	}
	return throughput * float64(kind.OK) / float64(total.OK)
}

// sloSubject is what was measured of a kind, or in total.
func sloSubject(kind string, kinds []KindMetrics) KindMetrics {
	if kind == "" {
		return Total(kinds)
	}
	for _, k := range kinds {
		if k.Kind == kind {
			return k
		}
	}
	return KindMetrics{Kind: kind}
}

func (s SLO) latency(h *Histogram) time.Duration {
	switch s.Metric {
	case "p50":
		return h.Quantile(0.50)
	case "p90":
		return h.Quantile(0.90)
	case "p95":
		return h.Quantile(0.95)
	case "p99":
		return h.Quantile(0.99)
	case "p999":
		return h.Quantile(0.999)
	case "max":
		return h.Max()
	default:
		return h.Mean()
	}
}

// errorRate is the share of operations that failed, of those that ended by
// themselves; 0 when none did.
func errorRate(c Counts) float64 {
	if ended := c.OK + c.Errors; ended > 0 {
		return float64(c.Errors) / float64(ended)
	}
	return 0
}
