package report

import (
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// Stage is what a run is doing at one moment, and how long that lasts.
type Stage struct {
	// Name is a phase while load is made, the rung of the STOP ladder while the
	// run ends, and else the status or PROCESSING.
	Name string
	// Start and End are store times; zero where they are not known. A stage that
	// something else than the clock ends has its deadline as End, and Deadline
	// is true.
	Start, End time.Time
	Deadline   bool
}

// StageOf is the stage of a run at a moment of the store's clock. A phase that
// is published and not yet in effect has not begun.
func StageOf(run core.Run, now time.Time) Stage {
	plan := run.Plan
	switch {
	case run.Status.Terminal():
		return Stage{Name: string(run.Status), Start: run.EndedAt, End: run.EndedAt}
	case run.Status == core.Prepared:
		return Stage{Name: string(core.Preparing), Start: run.StartedAt, End: run.Deadline, Deadline: true}
	case run.Status == core.Starting:
		return Stage{Name: string(core.Starting), Start: run.StartedAt, End: run.Deadline, Deadline: true}
	case run.Phase == core.Processing:
		return Stage{Name: string(core.Processing), Start: run.PhaseAt, End: run.Deadline, Deadline: true}
	case run.Status.Ending():
		return Stage{Name: run.Rung.String(), Start: run.ClimbedAt, End: run.Deadline, Deadline: true}
	case run.Phase == core.Measurement && plan.Warmup > 0 && now.Before(run.PhaseAt):
		return Stage{Name: string(core.Warmup), Start: run.PhaseAt.Add(-plan.Warmup), End: run.PhaseAt}
	case run.Phase == core.Cooldown && now.Before(run.PhaseAt):
		return Stage{Name: string(core.Measurement), Start: run.PhaseAt.Add(-plan.Duration), End: run.PhaseAt}
	}
	s := Stage{Name: string(run.Phase), Start: run.PhaseAt}
	switch {
	case run.Phase == core.Warmup:
		s.End = s.Start.Add(plan.Warmup)
	case run.Phase == core.Cooldown:
		s.End = run.Until
	case plan.Duration > 0:
		s.End = s.Start.Add(plan.Duration)
	}
	return s
}

// Left is how much of the stage is left, at least 0; not ok when that is not
// known.
func (s Stage) Left(now time.Time) (left time.Duration, ok bool) {
	return max(0, s.End.Sub(now)), !s.End.IsZero()
}

// Share is how much of the stage is over, from 0 to 1; not ok when that is not
// known.
func (s Stage) Share(now time.Time) (share float64, ok bool) {
	if s.Start.IsZero() || !s.End.After(s.Start) {
		return 0, false
	}
	return min(1, max(0, now.Sub(s.Start).Seconds()/s.End.Sub(s.Start).Seconds())), true
}
