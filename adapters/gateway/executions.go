package gateway

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// executions are the sampled operations of one run on their way to the store.
// Those that come within executionGap of a batch are stored together, and
// acknowledged when they are.
type executions struct {
	mu      sync.Mutex
	queue   []*sending
	queued  int // operations in queue
	storing bool
	begun   time.Time // the last batch
}

// sending is one call that waits for its operations to be stored.
type sending struct {
	list []core.Execution
	done chan struct{}
	err  error
}

func newExecutions() executions { return executions{} }

// appendExecutions takes operations of one run.
func (s *Server) appendExecutions(ctx context.Context, runID string, list []core.Execution) error {
	if err := ended(ctx); err != nil {
		return err
	}
	r, err := s.enter(runID)
	if err != nil {
		return err
	}
	defer s.leave(r)
	sent := &sending{list: slices.Clone(list), done: make(chan struct{})}
	start, err := r.executions.take(sent)
	if err != nil {
		return err
	}
	if start {
		s.also(r, func() { s.storeExecutions(&r.executions) })
	}
	select {
	case <-sent.done:
		return sent.err
	case <-ctx.Done():
		return ended(ctx)
	}
}

func (e *executions) take(sent *sending) (start bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.queued > 0 && e.queued+len(sent.list) > 3*maxExecutions {
		return false, fmt.Errorf("%w: gateway: %d operations wait to be stored already", core.ErrUnavailable, e.queued)
	}
	e.queue = append(e.queue, sent)
	e.queued += len(sent.list)
	start = !e.storing
	e.storing = true
	return start, nil
}

// storeExecutions stores batches until there is nothing left to store.
func (s *Server) storeExecutions(e *executions) {
	for {
		e.mu.Lock()
		if len(e.queue) == 0 {
			e.storing = false
			e.mu.Unlock()
			return
		}
		wait := executionGap - time.Since(e.begun)
		e.mu.Unlock()
		if wait > 0 {
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-s.closing:
			}
			timer.Stop()
		}
		s.storeExecutionBatch(e, e.begin())
	}
}

// begin takes as many calls as fit into one batch, one at least.
func (e *executions) begin() (batch []*sending) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.begun = time.Now()
	for size := 0; len(e.queue) > 0; {
		sent := e.queue[0]
		if size > 0 && size+len(sent.list) > maxExecutions {
			break
		}
		size += len(sent.list)
		batch = append(batch, sent)
		e.queue = e.queue[1:]
	}
	return batch
}

func (s *Server) storeExecutionBatch(e *executions, batch []*sending) {
	ctx, cancel := s.shared()
	defer cancel()
	var all []core.Execution
	for _, sent := range batch {
		all = append(all, sent.list...)
	}
	err := s.store.AppendExecutions(ctx, all)
	for _, sent := range batch {
		sent.err = err
		if err != nil && core.CodeOf(err) != core.Unavailable && len(batch) > 1 {
			sent.err = s.store.AppendExecutions(ctx, sent.list) // one must not stand in the way of the others
		}
	}
	e.mu.Lock()
	e.queued -= len(all)
	e.mu.Unlock()
	for _, sent := range batch {
		close(sent.done)
	}
}
