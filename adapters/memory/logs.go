package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/benchfleet/benchfleet/ports"
)

// defaultLines is how many lines Read returns at most when nothing is said.
const defaultLines = 1000

type lineKey struct {
	worker   string
	sequence int64
}

type logs struct{ store *Store }

func (l logs) Append(ctx context.Context, lines []ports.LogLine) error {
	return l.store.do(ctx, func(d *data) error {
		for _, line := range lines {
			if _, err := d.find(line.RunID); err != nil {
				return err
			}
		}
		for _, line := range lines {
			stored, key := d.runs[line.RunID].lines, lineKey{line.WorkerID, line.Sequence}
			if _, found := stored[key]; !found {
				line.Time = plainTime(line.Time)
				stored[key] = line
			}
		}
		return nil
	})
}

func (l logs) Read(ctx context.Context, runID, workerID string, after time.Time, limit int) (list []ports.LogLine, err error) {
	if limit <= 0 {
		limit = defaultLines
	}
	err = l.store.do(ctx, func(d *data) error {
		r := d.runs[runID]
		if r == nil {
			return nil
		}
		for _, line := range r.lines {
			if (workerID == "" || line.WorkerID == workerID) && line.Time.After(after) {
				list = append(list, line)
			}
		}
		slices.SortFunc(list, func(a, b ports.LogLine) int {
			return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.WorkerID, b.WorkerID), cmp.Compare(a.Sequence, b.Sequence))
		})
		list = slices.Clone(list[:min(limit, len(list))])
		return nil
	})
	return list, err
}
