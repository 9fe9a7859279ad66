package live

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/report"
)

// view is everything that one frame depends on.
type view struct {
	Snapshot
	history       []float64
	note          string
	width, height int
	paint         paint
}

// frame draws the view: lines of at most width columns, fewer than height of
// them. The last line is empty, since a terminal echoes ^C where the cursor is.
func (v *view) frame() string {
	if v.Run.ID == "" {
		return ""
	}
	lines := []string{v.title(), v.progress()}
	if v.Run.Status.Ending() {
		lines = append(lines, v.ladder())
	}
	if line := v.search(); line != "" && v.Run.Status == core.Running {
		lines = append(lines, "search      "+line)
	}
	if v.Interval != nil {
		lines = append(lines, v.now())
	}
	if len(v.Measured) > 0 {
		lines = append(lines, v.measured())
	}
	if text := report.WorkersOf(v.Run); text != "" {
		lines = append(lines, fmt.Sprintf("%-12s%s", "workers", text))
	}
	foot := []string{""}
	if v.note != "" {
		foot = []string{"", v.paint.doubtful(v.note), ""}
	}
	room := max(1, v.height-2-len(foot)-len(lines))
	if workers := v.workers(room); len(workers) > 0 {
		lines = append(append(lines, ""), workers...)
	}
	lines = lines[:min(len(lines), max(1, v.height-1-len(foot)))]
	lines = append(lines, foot...)
	for i, line := range lines {
		lines[i] = strings.TrimRight(ansi.Truncate(line, v.width, "…"), " ")
	}
	return strings.Join(lines[:min(len(lines), max(2, v.height-1))], "\n")
}

func (v *view) title() string {
	status := string(v.Run.Status)
	switch v.Run.Status {
	case core.Failed:
		status = v.paint.bad(status)
	case core.Cancelling, core.Cancelled:
		status = v.paint.doubtful(status)
	case core.Completed:
		status = v.paint.good(status)
	}
	id, name := brief(v.Run.ID, 40), brief(v.Scenario.Name, 30)
	return fmt.Sprintf("run %s  %s  %s", id, v.paint.strong(name), status)
}

// brief is stored text, safe and cut to a number of columns.
func brief(text string, columns int) string {
	return ansi.Truncate(report.Clean(text), columns, "…")
}

// progress is the stage of the run, a bar, and how long it still takes.
func (v *view) progress() string {
	stage := report.StageOf(v.Run, v.Now)
	name := fmt.Sprintf("%-12s", stage.Name)
	share, known := stage.Share(v.Now)
	left, timed := stage.Left(v.Now)
	text := ""
	switch {
	case v.Run.Status.Terminal():
		return name
	case v.Run.Status == core.Prepared:
		return name + v.paint.faint("checking that the run can be made")
	case v.Run.Status == core.Starting:
		share, known = v.ready()
		text = fmt.Sprintf("%.0f of %d workers are ready, at most %s more", share*float64(v.Run.Asked()), v.Run.Asked(), whole(left))
	case v.Run.Phase == core.Processing:
		return name + v.paint.faint(processing(v.Run))
	case stage.Deadline:
		text = "at most " + whole(left) + " more"
	case v.Run.Plan.Operations > 0 && v.Run.Phase == core.Measurement:
		total := core.Total(v.Measured)
		done := float64(total.Done()) / float64(v.Run.Plan.Operations)
		share, known = max(share, min(1, done)), true
		text = fmt.Sprintf("%s of %s operations", report.Count(total.Done()), report.Count(v.Run.Plan.Operations))
		if timed {
			text += ", at most " + whole(left) + " more"
		}
	case timed:
		text = whole(left) + " left"
	}
	if !known {
		return name + text
	}
	return name + v.bar(share, min(40, v.width-len(name)-2-ansi.StringWidth(text))) + "  " + text
}

// processing says who is left while the result is being stored. An orphan may
// live: nothing that was done has ended it.
func processing(run core.Run) string {
	orphans := 0
	for _, w := range run.Workers {
		if w.Life == core.Orphan {
			orphans++
		}
	}
	left := "no worker is left"
	switch {
	case orphans == 1:
		left = "1 worker is left, an orphan"
	case orphans > 1:
		left = fmt.Sprintf("%d workers are left, orphans", orphans)
	}
	return left + "; the result is being stored"
}

// ready is the share of the workers that are ready.
func (v *view) ready() (float64, bool) {
	count := 0
	for _, w := range v.Run.Workers {
		if w.Life == core.Ready {
			count++
		}
	}
	return float64(count) / float64(max(1, v.Run.Asked())), len(v.Run.Workers) > 0
}

// whole is a time to the second, rounded up, since 0 means over.
func whole(d time.Duration) string {
	return report.Span((d + time.Second - 1).Truncate(time.Second))
}

func (v *view) bar(share float64, width int) string {
	if width < 4 {
		return ""
	}
	full := int(share*float64(width) + 0.5)
	return v.paint.good(strings.Repeat("█", full)) + v.paint.faint(strings.Repeat("░", width-full))
}

// ladder shows the rungs of the STOP ladder and which one the run stands on.
func (v *view) ladder() string {
	var rungs []string
	for rung := core.Drain; rung <= core.Kill; rung++ {
		switch {
		case rung == v.Run.Rung:
			rungs = append(rungs, v.paint.strong("["+rung.String()+"]"))
		case rung < v.Run.Rung:
			rungs = append(rungs, rung.String())
		default:
			rungs = append(rungs, v.paint.faint(strings.ToLower(rung.String())))
		}
	}
	gone := 0
	for _, w := range v.Run.Workers[:v.Run.Asked()] {
		if !w.Life.Alive() {
			gone++
		}
	}
	text := "stop        " + strings.Join(rungs, " › ") + fmt.Sprintf("  %d of %d workers gone  %s", gone, v.Run.Asked(), v.Run.Reason)
	if v.Run.Detail != "" {
		text += ": " + report.Clean(v.Run.Detail)
	}
	return text
}

func (v *view) now() string {
	total := core.Total(v.Interval.Kinds)
	line := fmt.Sprintf("now         %9s op/s  %s  %s", report.Rate(intervalRate(v.Interval)), latencies(total.Latency()), v.errors(total.Counts))
	if room := v.width - ansi.StringWidth(line) - 2; room >= 5 {
		line += "  " + v.paint.faint(spark(v.history, min(room, 40)))
	}
	return line
}

func (v *view) measured() string {
	total := core.Total(v.Measured)
	line := fmt.Sprintf("measured    %9s op    %s  %s", report.Count(total.Done()), latencies(total.Latency()), v.errors(total.Counts))
	if most := "  max " + report.Latency(total.Latency().Max()); ansi.StringWidth(line+most) <= v.width {
		line += most
	}
	return line
}

func latencies(h *core.Histogram) string {
	show := func(q float64) string {
		if h.Count() == 0 {
			return "-"
		}
		return report.Latency(h.Quantile(q))
	}
	return fmt.Sprintf("p50 %-6s  p95 %-6s  p99 %-6s", show(0.5), show(0.95), show(0.99))
}

func (v *view) errors(c core.Counts) string {
	if c.Errors == 0 {
		return "errors 0"
	}
	return v.paint.bad("errors " + report.Count(c.Errors))
}

// intervalRate is what ended in an interval, per second.
func intervalRate(i *ports.RunInterval) float64 {
	if !(i.Seconds > 0) {
		return 0
	}
	total := core.Total(i.Kinds)
	return float64(total.OK) / i.Seconds
}

// spark draws the last values as bars of eight heights, from 0 to the highest.
func spark(values []float64, width int) string {
	bars := []rune("▁▂▃▄▅▆▇█")
	values = values[max(0, len(values)-width):]
	top := 0.0
	for _, v := range values {
		top = max(top, v)
	}
	var b strings.Builder
	for _, v := range values {
		height := 0
		if top > 0 {
			height = int(v / top * float64(len(bars)-1))
		}
		b.WriteRune(bars[min(max(height, 0), len(bars)-1)])
	}
	return b.String()
}
