package worker

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// counted is a target that knows how many sessions are open. Closing takes time.
type counted struct {
	ports.Target
	open *atomic.Int64
}

type countedSession struct {
	ports.Session
	of counted
}

func (t counted) Open(ctx context.Context, options ports.SessionOptions) (ports.Session, error) {
	session, err := t.Target.Open(ctx, options)
	t.open.Add(1)
	return countedSession{session, t}, err
}

func (s countedSession) Close() error {
	<-time.After(50 * time.Millisecond)
	s.of.open.Add(-1)
	return s.Session.Close()
}

func TestLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		tmpl := template(3, 4)
		tmpl.Load.Warmup = core.Duration(1500 * time.Millisecond)
		tmpl.Load.Cooldown = core.Duration(700 * time.Millisecond)
		f := newFleet(t, tmpl, time.Millisecond)
		sessions := counted{f.target, &atomic.Int64{}}
		f.open = sessions
		run := f.drive(nil)
		f.running.Wait()
		is.Equal(sessions.open.Load(), int64(0)) // all are closed when Run returns
		is.Equal(run.Status, core.Completed)
		is.Equal(run.Reason, core.Elapsed)
		parent, children := f.summary(run)
		is.Equal(len(children), 3)
		is.True(parent.Ledger.Balanced)
		is.Equal(parent.Ledger.Started, parent.Ledger.OK)
		is.Equal(parent.Verdict.Level, core.Valid)
		for _, b := range f.beats() {
			is.Equal(b.State, core.WorkerCompleted)
			is.Equal(b.Phase, core.Cooldown) // the last one that it worked in
			is.Equal(len(b.Report.Phases), 3)
			m := b.Report.PhaseOf(core.Measurement)
			is.Equal(m.Seconds, 3.0) // exactly the window that was asked for
			// One operation of 1 ms after another; what ends with its phase belongs to
			// the window after it.
			is.Equal(b.Report.PhaseOf(core.Warmup).Completed, uint64(4*(1500-1)))
			is.Equal(m.Completed, uint64(4*3000))
			is.Equal(b.Report.PhaseOf(core.Cooldown).Completed, uint64(4*700))
			is.Equal(b.Report.InFlight, uint64(0))
			is.Equal(core.Total(m.Kinds).Started, uint64(4*3000))
			f.checkIntervals(b)
		}
		is.Equal(parent.Throughput, 12000.0)
		for i := range 3 {
			exit, _ := f.exit(i)
			is.Equal(exit.Code, core.ExitCompleted)
			is.Equal(exit.LastSequence, run.Sequence)
		}
	})
}

// What a worker says at its end is of its load, and not of the moment after it.
func TestFinalBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		f := newFleet(t, template(1, 2), time.Millisecond)
		var lines bytes.Buffer
		f.log = slog.New(slog.NewJSONHandler(&lines, nil))
		last := time.Now()
		f.usage = func() (cpu, memory, seconds float64) { // busy, save in the instant after a cut
			if time.Since(last) >= 500*time.Millisecond {
				cpu = 50
			}
			last = time.Now()
			return cpu, 3, 7
		}
		f.drive(nil)
		f.running.Wait()
		b := f.beats()[0]
		is.Equal(b.State, core.WorkerCompleted)
		is.Equal(b.Phase, core.Measurement)
		is.True(b.CPU > 45 && b.CPU <= 50)
		is.Equal(b.Memory, 3.0)
		is.Equal(b.Report.CPUSeconds, 7.0)
		is.True(strings.Contains(lines.String(), `"state":"RUNNING"}`))
		is.True(strings.Contains(lines.String(), `"state":"DRAINING","cause":"the run is STOPPING"}`))
		is.True(!strings.Contains(lines.String(), `"cause":""`))
	})
}

func TestGauge(t *testing.T) {
	is := is.New(t)
	g := gauge{interval: time.Second}
	reads := func(at time.Duration, cpu float64) float64 {
		g.take(at, cpu, 1, 2)
		return g.cpu
	}
	is.Equal(reads(400*time.Millisecond, 10), 10.0) // nothing better is known
	is.Equal(reads(time.Second, 60), 40.0)          // 0.4 s of 10 and 0.6 s of 60
	is.Equal(reads(2*time.Second, 20), 20.0)        // a whole interval stands for itself
	is.Equal(reads(2250*time.Millisecond, 100), 36.0)
	is.Equal(reads(2250*time.Millisecond, 5000), 36.0) // over no time
	is.Equal(reads(2950*time.Millisecond, 100), 100.0) // a timer that is a little early
	is.Equal(reads(2951*time.Millisecond, 0), 100*0.95/0.951)
}
