package worker

import (
	"context"
	"sync"
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
	late, overslept                          uint64 // of those started, in an open loop
	service                                  core.Histogram
	response                                 *core.Histogram         // nil in a closed loop
	statements                               []core.StatementMetrics // of a transaction; nil until one has succeeded
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
	if k.response != nil {
		k.response.Reset()
	}
	for i := range k.statements {
		k.statements[i].Service.Reset()
	}
	*k = kindBuffer{service: k.service, response: k.response, statements: k.statements}
}

// An entry is one operation in the log of a recorder. What begin writes is never
// written again until the entry is absorbed, so others may read it while the
// operation is in flight.
type entry struct {
	start time.Duration // written by begin, as are all but end, rows and window
	due   time.Duration // the intended start; 0 in a closed loop
	hash  uint64
	end   time.Duration
	rows  int64
	kind  int16
	phase int8
	// window is the phase in whose window it ended; noPhase: in none.
	window int8
	// overslept says that its connection waited for its time, and missed it.
	overslept bool
}

// The log of a recorder: its position fits the low bits of the state.
const (
	logBits = 7
	logSize = 1 << logBits
	logMask = logSize - 1
)

// The states of a recorder that are no operation in flight.
const (
	resting   = -1 // no operation is in flight, and the log is empty
	abandoned = -2 // the connection is given up: it must touch nothing
)

// marked is set in the state of an operation that was cancelled.
const marked = 1 << 62

// recorder records the operations of one connection, and lets others collect
// what it has recorded, see what is in flight since when, and cancel just that.
//
// The connection writes each operation into its log and publishes it with a
// single atomic step when the next one begins: the state is then the stamp of
// that one's start and its position in the log, before which the log is
// complete. So recording takes no lock and allocates nothing, and a call that
// never returns keeps nothing from being collected. The log is absorbed into the
// buffer, under the lock, when it is full, when the connection pauses, and by
// the collector.
type recorder struct {
	_     [64]byte // on a cache line of its own
	state atomic.Int64
	_     [56]byte

	// The connection's own.
	published int64 // the state as it was last stored
	tail      int   // entries in the log; the operation in flight is at tail
	log       [logSize]entry
	steps     *stepLog // beside the log; nil in a mix without transactions

	mu        sync.Mutex
	kinds     int     // of the mix
	buffer    *buffer // guarded by mu, as is all that follows
	head      int     // entries that are absorbed
	counted   bool    // the entry at head is counted as started
	cancel    context.CancelCauseFunc
	cancelled bool  // the context of the connection has ended
	why       error // for this reason
}

// begin publishes an operation in flight, and those before it as ended. It is
// false when the operation before was cancelled, or the connection abandoned:
// flush tells which.
func (r *recorder) begin(start time.Duration, hash uint64, kind, phase int) bool {
	e := &r.log[r.tail&logMask]
	e.start, e.hash, e.kind, e.phase = start, hash, int16(kind), int8(phase)
	next := int64(start)<<logBits | int64(r.tail)
	if !r.state.CompareAndSwap(r.published, next) {
		return false
	}
	r.published = next
	return true
}

// intend says of the operation that is begun next when it is due, and whether
// its connection had been waiting for that. It is for open loops, and comes
// before each begin: those of closed loops leave the zero values.
func (r *recorder) intend(due time.Duration, overslept bool) {
	e := &r.log[r.tail&logMask]
	e.due, e.overslept = due, overslept
}

// resume says that something new is in flight for a cancelled operation: its
// undoing, under another context.
func (r *recorder) resume(now time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state.Load() != abandoned {
		r.cancelled = false
		r.published = int64(now)<<logBits | int64(r.tail)
		r.state.Store(r.published)
	}
}

// restamp says that the operation in flight has begun something new.
func (r *recorder) restamp(now time.Duration) {
	next := int64(now)<<logBits | int64(r.tail)
	if r.state.CompareAndSwap(r.published, next) { // else it is being ended
		r.published = next
	}
}

// succeed records that the operation in flight has ended well, and tells when
// the log is full: then it must be flushed.
func (r *recorder) succeed(end time.Duration, rows int64, window int) (full bool) {
	e := &r.log[r.tail&logMask]
	e.end, e.rows, e.window = end, rows, int8(window)
	r.tail++
	return r.tail == logSize
}

// flush absorbs the log and rests. It is false when the connection is abandoned.
// renew says that its context has ended.
func (r *recorder) flush() (renew, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state.Load() == abandoned {
		return false, false
	}
	r.absorb(r.tail)
	return r.rest(), true
}

// rest says that nothing is in flight. The lock must be held.
func (r *recorder) rest() (renew bool) {
	renew = r.cancelled
	r.head, r.tail, r.counted, r.cancelled, r.why = 0, 0, false, false, nil
	r.published = resting
	r.state.Store(resting)
	return renew
}

// absorb counts the entries up to tail. The lock must be held.
func (r *recorder) absorb(tail int) {
	if r.head >= tail {
		return
	}
	if r.counted { // while it was in flight; the loop counts it again
		e := &r.log[r.head&logMask]
		p := r.buffer.phase(int(e.phase), r.kinds)
		p.kinds[e.kind].countStart(e, -1)
		p.hash -= e.hash
	}
	var p *phaseBuffer
	at := int8(noPhase)
	for i := r.head; i < tail; i++ {
		e := &r.log[i&logMask]
		if e.phase != at {
			at = e.phase
			p = r.buffer.phase(int(at), r.kinds)
		}
		p.hash += e.hash
		k := &p.kinds[e.kind]
		k.countStart(e, 1)
		k.ok++
		k.rows += uint64(e.rows)
		k.service.Record(e.end - e.start)
		if e.due != 0 {
			k.respond(e.end - e.due)
		}
		if e.window == at {
			p.completed++
		} else if e.window != noPhase {
			r.buffer.phase(int(e.window), r.kinds).completed++
		}
	}
	if r.steps != nil {
		r.absorbSteps(tail)
	}
	last := &r.log[(tail-1)&logMask]
	r.buffer.lastStart, r.buffer.lastEnd = last.start, last.end
	r.head, r.counted = tail, false
}

// countStart counts the start of an operation, or takes it back with -1.
func (k *kindBuffer) countStart(e *entry, n int) {
	k.started += uint64(n)
	if e.due != 0 && e.start-e.due > core.LateAfter {
		k.late += uint64(n)
		if e.overslept {
			k.overslept += uint64(n)
		}
	}
}

// respond records a response time.
func (k *kindBuffer) respond(d time.Duration) {
	if k.response == nil {
		k.response = &core.Histogram{}
	}
	k.response.Record(d)
}

// countStart counts the entry at head as started, once. The lock must be held.
func (r *recorder) countStart() *kindBuffer {
	e := &r.log[r.head&logMask]
	p := r.buffer.phase(int(e.phase), r.kinds)
	k := &p.kinds[e.kind]
	if !r.counted {
		r.counted = true
		k.countStart(e, 1)
		p.hash += e.hash
		r.buffer.lastStart = e.start
	}
	return k
}

// collect takes the buffer and puts spare, which must be empty, in its place.
// It is nil when the connection is abandoned.
func (r *recorder) collect(spare *buffer) (full *buffer, inFlight bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	state := r.state.Load()
	if state == abandoned {
		return nil, false
	}
	if state > 0 {
		r.absorb(int(state & logMask))
		r.countStart()
	}
	full, r.buffer = r.buffer, spare
	return full, state > 0
}

// inFlight is the state while an operation is in flight that was not cancelled,
// and since when; 0 otherwise.
func (r *recorder) inFlight() (state int64, since time.Duration) {
	state = r.state.Load()
	if state <= 0 || state&marked != 0 {
		return 0, 0
	}
	return state, time.Duration(state >> logBits)
}

// stop cancels the operation that was in flight in that state, unless it has
// ended.
func (r *recorder) stop(state int64, why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state.CompareAndSwap(state, state|marked) {
		r.cancelled, r.why = true, why
		r.cancel(why)
	}
}

// abandon gives the connection up if an operation is in flight, which counts as
// lost. It returns all that was recorded, and nil if nothing is in flight.
func (r *recorder) abandon(why error) *buffer {
	r.mu.Lock()
	defer r.mu.Unlock()
	state := r.state.Load()
	for state > 0 && !r.state.CompareAndSwap(state, abandoned) {
		state = r.state.Load()
	}
	if state <= 0 {
		return nil
	}
	r.absorb(int(state & logMask))
	r.countStart().lost++
	r.cancel(why)
	return r.buffer
}
