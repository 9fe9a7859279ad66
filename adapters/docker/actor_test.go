//go:build linux || darwin

package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/docker/dockertest"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/ports/porttest"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/matryer/is"
)

func spec(run string, i int, script string) ports.WorkerSpec {
	return ports.WorkerSpec{
		Key:         core.WorkerKey{RunID: run, WorkerID: "worker-" + strconv.Itoa(i), Epoch: 1},
		GroupCount:  1,
		Environment: []ports.EnvVar{{Name: porttest.EnvScript, Value: script}},
	}
}

func inspect(t testing.TB, l *Launcher, h core.Handle) ports.WorkerStatus {
	t.Helper()
	is := is.New(t)
	all, err := l.Inspect(context.Background(), []core.Handle{h})
	is.NoErr(err)
	is.Equal(len(all), 1)
	return all[0]
}

// waitFor polls for what no channel tells.
func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for late := time.Now().Add(30 * time.Second); !ok(); <-tick.C {
		if time.Now().After(late) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

func gone(t testing.TB, l *Launcher, h core.Handle) ports.WorkerStatus {
	t.Helper()
	var s ports.WorkerStatus
	waitFor(t, "worker is gone", func() bool {
		s = inspect(t, l, h)
		return s.State == ports.LaunchGone
	})
	return s
}

func logs(t testing.TB, l *Launcher, h core.Handle, text string) string {
	t.Helper()
	var log []byte
	waitFor(t, fmt.Sprintf("log holds %q", text), func() bool {
		log, _ = l.Logs(context.Background(), h, 0)
		return strings.Contains(string(log), text)
	})
	return string(log)
}

// own lists the containers that bear the label of a launcher's test.
func own(t testing.TB, l *Launcher) []string {
	t.Helper()
	by := filters.NewArgs(filters.Arg("label", dockertest.Label+"="+l.options.Labels[dockertest.Label]))
	all, err := l.client.ContainerList(context.Background(), container.ListOptions{All: true, Filters: by})
	is.New(t).NoErr(err)
	ids := make([]string, len(all))
	for i, c := range all {
		ids[i] = c.ID
	}
	return ids
}

// sweep does what gc does with the launches of this test, by nothing but what
// the platform knows of them. Nothing may be left.
func sweep(t testing.TB, l *Launcher) {
	t.Helper()
	is := is.New(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // the test's own may have ended
	defer cancel()
	launches, err := l.List(ctx, "")
	is.NoErr(err)
	mine := own(t, l)
	for _, launch := range launches {
		h, err := decode(launch.Handle)
		is.NoErr(err)
		if !slices.Contains(mine, h.Container) {
			continue
		}
		is.NoErr(l.Stop(ctx, launch.Handle, ports.Hard))
		gone(t, l, launch.Handle)
		is.NoErr(l.Release(ctx, launch.Handle))
	}
	is.Equal(len(own(t, l)), 0) // containers of this test
}

// The variables of an actor: a process of this test binary that launches one
// worker, writes the handle or the error to its stdout, and dies by SIGKILL at
// the point that it is told.
const (
	envActor = "DOCKER_TEST_ACTOR" // play as JSON
	envDieAt = "DOCKER_TEST_DIE_AT"
)

type play struct {
	Host, Image string
	Labels      map[string]string
	Spec        ports.WorkerSpec
}

func actorMain() {
	text, ok := os.LookupEnv(envActor)
	if !ok {
		return
	}
	var p play
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		panic(err)
	}
	l, err := New(Options{Host: p.Host, Image: p.Image, Labels: p.Labels})
	if err != nil {
		panic(err)
	}
	l.at = func(point string) {
		if point == os.Getenv(envDieAt) {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	h, err := l.Launch(context.Background(), p.Spec)
	if err != nil {
		fmt.Println(core.CodeOf(err), err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(h); err != nil {
		panic(err)
	}
	os.Exit(0)
}

// act runs an actor to its end and returns what it wrote.
func act(t testing.TB, o Options, s ports.WorkerSpec, dieAt string, as ...func(*exec.Cmd)) (string, *os.ProcessState) {
	t.Helper()
	is := is.New(t)
	text, err := json.Marshal(play{o.Host, o.Image, o.Labels, s})
	is.NoErr(err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = []string{envActor + "=" + string(text), envDieAt + "=" + dieAt}
	for _, change := range as {
		change(cmd)
	}
	out, _ := cmd.Output() // the state tells how it ended
	return string(out), cmd.ProcessState
}
