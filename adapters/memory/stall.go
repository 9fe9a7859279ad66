package memory

import (
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// Stall is when a target answers nothing: in the last For of every Every of the
// machine's clock. Every is above 0.
type Stall struct{ Every, For time.Duration }

// Left is how much of a stall is left at a moment; 0 when there is none.
func (s Stall) Left(now time.Time) time.Duration {
	into := time.Duration(now.UnixNano()) % s.Every
	if into < s.Every-s.For {
		return 0
	}
	return s.Every - into
}

// Responses is the exact model of what such a target does to clients that come at
// those times, told since an origin: with that many servers, first come, first served,
// each of which answers in base when the target does not stall.
func (s Stall) Responses(origin time.Time, arrivals []time.Duration, servers int, base time.Duration) (h core.Histogram) {
	free := make([]time.Time, servers)
	for _, at := range arrivals {
		first := 0
		for i := range free {
			if free[i].Before(free[first]) {
				first = i
			}
		}
		due := origin.Add(at)
		start := due
		if free[first].After(due) {
			start = free[first]
		}
		free[first] = start.Add(base + s.Left(start))
		h.Record(free[first].Sub(due))
	}
	return h
}
