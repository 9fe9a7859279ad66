package plugin

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// However an orchestrator dies, no plugin is left, and no socket.
func TestOrchestratorKilled(t *testing.T) {
	is := is.New(t)
	tmp := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = []string{envRole + "=orchestrates", "TMPDIR=" + tmp}
	out, err := cmd.StdoutPipe()
	is.NoErr(err)
	is.NoErr(cmd.Start())
	lines := bufio.NewScanner(out)
	is.True(lines.Scan())
	plugin, err := strconv.Atoi(lines.Text())
	is.NoErr(err)
	is.True(alive(plugin))
	left, err := filepath.Glob(filepath.Join(tmp, "*"))
	is.NoErr(err)
	is.Equal(len(left), 1) // the folder of the socket
	is.NoErr(cmd.Process.Kill())
	_ = cmd.Wait()
	waitFor(t, "the plugin has ended", func() bool { return !alive(plugin) })
	left, err = filepath.Glob(filepath.Join(tmp, "*"))
	is.NoErr(err)
	is.Equal(len(left), 0)
}

// alive does not see a process in one that waits to be reaped.
func alive(pid int) bool { return stat(pid) != "" && !strings.Contains(stat(pid), ") Z ") }

// stat is what the kernel says of a process; "": there is none.
func stat(pid int) string {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return ""
	}
	return string(text)
}

// A process that does not answer to pings is killed; the next call has a new one.
func TestFrozen(t *testing.T) {
	if testing.Short() {
		t.Skip("takes as long as a ping and its timeout")
	}
	is := is.New(t)
	l := open(t, "odd")
	first := pid(t, l)
	kill(t, first, syscall.SIGSTOP)
	waitFor(t, "the plugin is stopped", func() bool { return strings.Contains(stat(first), ") T ") })
	_, err := l.List(t.Context(), "")
	is.Equal(core.CodeOf(err), core.Unavailable)
	is.True(strings.Contains(err.Error(), "does not answer any more"))
	is.True(pid(t, l) != first)
}

// Ctrl-C on the orchestrator's terminal does not reach the plugin, and an
// interrupt does not end it.
func TestOwnSession(t *testing.T) {
	is := is.New(t)
	l := open(t, "odd")
	first := pid(t, l)
	session, err := unix.Getsid(first)
	is.NoErr(err)
	is.Equal(session, first)
	kill(t, first, syscall.SIGINT)
	is.Equal(pid(t, l), first)
}

// The kernel shows no secret of a launch.
func TestSecretsAreNotShown(t *testing.T) {
	is := is.New(t)
	l := open(t, "odd")
	spec := key("w")
	spec.Secrets = []ports.EnvVar{{Name: "BENCHFLEET_ENDPOINT_X", Value: "planted-5ecret"}}
	_, err := l.Launch(t.Context(), spec)
	is.NoErr(err)
	for _, file := range []string{"environ", "cmdline"} {
		data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid(t, l)), file))
		is.NoErr(err)
		is.True(len(data) > 0)
		is.True(!strings.Contains(string(data), "5ecret"))
	}
}
