package worker

import (
	"sync"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// BenchmarkRecord is the recording of one operation, clocks excluded, beside
// what it may be compared with: recording into a bare histogram.
func BenchmarkRecord(b *testing.B) {
	durations := make([]time.Duration, 1024)
	r := core.NewRand(1, 2, 3)
	for i := range durations {
		durations[i] = time.Duration(50_000 + r.Uint64()%100_000)
	}
	b.Run("histogram", func(b *testing.B) {
		var h core.Histogram
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			h.Record(durations[i&1023])
			i++
		}
	})
	b.Run("operation", func(b *testing.B) {
		recorder := NewRecorder(4)
		stamp := time.Duration(1)
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			recorder.Record(i&3, stamp, stamp+durations[i&1023])
			stamp++
			i++
		}
		if recorder.Started() != uint64(i) {
			b.Fatal(recorder.Started())
		}
	})
}

// BenchmarkLoop is the whole loop of a connection on the memory target, beside
// a bare loop of two clock reads and the same look-up.
func BenchmarkLoop(b *testing.B) {
	tmpl := template(1, 1)
	tmpl.Table.Rows = 100_000
	tmpl.Mix = []core.TemplateOp{{Kind: core.PointLookup, Weight: 100}}
	b.Run("bare", func(b *testing.B) {
		l, _ := testLoad(b, tmpl)
		session, ctx := l.connections[0].session, b.Context()
		keys := core.NewRand(1, 2, 3) // as many different ones as the worker meets
		args := make([]any, 1)
		var total time.Duration
		b.ReportAllocs()
		for b.Loop() {
			args[0] = keys.Int64n(tmpl.Table.Rows)
			start := time.Now()
			if _, err := session.Exec(ctx, 0, args); err != nil {
				b.Fatal(err)
			}
			total += time.Since(start)
		}
	})
	b.Run("worker", func(b *testing.B) {
		l, c := testLoad(b, tmpl)
		conn := l.connections[0]
		conn.left = int64(b.N)
		l.publish(measuring())
		over := make(chan struct{})
		var others sync.WaitGroup
		others.Go(func() { l.watch(over) })
		b.ReportAllocs()
		b.ResetTimer()
		done := conn.run()
		b.StopTimer()
		close(over)
		others.Wait()
		now := l.clock.now()
		c.cutLast(now)
		if report := c.report(now); !done || report.Totals().OK != uint64(b.N) {
			b.Fatal(report.Totals())
		}
	})
}
