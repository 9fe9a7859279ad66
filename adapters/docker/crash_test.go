//go:build linux || darwin

package docker

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/docker/docker/api/types/container"
	"github.com/matryer/is"
)

// A launcher that is killed between create and start leaves a container that
// was never started. gc removes it, and Launch of its key makes it anew.
func TestKilledLauncher(t *testing.T) {
	for _, point := range []string{"created", "filled"} {
		t.Run(point, func(t *testing.T) {
			is := is.New(t)
			l := opened(t, nil)
			s := spec(t.Name(), 0, "digest=ONE hold=1m")
			s.Secrets = []ports.EnvVar{{Name: "ONE", Value: "s3cret"}}
			_, state := act(t, l.options, s, point)
			status, _ := state.Sys().(syscall.WaitStatus)
			is.Equal(status.Signal(), syscall.SIGKILL)

			launches, err := l.List(t.Context(), t.Name()) // without any store
			is.NoErr(err)
			is.Equal(len(launches), 1)
			is.Equal(launches[0].Key, s.Key)
			is.Equal(launches[0].State, ports.LaunchPending)
			old := launches[0].Handle
			is.Equal(inspect(t, l, old), ports.WorkerStatus{State: ports.LaunchPending, Cause: "created, not started yet"})
			is.Equal(core.CodeOf(l.Release(t.Context(), old)), core.Refused)

			l.claim = 300 * time.Millisecond
			fresh, err := l.Launch(t.Context(), s)
			is.NoErr(err)
			logs(t, l, fresh, "digest ONE ")
			is.Equal(inspect(t, l, fresh).State, ports.LaunchRunning)
			is.Equal(inspect(t, l, old).Cause, "removed")
			is.Equal(len(own(t, l)), 1)

			s.Key.Epoch = 2
			act(t, l.options, s, point)
			is.Equal(len(own(t, l)), 2)
			sweep(t, l) // gc leaves nothing
		})
	}
}

// Two processes that find a container whose maker is dead make one anew.
func TestTakeOverAtOnce(t *testing.T) {
	is := is.New(t)
	l := opened(t, nil)
	s := spec(t.Name(), 0, "hold=1m")
	act(t, l.options, s, "created")
	const callers = 4
	handles, errs := make([]core.Handle, callers), make(chan error, callers)
	for i := range callers {
		other := open(t, l.options)
		other.claim = 500 * time.Millisecond
		go func() {
			var err error
			handles[i], err = other.Launch(t.Context(), s)
			errs <- err
		}()
	}
	for range callers {
		is.NoErr(<-errs)
	}
	for _, h := range handles {
		is.Equal(h, handles[0])
	}
	is.Equal(len(own(t, l)), 1)
	logs(t, l, handles[0], "pid ")
}

// A maker that was only slow finds its container replaced, and takes the new one.
func TestSlowMaker(t *testing.T) {
	is := is.New(t)
	slow, fast := opened(t, nil), open(t, Options{})
	fast.options, fast.claim = slow.options, 0
	s := spec(t.Name(), 0, "hold=1m")
	var taken core.Handle
	slow.at = func(point string) {
		if point == "filled" && taken.Zero() {
			var err error
			taken, err = fast.Launch(t.Context(), s)
			is.NoErr(err)
		}
	}
	h, err := slow.Launch(t.Context(), s)
	is.NoErr(err)
	is.Equal(h, taken)
	is.Equal(len(own(t, slow)), 1)
	is.Equal(strings.Count(logs(t, slow, h, "pid "), "pid "), 1)
}

// A stop that arrives before the start wins: nothing starts.
func TestStoppedBeforeStart(t *testing.T) {
	for _, force := range []ports.Force{ports.Gentle, ports.Hard} {
		t.Run(string(force), func(t *testing.T) {
			is := is.New(t)
			l := opened(t, nil)
			l.at = func(point string) {
				if point != "filled" {
					return
				}
				launches, err := l.List(t.Context(), t.Name())
				is.NoErr(err)
				is.Equal(len(launches), 1)
				is.NoErr(l.Stop(t.Context(), launches[0].Handle, force))
				is.Equal(inspect(t, l, launches[0].Handle), ports.WorkerStatus{State: ports.LaunchGone, ExitCode: -1, Cause: "never started"})
			}
			_, err := l.Launch(t.Context(), spec(t.Name(), 0, "hold=1m"))
			is.Equal(core.CodeOf(err), core.Refused)
			is.Equal(len(own(t, l)), 0)
		})
	}
}

// A worker that cannot be started leaves nothing.
func TestCannotStart(t *testing.T) {
	is := is.New(t)
	l := opened(t, func(o *Options) { o.Command = []string{"/no/such/program"} })
	_, err := l.Launch(t.Context(), spec(t.Name(), 0, "hold=1m"))
	is.True(err != nil)
	is.True(!core.Retryable(err))
	is.True(strings.Contains(err.Error(), "/no/such/program"))
	is.Equal(len(own(t, l)), 0)

	l.options.Image = "no-such-image:at-all"
	_, err = l.Launch(t.Context(), spec(t.Name(), 0, "hold=1m"))
	is.Equal(core.CodeOf(err), core.NotFound)
	is.True(strings.Contains(err.Error(), "task image"))
}

// A container of somebody else under a worker's name is not touched.
func TestForeignName(t *testing.T) {
	is := is.New(t)
	l := opened(t, nil)
	s := spec(t.Name(), 0, "hold=1m")
	c, err := l.client.ContainerCreate(t.Context(), &container.Config{Image: l.options.Image, Labels: l.options.Labels}, nil, nil, nil, nameOf(s.Key))
	is.NoErr(err)
	_, err = l.Launch(t.Context(), s)
	is.Equal(core.CodeOf(err), core.Refused)
	is.NoErr(l.client.ContainerRemove(t.Context(), c.ID, container.RemoveOptions{}))
}

// A launcher in another process gets the same worker.
func TestOtherProcess(t *testing.T) {
	is := is.New(t)
	l := opened(t, nil)
	s := spec(t.Name(), 0, "hold=1m")
	h, err := l.Launch(t.Context(), s)
	is.NoErr(err)
	out, _ := act(t, l.options, s, "")
	var again core.Handle
	is.NoErr(json.Unmarshal([]byte(out), &again))
	is.Equal(again, h)
	is.Equal(len(own(t, l)), 1)
}
