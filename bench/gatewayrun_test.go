//go:build unix

package bench

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/gateway"
	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/ports/porttest"
	"github.com/benchfleet/benchfleet/runner"
	"github.com/benchfleet/benchfleet/worker"
)

// The whole suite of a store, through the wire and at the owner's side, over the
// store that the gateway is for.
func TestGatewayOverSQLite(t *testing.T) {
	key := storeKey(t)
	over := func(t testing.TB, path string) *gateway.Server {
		server := gateway.New(openStore(t, path), gateway.Options{Key: key})
		t.Cleanup(func() { server.Close() })
		return server
	}
	t.Run("owner", func(t *testing.T) {
		porttest.TestStore(t, porttest.StoreHarness{
			Open: func(t testing.TB) ports.Store { return over(t, storeFile(t)).Store() },
		})
	})
	t.Run("wire", func(t *testing.T) {
		var address string
		open := func(t testing.TB) ports.Store {
			store, err := gateway.Open(t.Context(), "http://"+address, gateway.ClientOptions{Token: gateway.Token(key, ""), Hold: 10 * time.Millisecond})
			is.New(t).NoErr(err)
			return store
		}
		porttest.TestStore(t, porttest.StoreHarness{
			Open: func(t testing.TB) ports.Store {
				address, _ = listening(t, over(t, storeFile(t)), "127.0.0.1:0")
				return open(t)
			},
			Reopen: func(t testing.TB, _ ports.Store) ports.Store { return open(t) },
		})
	})
}

// farWorkers is a fleet whose workers reach the store through a gateway alone.
type farWorkers struct {
	path     string // of the store
	key      []byte
	address  string // of the gateway
	target   *memory.Target
	launcher *memory.Launcher
}

const farOperations = 12_000

func newFarWorkers(t *testing.T) *farWorkers {
	t.Helper()
	is := is.New(t)
	f := &farWorkers{path: storeFile(t), key: storeKey(t)}
	f.target = memory.NewTarget(memory.TargetOptions{Latency: func(string) time.Duration { return time.Millisecond }})
	is.NoErr(errors.Join(f.target.Create(t.Context(), table()), f.target.Load(t.Context(), table(), func(int64) {})))
	f.launcher = memory.NewLauncher(func(ctx context.Context, p *memory.Process) (int, string) {
		exit := worker.Main(ctx, worker.Process{Environ: p.Environ(), Signals: p.Terminate(), Log: p}, worker.Opener{
			Store: func(ctx context.Context, address, token string) (ports.Store, error) {
				return gateway.Open(ctx, address, gateway.ClientOptions{Token: token})
			},
			Target: func(context.Context, string, ports.Endpoint) (ports.Target, error) { return f.target, nil },
			Build:  func() core.Build { return core.Build{ID: "test", GoVersion: "go1"} },
		})
		return exit.Code, exit.Cause
	})
	t.Cleanup(func() {
		if err := f.launcher.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// scenario is bounded by operations, so that one that is lost is missed.
func (f *farWorkers) scenario(t *testing.T) core.Scenario {
	t.Helper()
	everything := 10.0
	s, err := core.Template{
		Name: "far", Target: core.TemplateTarget{Kind: "memory"}, Table: table(),
		Load: core.TemplateLoad{Workers: 3, Connections: 2, Operations: farOperations, Sampling: &everything},
		Mix:  []core.TemplateOp{{Kind: core.PointLookup, Weight: 100}},
		Limits: core.TemplateLimits{
			OwnerLease: core.Duration(time.Second), WorkerLease: core.Duration(6 * time.Second), StartTimeout: core.Duration(30 * time.Second),
		},
	}.Resolve(core.Resolution{Launcher: "memory"})
	is.New(t).NoErr(err)
	s.Load.Interval = core.Duration(200 * time.Millisecond)
	return s
}

// runner makes an orchestrator over a gateway.
func (f *farWorkers) runner(t *testing.T, owner string, store ports.Store, observe func(runner.Observation)) *runner.Runner {
	t.Helper()
	r, err := runner.New(runner.FromStore(store, f.launcher, f.target), runner.Options{
		Owner: owner, Host: "here", Gateway: f.address, Build: core.Build{ID: "test", GoVersion: "go1"}, Observe: observe,
		Environment: []ports.EnvVar{{Name: ports.EnvStore, Value: "http://" + f.address}},
		Secrets:     []ports.EnvVar{{Name: ports.EnvStoreToken, Value: gateway.Token(f.key, "run")}},
	})
	is.New(t).NoErr(err)
	return r
}

// verify checks that the run ended as if nothing had happened.
func (f *farWorkers) verify(t *testing.T, run core.Run) {
	t.Helper()
	is := is.New(t)
	if run.Status != core.Completed {
		t.Errorf("%s: %s %s", run.Status, run.Reason, run.Detail)
		for _, w := range run.Workers {
			text, err := f.launcher.Logs(context.Background(), w.Handle, 0)
			t.Log(w.ID, string(bytes.TrimSpace(text)), err)
		}
		return
	}
	store := openStore(t, f.path)
	parent, children, err := store.Rollup(t.Context(), "run")
	is.NoErr(err)
	is.Equal(run.Reason, core.OperationsDone)
	is.Equal(parent.Ledger.Problem, "")
	is.Equal(parent.Ledger.OK, uint64(farOperations))
	is.Equal(parent.Ledger.Lost, uint64(0))
	is.Equal(len(children), 3)
	for _, w := range run.Workers {
		is.Equal(w.Epoch, 1) // the ones that were launched at first
		is.Equal(w.Exit.Code, core.ExitCompleted)
	}
	var stored core.Counts
	intervals, err := store.WorkerIntervals(t.Context(), "run", -1)
	is.NoErr(err)
	for _, i := range intervals {
		for _, k := range i.Interval.Kinds {
			stored.Add(k.Counts)
		}
	}
	is.Equal(stored.OK, uint64(farOperations)) // the time series has no gap
}

// inTheMiddle calls f once, when the load has gone on for a second.
func inTheMiddle(f func()) func(runner.Observation) {
	done := false
	return func(o runner.Observation) {
		if !done && o.Run.Status == core.Running && o.Now.Sub(o.Run.Origin) > time.Second {
			done = true
			f()
		}
	}
}

// The gateway goes away in the middle of a run, comes back at the same address,
// and the run does not notice.
func TestGatewayRestarts(t *testing.T) {
	is := is.New(t)
	f := newFarWorkers(t)
	server := gateway.New(openStore(t, f.path), gateway.Options{Key: f.key})
	defer server.Close()
	var stop func()
	f.address, stop = listening(t, server, "127.0.0.1:0")
	middle := make(chan struct{})
	r := f.runner(t, "first", server.Store(), inTheMiddle(func() { close(middle) }))
	var (
		run     core.Run
		err     error
		driving sync.WaitGroup
	)
	scenario := f.scenario(t)
	driving.Go(func() { run, err = r.Run(t.Context(), "run", scenario) })
	select {
	case <-middle:
	case <-time.After(30 * time.Second):
		t.Fatal("the run does not begin")
	}
	stop()
	time.Sleep(500 * time.Millisecond) // the fault
	listening(t, server, f.address)
	driving.Wait()
	is.NoErr(err)
	f.verify(t, run)
}

// The owner dies in the middle of a run, and what its gateway held with it; a
// successor serves at the address that is stored, and the workers go on with it.
func TestGatewayIsTakenOver(t *testing.T) {
	is := is.New(t)
	f := newFarWorkers(t)
	first := gateway.New(openStore(t, f.path), gateway.Options{Key: f.key, Interval: time.Hour}) // what is held is lost
	defer first.Close()
	var stop func()
	f.address, stop = listening(t, first, "127.0.0.1:0")
	living, die := context.WithCancel(t.Context())
	r := f.runner(t, "first", first.Store(), inTheMiddle(func() {
		die()
		stop()
	}))
	_, err := r.Run(living, "run", f.scenario(t))
	is.True(errors.Is(err, context.Canceled))

	second := gateway.New(openStore(t, f.path), gateway.Options{Key: f.key})
	defer second.Close()
	record, err := second.Store().Load(t.Context(), "run")
	is.NoErr(err)
	is.Equal(record.Gateway, f.address)
	listening(t, second, record.Gateway)
	r = f.runner(t, "second", second.Store(), nil)
	var run core.Run
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) { // until the lease is over
		run, err = r.Drive(t.Context(), "run", runner.DriveOptions{})
		if !errors.Is(err, core.ErrRefused) || time.Now().After(deadline) {
			break
		}
	}
	is.NoErr(err)
	is.Equal(run.OwnerEpoch, 2)
	f.verify(t, run)
}
