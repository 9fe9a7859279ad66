package core

import "time"

// The kinds of steps that an orchestrator takes on its own.
const (
	StepFindMax    = "FIND_MAX"    // of a search for the most that the target bears
	StepQPSScaling = "QPS_SCALING" // of the pursuit of a rate
)

// ControllerStep is one step of an orchestrator that sets the load of a run by what
// it sees: which load it was, what was measured under it, and what followed from
// that. Rates are in operations per second. What could not be told is nil.
type ControllerStep struct {
	RunID           string        `json:"run_id"`
	Type            string        `json:"step_type"`
	Number          int           `json:"step_number"` // within its run and type, from 1
	Workers         int           `json:"target_workers"`
	FromConnections int           `json:"from_connections"`
	ToConnections   int           `json:"to_connections"` // over all workers
	Direction       string        `json:"direction,omitempty"`
	Start           time.Time     `json:"start_time"`
	End             time.Time     `json:"end_time,omitzero"`
	Operations      int64         `json:"total_operations"`
	QPS             float64       `json:"qps"`
	TargetQPS       *float64      `json:"target_qps,omitempty"`
	P50             time.Duration `json:"p50_ns"`
	P95             time.Duration `json:"p95_ns"`
	P99             time.Duration `json:"p99_ns"`
	Errors          int64         `json:"errors"`
	QPSVsPrior      *float64      `json:"qps_vs_prior,omitempty"`    // share: 0.1 is a tenth more
	P95VsBaseline   *float64      `json:"p95_vs_baseline,omitempty"` // the same
	QueueDetected   bool          `json:"queue_detected"`
	QPSErrorPercent *float64      `json:"qps_error_pct,omitempty"` // off TargetQPS
	Outcome         string        `json:"outcome,omitempty"`
	StopReason      string        `json:"stop_reason,omitempty"` // of the last step
}
