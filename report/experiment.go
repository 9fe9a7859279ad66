package report

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/benchfleet/benchfleet/core"
)

// wideExperiment is how many columns all of an experiment takes, as a rule.
const wideExperiment = 112

// membersTable is the runs of an experiment.
func membersTable(e core.Experiment, narrow bool) table {
	t := table{
		head:  []string{"", "run", "name", "status", "verdict", "measured", "op/s", "p50", "p95", "p99", "errors"},
		right: "lllllrrrrrr", shrink: 2, minimum: 8,
	}
	if narrow {
		t = table{head: []string{"", "run", "verdict", "op/s", "p95", "errors"}, right: "lllrrr", shrink: 1, minimum: 12}
	}
	for i := range e.Members {
		m := &e.Members[i]
		r := &m.Result
		place := strconv.Itoa(m.Slot.Round)
		if m.Slot.Side != "" {
			place += " " + m.Slot.Side
		}
		total := core.Total(r.Kinds)
		q := percentiles(total.Latency())
		verdict, status := orDash(string(r.Verdict.Level)), verdictTone(r.Verdict.Level)
		if narrow {
			t.add(place, Clean(r.RunID), verdict, Rate(r.Throughput), q[1], Count(total.Errors))
			t.tint(2, status)
			continue
		}
		t.add(place, Clean(r.RunID), orDash(Clean(r.Name)), string(r.Status), verdict, Span(seconds(r.Seconds)), Rate(r.Throughput), q[0], q[1], q[2], Count(total.Errors))
		t.tint(3, statusTone(r.Status))
		t.tint(4, status)
	}
	return t
}

// repeatedTable is the metrics of a repetition.
func repeatedTable(r core.Repetition, narrow bool) table {
	t := table{head: []string{"", "mean", "deviation", "variation", "95% interval of the mean", "least", "most"}, right: "lrrrrrr", shrink: 0, minimum: 10}
	if narrow {
		t = table{head: []string{"", "mean", "deviation", "95% interval of the mean"}, right: "lrrr", shrink: 0, minimum: 10}
	}
	add := func(row ...string) {
		if narrow {
			row = []string{row[0], row[1], row[2], row[4]}
		}
		t.add(row...)
	}
	for _, m := range r.Metrics {
		name := metricName(core.Difference{Kind: m.Kind, Metric: m.Metric})
		show := func(v float64) string { return metricValue(m.Metric, v) }
		if m.Runs == 0 {
			add(name, "-", "-", "-", "-", "-", "-")
			continue
		}
		deviation, variation, interval := "-", "-", "-"
		if m.Runs > 1 {
			deviation = deviationOf(m)
			if m.Metric != "error_rate" {
				variation = percent(m.Deviation / m.Mean)
			}
		}
		if m.Known {
			interval = show(m.Low) + " to " + show(m.High)
		}
		add(name, show(m.Mean), deviation, variation, interval, show(m.Least), show(m.Most))
	}
	return t
}

func deviationOf(m core.RepeatedMetric) string {
	if m.Deviation == 0 {
		return "0"
	}
	return metricValue(m.Metric, m.Deviation)
}

// repetitionNotes are what is to be kept in mind with a repetition.
func repetitionNotes(r core.Repetition) (list []string) {
	list = append(list, cleaned(r.Reservations)...)
	var why []string
	for _, m := range r.Metrics {
		if m.Why != "" && !slices.Contains(why, m.Why) {
			why = append(why, m.Why)
		}
	}
	return append(append(list, cleaned(why)...), "The unit is the run: the interval is of the mean over runs like these, made one after another on the same machine; how much a run moves about within itself is not in it.")
}

func cleaned(list []string) []string {
	out := make([]string, len(list))
	for i, text := range list {
		out[i] = Clean(text)
	}
	return out
}

// RepetitionText writes a repetition for people.
func RepetitionText(w io.Writer, r core.Repetition, options ...Option) error {
	p := newPage(w, options)
	p.line("group %s: %d of %d runs count", Clean(r.Group), r.Counted, r.Planned)
	p.print("\n")
	narrow := p.width > 0 && p.width < wideExperiment
	p.table(membersTable(r.Experiment, narrow))
	p.print("\n")
	p.table(repeatedTable(r, narrow))
	p.print("\n")
	for _, note := range repetitionNotes(r) {
		p.prose("- ", note)
	}
	return p.err
}

// RepetitionMarkdown writes a repetition as GitHub Flavored Markdown.
func RepetitionMarkdown(w io.Writer, r core.Repetition) error {
	s := sheet{kind: "repetition", title: Clean(r.Group)}
	s.lead = []cell{{text: fmt.Sprintf("%d of %d runs count", r.Counted, r.Planned)}}
	s.add("metrics", "Metrics", tableBlock(repeatedTable(r, false)))
	s.add("runs", "Runs", tableBlock(membersTable(r.Experiment, false)))
	s.add("mind", "To keep in mind", listBlock(repetitionNotes(r)))
	return writeMarkdown(w, s)
}

func listBlock(list []string) block {
	var b block
	for _, text := range list {
		b.list = append(b.list, cell{text: text})
	}
	return b
}

// effectVerdict is what an experiment says of one metric, in words.
func effectVerdict(e core.Effect) cell {
	switch {
	case !e.Known:
		return cell{text: "cannot be told: " + Clean(e.Why), tone: doubtful}
	case e.Hint:
		return cell{text: "no difference seen (alone it would be)", tone: doubtful}
	case e.Outcome == core.NoDifference:
		return cell{text: "no difference seen", tone: faint}
	case e.Better:
		return cell{text: strings.ToLower(string(e.Outcome)) + ", better", tone: good}
	default:
		return cell{text: strings.ToLower(string(e.Outcome)) + ", worse", tone: bad}
	}
}

func effectName(e core.Effect) string {
	return metricName(core.Difference{Kind: e.Kind, Metric: e.Metric})
}

// effectsTable is the metrics of an A/B experiment.
func effectsTable(list []core.Effect, narrow bool) table {
	t := table{
		head:  []string{"", "A", "B", "B beside A", "95% interval", "detectable", "effect size", "rounds for 5%", "what it says"},
		right: "lrrrrrrrl", shrink: 8, minimum: 13,
	}
	if narrow {
		t = table{head: []string{"", "A", "B", "B beside A", "95% interval", "what it says"}, right: "lrrrrl", shrink: 5, minimum: 13}
	}
	for _, e := range list {
		name := effectName(e)
		if e.Primary {
			name += " *"
		}
		size, interval, smallest, d, rounds := "-", "-", "-", "-", "-"
		if e.Rounds > 0 {
			size = change(e.Metric, e.Change)
		}
		if e.Known {
			interval = change(e.Metric, e.Low) + " to " + change(e.Metric, e.High)
			smallest = strings.TrimPrefix(change(e.Metric, e.Smallest), "+")
			d = strconv.FormatFloat(e.Size, 'f', 2, 64)
			if rounds = Count(e.RoundsFor); e.RoundsFor == 0 {
				rounds = ">" + Count(core.MaxRoundsFor)
			}
			if e.Metric == "error_rate" {
				rounds = "-"
			}
		}
		says, a, b := effectVerdict(e), "-", "-"
		if e.Rounds > 0 {
			a, b = metricValue(e.Metric, e.A), metricValue(e.Metric, e.B)
		}
		row := []string{name, a, b, size, interval, smallest, d, rounds, says.text}
		if narrow {
			row = slices.Delete(row, 5, 8)
			row[5] = strings.Replace(row[5], "no difference seen", "none seen", 1)
			row[5] = strings.Replace(row[5], " (alone it would be)", "?", 1)
		}
		t.add(row...)
		t.tint(len(row)-1, says.tone)
	}
	return t
}

// conclusion says what an A/B experiment found, in one sentence of its primary metric.
func conclusion(r core.ABResult) cell {
	for _, e := range r.Metrics {
		if !e.Primary {
			continue
		}
		name, by := effectName(e), strings.TrimLeft(change(e.Metric, e.Change), "+-")
		within := fmt.Sprintf("95%% interval %s to %s, effect size %.2f", change(e.Metric, e.Low), change(e.Metric, e.High), e.Size)
		seen := strings.TrimPrefix(change(e.Metric, e.Smallest), "+") + " would have been seen four times in five"
		switch e.Outcome {
		case core.NoDifference:
			return cell{text: fmt.Sprintf("%s: no difference seen; B beside A is %s (%s), and %s.", name, change(e.Metric, e.Change), within, seen)}
		case core.Higher, core.Lower:
			judged, tone := "worse", bad
			if e.Better {
				judged, tone = "better", good
			}
			return cell{tone: tone, text: fmt.Sprintf("%s: that of B is %s by %s (%s), which is %s; %s.",
				name, strings.ToLower(string(e.Outcome)), by, within, judged, seen)}
		}
		return cell{text: fmt.Sprintf("%s: cannot be told: %s.", name, Clean(e.Why)), tone: doubtful}
	}
	return cell{text: fmt.Sprintf("%s: cannot be told.", Clean(r.Primary)), tone: doubtful}
}

// abNotes are what is to be kept in mind with an A/B experiment.
func abNotes(r core.ABResult) (list []string) {
	if r.Same {
		list = append(list, "A and B ask for the same: whatever is seen here is a false alarm")
	}
	list = append(list, cleaned(r.Reservations)...)
	note := fmt.Sprintf("* %s is the primary metric, named before the first run: of experiments without an effect it shows one in at most 5 of 100.", Clean(r.Primary))
	if r.Family > 0 {
		note += fmt.Sprintf(" The other %d are tested together (Holm): one or more of them shows one in at most 5 of 100.", r.Family)
	}
	return append(list, note,
		"The unit is the round: one run of each side, one after the other, in an order that was drawn. The interval is of each metric by itself, and so is detectable, the smallest change that would be seen four times in five (of the other metrics together less is seen); the effect size is in units of how much rounds move about (d_z, corrected by Hedges); pp are percentage points.")
}

// ABText writes an A/B experiment for people.
func ABText(w io.Writer, r core.ABResult, options ...Option) error {
	p := newPage(w, options)
	narrow := p.width > 0 && p.width < wideExperiment
	p.line("group %s: %d of %d rounds count", Clean(r.Group), r.Counted, r.Planned)
	p.print("\n")
	p.table(membersTable(r.Experiment, narrow))
	p.print("\n")
	p.table(effectsTable(r.Metrics, narrow))
	p.print("\n")
	said := conclusion(r)
	for _, line := range wrap(said.text, p.width) {
		p.print(p.paint(said.tone, line) + "\n")
	}
	if len(r.Unlike) > 0 {
		p.print("\n")
		p.line("in what A and B differ")
		p.table(unlikeTable("B", r.Unlike))
	}
	p.print("\n")
	for _, note := range abNotes(r) {
		p.prose("- ", note)
	}
	return p.err
}

// ABMarkdown writes an A/B experiment as GitHub Flavored Markdown.
func ABMarkdown(w io.Writer, r core.ABResult) error {
	s := sheet{kind: "A/B experiment", title: Clean(r.Group)}
	s.lead = []cell{conclusion(r), {text: fmt.Sprintf("%d of %d rounds count", r.Counted, r.Planned)}}
	s.add("metrics", "Metrics", tableBlock(effectsTable(r.Metrics, false)))
	s.add("unlike", "In what A and B differ", tableBlock(unlikeTable("B", r.Unlike)))
	s.add("runs", "Runs", tableBlock(membersTable(r.Experiment, false)))
	s.add("mind", "To keep in mind", listBlock(abNotes(r)))
	return writeMarkdown(w, s)
}
