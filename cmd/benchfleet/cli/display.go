package cli

import (
	"io"
	"os"

	"github.com/benchfleet/benchfleet/cmd/benchfleet/live"
	"github.com/benchfleet/benchfleet/report"
	"github.com/benchfleet/benchfleet/runner"
	"github.com/charmbracelet/x/term"
	"github.com/mattn/go-isatty"
)

// Display shows a run while it goes on: a live view on a terminal, a line for
// each interval elsewhere.
type Display struct{ live.Display }

// NewDisplay shows on out.
func NewDisplay(out io.Writer, terminal bool) *Display {
	if terminal {
		return &Display{live.Start(out, live.Options{Colours: true})}
	}
	return &Display{live.Plain(out)}
}

// Observe shows an observation.
func (d *Display) Observe(o runner.Observation) { d.Show(live.Snapshot(o)) }

// IsTerminal reports whether somebody looks at the file.
func IsTerminal(f *os.File) bool { return isatty.IsTerminal(f.Fd()) }

// layout is how text is laid out on stdout: to the width of a terminal and with
// colours, or plain.
func (a *app) layout() []report.Option {
	if !a.terminal(a.out) {
		return nil
	}
	options := []report.Option{}
	if _, off := a.lookup("NO_COLOR"); !off {
		options = append(options, report.Colours())
	}
	if width, _, err := term.GetSize(a.out.(*os.File).Fd()); err == nil {
		options = append(options, report.Width(width))
	}
	return options
}

// newDisplay shows on stderr, so that stdout holds the result alone.
func (a *app) newDisplay() *Display { return NewDisplay(a.err, a.terminal(a.err)) }
