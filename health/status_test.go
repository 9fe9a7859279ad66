package health_test

import (
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/health"
	"github.com/matryer/is"
)

func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// healthyWorker is a worker at noon that wants nothing.
func healthyWorker() *health.Worker {
	return &health.Worker{
		Key:      core.WorkerKey{RunID: "r1", WorkerID: "worker-2", Epoch: 1},
		State:    core.WorkerRunning,
		Beat:     core.Beat{Count: 7, Connections: 4, Target: 4},
		Interval: time.Second, Lease: 15 * time.Second,
		Turned: noon(), Read: noon(),
	}
}

func TestWorkerStatus(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*health.Worker)
		after   time.Duration
		live    bool
		reasons []string
	}{
		"running": {live: true},
		"ready":   {change: func(w *health.Worker) { w.State = core.WorkerReadyNow }, live: true},
		"starting": {
			change: func(w *health.Worker) { w.State = core.WorkerStarting }, live: true,
			reasons: []string{"STARTING: not all connections to the target are open"},
		},
		"before its first beat": {
			change: func(w *health.Worker) { w.Beat = core.Beat{Target: 4} }, live: true,
			reasons: []string{"0 of 4 connections are open"},
		},
		"a connection is away": {
			change: func(w *health.Worker) { w.Beat.Connections = 3 }, live: true,
			reasons: []string{"3 of 4 connections are open"},
		},
		"nothing was read yet": {
			change: func(w *health.Worker) { w.Read = time.Time{} }, live: true,
			reasons: []string{"the control state has not been read yet"},
		},
		"half of the lease is left":    {change: func(w *health.Worker) { w.Read = noon().Add(-7500 * time.Millisecond) }, live: true},
		"less than half of it is left": {change: func(w *health.Worker) { w.Read = noon().Add(-12 * time.Second) }, live: true, reasons: []string{"last control read was 12 s ago; the lease ends in 3 s"}},
		"the lease is over":            {change: func(w *health.Worker) { w.Read = noon().Add(-15 * time.Second) }, live: true, reasons: []string{"last control read was 15 s ago; the lease has ended"}},
		"draining": {
			change: func(w *health.Worker) { w.State, w.Cause = core.WorkerDraining, "the run is STOPPING" }, live: true,
			reasons: []string{"DRAINING: the run is STOPPING"},
		},
		"dead, with a driver's words": {
			change: func(w *health.Worker) {
				w.State, w.Cause = core.WorkerDead, "the connections to the target could not be opened: dial db://me:hunter2@host"
			}, live: true,
			reasons: []string{"DEAD: the connections to the target could not be opened"},
		},
		"completed without a cause": {change: func(w *health.Worker) { w.State = core.WorkerCompleted }, live: true, reasons: []string{"COMPLETED"}},
		"ten intervals without a turn": {
			change: func(w *health.Worker) { w.Lease = time.Hour }, after: 10 * time.Second, live: true,
		},
		"more than ten": {
			change: func(w *health.Worker) { w.Lease = time.Hour }, after: 10100 * time.Millisecond, live: false,
			reasons: []string{"its loop last went round 10.1 s ago; 10 s are allowed"},
		},
		"short intervals leave five seconds": {
			change: func(w *health.Worker) { w.Interval, w.Lease = 20*time.Millisecond, time.Hour }, after: 5 * time.Second, live: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			w := healthyWorker()
			if c.change != nil {
				c.change(w)
			}
			s := w.Status(noon().Add(c.after))
			is.Equal(s.Live, c.live)
			is.Equal(s.Ready, len(c.reasons) == 0)
			is.Equal(s.Reasons, c.reasons)
			is.Equal(s.State, string(w.State))
			is.Equal(s.RunID, "r1")
			is.Equal(s.WorkerID, "worker-2")
		})
	}
}

// drivenRun is an orchestrator at noon that wants nothing. The store's clock is
// an hour ahead of its own.
func drivenRun() *health.Orchestrator {
	run := core.NewRun("r1", core.Plan{Workers: 3, Connections: 10})
	store := noon().Add(time.Hour)
	run.Status, run.Phase = core.Running, core.Measurement
	run.Owner, run.OwnerEpoch, run.OwnerLeaseUntil = "me", 2, store.Add(5*time.Second)
	run.Sequence = 6
	return &health.Orchestrator{Run: run, Interval: time.Second, Turned: noon(), Now: store}
}

func TestOrchestratorStatus(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*health.Orchestrator)
		after   time.Duration
		live    bool
		reasons []string
	}{
		"driving": {after: time.Second, live: true},
		"ended": {
			change: func(o *health.Orchestrator) { o.Run.Status, o.StoreTrouble = core.Completed, time.Second }, live: true,
			reasons: []string{"COMPLETED: the run has ended"},
		},
		"the store is away": {
			change: func(o *health.Orchestrator) { o.StoreTrouble = 3 * time.Second }, after: 1500 * time.Millisecond, live: true,
			reasons: []string{"the store could not be written for 4.5 s"},
		},
		"the lease is over": {after: 7 * time.Second, live: true, reasons: []string{"the owner lease ended 2 s ago"}},
		"nobody owns it":    {change: func(o *health.Orchestrator) { o.Run.OwnerLeaseUntil = time.Time{} }, live: true, reasons: []string{"the run has no owner"}},
		"its loop hangs": {
			after: 31 * time.Second, live: false,
			reasons: []string{"its loop last went round 31 s ago; 30 s are allowed", "the owner lease ended 26 s ago"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			o := drivenRun()
			if c.change != nil {
				c.change(o)
			}
			s := o.Status(noon().Add(c.after))
			is.Equal(s.Live, c.live)
			is.Equal(s.Ready, len(c.reasons) == 0)
			is.Equal(s.Reasons, c.reasons)
			is.Equal(s.State, string(o.Run.Status))
			is.Equal(s.RunID, "r1")
		})
	}
}

func TestNothingYet(t *testing.T) {
	is := is.New(t)
	var w *health.Worker
	var o *health.Orchestrator
	for _, s := range []health.Status{w.Status(noon()), o.Status(noon())} {
		is.True(s.Live)
		is.True(!s.Ready)
		is.Equal(len(s.Reasons), 1)
	}
}
