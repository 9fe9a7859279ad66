// Package live shows a run while it goes on: one view that is drawn again and
// again on a terminal (Start), or plain lines where there is none (Plain).
// Never both: the caller chooses once, by asking whether its output is a
// terminal.
//
// A display never slows down what it shows. Show keeps the newest snapshot and
// returns; a stuck terminal or pipe costs frames and lines, not time. It takes
// over no signal and reads no input, so that Ctrl-C stays with the command.
//
//	d := live.Start(os.Stderr, live.Options{Colours: true})
//	defer d.Close()
//	d.Show(live.Snapshot(observation)) // a runner.Observation
package live

import (
	"cmp"
	"io"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// Snapshot is what is shown of a run at one moment. It has the fields of
// runner.Observation, so that one converts to the other.
type Snapshot struct {
	Run      core.Run
	Scenario core.Scenario
	Now      time.Time // the store's clock
	// Interval is the newest one; nil before the first.
	Interval *ports.RunInterval
	// Measured is everything measured so far in MEASUREMENT.
	Measured []core.KindMetrics
	Workers  []core.WorkerHealth
	Beats    []core.Beat
	// Search is where a search stands, in words; "": as Run tells.
	Search       string
	StoreTrouble time.Duration
}

// search says where the search stands, if there is one.
func (s *Snapshot) search() string { return cmp.Or(s.Search, s.Run.SearchLine()) }

// Display shows a run. All methods may be called concurrently, return at once
// (Close within seconds), and do nothing after Close.
type Display interface {
	// Show replaces what is shown. The snapshot belongs to the display then.
	Show(Snapshot)
	// Note shows a short remark for a few seconds; a plain display writes it
	// when it differs from the one before.
	Note(text string)
	// Write prints lines for good: above the view, or between the plain lines.
	// It never fails.
	io.Writer
	// Close ends the display, takes away the view and gives back the terminal.
	// It is idempotent.
	Close() error
}

// Options change how a terminal is used. The zero value draws without colours.
type Options struct {
	Colours bool
	// Width and Height of an output that cannot tell them; 80 and 24 when they
	// are zero. A terminal tells its own, also when they change.
	Width, Height int
}

const (
	frameGap     = 100 * time.Millisecond // between two looks at the newest snapshot
	noteTime     = 5 * time.Second        // that a note is shown
	maxPending   = 200                    // lines that wait to be printed; the oldest are dropped
	maxHistory   = 120                    // intervals of the sparkline
	closeTimeout = 2 * time.Second        // that a stuck output may hold up Close
	maxGuess     = 3 * time.Second        // that the clock is carried on without a new snapshot
)
