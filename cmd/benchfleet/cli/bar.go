package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/bubbles/progress"
	"github.com/muesli/termenv"
)

// bar shows how far a load has come: one line that is drawn again on a terminal,
// a line every few seconds elsewhere.
type bar struct {
	out      io.Writer
	terminal bool
	total    int64
	rows     int64
	model    progress.Model
	last     time.Time
	drawn    bool
}

func (a *app) newBar(total int64) *bar {
	options := []progress.Option{progress.WithWidth(40), progress.WithSolidFill("6")}
	if !a.colours() {
		options = append(options, progress.WithColorProfile(termenv.Ascii))
	}
	return &bar{out: a.err, terminal: a.terminal(a.err), total: total, model: progress.New(options...), last: time.Now()}
}

func (b *bar) set(rows int64) {
	b.rows = rows
	pause := 2 * time.Second
	if b.terminal {
		pause = 100 * time.Millisecond
	}
	if time.Since(b.last) < pause && rows < b.total {
		return
	}
	b.last = time.Now()
	share := float64(rows) / float64(max(1, b.total))
	if b.terminal {
		fmt.Fprintf(b.out, "\r%s %s of %s rows ", b.model.ViewAs(share), grouped(rows), grouped(b.total))
		b.drawn = true
	} else if rows < b.total {
		fmt.Fprintf(b.out, "loaded %s of %s rows (%.0f %%)\n", grouped(rows), grouped(b.total), 100*share)
	}
}

func (b *bar) end() {
	if b.drawn {
		fmt.Fprint(b.out, "\r\x1b[2K")
	}
}

// grouped writes a number of 0 or more with commas: 100,000.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	var text strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			text.WriteByte(',')
		}
		text.WriteRune(d)
	}
	return text.String()
}
