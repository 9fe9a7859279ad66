package worker

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// The phases as indexes; noPhase when no operation may start.
const (
	warmup = iota
	measurement
	cooldown
	phaseCount
	noPhase = -1
)

func phaseIndex(p core.Phase) int {
	switch p {
	case core.Warmup:
		return warmup
	case core.Measurement:
		return measurement
	case core.Cooldown:
		return cooldown
	default:
		return noPhase
	}
}

func phaseName(index int) core.Phase {
	if index < 0 || index >= phaseCount {
		return ""
	}
	return core.LoadPhases()[index]
}

// buffer is what one connection has recorded since it was last collected.
type buffer struct {
	phases    [phaseCount]*phaseBuffer // nil where nothing was recorded yet
	lastStart time.Duration            // of its newest operation; 0: none
	lastEnd   time.Duration
}

// phaseBuffer holds the operations that belong to one phase, save completed,
// which counts completions inside the phase's window, of operations of any
// phase that succeeded.
type phaseBuffer struct {
	kinds     []kindBuffer // by operation of the mix
	hash      uint64
	completed uint64
}

type kindBuffer struct {
	started, ok, errors, aborted, lost, rows uint64
	service                                  core.Histogram
	failures                                 []core.ErrorCount
}

// phase is the buffer of one phase, made at its first use.
func (b *buffer) phase(index, kinds int) *phaseBuffer {
	if b.phases[index] == nil {
		b.phases[index] = &phaseBuffer{kinds: make([]kindBuffer, kinds)}
	}
	return b.phases[index]
}

// reset empties the buffer and keeps its memory.
func (b *buffer) reset() {
	b.lastStart, b.lastEnd = 0, 0
	for _, p := range b.phases {
		if p == nil {
			continue
		}
		p.hash, p.completed = 0, 0
		for i := range p.kinds {
			p.kinds[i].reset()
		}
	}
}

func (k *kindBuffer) reset() {
	if k.started|k.ok|k.errors|k.aborted|k.lost == 0 {
		return
	}
	k.service.Reset()
	*k = kindBuffer{service: k.service}
}

// The states of a slot that are no stamps.
const (
	owned      = 0              // the connection works on its buffer
	collecting = -1 << 63       // somebody else does, for a moment
	abandoned  = collecting + 1 // the connection is given up: it must touch nothing
)

// slot hands a connection's buffer to and fro between the connection and the
// collector, without a lock and without allocation. The connection owns the
// buffer while it does its own work. Before it calls the target it publishes
// the stamp of the operation's start, which releases the buffer and says at the
// same time what is in flight since when; before a pause it publishes minus the
// stamp of its beginning. Whoever else wants the buffer, or wants to cancel just
// this operation, swaps the stamp for collecting, and puts it back.
type slot struct {
	_      [64]byte // on a cache line of its own
	state  atomic.Int64
	_      [56]byte
	buffer *buffer
}

// release publishes an operation in flight since at (above 0), or a pause since
// -at, and gives the buffer free.
func (s *slot) release(at time.Duration) { s.state.Store(int64(at)) }

// take gets the buffer back that was released with that stamp. It is false when
// the connection was abandoned.
func (s *slot) take(at time.Duration) bool {
	return s.state.CompareAndSwap(int64(at), owned) || s.retake(at)
}

func (s *slot) retake(at time.Duration) bool {
	for !s.state.CompareAndSwap(int64(at), owned) {
		if s.state.Load() == abandoned {
			return false
		}
		runtime.Gosched()
	}
	return true
}

// maxBorrow bounds how often the collector looks again for a buffer that its
// connection is working on. It works for less than a microsecond at a time.
const maxBorrow = 100_000

// borrow takes a released buffer from its connection. stamp is above 0 when an
// operation is in flight. It fails when the connection is abandoned or does not
// let go.
func (s *slot) borrow() (stamp time.Duration, ok bool) {
	for range maxBorrow {
		state := s.state.Load()
		switch {
		case state == abandoned:
			return 0, false
		case state == owned || state == collecting:
			runtime.Gosched()
		case s.state.CompareAndSwap(state, collecting):
			return time.Duration(state), true
		}
	}
	return 0, false
}

// giveBack ends a borrow.
func (s *slot) giveBack(stamp time.Duration) { s.state.Store(int64(stamp)) }

// inFlight is the start of the operation in flight, or 0.
func (s *slot) inFlight() time.Duration { return max(time.Duration(s.state.Load()), 0) }
