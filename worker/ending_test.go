package worker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/fault"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		tmpl := template(3, 4)
		tmpl.Load.Duration = core.Duration(time.Hour)
		f := newFleet(t, tmpl, time.Millisecond)
		asked := time.Time{}
		run := f.drive(func(run core.Run) bool {
			if run.Status == core.Running && f.now().Sub(run.Origin) > 2*time.Second && asked.IsZero() {
				asked = f.now()
				f.stops <- core.StopRequested{Reason: core.UserRequested, By: "me"}
			}
			return false
		})
		f.running.Wait()
		is.Equal(run.Status, core.Cancelled)
		parent, _ := f.summary(run)
		is.True(parent.Ledger.Balanced)
		is.Equal(parent.Ledger.Started, parent.Ledger.OK) // those in flight have finished
		is.True(parent.Certificate.Clean)
		late := parent.Certificate.Stages.LastNewOperation.Std()
		is.True(late <= f.scenario.Limits.ControlPoll.Std()) // the next control read stops the load
		for i, b := range f.beats() {
			exit, _ := f.exit(i)
			is.Equal(exit.Code, core.ExitCompleted)
			is.Equal(b.State, core.WorkerCompleted)
			m := b.Report.PhaseOf(core.Measurement)
			is.True(!m.End.IsZero())
			is.Equal(m.End.Sub(m.Start).Seconds(), m.Seconds)
			f.checkIntervals(b)
		}
	})
}

func TestStopBeforeTheLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		tmpl := template(1, 4)
		f := newFleet(t, tmpl, time.Millisecond)
		slow, err := fault.New(1, fault.Rule{On: "Target.Open", Fault: fault.Delay, Delay: 20 * time.Second, Probability: 1})
		is.NoErr(err)
		f.open = slow.Target(f.target)
		began := time.Now()
		f.stops <- core.StopRequested{Reason: core.UserRequested, By: "me"}
		run := f.drive(nil)
		f.running.Wait()
		is.Equal(run.Status, core.Cancelled)
		is.True(time.Since(began) < time.Second) // opening was given up
		exit, _ := f.exit(0)
		is.Equal(exit.Code, core.ExitCompleted)
		beat := f.beats()[0]
		is.Equal(beat.State, core.WorkerCompleted)
		is.Equal(beat.Report.Totals(), core.Counts{})
		is.Equal(beat.Phase, core.Phase("")) // it worked in none
	})
}

func TestCancelRung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		tmpl := template(2, 3)
		tmpl.Limits.DrainTimeout = core.Duration(2 * time.Second)
		f := newFleet(t, tmpl, 50*time.Second)
		run := f.drive(nil)
		f.running.Wait()
		is.Equal(run.Status, core.Completed)
		is.Equal(run.Rung, core.Cancel)
		parent, _ := f.summary(run)
		is.True(parent.Ledger.Balanced)
		is.Equal(parent.Ledger.Aborted, uint64(6)) // one on each connection
		for i := range f.signals {
			exit, _ := f.exit(i)
			is.Equal(exit.Code, core.ExitCompleted)
		}
	})
}

// stubborn is a target whose sessions ignore their context.
type stubborn struct {
	ports.Target
	release chan struct{}
	hang    *atomic.Bool
}

type stubbornSession struct {
	ports.Session
	of stubborn
}

func (s stubborn) Open(ctx context.Context, options ports.SessionOptions) (ports.Session, error) {
	session, err := s.Target.Open(ctx, options)
	return stubbornSession{session, s}, err
}

func (s stubbornSession) Exec(ctx context.Context, statement int, args []any) (int64, error) {
	if s.of.hang.Load() {
		<-s.of.release
		return 1, nil
	}
	return s.Session.Exec(context.WithoutCancel(ctx), statement, args)
}

func TestHangingTargetIsAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		tmpl := template(1, 3)
		tmpl.Limits.DrainTimeout = core.Duration(2 * time.Second)
		f := newFleet(t, tmpl, time.Millisecond)
		target := stubborn{f.target, make(chan struct{}), &atomic.Bool{}}
		f.open = target
		run := f.drive(func(run core.Run) bool {
			if run.Status == core.Running && f.now().Sub(run.Origin) > time.Second {
				target.hang.Store(true)
			}
			return false
		})
		f.running.Wait()
		exit, _ := f.exit(0)
		is.Equal(exit.Code, core.ExitCompleted)
		b := f.beats()[0]
		is.Equal(b.State, core.WorkerCompleted)
		counts := b.Report.Totals()
		is.Equal(counts.Lost, uint64(3))
		is.Equal(counts.Started, counts.OK+counts.Lost)
		parent, _ := f.summary(run)
		is.True(parent.Ledger.Balanced)
		f.checkIntervals(b)
		close(target.release) // they come back and touch nothing
		synctest.Wait()
		is.Equal(f.beats()[0].Count, b.Count)
	})
}

func TestWorkerLease(t *testing.T) {
	t.Run("no control read", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			tmpl := template(1, 2)
			tmpl.Load.Duration = core.Duration(time.Hour)
			f := newFleet(t, tmpl, time.Millisecond)
			var calls []int64
			for i := range int64(1000) {
				calls = append(calls, 100+i)
			}
			down, err := fault.New(1, fault.Rule{On: "WorkerStore.Control", Fault: fault.FailBefore, Calls: calls})
			is.NoErr(err)
			f.workers = down.Store(f.store)
			f.drive(func(core.Run) bool { _, ended := f.exit(0); return ended })
			exit, _ := f.exit(0)
			is.Equal(exit.Code, core.ExitLease)
			is.True(strings.Contains(exit.Cause, "no control read for 15s"))
			b := f.beats()[0]
			is.Equal(b.State, core.WorkerDead) // it could still report
			is.True(b.Report.Totals().Started > 0)
			is.Equal(b.Report.Totals().Started, b.Report.Totals().OK)
			f.running.Wait()
		})
	})
	t.Run("no owner", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			tmpl := template(1, 2)
			tmpl.Load.Duration = core.Duration(time.Hour)
			f := newFleet(t, tmpl, time.Millisecond)
			gone := time.Time{}
			f.drive(func(run core.Run) bool {
				if run.Status == core.Running && gone.IsZero() {
					gone = f.now()
					f.absent = true
				}
				_, ended := f.exit(0)
				return ended
			})
			exit, _ := f.exit(0)
			is.Equal(exit.Code, core.ExitLease)
			is.True(strings.Contains(exit.Cause, "no owner"))
			after := f.now().Sub(gone)
			is.True(after > 19*time.Second && after < 21*time.Second) // owner lease + worker lease
			f.running.Wait()
		})
	})
	t.Run("store gone for good", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			f := newFleet(t, template(1, 2), time.Millisecond)
			var calls []int64
			for i := range int64(5000) {
				calls = append(calls, 20+i)
			}
			down, err := fault.New(1,
				fault.Rule{On: "WorkerStore.Control", Fault: fault.FailBefore, Calls: calls},
				fault.Rule{On: "WorkerStore.Beat", Fault: fault.Lose, Delay: time.Minute, Calls: calls[:1000]},
				fault.Rule{On: "WorkerStore.Beat", Fault: fault.Lose, Delay: time.Minute, Calls: []int64{3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19}})
			is.NoErr(err)
			f.workers = down.Store(f.store)
			f.absent = true
			f.start(t.Context())
			began := time.Now()
			f.running.Wait()
			exit, _ := f.exit(0)
			is.Equal(exit.Code, core.ExitLease)
			is.True(time.Since(began) < 15*time.Second+core.DefaultFlushTimeout+2*time.Second)
		})
	})
}

// An orchestrator that hears and says nothing after START, since the load that it
// started leaves it no processor, does not prolong that load: each phase lasts as long
// as it should.
func TestLoadEndsWithoutItsOrchestrator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		tmpl := template(1, 2)
		tmpl.Load.Warmup, tmpl.Load.Duration, tmpl.Load.Cooldown = core.Duration(time.Second), core.Duration(3*time.Second), core.Duration(time.Second)
		f := newFleet(t, tmpl, 10*time.Millisecond)
		run := f.drive(func(run core.Run) bool {
			f.absent = run.Status == core.Running
			return f.absent
		})
		f.running.Wait() // its lease ends it
		report := f.beats()[0].Report
		is.True(report.LastStart.Before(run.Origin.Add(5 * time.Second)))
		for phase, seconds := range map[core.Phase]float64{core.Warmup: 1, core.Measurement: 3, core.Cooldown: 1} {
			is.True(math.Abs(report.PhaseOf(phase).Seconds-seconds) < 0.1)
			is.True(core.Total(report.PhaseOf(phase).Kinds).Done() > 0)
		}
	})
}

func TestOldEpochIsRefused(t *testing.T) {
	t.Run("from the start", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			f := newFleet(t, template(1, 2), time.Millisecond)
			at := f.now()
			f.update(core.OwnerClaimed{At: at, Owner: "test", Until: at.Add(time.Hour)}, core.StartRequested{At: at},
				core.PreflightFinished{At: at, Findings: []core.Finding{{ID: "test", Severity: core.SeverityOK}}})
			exit := f.worker(t.Context(), 0, 2) // the run knows epoch 1
			is.Equal(exit.Code, core.ExitRefused)
		})
	})
	t.Run("while it loads", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			f := newFleet(t, template(1, 2), time.Millisecond)
			f.workers = &successor{WorkerStore: f.store, after: 40}
			f.drive(func(core.Run) bool { _, ended := f.exit(0); return ended })
			exit, _ := f.exit(0)
			is.Equal(exit.Code, core.ExitRefused)
			counts := f.beats()[0].Report.Totals()
			is.True(counts.Started > 0)
			is.Equal(counts.Started, counts.Done()) // nothing goes on in the background
			f.running.Wait()
		})
	})
}

// successor is a store that says, after some reads, that a newer launch has
// taken over.
type successor struct {
	ports.WorkerStore
	after int
}

func (s *successor) Control(ctx context.Context, runID, workerID string) (core.Control, error) {
	c, err := s.WorkerStore.Control(ctx, runID, workerID)
	if s.after--; s.after < 0 {
		c.Epoch++
	}
	return c, err
}

func TestOpenFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		f := newFleet(t, template(1, 20), time.Millisecond)
		broken, err := fault.New(1, fault.Rule{
			On: "Target.Open", Fault: fault.FailBefore, Calls: []int64{13}, Error: fmt.Errorf("%w: role BENCH may not log in", core.ErrDenied),
		})
		is.NoErr(err)
		f.open = broken.Target(f.target)
		run := f.drive(nil)
		f.running.Wait()
		is.Equal(run.Status, core.Failed)
		exit, _ := f.exit(0)
		is.Equal(exit.Code, core.ExitConnections)
		is.True(strings.Contains(exit.Cause, "role BENCH may not log in"))
		b := f.beats()[0]
		is.Equal(b.State, core.WorkerDead)
		is.Equal(b.LastError, exit.Cause)
		is.True(strings.Contains(run.Detail, "role BENCH may not log in"))
		is.Equal(b.Connections, 0) // those that were open are closed again
	})
}

func TestFinalBeatIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		f := newFleet(t, template(1, 2), time.Millisecond)
		flaky := &flakyBeats{WorkerStore: f.store, failFinal: 5}
		f.workers = flaky
		run := f.drive(nil)
		f.running.Wait()
		is.Equal(run.Status, core.Completed)
		is.Equal(flaky.failed, 5)
		exit, _ := f.exit(0)
		is.Equal(exit.Code, core.ExitCompleted)
	})
}

type flakyBeats struct {
	ports.WorkerStore
	failFinal int
	failed    int
}

func (s *flakyBeats) Beat(ctx context.Context, beats ...core.Beat) error {
	if beats[0].State.Final() && s.failed < s.failFinal {
		s.failed++
		return fmt.Errorf("%w: %w", core.ErrUnavailable, errors.New("disk full"))
	}
	return s.WorkerStore.Beat(ctx, beats...)
}
