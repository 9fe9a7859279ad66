package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/report/chart"
)

// Comparison is runs beside each other.
type Comparison struct {
	Runs []ComparedRun // the first is what the others are held against
	Of   core.Comparison
	Made string // when and by what the document was made; empty: it does not say
}

// ComparedRun is one of the runs.
type ComparedRun struct {
	Result core.Rollup
	Points []Point // nil: not known
}

// Compare compares runs, the others with the first, by their results and what is
// known of their course: both lists in the same order. The error wraps ErrInvalid.
func Compare(results []core.Rollup, series []*Series) (Comparison, error) {
	var c Comparison
	var runs []core.Compared
	for i := range results {
		runs = append(runs, core.Compared{Result: results[i], Batches: &series[i].Batches})
		c.Runs = append(c.Runs, ComparedRun{Result: results[i], Points: series[i].Points})
	}
	var err error
	c.Of, err = core.Compare(runs)
	return c, err
}

// letter names a run of a comparison: A, B, C …
func letter(i int) string { return string(rune('A' + i)) }

// metricNames are the metrics of comparisons for people.
var metricNames = map[string]string{"avg": "mean latency", "p999": "p99.9", "error_rate": "error rate", "max_connections": "max connections", "max_qps": "max rate"}

func metricName(d core.Difference) string {
	name := metricNames[d.Metric]
	if name == "" {
		name = d.Metric
	}
	if d.Kind != "" {
		return Clean(d.Kind) + " " + name
	}
	return name
}

// metricValue is a value of a metric with its unit.
func metricValue(metric string, v float64) string {
	switch metric {
	case "throughput", "max_qps":
		return Rate(v) + " op/s"
	case "max_connections":
		return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0") // a mean may lie between
	case "error_rate":
		return percent(v)
	default:
		if v == 0 { // no operation succeeded
			return "-"
		}
		return Latency(seconds(v))
	}
}

// change is a change in percent, or, of an error rate, in percentage points.
func change(metric string, v float64) string {
	unit := "%"
	if metric == "error_rate" {
		unit = "pp"
	}
	digits := 1
	switch p := math.Abs(100 * v); {
	case p >= 1000 && metric != "error_rate":
		return strconv.FormatFloat(1+v, 'g', 3, 64) + " times"
	case p >= 100:
		digits = 0
	case p < 0.95:
		digits = 2
	}
	text := strconv.FormatFloat(100*v, 'f', digits, 64)
	if v > 0 {
		text = "+" + text
	}
	if strings.Trim(text, "+-0.") == "" {
		return "0"
	}
	return text + unit
}

// verdictOf is what a comparison says of one metric, in words.
func verdictOf(d core.Difference) cell {
	mark := ""
	if d.Drifts {
		mark = " (it drifts)"
	}
	switch d.Outcome {
	case core.NoDifference:
		return cell{text: "no difference seen" + mark, tone: faint}
	case core.Higher, core.Lower:
		c := cell{text: strings.ToLower(string(d.Outcome)) + ", worse" + mark, tone: bad}
		if d.Better {
			c = cell{text: strings.ToLower(string(d.Outcome)) + ", better" + mark, tone: good}
		}
		return c
	default:
		return cell{text: "cannot be told: " + Clean(d.Why), tone: doubtful}
	}
}

// wideComparison is how many columns all of a comparison takes, as a rule. On
// fewer it is shown without what can be spared.
const wideComparison = 104

// differencesTable is a run beside the first one.
func differencesTable(other string, list []core.Difference, narrow bool) table {
	t := table{
		head:  []string{"", letter(0), other, "change", "95% interval", "detectable", "what it says"},
		right: "lrrrrrl", shrink: 6, minimum: 13,
	}
	if narrow {
		t = table{head: []string{"", letter(0), other, "change", "95% interval", "what it says"}, right: "lrrrrl", shrink: 5, minimum: 13}
	}
	for _, d := range list {
		size, interval, smallest := "-", "-", "-"
		if d.Base > 0 || d.Metric == "error_rate" {
			size = change(d.Metric, d.Change)
		}
		if d.Outcome != core.UnknownOutcome {
			interval = change(d.Metric, d.Low) + " to " + change(d.Metric, d.High)
			smallest = strings.TrimPrefix(change(d.Metric, d.Smallest), "+")
		}
		says := verdictOf(d)
		row := []string{metricName(d), metricValue(d.Metric, d.Base), metricValue(d.Metric, d.Other), size, interval, smallest, says.text}
		if narrow {
			row = slices.Delete(row, 5, 6)
			row[5] = strings.Replace(row[5], "no difference seen", "no difference", 1)
		}
		t.add(row...)
		t.tint(len(row)-1, says.tone)
	}
	return t
}

// byKind parts the differences of all kinds together from those of each.
func byKind(list []core.Difference) (whole, kinds []core.Difference) {
	for _, d := range list {
		if d.Kind == "" {
			whole = append(whole, d)
		} else {
			kinds = append(kinds, d)
		}
	}
	return whole, kinds
}

// runsTable says which run each letter is.
func (c Comparison) runsTable(narrow bool) table {
	t := table{
		head:  []string{"", "run", "name", "status", "verdict", "measured", "op/s", "p50", "p95", "p99", "errors"},
		right: "lllllrrrrrr", shrink: 2, minimum: 8,
	}
	if narrow {
		t = table{head: []string{"", "run", "name", "verdict", "op/s", "p95", "errors"}, right: "llllrrr", shrink: 2, minimum: 8}
	}
	for i := range c.Runs {
		r := &c.Runs[i].Result
		total := core.Total(r.Kinds)
		q := percentiles(total.Latency())
		first, verdict := []string{letter(i), Clean(r.RunID), orDash(Clean(r.Name))}, orDash(string(r.Verdict.Level))
		if narrow {
			t.add(append(first, verdict, Rate(r.Throughput), q[1], Count(total.Errors))...)
			t.tint(3, verdictTone(r.Verdict.Level))
			continue
		}
		t.add(append(first, string(r.Status), verdict, Span(seconds(r.Seconds)), Rate(r.Throughput), q[0], q[1], q[2], Count(total.Errors))...)
		t.tint(3, statusTone(r.Status))
		t.tint(4, verdictTone(r.Verdict.Level))
	}
	return t
}

func unlikeTable(other string, list []core.Unlikeness) table {
	t := table{head: []string{"", letter(0), other}, right: "lll", shrink: 2, minimum: 12}
	for _, u := range list {
		t.add(Clean(u.What), orDash(Clean(u.Base)), orDash(Clean(u.Other)))
	}
	return t
}

// comparisonNote is what every comparison says of itself.
const comparisonNote = "A difference is seen when its 95% interval does not hold zero; detectable is the smallest change that would be seen four times in five; pp are percentage points. The interval says how sure the difference of these two runs is, by how much each moved about while it was measured; it does not say that two other runs would differ as much. Repeat runs to know that."

// CompareText writes a comparison for people.
func CompareText(w io.Writer, c Comparison, options ...Option) error {
	p := newPage(w, options)
	narrow := p.width > 0 && p.width < wideComparison
	p.table(c.runsTable(narrow))
	for i, o := range c.Of.Others {
		name := letter(i + 1)
		p.print("\n")
		p.line("%s beside %s", name, letter(0))
		p.table(differencesTable(name, o.Differences, narrow))
		if len(o.Unlike) > 0 {
			p.print("\n")
			p.line("what else is not alike")
			p.table(unlikeTable(name, o.Unlike))
		}
	}
	p.print("\n")
	for _, r := range c.Of.Reservations {
		p.prose("- ", Clean(r))
	}
	p.prose("- ", comparisonNote)
	return p.err
}

// overlay draws one metric of all runs, from the beginning of each measurement.
func (c Comparison) overlay(id, title string, y chart.Axis, value func(*Point) (float64, bool)) chart.Chart {
	out := chart.Chart{ID: id, Title: title, Y: y, X: chart.Axis{Label: "time since the measurement began (min:s)", Unit: chart.Elapsed}}
	for i, r := range c.Runs {
		var measured []Point
		begin := 0.0
		for _, p := range r.Points {
			if p.Phase != core.Measurement {
				continue
			}
			if len(measured) == 0 {
				begin = max(0, p.Elapsed-p.Seconds)
			}
			p.Elapsed -= begin
			measured = append(measured, p)
		}
		line := over(measured, value)
		out.Series = append(out.Series, chart.Series{Name: c.label(i), Tone: i, Points: line})
		if low, mean, high, ok := measuredRange(measured, value); ok {
			say := Rate
			if y.Unit == chart.Latency {
				say = func(v float64) string { return Latency(seconds(v)) }
			}
			out.Summary += fmt.Sprintf("%s: from %s to %s, mean %s. ", c.label(i), say(low), say(high), say(mean))
		}
	}
	return out
}

// label is a run's letter and name.
func (c Comparison) label(i int) string {
	return strings.TrimSpace(letter(i) + " " + Clean(c.Runs[i].Result.Name))
}

// Charts are the runs drawn over each other.
func (c Comparison) Charts() []chart.Chart {
	latency := chart.Axis{Label: "latency", Unit: chart.Latency, Scale: chart.Automatic}
	charts := []chart.Chart{
		c.overlay("compare-throughput", "Throughput", chart.Axis{Label: "operations per second", Unit: chart.Rate}, func(p *Point) (float64, bool) { return p.Throughput, true }),
		c.overlay("compare-p50", "Latency p50", latency, func(p *Point) (float64, bool) { return p.P50 / 1000, p.OK > 0 }),
		c.overlay("compare-p99", "Latency p99", latency, func(p *Point) (float64, bool) { return p.P99 / 1000, p.OK > 0 }),
	}
	d := chart.Chart{ID: "compare-percentiles", Title: "Latency at each percentile", X: chart.Axis{Label: "percentile of operations", Unit: chart.Percentile, Scale: chart.Tail}, Y: latency}
	for i := range c.Runs {
		total := core.Total(c.Runs[i].Result.Kinds)
		d.Series = append(d.Series, chart.Series{Name: c.label(i), Tone: i, Points: percentileLine(total.Latency())})
		if q := percentiles(total.Latency()); total.OK > 0 {
			d.Summary += fmt.Sprintf("%s: half took at most %s, 95%% %s, 99%% %s, the longest %s. ", c.label(i), q[0], q[1], q[2], q[4])
		}
	}
	return append(charts, d)
}

// sheet is a comparison as a document.
func (c Comparison) sheet() sheet {
	var names []string
	for i := range c.Runs {
		names = append(names, c.label(i))
	}
	s := sheet{kind: "comparison", title: strings.Join(names, ", "), foot: Clean(c.Made)}
	s.lead = []cell{{text: fmt.Sprintf("%s, the others beside %s", plural(len(c.Runs), "run"), letter(0)), tone: faint}}
	for i, o := range c.Of.Others {
		for _, d := range o.Differences {
			if d.Kind == "" && (d.Metric == "throughput" || d.Metric == "p95") {
				s.figures = append(s.figures, differenceFigure(letter(i+1), d))
			}
		}
	}
	s.add("runs", "Runs", tableBlock(c.runsTable(false)))
	var charts []block
	for _, drawing := range c.Charts() {
		charts = append(charts, chartBlock(drawing))
	}
	s.add("overlays", "Over each other", charts...)
	for i, o := range c.Of.Others {
		name := letter(i + 1)
		whole, kinds := byKind(o.Differences)
		s.add("beside-"+name, name+" beside "+letter(0), tableBlock(differencesTable(name, whole, false)), tableBlock(differencesTable(name, kinds, false)))
	}
	var reservations []cell
	for _, r := range append(append([]string{}, c.Of.Reservations...), comparisonNote) {
		reservations = append(reservations, cell{text: Clean(r)})
	}
	s.add("mind", "To keep in mind", block{list: reservations})
	for i, o := range c.Of.Others {
		name := letter(i + 1)
		s.add("unlike-"+name, "What else is not alike: "+name, tableBlock(unlikeTable(name, o.Unlike)))
	}
	return s
}

func differenceFigure(name string, d core.Difference) figure {
	f := figure{name: name + " " + metricName(d), value: change(d.Metric, d.Change), note: change(d.Metric, d.Low) + " to " + change(d.Metric, d.High)}
	switch {
	case d.Outcome == core.UnknownOutcome:
		f.value, f.note, f.tone = "unknown", Clean(d.Why), doubtful
	case d.Outcome == core.NoDifference:
		f.note = verdictOf(d).text
	case d.Better:
		f.tone = good
	default:
		f.tone = bad
	}
	return f
}

// CompareHTML writes a comparison as one file that needs nothing else.
func CompareHTML(w io.Writer, c Comparison) error { return writeHTML(w, c.sheet()) }

// CompareMarkdown writes a comparison as GitHub Flavored Markdown, without charts.
func CompareMarkdown(w io.Writer, c Comparison) error { return writeMarkdown(w, c.sheet()) }
