package gateway

import (
	"sync"
	"time"
)

// storeClock is what is known of the store's clock: a reading, and the monotonic
// time since. It is never ahead of the store, and at most one read behind.
type storeClock struct {
	mu    sync.Mutex
	store time.Time // the reading; zero: none yet
	local time.Time // when it was there
}

// heard takes the reading of a call that lasted from begin until now. The reading
// was made somewhere in between, and cut to microseconds: an estimate that lies
// within is better.
func (c *storeClock) heard(reading, begin time.Time) {
	if reading.IsZero() {
		return
	}
	end := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	estimate := c.at(end)
	if c.store.IsZero() || estimate.Before(reading) || estimate.After(reading.Add(end.Sub(begin)+time.Microsecond)) {
		c.store, c.local = reading, end
	}
}

// now is the store's clock; zero before the first reading.
func (c *storeClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.store.IsZero() {
		return time.Time{}
	}
	return c.at(time.Now()).UTC().Truncate(time.Microsecond)
}

func (c *storeClock) at(local time.Time) time.Time { return c.store.Add(local.Sub(c.local)) }
