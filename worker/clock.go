package worker

import (
	"sync"
	"time"
)

// clock gives stamps: nanoseconds since the worker began, from the monotonic
// clock, always above 0. One stamp costs half of a time.Now.
type clock struct {
	base time.Time // the local time of stamp 0
}

func newClock() clock { return clock{base: time.Now().Add(-time.Nanosecond)} }

func (c clock) now() time.Duration { return time.Since(c.base) }

// maxDrift is how fast the store's clock and the local monotonic clock may run
// apart: what is known of the offset gets that much worse with its age.
const maxDrift = 100e-6

// storeClock estimates the store's clock from control reads: the store's now
// lies somewhere between the stamps before and after the read.
type storeClock struct {
	base time.Time

	mu    sync.Mutex
	zero  time.Time // the store time of stamp 0
	bound time.Duration
	at    time.Duration // when the estimate was made
	known bool
}

func newStoreClock(base time.Time) *storeClock {
	base = base.UTC()
	return &storeClock{base: base.Round(0), zero: base.Round(0)}
}

// observe takes one reading of the store's clock, and keeps it when it is better
// than the one kept so far, which grows worse with age.
func (s *storeClock) observe(store time.Time, before, after time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	bound := (after - before + 1) / 2
	if s.known && bound > s.boundAt(after) {
		return
	}
	s.zero = store.UTC().Add(-(before + bound))
	s.bound, s.at, s.known = bound, after, true
}

// boundAt is the half width of what is known at that stamp.
func (s *storeClock) boundAt(now time.Duration) time.Duration {
	return s.bound + time.Duration(float64(max(now-s.at, 0))*maxDrift)
}

// origin is the store time of stamp 0; the local clock's while nothing is known.
func (s *storeClock) origin() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.zero
}

// offset is the store's clock minus the local one, and the half width of what is
// known of it, in seconds. Before the first reading both are 0.
func (s *storeClock) offset(now time.Duration) (offset, bound float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.known {
		return 0, 0
	}
	return s.zero.Sub(s.base).Seconds(), s.boundAt(now).Seconds()
}
