//go:build linux || darwin

package local

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/matryer/is"
)

// workers fails the test unless the system shows n living workers of a run.
func workers(t testing.TB, run string, n int) {
	t.Helper()
	count := countWorkers()
	if count == nil {
		return
	}
	waitFor(t, fmt.Sprintf("%d living workers", n), func() bool {
		got, err := count(run)
		return err == nil && got == n
	})
}

// The launcher dies by SIGKILL at each point of a launch. Whoever comes next
// knows what lives, and starts the worker at most once.
func TestLauncherKilled(t *testing.T) {
	for _, c := range []struct {
		point  string
		listed ports.LaunchState // by List, before anybody launches again; "": nothing
		then   ports.LaunchState // after the next Launch
		cause  string            // of the launch that is listed GONE
	}{
		{point: "locked", then: ports.LaunchRunning},
		{point: "claimed", listed: ports.LaunchGone, then: ports.LaunchRunning, cause: "never started"},
		{point: "attempted", listed: ports.LaunchGone, then: ports.LaunchGone, cause: "its launcher died while it started it"},
		{point: "started", listed: ports.LaunchRunning, then: ports.LaunchRunning},
		{point: "recorded", listed: ports.LaunchRunning, then: ports.LaunchRunning},
	} {
		for _, listFirst := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, list first %v", c.point, listFirst), func(t *testing.T) {
				is := is.New(t)
				dir, run := t.TempDir(), "killed-at-"+c.point+fmt.Sprint(listFirst)
				defer sweep(t, dir)
				a := newActor(t, dir, c.point)
				a.send(spec(run, 0, "hold=1m"))
				_, ok := a.handle()
				is.True(!ok) // it died before it could answer
				a.kill()

				l := open(t, dir)
				var listed core.Handle
				if listFirst {
					launches, err := l.List(t.Context(), run)
					is.NoErr(err)
					if c.listed == "" {
						is.Equal(len(launches), 0)
					} else {
						is.Equal(len(launches), 1)
						is.Equal(launches[0].State, c.listed)
						is.Equal(launches[0].Key, spec(run, 0, "").Key)
						listed = launches[0].Handle
						is.True(strings.Contains(inspect(t, l, listed).Cause, c.cause))
					}
				}
				handle, err := l.Launch(t.Context(), spec(run, 0, "hold=1m"))
				is.NoErr(err)
				is.Equal(inspect(t, l, handle).State, c.then)
				if c.listed == c.then && listFirst {
					is.Equal(handle, listed) // nothing new was started
				}
				if c.then == ports.LaunchRunning {
					workers(t, run, 1)
					logs(t, l, handle, "pid ")
				} else {
					workers(t, run, 0)
				}
			})
		}
	}
}

// The launcher dies between start and record, and the worker ends before anybody
// looks: what it says of its end is known, and nothing is started again.
func TestLauncherKilledAndWorkerEnded(t *testing.T) {
	is := is.New(t)
	dir, run := t.TempDir(), "killed-and-ended"
	defer sweep(t, dir)
	a := newActor(t, dir, "started")
	a.send(spec(run, 0, "record=lease+ran+out exit=3"))
	_, ok := a.handle()
	is.True(!ok)
	a.kill()
	workers(t, run, 0)

	l := open(t, dir)
	handle, err := l.Launch(t.Context(), spec(run, 0, "hold=1m"))
	is.NoErr(err)
	waitFor(t, "worker is gone", func() bool { return inspect(t, l, handle).State == ports.LaunchGone })
	is.Equal(inspect(t, l, handle), ports.WorkerStatus{State: ports.LaunchGone, ExitCode: 3, Cause: "lease ran out"})
	workers(t, run, 0)
}

// The launcher dies anywhere: also while the system is about to start the
// process, where no hook reaches.
func TestLauncherKilledAnywhere(t *testing.T) {
	rounds := 40
	if testing.Short() {
		rounds = 8
	}
	dir := t.TempDir()
	defer sweep(t, dir)
	l := open(t, dir)
	ends := map[ports.LaunchState]int{}
	for i := range rounds {
		is := is.New(t)
		run := fmt.Sprintf("anywhere-%d", i)
		a := newActor(t, dir, "")
		a.send(spec(run, 0, "hold=1m"))
		<-time.After(rand.N(6 * time.Millisecond))
		a.kill()

		launches, err := l.List(t.Context(), run)
		is.NoErr(err)
		is.True(len(launches) <= 1)
		handle, err := l.Launch(t.Context(), spec(run, 0, "hold=1m"))
		is.NoErr(err)
		state := inspect(t, l, handle).State
		found := "nothing"
		if len(launches) == 1 {
			found = string(launches[0].State)
			if launches[0].State == ports.LaunchRunning {
				is.Equal(handle, launches[0].Handle) // what runs is what Launch returns
			}
		}
		if state == ports.LaunchRunning {
			workers(t, run, 1)
		} else {
			workers(t, run, 0)
		}
		is.NoErr(l.Stop(t.Context(), handle, ports.Hard))
		workers(t, run, 0)
		ends[ports.LaunchState(found+" then "+string(state))]++
	}
	t.Log(ends)
}

// Another process adopts what a dead launcher has started.
func TestAdoption(t *testing.T) {
	is := is.New(t)
	dir, run := t.TempDir(), "adoption"
	defer sweep(t, dir)
	a := newActor(t, dir, "")
	var handles []core.Handle
	for i, script := range []string{"term=7 record=drained hold=1m", "ignore=TERM hold=1m", "record=done exit=0"} {
		a.send(spec(run, i, script))
		handle, ok := a.handle()
		is.True(ok)
		handles = append(handles, handle)
	}
	l := open(t, dir)
	logs(t, l, handles[0], "pid ")
	a.kill()
	is.Equal(inspect(t, l, handles[0]).State, ports.LaunchRunning)
	is.Equal(inspect(t, l, handles[1]).State, ports.LaunchRunning)

	is.NoErr(l.Stop(t.Context(), handles[0], ports.Gentle))
	is.NoErr(l.Stop(t.Context(), handles[1], ports.Hard))
	for _, handle := range handles {
		waitFor(t, "worker is gone", func() bool { return inspect(t, l, handle).State == ports.LaunchGone })
	}
	workers(t, run, 0)
	is.Equal(inspect(t, l, handles[0]), ports.WorkerStatus{State: ports.LaunchGone, ExitCode: 7, Cause: "drained"})
	is.Equal(inspect(t, l, handles[2]), ports.WorkerStatus{State: ports.LaunchGone, ExitCode: 0, Cause: "done"})
	// A zombie still tells, until the system's first process has reaped it.
	killed := inspect(t, l, handles[1])
	is.Equal(killed.ExitCode, -1)
	is.True(killed.Cause == "crashed: it left no exit record" || killed.Cause == "killed by signal 9 (killed)")
}

// The parent records how a worker ended; who adopts it later knows.
func TestReapedRecord(t *testing.T) {
	is := is.New(t)
	dir, run := t.TempDir(), "reaped"
	defer sweep(t, dir)
	first := open(t, dir)
	exited, err := first.Launch(t.Context(), spec(run, 0, "exit=3"))
	is.NoErr(err)
	killed, err := first.Launch(t.Context(), spec(run, 1, "die=KILL"))
	is.NoErr(err)
	waitFor(t, "the reaper has nothing left", func() bool {
		first.reaper.mu.Lock()
		defer first.reaper.mu.Unlock()
		return len(first.reaper.children) == 0 && first.reaper.stop == nil // by itself
	})
	for _, h := range []core.Handle{exited, killed} {
		data, err := decode(h)
		is.NoErr(err)
		_, ok, err := look(data.PID)
		is.NoErr(err)
		is.True(!ok) // no zombie is left
	}
	l := open(t, dir)
	is.Equal(inspect(t, l, exited), ports.WorkerStatus{State: ports.LaunchGone, ExitCode: 3, Cause: "exited with code 3"})
	is.Equal(inspect(t, l, killed), ports.WorkerStatus{State: ports.LaunchGone, ExitCode: -1, Cause: "killed by signal 9 (killed)"})
}

// A closed launcher reaps nothing: its workers live on, and then are zombies of
// this process. A zombie is gone, and tells how it ended.
func TestZombie(t *testing.T) {
	is := is.New(t)
	dir, run := t.TempDir(), "zombie"
	defer sweep(t, dir)
	first := open(t, dir)
	handle, err := first.Launch(t.Context(), spec(run, 0, "term=3 hold=1m"))
	is.NoErr(err)
	is.NoErr(first.Close())
	l := open(t, dir)
	logs(t, l, handle, "pid ")
	is.Equal(inspect(t, l, handle).State, ports.LaunchRunning) // Close has not touched it

	is.NoErr(l.Stop(t.Context(), handle, ports.Gentle))
	want := ports.WorkerStatus{State: ports.LaunchGone, ExitCode: 3, Cause: "exited with code 3"}
	waitFor(t, "worker is gone", func() bool { return inspect(t, l, handle) == want })
	data, err := decode(handle)
	is.NoErr(err)
	now, ok, err := look(data.PID)
	is.NoErr(err)
	is.True(ok && now.zombie) // nobody has reaped it
	is.NoErr(l.Stop(t.Context(), handle, ports.Hard))
	launches, err := l.List(t.Context(), run)
	is.NoErr(err)
	is.Equal(launches[0].State, ports.LaunchGone)
	is.NoErr(l.Release(t.Context(), handle))
	reap(data.PID)

	_, err = first.Launch(t.Context(), spec(run, 1, "exit=0"))
	is.Equal(core.CodeOf(err), core.Refused) // closed
}

// Ctrl-C goes to the terminal's foreground group: the launcher's, not the
// worker's.
func TestInterruptStaysWithTheLauncher(t *testing.T) {
	is := is.New(t)
	dir, run := t.TempDir(), "interrupt"
	defer sweep(t, dir)
	a := newActor(t, dir, "")
	a.send(spec(run, 0, "hold=1m"))
	handle, ok := a.handle()
	is.True(ok)
	l := open(t, dir)
	logs(t, l, handle, "pid ")
	data, err := decode(handle)
	is.NoErr(err)
	now, ok, err := look(data.PID)
	is.NoErr(err)
	is.True(ok)
	is.Equal(now.session, data.PID) // its own session

	is.NoErr(syscall.Kill(-a.cmd.Process.Pid, syscall.SIGINT))
	is.True(a.cmd.Wait() != nil) // the launcher is dead
	is.Equal(inspect(t, l, handle).State, ports.LaunchRunning)
	is.NoErr(l.Stop(t.Context(), handle, ports.Gentle)) // and obeys still
	waitFor(t, "worker is gone", func() bool { return inspect(t, l, handle).State == ports.LaunchGone })
}

// Several processes launch the same keys at once: one worker each.
func TestProcessesRace(t *testing.T) {
	is := is.New(t)
	const actors, keys = 4, 3
	dir, run := t.TempDir(), "race"
	defer sweep(t, dir)
	var all []*actor
	for range actors {
		all = append(all, newActor(t, dir, ""))
	}
	for i := range keys {
		for _, a := range all {
			a.send(spec(run, i, "hold=1m"))
		}
	}
	for range keys {
		first, ok := all[0].handle()
		is.True(ok)
		for _, a := range all[1:] {
			handle, ok := a.handle()
			is.True(ok)
			is.Equal(handle, first)
		}
	}
	workers(t, run, keys)
	launches, err := open(t, dir).List(context.Background(), run)
	is.NoErr(err)
	is.Equal(len(launches), keys)
}
