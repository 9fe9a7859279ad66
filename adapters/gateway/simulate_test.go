package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

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
