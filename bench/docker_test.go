//go:build unix

package bench

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/docker"
	"github.com/benchfleet/benchfleet/adapters/docker/dockertest"
	"github.com/benchfleet/benchfleet/adapters/gateway"
	"github.com/benchfleet/benchfleet/adapters/postgres"
	"github.com/benchfleet/benchfleet/adapters/postgres/postgrestest"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
	"github.com/benchfleet/benchfleet/worker"
)

var fleets = flag.Int("fleets", 5, "how many pairs of fleets of containers are measured")

// shipped builds the command as task image does, in a folder of its own.
func shipped(b *testing.B) (binary string) {
	b.Helper()
	binary = filepath.Join(b.TempDir(), "benchfleet")
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=true", "-ldflags=-s", "-o", binary, "../cmd/benchfleet")
	build.Env, build.Stderr = append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0"), os.Stderr
	must(b, build.Run())
	return binary
}

// imageOf builds the image around a binary. It and all containers of it are
// removed at the end.
func imageOf(b *testing.B, host, binary string) (image string) {
	b.Helper()
	image, err := dockertest.Product(host, "../Dockerfile", binary, "unknown")
	b.Cleanup(func() {
		if err := dockertest.Remove(host, image); err != nil {
			b.Errorf("remove image %s: %v", image, err)
		}
	})
	must(b, err)
	return image
}

// buildIn is the build of the binary in an image, as it tells itself.
func buildIn(b *testing.B, image string) (build core.Build) {
	b.Helper()
	text, err := exec.Command("docker", "run", "--rm", "--network", "none", image, "version", "--output", "json").Output()
	must(b, err)
	must(b, json.Unmarshal(text, &build))
	return build
}

// BenchmarkContainersReady compares N workers in containers, from the first launch
// to the last READY in the store, with N docker runs of the same image at once,
// whose program only tells its version, from their start to the end of all. A
// worker has one connection to a PostgreSQL server, and a gateway to the store.
func BenchmarkContainersReady(b *testing.B) {
	f := newContainers(b, 0)
	for _, n := range []int{1, 4, 8} {
		b.Run(fmt.Sprintf("N=%d", n), func(b *testing.B) {
			var ratios []float64
			var accepted, all, bare []time.Duration
			for i := range b.N * *fleets {
				run := dockerRuns(b, f.image, n)
				launched, ready := f.start(b, fmt.Sprintf("ready-%d-%d-%d", n, b.N, i), n)
				accepted, all, bare = append(accepted, launched), append(all, ready), append(bare, run)
				ratios = append(ratios, float64(ready)/float64(run))
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(ms(quantile(accepted, 0.5)), "launched-ms")
			b.ReportMetric(ms(quantile(all, 0.5)), "ready-ms")
			b.ReportMetric(ms(quantile(bare, 0.5)), "docker-run-ms")
			b.ReportMetric(quantile(ratios, 0.5), "ratio")
			b.Log("promised: ratio ≤ 1.25")
		})
	}
}

// dockerRuns is how long n docker runs at once take.
func dockerRuns(b *testing.B, image string, n int) time.Duration {
	b.Helper()
	failed := make([]error, n)
	var group sync.WaitGroup
	begin := time.Now()
	for i := range n {
		group.Go(func() { failed[i] = exec.Command("docker", "run", "--rm", image, "version").Run() })
	}
	group.Wait()
	took := time.Since(begin)
	must(b, errors.Join(failed...))
	return took
}

// containers is a fleet in containers.
type containers struct {
	host    string // of the daemon
	image   string
	ports   runner.Ports
	options runner.Options
	key     []byte        // of the gateway
	dsn     string        // of the target
	poll    time.Duration // of the control state; 0: the default
	starting
}

// newContainers makes workers as containers with so much memory each; 0: as much
// as they take. Their store is a file.
func newContainers(b *testing.B, memory int64) *containers {
	b.Helper()
	return newContainersOver(b, memory, openStore(b, storeFile(b)))
}

// newContainersOver is newContainers with a store.
func newContainersOver(b *testing.B, memory int64, store ports.Store) *containers {
	b.Helper()
	host, ctx := dockertest.Require(b), context.Background()
	f := &containers{host: host, image: imageOf(b, host, shipped(b)), key: storeKey(b)}
	build := buildIn(b, f.image)
	l, err := docker.New(docker.Options{Host: host, Image: f.image, Command: []string{"/benchfleet", "worker"}, Memory: memory})
	must(b, err)
	b.Cleanup(func() { l.Close() })
	reach, err := l.Reach(ctx)
	must(b, err)

	database := postgrestest.Start(b, postgrestest.Options{Listen: "127.0.0.1," + reach.Listen})
	dsn := database.DSNAt(reach.Listen, postgrestest.Superuser, postgrestest.Superuser) // one address for this host and its containers
	f.dsn = dsn
	target, err := postgres.New(dsn, postgres.Options{})
	must(b, err)
	b.Cleanup(func() { target.Close() })
	must(b, target.Create(ctx, table()))
	must(b, target.Load(ctx, table(), func(int64) {}))

	server := gateway.New(watchedStore{store, &f.starting}, gateway.Options{Key: f.key})
	b.Cleanup(func() { server.Close() })
	address, _ := listening(b, server, net.JoinHostPort(reach.Listen, "0"))
	_, port, err := net.SplitHostPort(address)
	must(b, err)
	f.ports = runner.FromStore(server.Store(), watchedLauncher{l, &f.starting}, target)
	f.options = runner.Options{
		Owner: "bench", Attached: true, Build: build, Gateway: address,
		Environment: []ports.EnvVar{{Name: ports.EnvStore, Value: "http://" + net.JoinHostPort(reach.Dial, port)}},
		Secrets:     []ports.EnvVar{{Name: worker.EndpointVariable("local"), Value: dsn}},
	}
	return f
}

// start starts a run of n workers, stops it when all are READY, and returns how
// long it took until all were launched, and READY.
func (f *containers) start(b *testing.B, id string, n int) (launched, ready time.Duration) {
	b.Helper()
	stop := make(chan core.StopRequested, 1)
	f.expect(n, func() { stop <- core.StopRequested{Reason: core.UserRequested, By: "bench"} })
	run := f.drive(b, id, lookupTemplate(n, 1, time.Minute), stop)
	launched, ready = f.took()
	if c := run.Certificate(); run.Status != core.Cancelled || !c.Clean || ready <= 0 {
		b.Fatalf("%s: %s %s, ready after %s, %+v", id, run.Status, run.Detail, ready, c)
	}
	return launched, ready
}

// drive drives a run of the template to its end.
func (f *containers) drive(b *testing.B, id string, template core.Template, stop <-chan core.StopRequested) core.Run {
	b.Helper()
	template.Target.Kind = "postgres"
	s, err := template.Resolve(core.Resolution{Launcher: "docker", StartTimeout: time.Minute, ControlPoll: f.poll, OwnerLease: 20 * f.poll, WorkerLease: 60 * f.poll})
	must(b, err)
	options := f.options
	options.Secrets = append([]ports.EnvVar{{Name: ports.EnvStoreToken, Value: gateway.Token(f.key, id)}}, options.Secrets...)
	r, err := runner.New(f.ports, options)
	must(b, err)
	_, err = r.Create(context.Background(), id, s)
	must(b, err)
	run, err := r.Drive(context.Background(), id, runner.DriveOptions{Start: true, Stop: stop})
	must(b, err)
	return run
}

// starting tells how long workers take from the first launch to the last READY.
type starting struct {
	mu       sync.Mutex
	first    time.Time // launch
	launched time.Time // the last of them was accepted
	last     time.Time // READY
	ready    map[core.WorkerKey]bool
	wanted   int
	done     func() // called once, when all are READY
}

func (s *starting) expect(n int, done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.first, s.launched, s.last = time.Time{}, time.Time{}, time.Time{}
	s.ready, s.wanted, s.done = map[core.WorkerKey]bool{}, n, done
}

// took counts from the first launch; ready is negative unless all were READY.
func (s *starting) took() (launched, ready time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.launched.Sub(s.first), s.last.Sub(s.first)
}

func (s *starting) launching() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first.IsZero() {
		s.first = time.Now()
	}
}

func (s *starting) accepted() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.launched = time.Now()
}

func (s *starting) beaten(beats []core.Beat) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, beat := range beats {
		if beat.State != core.WorkerReadyNow || s.ready[beat.Key] {
			continue
		}
		s.ready[beat.Key] = true
		if len(s.ready) == s.wanted {
			s.last = time.Now()
			s.done()
		}
	}
}

type watchedLauncher struct {
	ports.Launcher
	starting *starting
}

func (l watchedLauncher) Launch(ctx context.Context, spec ports.WorkerSpec) (core.Handle, error) {
	l.starting.launching()
	defer l.starting.accepted()
	return l.Launcher.Launch(ctx, spec)
}

type watchedStore struct {
	ports.Store
	starting *starting
}

func (s watchedStore) Beat(ctx context.Context, beats ...core.Beat) error {
	err := s.Store.Beat(ctx, beats...)
	if err == nil {
		s.starting.beaten(beats)
	}
	return err
}
