//go:build linux || darwin

package local

import (
	"os"
	"testing"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/ports/porttest"
)

func TestMain(m *testing.M) {
	actorMain() // a launcher in a process of its own, for tests that kill it
	porttest.HelperMain(os.LookupEnv)
	os.Exit(m.Run())
}

func TestLauncher(t *testing.T) { porttest.TestLauncher(t, harness(t)) }

func harness(t testing.TB) porttest.LauncherHarness {
	dir := t.TempDir()
	return porttest.LauncherHarness{
		New:   func(t testing.TB) ports.Launcher { return open(t, dir) },
		Count: countWorkers(),
		Alive: func(_ core.Handle, pid int) (bool, error) { return osAlive(pid) },
		Shows: shows(dir),
		Left:  left(dir),
	}
}
