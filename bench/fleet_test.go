//go:build unix

// Package bench measures what benchfleet promises of its own speed: each as a
// ratio to a named peer in one interleaved run, save where a time is the promise
// itself. Run it with: task bench.
package bench

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/local"
	"github.com/benchfleet/benchfleet/adapters/sqlite"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
	"github.com/benchfleet/benchfleet/worker"
)

var (
	stops  = flag.Int("stops", 200, "how many stops are measured")
	starts = flag.Int("starts", 15, "how many starts are measured")
	rounds = flag.Int("rounds", 15, "how many pairs are measured where two are compared")
)

const tableRows = 20000

func table() core.TemplateTable {
	return core.TemplateTable{Name: "BENCH", Type: "STANDARD", Rows: tableRows}
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// fleet is a store, a loaded target and a launcher of the built command.
type fleet struct {
	binary    string
	dir       string
	store     ports.Store
	storePath string
	target    string // path of the SQLite target
	ports     runner.Ports
	options   runner.Options
	launcher  *local.Launcher
}

func newFleet(b *testing.B) *fleet {
	b.Helper()
	dir, ctx := b.TempDir(), context.Background()
	f := &fleet{binary: filepath.Join(dir, "benchfleet"), dir: dir, target: filepath.Join(dir, "target.db")}
	build := exec.Command("go", "build", "-buildvcs=true", "-o", f.binary, "../cmd/benchfleet") // stamped, as users have it
	build.Stderr = os.Stderr
	must(b, build.Run())
	storePath := filepath.Join(dir, "store.db")
	must(b, sqlite.ApplySchema(ctx, storePath))
	store, err := sqlite.OpenStore(ctx, storePath, sqlite.Options{})
	must(b, err)
	b.Cleanup(func() { store.Close() })
	f.store, f.storePath = store, storePath
	target := openLoaded(b, f.target)
	f.launcher, err = local.New(dir, local.Options{Command: []string{f.binary, "worker"}, Environ: os.Environ()})
	must(b, err)
	b.Cleanup(func() { f.launcher.Close() })
	f.ports = runner.FromStore(store, f.launcher, target)
	f.options = runner.Options{
		Owner: "bench", Attached: true,
		Environment: []ports.EnvVar{{Name: ports.EnvStore, Value: "sqlite:" + storePath}},
		Secrets:     []ports.EnvVar{{Name: worker.EndpointVariable("local"), Value: f.target}},
	}
	return f
}

// openLoaded opens a SQLite target and loads the table.
func openLoaded(b *testing.B, path string) *sqlite.Target {
	b.Helper()
	ctx := context.Background()
	target, err := sqlite.OpenTarget(ctx, path, sqlite.TargetOptions{})
	must(b, err)
	b.Cleanup(func() { target.Close() })
	must(b, target.Create(ctx, table()))
	must(b, target.Load(ctx, table(), func(int64) {}))
	return target
}

// drive creates a run and drives it to its end; observe may ask for its stop.
func (f *fleet) drive(b *testing.B, id string, s core.Scenario, observe func(runner.Observation, chan<- core.StopRequested)) core.Run {
	b.Helper()
	stop := make(chan core.StopRequested, 1)
	options := f.options
	options.Observe = func(o runner.Observation) { observe(o, stop) }
	r, err := runner.New(f.ports, options)
	must(b, err)
	_, err = r.Create(context.Background(), id, s)
	must(b, err)
	run, err := r.Drive(context.Background(), id, runner.DriveOptions{Start: true, Stop: stop})
	must(b, err)
	return run
}

// lookups is a run of point lookups without a warm-up.
func lookups(b *testing.B, workers, connections int, duration time.Duration) core.Scenario {
	b.Helper()
	s, err := lookupTemplate(workers, connections, duration).Resolve(core.Resolution{Launcher: "local", StartTimeout: time.Minute})
	must(b, err)
	return s
}

func lookupTemplate(workers, connections int, duration time.Duration) core.Template {
	return core.Template{
		Name: "bench", Target: core.TemplateTarget{Kind: "sqlite", Endpoint: "local"}, Table: table(),
		Load: core.TemplateLoad{Workers: workers, Connections: connections, Duration: core.Duration(duration)},
		Mix:  []core.TemplateOp{{Kind: core.PointLookup, Weight: 100}},
	}
}

// quantile is by nearest rank.
func quantile[T ~int64 | ~float64](values []T, q float64) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
