package runner

import (
	"slices"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// heard are the lines of workers' logs that their beats have brought, until they are
// stored. It is of the loop's goroutine only.
type heard struct {
	newest  map[core.WorkerKey]int64 // sequence
	waiting []ports.LogLine          // at most maxJournal
}

// take takes the lines of a beat that are new. What is left out here, for there are
// too many, is stored when the worker has ended.
func (h *heard) take(b *core.Beat, hide redaction) {
	for _, text := range b.Report.Lines {
		for _, line := range LogLines(b.Key.RunID, b.Key.WorkerID, []byte(hide.text(text))) {
			if line.Sequence < lineGap || line.Sequence <= h.newest[b.Key] {
				continue // without a number of its own it could not be told from others
			}
			h.newest[b.Key] = line.Sequence
			h.waiting = append(h.waiting, line)
		}
	}
	if over := len(h.waiting) - maxJournal; over > 0 {
		h.waiting = slices.Delete(h.waiting, 0, over)
	}
}
