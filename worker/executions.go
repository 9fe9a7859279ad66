package worker

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// The bounds of sampled executions on their way to the store.
const (
	executionQueue   = 8192 // waiting; more are dropped and counted
	executionBatch   = 500  // in one call of the store
	executionTimeout = 10 * time.Second
	maxErrorText     = 500 // bytes of an error's text that are kept
)

// executionDelay is how long sampled executions that fill no batch wait. Where the
// control state is read rarely, because each statement costs, they wait for their
// batch or for the end: so workers send no statement that is not a beat or a read.
func executionDelay(poll time.Duration) time.Duration {
	if poll >= 500*time.Millisecond {
		return math.MaxInt64
	}
	return time.Second
}

// sampler chooses the operations that are stored one by one: a pure function of
// seed, connection and position, so the choice is the same on every worker.
type sampler struct {
	threshold uint64 // of 2^64; 0: none
	seed      uint64
}

func newSampler(percent float64, seed int64) sampler {
	s := sampler{seed: uint64(seed) ^ samplerSeed}
	switch {
	case percent >= 100:
		s.threshold = math.MaxUint64
	case percent > 0:
		s.threshold = uint64(percent / 100 * math.MaxUint64)
	}
	return s
}

const samplerSeed = 0x73616d706c65 // "sample": keeps its random numbers apart

func (s sampler) chooses(connection, n int64, measured bool) bool {
	seed := s.seed
	if measured {
		seed++
	}
	r := core.NewRand(seed, uint64(connection), uint64(n))
	return r.Uint64() <= s.threshold
}

// sampled is one chosen operation as the connection hands it over.
type sampled struct {
	connection int64 // whose stream has made it
	n          int64
	kind       string
	measured   bool
	phase      int
	due        time.Duration // 0 in a closed loop
	start, end time.Duration
	rows       int64
	queryID    string
	err        error
	class      string
}

// sample hands the operation that has just ended over, if it is chosen. It never
// waits.
func (c *connection) sample(start time.Duration, rows int64, err error, class string) {
	if c.unsampled || !c.load.sampler.chooses(c.lane, c.n, c.measured) {
		return
	}
	s := sampled{
		connection: c.lane, n: c.n, due: c.due, kind: c.load.operations[c.op].kind, measured: c.measured, phase: c.phase,
		start: start, end: c.ended, rows: rows, queryID: c.session.QueryID(), err: err, class: class,
	}
	select {
	case c.load.samples <- s:
	default:
		c.load.dropped.Add(1)
	}
}

// executionWriter stores sampled operations in batches.
type executionWriter struct {
	store   ports.ResultStore
	queue   <-chan sampled
	dropped *atomic.Uint64
	clock   *storeClock
	key     core.WorkerKey
	delay   time.Duration
	text    func(error) string
	log     *slog.Logger

	batch   []core.Execution
	sending atomic.Int64 // executions in a call of the store
}

// run stores until ctx ends. The batch at hand stays for flush.
func (w *executionWriter) run(ctx context.Context) {
	timer := time.NewTicker(w.delay)
	defer timer.Stop()
	for ctx.Err() == nil {
		if len(w.batch) >= executionBatch {
			w.send(ctx)
			continue
		}
		select {
		case s := <-w.queue:
			w.batch = append(w.batch, w.execution(s))
		case <-timer.C:
			w.send(ctx)
		case <-ctx.Done():
		}
	}
}

// flush stores what is left. What cannot be stored before ctx ends is dropped
// and counted.
func (w *executionWriter) flush(ctx context.Context) {
	for {
		select {
		case s := <-w.queue:
			w.batch = append(w.batch, w.execution(s))
			if len(w.batch) < executionBatch {
				continue
			}
		default:
			if len(w.batch) == 0 {
				return
			}
		}
		if !w.send(ctx) && ctx.Err() != nil {
			w.dropped.Add(uint64(len(w.batch) + len(w.queue)))
			return
		}
	}
}

// send stores the batch at hand, with one pause after a failure that may pass.
// A failure that will not pass drops the batch.
func (w *executionWriter) send(ctx context.Context) bool {
	if len(w.batch) == 0 {
		return true
	}
	call, cancel := context.WithTimeout(ctx, executionTimeout)
	defer cancel()
	w.sending.Store(int64(len(w.batch)))
	err := w.store.AppendExecutions(call, w.batch)
	w.sending.Store(0)
	switch {
	case err == nil:
		w.batch = w.batch[:0]
		return true
	case ctx.Err() != nil:
		return false
	case core.Retryable(err):
		wait(ctx, time.Second/5)
		return false
	default:
		w.log.Error("sampled operations could not be stored", "count", len(w.batch), "error", w.text(err))
		w.dropped.Add(uint64(len(w.batch)))
		w.batch = w.batch[:0]
		return false
	}
}

// wait pauses until d has passed or ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// execution is a sampled operation as it is stored.
func (w *executionWriter) execution(s sampled) core.Execution {
	zero := w.clock.origin()
	intended := s.start
	if s.due != 0 {
		intended = s.due
	}
	part := "w"
	if s.measured {
		part = "m"
	}
	e := core.Execution{
		ID:         fmt.Sprintf("%s/%d/%d%s%d", w.key.RunID, w.key.Epoch, s.connection, part, s.n),
		RunID:      w.key.RunID,
		WorkerID:   w.key.WorkerID,
		Connection: s.connection,
		QueryID:    s.queryID,
		Kind:       s.kind,
		Start:      zero.Add(s.start),
		Intended:   zero.Add(intended),
		Service:    s.end - s.start,
		Response:   s.end - intended,
		Rows:       s.rows,
		Success:    s.err == nil,
		ErrorClass: s.class,
		Warmup:     s.phase == warmup,
	}
	if s.err != nil {
		e.Error = w.text(s.err)
	}
	return e
}
