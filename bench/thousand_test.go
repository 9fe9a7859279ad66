//go:build unix

package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/gateway"
	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/adapters/sqlite"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
)

// BenchmarkThousandWorkers measures an orchestrator over 10, 100 and 1,000 simulated
// workers, which register, obey, and report two kinds of operation every second as
// real ones do, in the same process. A tick reads the beats, stores intervals,
// computes the live values and commits: timed from the first call of the store to
// the end of its commit; of its processor time on a busy machine max-tick-cpu-ms tells
// more. Statements of a tick are its calls of the store. Run it with
// GOMAXPROCS=1, bound to one processor: then workers and store share that too.
func BenchmarkThousandWorkers(b *testing.B) {
	for _, kind := range []string{"memory", "sqlite", "gateway"} {
		for _, workers := range []int{10, 100, 1000} {
			b.Run(fmt.Sprintf("%s:%d", kind, workers), func(b *testing.B) {
				for n := range b.N {
					ticks := driveSimulated(b, kind, fmt.Sprintf("thousand-%d", n), workers)
					var took, cpu, statements []float64
					for _, t := range ticks {
						took, statements = append(took, ms(t.took)), append(statements, float64(t.calls))
						cpu = append(cpu, ms(t.cpu))
					}
					b.ReportMetric(0, "ns/op")
					b.ReportMetric(float64(len(ticks)), "ticks")
					b.ReportMetric(quantile(took, 0.5), "p50-tick-ms")
					b.ReportMetric(quantile(took, 1), "max-tick-ms")
					b.ReportMetric(quantile(cpu, 1), "max-tick-cpu-ms")
					b.ReportMetric(quantile(statements, 0.5), "p50-statements/tick")
					b.ReportMetric(quantile(statements, 1), "max-statements/tick")
				}
			})
		}
	}
	b.Log("promised: max-tick-ms ≤ 1000 with 1,000 workers on one core; statements/tick independent of workers")
}

// simulatedLength is how long the load of a simulated fleet lasts.
const simulatedLength = 12 * time.Second

// driveSimulated drives a run of simulated workers to its end and returns the ticks
// of its measurement.
func driveSimulated(b *testing.B, kind, id string, workers int) []tick {
	b.Helper()
	var store ports.Store = memory.NewStore(memory.Options{})
	if kind != "memory" {
		path := filepath.Join(b.TempDir(), "store.db")
		must(b, sqlite.ApplySchema(b.Context(), path))
		opened, err := sqlite.OpenStore(b.Context(), path, sqlite.Options{})
		must(b, err)
		store = opened
	}
	if kind == "gateway" { // as containers have it, without the wire
		store = gateway.New(store, gateway.Options{}).Store()
	}
	defer store.Close()
	target := memory.NewTarget(memory.TargetOptions{})
	must(b, target.Create(b.Context(), table()))
	must(b, target.Load(b.Context(), table(), nil))
	launcher := memory.NewLauncher(func(ctx context.Context, p *memory.Process) (int, string) {
		return simulate(ctx, store, p.Spec())
	})
	defer launcher.Close()
	watched := &tickStore{Store: store}
	r, err := runner.New(runner.FromStore(watched, launcher, target), runner.Options{
		Owner: "bench", Build: simulatedBuild,
		Observe: func(o runner.Observation) {
			watched.measuring(o.Run.Status == core.Running && o.Run.Phase == core.Measurement && !o.Now.Before(o.Run.PhaseAt))
		},
	})
	must(b, err)
	t := lookupTemplate(workers, 1, simulatedLength)
	t.Target = core.TemplateTarget{Kind: "memory", Endpoint: "local"}
	t.Mix = []core.TemplateOp{{Kind: core.PointLookup, Weight: 50}, {Kind: core.Update, Weight: 50}}
	t.Limits.StartTimeout = core.Duration(5 * time.Minute)
	t.Limits.OwnerLease, t.Limits.WorkerLease = core.Duration(time.Minute), core.Duration(3*time.Minute) // a slow machine is slow, not wrong
	s, err := t.Resolve(core.Resolution{Launcher: "memory"})
	must(b, err)
	_, err = r.Create(b.Context(), id, s)
	must(b, err)
	run, err := r.Drive(b.Context(), id, runner.DriveOptions{Start: true})
	must(b, err)
	parent, children, err := store.Rollup(b.Context(), id)
	must(b, err)
	made := core.Total(parent.Kinds)
	if run.Status != core.Completed || len(children) != workers || !parent.Ledger.Balanced || made.OK == 0 {
		b.Fatalf("%s %s: %d children, %+v", run.Status, run.Detail, len(children), parent.Ledger)
	}
	if len(watched.ticks) == 0 {
		b.Fatal("no tick was seen")
	}
	return watched.ticks
}

// tick is one look of the orchestrator at its workers.
type tick struct {
	took  time.Duration
	cpu   time.Duration // of the process meanwhile: more than the orchestrator's, since workers share it
	calls int
}

// tickStore sees the calls of the orchestrator. One goroutine drives a run; its
// effects may call from others, which count too.
type tickStore struct {
	ports.Store

	mu     sync.Mutex
	on     bool
	begun  time.Time        // of the tick at hand; zero: there is none
	latest time.Time        // end of its newest call
	cpu    [2]time.Duration // of the process at these two
	calls  int
	ticks  []tick
}

func (s *tickStore) measuring(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on = on
}

// called counts a call that has ended.
func (s *tickStore) called() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	s.latest, s.cpu[1] = time.Now(), processTime()
}

// end ends the tick at hand, at its newest call.
func (s *tickStore) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.begun.IsZero() && s.on {
		s.ticks = append(s.ticks, tick{s.latest.Sub(s.begun), s.cpu[1] - s.cpu[0], s.calls})
	}
	s.begun = time.Time{}
}

// processTime is the processor time of this process.
func processTime() time.Duration {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// Beats begins a tick: the one before it had no commit.
func (s *tickStore) Beats(ctx context.Context, runID string, known map[string]int64) ([]core.Beat, time.Time, error) {
	s.end()
	s.mu.Lock()
	s.begun, s.calls, s.cpu[0] = time.Now(), 0, processTime()
	s.mu.Unlock()
	defer s.called()
	return s.Store.Beats(ctx, runID, known)
}

// Commit ends it.
func (s *tickStore) Commit(ctx context.Context, expected int64, next core.Run, events []core.ControlEvent, progress ports.Progress) (int64, error) {
	version, err := s.Store.Commit(ctx, expected, next, events, progress)
	s.called()
	s.end()
	return version, err
}

func (s *tickStore) AppendSnapshots(ctx context.Context, workers []ports.WorkerInterval, aggregates []ports.RunInterval) error {
	defer s.called()
	return s.Store.AppendSnapshots(ctx, workers, aggregates)
}

func (s *tickStore) Load(ctx context.Context, runID string) (ports.RunRecord, error) {
	defer s.called()
	return s.Store.Load(ctx, runID)
}

func (s *tickStore) PutRollup(ctx context.Context, parent core.Rollup, children []core.Rollup) error {
	defer s.called()
	return s.Store.PutRollup(ctx, parent, children)
}
