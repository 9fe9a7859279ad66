package report_test

import (
	"context"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/report"
)

// countingRows counts the intervals that are read of a store.
type countingRows struct {
	ports.Store
	rows int
}

func (c *countingRows) Aggregates(ctx context.Context, run string, after float64, limit int) ([]ports.RunInterval, error) {
	list, err := c.Store.Aggregates(ctx, run, after, limit)
	c.rows += len(list)
	return list, err
}

// TestStatusShowsTheNewestInterval: however long the run was, and however long its
// workers were silent before its end; and without reading all of it.
func TestStatusShowsTheNewestInterval(t *testing.T) {
	for _, test := range []struct {
		name              string
		intervals, silent int // the load's end lies that many seconds behind the last one
		status            core.Status
		want              float64 // the end of the one that is shown; 0: none
		most              int     // rows that may be read
	}{
		{"ended", 600, 0, core.Completed, 600, 40},
		{"longer than a page", 12_000, 0, core.Completed, 12_000, 40},
		{"fell silent", 600, 200, core.Failed, 600, 600},
		{"fell silent after more than a page", 12_000, 40_000, core.Failed, 12_000, 24_000},
		{"short", 3, 0, core.Completed, 3, 3},
		{"goes on", 600, 1, core.Running, 600, 40},
		{"goes on in silence", 600, 100, core.Running, 0, 0},
		{"nothing was measured", 0, 100, core.Failed, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			ctx := context.Background()
			inner := memory.NewStore(memory.Options{})
			s := scenario()
			run := core.NewRun("run-1", s.Plan())
			record, err := inner.Create(ctx, run, s, ports.Home{})
			is.NoErr(err)
			end := record.Now
			record.Run.Status, record.Run.Origin = test.status, end.Add(-time.Duration(test.intervals+test.silent)*time.Second)
			if test.status.Terminal() {
				record.Run.GoneAt = end
			}
			var rows []ports.RunInterval
			for i := range test.intervals {
				rows = append(rows, ports.RunInterval{RunID: "run-1", Phase: core.Measurement, Offset: float64(i + 1), Seconds: 1})
			}
			is.NoErr(inner.AppendSnapshots(ctx, nil, rows))
			store := &countingRows{Store: inner}
			status, _, err := report.ReadStatus(ctx, store, record)
			is.NoErr(err)
			got := 0.0
			if status.Interval != nil {
				got = status.Interval.Offset
			}
			is.Equal(got, test.want)
			is.True(store.rows <= test.most)
		})
	}
}
