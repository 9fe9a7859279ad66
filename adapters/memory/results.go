package memory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// Limits of what one call returns.
const (
	maxAggregates     = 10000
	defaultExecutions = 100
	maxExecutions     = 10000
)

// Keys of what is stored, as the ports say.
type (
	intervalKey struct {
		worker   string
		sequence int64
	}
	aggregateKey struct {
		offset float64
		phase  core.Phase
	}
)

type storedInterval struct {
	value  frozen[ports.WorkerInterval]
	group  int
	key    intervalKey
	offset float64
}

type storedRollup struct {
	parent   frozen[core.Rollup]
	children []frozen[core.Rollup] // by worker index
}

type storedExecution struct {
	value frozen[core.Execution]
	id    string
	run   string
	start time.Time
}

// AppendSnapshots stores intervals of workers, of which the first stays, and
// aggregates, of which the last stays.
func (s *Store) AppendSnapshots(ctx context.Context, workers []ports.WorkerInterval, aggregates []ports.RunInterval) error {
	return s.do(ctx, func(d *data) error {
		var puts []func() // after everything was checked
		for _, w := range workers {
			r, err := d.find(w.RunID)
			if err != nil {
				return err
			}
			key := intervalKey{w.WorkerID, w.Interval.Sequence}
			value, err := freeze(w)
			if err != nil {
				return err
			}
			puts = append(puts, func() {
				if _, found := r.intervals[key]; !found {
					r.intervals[key] = storedInterval{value: value, group: w.GroupID, key: key, offset: w.Interval.Offset}
				}
			})
		}
		for _, a := range aggregates {
			r, err := d.find(a.RunID)
			if err != nil {
				return err
			}
			value, err := freeze(a)
			if err != nil {
				return err
			}
			puts = append(puts, func() { r.aggregates[aggregateKey{a.Offset, a.Phase}] = value })
		}
		for _, put := range puts {
			put()
		}
		return nil
	})
}

// AppendExecutions stores sampled operations by id; the first of an id stays.
func (s *Store) AppendExecutions(ctx context.Context, executions []core.Execution) error {
	return s.do(ctx, func(d *data) error {
		var list []storedExecution
		for _, e := range executions {
			if _, err := d.find(e.RunID); err != nil {
				return err
			}
			value, err := freeze(e)
			if err != nil {
				return err
			}
			list = append(list, storedExecution{value: value, id: e.ID, run: e.RunID, start: e.Start})
		}
		for _, e := range list {
			if _, found := d.executions[e.id]; !found {
				d.executions[e.id] = e
			}
		}
		return nil
	})
}

// PutRollup replaces the result of a run.
func (s *Store) PutRollup(ctx context.Context, parent core.Rollup, children []core.Rollup) error {
	return s.do(ctx, func(d *data) error {
		r, err := d.find(parent.RunID)
		if err != nil {
			return err
		}
		children = slices.Clone(children)
		slices.SortStableFunc(children, func(a, b core.Rollup) int { return r.compareWorkers(a.WorkerID, b.WorkerID) })
		rollup := &storedRollup{}
		if rollup.parent, err = freeze(parent); err != nil {
			return err
		}
		for _, child := range children {
			if child.RunID != parent.RunID {
				return fmt.Errorf("%w: memory: a child of run %q in the result of run %q", core.ErrInvalid, child.RunID, parent.RunID)
			}
			value, err := freeze(child)
			if err != nil {
				return err
			}
			rollup.children = append(rollup.children, value)
		}
		r.rollup = rollup
		return nil
	})
}

// compareWorkers orders workers by index; those that the run does not know come
// last, by id.
func (r *storedRun) compareWorkers(a, b string) int {
	place := func(id string) int {
		if i, ok := r.level.WorkerIndex(id); ok {
			return i
		}
		return len(r.level.Workers)
	}
	return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a, b))
}

// Rollup reads the result of a run.
func (s *Store) Rollup(ctx context.Context, runID string) (parent core.Rollup, children []core.Rollup, err error) {
	err = s.do(ctx, func(d *data) error {
		r, err := d.find(runID)
		if err != nil {
			return err
		}
		if r.rollup == nil {
			return fmt.Errorf("%w: memory: run %q has no result yet", core.ErrNotFound, runID)
		}
		if parent, err = r.rollup.parent.thaw(); err != nil {
			return err
		}
		children, err = thawAll(r.rollup.children)
		return err
	})
	return parent, children, err
}

// Aggregates returns aggregate intervals by offset; of one offset, by phase in
// the order of a run.
func (s *Store) Aggregates(ctx context.Context, runID string, after float64, limit int) (list []ports.RunInterval, err error) {
	err = s.do(ctx, func(d *data) error {
		list, _, err = d.aggregates(runID, after, limit)
		return err
	})
	return list, err
}

// Totals returns what Aggregates does, in plain numbers.
func (s *Store) Totals(ctx context.Context, runID string, after float64) (list []ports.IntervalTotal, err error) {
	err = s.do(ctx, func(d *data) error {
		rows, atOffset, err := d.aggregates(runID, after, 0)
		if err != nil {
			return err
		}
		for i := range rows {
			t := rows[i].Total()
			if atOffset[t.Offset] > 1 {
				t.Kinds = rows[i].Kinds
			}
			list = append(list, t)
		}
		return nil
	})
	return list, err
}

// aggregates are those of a run after an offset, in order, and how many end at each
// offset.
func (d *data) aggregates(runID string, after float64, limit int) (list []ports.RunInterval, atOffset map[float64]int, err error) {
	r := d.runs[runID]
	if r == nil {
		return nil, nil, nil
	}
	keys := slices.Collect(maps.Keys(r.aggregates))
	keys = slices.DeleteFunc(keys, func(k aggregateKey) bool { return k.offset <= after })
	phases := core.LoadPhases()
	slices.SortFunc(keys, func(a, b aggregateKey) int {
		return cmp.Or(cmp.Compare(a.offset, b.offset), cmp.Compare(slices.Index(phases, a.phase), slices.Index(phases, b.phase)), cmp.Compare(a.phase, b.phase))
	})
	atOffset = map[float64]int{}
	for _, k := range keys {
		atOffset[k.offset]++
	}
	var found []frozen[ports.RunInterval]
	if limit <= 0 || limit > maxAggregates {
		limit = maxAggregates
	}
	for _, k := range keys[:min(limit, len(keys))] {
		found = append(found, r.aggregates[k])
	}
	list, err = thawAll(found)
	return list, atOffset, err
}

// WorkerIntervals returns stored intervals of the workers of a run.
func (s *Store) WorkerIntervals(ctx context.Context, runID string, offset float64) (list []ports.WorkerInterval, err error) {
	err = s.do(ctx, func(d *data) error {
		r := d.runs[runID]
		if r == nil {
			return nil
		}
		var stored []storedInterval
		for _, i := range r.intervals {
			if offset < 0 || i.offset == offset {
				stored = append(stored, i)
			}
		}
		slices.SortFunc(stored, func(a, b storedInterval) int {
			return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.key.worker, b.key.worker), cmp.Compare(a.key.sequence, b.key.sequence))
		})
		for _, i := range stored {
			value, err := i.value.thaw()
			if err != nil {
				return err
			}
			list = append(list, value)
		}
		return nil
	})
	return list, err
}

// Executions returns sampled operations by start time and id. After an id that
// is not there comes nothing.
func (s *Store) Executions(ctx context.Context, runID, after string, limit int) (list []core.Execution, err error) {
	if limit <= 0 {
		limit = defaultExecutions
	}
	limit = min(limit, maxExecutions)
	err = s.do(ctx, func(d *data) error {
		var stored []storedExecution
		for _, e := range d.executions {
			if e.run == runID {
				stored = append(stored, e)
			}
		}
		order := func(a, b storedExecution) int {
			return cmp.Or(a.start.Compare(b.start), cmp.Compare(a.id, b.id))
		}
		slices.SortFunc(stored, order)
		if after != "" {
			i := slices.IndexFunc(stored, func(e storedExecution) bool { return e.id == after })
			if i < 0 {
				return nil
			}
			stored = stored[i+1:]
		}
		for _, e := range stored[:min(limit, len(stored))] {
			value, err := e.value.thaw()
			if err != nil {
				return err
			}
			list = append(list, value)
		}
		return nil
	})
	return list, err
}
