package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// StopDocument is the stop certificate. Its stages count from the request.
type StopDocument struct {
	Reason      core.Reason   `json:"reason"`
	RequestedBy string        `json:"requested_by,omitempty"`
	RequestedAt *time.Time    `json:"requested_at"`
	HighestRung string        `json:"highest_rung"`
	Clean       bool          `json:"clean"` // every worker reported and ended by itself, and the target runs nothing any more
	Stages      StageDocument `json:"stages"`
	// TargetRunning is how many operations of the run still ran on the target;
	// null when it is not known, and then TargetUnknown says why.
	TargetRunning *int                `json:"target_running"`
	TargetUnknown string              `json:"target_unknown,omitempty"`
	Orphans       []string            `json:"orphans"`
	Workers       []WorkerEndDocument `json:"workers"`
}

// StageDocument is how long after the request things happened; null where it is
// not known.
type StageDocument struct {
	LastNewOperation *float64 `json:"last_new_operation_ms"`
	LastInFlight     *float64 `json:"last_in_flight_ms"`
	WorkersGone      *float64 `json:"workers_gone_ms"`
}

// WorkerEndDocument is how one worker ended.
type WorkerEndDocument struct {
	WorkerID         string     `json:"worker_id"`
	LastNewOperation *time.Time `json:"last_new_operation"`
	LastInFlight     *time.Time `json:"last_in_flight"`
	GoneAt           *time.Time `json:"gone_at"`
	Rung             string     `json:"rung"` // on which it was gone
	FinalReport      bool       `json:"final_report"`
	BeforeStop       bool       `json:"before_stop"` // it was lost while it was needed
	Ending           string     `json:"ending"`
}

func stopDocument(c *core.Certificate) *StopDocument {
	if c == nil {
		return nil
	}
	stage := func(d *core.Duration) *float64 {
		if d == nil {
			return nil
		}
		ms := milliseconds(d.Std())
		return &ms
	}
	d := &StopDocument{
		Reason: c.Reason, RequestedBy: c.RequestedBy, RequestedAt: utc(c.RequestedAt),
		HighestRung: c.HighestRung.String(), Clean: c.Clean, TargetUnknown: c.Target.Why,
		Stages: StageDocument{
			LastNewOperation: stage(c.Stages.LastNewOperation), LastInFlight: stage(c.Stages.LastInFlight),
			WorkersGone: stage(c.Stages.WorkersGone),
		},
		Orphans: append([]string{}, c.Orphans...), Workers: []WorkerEndDocument{},
	}
	if c.Target.Known {
		count := c.Target.Count
		d.TargetRunning, d.TargetUnknown = &count, ""
	}
	for _, w := range c.Workers {
		d.Workers = append(d.Workers, WorkerEndDocument{
			WorkerID: w.ID, LastNewOperation: utc(w.LastStart), LastInFlight: utc(w.LastEnd), GoneAt: utc(w.GoneAt),
			Rung: w.Rung.String(), FinalReport: w.Reported, BeforeStop: w.BeforeStop, Ending: w.Ending,
		})
	}
	return d
}

// stop writes the stop certificate in a few lines.
func (p *page) stop(c *core.Certificate) {
	if c == nil {
		return
	}
	text := "asked " + clock(c.RequestedAt)
	if c.RequestedBy != "" {
		text += " by " + Clean(c.RequestedBy)
	}
	text += ", up to " + c.HighestRung.String() + ", "
	if c.Clean {
		text += p.paint(good, "clean")
	} else {
		text += p.paint(doubtful, "not clean")
	}
	p.prose("stop     ", text)
	p.prose("         ", fmt.Sprintf("last new operation %s, last in flight %s, all workers gone %s",
		stageText(c.Stages.LastNewOperation), stageText(c.Stages.LastInFlight), stageText(c.Stages.WorkersGone)))
	switch {
	case !c.Target.Known:
		p.prose("         ", "still running on the target: unknown: "+orDash(Clean(c.Target.Why)))
	case c.Target.Count > 0:
		p.prose("         ", p.paint(bad, "still running on the target: "+plural(c.Target.Count, "operation")))
	default:
		p.prose("         ", "still running on the target: 0")
	}
	if len(c.Orphans) > 0 {
		p.prose("         ", p.paint(bad, "ORPHANS")+" that may be alive: "+Clean(strings.Join(c.Orphans, ", ")))
	}
}

func stageText(d *core.Duration) string {
	if d == nil {
		return "unknown"
	}
	return "+" + Latency(d.Std())
}
