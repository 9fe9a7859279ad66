package gateway

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/fault"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// reading is a control read that is under way.
type reading struct {
	done    chan struct{}
	control core.Control
	err     error
	took    time.Duration
}

func (s *Server) read(worker int, seen int64, hold time.Duration) *reading {
	r := &reading{done: make(chan struct{})}
	begin := time.Now()
	go func() {
		defer close(r.done)
		r.control, r.err = s.control(context.Background(), nil, &controlArgs{RunID: "run", WorkerID: core.WorkerID(worker), Seen: seen, Hold: hold})
		r.took = time.Since(begin)
	}()
	return r
}

// stop asks for the end of the run, as the command stop does.
func stop(t testing.TB, store ports.RunStore) int64 {
	t.Helper()
	record, err := store.Load(t.Context(), "run")
	if err != nil {
		t.Fatal(err)
	}
	next, events, err := record.Run.Fold(core.StopRequested{At: record.Now, Reason: core.UserRequested})
	if err != nil {
		t.Fatal(err)
	}
	version, err := store.Commit(t.Context(), record.Version, next, events, ports.Progress{})
	if err != nil {
		t.Fatal(err)
	}
	return version
}

func TestHeldReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		store := newStore()
		s := newServer(t, store)
		newRun(t, s.Store(), "run", 1)

		first := s.read(0, 0, time.Second) // who knows nothing is answered at once
		<-first.done
		is.NoErr(first.err)
		is.Equal(first.control.Version, int64(1))
		is.Equal(first.took, time.Duration(0))
		is.Equal(first.control.Held, time.Duration(0))

		older := s.read(0, 7, time.Second) // so is who knows something else
		<-older.done
		is.Equal(older.took, time.Duration(0))

		same := s.read(0, 1, 730*time.Millisecond) // who is up to date waits
		<-same.done
		is.NoErr(same.err)
		is.Equal(same.took, 730*time.Millisecond)
		is.Equal(same.control.Held, 730*time.Millisecond)
		is.True(same.control.Now.Equal(time.Now())) // the clock is that of the answer

		long := s.read(0, 1, time.Hour)
		<-long.done
		is.Equal(long.took, maxHold)

		unknown := s.read(5, 1, time.Second)
		<-unknown.done
		is.True(errors.Is(unknown.err, core.ErrNotFound))
	})
}

func TestReadsWakeOnCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		store := newStore()
		s := newServer(t, store)
		newRun(t, s.Store(), "run", 2)
		is.NoErr(s.Store().Beat(t.Context(), aBeat(0, 1, core.WorkerRunning)))
		known := s.read(0, 0, 0)
		<-known.done

		own := s.read(0, 1, time.Minute)
		time.Sleep(333 * time.Millisecond)
		loads := store.loads.Load()
		version := stop(t, s.Store())
		<-own.done
		is.Equal(own.control.Version, version)
		is.Equal(own.control.Status, core.Cancelled)
		is.Equal(own.took, 333*time.Millisecond) // at once
		is.Equal(own.control.Held, 333*time.Millisecond)
		is.Equal(store.loads.Load(), loads+1) // by stop itself: what was committed is known
	})
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		store := newStore()
		s := newServer(t, store)
		newRun(t, store, "run", 2)
		<-s.read(0, 0, 0).done
		foreign := s.read(1, 1, time.Minute)
		time.Sleep(333 * time.Millisecond)
		version := stop(t, store) // past the Server, as another process does
		<-foreign.done
		is.Equal(foreign.control.Version, version)
		is.True(foreign.took <= 333*time.Millisecond+DefaultPoll)
	})
	synctest.Test(t, func(t *testing.T) { // the owner finds it before the next poll
		is := is.New(t)
		store := newStore()
		s := New(store, Options{Key: testKey, Poll: time.Hour})
		defer s.Close()
		newRun(t, store, "run", 1)
		<-s.read(0, 0, 0).done
		held := s.read(0, 1, maxHold)
		time.Sleep(time.Second)
		version := stop(t, store)
		_, err := s.Store().Control(t.Context(), "run", "worker-0")
		is.NoErr(err)
		<-held.done
		is.Equal(held.control.Version, version)
		is.Equal(held.took, time.Second)
	})
	synctest.Test(t, func(t *testing.T) { // between two reads of a worker
		is := is.New(t)
		s := newServer(t, newStore())
		newRun(t, s.Store(), "run", 1)
		<-s.read(0, 0, 0).done
		time.Sleep(time.Second)
		version := stop(t, s.Store())
		next := s.read(0, 1, time.Second)
		<-next.done
		is.Equal(next.control.Version, version)
		is.Equal(next.took, time.Duration(0))
		is.Equal(next.control.Held, time.Duration(0))
	})
}

// A thousand that wait are one that polls, and nobody polls when nobody waits.
func TestOnePollForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		store := newStore()
		s := newServer(t, store)
		newRun(t, s.Store(), "run", 1000)
		<-s.read(0, 0, 0).done
		begin := time.Now()
		var group sync.WaitGroup
		for i := range 1000 {
			group.Go(func() { <-s.read(i, 1, time.Second).done })
		}
		group.Wait()
		is.Equal(time.Since(begin), time.Second)
		is.True(store.controlCalls.Load() <= 20+2) // the polls, and the reading for those whose hold is over
		is.Equal(store.loads.Load(), int64(1))
		calls := store.controlCalls.Load()
		time.Sleep(time.Minute)
		is.Equal(store.controlCalls.Load(), calls)
	})
}

func TestReadsOfAStoreThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		store := newStore()
		away, err := fault.New(1, fault.Rule{On: "WorkerStore.Control", Fault: fault.FailBefore, Probability: 1}, fault.Rule{On: "RunStore.Load", Fault: fault.FailBefore, Calls: []int64{2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}})
		is.NoErr(err)
		s := newServer(t, away.Store(store))
		newRun(t, s.Store(), "run", 1)
		<-s.read(0, 0, 0).done
		held := s.read(0, 1, 300*time.Millisecond)
		<-held.done
		is.True(errors.Is(held.err, core.ErrUnavailable)) // not an old answer
		is.Equal(held.took, 300*time.Millisecond)         // and no storm
		away.Heal()
		again := s.read(0, 1, 300*time.Millisecond)
		<-again.done
		is.NoErr(again.err)
	})
}

func TestReadsOfARunThatIsDeleted(t *testing.T) {
	for name, through := range map[string]bool{"by the owner": true, "by another process": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				is := is.New(t)
				store := newStore()
				s := newServer(t, store)
				newRun(t, s.Store(), "run", 1)
				version := stop(t, s.Store())
				<-s.read(0, 0, 0).done
				held := s.read(0, version, time.Minute)
				time.Sleep(time.Millisecond)
				by := ports.RunStore(store)
				if through {
					by = s.Store()
				}
				is.NoErr(by.Delete(t.Context(), "run"))
				<-held.done
				is.True(errors.Is(held.err, core.ErrNotFound))
				is.True(held.took <= DefaultPoll+time.Millisecond)
				newRun(t, by, "run", 1) // of the same name
				time.Sleep(time.Millisecond)
				next := s.read(0, version, time.Second)
				<-next.done
				is.NoErr(next.err)
				is.Equal(next.control.Version, int64(1))
			})
		})
	}
}

func TestCloseAnswersHeldReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		s := newServer(t, newStore())
		newRun(t, s.Store(), "run", 10)
		<-s.read(0, 0, 0).done
		var held []*reading
		for i := range 10 {
			held = append(held, s.read(i, 1, time.Minute))
		}
		time.Sleep(time.Second)
		is.NoErr(s.Close())
		for _, r := range held {
			<-r.done
			is.NoErr(r.err)
			is.Equal(r.took, time.Second)
		}
		late := s.read(0, 1, time.Minute)
		<-late.done
		is.True(errors.Is(late.err, core.ErrUnavailable))
	})
}

func TestReadsEndWithTheirContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		s := newServer(t, newStore())
		newRun(t, s.Store(), "run", 1)
		<-s.read(0, 0, 0).done
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := s.control(ctx, nil, &controlArgs{RunID: "run", WorkerID: "worker-0", Seen: 1, Hold: time.Minute})
		is.True(errors.Is(err, context.DeadlineExceeded))
		is.True(errors.Is(err, core.ErrUnavailable))
	})
}

// A read that comes while the store is being read waits for the next reading.
func TestNoAnswerIsOlderThanItsQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		store := newStore()
		s := newServer(t, &lagging{store})
		newRun(t, store, "run", 1)
		<-s.read(0, 0, 0).done
		early := s.read(0, 1, time.Minute)
		time.Sleep(90 * time.Millisecond) // a poll has read the old state, and is on its way back
		version := stop(t, store)
		late := s.read(0, 1, time.Nanosecond)
		<-late.done
		is.Equal(late.control.Version, version)
		<-early.done
		is.Equal(early.control.Version, version)
	})
}

// lagging is a store whose replies take a while.
type lagging struct{ ports.Store }

func (l *lagging) Control(ctx context.Context, runID, workerID string) (core.Control, error) {
	control, err := l.Store.Control(ctx, runID, workerID)
	pause(ctx, 80*time.Millisecond)
	return control, err
}

// The clock is never ahead of the store's, follows it back, and is at most one
// call behind.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		var c storeClock
		is.True(c.now().IsZero())
		offset := 3 * time.Hour
		store := func() time.Time { return time.Now().Add(offset).UTC().Truncate(time.Microsecond) }
		call := func(before, after time.Duration) {
			begin := time.Now()
			time.Sleep(before)
			reading := store()
			time.Sleep(after)
			c.heard(reading, begin)
		}
		call(10*time.Millisecond, 30*time.Millisecond)
		is.Equal(store().Sub(c.now()), 30*time.Millisecond)
		call(10*time.Millisecond, 40*time.Millisecond)
		is.Equal(store().Sub(c.now()), 30*time.Millisecond) // a worse one changes nothing
		call(10*time.Millisecond, time.Millisecond)
		is.Equal(store().Sub(c.now()), time.Millisecond)
		time.Sleep(time.Hour)
		is.Equal(store().Sub(c.now()), time.Millisecond)
		offset -= time.Minute // somebody sets it
		call(0, 2*time.Millisecond)
		is.Equal(store().Sub(c.now()), 2*time.Millisecond)
	})
}
