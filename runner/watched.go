package runner

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// Objectives that may not be missed for long are judged by every interval of the
// measurement, as it is stored in the end. Those of a long run take too long to read at
// its end: what is not likely to change any more is looked at while the run goes on, and
// no attempt to store the result begins anew.

// pageWatched is how many intervals, with their histograms, are read at once.
const pageWatched = 200

// watched is how far the stored intervals have been looked at: of the loop and what runs
// beside it. What is stored anew behind that makes it begin anew.
type watched struct {
	reading atomic.Bool // a page, beside the loop
	next    time.Time   // not again before this; of the loop only

	mu   sync.Mutex
	seen sight
	upTo float64 // up to this offset it was looked at, or is just now
}

// sight is what the intervals up to an offset have shown.
type sight struct {
	after float64
	watch core.SLOWatch
	anew  int // how often it was begun
}

func newWatched() *watched { return &watched{seen: sight{after: -1}, upTo: -1} }

// look is what was seen so far, for someone who is about to look on up to an offset.
func (w *watched) look(upTo float64) sight {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.upTo = max(w.upTo, upTo)
	return w.seen
}

// keep keeps what was seen next, unless somebody else was faster, or what was looked at
// was stored anew meanwhile.
func (w *watched) keep(before, next sight) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen.after == before.after && w.seen.anew == before.anew {
		w.seen = next
	}
}

// stored says that rows were stored, or may have been, and returns the offset just before
// the first of them.
func (w *watched) stored(rows []ports.RunInterval) float64 {
	first := math.Inf(1)
	for i := range rows {
		first = min(first, rows[i].Offset-0.0005) // offsets are whole milliseconds
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if first < w.upTo {
		w.seen, w.upTo = sight{after: -1, anew: w.seen.anew + 1}, -1
	}
	return first
}

// settled is the offset up to which intervals are not likely to change any more.
func settled(run *core.Run, scenario *core.Scenario, now time.Time) float64 {
	return (now.Sub(run.Origin) - windowOffsets*scenario.Load.Interval.Std()).Seconds()
}

// watchSettled looks at a page of the settled intervals, beside the loop, as soon as
// there is one; a successor has all of them before it. Of those at the end of the
// measurement only the end itself tells whether they belong to it.
func (d *driver) watchSettled() {
	w, interval := d.watched, d.scenario.Load.Interval.Std()
	if !core.HoldsFor(d.scenario.SLOs) || d.run.Status != core.Running || !d.owns() || time.Now().Before(w.next) {
		return
	}
	upTo := settled(&d.run, &d.scenario, d.clock.now())
	if measured := core.MeasuredUntil(d.beats); !measured.IsZero() {
		upTo = min(upTo, (measured.Sub(d.run.Origin) - interval).Seconds())
	}
	if w.look(-1).after+pageWatched*interval.Seconds() > upTo || !w.reading.CompareAndSwap(false, true) {
		return
	}
	w.next = time.Now().Add(interval)
	p := performance{Runner: d.Runner, run: d.run, scenario: d.scenario, watched: w}
	d.effects.group.Go(func() {
		defer w.reading.Store(false)
		ctx, cancel := context.WithTimeout(d.effects.ctx, effectWait)
		defer cancel()
		if _, err := p.lookOn(ctx, upTo, time.Time{}); err != nil {
			p.log.Warn("intervals could not be read for the objectives", "error", err)
		}
	})
}

// watchObjectives looks at every interval of the measurement, which has an end, for
// objectives that may not be missed for long. Those up to an offset are not read again
// by the next attempt; of those behind it some are stored again by each.
func (p *performance) watchObjectives(ctx context.Context, end time.Time, upTo float64) (core.SLOWatch, error) {
	if !core.HoldsFor(p.scenario.SLOs) {
		return core.SLOWatch{}, nil
	}
	upTo = min(upTo, settled(&p.run, &p.scenario, p.clock.now()))
	seen := p.watched.look(upTo)
	for seen.after < upTo {
		var err error
		if seen, err = p.lookOn(ctx, upTo, end); err != nil {
			return core.SLOWatch{}, err
		}
	}
	for !math.IsInf(seen.after, 1) {
		var err error
		if seen, err = p.lookAt(ctx, seen, math.Inf(1), end); err != nil {
			return core.SLOWatch{}, err
		}
	}
	return seen.watch, nil
}

// lookOn looks at one page up to an offset, from where somebody looked last, and returns
// what all have seen so far.
func (p *performance) lookOn(ctx context.Context, upTo float64, end time.Time) (sight, error) {
	seen := p.watched.look(upTo)
	next, err := p.lookAt(ctx, seen, upTo, end)
	if err != nil {
		return seen, err
	}
	p.watched.keep(seen, next)
	return p.watched.look(upTo), nil
}

// lookAt looks at the next page up to an offset, which is where the last one ends.
func (p *performance) lookAt(ctx context.Context, seen sight, upTo float64, end time.Time) (sight, error) {
	rows, err := p.ports.Results.Aggregates(ctx, p.run.ID, seen.after, pageWatched)
	if err != nil {
		return seen, err
	}
	cut := math.Inf(1)
	if len(rows) >= pageWatched { // others that end with the last one are on the next page
		cut = rows[len(rows)-1].Offset
	}
	for i := range rows {
		row := &rows[i]
		if row.Offset > upTo {
			break
		}
		if row.Offset == cut {
			return seen, nil
		}
		if row.Phase == core.Measurement && row.Stale == 0 && !row.Tail(end) {
			seen.watch, _ = seen.watch.Observe(p.scenario.SLOs, row.Kinds, row.Seconds)
		}
		seen.after = row.Offset
	}
	seen.after = max(seen.after, upTo)
	return seen, nil
}
