package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// view is a Result with what is missing in one of its parts taken from another.
type view struct {
	id                   string
	status               core.Status
	reason               core.Reason
	detail               string
	partial              bool
	begun                bool // START was published: workers may have made load
	start, end           time.Time
	workers, connections int
	parent               core.Rollup
	certificate          *core.Certificate
}

func (r Result) view() view {
	v := view{
		id: r.Run.ID, status: r.Run.Status, reason: r.Run.Reason, detail: r.Run.Detail,
		begun: !r.Run.Origin.IsZero(),
		start: r.Run.StartedAt, end: r.Run.EndedAt, workers: r.Run.Asked(), connections: r.Run.Plan.Connections,
	}
	if r.Parent == nil && r.Scenario != nil {
		v.parent.Name, v.parent.TemplateID, v.parent.Scenario = r.Scenario.Name, r.Scenario.TemplateID, r.Scenario
	}
	if r.Parent != nil {
		v.parent = *r.Parent
		v.certificate = r.Parent.Certificate
		v.connections = r.Parent.Connections
	}
	if r.Run.ID == "" {
		v.id, v.status, v.reason, v.detail = v.parent.RunID, v.parent.Status, v.parent.Reason, v.parent.Detail
		v.start, v.end, v.workers = v.parent.Start, v.parent.End, len(r.Children)
	}
	if v.certificate == nil && !r.Run.StopAt.IsZero() {
		c := r.Run.Certificate()
		v.certificate = &c
	}
	if v.certificate != nil && v.certificate.RequestedAt.IsZero() {
		v.certificate = nil // no stop was requested
	}
	v.partial = v.status != core.Completed
	return v
}

// without says why there is no result. What workers did of which nobody could store
// a result is not known: the store may have been lost.
func (v *view) without() string {
	switch {
	case !v.status.Terminal():
		return "there is no result yet: the run is " + string(v.status)
	case v.begun:
		return "no result is stored: what was measured is unknown"
	default:
		return "nothing was measured"
	}
}

// Text writes the result of a run for people.
func Text(w io.Writer, r Result, options ...Option) error {
	p := newPage(w, options)
	v := r.view()
	p.heading(v)
	if r.Parent == nil {
		p.print("\n")
		p.line("%s", v.without())
	} else {
		p.search(r.Parent.Search)
		p.part(measured(r.Parent))
		p.harness(r.Parent)
		p.part(failures(r.Parent.Kinds))
		p.part(objectives(r.Parent.SLOs))
		p.part(budgetTable(r.Parent.Budget))
		p.part(workerResults(r.Children))
	}
	p.findings(r.Run.Findings)
	p.print("\n")
	p.stop(v.certificate)
	p.endings(r.Children)
	if r.Parent != nil {
		p.ledger(r.Parent)
		p.verdict(r.Parent.Verdict)
	}
	if r.Location != "" {
		p.prose("result   ", Clean(r.Location)+", run "+Clean(v.id))
	}
	return p.err
}

func (p *page) heading(v view) {
	title := "run " + Clean(v.id)
	if v.parent.Name != "" {
		title += "  " + Clean(v.parent.Name)
	}
	if v.reason == "" {
		p.line("%s  %s", title, p.paint(statusTone(v.status), string(v.status)))
	} else {
		p.line("%s  %s (%s)", title, p.paint(statusTone(v.status), string(v.status)), Clean(string(v.reason)))
	}
	if v.partial && v.parent.RunID != "" {
		text := "PARTIAL RESULT: the run is " + string(v.status)
		if !v.status.Terminal() {
			text = "INTERIM RESULT: the run is still " + string(v.status)
		}
		p.prose("", p.paint(statusTone(v.status), text))
	}
	if v.detail != "" {
		p.prose("", Clean(v.detail))
	}
	if s := v.parent.Scenario; s != nil {
		p.prose("", fmt.Sprintf("%s, %s, on %s (%s) table %s with %s",
			plural(v.workers, "worker"), plural(v.connections, "connection"),
			orDash(Clean(s.Target.Endpoint)), Clean(s.Target.Kind), Clean(s.Table.Name), plural(s.Table.Rows, "row")))
	}
	if v.parent.Seconds > 0 {
		text := "measured " + Span(seconds(v.parent.Seconds))
		if s := v.parent.Scenario; s != nil {
			text += planned(s.Load)
		}
		p.prose("", text+", started "+moment(v.start))
	}
}

// planned is what was asked, beside what was measured.
func planned(load core.ScenarioLoad) string {
	text := ""
	if load.Duration > 0 {
		text += " of " + Span(load.Duration.Std())
	}
	if load.Operations > 0 {
		text += fmt.Sprintf(", bounded by %s", plural(load.Operations, "operation"))
	}
	if load.Warmup > 0 {
		text += ", warmup " + Span(load.Warmup.Std())
	}
	switch {
	case load.Search != nil && load.OpenLoop():
		text += ", searching the rate up to " + offered(&load)
	case load.Search != nil:
		text += ", searching the connections"
	case load.OpenLoop():
		text += ", open loop at " + offered(&load)
	}
	if load.Ramp != nil {
		text += ", ramp " + ramp(&load)
	}
	if load.ThinkTime > 0 {
		text += ", think time " + Latency(load.ThinkTime.Std())
	}
	return text
}

// measured is the table of kinds and their total.
func measured(parent *core.Rollup) table {
	total := core.Total(parent.Kinds)
	t := table{
		head:  []string{"operation", "count", "op/s", "p50", "p95", "p99", "p99.9", "max", "errors"},
		right: "lrrrrrrrr", minimum: 10,
	}
	for i := range parent.Kinds {
		k := &parent.Kinds[i]
		t.kind(k, core.ThroughputOf(parent.Throughput, k, &total))
		t.statements(k)
	}
	t.kind(&total, parent.Throughput)
	return t
}

// part writes a table behind an empty line, if it has rows.
func (p *page) part(t table) {
	if len(t.rows) > 0 {
		p.print("\n")
		p.table(t)
	}
}

func (t *table) kind(k *core.KindMetrics, throughput float64) {
	row := []string{Clean(k.Kind), Count(k.Started), Rate(throughput)}
	row = append(row, percentiles(k.Latency())...)
	t.add(append(row, Count(k.Errors))...)
	if k.Errors > 0 {
		t.tint(len(row), bad)
	}
}

// statements are the parts of a transaction, below it. That which has succeeded is
// in them, so they have neither a rate nor errors of their own.
func (t *table) statements(k *core.KindMetrics) {
	for i := range k.Statements {
		s := &k.Statements[i]
		row := append([]string{"  " + statementName(s.Name), Count(s.Service.Count()), ""}, percentiles(&s.Service)...)
		t.add(append(row, "")...)
	}
}

// statementName is the name of a part as it is shown: most have a number for one.
func statementName(name string) string {
	if _, err := strconv.Atoi(name); err == nil {
		return "statement " + name
	}
	return Clean(name)
}

// percentiles are p50, p95, p99, p99.9 and the maximum.
func percentiles(h *core.Histogram) []string {
	if h.Count() == 0 {
		return []string{"-", "-", "-", "-", "-"}
	}
	return []string{
		Latency(h.Quantile(0.5)), Latency(h.Quantile(0.95)), Latency(h.Quantile(0.99)),
		Latency(h.Quantile(0.999)), Latency(h.Max()),
	}
}

// failures lists the classes of errors with an example each.
func failures(kinds []core.KindMetrics) table {
	t := table{head: []string{"errors in", "class", "count", "example"}, right: "llrl", shrink: 3, minimum: 12}
	for i := range kinds {
		for _, f := range kinds[i].Failures {
			t.add(Clean(kinds[i].Kind), Clean(f.Class), Count(f.Count), Clean(f.Example))
		}
	}
	return t
}

func objectives(slos []core.SLOResult) table {
	t := table{head: []string{"objective", "measured", ""}, right: "lrl", minimum: 20}
	for _, s := range slos {
		switch {
		case s.Mostly:
			t.add(Clean(s.Text), achieved(s), "met in most windows")
			t.tint(2, good)
		case s.Met:
			t.add(Clean(s.Text), achieved(s), "met")
			t.tint(2, good)
		case s.Unknown:
			t.add(Clean(s.Text), "", "none occurred")
		default:
			t.add(Clean(s.Text), achieved(s), "MISSED")
			t.tint(2, bad)
		}
	}
	return t
}

// achieved is what was measured of an objective.
func achieved(s core.SLOResult) string {
	if s.MissedFor > 0 {
		return measure(s) + ", missed for " + Span(s.MissedFor.Std())
	}
	return measure(s)
}

func measure(s core.SLOResult) string {
	switch s.Metric {
	case "throughput":
		return Rate(s.Measured) + "/s"
	case "error_rate":
		return percent(s.Measured)
	default:
		return Latency(seconds(s.Measured))
	}
}

func workerResults(children []core.Rollup) table {
	t := table{
		head:  []string{"worker", "conn", "count", "op/s", "p50", "p99", "errors", "cover", "cpu"},
		right: "lrrrrrrrr", minimum: 10,
	}
	for i := range children {
		c := &children[i]
		total := core.Total(c.Kinds)
		q := percentiles(total.Latency())
		t.add(Clean(c.WorkerID), strconv.Itoa(c.Connections), Count(total.Started), Rate(c.Throughput),
			q[0], q[2], Count(total.Errors), percent(c.Coverage), Span(seconds(c.CPUSeconds)))
		t.rows[len(t.rows)-1][7].share = &c.Coverage
		if c.Status == core.Failed {
			t.tint(0, bad)
		}
	}
	return t
}

// endings says how the workers ended, those that ended alike together.
func (p *page) endings(children []core.Rollup) {
	var texts []string
	workers := map[string][]string{}
	for i := range children {
		c := &children[i]
		text := Clean(c.WorkerEnding)
		if c.Detail != "" {
			text = strings.TrimPrefix(text+": "+Clean(c.Detail), ": ")
		}
		if workers[text] == nil {
			texts = append(texts, text)
		}
		workers[text] = append(workers[text], Clean(c.WorkerID))
	}
	mark := "workers  "
	for _, text := range texts {
		const listed = 5
		names := workers[text]
		who := strings.Join(names[:min(len(names), listed)], ", ")
		if more := len(names) - listed; more > 0 {
			who += fmt.Sprintf(" and %d more", more)
		}
		p.prose(mark, who+": "+orDash(text))
		mark = "         "
	}
}

func (p *page) ledger(parent *core.Rollup) {
	l := &parent.Ledger
	text := fmt.Sprintf("%s scheduled = %s started + %s skipped + %s unserved; started = %s ok + %s errors + %s aborted + %s lost",
		Count(l.Scheduled), Count(l.Started), Count(l.Skipped), Count(l.Unserved), Count(l.OK), Count(l.Errors), Count(l.Aborted), Count(l.Lost))
	if l.Late > 0 {
		text += fmt.Sprintf("; %s of those started were more than %s late", Count(l.Late), core.LateAfter)
	}
	if !l.Balanced {
		text = p.paint(bad, "NOT BALANCED") + ": " + Clean(l.Problem)
	}
	p.prose("ledger   ", text)
	p.line("hash     %016x", parent.Hash)
}

func (p *page) verdict(v core.Verdict) {
	p.line("verdict  %s", p.paint(verdictTone(v.Level), orDash(string(v.Level))))
	for _, reason := range v.Reasons {
		p.prose("         - ", Clean(reason))
	}
}
