package worker

import "time"

// How often the watchdog looks at the operations in flight.
const (
	cancelScan     = 5 * time.Millisecond   // while everything is to be cancelled
	maxTimeoutScan = 100 * time.Millisecond // for statement timeouts
	minTimeoutScan = time.Millisecond
)

// watch cancels operations: each that is longer in flight than the statement
// timeout, and all of them once the load is being cancelled. It is one goroutine
// for all connections, so that an operation needs no timer of its own. It ends
// when done is closed.
func (l *load) watch(done <-chan struct{}) {
	period := maxTimeoutScan
	if l.timeout > 0 {
		period = min(max(l.timeout/16, minTimeoutScan), maxTimeoutScan)
	}
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	cancelling := l.cancelling
	for {
		select {
		case <-done:
			return
		case <-cancelling:
			cancelling = nil
			ticker.Reset(cancelScan)
		case <-ticker.C:
		}
		switch {
		case cancelling == nil:
			l.cancelSince(l.clock.now(), errStopped)
		case l.timeout > 0:
			l.cancelSince(l.clock.now()-l.timeout, errStatementTimeout)
		}
	}
}

// cancelSince cancels every operation that is in flight since that stamp or
// longer, and no other: neither one that has ended meanwhile nor the one after
// it.
func (l *load) cancelSince(stamp time.Duration, why error) {
	for _, c := range l.connections {
		if state, since := c.inFlight(); state != 0 && since <= stamp {
			c.stop(state, why)
		}
	}
}
