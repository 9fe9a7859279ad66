package core

import "time"

// Certificate is the stored record that a stop really ended everything.
type Certificate struct {
	RunID       string       `json:"run_id"`
	Reason      Reason       `json:"reason"`
	RequestedBy string       `json:"requested_by,omitempty"`
	RequestedAt time.Time    `json:"requested_at"`
	HighestRung Rung         `json:"highest_rung"`
	Workers     []WorkerEnd  `json:"workers"`
	Orphans     []string     `json:"orphans,omitempty"`
	Target      RunningCount `json:"target_running"`
	Stages      StopStages   `json:"stages"`
	// Clean says that every worker made its final report and ended by itself,
	// and that the target runs nothing of this run any more.
	Clean bool `json:"clean"`
}

// WorkerEnd is how one worker ended. The times of its last operations are those of
// its final report; zero without one, since it may have gone on after its last
// beat, and zero when it made none.
type WorkerEnd struct {
	ID         string    `json:"id"`
	LastStart  time.Time `json:"last_new_operation,omitzero"`
	LastEnd    time.Time `json:"last_in_flight,omitzero"`
	GoneAt     time.Time `json:"gone_at,omitzero"`
	Rung       Rung      `json:"rung"` // on which it was gone
	Reported   bool      `json:"final_report"`
	BeforeStop bool      `json:"before_stop,omitempty"` // it was lost while it was needed
	Ending     string    `json:"ending"`                // in words
}

// StopStages are the latencies of a stop, each counted from the request; nil
// where it is not known. Those of the operations are known when every worker has
// made its final report or was gone before the request.
type StopStages struct {
	LastNewOperation *Duration `json:"last_new_operation,omitempty"`
	LastInFlight     *Duration `json:"last_in_flight,omitempty"`
	WorkersGone      *Duration `json:"workers_gone,omitempty"`
}

// Certificate derives the stop certificate from the state of the run.
func (r Run) Certificate() Certificate {
	c := Certificate{
		RunID: r.ID, Reason: r.Reason, RequestedBy: r.StopBy, RequestedAt: r.StopAt,
		HighestRung: r.Rung, Target: r.Running,
		Clean: r.Running.Known && r.Running.Count == 0,
	}
	var lastStart, lastEnd time.Time
	known := true
	for _, w := range r.Workers[:r.Asked()] {
		end := WorkerEnd{
			ID: w.ID, GoneAt: w.Exit.At,
			Rung: w.EndedOn, Reported: w.Reported, BeforeStop: w.Lost, Ending: w.ending(),
		}
		if w.Reported {
			end.LastStart, end.LastEnd = w.LastStart, w.LastEnd
		}
		known = known && (w.Reported || w.neverLaunched() || w.Life == Gone && !w.Exit.At.After(r.StopAt))
		c.Workers = append(c.Workers, end)
		if w.Life == Orphan {
			c.Orphans = append(c.Orphans, w.ID)
		}
		if !w.endedClean() {
			c.Clean = false
		}
		lastStart, lastEnd = later(lastStart, w.LastStart), later(lastEnd, w.LastEnd)
	}
	if r.StopAt.IsZero() {
		return c
	}
	c.Stages.WorkersGone = since(r.StopAt, r.GoneAt)
	if known {
		c.Stages.LastNewOperation, c.Stages.LastInFlight = since(r.StopAt, lastStart), since(r.StopAt, lastEnd)
	}
	return c
}

func (w WorkerRecord) endedClean() bool {
	return w.neverLaunched() || w.Life == Gone && w.Reported && w.EndedOn <= Drain && !w.Lost
}

// neverLaunched says that there was nothing to end.
func (w WorkerRecord) neverLaunched() bool {
	return w.Life == Planned || w.Life == Gone && w.Handle.Zero() && w.State == ""
}

func (w WorkerRecord) ending() string {
	switch {
	case w.neverLaunched():
		return "never launched"
	case w.Life.Alive():
		return "still alive"
	case w.Life == Orphan:
		return "orphaned: nothing that we did ended it"
	case w.Reported && w.Exit.Code == 0 && w.EndedOn <= Drain:
		return "drained, reported and exited"
	case w.Reported:
		return "reported, then " + w.Exit.Cause
	default:
		return w.Exit.Cause + ", without a final report"
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// since is the time from a to b, at least 0; nil if b is unknown.
func since(a, b time.Time) *Duration {
	if b.IsZero() {
		return nil
	}
	d := Duration(max(0, b.Sub(a)))
	return &d
}
