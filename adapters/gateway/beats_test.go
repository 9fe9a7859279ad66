package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"reflect"
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
	epoch := aBeat(0, 1, core.WorkerRunning)
	epoch.Key.Epoch = 2
	for name, next := range map[string]core.Beat{
		"another state": aBeat(0, 5, core.WorkerDraining),
		"the final one": aBeat(0, 5, core.WorkerCompleted),
		"a quota done":  quota,
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

// A copy shares nothing, whatever the types of core will hold one day: what can
// be shared is found by its kind.
func TestCloneBeat(t *testing.T) {
	is := is.New(t)
	var filled core.Beat
	fill(reflect.ValueOf(&filled).Elem())
	copied := cloneBeat(filled)
	want, err := json.Marshal(filled)
	is.NoErr(err)
	got, err := json.Marshal(copied)
	is.NoErr(err)
	is.Equal(string(got), string(want))
	shared(t, "Beat", reflect.ValueOf(filled), reflect.ValueOf(copied))
}

// fill gives everything a value, and every slice and pointer something to hold.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(7, 0).UTC()))
			return
		}
		if v.Type() == reflect.TypeFor[core.Histogram]() {
			v.Addr().Interface().(*core.Histogram).Record(time.Second)
			return
		}
		for _, field := range v.Fields() {
			if field.CanSet() {
				fill(field)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.String:
		v.SetString("x")
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint64:
		v.SetUint(7)
	case reflect.Float64:
		v.SetFloat(7)
	case reflect.Bool:
		v.SetBool(true)
	}
}

// shared fails the test for everything that two values share.
func shared(t *testing.T, path string, a, b reflect.Value) {
	t.Helper()
	switch a.Kind() {
	case reflect.Struct:
		if a.Type() == reflect.TypeFor[time.Time]() {
			return // its pointer is to a time zone, which nobody changes
		}
		for i := range a.NumField() {
			shared(t, path+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i))
		}
	case reflect.Array:
		for i := range a.Len() {
			shared(t, path, a.Index(i), b.Index(i))
		}
	case reflect.Pointer, reflect.Slice, reflect.Map:
		if a.IsNil() {
			return
		}
		if a.Pointer() == b.Pointer() {
			t.Errorf("%s is shared", path)
			return
		}
		if a.Kind() == reflect.Pointer {
			shared(t, path, a.Elem(), b.Elem())
		} else if a.Kind() == reflect.Slice {
			shared(t, path, a.Index(0), b.Index(0))
		}
	}
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

// pipes is a listener whose connections are in memory, so that both sides can
// live on virtual time.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.done:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// simulated is for how long, in virtual time; counted is what comes after the
// first second.
const simulated = 5 * time.Second

// simulate lets workers beat and read their control state through the wire, and
// counts what reaches the store after they have begun.
func simulate(t testing.TB, workers int) (store *counted) {
	is := is.New(t)
	store = newStore()
	s := New(store, Options{Key: testKey})
	newRun(t, s.Store(), "run", workers)
	l := newPipes()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()

	living, end := context.WithCancel(context.Background()) // without a deadline, which would shorten the holds
	time.AfterFunc(simulated, end)
	var group sync.WaitGroup
	for i := range workers {
		group.Go(func() { simulateWorker(t, living, l, i, workers) })
	}
	time.Sleep(999 * time.Millisecond) // each has said its first
	store.beatCalls.Store(0)
	store.controlCalls.Store(0)
	store.executionCalls.Store(0)
	group.Wait()
	end()
	cancel()
	is.NoErr(<-served)
	is.NoErr(s.Close())
	return store
}

func simulateWorker(t testing.TB, ctx context.Context, l *pipes, i, workers int) {
	time.Sleep(time.Duration(i) * 900 * time.Millisecond / time.Duration(workers))
	store, err := Open(ctx, "http://gateway", ClientOptions{Token: Token(testKey, "run"), dial: l.dial})
	if err != nil {
		t.Error(err)
		return
	}
	defer store.Close()
	var group sync.WaitGroup
	group.Go(func() {
		for ctx.Err() == nil {
			if _, err := store.Control(ctx, "run", core.WorkerID(i)); err != nil && ctx.Err() == nil {
				t.Errorf("Control: %v", err)
				return
			}
		}
	})
	for count := int64(1); ctx.Err() == nil; count++ {
		err := store.Beat(ctx, aBeat(i, count, core.WorkerRunning))
		if err == nil {
			err = store.AppendExecutions(ctx, []core.Execution{{ID: fmt.Sprint(i, "/", count), RunID: "run"}})
		}
		if err != nil && ctx.Err() == nil {
			t.Errorf("beat %d: %v", count, err)
			return
		}
		pause(ctx, time.Second)
	}
	group.Wait()
}

// However many workers there are, a run's beats are one batch per interval, its
// control reads one per poll, and its executions ten batches a second.
func TestWritesDoNotGrowWithWorkers(t *testing.T) {
	sizes := []int{10, 100, 1000}
	if testing.Short() || raceDetector { // with which a thousand take most of a minute
		sizes = sizes[:2]
	}
	for _, workers := range sizes {
		t.Run(fmt.Sprintf("%d workers", workers), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				is := is.New(t)
				store := simulate(t, workers)
				t.Logf("in 4 s: %d batches of beats, %d of executions, %d control reads", store.beatCalls.Load(), store.executionCalls.Load(), store.controlCalls.Load())
				is.True(store.beatCalls.Load() <= 4+2) // one before, and the last on Close
				is.True(store.executionCalls.Load() <= 40+2)
				is.True(store.controlCalls.Load() <= 4*20+2)
				list, _, err := store.Beats(t.Context(), "run", nil)
				is.NoErr(err)
				is.Equal(len(list), workers)
				for _, b := range list {
					is.True(b.Count >= 4) // the one that was on its way at the end does not count
				}
			})
		})
	}
}
