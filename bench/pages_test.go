//go:build unix

package bench

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/sqlite"
	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/controller"
	"github.com/benchfleet/benchfleet/controller/web"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// BenchmarkPages tells how long the server takes to make each page that shows runs,
// over a SQLite store: of a run of one hour, 20 workers and 3 kinds of operations,
// 20,000 of them a second, some of which failed; and of a list of 10,000 runs. A page
// of a run that has ended is kept, and so is what a comparison reads of its runs: both
// are told twice.
func BenchmarkPages(b *testing.B) {
	p := newPages(b)
	going := p.hour(b, "load.duration=2h")
	p.begin(b, going)
	p.measure(b, going, 3600)
	b.Run("live", func(b *testing.B) { p.time(b, p.handler(b), "/runs/"+going, `data-status="RUNNING"`) })
	b.Run("live points", func(b *testing.B) { p.time(b, p.handler(b), "/runs/"+going+"/points", `[3600,1,"MEASUREMENT",`) })
	var ended []string
	for range 5 {
		id := p.hour(b)
		p.begin(b, id)
		p.measure(b, id, 3600)
		p.end(b, id)
		ended = append(ended, id)
	}
	b.Run("ended at first", func(b *testing.B) {
		p.timeFirst(b, func() http.Handler { return p.handler(b) }, "/runs/"+ended[0], "Latency at each percentile")
	})
	b.Run("ended", func(b *testing.B) { p.time(b, p.handler(b), "/runs/"+ended[0], "Latency at each percentile") })
	for _, n := range []int{2, 5} {
		path := "/compare?run=" + strings.Join(ended[:n], "&run=")
		b.Run(fmt.Sprintf("compare %d at first", n), func(b *testing.B) {
			p.timeFirst(b, func() http.Handler { other := p.another(b); return other.handler(b) }, path, "what it says")
		})
		b.Run(fmt.Sprintf("compare %d", n), func(b *testing.B) { p.time(b, p.handler(b), path, "what it says") })
	}
	b.Run("list of 10000", func(b *testing.B) {
		for range 10_000 {
			p.hour(b)
		}
		for name, query := range map[string]string{"all": "", "searched": "?search=run-77", "filtered": "?status=PREPARED", "further": "?before=run-5000", "nothing found": "?search=nowhere"} {
			b.Run(name, func(b *testing.B) { p.time(b, p.handler(b), "/runs"+query, "<h1>Runs") })
		}
	})
}

// pages is a controller over a store, not served to anybody.
type pages struct {
	store   ports.Store
	service *controller.Service
	second  []core.KindMetrics // what a second measures
}

func newPages(b *testing.B) *pages {
	b.Helper()
	path := filepath.Join(b.TempDir(), "store.db")
	must(b, sqlite.ApplySchema(b.Context(), path))
	store, err := sqlite.OpenStore(b.Context(), path, sqlite.Options{})
	must(b, err)
	p := (&pages{store: store}).another(b)
	b.Cleanup(func() { store.Close() })
	template := lookupTemplate(20, 10, time.Hour)
	template.Mix = []core.TemplateOp{{Kind: core.PointLookup, Weight: 60}, {Kind: core.RangeScan, Weight: 30}, {Kind: core.Update, Weight: 10}}
	_, err = store.Templates().Put(b.Context(), template)
	must(b, err)
	return p
}

// another is another controller over the same store.
func (p *pages) another(b *testing.B) *pages {
	b.Helper()
	runs := 0
	service, err := controller.New(p.store, controller.Options{
		Launchers: []controller.Launcher{{Resolution: core.Resolution{Launcher: "local", StartTimeout: time.Minute}}},
		NewRunID:  func() string { runs++; return fmt.Sprintf("run-%d", runs) },
		Build:     core.Build{ID: "build-1"}, Location: "sqlite",
	})
	must(b, err)
	b.Cleanup(service.Close)
	return &pages{p.store, service, oneSecond(rand.New(rand.NewPCG(1, 2)), 1)}
}

// handler has kept no page yet.
func (p *pages) handler(b *testing.B) http.Handler {
	b.Helper()
	site, err := web.New(p.service, web.Options{})
	must(b, err)
	handler, err := controller.Handler(p.service, controller.ServerOptions{Pages: site})
	must(b, err)
	return handler
}

func (p *pages) get(b *testing.B, handler http.Handler, path, want string) {
	b.Helper()
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost"+path, nil))
	if text := w.Body.String(); w.Code != http.StatusOK || !strings.Contains(text, want) {
		b.Fatalf("%s: %d without %q: %.2000s", path, w.Code, want, text)
	}
}

// time asks for a page again and again, after once that does not count.
func (p *pages) time(b *testing.B, handler http.Handler, path, want string) {
	b.Helper()
	p.get(b, handler, path, want)
	b.ResetTimer()
	before := usedCPU(b)
	for range b.N {
		p.get(b, handler, path, want)
	}
	p.promise(b, before)
}

// timeFirst asks for a page of one after the other that has kept nothing.
func (p *pages) timeFirst(b *testing.B, newHandler func() http.Handler, path, want string) {
	b.Helper()
	var spent time.Duration // of the processor, on what is not timed
	before := usedCPU(b)
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		aside := usedCPU(b)
		handler := newHandler()
		runtime.GC() // of the one before, which a controller does not throw away with each page
		spent += usedCPU(b) - aside
		b.StartTimer()
		p.get(b, handler, path, want)
	}
	p.promise(b, before+spent)
}

// promise tells the time and, for machines that have other things to do, the time of
// the processor, garbage collection included.
func (p *pages) promise(b *testing.B, before time.Duration) {
	b.Helper()
	b.ReportMetric(ms(b.Elapsed())/float64(b.N), "ms/page")
	b.ReportMetric(ms(usedCPU(b)-before)/float64(b.N), "cpu-ms/page")
	b.ReportMetric(0, "ns/op")
	b.Log("promised: ≤ 50 ms")
}

// usedCPU is the time of the processor that this process has taken.
func usedCPU(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// hour prepares a run.
func (p *pages) hour(b *testing.B, set ...string) string {
	b.Helper()
	run, err := p.service.CreateRun(b.Context(), client.NewRun{Template: "bench", Set: set}, "bench", "")
	must(b, err)
	return run.ID
}

// fold changes a run as its owner would.
func (p *pages) fold(b *testing.B, id string, events func(core.Run, time.Time) []core.Event) core.Run {
	b.Helper()
	record, err := p.store.Load(b.Context(), id)
	must(b, err)
	next, published, err := record.Run.Fold(events(record.Run, record.Now)...)
	must(b, err)
	_, err = p.store.Commit(b.Context(), record.Version, next, published, ports.Progress{})
	must(b, err)
	return next
}

func (p *pages) begin(b *testing.B, id string) {
	b.Helper()
	run := p.fold(b, id, func(run core.Run, now time.Time) []core.Event {
		now = now.Add(-time.Hour) // it has gone on for as long as there are intervals
		events := []core.Event{
			core.StartRequested{At: now}, core.OwnerClaimed{At: now, Owner: "here/1/a", Until: now.Add(2 * time.Hour)},
			core.PreflightFinished{At: now, Findings: []core.Finding{{ID: "target.reachable", Severity: core.SeverityOK, Message: "there"}}},
		}
		for i := range run.Workers {
			events = append(events, core.WorkerLaunched{At: now, Worker: i, Epoch: 1, Handle: core.Handle{Launcher: "local", Data: []byte("handle")}},
				core.BeatSeen{At: now, Worker: i, Epoch: 1, State: core.WorkerReadyNow})
		}
		return events
	})
	if run.Status != core.Running {
		b.Fatalf("run %s is %s", id, run.Status)
	}
}

// measure stores intervals of one second, all workers together, and their beats.
func (p *pages) measure(b *testing.B, id string, seconds int) {
	b.Helper()
	record, err := p.store.Load(b.Context(), id)
	must(b, err)
	random := rand.New(rand.NewPCG(1, 2))
	var different [100][]core.KindMetrics // as good as a different one in each second
	for i := range different {
		different[i] = oneSecond(random, i)
	}
	var rows []ports.RunInterval
	for i := range seconds {
		rows = append(rows, ports.RunInterval{
			RunID: id, Phase: core.Measurement, Offset: float64(i + 1), Start: record.Run.Origin.Add(time.Duration(i) * time.Second), Seconds: 1,
			Kinds: different[i%len(different)], Connections: 200, Target: 200, CPU: 40, Memory: 2, Healthy: 20,
		})
		if len(rows) == 400 || i == seconds-1 {
			must(b, p.store.AppendSnapshots(b.Context(), nil, rows))
			rows = rows[:0]
		}
	}
	kinds := different[1]
	for i, w := range record.Run.Workers {
		must(b, p.store.Beat(b.Context(), core.Beat{
			Key: core.WorkerKey{RunID: id, WorkerID: w.ID, Epoch: 1}, GroupID: i, State: core.WorkerRunning, Phase: core.Measurement, Count: 3600, Connections: 10, Target: 10,
			Report: core.Report{
				Phases:    []core.PhaseMetrics{{Phase: core.Measurement, Kinds: kinds, Start: record.Run.Origin, Seconds: 3600, Completed: 20_000}},
				Intervals: []core.Interval{{Sequence: 3600, Phase: core.Measurement, Seconds: 1, Offset: 3600, Kinds: kinds}},
			},
		}))
	}
}

// oneSecond is what 20 workers measure in a second; in every fiftieth some fail.
func oneSecond(random *rand.Rand, second int) []core.KindMetrics {
	kinds := []core.KindMetrics{{Kind: core.PointLookup, Access: core.AccessRead}, {Kind: core.RangeScan, Access: core.AccessRead}, {Kind: core.Update, Access: core.AccessWrite}}
	for k, n := range []uint64{12_000, 6_000, 2_000} {
		for range n / 20 { // as many buckets as a second has, in less time
			kinds[k].Service.RecordN(time.Duration(math.Exp(random.NormFloat64()*0.6+float64(k))*float64(400*time.Microsecond)), 20)
		}
		kinds[k].Counts = core.Counts{Scheduled: n, Started: n, OK: n, Rows: n}
	}
	if second%50 == 0 {
		k := &kinds[2]
		k.Scheduled, k.Started, k.Errors = k.Scheduled+3, k.Started+3, 3
		k.Failures = []core.ErrorCount{{Class: "busy", Count: 3, Example: "the database is locked"}}
	}
	return kinds
}

// end lets every worker report and exit, and stores the result.
func (p *pages) end(b *testing.B, id string) {
	b.Helper()
	_, err := p.service.StopRun(b.Context(), id, client.StopRun{Reason: "over"}, "bench")
	must(b, err)
	run := p.fold(b, id, func(run core.Run, now time.Time) (events []core.Event) {
		for i := range run.Workers {
			events = append(events, core.BeatSeen{At: now, Worker: i, Epoch: 1, State: core.WorkerCompleted}, core.WorkerExited{At: now, Worker: i, Epoch: 1})
		}
		return append(events, core.SessionsCounted{At: now, Running: core.RunningCount{Known: true}}, core.RollupStored{At: now}, core.ResourcesReleased{At: now})
	})
	if !run.Status.Terminal() {
		b.Fatalf("run %s is %s", id, run.Status)
	}
	record, err := p.store.Load(b.Context(), id)
	must(b, err)
	beats, _, err := p.store.Beats(context.Background(), id, nil)
	must(b, err)
	parent, children := core.Summarise(core.SummaryInput{Run: run, Scenario: record.Scenario, Beats: beats})
	must(b, p.store.PutRollup(b.Context(), parent, children))
}
