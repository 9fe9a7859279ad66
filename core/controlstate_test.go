package core_test

import (
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

// A run is led from its creation to its drain, and after each step the control
// state must say what the run says.
func TestControlOf(t *testing.T) {
	is := is.New(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	run := core.NewRun("run-1", core.Plan{
		Workers: 2, Connections: 3, Warmup: time.Second, Duration: 10 * time.Second, Cooldown: time.Second,
		StartLead: 100 * time.Millisecond, PhaseLead: 100 * time.Millisecond, RunLimit: time.Hour, PreflightTimeout: time.Minute, StartTimeout: time.Minute,
		DrainTimeout: 30 * time.Second, CancelTimeout: time.Second, TerminateTimeout: time.Second, KillTimeout: time.Second,
		ProcessingTimeout: time.Minute, OnLoss: core.FailOnLoss,
	})
	now := at.Add(time.Hour)

	is.Equal(core.ControlOf(run, 1, 1, now), core.Control{Now: now, Version: 1, Status: core.Prepared, Phase: core.Preparing, Target: 1})

	lease := at.Add(5 * time.Second)
	run, _, err := run.Fold(
		core.OwnerClaimed{At: at, Owner: "me", Until: lease},
		core.StartRequested{At: at},
		core.PreflightFinished{At: at, Findings: []core.Finding{{ID: "x", Severity: core.SeverityOK}}},
		core.WorkerLaunched{At: at, Worker: 0, Epoch: 1},
		core.WorkerLaunched{At: at, Worker: 1, Epoch: 1},
		core.BeatSeen{At: at, Worker: 0, Epoch: 1, State: core.WorkerReadyNow},
		core.BeatSeen{At: at, Worker: 1, Epoch: 1, State: core.WorkerReadyNow, Acknowledged: 7},
	)
	is.NoErr(err)
	origin := at.Add(100 * time.Millisecond)
	is.Equal(core.ControlOf(run, 5, 1, now), core.Control{
		Now: now, Version: 5, Status: core.Running, Phase: core.Warmup, PhaseAt: origin, Origin: origin, Until: origin.Add(12 * time.Second), // all of its phases
		Epoch: 1, Target: 1, Acknowledged: 7, OwnerLeaseUntil: lease, LastSequence: 3,
	})
	is.Equal(core.ControlOf(run, 5, 0, now).Target, 2)              // the first worker has one connection more
	is.Equal(core.ControlOf(run, 5, 0, now).Acknowledged, int64(0)) // and nothing acknowledged

	cooldown := origin.Add(time.Second + 10*time.Second)
	run, _, err = run.Fold(core.Ticked{At: origin.Add(900 * time.Millisecond)}, core.Ticked{At: cooldown.Add(-100 * time.Millisecond)})
	is.NoErr(err)
	is.Equal(core.ControlOf(run, 6, 0, now).Phase, core.Cooldown)
	is.Equal(core.ControlOf(run, 6, 0, now).Until, cooldown.Add(time.Second))

	run, _, err = run.Apply(core.StopRequested{At: cooldown, Rung: core.Kill})
	is.NoErr(err)
	stopped := core.ControlOf(run, 7, 0, now)
	is.Equal(stopped.Status, core.Cancelling)
	is.Equal(stopped.Rung, core.Kill)
	is.Equal(stopped.LastSequence, run.Sequence)

	for _, index := range []int{-1, 2} {
		is.Equal(core.ControlOf(run, 7, index, now).Epoch, 0)  // nobody may speak
		is.Equal(core.ControlOf(run, 7, index, now).Target, 0) // and nothing is to be kept
	}
	index, ok := run.WorkerIndex("worker-1")
	is.True(ok)
	is.Equal(index, 1)
	_, ok = run.WorkerIndex("worker-2")
	is.True(!ok)
}
