package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/benchfleet/benchfleet/cmd/benchfleet/live"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/report"
	"github.com/benchfleet/benchfleet/runner"
	"github.com/charmbracelet/x/term"
	"github.com/mattn/go-isatty"
)

// storeSlow is how long a result may take to be stored before the user is told.
const storeSlow = 5 * time.Second

// Display shows a run while it goes on: a live view on a terminal, a line for
// each interval elsewhere.
type Display struct {
	live.Display
	stage atomic.Int32

	mu   sync.Mutex
	slow *time.Timer // says that the result is not stored yet
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
	at := working
	switch {
	case o.Run.Status.Terminal():
		at = ended
	case o.Run.Phase == core.Processing:
		at = storing
	}
	d.stage.Store(int32(at))
	if at != working {
		d.tellIfSlow()
	}
	d.Show(live.Snapshot(o))
}

// at is the stage of the run that was shown last.
func (d *Display) at() stage { return stage(d.stage.Load()) }

func (d *Display) tellIfSlow() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.slow == nil {
		d.slow = time.AfterFunc(storeSlow, func() {
			fmt.Fprintln(d, "the result is not stored yet: the store is slow or cannot be written; trying again; interrupt to leave")
		})
	}
}

// Close ends the display.
func (d *Display) Close() error {
	d.mu.Lock()
	if d.slow != nil {
		d.slow.Stop()
	}
	d.mu.Unlock()
	return d.Display.Close()
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
