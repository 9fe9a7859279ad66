package snowflake_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// racers do something at once, spread over stores, and their errors are the
// test's.
func racers(t *testing.T, n int, stores []ports.Store, do func(ctx context.Context, store ports.Store, i int) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if err := do(ctx, stores[i%len(stores)], i); err != nil {
				t.Errorf("racer %d: %v", i, err)
			}
		})
	}
	all.Wait()
}

func fourStores(t *testing.T) (stores []ports.Store) {
	p := newPlace(t, shared.Server(t))
	p.apply(t)
	for range 4 {
		store := p.store(t, snowflaketest.In{})
		t.Cleanup(func() { _ = store.Close() })
		stores = append(stores, store)
	}
	return stores
}

// TestRacingOrchestrators: 32 at once, each of which takes the run over twice, with
// events, and ticks once. Every event has its place, and nobody's is lost.
func TestRacingOrchestrators(t *testing.T) {
	is := is.New(t)
	stores := fourStores(t)
	const orchestrators, each = 32, 3
	var records sync.Map // by key range
	racers(t, orchestrators, stores, func(ctx context.Context, store ports.Store, i int) error {
		record, err := store.Create(ctx, core.Run{ID: fmt.Sprint("run-", i)}, core.Scenario{}, ports.Home{})
		if other, twice := records.LoadOrStore(record.Scenario.InsertBase, i); err == nil && twice {
			err = fmt.Errorf("the range %d is %v's too", record.Scenario.InsertBase, other)
		}
		return err
	})
	racers(t, orchestrators, stores, func(ctx context.Context, store ports.Store, i int) error {
		for won := 0; won < each; {
			now, err := store.Load(ctx, "run-0")
			if err != nil {
				return err
			}
			next, events := now.Run, []core.ControlEvent(nil)
			if next.Owner = fmt.Sprintf("%d-%d", i, won); won < each-1 {
				next, events = moreEvents(next, 2)
				events[1].Detail = next.Owner
			}
			switch _, err := store.Commit(ctx, now.Version, next, events, ports.Progress{}); {
			case err == nil:
				won++
			case core.CodeOf(err) != core.Conflict:
				return err
			}
		}
		return nil
	})
	record, err := stores[0].Load(t.Context(), "run-0")
	is.NoErr(err)
	is.Equal(record.Version, int64(1+orchestrators*each))
	events, err := stores[1].Events(t.Context(), "run-0", 0)
	is.NoErr(err)
	is.Equal(len(events), orchestrators*(each-1)*2)
	winners := map[string]bool{}
	for i, e := range events {
		is.Equal(e.Sequence, int64(i+1))
		if i%2 == 1 {
			is.True(!winners[e.Detail])
			winners[e.Detail] = true
		}
	}
}

// TestOwnersThatDoNotKnowOfEachOther: an owner that has lost a run writes at the
// same time as its successors.
func TestOwnersThatDoNotKnowOfEachOther(t *testing.T) {
	is := is.New(t)
	stores := fourStores(t)
	record := endedRun(t, stores[0], "run-1")
	id := record.Run.ID
	for round := range int64(5) {
		racers(t, 8, stores, func(ctx context.Context, store ports.Store, i int) error {
			if err := store.AppendSnapshots(ctx, intervalsOf(id, 2+round), aggregateOf(id, float64(2+round), i)); err != nil {
				return err
			}
			if err := store.Beat(ctx, beatsOf(id, 2+round)...); err != nil {
				return err
			}
			n := i % 3
			err := store.PutRollup(ctx, core.Rollup{RunID: id, Connections: n}, childrenOf(id, n))
			if core.CodeOf(err) == core.Conflict { // the result is newer
				return nil
			}
			return err
		})
		wantValid(t, stores[0], id)
	}
	aggregates, err := stores[0].Aggregates(t.Context(), id, 0, 0)
	is.NoErr(err)
	is.Equal(len(aggregates), 6)
	intervals, err := stores[0].WorkerIntervals(t.Context(), id, -1)
	is.NoErr(err)
	is.Equal(len(intervals), 3*6)
	is.NoErr(stores[0].PutRollup(t.Context(), core.Rollup{RunID: id, Connections: 2}, childrenOf(id, 2)))
	_, children, err := stores[1].Rollup(t.Context(), id)
	is.NoErr(err)
	is.Equal(len(children), 2)
}
