//go:build linux || darwin

package docker

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/docker/dockertest"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/ports/porttest"
	"github.com/matryer/is"
)

// This test binary, built static, is also the worker in the containers.
func TestMain(m *testing.M) {
	actorMain()    // a launcher in a process of its own, for tests that kill it
	probeMain()    // a worker that looks around
	firstProcess() // of a script that kills itself
	porttest.HelperMain(lookup)
	var err error
	if shared.dir, err = os.MkdirTemp("", "docker-test-"); err != nil {
		panic(err)
	}
	code := m.Run()
	if err := shared.remove(); err != nil {
		fmt.Println(err)
		code = 1
	}
	os.Exit(code)
}

// lookup reads a variable as workers do: itself, or from the file that the
// variable with _FILE names.
func lookup(name string) (string, bool) {
	if value, ok := os.LookupEnv(name); ok {
		return value, true
	}
	file, ok := os.LookupEnv(name + fileSuffix)
	if !ok {
		return "", false
	}
	data, err := os.ReadFile(file)
	return string(data), err == nil
}

// firstProcess runs a script that kills itself in a second process: the kernel
// lets no process kill the first one of its container from within.
func firstProcess() {
	script, ok := os.LookupEnv(porttest.EnvScript)
	if !ok || os.Getpid() != 1 || !strings.Contains(script, "die=KILL") {
		return
	}
	stops := make(chan os.Signal, 1)
	signal.Notify(stops, syscall.SIGTERM)
	cmd := exec.Command("/proc/self/exe")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	go func() { // ends with the process
		for s := range stops {
			_ = cmd.Process.Signal(s)
		}
	}()
	_ = cmd.Wait()
	status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		os.Exit(signalBase + int(status.Signal()))
	}
	os.Exit(status.ExitStatus())
}

func TestLauncher(t *testing.T) { porttest.TestLauncher(t, harness(t)) }

const testBuild = "0123abcd"

// shared is made once for all tests, and removed by TestMain.
var shared fixtures

type fixtures struct {
	dir, worker string // this test binary, built static
	host, image string // of the machine's daemon
}

func (s *fixtures) remove() error {
	err := os.RemoveAll(s.dir)
	if s.image != "" {
		err = errors.Join(err, dockertest.Remove(s.host, s.image))
	}
	return err
}

// options are those of a launcher for tests, with an image of this test binary.
func options(t testing.TB, host string) Options {
	t.Helper()
	if shared.worker == "" {
		shared.worker = dockertest.Binary(t, shared.dir, ".", true)
	}
	labels := map[string]string{labelBuild: testBuild}
	o := Options{Host: host, Build: core.Build{ID: testBuild, Stamped: true}, Labels: map[string]string{dockertest.Label: t.Name()}}
	if strings.Contains(host, "/dockerd-") { // a daemon of the test

		o.Image = dockertest.Image(t, host, shared.worker, labels)
		return o
	}
	if shared.image == "" {
		var err error
		shared.host = host
		shared.image, err = dockertest.Build(host, shared.worker, labels)
		is.New(t).NoErr(err)
	}
	o.Image = shared.image
	return o
}

func open(t testing.TB, o Options) *Launcher {
	is := is.New(t)
	l, err := New(o)
	is.NoErr(err)
	t.Cleanup(func() { is.NoErr(l.Close()) })
	return l
}

func harness(t testing.TB) porttest.LauncherHarness {
	host := dockertest.Require(t)
	o, platform := options(t, host), dockertest.NewPlatform(t, host)
	h := porttest.LauncherHarness{
		New:         func(t testing.TB) ports.Launcher { return open(t, o) },
		StartWithin: 30 * time.Second,
		EndWithin:   30 * time.Second,
		Count:       platform.Count,
		Shows:       func(l ports.Launch, text string) ([]string, error) { return platform.Shows(l.Handle.Data, text) },
		Left:        platform.Left,
	}
	if platform.SeesProcesses() {
		h.Alive = func(handle core.Handle, pid int) (bool, error) { return platform.Alive(handle.Data, pid) }
	}
	return h
}
