package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/charmbracelet/bubbles/progress"
)

// bar shows how far a load has come: one line that is drawn again on a terminal,
// a line every few seconds elsewhere.
type bar struct {
	out      io.Writer
	terminal bool
	total    int64
	model    progress.Model
	last     time.Time
	drawn    bool
}

func newBar(out io.Writer, terminal bool, total int64) *bar {
	return &bar{out: out, terminal: terminal, total: total, model: progress.New(progress.WithWidth(40), progress.WithSolidFill("6")), last: time.Now()}
}

func (b *bar) set(rows int64) {
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
		fmt.Fprintf(b.out, "\r%s %d of %d rows ", b.model.ViewAs(share), rows, b.total)
		b.drawn = true
	} else if rows < b.total {
		fmt.Fprintf(b.out, "loaded %d of %d rows (%.0f %%)\n", rows, b.total, 100*share)
	}
}

func (b *bar) end() {
	if b.drawn {
		fmt.Fprint(b.out, "\r\x1b[2K")
	}
}
