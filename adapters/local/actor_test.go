//go:build linux || darwin

package local

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/ports/porttest"
	"github.com/matryer/is"
)

// The variables of an actor: a process of this test binary that launches one
// worker for each line on its stdin, and writes each handle to its stdout. It
// dies by SIGKILL at the point that it is told. A worker with the last variable
// starts a process in a session of its own, and ends.
const (
	envActor = "LOCAL_TEST_ACTOR" // folder of the launches
	envDieAt = "LOCAL_TEST_DIE_AT"
	envAway  = "LOCAL_TEST_AWAY"
)

func actorMain() {
	if os.Getenv(envAway) != "" {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), envAway+"=", porttest.EnvScript+"=ignore=TERM hold=1m")
		cmd.SysProcAttr = ownSession()
		if err := cmd.Start(); err != nil {
			panic(err)
		}
		fmt.Printf("away %d\n", cmd.Process.Pid)
		os.Exit(0)
	}
	dir, ok := os.LookupEnv(envActor)
	if !ok {
		return
	}
	l, err := New(dir, Options{})
	if err != nil {
		panic(err)
	}
	l.at = func(point string) {
		if point == os.Getenv(envDieAt) {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var spec ports.WorkerSpec
		if err := json.Unmarshal(in.Bytes(), &spec); err != nil {
			panic(err)
		}
		handle, err := l.Launch(context.Background(), spec)
		if err != nil {
			panic(err)
		}
		if err := json.NewEncoder(os.Stdout).Encode(handle); err != nil {
			panic(err)
		}
	}
	os.Exit(0)
}

// actor is the test's side of such a process.
type actor struct {
	t   testing.TB
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func newActor(t testing.TB, dir, dieAt string) *actor {
	is := is.New(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{envActor + "=" + dir, envDieAt + "=" + dieAt}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	is.NoErr(err)
	out, err := cmd.StdoutPipe()
	is.NoErr(err)
	is.NoErr(cmd.Start())
	a := &actor{t: t, cmd: cmd, in: in, out: bufio.NewScanner(out)}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	is.True(a.out.Scan()) // the actor is ready
	is.Equal(a.out.Text(), "ready")
	return a
}

func (a *actor) send(spec ports.WorkerSpec) {
	is := is.New(a.t)
	data, err := json.Marshal(spec)
	is.NoErr(err)
	_, err = a.in.Write(append(data, '\n'))
	is.NoErr(err)
}

// handle waits for the next handle; false means that the actor is dead.
func (a *actor) handle() (core.Handle, bool) {
	var h core.Handle
	if !a.out.Scan() {
		return h, false
	}
	is.New(a.t).NoErr(json.Unmarshal(a.out.Bytes(), &h))
	return h, true
}

// kill kills the actor and waits for its end.
func (a *actor) kill() {
	_ = a.cmd.Process.Kill()
	_ = a.cmd.Wait()
}

// open returns a launcher over dir that is closed at the end of the test.
func open(t testing.TB, dir string) *Launcher {
	is := is.New(t)
	l, err := New(dir, Options{})
	is.NoErr(err)
	t.Cleanup(func() { is.NoErr(l.Close()) })
	return l
}

func spec(run string, i int, script string) ports.WorkerSpec {
	return ports.WorkerSpec{
		Key:         core.WorkerKey{RunID: run, WorkerID: "worker-" + strconv.Itoa(i), Epoch: 1},
		GroupCount:  1,
		Environment: []ports.EnvVar{{Name: porttest.EnvScript, Value: script}},
	}
}

// sweep ends everything that the test has launched below dir.
func sweep(t testing.TB, dir string) {
	is := is.New(t)
	l := open(t, dir)
	ctx := context.Background()
	launches, err := l.List(ctx, "")
	is.NoErr(err)
	for _, launch := range launches {
		is.NoErr(l.Stop(ctx, launch.Handle, ports.Hard))
		waitFor(t, "worker is gone", func() bool { return inspect(t, l, launch.Handle).State == ports.LaunchGone })
		is.NoErr(l.Release(ctx, launch.Handle))
	}
	_, err = os.Stat(filepath.Join(dir, "workers"))
	is.True(errors.Is(err, fs.ErrNotExist)) // nothing is left
}

func inspect(t testing.TB, l *Launcher, h core.Handle) ports.WorkerStatus {
	is := is.New(t)
	all, err := l.Inspect(context.Background(), []core.Handle{h})
	is.NoErr(err)
	is.Equal(len(all), 1)
	return all[0]
}

// waitFor polls for what no channel tells.
func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for late := time.Now().Add(20 * time.Second); !ok(); <-tick.C {
		if time.Now().After(late) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

func logs(t testing.TB, l *Launcher, h core.Handle, text string) string {
	var log []byte
	waitFor(t, fmt.Sprintf("log holds %q", text), func() bool {
		log, _ = l.Logs(context.Background(), h, 0)
		return strings.Contains(string(log), text)
	})
	return string(log)
}

// filesWith names the files and folders below dir with text in path or content.
func filesWith(dir, text string) ([]string, error) {
	var places []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		var data []byte
		if err == nil && !d.IsDir() {
			data, err = os.ReadFile(path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile
		}
		if strings.Contains(string(data)+path, text) {
			places = append(places, path)
		}
		return err
	})
	return places, err
}

// shows finds text in the files of the launches and in the command line of the
// worker's process.
func shows(dir string) func(ports.Launch, string) ([]string, error) {
	return func(launch ports.Launch, text string) ([]string, error) {
		places, err := filesWith(dir, text)
		if err != nil {
			return nil, err
		}
		h, err := decode(launch.Handle)
		if err != nil {
			return nil, err
		}
		args, err := commandLine(h.PID)
		if strings.Contains(args, text) {
			places = append(places, "command line")
		}
		return places, err
	}
}

// left finds the files and processes of a run. Paths hold the last word of its
// id as it is.
func left(dir string) func(runID string) ([]string, error) {
	return func(runID string) ([]string, error) {
		files, err := filesWith(dir, runID[strings.LastIndexByte(runID, ' ')+1:])
		if err != nil {
			return nil, err
		}
		processes, err := processesOf(runID)
		return append(files, processes...), err
	}
}
