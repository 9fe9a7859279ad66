package report

import (
	"fmt"
	"strings"

	"github.com/benchfleet/benchfleet/core"
)

// sheet is the result of a run as a document.
func (r Result) sheet() sheet {
	v := r.view()
	s := sheet{kind: "run", title: orDash(Clean(v.parent.Name)), foot: r.foot(v)}
	s.badges = []cell{{text: string(v.status), tone: statusTone(v.status)}}
	if v.reason != "" {
		s.badges = append(s.badges, cell{text: Clean(string(v.reason))})
	}
	if r.Parent != nil {
		s.badges = append(s.badges, cell{text: "verdict " + orDash(string(r.Parent.Verdict.Level)), tone: verdictTone(r.Parent.Verdict.Level)})
	}
	s.lead = r.lead(v)
	if r.Parent == nil {
		s.add("result", "Result", prose(neutral, v.without()))
	} else {
		s.figures = keyFigures(r.Parent)
		s.add("verdict", "Verdict", verdictBlocks(r.Parent.Verdict)...)
		s.add("search", "The most that the target bears", searchBlocks(r.Parent.Search)...)
		s.add("objectives", "Objectives", tableBlock(objectives(r.Parent.SLOs)))
		s.add("budget", "Budget", tableBlock(budgetTable(r.Parent.Budget)))
		s.add("operations", "Operations", tableBlock(measured(r.Parent)))
	}
	s.add("time", "Over time", r.overTime()...)
	if r.Parent != nil {
		s.add("distribution", "Latency distribution", chartBlock(DistributionChart(r.Parent.Kinds)))
		s.add("errors", "Errors by class", tableBlock(failures(r.Parent.Kinds)))
		s.add("workers", "Workers", tableBlock(workerResults(r.Children)))
		s.add("harness", "Load generator", harnessBlocks(r.Parent, r.Children)...)
		s.add("ledger", "Ledger", ledgerBlocks(r.Parent)...)
	}
	s.add("stop", "Stop certificate", certificateBlocks(v.certificate)...)
	s.add("findings", "Preflight", tableBlock(findingsTable(r.Run.Findings)))
	s.add("scenario", "Scenario", scenarioBlocks(v.parent.Scenario)...)
	s.add("environment", "Environment", factsBlock(cleanFacts(v.parent.Environment)...))
	s.add("events", "Control events", tableBlock(eventsTable(r.Events)))
	return s
}

// foot says what the document is of, and when it was made.
func (r Result) foot(v view) string {
	text := "run " + Clean(v.id)
	if r.Location != "" {
		text += " in " + Clean(r.Location)
	}
	if r.Made != "" {
		text += "; " + Clean(r.Made)
	}
	return text
}

// lead is what is said before the numbers: what was run, and what is wrong.
func (r Result) lead(v view) []cell {
	lead := []cell{{text: "run " + Clean(v.id), tone: faint}}
	say := func(t tone, text string) { lead = append(lead, cell{text: text, tone: t}) }
	switch {
	case r.Parent != nil && !v.status.Terminal():
		say(doubtful, "INTERIM RESULT: the run is still "+string(v.status))
	case r.Parent != nil && v.partial:
		say(statusTone(v.status), "PARTIAL RESULT: the run is "+string(v.status))
	}
	if v.detail != "" {
		say(neutral, Clean(v.detail))
	}
	if sc := v.parent.Scenario; sc != nil {
		say(neutral, fmt.Sprintf("%s, %s, on %s (%s) table %s with %s", plural(v.workers, "worker"), plural(v.connections, "connection"),
			orDash(Clean(sc.Target.Endpoint)), Clean(sc.Target.Kind), Clean(sc.Table.Name), plural(sc.Table.Rows, "row")))
	}
	text := "started " + moment(v.start) + ", ended " + moment(v.end)
	if v.parent.Seconds > 0 {
		text = "measured " + Span(seconds(v.parent.Seconds))
		if sc := v.parent.Scenario; sc != nil {
			text += planned(sc.Load)
		}
		text += ", started " + moment(v.start) + ", ended " + moment(v.end)
	}
	say(neutral, text)
	return lead
}

func keyFigures(p *core.Rollup) []figure {
	total := core.Total(p.Kinds)
	q := percentiles(total.Latency())
	failed := figure{name: "errors", value: Count(total.Errors), note: "none"}
	if total.Errors > 0 {
		failed.tone = bad
		failed.note = percent(float64(total.Errors)/float64(total.OK+total.Errors)) + " of what ended"
	}
	return []figure{
		{name: "throughput", value: Rate(p.Throughput) + " op/s", note: Count(total.Started) + " operations"},
		{name: "latency p50", value: q[0], note: "half took at most this"},
		{name: "latency p95", value: q[1], note: "1 in 20 took longer"},
		{name: "latency p99", value: q[2], note: "1 in 100 took longer"},
		failed,
		{name: "coverage", value: percent(p.Coverage), note: "of the load was made"},
	}
}

func verdictBlocks(v core.Verdict) []block {
	text := map[core.VerdictLevel]string{
		core.Valid:      "VALID: the numbers may be trusted.",
		core.Degraded:   "DEGRADED: the numbers may be trusted in part.",
		core.InvalidRun: "INVALID: the numbers may not be trusted.",
	}[v.Level]
	if text == "" {
		text = orDash(Clean(string(v.Level)))
	}
	blocks := []block{prose(verdictTone(v.Level), text)}
	var reasons []cell
	for _, reason := range v.Reasons {
		reasons = append(reasons, cell{text: Clean(reason)})
	}
	return append(blocks, block{list: reasons})
}

// overTime are the charts of the whole run, and the phases in figures.
func (r Result) overTime() []block {
	if len(r.Points) == 0 {
		return nil
	}
	var slos []core.SLOResult
	if r.Parent != nil {
		slos = r.Parent.SLOs
	}
	blocks := []block{chartBlock(ThroughputChart(r.Points, slos)), chartBlock(LatencyChart(r.Points, slos))}
	if c, ok := ErrorChart(r.Points); ok {
		blocks = append(blocks, chartBlock(c))
	}
	return append(blocks, tableBlock(phasesTable(r.Points)))
}

// phasesTable is what each phase did, by its intervals.
func phasesTable(points []Point) table {
	t := table{head: []string{"phase", "from", "to", "intervals", "mean op/s", "lowest", "highest", "errors"}, right: "lrrrrrrr", minimum: 10}
	at := lastings(points)
	for _, band := range Phases(points) {
		var low, high, ok, length float64
		n, errors := 0, uint64(0)
		for i, p := range points {
			if string(p.Phase) != band.Name || at[i].from < band.From || at[i].from >= band.To {
				continue
			}
			if n == 0 {
				low, high = p.Throughput, p.Throughput
			}
			low, high = min(low, p.Throughput), max(high, p.Throughput)
			ok, length, errors, n = ok+float64(p.OK), length+p.Seconds, errors+p.Errors, n+1
		}
		if length > 0 {
			t.add(Clean(band.Name), Span(seconds(band.From)), Span(seconds(band.To)), Count(n), Rate(ok/length), Rate(low), Rate(high), Count(errors))
		}
	}
	return t
}

func ledgerBlocks(p *core.Rollup) []block {
	l := &p.Ledger
	balance := prose(good, "Balanced: every operation is accounted for.")
	if !l.Balanced {
		balance = prose(bad, "NOT BALANCED: "+Clean(l.Problem))
	}
	t := table{head: []string{"", "operations"}, right: "lr"}
	for _, row := range []struct {
		name string
		n    uint64
	}{
		{"scheduled", l.Scheduled}, {"  started", l.Started}, {"    ok", l.OK}, {"    errors", l.Errors}, {"    aborted by the stop", l.Aborted},
		{"    lost with their worker", l.Lost}, {"  skipped, too late to be started", l.Skipped}, {"  unserved, due when the load ended", l.Unserved},
	} {
		t.add(row.name, Count(row.n))
	}
	if l.Late > 0 {
		t.add("of the started, more than "+core.LateAfter.String()+" late", Count(l.Late))
		t.add("of these, though a connection was waiting", Count(l.Overslept))
	}
	return []block{balance, tableBlock(t), factsBlock(core.Fact{Name: "operation hash", Value: fmt.Sprintf("%016x", p.Hash)})}
}

// certificateBlocks are the stop certificate with the ends of all workers.
func certificateBlocks(c *core.Certificate) []block {
	if c == nil {
		return nil
	}
	clean := prose(good, "Clean: every worker reported and ended by itself, and the target runs nothing of this run any more.")
	if !c.Clean {
		clean = prose(doubtful, "Not clean.")
	}
	running := cell{text: Count(c.Target.Count)}
	switch {
	case !c.Target.Known:
		running = cell{text: "unknown: " + orDash(Clean(c.Target.Why)), tone: doubtful}
	case c.Target.Count > 0:
		running.tone = bad
	}
	facts := factsBlock(
		core.Fact{Name: "asked for", Value: strings.TrimSuffix(moment(c.RequestedAt)+" by "+Clean(c.RequestedBy), " by ")},
		core.Fact{Name: "why", Value: Clean(string(c.Reason))},
		core.Fact{Name: "highest rung", Value: c.HighestRung.String()},
		core.Fact{Name: "last new operation", Value: stageText(c.Stages.LastNewOperation)},
		core.Fact{Name: "last operation in flight", Value: stageText(c.Stages.LastInFlight)},
		core.Fact{Name: "all workers gone", Value: stageText(c.Stages.WorkersGone)},
		core.Fact{Name: "still running on the target", Value: running.text},
	)
	t := table{head: []string{"worker", "last new operation", "last in flight", "gone", "rung", "final report", "how it ended"}, right: "lrrrlll", shrink: 6}
	for _, w := range c.Workers {
		reported := "yes"
		if !w.Reported {
			reported = "no"
		}
		t.add(Clean(w.ID), clock(w.LastStart), clock(w.LastEnd), clock(w.GoneAt), w.Rung.String(), reported, Clean(w.Ending))
	}
	blocks := []block{clean}
	if len(c.Orphans) > 0 {
		blocks = append(blocks, prose(bad, "ORPHANS that may be alive: "+Clean(strings.Join(c.Orphans, ", "))))
	}
	return append(blocks, facts, tableBlock(t))
}

func findingsTable(findings []core.Finding) table {
	t := table{head: []string{"severity", "check", "message", "to mend it"}, right: "llll", shrink: 2}
	errors, warnings, fine := bySeverity(findings)
	for _, group := range [][]core.Finding{errors, warnings, fine} {
		for _, f := range group {
			t.add(Clean(string(f.Severity)), Clean(f.ID), Clean(f.Message), Clean(f.Mend))
			switch f.Severity {
			case core.SeverityOK:
				t.tint(0, good)
			case core.SeverityWarning:
				t.tint(0, doubtful)
			default:
				t.tint(0, bad)
			}
		}
	}
	return t
}

func cleanFacts(facts []core.Fact) []core.Fact {
	var list []core.Fact
	for _, f := range facts {
		list = append(list, core.Fact{Name: Clean(f.Name), Value: Clean(f.Value)})
	}
	return list
}
