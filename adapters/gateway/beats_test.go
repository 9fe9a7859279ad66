package gateway

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/fault"
	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// counted is a store that counts what reaches it.
type counted struct {
	ports.Store
	beatCalls, controlCalls, loads, executionCalls atomic.Int64
}

func (c *counted) Beat(ctx context.Context, beats ...core.Beat) error {
	c.beatCalls.Add(1)
	return c.Store.Beat(ctx, beats...)
}

func (c *counted) Control(ctx context.Context, runID, workerID string) (core.Control, error) {
	c.controlCalls.Add(1)
	return c.Store.Control(ctx, runID, workerID)
}

func (c *counted) Load(ctx context.Context, runID string) (ports.RunRecord, error) {
	c.loads.Add(1)
	return c.Store.Load(ctx, runID)
}

func (c *counted) AppendExecutions(ctx context.Context, executions []core.Execution) error {
	c.executionCalls.Add(1)
	return c.Store.AppendExecutions(ctx, executions)
}

func newStore() *counted { return &counted{Store: memory.NewStore(memory.Options{})} }

// newRun stores a run with that many workers.
func newRun(t testing.TB, store ports.RunStore, id string, workers int) ports.RunRecord {
	t.Helper()
	template := core.Template{
		Name: "quick", Target: core.TemplateTarget{Kind: "memory"}, Table: core.TemplateTable{Name: "T", Rows: 100},
		Load: core.TemplateLoad{Workers: workers, Connections: 1, Duration: core.Duration(time.Minute)},
		Mix:  []core.TemplateOp{{Kind: core.PointLookup, Weight: 100}},
	}
	scenario, err := template.Resolve(core.Resolution{Launcher: "memory"})
	if err != nil {
		t.Fatal(err)
	}
	record, err := store.Create(t.Context(), core.NewRun(id, scenario.Plan()), scenario, ports.Home{})
	if err != nil {
		t.Fatal(err)
	}
	return record
}

func newServer(t testing.TB, store ports.Store) *Server {
	s := New(store, Options{Key: testKey})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func aBeat(worker int, count int64, state core.WorkerState) core.Beat {
	return core.Beat{
		Key: core.WorkerKey{RunID: "run", WorkerID: core.WorkerID(worker), Epoch: 1}, GroupID: worker,
		State: state, Count: count, Report: core.Report{InFlight: uint64(count)},
	}
}

// newestOf reads the beat of one worker.
func newestOf(t testing.TB, store ports.WorkerStore, worker int) core.Beat {
	t.Helper()
	list, _, err := store.Beats(t.Context(), "run", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range list {
		if b.GroupID == worker {
			return b
		}
	}
	return core.Beat{}
}

func TestSteadyBeatsAreHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		store := newStore()
		s := newServer(t, store)
		newRun(t, s.Store(), "run", 2)
		is.NoErr(s.Store().Beat(t.Context(), aBeat(0, 1, core.WorkerRunning)))
		is.Equal(newestOf(t, store, 0).Count, int64(1)) // the first is stored when it is acknowledged

		time.Sleep(300 * time.Millisecond)
		arrived := time.Now()
		is.NoErr(s.Store().Beat(t.Context(), aBeat(0, 2, core.WorkerRunning)))
		is.Equal(newestOf(t, store, 0).Count, int64(1)) // a steady one is not
		held := newestOf(t, s.Store(), 0)
		is.Equal(held.Count, int64(2)) // but it is seen
		is.Equal(held.Report.InFlight, uint64(2))
		is.True(held.At.Equal(arrived.Truncate(time.Microsecond)))

		is.NoErr(s.Store().Beat(t.Context(), aBeat(0, 1, core.WorkerRunning))) // an old one is dropped
		is.Equal(newestOf(t, s.Store(), 0).Count, int64(2))

		time.Sleep(DefaultInterval)
		synctest.Wait()
		is.Equal(newestOf(t, store, 0).Count, int64(2)) // the batch
		is.Equal(store.beatCalls.Load(), int64(2))
		is.True(newestOf(t, s.Store(), 0).At.Equal(held.At)) // it came when it came

		is.NoErr(s.Store().Beat(t.Context(), aBeat(0, 3, core.WorkerRunning)))
		is.NoErr(s.Store().Beat(t.Context(), aBeat(1, 1, core.WorkerStarting))) // takes what is held along
		is.Equal(newestOf(t, store, 0).Count, int64(3))
		is.Equal(store.beatCalls.Load(), int64(3))

		_, _, err := s.Store().Beats(t.Context(), "run", map[string]int64{"worker-0": 3})
		is.NoErr(err)
	})
}

func TestChangesAreStoredAtOnce(t *testing.T) {
	quota := aBeat(0, 5, core.WorkerRunning)
	quota.Report.QuotaDone = true
	spent := aBeat(0, 5, core.WorkerRunning)
	spent.Report.Spent = core.SpentRows
	epoch := aBeat(0, 1, core.WorkerRunning)
	epoch.Key.Epoch = 2
	for name, next := range map[string]core.Beat{
		"another state": aBeat(0, 5, core.WorkerDraining),
		"the final one": aBeat(0, 5, core.WorkerCompleted),
		"a quota done":  quota,
		"budget spent":  spent,
		"a new launch":  epoch,
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			store := newStore()
			s := newServer(t, store)
			newRun(t, s.Store(), "run", 1)
			is.NoErr(s.Store().Beat(t.Context(), aBeat(0, 4, core.WorkerRunning)))
			is.NoErr(s.Store().Beat(t.Context(), next))
			got := newestOf(t, store, 0)
			is.Equal(got.Key, next.Key)
			is.Equal(got.Count, next.Count)
			is.Equal(got.State, next.State)
			is.NoErr(s.Store().Beat(t.Context(), next)) // again
			if next.State.Final() {
				is.Equal(store.beatCalls.Load(), int64(3)) // a final report is never held
			}
		})
	}
}

// What is not acknowledged is not seen, so that nobody acts on what can be lost.
func TestChangesAreSeenWhenStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		slow, err := fault.New(1, fault.Rule{On: "WorkerStore.Beat", Fault: fault.Delay, Delay: 2 * time.Second, Probability: 1})
		is.NoErr(err)
		s := newServer(t, slow.Store(newStore()))
		newRun(t, s.Store(), "run", 1)
		is.NoErr(s.Store().Beat(t.Context(), aBeat(0, 1, core.WorkerReadyNow)))
		go func() { _ = s.Store().Beat(context.Background(), aBeat(0, 2, core.WorkerCompleted)) }()
		time.Sleep(time.Second)
		is.Equal(newestOf(t, s.Store(), 0).State, core.WorkerReadyNow)
		time.Sleep(2 * time.Second)
		is.Equal(newestOf(t, s.Store(), 0).State, core.WorkerCompleted)
	})
}

func TestBeatsOfAStoreThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		store := newStore()
		away, err := fault.New(1, fault.Rule{On: "WorkerStore.Beat", Fault: fault.FailBefore, Calls: []int64{2, 3, 4}})
		is.NoErr(err)
		s := newServer(t, away.Store(store))
		newRun(t, s.Store(), "run", 1)
		is.NoErr(s.Store().Beat(t.Context(), aBeat(0, 1, core.WorkerRunning)))
		is.NoErr(s.Store().Beat(t.Context(), aBeat(0, 2, core.WorkerRunning)))
		err = s.Store().Beat(t.Context(), aBeat(0, 3, core.WorkerDraining))
		is.True(errors.Is(err, core.ErrUnavailable)) // not retried
		is.Equal(newestOf(t, s.Store(), 0).Count, int64(2))
		time.Sleep(3 * DefaultInterval)
		synctest.Wait()
		is.Equal(newestOf(t, store, 0).Count, int64(2)) // what was acknowledged is stored in the end
		is.NoErr(s.Store().Beat(t.Context(), aBeat(0, 4, core.WorkerDraining)))
	})
}

func TestBeatsOfARunThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		below := newStore()
		s := newServer(t, below)
		record := newRun(t, s.Store(), "run", 1)
		is.NoErr(s.Store().Beat(t.Context(), aBeat(0, 1, core.WorkerRunning)))
		stopped, events, err := record.Run.Fold(core.StopRequested{At: record.Now, Reason: core.UserRequested})
		is.NoErr(err)
		_, err = below.Commit(t.Context(), 1, stopped, events, ports.Progress{}) // behind the back of the Server
		is.NoErr(err)
		is.NoErr(below.Delete(t.Context(), "run"))
		is.NoErr(s.Store().Beat(t.Context(), aBeat(0, 2, core.WorkerRunning))) // held
		time.Sleep(DefaultInterval)
		synctest.Wait()
		is.True(errors.Is(s.Store().Beat(t.Context(), aBeat(0, 3, core.WorkerRunning)), core.ErrNotFound))
		is.Equal(len(s.runs), 0)
	})
}

// A beat that cannot be stored costs no other its place.
func TestOneBadBeat(t *testing.T) {
	is := is.New(t)
	slow, err := fault.New(1, fault.Rule{On: "WorkerStore.Beat", Fault: fault.Delay, Delay: 50 * time.Millisecond, Calls: []int64{1}})
	is.NoErr(err)
	s := newServer(t, slow.Store(memory.NewStore(memory.Options{})))
	newRun(t, s.Store(), "run", 10)
	errs := make([]error, 10)
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() {
			beat := aBeat(i, 1, core.WorkerStarting)
			if i == 4 {
				beat.CPU = math.NaN()
			}
			errs[i] = s.Store().Beat(t.Context(), beat)
		})
	}
	group.Wait()
	for i, err := range errs {
		if i == 4 {
			is.True(errors.Is(err, core.ErrInvalid))
		} else {
			is.NoErr(err)
			is.Equal(newestOf(t, s.Store(), i).Count, int64(1))
		}
	}
}

// A Server that dies loses what is held, and no more; its successor goes on.
func TestHeldBeatsMayBeLost(t *testing.T) {
	is := is.New(t)
	store := newStore()
	first := New(store, Options{Key: testKey, Interval: time.Hour})
	newRun(t, first.Store(), "run", 1)
	is.NoErr(first.Store().Beat(t.Context(), aBeat(0, 1, core.WorkerRunning)))
	is.NoErr(first.Store().Beat(t.Context(), aBeat(0, 2, core.WorkerRunning)))
	second := newServer(t, store)
	is.Equal(newestOf(t, second.Store(), 0).Count, int64(1))
	is.NoErr(second.Store().Beat(t.Context(), aBeat(0, 3, core.WorkerRunning)))
	is.Equal(newestOf(t, store, 0).Count, int64(3))
	is.NoErr(first.Close()) // late: what it held is old
	is.Equal(newestOf(t, store, 0).Count, int64(3))
	is.Equal(newestOf(t, second.Store(), 0).Count, int64(3))
}

func TestCloseStoresWhatIsHeld(t *testing.T) {
	is := is.New(t)
	store := newStore()
	s := New(store, Options{Key: testKey, Interval: time.Hour})
	newRun(t, s.Store(), "run", 1)
	is.NoErr(s.Store().Beat(t.Context(), aBeat(0, 1, core.WorkerRunning)))
	is.NoErr(s.Store().Beat(t.Context(), aBeat(0, 2, core.WorkerRunning)))
	is.NoErr(s.Close())
	is.NoErr(s.Close())
	is.Equal(newestOf(t, store, 0).Count, int64(2))
	is.True(errors.Is(s.Store().Beat(t.Context(), aBeat(0, 3, core.WorkerRunning)), core.ErrUnavailable))
}

func TestBoundedWorkers(t *testing.T) {
	is := is.New(t)
	b := newBeats()
	for i := range maxWorkers {
		_, _, err := b.take(keep(aBeat(i, 1, core.WorkerStarting), time.Time{}))
		is.NoErr(err)
	}
	_, _, err := b.take(keep(aBeat(maxWorkers, 1, core.WorkerStarting), time.Time{}))
	is.True(errors.Is(err, core.ErrRefused))
}

func TestBoundedRuns(t *testing.T) {
	is := is.New(t)
	s := newServer(t, newStore())
	for i := range 3 * maxRuns {
		r, err := s.enter(fmt.Sprint("run-", i))
		is.NoErr(err)
		s.leave(r)
	}
	is.Equal(len(s.runs), maxRuns)
	var entered []*runState
	for i := range maxRuns {
		r, err := s.enter(fmt.Sprint("busy-", i))
		is.NoErr(err)
		entered = append(entered, r)
	}
	_, err := s.enter("one more")
	is.True(errors.Is(err, core.ErrUnavailable))
	for _, r := range entered {
		s.leave(r)
	}
}

// Who waits for a store that fails while the Server closes is told so.
func TestCloseAnswersEveryChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		slow, err := fault.New(1,
			fault.Rule{On: "WorkerStore.Beat", Fault: fault.Delay, Delay: time.Second, Probability: 1},
			fault.Rule{On: "WorkerStore.Beat", Fault: fault.FailBefore, Probability: 1})
		is.NoErr(err)
		s := New(slow.Store(newStore()), Options{Key: testKey})
		newRun(t, s.Store(), "run", 3)
		errs := make([]error, 3)
		var group sync.WaitGroup
		for i := range errs {
			time.Sleep(100 * time.Millisecond) // the first is being stored, the others wait
			group.Go(func() { errs[i] = s.Store().Beat(t.Context(), aBeat(i, 1, core.WorkerStarting)) })
		}
		time.Sleep(100 * time.Millisecond)
		is.NoErr(s.Close())
		group.Wait()
		for _, err := range errs {
			is.True(errors.Is(err, core.ErrUnavailable))
		}
	})
}

func TestExecutionsAreStoredTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		store := newStore()
		s := newServer(t, store)
		newRun(t, s.Store(), "run", 1)
		var group sync.WaitGroup
		for i := range 200 {
			group.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				is.NoErr(s.Store().AppendExecutions(t.Context(), []core.Execution{{ID: fmt.Sprint(i), RunID: "run"}}))
				list, err := store.Executions(t.Context(), "run", "", 1000)
				is.NoErr(err)
				is.True(slices.ContainsFunc(list, func(e core.Execution) bool { return e.ID == fmt.Sprint(i) })) // when it is acknowledged
			})
		}
		group.Wait()
		is.Equal(store.executionCalls.Load(), int64(3))
		err := s.Store().AppendExecutions(t.Context(), []core.Execution{{ID: "1", RunID: "unknown"}})
		is.True(errors.Is(err, core.ErrNotFound))
	})
}

func TestBoundedExecutions(t *testing.T) {
	is := is.New(t)
	e := newExecutions()
	for range 3 {
		_, err := e.take(&sending{list: make([]core.Execution, maxExecutions)})
		is.NoErr(err)
	}
	_, err := e.take(&sending{list: make([]core.Execution, 1)})
	is.True(errors.Is(err, core.ErrUnavailable))
	is.Equal(len(e.begin()), 1) // no batch is larger than maxExecutions
}
