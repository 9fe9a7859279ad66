package health

import (
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/matryer/is"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

var update = flag.Bool("update", false, "rewrite testdata/*.golden")

func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// secret stands for all that a driver or a target may say.
const secret = "hunter2"

// measuredWorker is a worker 2 s after noon, with metrics of two phases.
func measuredWorker() *Worker {
	kind := func(name string, counts core.Counts, latencies ...time.Duration) core.KindMetrics {
		k := core.KindMetrics{Kind: name, Counts: counts}
		for _, l := range latencies {
			k.Service.Record(l)
		}
		return k
	}
	lookup := kind(core.PointLookup, core.Counts{Scheduled: 9, Skipped: 1, Unserved: 1, Started: 7, OK: 3, Errors: 2, Aborted: 1, Rows: 3},
		900*time.Microsecond, 3*time.Millisecond, 2*time.Minute)
	lookup.Failures = []core.ErrorCount{{Class: "TIMEOUT", Count: 2, Example: secret}}
	insert := kind(core.Insert, core.Counts{Scheduled: 6, Started: 6, OK: 1, Errors: 5, Rows: 1}, 3*time.Millisecond)
	insert.Response = &core.Histogram{}
	insert.Response.Record(700 * time.Millisecond) // it waited for its turn
	insert.Failures = []core.ErrorCount{{Class: "CONFLICT", Count: 4, Example: secret}, {Class: "TIMEOUT", Count: 1, Example: secret}}
	key := core.WorkerKey{RunID: "r1", WorkerID: "worker-2", Epoch: 1}
	return &Worker{
		Key: key, State: core.WorkerRunning, Cause: "failed: " + secret, Interval: time.Second, Lease: 15 * time.Second,
		Turned: noon().Add(1900 * time.Millisecond), Read: noon().Add(1500 * time.Millisecond),
		Beat: core.Beat{
			Key: key, State: core.WorkerRunning, Count: 7, Connections: 3, Target: 4, CPU: 25, Memory: 12.5,
			LastError: secret, Sessions: []string{secret},
			Report: core.Report{
				InFlight: 1, Reconnects: 2, DroppedExecutions: 5, ClockOffset: 0.25, ClockError: 0.001,
				Phases: []core.PhaseMetrics{
					{Phase: core.Warmup, Kinds: []core.KindMetrics{kind(core.PointLookup, core.Counts{Scheduled: 1, Started: 1, OK: 1, Rows: 1}, 20*time.Microsecond)}},
					{Phase: core.Measurement, Kinds: []core.KindMetrics{lookup, insert}},
				},
			},
		},
	}
}

// measuredRun is an orchestrator of four workers 2 s after noon: one as above,
// one that is lost, one that has no beat, and one that was not launched.
func measuredRun() *Orchestrator {
	run := core.NewRun("r1", core.Plan{Workers: 4, Connections: 16})
	run.Status, run.Phase, run.Sequence = core.Running, core.Measurement, 6
	run.OwnerEpoch, run.OwnerLeaseUntil = 2, noon().Add(time.Hour+5*time.Second)
	run.Detail, run.Owner = secret, secret
	for i, life := range []core.Life{core.Ready, core.Gone, core.Launched, core.Planned} {
		run.Workers[i].Life, run.Workers[i].Message = life, secret
	}
	first := measuredWorker().Beat
	first.At, first.Key.WorkerID, first.GroupID = noon().Add(time.Hour), "worker-0", 0
	lost := measuredWorker().Beat
	lost.Key.WorkerID, lost.GroupID = "worker-1", 1
	beats := []core.Beat{first, lost, {}, {}}
	store := noon().Add(time.Hour + time.Second)
	return &Orchestrator{
		Run: run, Beats: beats, Workers: core.HealthOf(run, beats, store, time.Second),
		Interval: time.Second, StoreTrouble: 500 * time.Millisecond, Turned: noon().Add(time.Second), Now: store,
	}
}

// scrape reads /metrics 2 s after noon.
func scrape(t *testing.T, m Metrics) string {
	t.Helper()
	is := is.New(t)
	h, err := newHandler(Options{
		Role: "worker", Build: core.Build{ID: "b1", GoVersion: "go1.26", Platform: "linux/amd64"},
		Check: func() Status { return Status{} }, Metrics: func() Metrics { return m }, Logger: slog.New(slog.DiscardHandler),
	}, func() time.Time { return noon().Add(2 * time.Second) })
	is.NoErr(err)
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	is.Equal(answer.Code, http.StatusOK)
	is.True(strings.HasPrefix(answer.Header().Get("Content-Type"), "text/plain; version=0.0.4"))
	return answer.Body.String()
}

func TestMetricsGolden(t *testing.T) {
	for name, m := range map[string]Metrics{"worker": {Worker: measuredWorker()}, "run": {Orchestrators: []*Orchestrator{measuredRun()}}} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			var own strings.Builder
			for line := range strings.Lines(scrape(t, m)) {
				if strings.Contains(line, "benchfleet_") { // not those of Go and the process
					own.WriteString(line)
				}
			}
			file := "testdata/" + name + ".golden"
			if *update {
				is.NoErr(os.MkdirAll("testdata", 0o755))
				is.NoErr(os.WriteFile(file, []byte(own.String()), 0o644))
			}
			want, err := os.ReadFile(file)
			is.NoErr(err)
			if own.String() != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s\nif that is wanted, run: go test ./health -update", own.String(), want)
			}
		})
	}
}

func TestMetricsLint(t *testing.T) {
	is := is.New(t)
	for _, m := range []Metrics{{Worker: measuredWorker()}, {Orchestrators: []*Orchestrator{measuredRun()}}} {
		problems, err := testutil.CollectAndLint(newCollector(func() Metrics { return m }, noon))
		is.NoErr(err)
		is.Equal(len(problems), 0) // see promlint: problems
	}
}

func TestMetricsOfTheProcess(t *testing.T) {
	is := is.New(t)
	text := scrape(t, Metrics{}) // nothing has begun
	is.True(strings.Contains(text, "\ngo_goroutines "))
	is.True(strings.Contains(text, "benchfleet_build_info{"))
	is.True(!strings.Contains(text, "benchfleet_worker_"))
	is.True(!strings.Contains(text, "benchfleet_run_"))
	global, err := prometheus.DefaultGatherer.Gather()
	is.NoErr(err)
	for _, family := range global {
		is.True(!strings.HasPrefix(family.GetName(), "benchfleet_"))
	}
}

// TestNoSecrets looks for texts of drivers and targets on every page.
func TestNoSecrets(t *testing.T) {
	is := is.New(t)
	w, o := measuredWorker(), measuredRun()
	w.State = core.WorkerDead
	for _, check := range []func() Status{
		func() Status { return w.Status(noon()) },
		func() Status { return o.Status(noon()) },
	} {
		h, err := newHandler(Options{
			Role: "worker", Check: check, Logger: slog.New(slog.DiscardHandler),
			Metrics: func() Metrics { return Metrics{Worker: w, Orchestrators: []*Orchestrator{o}} },
		}, noon)
		is.NoErr(err)
		for _, page := range []string{"/health", "/health/live", "/health/ready", "/metrics"} {
			answer := httptest.NewRecorder()
			h.ServeHTTP(answer, httptest.NewRequest("GET", page, nil))
			is.True(answer.Body.Len() > 0)
			is.True(!strings.Contains(answer.Body.String(), secret))
		}
	}
}

// TestErrorClassesAreBounded feeds more classes than anybody should see.
func TestErrorClassesAreBounded(t *testing.T) {
	is := is.New(t)
	w := measuredWorker()
	kinds := w.Beat.Report.Phases[1].Kinds
	for k := range kinds {
		kinds[k].Failures = nil
		for i := range core.MaxErrorClasses {
			kinds[k].Failures = core.AddError(kinds[k].Failures, core.ErrorCount{Class: string(rune('A'+k)) + strings.Repeat("X", i), Count: 1})
		}
	}
	text := scrape(t, Metrics{Worker: w})
	is.Equal(strings.Count(text, "\nbenchfleet_worker_errors_total{"), core.MaxErrorClasses+1)
	is.True(strings.Contains(text, `benchfleet_worker_errors_total{class="other"} 32`))
}

// TestScrapesReadWhatIsReplaced scrapes and asks while the values change.
func TestScrapesReadWhatIsReplaced(t *testing.T) {
	is := is.New(t)
	var newest atomic.Pointer[Worker]
	s, err := Serve(t.Context(), Options{
		Role:    "worker",
		Check:   func() Status { return newest.Load().Status(time.Now()) },
		Metrics: func() Metrics { return Metrics{Worker: newest.Load()} },
	})
	is.NoErr(err)
	var scrapers sync.WaitGroup
	for range 4 {
		scrapers.Go(func() {
			for range 10 {
				response, err := http.Get("http://" + s.Address() + "/metrics")
				if err != nil {
					t.Error(err)
					return
				}
				_, err = io.Copy(io.Discard, response.Body)
				if err != nil || response.StatusCode != http.StatusOK {
					t.Error(response.StatusCode, err)
				}
				response.Body.Close()
				if _, err := Ask(t.Context(), s.Address()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { defer close(done); scrapers.Wait() }()
	for shown := false; !shown; {
		newest.Store(measuredWorker())
		select {
		case <-done:
			shown = true
		default:
		}
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	is.NoErr(s.Close())
}

// TestHistogramBuckets compares the buckets with durations counted one by one.
func TestHistogramBuckets(t *testing.T) {
	is := is.New(t)
	var h core.Histogram
	var all []time.Duration
	var sum time.Duration
	random := core.NewRand(1, 2, 3)
	for range 20000 {
		d := time.Duration(random.Uint64() >> (22 + random.Uint64()%24)) // up to 73 minutes, all magnitudes
		all, sum = append(all, d), sum+d
		h.Record(d)
	}
	registry := prometheus.NewPedanticRegistry()
	w := measuredWorker()
	w.Beat.Report.Phases = []core.PhaseMetrics{{Phase: core.Measurement, Kinds: []core.KindMetrics{{Kind: core.Update, Service: h}}}}
	is.NoErr(registry.Register(newCollector(func() Metrics { return Metrics{Worker: w} }, noon)))
	families, err := registry.Gather()
	is.NoErr(err)
	found := false
	for _, family := range families {
		if family.GetName() != "benchfleet_worker_latency_seconds" {
			continue
		}
		found = true
		got := family.GetMetric()[0].GetHistogram()
		is.Equal(got.GetSampleCount(), uint64(len(all)))
		is.Equal(got.GetSampleSum(), sum.Seconds())
		is.Equal(len(got.GetBucket()), len(latencyBounds()))
		for i, b := range got.GetBucket() {
			bound := latencyBounds()[i]
			is.Equal(b.GetUpperBound(), bound.Seconds())
			var least, most uint64 // within the bound; within the bound and 0.8 %
			for _, d := range all {
				if d <= bound {
					least++
				}
				if d <= bound+bound/125 {
					most++
				}
			}
			is.True(b.GetCumulativeCount() >= least)
			is.True(b.GetCumulativeCount() <= most)
		}
	}
	is.True(found)
}

// BenchmarkScrape is what a scrape of a worker with 5 kinds in 3 phases costs.
func BenchmarkScrape(b *testing.B) {
	w := measuredWorker()
	w.Beat.Report.Phases = nil
	random := core.NewRand(1, 2, 3)
	for _, phase := range core.LoadPhases() {
		p := core.PhaseMetrics{Phase: phase}
		for _, kind := range core.Kinds() {
			k := core.KindMetrics{Kind: kind}
			for range 10000 {
				k.Service.Record(time.Duration(random.Uint64() >> (30 + random.Uint64()%16)))
			}
			p.Kinds = append(p.Kinds, k)
		}
		w.Beat.Report.Phases = append(w.Beat.Report.Phases, p)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(newCollector(func() Metrics { return Metrics{Worker: w} }, noon))
	for b.Loop() {
		if _, err := registry.Gather(); err != nil {
			b.Fatal(err)
		}
	}
}

// TestMetricsOfSeveralRuns: an orchestrator that drives several runs shows each, told
// apart by its run_id, and none that nothing is known of yet.
func TestMetricsOfSeveralRuns(t *testing.T) {
	is := is.New(t)
	one, two := measuredRun(), measuredRun()
	two.Run.ID, two.Run.Status = "another", core.Stopping
	text := scrape(t, Metrics{Orchestrators: []*Orchestrator{one, nil, two}})
	is.Equal(strings.Count(text, "\nbenchfleet_run_info{"), 2)
	is.True(strings.Contains(text, `benchfleet_run_status{run_id="`+one.Run.ID+`",status="RUNNING"} 1`))
	is.True(strings.Contains(text, `benchfleet_run_status{run_id="another",status="RUNNING"} 0`))
	is.True(strings.Contains(text, `benchfleet_run_status{run_id="another",status="STOPPING"} 1`))
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "benchfleet_run_") && !strings.Contains(line, `run_id="`) {
			t.Errorf("a value is of no run: %s", line)
		}
	}
}
