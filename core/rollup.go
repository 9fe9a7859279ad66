package core

import "time"

// Rollup is the result of a run or of one of its workers: one row of
// TEST_RESULTS. The parent's WorkerID is empty.
type Rollup struct {
	RunID        string        `json:"run_id"`
	WorkerID     string        `json:"worker_id,omitempty"`
	Name         string        `json:"test_name"`
	TemplateID   string        `json:"template_id,omitempty"`
	Status       Status        `json:"status"`
	Reason       Reason        `json:"reason,omitempty"`
	Detail       string        `json:"detail,omitempty"`
	Start        time.Time     `json:"start_time,omitzero"`
	End          time.Time     `json:"end_time,omitzero"`
	Seconds      float64       `json:"measured_seconds"`
	Connections  int           `json:"concurrent_connections"`
	Throughput   float64       `json:"qps"` // completions per second inside the window
	Kinds        []KindMetrics `json:"kinds"`
	Warmup       Counts        `json:"warmup"`
	Ledger       Ledger        `json:"ledger"`
	Hash         uint64        `json:"operation_hash,string"`
	Verdict      Verdict       `json:"verdict"`
	SLOs         []SLOResult   `json:"slos,omitempty"`
	Budget       *BudgetUse    `json:"budget,omitempty"`           // of the parent
	Search       *SearchResult `json:"search,omitempty"`           // of the parent
	Certificate  *Certificate  `json:"stop_certificate,omitempty"` // of the parent
	Scenario     *Scenario     `json:"scenario,omitempty"`         // of the parent
	Environment  []Fact        `json:"environment,omitempty"`      // of the parent: target version, builds, hosts
	Coverage     float64       `json:"coverage"`                   // share of the window in which the worker made load
	CPUSeconds   float64       `json:"cpu_seconds"`
	WorkerEnding string        `json:"worker_ending,omitempty"` // of a child, in words
	Overhead     *Overhead     `json:"overhead,omitempty"`      // nil: there was no null lane
	Strain       *Strain       `json:"strain,omitempty"`        // nil: unknown; of the parent: of all processes together
}

// Fact is one named thing that was found out about the environment of a run.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Ledger balances what was scheduled against what became of it, over all
// phases.
type Ledger struct {
	Counts
	Balanced bool   `json:"balanced"`
	Problem  string `json:"problem,omitempty"`
}

// VerdictLevel says whether the numbers may be trusted.
type VerdictLevel string

// The levels, from best to worst.
const (
	Valid      VerdictLevel = "VALID"
	Degraded   VerdictLevel = "DEGRADED"
	InvalidRun VerdictLevel = "INVALID"
)

// Verdict is separate from the status: a COMPLETED run may be INVALID.
type Verdict struct {
	Level   VerdictLevel `json:"level"`
	Reasons []string     `json:"reasons,omitempty"`
	Causes  []Cause      `json:"causes,omitempty"` // one of each reason, in its place
}

// SLO is one objective, as parsed from "POINT_LOOKUP p99 < 20ms".
type SLO struct {
	Text   string  `json:"text"`
	Kind   string  `json:"kind,omitempty"` // empty: in total
	Metric string  `json:"metric"`         // p50 p90 p95 p99 p999 max avg error_rate throughput
	Less   bool    `json:"less"`           // < rather than >
	Bound  float64 `json:"bound"`          // seconds, a fraction, or operations per second
	// Abort ends the run once the objective has been missed for a time For without
	// a break, interval by interval. Without Abort it is met if that never happens.
	Abort bool     `json:"abort,omitempty"`
	For   Duration `json:"for,omitempty"`
}

// SLOResult is an objective and what was measured.
type SLOResult struct {
	SLO
	Measured float64 `json:"measured"` // in the unit of Bound
	Met      bool    `json:"met"`
	// Unknown: of a search, which nothing that it is about occurred in.
	Unknown bool `json:"unknown,omitempty"`
	// Mostly: of a search, met in most windows at the load that was found, which is what
	// counts, but not in all of them together.
	Mostly bool `json:"mostly,omitempty"`
	// MissedFor is the longest time without a break in which it was missed, of one that is
	// about that.
	MissedFor Duration `json:"missed_for,omitempty"`
}
