package report

import (
	"fmt"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// SearchDocument is what a search for the most load has found. Loads are connections
// over all workers, or operations per second.
type SearchDocument struct {
	Mode       string  `json:"mode"`
	Kind       string  `json:"kind"` // TRUE_MAX or BOUNDED_MAX
	Bound      string  `json:"bound,omitempty"`
	Load       float64 `json:"load"` // the most that was borne; 0: none
	Missed     float64 `json:"missed_load,omitempty"`
	Why        string  `json:"missed_why,omitempty"`
	Resolution float64 `json:"resolution_percent"`
	Sentence   string  `json:"sentence"`
	// At that load: of all its windows, with the half width of the 95 % confidence
	// interval of the throughput; 0: unknown.
	Throughput   float64        `json:"ops_per_second"`
	PlusMinus    float64        `json:"ops_per_second_plus_minus"`
	P50          float64        `json:"p50_ms"`
	P95          float64        `json:"p95_ms"`
	P99          float64        `json:"p99_ms"`
	ErrorPercent float64        `json:"error_percent"`
	WindowsBorne int            `json:"windows_borne"`
	Windows      int            `json:"windows"`
	Steps        []StepDocument `json:"steps"`
}

// StepDocument is one step of a search.
type StepDocument struct {
	Number      int        `json:"step_number"`
	Direction   string     `json:"direction"`
	Connections int        `json:"connections"`
	Rate        *float64   `json:"target_ops_per_second,omitempty"`
	Start       *time.Time `json:"start_time"`
	End         *time.Time `json:"end_time"`
	Operations  int64      `json:"ok"`
	Errors      int64      `json:"errors"`
	Throughput  float64    `json:"ops_per_second"`
	P50         float64    `json:"p50_ms"`
	P95         float64    `json:"p95_ms"`
	P99         float64    `json:"p99_ms"`
	Queue       bool       `json:"queue_detected"`
	Outcome     string     `json:"outcome"`
	StopReason  string     `json:"stop_reason,omitempty"`
}

func inMilliseconds(d time.Duration) float64 { return float64(d) / 1e6 }

func searchDocument(s *core.SearchResult) *SearchDocument {
	if s == nil {
		return nil
	}
	d := &SearchDocument{
		Mode: s.Mode, Kind: string(s.Kind), Bound: s.Bound, Load: s.Load, Missed: s.Missed, Why: s.Why, Resolution: s.Resolution, Sentence: s.Sentence,
		Throughput: s.Throughput, PlusMinus: s.PlusMinus, P50: inMilliseconds(s.P50), P95: inMilliseconds(s.P95), P99: inMilliseconds(s.P99),
		ErrorPercent: 100 * s.Errors, WindowsBorne: s.Borne, Windows: s.Windows, Steps: []StepDocument{},
	}
	for i := range s.Steps {
		c := &s.Steps[i]
		d.Steps = append(d.Steps, StepDocument{
			Number: c.Number, Direction: c.Direction, Connections: c.ToConnections, Rate: c.TargetQPS, Start: utc(c.Start), End: utc(c.End),
			Operations: c.Operations, Errors: c.Errors, Throughput: c.QPS, P50: inMilliseconds(c.P50), P95: inMilliseconds(c.P95), P99: inMilliseconds(c.P99),
			Queue: c.QueueDetected, Outcome: c.Outcome, StopReason: c.StopReason,
		})
	}
	return d
}

// searchTone is how far the answer of a search goes.
func searchTone(s *core.SearchResult) tone {
	if s.Kind == core.TrueMax {
		return good
	}
	return doubtful
}

// notOfTheAnswer labels the numbers of a whole measurement that was a search.
const notOfTheAnswer = "What follows is of the whole measurement: every step of the search, those beyond the limit and the changes between them too."

// searchSteps is the table of the steps of a search.
func searchSteps(s *core.SearchResult) table {
	t := table{head: []string{"step", "direction", "load", "op/s", "against prior", "p50", "p95", "p99", "errors", "outcome"}, right: "rlrrrrrrrl", minimum: 8}
	for i := range s.Steps {
		c := &s.Steps[i]
		load := plural(c.ToConnections, "connection")
		if c.TargetQPS != nil {
			load = Rate(*c.TargetQPS) + "/s"
		}
		prior := "-"
		if c.QPSVsPrior != nil {
			prior = fmt.Sprintf("%+.1f%%", 100**c.QPSVsPrior)
		}
		outcome, tint := Clean(c.Outcome), good
		if c.Outcome != string(core.StepBorne) {
			tint = bad
		} else if c.QueueDetected {
			outcome, tint = outcome+", queues", doubtful
		}
		rate, p50, p95, p99 := Rate(c.QPS), Latency(c.P50), Latency(c.P95), Latency(c.P99)
		if c.Operations == 0 && c.Errors == 0 { // the run ended before its first window did
			rate, p50, p95, p99 = "-", "-", "-", "-"
		}
		t.add(Count(c.Number), Clean(c.Direction), load, rate, prior, p50, p95, p99, Count(c.Errors), outcome)
		t.tint(9, tint)
	}
	return t
}

// searchBlocks are a search as documents have it.
func searchBlocks(s *core.SearchResult) []block {
	if s == nil {
		return nil
	}
	return []block{prose(searchTone(s), Clean(s.Sentence)), tableBlock(searchSteps(s)), prose(faint, notOfTheAnswer)}
}

// search writes it as text.
func (p *page) search(s *core.SearchResult) {
	if s == nil {
		return
	}
	p.print("\n")
	p.prose("", p.paint(searchTone(s), Clean(s.Sentence)))
	p.part(searchSteps(s))
	p.print("\n")
	p.prose("", notOfTheAnswer)
}
