package live_test

import (
	"fmt"
	"time"

	"github.com/benchfleet/benchfleet/cmd/benchfleet/live"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

func at(seconds float64) time.Time {
	return time.Date(2026, 3, 4, 15, 15, 5, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
}

func kinds(count int, errors uint64) []core.KindMetrics {
	k := core.KindMetrics{Kind: "POINT_LOOKUP", Access: "READ"}
	for i := range count {
		k.Service.Record(time.Duration(8000 + 12345*(i%100)))
	}
	k.Counts = core.Counts{Started: uint64(count) + errors, OK: uint64(count), Errors: errors}
	return []core.KindMetrics{k}
}

func interval(offset float64, count int) *ports.RunInterval {
	return &ports.RunInterval{Phase: core.Measurement, Offset: offset, Seconds: 1, Kinds: kinds(count, 0), Healthy: 3}
}

func plan(workers int) core.Plan {
	return core.Plan{Workers: workers, Connections: 4 * workers, Warmup: 3 * time.Second, Duration: 12 * time.Second}
}

func base(workers int) live.Snapshot {
	run := core.NewRun("01JTESTRUN", plan(workers))
	s := live.Snapshot{Run: run, Scenario: core.Scenario{Name: "oltp"}, Now: at(0)}
	for _, w := range run.Workers {
		s.Workers = append(s.Workers, core.WorkerHealth{ID: w.ID, Target: w.Target})
	}
	return s
}

// stages is a run from its beginning to its end, with trouble.
func stages() []struct {
	name string
	live.Snapshot
} {
	preparing := base(3)
	preparing.Run.StartedAt, preparing.Run.Deadline = at(0), at(60)

	starting := base(3)
	starting.Run.Status, starting.Run.StartedAt, starting.Run.Deadline = core.Starting, at(0), at(60)
	for i, life := range []core.Life{core.Ready, core.Launched, core.Launching} {
		starting.Run.Workers[i].Life, starting.Workers[i].Life = life, life
	}
	starting.Workers[0].State, starting.Workers[0].Health, starting.Workers[0].Connections = core.WorkerReadyNow, core.Healthy, 4
	starting.Workers[1].LastError = "cannot open the target: unable to open database file \x1b[31m(14)"
	starting.Now = at(1.5)

	warmup := loading(3)
	warmup.Run.Phase, warmup.Run.PhaseAt, warmup.Now, warmup.Measured = core.Warmup, at(2), at(3.5), nil

	measuring := loading(3)

	operations := loading(3)
	operations.Run.Plan.Duration, operations.Run.Plan.Operations = 0, 100_000

	trouble := loading(3)
	trouble.Workers[1].Health, trouble.Workers[1].Age, trouble.Workers[1].Errors = core.Stale, 4200*time.Millisecond, 12
	trouble.Workers[1].LastError = "database is locked (5): the file is locked by another connection of another process on this host\n\x1b[2J"
	trouble.Workers[2].Health = core.Lost
	trouble.Measured = kinds(54_000, 1234)

	many := loading(60)
	many.Workers[57].Health, many.Workers[57].Age = core.Stale, 5*time.Second

	stopping := loading(3)
	stopping.Run.Status, stopping.Run.Reason, stopping.Run.Detail = core.Cancelling, core.UserRequested, "enough\x07"
	stopping.Run.StopAt, stopping.Run.ClimbedAt, stopping.Run.Deadline, stopping.Run.Rung = at(8), at(38), at(43), core.Cancel
	stopping.Now = at(40)
	stopping.Run.Workers[0].Life, stopping.Workers[0].Life = core.Gone, core.Gone
	stopping.Workers[0].Health, stopping.Workers[0].Ending = "", "drained, reported and exited"

	processing := stopping
	processing.Run.Phase, processing.Run.Deadline = core.Processing, at(100)

	ended := stopping
	ended.Run.Status = core.Cancelled

	long := loading(3)
	long.Run.ID, long.Scenario.Name = "01J"+fmt.Sprintf("%0200d", 1), "日本語の名前 with a long name that goes on and on and on and on and on and on and on"
	long.Workers[0].ID = fmt.Sprintf("worker-%0100d", 1)

	type stage = struct {
		name string
		live.Snapshot
	}
	return []stage{
		{"preparing", preparing}, {"starting", starting}, {"warmup", warmup}, {"measuring", measuring}, {"operations", operations},
		{"trouble", trouble}, {"many", many}, {"stopping", stopping}, {"processing", processing}, {"ended", ended}, {"long", long},
	}
}

// loading is a run in the middle of its measurement.
func loading(workers int) live.Snapshot {
	s := base(workers)
	s.Run.Status, s.Run.Phase = core.Running, core.Measurement
	s.Run.StartedAt, s.Run.Origin, s.Run.PhaseAt, s.Now = at(0), at(2), at(5), at(9.2)
	s.Interval, s.Measured = interval(7, 4512), kinds(18_000, 0)
	for i := range s.Workers {
		s.Run.Workers[i].Life = core.Ready
		s.Workers[i] = core.WorkerHealth{
			ID: s.Workers[i].ID, Life: core.Ready, State: core.WorkerRunning, Health: core.Healthy,
			Connections: 4, Target: 4, Throughput: 1504, CPU: 21.3,
		}
	}
	return s
}
