//go:build unix

package bench

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// BenchmarkViewers tells what 50 viewers of one run of 20 workers cost the controller,
// in cores, and what each is sent: for 10 s of a run whose intervals and beats come
// each second, over what they cost to store while nobody watches.
func BenchmarkViewers(b *testing.B) {
	p := newPages(b)
	id := p.hour(b, "load.duration=2h")
	p.begin(b, id)
	p.measure(b, id, 3600)
	record, err := p.store.Load(b.Context(), id)
	must(b, err)
	const seconds, viewers = 10, 50
	offset := 3600
	for range b.N {
		_, alone := p.watched(b, record, &offset, 0, seconds)
		sent, together := p.watched(b, record, &offset, viewers, seconds)
		b.ReportMetric((together-alone).Seconds()/seconds, "cores")
		b.ReportMetric(float64(sent)/viewers/seconds/1000, "KB/s")
	}
	b.ReportMetric(0, "ns/op")
	b.Log("promised: < 0.2 cores, ≤ 5 KB/s")
}

// watched stores an interval each second while viewers watch, and returns what they
// were sent after their first second and the time of the processor.
func (p *pages) watched(b *testing.B, record ports.RunRecord, offset *int, viewers, seconds int) (sent int64, cpu time.Duration) {
	b.Helper()
	handler := p.handler(b)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	var all atomic.Int64
	for range viewers {
		r := httptest.NewRequest(http.MethodGet, "http://localhost/api/v1/runs/"+record.Run.ID+"/stream", nil).WithContext(ctx)
		group.Go(func() { handler.ServeHTTP(&sink{sent: &all, header: http.Header{}}, r) })
	}
	next := time.NewTicker(time.Second)
	defer next.Stop()
	<-next.C
	<-next.C // they are all there
	before, used := all.Load(), usedCPU(b)
	for range seconds {
		*offset++
		p.interval(b, record, *offset)
		<-next.C
	}
	return all.Load() - before, usedCPU(b) - used
}

// interval stores one more second of a run.
func (p *pages) interval(b *testing.B, record ports.RunRecord, offset int) {
	b.Helper()
	kinds := p.second
	must(b, p.store.AppendSnapshots(b.Context(), nil, []ports.RunInterval{{
		RunID: record.Run.ID, Phase: core.Measurement, Offset: float64(offset), Start: record.Run.Origin.Add(time.Duration(offset-1) * time.Second), Seconds: 1,
		Kinds: kinds, Connections: 200, Target: 200, CPU: 40, Memory: 2, Healthy: 20,
	}}))
	for i, w := range record.Run.Workers {
		must(b, p.store.Beat(b.Context(), core.Beat{
			Key: core.WorkerKey{RunID: record.Run.ID, WorkerID: w.ID, Epoch: 1}, GroupID: i, State: core.WorkerRunning, Phase: core.Measurement, Count: int64(offset), Connections: 10, Target: 10,
			Report: core.Report{Intervals: []core.Interval{{Sequence: int64(offset), Phase: core.Measurement, Seconds: 1, Offset: float64(offset), Kinds: kinds}}},
		}))
	}
}

// sink counts what is written to it.
type sink struct {
	sent   *atomic.Int64
	header http.Header
}

func (s *sink) Header() http.Header { return s.header }
func (s *sink) WriteHeader(int)     {}
func (s *sink) Flush()              {}
func (s *sink) Write(p []byte) (int, error) {
	s.sent.Add(int64(len(p)))
	return len(p), nil
}

func (s *sink) SetWriteDeadline(time.Time) error { return nil }
