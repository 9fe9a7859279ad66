package porttest_test

import (
	"context"
	"slices"
	"sync"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// These stores are broken where results are kept.

// resultStore changes what goes through the methods of ResultStore.
type resultStore struct {
	ports.Store
	workers    func([]ports.WorkerInterval) []ports.WorkerInterval
	aggregates func([]ports.RunInterval) []ports.RunInterval
	totals     func([]ports.IntervalTotal) []ports.IntervalTotal
	executions func([]core.Execution) []core.Execution
	rollup     func(parent *core.Rollup, children []core.Rollup) []core.Rollup
	put        func(ctx context.Context, s ports.Store, parent core.Rollup, children []core.Rollup) error
	append     func(ctx context.Context, s ports.Store, workers []ports.WorkerInterval, aggregates []ports.RunInterval) error
}

func (s resultStore) AppendSnapshots(ctx context.Context, workers []ports.WorkerInterval, aggregates []ports.RunInterval) error {
	if s.append == nil {
		return s.Store.AppendSnapshots(ctx, workers, aggregates)
	}
	return s.append(ctx, s.Store, workers, aggregates)
}

func (s resultStore) PutRollup(ctx context.Context, parent core.Rollup, children []core.Rollup) error {
	if s.put == nil {
		return s.Store.PutRollup(ctx, parent, children)
	}
	return s.put(ctx, s.Store, parent, children)
}

func (s resultStore) Rollup(ctx context.Context, runID string) (core.Rollup, []core.Rollup, error) {
	parent, children, err := s.Store.Rollup(ctx, runID)
	if s.rollup != nil && err == nil {
		children = s.rollup(&parent, children)
	}
	return parent, children, err
}

func (s resultStore) WorkerIntervals(ctx context.Context, runID string, offset float64) ([]ports.WorkerInterval, error) {
	list, err := s.Store.WorkerIntervals(ctx, runID, offset)
	if s.workers != nil {
		list = s.workers(list)
	}
	return list, err
}

func (s resultStore) Aggregates(ctx context.Context, runID string, after float64, limit int) ([]ports.RunInterval, error) {
	list, err := s.Store.Aggregates(ctx, runID, after, limit)
	if s.aggregates != nil {
		list = s.aggregates(list)
	}
	return list, err
}

func (s resultStore) Totals(ctx context.Context, runID string, after float64) ([]ports.IntervalTotal, error) {
	list, err := s.Store.Totals(ctx, runID, after)
	if s.totals != nil {
		list = s.totals(list)
	}
	return list, err
}

func (s resultStore) Executions(ctx context.Context, runID, after string, limit int) ([]core.Execution, error) {
	list, err := s.Store.Executions(ctx, runID, after, limit)
	if s.executions != nil {
		list = s.executions(list)
	}
	return list, err
}

// doubledSnapshots appends what is there once more under another worker's name,
// as a store without keys would show it twice.
type doubledSnapshots struct {
	ports.Store
	mu   *sync.Mutex
	more map[string][]ports.WorkerInterval
}

func (s doubledSnapshots) AppendSnapshots(ctx context.Context, workers []ports.WorkerInterval, aggregates []ports.RunInterval) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range workers {
		there, err := s.Store.WorkerIntervals(ctx, w.RunID, -1)
		if err != nil {
			return err
		}
		for _, old := range there {
			if old.WorkerID == w.WorkerID && old.Interval.Sequence == w.Interval.Sequence {
				s.more[w.RunID] = append(s.more[w.RunID], w)
			}
		}
	}
	return s.Store.AppendSnapshots(ctx, workers, aggregates)
}

func (s doubledSnapshots) WorkerIntervals(ctx context.Context, runID string, offset float64) ([]ports.WorkerInterval, error) {
	list, err := s.Store.WorkerIntervals(ctx, runID, offset)
	s.mu.Lock()
	defer s.mu.Unlock()
	return append(list, s.more[runID]...), err
}

// keepChildren leaves children that the new result does not have.
func keepChildren(ctx context.Context, s ports.Store, parent core.Rollup, children []core.Rollup) error {
	_, there, err := s.Rollup(ctx, parent.RunID)
	if err == nil && len(there) > len(children) {
		children = append(slices.Clone(children), there[len(children):]...)
	}
	return s.PutRollup(ctx, parent, children)
}

// brokenPools changes the pools of a store.
type brokenPools struct {
	ports.Store
	get func(chunks []string) []string
}

func (b brokenPools) Pools() ports.PoolStore { return changedPools{b.Store.Pools(), b.get} }

type changedPools struct {
	ports.PoolStore
	get func(chunks []string) []string
}

func (c changedPools) Get(ctx context.Context, id string) ([]string, error) {
	chunks, err := c.PoolStore.Get(ctx, id)
	return c.get(chunks), err
}

const totalsCase = "totals are what the aggregates say"

// brokenTotals changes each total that is read.
func brokenTotals(spoil func(*ports.IntervalTotal)) mutant {
	return mutant{totalsCase, func(s store) store {
		return resultStore{Store: s, totals: func(list []ports.IntervalTotal) []ports.IntervalTotal {
			for i := range list {
				spoil(&list[i])
			}
			return list
		}}
	}}
}

// unlimited reads as many intervals as it likes.
type unlimited struct{ ports.Store }

func (s unlimited) Aggregates(ctx context.Context, runID string, after float64, _ int) ([]ports.RunInterval, error) {
	return s.Store.Aggregates(ctx, runID, after, 0)
}

// fullTotals reads every histogram.
type fullTotals struct{ ports.Store }

func (s fullTotals) Totals(ctx context.Context, runID string, after float64) (list []ports.IntervalTotal, err error) {
	rows, err := s.Store.Aggregates(ctx, runID, after, 0)
	for i := range rows {
		t := rows[i].Total()
		t.Kinds = rows[i].Kinds
		list = append(list, t)
	}
	return list, err
}

// stepStore changes the steps that are read.
type stepStore struct {
	ports.Store
	change func([]core.ControllerStep)
}

func (s stepStore) Steps(ctx context.Context, runID string) ([]core.ControllerStep, error) {
	list, err := s.Store.Steps(ctx, runID)
	s.change(list)
	return list, err
}
