package acceptance

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/docker/dockertest"
	"github.com/benchfleet/benchfleet/adapters/postgres/postgrestest"
	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

// TestAcceptanceDockerDaemonEnds: a daemon that ends in the middle cannot say
// what has become of its containers. The run ends within its deadlines, says so,
// and gc removes what is left once the daemon is back.
func TestAcceptanceDockerDaemonEnds(t *testing.T) {
	needs(t, launcherFlag, "docker", "it ends a daemon")
	for _, tt := range []struct {
		name           string
		end            func(*dockertest.Daemon)
		duration       string
		status, reason string
		code, orphans  int // at least so many
	}{
		// It ends its containers before it ends itself. Whose end was not seen before
		// that is an orphan.
		{"stopped", (*dockertest.Daemon).Stop, "1m", "FAILED", "WORKER_LOST", 5, 0},
		// It leaves them running: they end by themselves, and nobody sees it.
		{"killed", (*dockertest.Daemon).Kill, "2s", "COMPLETED", "ELAPSED", 0, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			d := dockertest.Start(t)
			build, err := buildOf(binary)
			is.NoErr(err)
			image, err := dockertest.Product(d.Host(), dockerfile, binary, build.ID)
			is.NoErr(err)
			s := newSite(t)
			s.daemon = d.Host()
			db := s.db()
			forward(t, d, fmt.Sprint("127.0.0.1:", server.Server(t).Port))
			s.with("DOCKER_HOST="+d.Host(), "BENCHFLEET_ENDPOINT_LOCAL="+server.Server(t).DSN(postgrestest.Superuser, s.database))
			options := []string{"--launcher-option", "image=" + image, "--launcher-option", "network=host"}
			running := s.start(append(options, "run", "short", "--duration", tt.duration)...)
			var gateway string
			until(t, 20*time.Second, "the run has a gateway", func() bool {
				gateway = s.text(db, "SELECT GATEWAY_ADDRESS FROM RUN_STATUS")
				return gateway != ""
			})
			forward(t, d, gateway)
			run := s.reaches(db, "RUNNING", "MEASUREMENT")
			is.Equal(len(s.workers(run)), 3)
			tt.end(d)
			o := running.wait(time.Minute)
			t.Log(o)
			is.Equal(o.code, tt.code)
			is.Equal(s.text(db, "SELECT STATUS || REASON FROM RUN_STATUS WHERE RUN_ID = ?", run), tt.status+tt.reason)
			c := s.certificate(t, db, run)
			is.True(!c.Clean)
			for _, w := range c.Workers {
				is.True(w.Reported) // nothing that was measured is lost
				is.Equal(slices.Contains(c.Orphans, w.ID), w.GoneAt.IsZero())
			}
			is.True(len(c.Orphans) >= tt.orphans)

			d.Restart()
			gc := append(options, "gc", "--launcher", "docker")
			t.Log(s.collected(gc...))
			is.Equal(len(s.workers("")), 0)
			is.Equal(len(fleet.witness.left(s, "")), 0)
			is.Equal(s.collected(gc...), "")
		})
	}
}

// forward makes an address of this host reachable under the same address in the
// namespace of a daemon, whose containers have no other network.
func forward(t *testing.T, d *dockertest.Daemon, address string) {
	t.Helper()
	pid, err := os.ReadFile(filepath.Join(filepath.Dir(strings.TrimPrefix(d.Host(), "unix://")), "pid"))
	if err != nil {
		t.Fatal(err)
	}
	var listener net.Listener
	made := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread ends with this goroutine, since it is elsewhere now
		var err error
		listener, err = listenIn("/proc/"+strings.TrimSpace(string(pid))+"/ns/net", address)
		made <- err
	}()
	if err := <-made; err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	t.Cleanup(func() {
		listener.Close()
		group.Wait()
	})
	group.Go(func() {
		for {
			inside, err := listener.Accept()
			if err != nil {
				return
			}
			group.Go(func() { join(inside, address) })
		}
	})
}

// listenIn listens in another namespace, where the loopback may be down yet. The
// calling thread stays there.
func listenIn(namespace, address string) (net.Listener, error) {
	file, err := os.Open(namespace)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(socket)
	loopback, err := unix.NewIfreq("lo")
	if err != nil {
		return nil, err
	}
	loopback.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, loopback); err != nil {
		return nil, err
	}
	return net.Listen("tcp", address)
}

// join copies both ways between a connection and a new one to an address of this
// host, until either ends.
func join(inside net.Conn, address string) {
	defer inside.Close()
	outside, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer outside.Close()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		io.Copy(outside, inside)
		outside.Close()
	}()
	io.Copy(inside, outside)
	inside.Close()
	<-ended
}
