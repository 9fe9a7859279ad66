package runner_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
)

// computing is the bench's target, with a warehouse.
func (b *bench) computing(state string) hookTarget {
	return hookTarget{Target: b.target, hooks: b.hooks, describe: func(i *ports.TargetInfo) {
		i.Warehouse = &core.Warehouse{Name: "BENCH", State: state, Type: core.WarehouseStandard}
	}}
}

// computingSchema is a store with a warehouse.
type computingSchema struct {
	ports.Schema
	name string
	err  error
}

func (c computingSchema) Warehouse(context.Context) (core.Warehouse, error) {
	return core.Warehouse{Name: c.name}, c.err
}

// polledTarget is a target whose warehouse can be asked.
type polledTarget struct {
	*memory.Target
	ask func(ctx context.Context) (core.WarehousePoll, error)
}

func (p polledTarget) PollWarehouse(ctx context.Context) (core.WarehousePoll, error) {
	return p.ask(ctx)
}

// pollStore is a store that keeps polls.
type pollStore struct {
	*memory.Store
	mu    sync.Mutex
	polls []core.WarehousePoll
}

func (p *pollStore) AppendPolls(_ context.Context, polls []core.WarehousePoll) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.polls = append(p.polls, polls...)
	return nil
}

// polled drives a run with 12 s of load, and returns what was asked and stored.
func polled(t *testing.T, ask func(ctx context.Context) (core.WarehousePoll, error)) (polls []core.WarehousePoll, asked int) {
	t.Helper()
	var mu sync.Mutex
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		store := &pollStore{Store: b.store}
		r := b.runner(t, "owner", func(p *runner.Ports, _ *runner.Options) {
			p.Results = store
			p.Target = polledTarget{b.target, func(ctx context.Context) (core.WarehousePoll, error) {
				mu.Lock()
				asked++
				mu.Unlock()
				return ask(ctx)
			}}
		})
		run := b.runToEnd(t, r, scenarioFor(t, 1, func(tpl *core.Template) { tpl.Load.Duration = core.Duration(12 * time.Second) }))
		if run.Status != core.Completed {
			t.Fatalf("the run is %s", run.Status)
		}
		polls = store.polls
	})
	return polls, asked
}

// The warehouse is asked every five seconds while there is load, and at no other
// time.
func TestWarehouseIsPolled(t *testing.T) {
	is := is.New(t)
	polls, asked := polled(t, func(context.Context) (core.WarehousePoll, error) {
		return core.WarehousePoll{Warehouse: "BENCH", Running: 3, Queued: 1, StartedClusters: 2}, nil
	})
	is.Equal(len(polls), asked)
	is.True(asked >= 3 && asked <= 4)
	for i, p := range polls {
		is.Equal(p.RunID, "run")
		is.Equal(p.Running, 3)
		is.True(p.Elapsed >= 0)
		if i > 0 {
			is.True(p.At.Sub(polls[i-1].At) >= 5*time.Second)
			is.True(p.Elapsed >= 4)
		}
	}
}

// A warehouse that does not answer holds nothing up; one that is not there is
// asked once.
func TestWarehousePollsThatFail(t *testing.T) {
	t.Run("hangs", func(t *testing.T) {
		is := is.New(t)
		polls, asked := polled(t, func(ctx context.Context) (core.WarehousePoll, error) {
			<-ctx.Done()
			return core.WarehousePoll{}, ctx.Err()
		})
		is.Equal(len(polls), 0)
		is.True(asked >= 2)
	})
	t.Run("none", func(t *testing.T) {
		is := is.New(t)
		polls, asked := polled(t, func(context.Context) (core.WarehousePoll, error) {
			return core.WarehousePoll{}, core.ErrUnsupported
		})
		is.Equal(len(polls), 0)
		is.Equal(asked, 1)
	})
}
