package controller_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/controller"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/matryer/is"
)

// TestStream: a viewer sees where a run stands, each interval once it is stored, the
// events, findings and log lines, and the end; and then the stream closes.
func TestStream(t *testing.T) {
	is := is.New(t)
	s := newSite(t, controller.ServerOptions{})
	made := s.run()
	var frames []client.Frame
	var mu sync.Mutex
	seen := func(holds func(client.Frame) bool) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			for _, f := range frames {
				if holds(f) {
					return true
				}
			}
			return false
		}
	}
	ended := make(chan error, 1)
	go func() {
		for f, err := range s.client.Watch(t.Context(), made.ID, "") {
			if err != nil {
				ended <- err
				return
			}
			mu.Lock()
			frames = append(frames, f)
			mu.Unlock()
		}
		ended <- nil
	}()
	until(t, "PREPARED is seen", seen(func(f client.Frame) bool { return f.Run.Status == core.Prepared }))
	run := s.begin(made.ID)
	until(t, "RUNNING is seen", seen(func(f client.Frame) bool { return f.Run.Status == core.Running && len(f.Workers) == 2 }))
	until(t, "findings are seen", seen(func(f client.Frame) bool { return len(f.Findings) == 1 }))
	s.interval(run, 1)
	s.must(s.store.Logs().Append(t.Context(), []ports.LogLine{{RunID: run.ID, Sequence: 1, Time: time.Now(), Level: "INFO", Message: "hello"}}))
	until(t, "an interval is seen", seen(func(f client.Frame) bool {
		return len(f.Intervals) == 1 && f.Intervals[0].OK == 800 && f.Intervals[0].Throughput == 800 && f.Intervals[0].Latency.P50 > 9
	}))
	until(t, "workers are seen", seen(func(f client.Frame) bool {
		return len(f.Workers) == 2 && f.Workers[1].Health == core.Healthy && f.Workers[1].Throughput == 400
	}))
	until(t, "a line is seen", seen(func(f client.Frame) bool { return len(f.Logs) == 1 && f.Logs[0].Message == "hello" }))
	s.must(s.store.Logs().Append(t.Context(), []ports.LogLine{{RunID: run.ID, WorkerID: "worker-0", Sequence: 1_000_000, Time: time.Now().Add(-2 * time.Second), Level: "WARN", Message: "late"}}))
	until(t, "a line is seen that is older than one that was seen", seen(func(f client.Frame) bool { return len(f.Logs) == 1 && f.Logs[0].Message == "late" }))
	s.must(s.store.AppendSteps(t.Context(), []core.ControllerStep{{RunID: run.ID, Type: core.StepFindMax, Number: 1, ToConnections: 8, QPS: 123.456, P95: 7 * time.Millisecond}}))
	_, err := s.service.StopRun(t.Context(), run.ID, client.StopRun{Reason: "enough"}, "ada")
	is.NoErr(err)
	until(t, "CANCELLING is seen", seen(func(f client.Frame) bool {
		return f.Run.Status == core.Cancelling && f.Run.StopBy == "ada" && f.Run.Detail == "enough" && f.Run.Stage == "DRAIN"
	}))
	s.end(run.ID)
	is.NoErr(<-ended)
	last := frames[len(frames)-1]
	is.True(last.End)
	is.Equal(last.Run.Status, core.Cancelled)
	events, lines, steps := map[int64]int{}, 0, 0
	for _, f := range frames {
		lines, steps = lines+len(f.Logs), steps+len(f.Steps)
		is.True(!f.Reset)
		for _, e := range f.Events {
			events[e.Sequence]++
		}
	}
	is.Equal(len(events), int(s.fold(run.ID, func(time.Time) []core.Event { return nil }).Sequence)) // each of them
	is.Equal(lines, 2)                                                                               // each once
	is.Equal(steps, 1)
	list, err := s.client.Steps(t.Context(), run.ID)
	is.NoErr(err)
	is.Equal(list.Items, []client.Step{{Type: "FIND_MAX", Number: 1, ToConnections: 8, Throughput: 123.46, P95: 7}})
	for sequence, times := range events {
		if times != 1 {
			t.Errorf("event %d was seen %d times", sequence, times)
		}
	}
	again := s.ask(http.MethodGet, "/api/v1/runs/"+run.ID+"/stream", "", header("Last-Event-ID", last.ID))
	is.Equal(again.status, http.StatusNoContent) // a browser stays away
}

// end lets every worker report and exit, and the run end.
func (s *site) end(id string) {
	s.t.Helper()
	s.fold(id, func(now time.Time) (events []core.Event) {
		for i := range 2 {
			events = append(events, core.BeatSeen{At: now, Worker: i, Epoch: 1, State: core.WorkerCompleted},
				core.WorkerExited{At: now, Worker: i, Epoch: 1})
		}
		return append(events, core.SessionsCounted{At: now, Running: core.RunningCount{Known: true}}, core.RollupStored{At: now}, core.ResourcesReleased{At: now})
	})
}

// TestStreamGoesOn: who comes back with the id of the last frame misses nothing, even
// from another controller; who was away for too long is told so.
func TestStreamGoesOn(t *testing.T) {
	is := is.New(t)
	s := newSite(t, controller.ServerOptions{})
	run := s.begin(s.run("load.duration=1h").ID)
	s.interval(run, 1)
	first := s.next(run.ID, "")
	is.Equal(len(first.Events), int(run.Sequence))
	for n := 2; n <= 9; n++ {
		s.interval(run, n)
	}
	other, err := controller.New(s.store, controller.Options{
		Launchers: []controller.Launcher{{}}, NewRunID: func() string { return "x" }, LivePoll: 20 * time.Millisecond,
	})
	is.NoErr(err)
	defer other.Close()
	for name, service := range map[string]*controller.Service{"the same": s.service, "another": other} {
		w, err := service.Watch(t.Context(), run.ID, first.ID)
		is.NoErr(err)
		got := map[float64]bool{}
		until(t, name+" controller goes on", func() bool {
			m, ok, err := w.Next(t.Context(), time.Second)
			is.NoErr(err)
			var f client.Frame
			if ok {
				is.NoErr(json.Unmarshal(m.Data, &f))
			}
			is.True(!f.Reset)
			is.Equal(len(f.Events), 0) // they were seen
			for _, i := range f.Intervals {
				got[i.Elapsed] = true
			}
			return len(got) >= 8 && got[9]
		})
		w.Close()
	}
	for n := 10; n <= 1200; n++ {
		s.must(s.store.AppendSnapshots(t.Context(), nil, []ports.RunInterval{{RunID: run.ID, Phase: core.Measurement, Offset: float64(n), Seconds: 1}}))
	}
	w, err := s.service.Watch(t.Context(), run.ID, first.ID)
	is.NoErr(err)
	defer w.Close()
	until(t, "a viewer is told that it has missed something", func() bool {
		m, ok, err := w.Next(t.Context(), time.Second)
		is.NoErr(err)
		var f client.Frame
		if ok {
			is.NoErr(json.Unmarshal(m.Data, &f))
		}
		return f.Reset && f.Intervals[len(f.Intervals)-1].Elapsed == 1200
	})
}

// next is the next frame of a run's stream.
func (s *site) next(id, last string) client.Frame {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	for f, err := range s.client.Watch(ctx, id, last) {
		s.must(err)
		return f
	}
	s.t.Fatal("no frame comes")
	return client.Frame{}
}

// TestStreamRefuses: what is wrong is said before a stream begins.
func TestStreamRefuses(t *testing.T) {
	is := is.New(t)
	s := newSite(t, controller.ServerOptions{})
	id := s.run().ID
	is.Equal(s.ask(http.MethodGet, "/api/v1/runs/nothing/stream", "").problem(t).Code, "NotFound")
	for _, last := range []string{"x", "1.2", "1.2.3.4", "-1.0.0", "1.2.99999999999999999999", "1.2.3'"} {
		is.Equal(s.ask(http.MethodGet, "/api/v1/runs/"+id+"/stream", "", header("Last-Event-ID", last)).problem(t).Code, "Invalid") // no id
	}
}

// TestStreamCost: fifty viewers cost the store what one does; twenty workers fit
// into 5 KB for each second and viewer.
func TestStreamCost(t *testing.T) {
	is := is.New(t)
	s := newSite(t, controller.ServerOptions{})
	run := s.begin(s.run("load.duration=1h", "load.workers=20").ID)
	measured := 0
	reads := func(viewers int) int64 {
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		var mu sync.Mutex
		sent, frames, told, ready := 0, 0, 0, 0
		for range viewers {
			w, err := s.service.Watch(ctx, run.ID, "")
			is.NoErr(err)
			group.Go(func() {
				defer w.Close()
				for number := 0; ; number++ {
					m, ok, err := w.Next(ctx, time.Minute)
					if err != nil {
						return
					}
					mu.Lock()
					if number == 0 {
						ready++
					} else if ok {
						var f client.Frame
						is.NoErr(json.Unmarshal(m.Data, &f))
						sent, frames = sent+len(m.Data), frames+1
						told += max(1, len(f.Intervals)) // after a stall, one frame tells two seconds
					}
					mu.Unlock()
				}
			})
		}
		until(t, "all viewers watch", func() bool { mu.Lock(); defer mu.Unlock(); return ready == viewers })
		s.store.reads.Store(0)
		const seconds = 3
		for range seconds {
			measured++
			s.intervalWith(run, measured, fmt.Sprintf("%d: \"users\" <- %s", measured, strings.Repeat("ü&", 250)))
			s.wait(t, time.Second)
		}
		cancel()
		group.Wait()
		is.True(frames <= viewers*(seconds+1)) // one a second
		rate := float64(sent) / float64(told)
		is.True(rate > 2000)
		if rate > 5000 {
			t.Errorf("a viewer of 20 workers is sent %.0f bytes per second; allowed: 5000", rate)
		}
		t.Logf("%d viewers: %d reads of the store in %d s, %.0f bytes for each second told", viewers, s.store.reads.Load(), seconds, rate)
		return s.store.reads.Load()
	}
	fifty, one := reads(50), reads(1)
	is.True(one > 0)
	if fifty > one+one/2 { // one more or less, as the clock has it
		t.Errorf("50 viewers cost %d reads, one %d", fifty, one)
	}
}

// TestFramesOfManyKinds: an interval of many kinds is no larger in a frame than one of
// four; those with most operations are in it, in their order.
func TestFramesOfManyKinds(t *testing.T) {
	is := is.New(t)
	s := newSite(t, controller.ServerOptions{})
	run := s.begin(s.run("load.duration=1h").ID)
	row := ports.RunInterval{RunID: run.ID, Phase: core.Measurement, Offset: 1, Start: run.Origin, Seconds: 1}
	for i, n := range []uint64{3, 9, 1, 8, 7, 2, 6, 2} {
		k := core.KindMetrics{Kind: fmt.Sprintf("KIND_%d", i), Access: core.AccessRead, Counts: core.Counts{Scheduled: n, Started: n, OK: n}}
		k.Service.RecordN(time.Millisecond, n)
		row.Kinds = append(row.Kinds, k)
	}
	s.must(s.store.AppendSnapshots(t.Context(), nil, []ports.RunInterval{row}))
	f, err := s.service.Look(t.Context(), run.ID)
	is.NoErr(err)
	is.Equal(len(f.Intervals), 1)
	is.Equal(f.Intervals[0].OK, uint64(38)) // of all
	var names []string
	for _, k := range f.Intervals[0].Kinds {
		names = append(names, k.Kind)
	}
	is.Equal(names, []string{"KIND_1", "KIND_3", "KIND_4", "KIND_6"})
	all, err := s.service.Snapshots(t.Context(), run.ID, -1)
	is.NoErr(err)
	is.Equal(len(all[0].Kinds), 8)
}

// wait lets the time pass that a publisher needs for its pace: this is a test of it.
func (s *site) wait(t *testing.T, d time.Duration) {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	<-ctx.Done()
}

// TestStreamSlowViewer: one who does not read holds nobody up, and is cut off or
// gets the newest state, in one frame.
func TestStreamSlowViewer(t *testing.T) {
	is := is.New(t)
	s := newSite(t, controller.ServerOptions{})
	run := s.begin(s.run("load.duration=1h").ID)
	slow, err := s.service.Watch(t.Context(), run.ID, "")
	is.NoErr(err)
	defer slow.Close()
	_, ok, err := slow.Next(t.Context(), 5*time.Second)
	is.NoErr(err)
	is.True(ok)
	quick, err := s.service.Watch(t.Context(), run.ID, "")
	is.NoErr(err)
	defer quick.Close()
	for n := 1; n <= 3; n++ {
		s.interval(run, n)
		until(t, fmt.Sprint("the quick one sees interval ", n), func() bool {
			m, ok, err := quick.Next(t.Context(), time.Second)
			is.NoErr(err)
			return ok && strings.Contains(string(m.Data), fmt.Sprintf(`"elapsed_seconds":%d,`, n))
		})
	}
	m, ok, err := slow.Next(t.Context(), time.Second) // all that it has missed
	is.NoErr(err)
	is.True(ok)
	var f client.Frame
	is.NoErr(json.Unmarshal(m.Data, &f))
	is.Equal(len(f.Intervals), 3)
	_, ok, err = slow.Next(t.Context(), time.Millisecond)
	is.NoErr(err)
	is.True(!ok) // and nothing twice
}

// TestStreamEvents: the stream as a browser reads it, that begins where its page ends.
func TestStreamEvents(t *testing.T) {
	is := is.New(t)
	s := newSite(t, controller.ServerOptions{Prefix: "/bench"})
	run := s.begin(s.run("load.duration=1h").ID)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.base+"/api/v1/runs/"+run.ID+"/stream?from=0.1.0", nil)
	is.NoErr(err)
	response, err := http.DefaultClient.Do(r)
	is.NoErr(err)
	defer response.Body.Close()
	is.Equal(response.Header.Get("Content-Type"), "text/event-stream")
	is.Equal(response.Header.Get("Cache-Control"), "no-store")
	is.Equal(response.Header.Get("X-Content-Type-Options"), "nosniff")
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	var got []string
	for len(got) < 5 && lines.Scan() {
		got = append(got, lines.Text())
	}
	is.NoErr(lines.Err())
	is.Equal(got[0], "retry: 2000")
	is.Equal(got[2], "event: frame")
	is.True(strings.HasPrefix(got[3], "id: "))
	is.True(strings.HasPrefix(got[4], `data: {"run":{`))
	is.True(!strings.Contains(got[4], `"sequence_id":1,`)) // which was seen
	is.True(strings.Contains(got[4], `"sequence_id":2,`))
}
