package controller

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/report"
)

// The bounds of what is kept of runs that are watched: of the four that were asked for
// last, each of up to five and a half hours of seconds.
const (
	coursesKept  = 4
	intervalsFor = 20_000
)

// courses are the intervals of runs that go on, as they were read last: whoever opens
// or reloads a page reads only what may have changed since.
type courses struct {
	mu   sync.Mutex
	list []keptCourse // the one that was asked for last is the last
}

type keptCourse struct {
	id      string
	origin  time.Time // of the load: an id may be given again
	settled float64   // seconds since the origin, up to where nothing changes any more
	totals  []ports.IntervalTotal
}

// reachBack is how old an interval may be that is stored or corrected: as old as what a
// worker keeps that was not acknowledged, and as an owner does that cannot write.
func reachBack(record ports.RunRecord) time.Duration {
	load, limits := &record.Scenario.Load, &record.Scenario.Limits
	return limits.WorkerLease.Std() + limits.OwnerLease.Std() + 10*load.Interval.Std() + settleFor
}

// totalsOf reads the intervals of a run.
func (s *Service) totalsOf(ctx context.Context, record ports.RunRecord) ([]ports.IntervalTotal, error) {
	run := &record.Run
	if run.Origin.IsZero() || run.Status.Terminal() { // nothing yet; or for the last time, and then exactly
		return report.ReadTotals(ctx, s.store, run.ID)
	}
	before := s.courses.find(run.ID, run.Origin)
	fresh, err := report.ReadTotalsAfter(ctx, s.store, run.ID, before.settled)
	if err != nil {
		return nil, err
	}
	n := len(before.totals) // shared, so that appending must copy
	totals := append(before.totals[:n:n], fresh...)
	settled := max(record.Now.Sub(run.Origin)-reachBack(record), -1).Seconds()
	end := n + len(fresh)
	for end > 0 && totals[end-1].Offset > settled {
		end--
	}
	if end <= intervalsFor {
		s.courses.keep(keptCourse{run.ID, run.Origin, settled, totals[:end:end]})
	}
	return totals, nil
}

// find is what is kept of a run; of one that is not kept, nothing.
func (c *courses) find(id string, origin time.Time) keptCourse {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.index(id); i >= 0 && c.list[i].origin.Equal(origin) {
		return c.list[i]
	}
	return keptCourse{settled: -1}
}

func (c *courses) keep(k keptCourse) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.index(k.id); i >= 0 {
		c.list = slices.Delete(c.list, i, i+1)
	}
	c.list = append(c.list, k)
	if n := len(c.list) - coursesKept; n > 0 {
		c.list = slices.Delete(c.list, 0, n)
	}
}

func (c *courses) index(id string) int {
	return slices.IndexFunc(c.list, func(k keptCourse) bool { return k.id == id })
}
