package gateway

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// A beat that is steady says what the worker's next one will say again: it is
// held, and stored with the next batch. Every other beat is a change, and is
// acknowledged when it is stored.

// keptBeat is a beat in memory. Nobody else changes what it holds.
type keptBeat struct {
	beat  core.Beat // At is when it arrived, zero where that is not known
	held  bool      // it is not stored; else it has no report
	quota bool      // it says that a quota, or a share of a budget, is used up
}

func keep(beat core.Beat, now time.Time) *keptBeat {
	beat.At = now
	return &keptBeat{beat: beat, held: true, quota: beat.Report.QuotaDone || beat.Report.Spent != ""}
}

// supersedes is the rule of WorkerStore.Beat.
func supersedes(next, last *core.Beat) bool {
	return next.Key.Epoch > last.Key.Epoch || next.Key.Epoch == last.Key.Epoch && next.Count >= last.Count
}

// steady reports whether k says nothing that must be stored before it is
// acknowledged.
func (k *keptBeat) steady(last *keptBeat) bool {
	return last != nil && k.beat.Key.Epoch == last.beat.Key.Epoch && k.beat.State == last.beat.State &&
		!k.beat.State.Final() && (!k.quota || last.quota)
}

// beats are the newest beats of the workers of one run.
type beats struct {
	mu      sync.Mutex
	last    map[string]*keptBeat // by worker: held or stored
	held    int                  // of last, those that are not stored
	changes map[string]*keptBeat // by worker: what the next batch is for
	batch   *batch               // the next one
	wake    chan struct{}        // there are changes
	storing bool                 // somebody waits for the next batch, or stores one
	begun   time.Time            // the last batch
}

// batch is one transaction, and what came of it once done is closed.
type batch struct {
	done   chan struct{}
	err    error            // for everyone
	errors map[string]error // by worker, where they differ
}

func (b *batch) errorOf(worker string) error {
	if b.err != nil {
		return b.err
	}
	return b.errors[worker]
}

func newBatch() *batch { return &batch{done: make(chan struct{})} }

func newBeats() beats {
	return beats{last: map[string]*keptBeat{}, changes: map[string]*keptBeat{}, batch: newBatch(), wake: make(chan struct{}, 1)}
}

// beat takes one beat, which becomes the Server's.
func (s *Server) beat(ctx context.Context, beat core.Beat) error {
	if err := ended(ctx); err != nil {
		return err
	}
	k := keep(beat, s.clock.now())
	r, err := s.enter(beat.Key.RunID)
	if err != nil {
		return err
	}
	defer s.leave(r)
	joined, start, err := r.beats.take(k)
	if start {
		s.also(r, func() { s.storeBeats(r) })
	}
	if joined == nil {
		return err
	}
	select {
	case <-joined.done:
		return joined.errorOf(beat.Key.WorkerID)
	case <-ctx.Done():
		return ended(ctx)
	}
}

// take drops an old beat, holds a steady one, and queues a change for the batch
// that it returns. start says that the caller must see to it that batches are
// stored.
func (b *beats) take(k *keptBeat) (joined *batch, start bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	worker := k.beat.Key.WorkerID
	last, queued := b.last[worker], b.changes[worker]
	switch {
	case last == nil && queued == nil && len(b.last)+len(b.changes) >= maxWorkers:
		return nil, false, fmt.Errorf("%w: gateway: run %q has %d workers already", core.ErrRefused, k.beat.Key.RunID, maxWorkers)
	case last != nil && !supersedes(&k.beat, &last.beat):
		return nil, false, nil
	case queued == nil && k.steady(last) && !k.beat.At.IsZero():
		b.replace(worker, k)
	default:
		if queued == nil || supersedes(&k.beat, &queued.beat) {
			b.changes[worker] = k
		}
		joined = b.batch
		select {
		case b.wake <- struct{}{}:
		default:
		}
	}
	start = !b.storing
	b.storing = true
	return joined, start, nil
}

// replace puts k in the place of the worker's last beat.
func (b *beats) replace(worker string, k *keptBeat) {
	if last := b.last[worker]; last != nil && last.held {
		b.held--
	}
	if k.held {
		b.held++
	}
	b.last[worker] = k
}

// storeBeats stores batches until there is nothing left to store.
func (s *Server) storeBeats(r *runState) {
	b := &r.beats
	for {
		wait, more := b.due(s.options.Interval)
		if !more {
			return
		}
		if wait > 0 && !s.isClosing() {
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-b.wake:
			case <-s.closing:
			}
			timer.Stop()
			continue // to see what it was
		}
		if err := s.storeBatch(r); err != nil && s.isClosing() {
			b.clear() // what is held is lost; changes that came meanwhile are still to be answered
		}
	}
}

// due is how long the next batch can wait, and whether there is one.
func (b *beats) due(interval time.Duration) (wait time.Duration, more bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case len(b.changes) > 0:
		return 0, true
	case b.held > 0:
		return interval - time.Since(b.begun), true
	default:
		b.storing = false
		return 0, false
	}
}

// storeBatch stores all changes, and all that is held with them.
func (s *Server) storeBatch(r *runState) error {
	b := &r.beats
	kept, changes, joined := b.begin()
	defer close(joined.done)
	if len(kept) == 0 {
		return nil
	}
	whole := make([]core.Beat, len(kept))
	for i, k := range kept {
		whole[i] = k.beat
	}
	ctx, cancel := s.shared()
	defer cancel()
	err := s.store.Beat(ctx, whole...)
	switch core.CodeOf(err) {
	case "":
		b.stored(kept)
	case core.NotFound:
		joined.err = err
		b.clear()
		s.forget(r)
	case core.Unavailable:
		joined.err = err
	default: // one beat must not stand in the way of the others
		joined.errors = map[string]error{}
		for i, k := range kept {
			worker := k.beat.Key.WorkerID
			err := s.store.Beat(ctx, whole[i])
			switch {
			case err == nil:
				b.stored(kept[i : i+1])
			case changes[worker] == k:
				joined.errors[worker] = err
			case core.CodeOf(err) != core.Unavailable:
				s.log.Warn("a beat that was held cannot be stored", "run_id", r.id, "worker_id", worker, "error", err.Error())
				b.stored(kept[i : i+1])
			}
		}
	}
	return err
}

// begin takes what the next batch is to store.
func (b *beats) begin() (kept []*keptBeat, changes map[string]*keptBeat, joined *batch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	changes, joined = b.changes, b.batch
	b.changes, b.batch, b.begun = map[string]*keptBeat{}, newBatch(), time.Now()
	for worker, last := range b.last {
		if changes[worker] == nil && last.held {
			kept = append(kept, last)
		}
	}
	for _, k := range changes {
		kept = append(kept, k)
	}
	slices.SortFunc(kept, func(x, y *keptBeat) int { return x.beat.GroupID - y.beat.GroupID })
	return kept, changes, joined
}

// stored notes that these are in the store.
func (b *beats) stored(kept []*keptBeat) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, k := range kept {
		worker := k.beat.Key.WorkerID
		last := b.last[worker]
		if last == k {
			b.held--
		}
		k.held, k.beat.Report = false, core.Report{}
		if last == nil || last != k && supersedes(&k.beat, &last.beat) {
			b.replace(worker, k)
		}
	}
}

// clear forgets everything.
func (b *beats) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.last)
	b.held = 0
}

// beatTogether stores several beats as the contract says, all or none.
func (s *Server) beatTogether(ctx context.Context, list []core.Beat) error {
	now := s.clock.now()
	if err := s.store.Beat(ctx, list...); err != nil {
		return err
	}
	for _, beat := range list {
		r, ok := s.known(beat.Key.RunID)
		if !ok {
			continue
		}
		r.beats.stored([]*keptBeat{keep(beat, now)})
		s.leave(r)
	}
	return nil
}

// newest lists what is in memory of a run's beats, by worker.
func (b *beats) newest() map[string]keptBeat {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make(map[string]keptBeat, len(b.last))
	for worker, k := range b.last {
		list[worker] = *k
	}
	return list
}

// beatsOf reads the newest beats of a run: those that are stored, unless what is
// held is newer. Times are those of arrival: a batch arrives later.
func (s *Server) beatsOf(ctx context.Context, runID string, known map[string]int64) ([]core.Beat, time.Time, error) {
	var kept map[string]keptBeat
	if r, ok := s.known(runID); ok {
		kept = r.beats.newest() // first: what is stored meanwhile is then read
		s.leave(r)
	}
	begin := time.Now()
	list, now, err := s.store.Beats(ctx, runID, known)
	if err != nil {
		return nil, now, err
	}
	s.clock.heard(now, begin)
	for i := range list {
		k, ok := kept[list[i].Key.WorkerID]
		if !ok || !supersedes(&k.beat, &list[i]) {
			continue
		}
		if !k.held { // the same one
			if !k.beat.At.IsZero() && k.beat.Count == list[i].Count && k.beat.Key == list[i].Key {
				list[i].At = k.beat.At
			}
			continue
		}
		if count, ok := known[k.beat.Key.WorkerID]; ok && k.beat.Count <= count {
			k.beat.Report = core.Report{}
		}
		list[i] = cloneBeat(k.beat)
	}
	return list, now, nil
}
