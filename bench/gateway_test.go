//go:build unix

package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/gateway"
	"github.com/benchfleet/benchfleet/adapters/sqlite"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// storeFile makes an SQLite store.
func storeFile(tb testing.TB) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "store.db")
	is.New(tb).NoErr(sqlite.ApplySchema(tb.Context(), path))
	return path
}

func openStore(tb testing.TB, path string) ports.Store {
	tb.Helper()
	store, err := sqlite.OpenStore(tb.Context(), path, sqlite.Options{})
	is.New(tb).NoErr(err)
	tb.Cleanup(func() { store.Close() })
	return store
}

func storeKey(tb testing.TB) []byte {
	tb.Helper()
	key, err := gateway.LoadKey(filepath.Join(tb.TempDir(), "gateway.key"))
	is.New(tb).NoErr(err)
	return key
}

// listening serves s at the address until stop, or the end of the test, and
// returns the address that it has got.
func listening(tb testing.TB, s *gateway.Server, address string) (got string, stop func()) {
	tb.Helper()
	l, err := gateway.Listen(tb.Context(), address)
	is.New(tb).NoErr(err)
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := s.Serve(ctx, l); err != nil {
			tb.Error(err)
		}
	})
	stop = func() {
		cancel()
		serving.Wait()
	}
	tb.Cleanup(stop)
	return l.Addr().String(), stop
}

func createRun(tb testing.TB, store ports.RunStore, id string, workers int) core.Scenario {
	tb.Helper()
	s, err := lookupTemplate(workers, 1, time.Minute).Resolve(core.Resolution{Launcher: "local", StartTimeout: time.Minute})
	is.New(tb).NoErr(err)
	_, err = store.Create(tb.Context(), core.NewRun(id, s.Plan()), s, ports.Home{})
	is.New(tb).NoErr(err)
	return s
}

// beatCounter counts the transactions that beats cost a store.
type beatCounter struct {
	ports.Store
	mu           sync.Mutex
	calls, beats int
}

func (c *beatCounter) Beat(ctx context.Context, beats ...core.Beat) error {
	c.mu.Lock()
	c.calls++
	c.beats += len(beats)
	c.mu.Unlock()
	return c.Store.Beat(ctx, beats...)
}

// BenchmarkGatewayWrites counts what 10, 100 and 1000 workers that beat once a
// second, with reports as large as those of a run with five kinds, cost an SQLite
// store through the gateway.
func BenchmarkGatewayWrites(b *testing.B) {
	const length = 10 * time.Second
	for _, workers := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			for n := range b.N {
				below := &beatCounter{Store: openStore(b, storeFile(b))}
				key, id := storeKey(b), fmt.Sprintf("run-%d", n)
				server := gateway.New(below, gateway.Options{Key: key})
				address, stop := listening(b, server, "127.0.0.1:0")
				createRun(b, server.Store(), id, workers)
				latency := beatFor(b, "http://"+address, gateway.Token(key, id), id, workers, length, func() {
					below.mu.Lock()
					defer below.mu.Unlock()
					below.calls, below.beats = 0, 0
				})
				below.mu.Lock()
				b.ReportMetric(float64(below.calls)/length.Seconds(), "store-writes/s")
				b.ReportMetric(float64(below.beats)/length.Seconds(), "beats/s")
				below.mu.Unlock()
				b.ReportMetric(ms(quantile(latency, 0.5)), "beat-p50-ms")
				b.ReportMetric(ms(quantile(latency, 0.99)), "beat-p99-ms")
				stop()
				must(b, server.Close())
			}
			b.ReportMetric(0, "ns/op")
			b.Log("promised: store writes that do not grow with the workers: one batch per interval of 1 s, and no worker changes its state")
		})
	}
}

// beatFor lets workers beat for a while, after each has said its first, and
// returns how long each beat took.
func beatFor(b *testing.B, address, token, runID string, workers int, length time.Duration, begin func()) (took []time.Duration) {
	b.Helper()
	report := sampleReport()
	stores := make([]ports.Store, workers)
	beat := func(i int, count int64) error {
		return stores[i].Beat(b.Context(), core.Beat{
			Key: core.WorkerKey{RunID: runID, WorkerID: core.WorkerID(i), Epoch: 1}, GroupID: i,
			State: core.WorkerRunning, Count: count, Report: report,
		})
	}
	for i := range stores {
		var err error
		stores[i], err = gateway.Open(b.Context(), address, gateway.ClientOptions{Token: token})
		must(b, err)
		defer stores[i].Close()
		must(b, beat(i, 1))
	}
	begin()
	var mu sync.Mutex
	var group sync.WaitGroup
	end := time.Now().Add(length)
	for i := range stores {
		group.Go(func() {
			time.Sleep(rand.N(time.Second))
			ticker := time.NewTicker(time.Second)
			defer ticker.Stop()
			for count := int64(2); time.Now().Before(end); count++ {
				begun := time.Now()
				if err := beat(i, count); err != nil {
					b.Error(err)
					return
				}
				mu.Lock()
				took = append(took, time.Since(begun))
				mu.Unlock()
				<-ticker.C
			}
		})
	}
	group.Wait()
	return took
}

// sampleReport is the report of a worker after a while: five kinds, two phases,
// two intervals that are not acknowledged.
func sampleReport() core.Report {
	kinds := func(n int) (list []core.KindMetrics) {
		for k, kind := range core.Kinds() {
			m := core.KindMetrics{Kind: kind, Access: core.AccessRead, Counts: core.Counts{Scheduled: uint64(n), Started: uint64(n), OK: uint64(n)}}
			random := core.NewRand(1, uint64(k), uint64(n))
			for range n {
				m.Service.Record(time.Duration(50+random.Int64n(2000)) * time.Microsecond)
			}
			list = append(list, m)
		}
		return list
	}
	return core.Report{
		Phases: []core.PhaseMetrics{{Phase: core.Warmup, Kinds: kinds(2000)}, {Phase: core.Measurement, Kinds: kinds(20000)}},
		Intervals: []core.Interval{
			{Sequence: 1, Phase: core.Measurement, Kinds: kinds(1000)}, {Sequence: 2, Phase: core.Measurement, Kinds: kinds(1000)},
		},
	}
}
