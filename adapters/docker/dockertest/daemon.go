package dockertest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/client"
)

// Daemon is a second Docker daemon, which a test may stop. It has a socket, a
// data root, an exec root and a containerd of its own, in a folder that is
// removed at the end. It lives in namespaces of its own: without that of the
// network it would delete the machine's docker0, and without that of the mounts
// it would read the machine's configuration and have the same id. Its containers
// have the network "none".
type Daemon struct {
	tb      testing.TB
	dir     string
	program string
	args    []string
	cmd     *exec.Cmd
	killed  bool
	ended   chan struct{} // closed when cmd has been waited for
}

// apart is run by sh in the new namespaces; $0 is an empty folder, and the rest
// is the daemon.
const apart = `if [ -d /etc/docker ]; then mount --bind "$0" /etc/docker || exit 1; fi; exec "$@"`

// Start starts a daemon and waits until it answers. It skips the test where it
// cannot: without dockerd, or without root; see Require.
func Start(tb testing.TB) *Daemon {
	tb.Helper()
	program, err := exec.LookPath("dockerd")
	if err != nil {
		missing(tb, "a second daemon needs dockerd: %v", err)
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		missing(tb, "a second daemon needs unshare: %v", err)
	}
	if os.Geteuid() != 0 {
		missing(tb, "a second daemon needs root")
	}
	dir, err := os.MkdirTemp("/tmp", "dockerd-") // short: the path of a socket has 108 bytes
	if err != nil {
		tb.Fatal(err)
	}
	empty := filepath.Join(dir, "etc") // hides the machine's configuration and identity
	if err := os.Mkdir(empty, 0o700); err != nil {
		tb.Fatal(err)
	}
	space := filepath.Base(dir)
	d := &Daemon{tb: tb, dir: dir, program: unshare}
	d.args = []string{
		"--net", "--mount", "sh", "-c", apart, empty, program,
		"--host", d.Host(), "--pidfile", filepath.Join(dir, "pid"),
		"--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"),
		"--containerd-namespace", space, "--containerd-plugins-namespace", space + "-plugins",
		"--bridge", "none", "--iptables=false", "--storage-driver", "vfs", "--shutdown-timeout", "5",
	}
	tb.Cleanup(d.remove)
	d.start()
	return d
}

// Host is the daemon's socket, as a host of Docker.
func (d *Daemon) Host() string { return "unix://" + filepath.Join(d.dir, "s") }

// Restart stops the daemon, unless it is stopped, and starts it again.
func (d *Daemon) Restart() {
	d.tb.Helper()
	d.Stop()
	d.start()
}

// Stop ends the daemon with SIGTERM, on which it ends its containers, and waits.
func (d *Daemon) Stop() {
	d.tb.Helper()
	d.end(syscall.SIGTERM)
}

// Kill ends the daemon with SIGKILL and waits. Its containers live on until the
// next Restart. Its containerd dies with it, but may stay a zombie whose id the
// next daemon would take for a containerd that runs: so its record is removed.
func (d *Daemon) Kill() {
	d.tb.Helper()
	d.end(syscall.SIGKILL)
	d.killed = true
	if err := os.Remove(filepath.Join(d.dir, "exec", "containerd", "containerd.pid")); err != nil {
		d.tb.Error(err)
	}
}

func (d *Daemon) end(signal os.Signal) {
	d.tb.Helper()
	if d.cmd == nil {
		return
	}
	_ = d.cmd.Process.Signal(signal) // it may have ended by itself
	select {
	case <-d.ended:
	case <-time.After(time.Minute):
		_ = d.cmd.Process.Kill()
		<-d.ended
		d.tb.Errorf("dockerd did not end within 1 min of %s", signal)
	}
	d.cmd = nil
}

func (d *Daemon) start() {
	d.tb.Helper()
	log, err := os.OpenFile(filepath.Join(d.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		d.tb.Fatal(err)
	}
	defer log.Close()                         //nolint:errcheck // dockerd has its own copy
	cmd := exec.Command(d.program, d.args...) //nolint:noctx // remove ends it
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		d.tb.Fatal(err)
	}
	ended := make(chan struct{})
	d.cmd, d.ended, d.killed = cmd, ended, false
	go func() { // end waits for it
		_ = cmd.Wait()
		close(ended)
	}()
	c, err := client.NewClientWithOpts(client.WithHost(d.Host()))
	if err != nil {
		d.tb.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // nothing is lost
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.NewTimer(time.Minute)
	defer late.Stop()
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		_, err := c.Ping(ctx)
		cancel()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
			continue
		case <-ended:
		case <-late.C:
		}
		said, _ := os.ReadFile(filepath.Join(d.dir, "log"))
		d.tb.Fatalf("dockerd does not answer: %v\n%s", err, said[max(0, len(said)-2000):])
	}
}

// remove ends the daemon with all that it has started, and removes its folder.
// Its mounts end with their namespace.
func (d *Daemon) remove() {
	if d.killed { // only a daemon ends its containers
		d.start()
	}
	d.Stop()
	if err := os.RemoveAll(d.dir); err != nil {
		d.tb.Error(err)
	}
}
