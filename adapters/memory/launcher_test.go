package memory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/ports/porttest"
)

// script does the steps of a conformance test. A goroutine cannot kill itself, so
// a script that would ends there, with the code of a killed worker.
func script(ctx context.Context, p *memory.Process) (int, string) {
	before, _, dies := strings.Cut(p.Getenv(porttest.EnvScript), "die=KILL")
	code := porttest.RunScript(ctx, func(name string) (string, bool) {
		if name == porttest.EnvScript {
			return before, true
		}
		return p.LookupEnv(name)
	}, p, p.Terminate())
	if dies {
		return -1, "killed by itself"
	}
	return code, ""
}

func TestLauncher(t *testing.T) {
	l := memory.NewLauncher(script)
	porttest.TestLauncher(t, porttest.LauncherHarness{
		New: func(testing.TB) ports.Launcher { return l },
		Count: func(runID string) (int, error) {
			list, err := l.List(context.Background(), runID)
			return len(slices.DeleteFunc(list, func(f ports.Launch) bool { return f.State == ports.LaunchGone })), err
		},
	})
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// obedient drains for a second when asked, and dies at once when killed.
func obedient(ctx context.Context, p *memory.Process) (int, string) {
	fmt.Fprintln(p, "started", p.Getenv(ports.EnvWorkerID))
	select {
	case <-ctx.Done():
		return 0, ""
	case <-p.Terminate():
	}
	select {
	case <-ctx.Done():
		return 0, "while draining"
	case <-time.After(time.Second):
		return 0, ""
	}
}

func spec(run string, worker int) ports.WorkerSpec {
	id := core.WorkerID(worker)
	return ports.WorkerSpec{
		Key: core.WorkerKey{RunID: run, WorkerID: id, Epoch: 1}, GroupID: worker, GroupCount: 3,
		Environment: []ports.EnvVar{{Name: ports.EnvRunID, Value: run}, {Name: ports.EnvWorkerID, Value: id}},
		Secrets:     []ports.EnvVar{{Name: ports.EndpointPrefix + "MAIN", Value: "secret"}},
		ExpiresAt:   time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

func inspect(t *testing.T, l *memory.Launcher, handles ...core.Handle) []ports.WorkerStatus {
	t.Helper()
	list, err := l.Inspect(t.Context(), handles)
	if err != nil || len(list) != len(handles) {
		t.Fatalf("Inspect of %d handles: %v, %v", len(handles), list, err)
	}
	return list
}

func TestLauncherLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		var starts atomic.Int64
		l := memory.NewLauncher(func(ctx context.Context, p *memory.Process) (int, string) {
			starts.Add(1)
			return obedient(ctx, p)
		})
		launching, cancel := context.WithCancel(t.Context())
		var handles []core.Handle
		for i := range 3 {
			h, err := l.Launch(launching, spec("run-1", i))
			is.NoErr(err)
			again, err := l.Launch(launching, spec("run-1", i))
			is.NoErr(err)
			is.Equal(again, h) // the same launch
			handles = append(handles, h)
		}
		cancel() // of the context of Launch: the workers live on
		synctest.Wait()
		is.Equal(starts.Load(), int64(3))
		for _, s := range inspect(t, l, handles...) {
			is.Equal(s, ports.WorkerStatus{State: ports.LaunchRunning})
		}
		is.Equal(core.CodeOf(l.Release(t.Context(), handles[0])), core.Refused)

		for range 5 { // more than it takes
			is.NoErr(l.Stop(t.Context(), handles[0], ports.Gentle))
		}
		is.NoErr(l.Stop(t.Context(), handles[1], ports.Gentle))
		is.NoErr(l.Stop(t.Context(), handles[1], ports.Hard))
		synctest.Wait()
		status := inspect(t, l, handles...)
		is.Equal(status[0].State, ports.LaunchRunning) // it drains
		is.Equal(status[1], ports.WorkerStatus{State: ports.LaunchGone, ExitCode: -1, Cause: "killed: while draining"})
		is.Equal(status[2].State, ports.LaunchRunning)
		time.Sleep(time.Second) // of the bubble's virtual time
		synctest.Wait()
		is.Equal(inspect(t, l, handles[0])[0], ports.WorkerStatus{State: ports.LaunchGone, Cause: "exited with code 0"})

		again, err := l.Launch(t.Context(), spec("run-1", 0)) // even after it has ended
		is.NoErr(err)
		is.Equal(again, handles[0])
		is.Equal(starts.Load(), int64(3))
		is.NoErr(l.Stop(t.Context(), handles[0], ports.Hard)) // of what is gone
		logs, err := l.Logs(t.Context(), handles[0], 0)
		is.NoErr(err)
		is.Equal(string(logs), "started worker-0\n")

		is.NoErr(l.Release(t.Context(), handles[0]))
		is.NoErr(l.Release(t.Context(), handles[0]))
		is.Equal(inspect(t, l, handles[0])[0], ports.WorkerStatus{State: ports.LaunchGone, ExitCode: -1, Cause: "unknown to the launcher"})
		_, err = l.Logs(t.Context(), handles[0], 0)
		is.Equal(core.CodeOf(err), core.NotFound)
		is.NoErr(l.Stop(t.Context(), handles[0], ports.Hard))

		is.NoErr(l.Close())
		is.NoErr(l.Close())
		is.Equal(inspect(t, l, handles[2])[0].State, ports.LaunchGone)
		_, err = l.Launch(t.Context(), spec("run-1", 4))
		is.Equal(core.CodeOf(err), core.Refused)
	})
}

func TestLauncherList(t *testing.T) {
	is := is.New(t)
	l := memory.NewLauncher(obedient)
	for _, run := range []string{"run-2", "run-1"} {
		for i := 11; i >= 0; i-- {
			_, err := l.Launch(t.Context(), spec(run, i))
			is.NoErr(err)
		}
	}
	list, err := l.List(t.Context(), "run-1")
	is.NoErr(err)
	is.Equal(len(list), 12)
	for i, found := range list {
		is.Equal(found.Key, spec("run-1", i).Key)
		is.Equal(found.State, ports.LaunchRunning)
		is.Equal(found.ExpiresAt, spec("run-1", i).ExpiresAt)
		is.NoErr(l.Stop(t.Context(), found.Handle, ports.Hard))
	}
	list, err = l.List(t.Context(), "")
	is.NoErr(err)
	is.Equal(len(list), 24)
	list, err = l.List(t.Context(), "run-3")
	is.NoErr(err)
	is.Equal(len(list), 0)
	is.NoErr(l.Close())
}

func TestLauncherRefusals(t *testing.T) {
	is := is.New(t)
	l := memory.NewLauncher(func(context.Context, *memory.Process) (int, string) { panic("boom") })
	for _, strange := range []core.Handle{{}, {Launcher: "local", Version: 1}, {Launcher: "memory", Version: 9}, {Launcher: "memory", Version: 1, Data: []byte("x")}} {
		_, err := l.Inspect(t.Context(), []core.Handle{strange})
		is.Equal(core.CodeOf(err), core.Invalid)
		is.Equal(core.CodeOf(l.Stop(t.Context(), strange, ports.Hard)), core.Invalid)
	}
	is.NoErr(l.Close())
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := l.Launch(cancelled, spec("run-1", 1))
	is.True(errors.Is(err, context.Canceled))
}

func TestLauncherPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		l := memory.NewLauncher(func(context.Context, *memory.Process) (int, string) { panic("boom") })
		h, err := l.Launch(t.Context(), spec("run-1", 0))
		is.NoErr(err)
		synctest.Wait()
		is.Equal(inspect(t, l, h)[0], ports.WorkerStatus{State: ports.LaunchGone, ExitCode: 2, Cause: "exited with code 2: panic: boom"})
		is.NoErr(l.Close())
	})
}

func TestProcess(t *testing.T) {
	is := is.New(t)
	long := make(chan *memory.Process, 1)
	l := memory.NewLauncher(func(_ context.Context, p *memory.Process) (int, string) {
		for i := range 20_000 {
			fmt.Fprintf(p, "line %06d: some text to fill it up\n", i)
		}
		long <- p
		return 3, "why"
	})
	h, err := l.Launch(t.Context(), spec("run-1", 7))
	is.NoErr(err)
	p := <-long
	is.NoErr(l.Close())
	is.Equal(p.Getenv(ports.EnvWorkerID), "worker-7")
	secret, ok := p.LookupEnv(ports.EndpointPrefix + "MAIN")
	is.True(ok && secret == "secret")
	_, ok = p.LookupEnv("HOME") // nothing of this process leaks in
	is.True(!ok)
	is.Equal(len(p.Environ()), 8) // those of the spec and the contract's
	is.Equal(p.Spec().Key.WorkerID, "worker-7")
	for _, limit := range []int{0, 50, 1000, 1 << 30} {
		logs, err := l.Logs(t.Context(), h, limit)
		is.NoErr(err)
		is.True(strings.HasSuffix(string(logs), "line 019999: some text to fill it up\n")) // the newest
		is.True(strings.HasPrefix(string(logs), "line ") || limit > 1<<20)                 // whole lines
		is.True(limit == 0 && len(logs) <= 64<<10 || limit > 0 && len(logs) <= min(limit, 256<<10))
	}
	logs, err := l.Logs(t.Context(), h, 10) // less than a line
	is.NoErr(err)
	is.Equal(string(logs), "fill it up\n"[1:])
}
