package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/report/chart"
)

// charted are the kinds that the chart of distributions has lines for, at most,
// beside their total.
const charted = chart.Tones - 1

// totalTone is the look of what is of all kinds.
const totalTone = chart.Tones - 1

// lasting is when an interval began and ended, in seconds since the load began.
type lasting struct{ from, to float64 }

// lastings are those of points. The end by which intervals are named lies on the
// grid on which they are cut, but a phase that is cut short ends before it; so
// what counts is when they began.
func lastings(points []Point) []lasting {
	list := make([]lasting, len(points))
	for i := range points {
		p := &points[i]
		from := p.Elapsed - p.Seconds
		if first := points[0]; !p.Start.IsZero() && !first.Start.IsZero() {
			from = first.Elapsed - first.Seconds + p.Start.Sub(first.Start).Seconds()
		}
		from = max(0, math.Round(50*from)/50) // what cuts are off by does not show
		if i > 0 {                            // a coarse interval reaches back over others
			from = max(from, list[i-1].to)
		}
		list[i] = lasting{from, max(from, min(p.Elapsed, from+math.Round(50*p.Seconds)/50))}
	}
	return list
}

// Phases are the bands of a chart over the time of a run: the stretches in which
// most operations were of one phase. The measurement is named and not shaded. A phase
// that is over does not come back: what ends late is of the phase that it began in.
func Phases(points []Point) []chart.Band {
	var bands []chart.Band
	order, newest := core.LoadPhases(), -1
	for i, at := range lastings(points) {
		phase := points[i].Phase
		if place := slices.Index(order[:], phase); place < newest {
			phase = order[newest]
		} else {
			newest = place
		}
		if last := len(bands) - 1; last >= 0 && bands[last].Name == string(phase) {
			bands[last].To = at.to
			continue
		}
		b := chart.Band{Name: string(phase), From: at.from, To: at.to}
		switch phase {
		case core.Measurement:
		case core.Warmup:
			b.Tone = 1
		default:
			b.Tone = 2
		}
		if last := len(bands) - 1; last >= 0 {
			b.From = max(b.From, bands[last].To)
		}
		bands = append(bands, b)
	}
	return bands
}

// over makes a line over the time of a run, with a point in the middle of each
// interval. Where intervals are missing, or value is not ok, it has a gap.
func over(points []Point, value func(*Point) (float64, bool)) []chart.Point {
	line := make([]chart.Point, 0, len(points))
	end := 0.0
	for i, at := range lastings(points) {
		if i > 0 && at.from-end > (at.to-at.from)/2 {
			line = append(line, chart.Point{X: (end + at.from) / 2, Y: math.NaN()})
		}
		y, ok := value(&points[i])
		if !ok {
			y = math.NaN()
		}
		line = append(line, chart.Point{X: (at.from + at.to) / 2, Y: y})
		end = at.to
	}
	return line
}

func timeAxis() chart.Axis {
	return chart.Axis{Label: "time since the load began (min:s)", Unit: chart.Elapsed}
}

// ThroughputChart is the throughput of a whole run.
func ThroughputChart(points []Point, slos []core.SLOResult) chart.Chart {
	c := chart.Chart{
		ID: "throughput", Title: "Throughput", X: timeAxis(), Bands: Phases(points),
		Y:      chart.Axis{Label: "operations per second", Unit: chart.Rate},
		Series: []chart.Series{{Name: "op/s", Points: over(points, func(p *Point) (float64, bool) { return p.Throughput, true })}},
	}
	low, mean, high, ok := measuredRange(points, func(p *Point) (float64, bool) { return p.Throughput, true })
	c.Summary = "Nothing was measured."
	if ok {
		c.Summary = fmt.Sprintf("Successful operations per second in each interval. In the measurement: %s on average, lowest %s, highest %s.", Rate(mean), Rate(low), Rate(high))
	}
	for _, s := range slos {
		if s.Metric == "throughput" && s.Kind == "" && s.Bound < 3*high {
			c.Levels = append(c.Levels, chart.Level{Name: s.Text, Y: s.Bound})
		}
	}
	return c
}

// measuredRange is what values of the measurement lie between, and their mean.
func measuredRange(points []Point, value func(*Point) (float64, bool)) (low, mean, high float64, ok bool) {
	n := 0
	for i := range points {
		p := &points[i]
		v, known := value(p)
		if p.Phase != core.Measurement || !known {
			continue
		}
		if n == 0 {
			low, high = v, v
		}
		low, high, mean = min(low, v), max(high, v), mean+v
		n++
	}
	return low, mean / float64(max(n, 1)), high, n > 0
}

// LatencyChart is the percentiles of latency of a whole run, interval by interval.
func LatencyChart(points []Point, slos []core.SLOResult) chart.Chart {
	c := chart.Chart{
		ID: "latency", Title: "Latency", X: timeAxis(), Bands: Phases(points),
		Y: chart.Axis{Label: "latency", Unit: chart.Latency, Scale: chart.Automatic},
	}
	low, high := math.Inf(1), 0.0
	for i, q := range []struct {
		name  string
		value func(*Point) (float64, bool) // in seconds
	}{
		{"p50", func(p *Point) (float64, bool) { return p.P50 / 1000, p.OK > 0 }},
		{"p95", func(p *Point) (float64, bool) { return p.P95 / 1000, p.OK > 0 }},
		{"p99", func(p *Point) (float64, bool) { return p.P99 / 1000, p.OK > 0 }},
	} {
		line := over(points, q.value)
		for _, p := range line {
			if p.Y > 0 {
				low, high = min(low, p.Y), max(high, p.Y)
			}
		}
		c.Series = append(c.Series, chart.Series{Name: q.name, Tone: i, Points: line})
		if least, _, most, ok := measuredRange(points, q.value); ok {
			c.Summary += fmt.Sprintf(" %s from %s to %s.", q.name, Latency(seconds(least)), Latency(seconds(most)))
		}
	}
	if c.Summary != "" {
		c.Summary = "Percentiles of latency in each interval. In the measurement:" + c.Summary
	} else {
		c.Summary = "Nothing was measured."
	}
	for _, s := range slos {
		if s.Kind == "" && s.Metric != "throughput" && s.Metric != "error_rate" && s.Bound > low/5 && s.Bound < 5*high {
			c.Levels = append(c.Levels, chart.Level{Name: s.Text, Y: s.Bound})
		}
	}
	return c
}

// ErrorChart is the errors per second of a whole run; not ok when there were none.
func ErrorChart(points []Point) (c chart.Chart, ok bool) {
	sum := uint64(0)
	for _, p := range points {
		sum += p.Errors
	}
	if sum == 0 {
		return c, false
	}
	return chart.Chart{
		ID: "errors-over-time", Title: "Errors", X: timeAxis(), Bands: Phases(points),
		Y:       chart.Axis{Label: "errors per second", Unit: chart.Rate},
		Summary: plural(sum, "error") + " over all phases.",
		Series: []chart.Series{{Name: "errors/s", Tone: 6, Points: over(points, func(p *Point) (float64, bool) {
			return float64(p.Errors) / p.Seconds, p.Seconds > 0
		})}},
	}, true
}

// DistributionChart is how long operations took: the latency at each percentile,
// of all kinds together and of each, as HdrHistogram plots it.
func DistributionChart(kinds []core.KindMetrics) chart.Chart {
	total := core.Total(kinds)
	c := chart.Chart{
		ID: "percentiles", Title: "Latency at each percentile",
		X:      chart.Axis{Label: "percentile of operations", Unit: chart.Percentile, Scale: chart.Tail},
		Y:      chart.Axis{Label: "latency", Unit: chart.Latency, Scale: chart.Automatic},
		Series: []chart.Series{{Name: "all kinds", Tone: totalTone, Points: percentileLine(total.Latency())}},
	}
	if total.Latency().Count() == 0 {
		c.Summary = "No operation of the measurement succeeded."
		return c
	}
	q := percentiles(total.Latency())
	c.Summary = fmt.Sprintf("How many percent of the operations took at most how long. All kinds: half took at most %s, 95%% %s, 99%% %s, 99.9%% %s, the longest %s.", q[0], q[1], q[2], q[3], q[4])
	most := make([]*core.KindMetrics, 0, len(kinds))
	for i := range kinds {
		if kinds[i].Latency().Count() > 0 {
			most = append(most, &kinds[i])
		}
	}
	if len(most) > charted {
		c.Summary += fmt.Sprintf(" Of %d kinds, the %d with most operations have a line.", len(most), charted)
		byCount := slices.Clone(most)
		slices.SortStableFunc(byCount, func(a, b *core.KindMetrics) int { return cmp.Compare(b.OK, a.OK) })
		most = slices.DeleteFunc(most, func(k *core.KindMetrics) bool { return !slices.Contains(byCount[:charted], k) })
	}
	if len(most) > 1 {
		for i, k := range most {
			c.Series = append(c.Series, chart.Series{Name: k.Kind, Tone: i, Points: percentileLine(k.Latency())})
		}
	}
	if total.Response != nil {
		c.Series = append(c.Series, chart.Series{Name: "service time", Tone: totalTone, Faint: true, Points: percentileLine(&total.Service)})
		c.Summary += " The service time, from start to end, leaves out the time that operations waited to be started."
	}
	return c
}

// percentileLine is the latency at each percentile, twenty steps to each further
// nine, out to the slowest operation.
func percentileLine(h *core.Histogram) []chart.Point {
	n := float64(h.Count())
	if n == 0 {
		return nil
	}
	const steps = 20
	var line []chart.Point
	for i := 0; ; i++ {
		q := 1 - math.Pow(10, -float64(i)/steps)
		if q >= 1-1/n {
			break
		}
		line = append(line, chart.Point{X: q, Y: h.Quantile(q).Seconds()})
	}
	return append(line, chart.Point{X: 1 - 1/n, Y: h.Max().Seconds()})
}
