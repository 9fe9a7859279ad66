package controller_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/controller"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

const short = `name: short
target: {kind: sqlite}
table: {name: BENCH, rows: 100}
load: {workers: 2, connections: 2, duration: 10s}
mix: [{kind: POINT_LOOKUP, weight: 100}]
`

// counted counts what a store is asked.
type counted struct {
	ports.Store
	reads atomic.Int64
	rows  atomic.Int64 // of totals
}

func (c *counted) Load(ctx context.Context, id string) (ports.RunRecord, error) {
	c.reads.Add(1)
	return c.Store.Load(ctx, id)
}

func (c *counted) Beats(ctx context.Context, id string, known map[string]int64) ([]core.Beat, time.Time, error) {
	c.reads.Add(1)
	return c.Store.Beats(ctx, id, known)
}

func (c *counted) Aggregates(ctx context.Context, id string, after float64, limit int) ([]ports.RunInterval, error) {
	c.reads.Add(1)
	return c.Store.Aggregates(ctx, id, after, limit)
}

func (c *counted) Totals(ctx context.Context, id string, after float64) ([]ports.IntervalTotal, error) {
	list, err := c.Store.Totals(ctx, id, after)
	c.rows.Add(int64(len(list)))
	return list, err
}

func (c *counted) Control(ctx context.Context, run, worker string) (core.Control, error) {
	c.reads.Add(1)
	return c.Store.Control(ctx, run, worker)
}

// site is a served controller over a store in memory.
type site struct {
	t       *testing.T
	store   *counted
	service *controller.Service
	base    string // http://host:port/prefix
	client  *client.Client
	log     lockedBuffer
}

func newSite(t *testing.T, o controller.ServerOptions) *site {
	t.Helper()
	s := &site{t: t, store: &counted{Store: memory.NewStore(memory.Options{})}}
	runs := atomic.Int64{}
	log := slog.New(slog.NewJSONHandler(&s.log, nil))
	service, err := controller.New(s.store, controller.Options{
		Launchers: []controller.Launcher{
			{Resolution: core.Resolution{Launcher: "local", StartTimeout: time.Minute}, Host: "here"},
			{Resolution: core.Resolution{Launcher: "docker", StartTimeout: time.Minute}, Gateway: func() (string, error) { return ":4000", nil }},
		},
		NewRunID: func() string { return fmt.Sprintf("run-%d", runs.Add(1)) },
		Build:    core.Build{ID: "build-1", GoVersion: "go1"}, Location: "memory", LivePoll: 20 * time.Millisecond, Logger: log,
	})
	s.must(err)
	s.service = service
	handler, err := controller.Handler(service, o)
	s.must(err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- controller.Serve(ctx, listener, handler, log) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error("serving:", err)
		}
		service.Close()
	})
	s.base = "http://" + listener.Addr().String() + o.Prefix
	s.client = s.as("")
	return s
}

// as is a client with a token.
func (s *site) as(token string) *client.Client {
	s.t.Helper()
	c, err := client.New(s.base, client.Options{Token: token})
	s.must(err)
	return c
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// run makes a run of a template that it stores first if it is not there.
func (s *site) run(set ...string) client.Run {
	s.t.Helper()
	if _, err := s.service.Template(s.t.Context(), "short"); err != nil {
		t, err := controller.ParseTemplate([]byte(short))
		s.must(err)
		_, err = s.service.CreateTemplate(s.t.Context(), t)
		s.must(err)
	}
	run, err := s.service.CreateRun(s.t.Context(), client.NewRun{Template: "short", Set: set}, "tester", "")
	s.must(err)
	return run
}

// fold changes a run as its orchestrator would.
func (s *site) fold(id string, events func(now time.Time) []core.Event) core.Run {
	s.t.Helper()
	for {
		record, err := s.store.Store.Load(s.t.Context(), id)
		s.must(err)
		next, published, err := record.Run.Fold(events(record.Now)...)
		s.must(err)
		_, err = s.store.Commit(s.t.Context(), record.Version, next, published, ports.Progress{})
		if core.CodeOf(err) == core.Conflict {
			continue
		}
		s.must(err)
		return next
	}
}

// begin brings a run to where it makes load.
func (s *site) begin(id string) core.Run { return s.beganBefore(id, 0) }

// beganBefore is begin, that long ago.
func (s *site) beganBefore(id string, ago time.Duration) core.Run {
	s.t.Helper()
	return s.fold(id, func(now time.Time) []core.Event {
		now = now.Add(-ago)
		events := []core.Event{
			core.StartRequested{At: now}, core.OwnerClaimed{At: now, Owner: "here/1/a", Until: now.Add(ago + time.Minute)},
			core.PreflightFinished{At: now, Findings: []core.Finding{{ID: "target.reachable", Severity: core.SeverityOK, Message: "there"}}},
		}
		record, err := s.store.Store.Load(s.t.Context(), id)
		s.must(err)
		for i := range record.Run.Workers {
			events = append(events, core.WorkerLaunched{At: now, Worker: i, Epoch: 1, Handle: core.Handle{Launcher: "local", Data: []byte("handle")}},
				core.BeatSeen{At: now, Worker: i, Epoch: 1, State: core.WorkerReadyNow})
		}
		return events
	})
}

// interval stores an interval of all workers, and beats of each.
func (s *site) interval(run core.Run, n int) { s.intervalWith(run, n, "") }

// intervalWith is interval, and every worker has seen that error.
func (s *site) intervalWith(run core.Run, n int, lastError string) {
	s.t.Helper()
	kinds := func(count uint64) []core.KindMetrics {
		list := make([]core.KindMetrics, 4)
		for k, name := range []string{core.PointLookup, core.RangeScan, core.Insert, core.Update} {
			list[k] = core.KindMetrics{Kind: name, Access: core.AccessRead, Counts: core.Counts{Scheduled: count, Started: count, OK: count}}
			for i := range count {
				list[k].Service.Record(time.Duration(i+1) * 100 * time.Microsecond)
			}
		}
		return list
	}
	s.must(s.store.AppendSnapshots(s.t.Context(), nil, []ports.RunInterval{{
		RunID: run.ID, Phase: core.Measurement, Offset: float64(n), Start: run.Origin.Add(time.Duration(n-1) * time.Second), Seconds: 1,
		Kinds: kinds(uint64(100 * len(run.Workers))), Connections: 2 * len(run.Workers), Target: 2 * len(run.Workers), CPU: 12.345, Memory: 1.5, Healthy: len(run.Workers),
	}}))
	var beats []core.Beat
	for i, w := range run.Workers {
		beats = append(beats, core.Beat{
			Key: core.WorkerKey{RunID: run.ID, WorkerID: w.ID, Epoch: 1}, GroupID: i, State: core.WorkerRunning, Phase: core.Measurement,
			Count: int64(n), Connections: 2, Target: 2, LastError: lastError, CPU: 12.3456 + float64(i), Memory: 3.21,
			Report: core.Report{Intervals: []core.Interval{{Sequence: int64(n), Phase: core.Measurement, Seconds: 1, Offset: float64(n), Kinds: kinds(100)}}},
		})
	}
	s.must(s.store.Beat(s.t.Context(), beats...))
}

// answer is what a request got.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) problem(t *testing.T) client.Problem {
	t.Helper()
	var p client.Problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("no problem: %d %s %s", a.status, a.header.Get("Content-Type"), a.body)
	}
	return p
}

// ask makes a request; each change is applied to it first.
func (s *site) ask(method, path, body string, changes ...func(*http.Request)) answer {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.base+path, strings.NewReader(body))
	s.must(err)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, change := range changes {
		change(r)
	}
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: 20 * time.Second}
	response, err := c.Do(r)
	s.must(err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	s.must(err)
	return answer{response.StatusCode, response.Header, string(text)}
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// until waits until a condition holds.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatal("never: ", what)
		case <-poll.C:
		}
	}
}

// lockedBuffer is written by a server and read by its test.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
