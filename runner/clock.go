package runner

import "time"

// storeClock estimates the store's clock between two answers of the store, from
// the monotonic clock of this process.
type storeClock struct {
	store time.Time // what the store said
	local time.Time // when it said so; carries the monotonic reading
}

// heard takes an answer of the store.
func (c *storeClock) heard(now time.Time) {
	if !now.IsZero() {
		c.store, c.local = now, time.Now()
	}
}

// now is the store's time, as well as it is known.
func (c *storeClock) now() time.Time {
	if c.store.IsZero() {
		return time.Now().UTC()
	}
	return c.store.Add(time.Since(c.local))
}
