package runner

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// windowOffsets bounds how many offsets are held in memory to merge late
// intervals into; older ones are read back from the store.
const windowOffsets = 120

// maxUnsent bounds how many intervals wait in memory to be stored. Beyond it the
// oldest are given up: the time series lacks them, the counts do not.
const maxUnsent = 50_000

// slot is one aggregate row: all workers' intervals of one phase that end at the
// same offset from the run's origin.
type slot struct {
	phase  core.Phase
	offset int64 // milliseconds
}

// series gathers the intervals of all workers into the run's time series.
type series struct {
	unsent  []ports.WorkerInterval
	dropped int              // intervals given up
	queued  map[string]int64 // per worker: the last sequence that was queued or stored
	window  map[slot][]ports.WorkerInterval
	order   []slot
	latest  *ports.RunInterval  // newest that every worker is in
	fresh   []ports.RunInterval // those that became the latest with nobody STALE, and were not looked at yet
	// horizon is the offset, in milliseconds, up to which the store may hold more
	// of a slot than the window does.
	horizon int64
	usage   []core.WorkerUsage // of every interval that was queued, and not looked at yet
	used    map[int]gauged     // per worker index: the newest of those
	shared  bool               // the workers share one host
	watched bool               // there are guardrails
	nominal float64            // seconds of an interval; 0: unknown
	// observed is, per worker index, what its beats no longer tell at the end.
	observed []core.Observed
}

// gauged is what a worker uses of its host, in percent, in the interval that ends at
// an offset.
type gauged struct{ offset, seconds, cpu, memory float64 }

// newSeries makes one for a run of which somebody else may have stored intervals
// that end up to an offset.
func newSeries(workers int, before time.Duration) *series {
	return &series{horizon: before.Milliseconds(), queued: map[string]int64{}, used: map[int]gauged{}, window: map[slot][]ports.WorkerInterval{}, observed: make([]core.Observed, workers)}
}

// clone is an independent copy, for an effect that runs beside the loop.
func (s *series) clone() *series {
	c := *s
	c.unsent, c.order, c.observed = slices.Clone(s.unsent), slices.Clone(s.order), slices.Clone(s.observed)
	c.queued, c.window = maps.Clone(s.queued), maps.Clone(s.window)
	c.usage, c.used = nil, maps.Clone(s.used)
	return &c
}

// add queues the intervals of a beat that were not seen before. Their offsets are
// whole milliseconds from here on, so that a slot can be read back by its own.
func (s *series) add(b core.Beat, acknowledged int64) {
	id := b.Key.WorkerID
	seen := max(s.queued[id], acknowledged)
	for _, interval := range b.Report.Intervals {
		if interval.Sequence > seen {
			interval.Offset = slotOf(interval).seconds()
			s.unsent = append(s.unsent, ports.WorkerInterval{RunID: b.Key.RunID, WorkerID: id, GroupID: b.GroupID, Interval: interval})
			s.observed[b.GroupID].Add(&interval)
			s.gauge(b.GroupID, &interval)
			seen = interval.Sequence
		}
	}
	s.queued[id] = seen
	if over := len(s.unsent) - maxUnsent; over > 0 {
		s.unsent = slices.Delete(s.unsent, 0, over)
		s.dropped += over
	}
}

// gauge queues what a worker used of its host, once for each moment: intervals of
// two phases that end together tell the same.
func (s *series) gauge(worker int, i *core.Interval) {
	if i.Offset <= s.used[worker].offset {
		return
	}
	cpu, memory := i.OfHost()
	s.used[worker] = gauged{i.Offset, i.Seconds, cpu, memory}
	usage := core.WorkerUsage{Worker: worker, Seconds: i.Seconds, CPU: i.CPU, Memory: i.Memory}
	if s.shared && s.watched {
		for _, other := range s.used {
			if other.offset+2*other.seconds >= i.Offset { // else it has ended, or cannot report
				usage.HostCPU, usage.HostMemory = usage.HostCPU+other.cpu, usage.HostMemory+other.memory
			}
		}
	}
	s.usage = append(s.usage, usage)
}

// batch is what one tick stores.
type batch struct {
	workers      []ports.WorkerInterval
	aggregates   []ports.RunInterval
	acknowledged map[int]int64
	touched      []slot
	health       healthCounts
}

// take builds the batch of this tick from the queue, which stays as it is until
// the batch is stored.
func (s *series) take(health []core.WorkerHealth) batch {
	b := batch{workers: slices.Clone(s.unsent), acknowledged: map[int]int64{}, health: countHealth(health)}
	for _, w := range b.workers {
		at := slotOf(w.Interval)
		if !slices.Contains(b.touched, at) {
			b.touched = append(b.touched, at)
		}
		b.acknowledged[w.GroupID] = max(b.acknowledged[w.GroupID], w.Interval.Sequence)
	}
	return b
}

// complete makes the aggregate rows of all slots that the batch touches, from
// what the window holds, or from the store for slots that it does not hold.
func (s *series) complete(ctx context.Context, results ports.ResultStore, b *batch) error {
	if err := refine(ctx, results, b); err != nil {
		return err
	}
	for _, at := range b.touched {
		parts, held := s.window[at]
		if !held && at.offset <= s.horizon {
			stored, err := results.WorkerIntervals(ctx, b.workers[0].RunID, at.seconds())
			if err != nil {
				return err
			}
			for _, w := range stored {
				if slotOf(w.Interval) == at {
					parts = append(parts, w)
				}
			}
		}
		parts = slices.Clone(parts)
		for _, w := range b.workers {
			if slotOf(w.Interval) == at && !slices.ContainsFunc(parts, func(p ports.WorkerInterval) bool { return same(p, w) }) {
				parts = append(parts, w)
			}
		}
		s.hold(at, parts)
		b.aggregates = append(b.aggregates, mergeIntervals(at, parts, b.health, s.shared))
	}
	return nil
}

func same(a, b ports.WorkerInterval) bool {
	return a.WorkerID == b.WorkerID && a.Interval.Sequence == b.Interval.Sequence
}

// hold keeps a slot in the window, within its bound.
func (s *series) hold(at slot, parts []ports.WorkerInterval) {
	if _, held := s.window[at]; !held {
		s.order = append(s.order, at)
		if len(s.order) > windowOffsets {
			delete(s.window, s.order[0])
			s.horizon = max(s.horizon, s.order[0].offset)
			s.order = s.order[1:]
		}
	}
	s.window[at] = parts
}

// stored says that a batch is safe: its intervals leave the queue.
func (s *series) stored(b batch) {
	s.unsent = slices.DeleteFunc(s.unsent, func(w ports.WorkerInterval) bool {
		return w.Interval.Sequence <= b.acknowledged[w.GroupID]
	})
	slices.SortStableFunc(b.aggregates, func(a, b ports.RunInterval) int { return cmp.Compare(a.Offset, b.Offset) })
	for i := range b.aggregates {
		a := &b.aggregates[i]
		missing := max(b.health.healthy+s.owing(b.health.ended, a.Offset)-len(workersIn(s.window[slotOfRun(*a)])), 0)
		if missing > 0 || s.short(a) || s.latest != nil && !later(a, s.latest) {
			continue
		}
		s.latest = a
		if b.health.stale == 0 { // who is STALE may well make load of which nothing is known yet
			s.fresh = append(s.fresh, *a)
		}
	}
}

// short reports whether an interval is no picture of its phase: a few late operations
// that ended after it. One that was cut late is longer than the others, which are none
// the shorter for that.
func (s *series) short(a *ports.RunInterval) bool {
	if s.latest == nil {
		return false
	}
	usual := s.latest.Seconds
	if s.nominal > 0 {
		usual = min(usual, s.nominal)
	}
	return a.Seconds < usual/2
}

// owing is how many of the workers that have ended made load up to an offset: one that
// ended before is in no interval from then on.
func (s *series) owing(ended []int, offset float64) (n int) {
	for _, worker := range ended {
		if s.used[worker].offset >= offset {
			n++
		}
	}
	return n
}

// later reports whether an aggregate is newer than another: it ends later, or in
// a later phase at the same time.
func later(a, b *ports.RunInterval) bool {
	phases := core.LoadPhases()
	return a.Offset > b.Offset || a.Offset == b.Offset && slices.Index(phases, a.Phase) > slices.Index(phases, b.Phase)
}

// workersIn are the workers, by index, that the parts of a slot come from.
func workersIn(parts []ports.WorkerInterval) map[int]bool {
	groups := map[int]bool{}
	for i := range parts {
		groups[parts[i].GroupID] = true
	}
	return groups
}

func (s slot) seconds() float64 { return float64(s.offset) / 1000 }

func slotOf(i core.Interval) slot {
	return slot{phase: i.Phase, offset: int64(i.Offset*1000 + 0.5)}
}

func slotOfRun(i ports.RunInterval) slot {
	return slot{phase: i.Phase, offset: int64(i.Offset*1000 + 0.5)}
}

// mergeIntervals is one aggregate row. It lasts as long as its workers' intervals do on
// average: what one cuts late is missing to its next one, so rows sum to the time that
// went by, and none has a lower rate for that.
func mergeIntervals(at slot, parts []ports.WorkerInterval, health healthCounts, sharedHost bool) ports.RunInterval {
	merged := ports.RunInterval{
		Phase: at.phase, Offset: at.seconds(),
		Healthy: health.healthy, Stale: health.stale, Lost: health.lost,
	}
	workers := workersIn(parts)
	for group := range workers {
		if health.completed[group] { // it has ended in order since
			merged.Healthy++
		}
	}
	for i := range parts {
		w := &parts[i].Interval
		merged.RunID = parts[i].RunID
		merged.Kinds = core.MergeKinds(merged.Kinds, w.Kinds)
		merged.Connections += w.Connections
		merged.Target += w.Target
		merged.Missing += w.Missing
		merged.CPU += w.CPU / float64(len(parts))
		merged.BusiestCPU = max(merged.BusiestCPU, w.CPU)
		if sharedHost {
			cpu, _ := w.OfHost()
			merged.HostCPU += cpu
		}
		merged.Memory += w.Memory / float64(len(parts))
		merged.Seconds += w.Seconds
		if merged.Start.IsZero() || w.Start.Before(merged.Start) {
			merged.Start = w.Start
		}
	}
	merged.Seconds /= float64(len(workers))
	return merged
}
