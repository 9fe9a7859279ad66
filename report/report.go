// Package report shows runs to people and to programs: the result of a run, its
// state, its control events, lists of runs and templates, findings, comparisons
// of runs, and one line for each interval.
//
// Every view comes twice: …Text writes aligned plain text with human units, and
// …JSON writes one indented JSON document whose shape is stable: keys in
// snake_case with the unit in the name (_ms, _seconds, _percent, _per_second),
// times in RFC 3339 and UTC, null for what is not known. The shapes are the
// types named …Document; fields are added to them, never renamed or removed.
//
//	err := report.Text(os.Stdout, report.Result{Run: run, Parent: &parent, Children: children, Location: "sqlite:runs.db"})
//
// A result comes as a document too: HTML, one file that needs nothing else, with
// charts and without a script; Markdown, for tickets and wikis; and CSV, one table
// of everything that was counted, for spreadsheets.
//
// Stored text (names, errors, notes) is cleaned before it is written: control
// characters, escape sequences and invisible characters cannot reach a
// terminal, and no text can become markup or a formula. The package computes no
// results, and reads no store but in ReadTotals and ReadSeries.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// Result is everything that is known of a run's result.
type Result struct {
	Run      core.Run       // the zero Run when only Parent is known
	Scenario *core.Scenario // used when there is no Parent; nil: not known
	Parent   *core.Rollup   // nil when no result is stored
	Children []core.Rollup  // one for each worker
	Location string         // where the result lies, in the words of the caller
	// Points are the intervals of the whole run, and Events its control events: for
	// HTML, Markdown and CSV; nil where they are not known.
	Points []Point
	Events []core.ControlEvent
	// Made says when and by what the document was made; empty: it does not say.
	Made string
}

// Option changes how text is written.
type Option func(*layout)

// Width is how many columns a line may have; 0, the default, is no limit.
// Cells are cut to fit, and prose is wrapped. Widths below 48 count as 48.
func Width(columns int) Option {
	return func(l *layout) {
		if columns > 0 {
			l.width = max(columns, 48)
		}
	}
}

// Colours marks statuses and verdicts with ANSI colours; for terminals only.
func Colours() Option { return func(l *layout) { l.colours = true } }

// layout is how text is written.
type layout struct {
	width   int
	colours bool
}

// page is text on its way to a writer. It keeps the first error.
type page struct {
	layout
	out io.Writer
	err error
}

func newPage(w io.Writer, options []Option) *page {
	p := &page{out: w}
	for _, o := range options {
		o(&p.layout)
	}
	return p
}

func (p *page) print(text string) {
	if p.err == nil {
		_, p.err = io.WriteString(p.out, text)
	}
}

// line writes one line, cut to the width. The text must be clean.
func (p *page) line(format string, args ...any) {
	p.print(cut(fmt.Sprintf(format, args...), p.width) + "\n")
}

// tone is what a word means; with colours it shows.
type tone int

const (
	neutral tone = iota
	good
	doubtful
	bad
	faint
)

// paint colours clean text, if colours are on.
func (l layout) paint(t tone, text string) string {
	codes := [...]string{neutral: "", good: "32", doubtful: "33", bad: "31", faint: "2"}
	if !l.colours || codes[t] == "" || text == "" {
		return text
	}
	return "\x1b[" + codes[t] + "m" + text + "\x1b[0m"
}

// statusTone is how good a status is.
func statusTone(s core.Status) tone {
	switch s {
	case core.Completed:
		return good
	case core.Cancelled, core.Cancelling:
		return doubtful
	case core.Failed:
		return bad
	default:
		return neutral
	}
}

func verdictTone(v core.VerdictLevel) tone {
	switch v {
	case core.Valid:
		return good
	case core.Degraded:
		return doubtful
	case core.InvalidRun:
		return bad
	default:
		return neutral
	}
}

// writeJSON writes one document.
func writeJSON(w io.Writer, document any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(document); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

// utc is a time as documents hold it; nil for none.
func utc(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
