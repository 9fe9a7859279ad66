package runner_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
)

// slowRows is a store that needs a time for each interval that it reads, and counts
// those that it gave.
type slowRows struct {
	ports.Store
	mu     sync.Mutex
	each   time.Duration // 0: none is read
	given  int
	lapsed int // reads that nobody waited for any longer
}

func (s *slowRows) become(each time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.each, s.given = each, 0
}

func (s *slowRows) Aggregates(ctx context.Context, run string, after float64, limit int) ([]ports.RunInterval, error) {
	s.mu.Lock()
	each := s.each
	s.mu.Unlock()
	if each == 0 {
		return nil, unavailable()
	}
	list, err := s.Store.Aggregates(ctx, run, after, limit)
	waited := pause(ctx, time.Duration(len(list))*each)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !waited {
		s.lapsed++
		return nil, lost(ctx.Err())
	}
	s.given += len(list)
	return list, err
}

// watchSlowly runs some load, 20 intervals a second, with an objective that is always
// missed, over a store that reads slowly: so while the load goes on, and so at the end.
func watchSlowly(t *testing.T, load, live, end time.Duration) (*slowRows, core.Run, core.Rollup) {
	t.Helper()
	b := newBench(t, nil)
	s := scenarioFor(t, 2, func(tpl *core.Template) {
		tpl.Load.Duration = core.Duration(load)
		tpl.SLOs = []string{"throughput > 1000000000 for 10s"}
	})
	store := &slowRows{each: live}
	run := b.runToEnd(t, b.runner(t, "a", func(p *runner.Ports, o *runner.Options) {
		store.Store = hookStore{b.store, b.hooks}
		*p = runner.FromStore(store, hookLauncher{Launcher: b.launcher, hooks: b.hooks}, hookTarget{Target: b.target, hooks: b.hooks})
		reacting(o, reaction{func(o runner.Observation) bool { return o.Run.Status == core.Stopping }, func() { store.become(end) }})
	}), s)
	parent, _, err := b.store.Rollup(t.Context(), run.ID)
	if err != nil {
		t.Fatal(err)
	}
	return store, run, parent
}

// A time series that takes longer to read than an attempt to store the result may last,
// as that of an owner that has just taken the run over: each attempt goes on where the
// one before has stopped.
func TestObjectiveOfALongSeries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		store, run, parent := watchSlowly(t, time.Minute, 0, 40*time.Millisecond)
		is.Equal(run.Status, core.Completed)
		is.True(store.lapsed > 0)
		is.True(store.given < 1200+1200/2)
		is.Equal(len(parent.SLOs), 1)
		is.True(parent.SLOs[0].MissedFor.Std() > 59*time.Second)
	})
}

// Most of one that takes longer to read than there is time for the result is looked at
// while the load goes on: little is left at the end.
func TestObjectiveIsWatchedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		store, run, parent := watchSlowly(t, 2*time.Minute, 30*time.Millisecond, 30*time.Millisecond)
		is.Equal(run.Status, core.Completed)
		is.Equal(store.lapsed, 0)
		is.True(store.given < 2400/3) // at the end: pages of the rest, and what may change until late
		is.True(parent.SLOs[0].MissedFor.Std() > 119*time.Second)
	})
}
