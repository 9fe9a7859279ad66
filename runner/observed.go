package runner

import (
	"context"

	"github.com/benchfleet/benchfleet/core"
)

// What a successor reads of the stored intervals: all of them at once where they are
// few, else those of some moments that are spread evenly over the measurement.
const (
	mostAtOnce = 2000 // intervals of workers
	mostLooked = 100  // moments
	leastSeen  = 0.9  // of the measurement, to leave it at what was seen
)

// observed is what each worker's intervals of the measurement tell. An owner that took
// the run over may have seen the end of it at most: then it looks into the store.
func (p *performance) observed(ctx context.Context, beats []core.Beat) ([]core.Observed, error) {
	if p.run.OwnerEpoch <= 1 || p.sawAll(beats) {
		return p.measured.observed, nil
	}
	moments, err := p.moments(ctx)
	if err != nil {
		return nil, err
	}
	step := 1 + len(moments)/mostLooked
	if len(moments)*len(p.run.Workers) <= mostAtOnce {
		moments, step = []float64{-1}, 1
	}
	observed, shares := make([]core.Observed, len(p.run.Workers)), p.shares(beats)
	for i := 0; i < len(moments); i += step {
		parts, err := p.ports.Results.WorkerIntervals(ctx, p.run.ID, moments[i])
		if err != nil {
			return nil, err
		}
		for j := range parts {
			if w := &parts[j]; w.GroupID >= 0 && w.GroupID < len(observed) {
				w.Interval.Share = shares[w.GroupID]
				observed[w.GroupID].Add(&w.Interval)
			}
		}
	}
	return observed, nil
}

// sawAll reports whether this owner was there for the measurement of every worker.
func (p *performance) sawAll(beats []core.Beat) bool {
	for i := range beats {
		b := &beats[i]
		phase := b.Report.PhaseOf(core.Measurement)
		if phase == nil || b.GroupID < 0 || b.GroupID >= len(p.measured.observed) {
			continue
		}
		if p.measured.observed[b.GroupID].Watched < leastSeen*phase.Seconds {
			return false
		}
	}
	return true
}

// moments are the offsets at which intervals of the measurement end, read page after page.
func (p *performance) moments(ctx context.Context) ([]float64, error) {
	var offsets []float64
	for after := -1.0; ; {
		rows, err := p.ports.Results.Totals(ctx, p.run.ID, after)
		if err != nil || len(rows) == 0 {
			return offsets, err
		}
		for i := range rows {
			if rows[i].Phase == core.Measurement {
				offsets = append(offsets, rows[i].Offset)
			}
			after = rows[i].Offset
		}
	}
}

// shares are what each worker may use of its host: stores do not keep it.
func (p *performance) shares(beats []core.Beat) []core.HostShare {
	shares := make([]core.HostShare, len(p.run.Workers))
	for i := range beats {
		b := &beats[i]
		if last := len(b.Report.Intervals) - 1; last >= 0 && b.GroupID >= 0 && b.GroupID < len(shares) {
			shares[b.GroupID] = b.Report.Intervals[last].Share
		}
	}
	return shares
}
