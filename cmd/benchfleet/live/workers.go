package live

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/report"
)

const maxWorkerID = 24 // columns

// workers is a line for each worker, at most room of them. When there are more
// workers, those in trouble come first, and the last line counts the rest.
func (v *view) workers(room int) []string {
	shown := v.Workers
	rest := 0
	if len(shown) > room {
		shown = foremost(shown, room-1)
		rest = len(v.Workers) - len(shown)
	}
	width := 0
	for _, h := range shown {
		width = max(width, ansi.StringWidth(brief(h.ID, maxWorkerID)))
	}
	var lines []string
	for _, h := range shown {
		lines = append(lines, v.worker(h, width))
	}
	if rest > 0 {
		lines = append(lines, v.paint.faint(fmt.Sprintf("and %d more workers", rest)))
	}
	return lines
}

// foremost picks workers in trouble, then others, and keeps their order.
func foremost(all []core.WorkerHealth, count int) []core.WorkerHealth {
	if count <= 0 {
		return nil
	}
	picked := make([]bool, len(all))
	for _, trouble := range []bool{true, false} {
		for i, h := range all {
			if count > 0 && !picked[i] && troubled(h) == trouble {
				picked[i] = true
				count--
			}
		}
	}
	var out []core.WorkerHealth
	for i, h := range all {
		if picked[i] {
			out = append(out, h)
		}
	}
	return out
}

func troubled(h core.WorkerHealth) bool {
	return h.Health == core.Stale || h.Health == core.Lost || h.Life == core.Orphan || h.Errors > 0 || h.LastError != ""
}

func (v *view) worker(h core.WorkerHealth, width int) string {
	state, mark := string(h.State), v.paint.faint("·")
	switch {
	case h.Life == core.Orphan || h.Health == core.Lost:
		mark, state = v.paint.bad("✗"), string(core.Lost)
	case h.Health == core.Stale:
		mark, state = v.paint.doubtful("?"), fmt.Sprintf("STALE %s", report.Span(h.Age.Round(1e8)))
	case h.Health == core.Healthy:
		mark = v.paint.good("●")
	}
	if state == "" || h.Ending != "" {
		state = strings.ToLower(string(h.Life))
	}
	id := brief(h.ID, maxWorkerID)
	id += strings.Repeat(" ", width-ansi.StringWidth(id))
	line := fmt.Sprintf("%s %s  %-11s", mark, id, state)
	switch {
	case h.Ending != "":
		return line + "  " + v.paint.faint(report.Clean(h.Ending))
	case h.Life == core.Planned:
		return line
	}
	line += fmt.Sprintf("  %7s conn", fmt.Sprintf("%d/%d", h.Connections, h.Target))
	if h.State == core.WorkerRunning || h.State == core.WorkerDraining {
		line += fmt.Sprintf("  %9s op/s  cpu %3.0f%%", report.Rate(h.Throughput), h.CPU)
	}
	if h.Errors > 0 {
		line += "  " + v.paint.bad("errors "+report.Count(h.Errors))
	}
	if h.LastError != "" {
		line += "  " + v.paint.bad(report.Clean(h.LastError))
	}
	return line
}
