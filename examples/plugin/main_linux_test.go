package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/plugin"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/ports/porttest"
)

// This test binary is the worker, the plugin, and the orchestrator.
func TestMain(m *testing.M) {
	porttest.HelperMain(os.LookupEnv)
	if os.Getenv("BENCHFLEET_LAUNCHER_PLUGIN") != "" { // in every plugin
		main()
		return
	}
	os.Exit(m.Run())
}

// open starts the plugin, which ends with the test.
func open(t testing.TB, dir string) *plugin.Launcher {
	is := is.New(t)
	l, err := plugin.Open(context.Background(), os.Args[0], plugin.Options{
		Environ: os.Environ(),
		Env:     []string{"BENCHFLEET_DIR=" + dir, "BENCHFLEET_EXECUTABLE=" + os.Args[0], "GORACE=atexit_sleep_ms=0"},
	})
	is.NoErr(err)
	t.Cleanup(func() { is.NoErr(l.Close()) })
	return l
}

func TestLauncher(t *testing.T) {
	dir := t.TempDir()
	porttest.TestLauncher(t, porttest.LauncherHarness{
		New: func(t testing.TB) ports.Launcher { return open(t, dir) },
		Count: func(runID string) (int, error) {
			all, err := processes(runID)
			return len(all), err
		},
		Alive: alive,
		Left:  processes,
	})
}

// processes finds the processes with the run in their environment.
func processes(runID string) ([]string, error) {
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	return slices.DeleteFunc(all, func(file string) bool {
		environ, _ := os.ReadFile(file) // of one that has just ended there is none
		return !strings.Contains(string(environ), ports.EnvRunID+"="+runID+"\x00")
	}), err
}

// alive sees no process in one that has ended and is not reaped yet.
func alive(_ core.Handle, pid int) (bool, error) {
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return false, nil
	}
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err == nil && !strings.Contains(string(stat), ") Z "), nil
}
