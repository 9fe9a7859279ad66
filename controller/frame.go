package controller

import (
	"time"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/report"
)

// sameInterval tells whether nothing of an interval was corrected.
func sameInterval(a, b client.Interval) bool {
	return a.OK == b.OK && a.Errors == b.Errors && a.Aborted == b.Aborted && a.Connections == b.Connections &&
		a.Healthy == b.Healthy && a.Stale == b.Stale && a.Lost == b.Lost && a.Seconds == b.Seconds
}

func stateOf(record ports.RunRecord, now time.Time) client.RunState {
	r := record.Run
	stage := report.StageOf(r, now)
	s := client.RunState{
		ID: r.ID, Status: r.Status, Phase: r.Phase, PhaseAt: utc(r.PhaseAt), Reason: r.Reason, Detail: cutText(r.Detail, maxFrameEnd),
		StopBy: r.StopBy, StopAt: utc(r.StopAt), CheckAt: utc(r.CheckAt), CheckedAt: utc(r.CheckedAt), StartedAt: utc(r.StartedAt), LoadFrom: utc(r.Origin), LoadUntil: utc(r.Until),
		Deadline: utc(r.Deadline), EndedAt: utc(r.EndedAt), Now: now.UTC(),
		Owner: r.Owner, OwnerAlive: r.Owner != "" && now.Before(r.OwnerLeaseUntil),
		Stage: stage.Name, StageFrom: utc(stage.Start), StageUntil: utc(stage.End), StageByDeadline: stage.Deadline,
	}
	if r.Status == core.Running {
		s.Search = r.SearchLine()
	}
	if r.Rung > core.NotStopping {
		s.Rung = r.Rung.String()
	}
	return s
}

// measuredOf is what was measured so far; nil before MEASUREMENT.
func measuredOf(beats []core.Beat) *client.Measured {
	total := core.Total(core.Measured(beats))
	if total.Counts == (core.Counts{}) {
		return nil
	}
	m := &client.Measured{OK: total.OK, Errors: total.Errors, Aborted: total.Aborted, Latency: latencyOf(total.Latency())}
	m.Latency.Avg, m.Latency.P90, m.Latency.P999 = 0, 0, 0
	return m
}
