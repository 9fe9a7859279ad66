package cli

import (
	"io"
	"os"
	"sync/atomic"

	"github.com/benchfleet/benchfleet/cmd/benchfleet/live"
	"github.com/benchfleet/benchfleet/report"
	"github.com/benchfleet/benchfleet/runner"
	"github.com/charmbracelet/x/term"
	"github.com/mattn/go-isatty"
)

// Display shows a run while it goes on: a live view on a terminal, a line for
// each interval elsewhere.
type Display struct {
	live.Display
	over atomic.Bool // the run has ended, as far as this process knows
}

// newDisplay shows on stderr, so that stdout holds the result alone.
func (a *app) newDisplay() *Display {
	if a.terminal(a.err) {
		return &Display{Display: live.Start(a.err, live.Options{Colours: a.colours()})}
	}
	return &Display{Display: live.Plain(a.err)}
}

// Observe shows an observation.
func (d *Display) Observe(o runner.Observation) {
	d.over.Store(o.Run.Status.Terminal())
	d.Show(live.Snapshot(o))
}

// terminal reports whether w is a terminal that can be drawn on.
func (a *app) terminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	kind, _ := a.lookup("TERM")
	return ok && kind != "dumb" && isatty.IsTerminal(file.Fd())
}

// colours reports whether terminals get them: https://no-color.org.
func (a *app) colours() bool {
	_, off := a.lookup("NO_COLOR")
	return !off
}

// layout is how text is laid out on stdout: to the width of a terminal and with
// colours, or plain.
func (a *app) layout() []report.Option {
	if !a.terminal(a.out) {
		return nil
	}
	options := []report.Option{}
	if a.colours() {
		options = append(options, report.Colours())
	}
	if width, _, err := term.GetSize(a.out.(*os.File).Fd()); err == nil {
		options = append(options, report.Width(width))
	}
	return options
}
