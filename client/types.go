package client

import (
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// Template is a stored template.
type Template struct {
	ID        string        `json:"template_id"`
	Name      string        `json:"template_name"`
	Version   int           `json:"version"`
	Used      int64         `json:"usage_count" doc:"Runs whose load has begun"`
	Locked    bool          `json:"locked" doc:"It was used, so it cannot be changed any more: copy it"`
	LastUsed  *time.Time    `json:"last_used_at"`
	CreatedAt time.Time     `json:"created_at"`
	UpdatedAt time.Time     `json:"updated_at"`
	Config    core.Template `json:"config"`
}

// NewRun is what a run is made from.
type NewRun struct {
	Template string `json:"template" minLength:"1" maxLength:"200" doc:"Name or id of a stored template"`
	Launcher string `json:"launcher,omitempty" maxLength:"100" doc:"Where workers run; default: the first that the controller offers"`
	// Set changes fields of the template for this run only.
	Set   []string `json:"set,omitempty" maxItems:"100" doc:"KEY=VALUE changes one field of the template for this run, like load.workers=5"`
	Start bool     `json:"start,omitempty" doc:"Start it at once"`
}

// StopRun is a request to stop a run.
type StopRun struct {
	Reason string `json:"reason,omitempty" maxLength:"1000" doc:"Why, in words; stored with the run"`
	Kill   bool   `json:"kill,omitempty" doc:"Go straight to killing the workers"`
}

// RunSummary is one run in a list.
type RunSummary struct {
	ID         string      `json:"run_id"`
	Name       string      `json:"test_name"`
	Status     core.Status `json:"status"`
	Phase      core.Phase  `json:"phase,omitempty"`
	Reason     core.Reason `json:"reason,omitempty"`
	Detail     string      `json:"detail,omitempty"`
	Launcher   string      `json:"launcher"`
	Workers    int         `json:"workers"`
	Owner      string      `json:"owner,omitempty"`
	OwnerAlive bool        `json:"owner_alive" doc:"Its orchestrator lives: its lease lasts by the store's clock"`
	CreatedAt  time.Time   `json:"created_at"`
	StartedAt  *time.Time  `json:"started_at" doc:"When the start was requested"`
	EndedAt    *time.Time  `json:"ended_at"`
	Operations int64       `json:"operations"`
	Errors     int64       `json:"errors"`
	Throughput float64     `json:"ops_per_second"`
}

// Run is where a run stands. Times are the store's, in UTC.
type Run struct {
	ID         string      `json:"run_id"`
	Name       string      `json:"test_name"`
	TemplateID string      `json:"template_id,omitempty"`
	Launcher   string      `json:"launcher"`
	Status     core.Status `json:"status"`
	Phase      core.Phase  `json:"phase,omitempty"`
	PhaseAt    *time.Time  `json:"phase_at" doc:"When the phase takes effect"`
	Reason     core.Reason `json:"reason,omitempty"`
	Detail     string      `json:"detail,omitempty"`
	Version    int64       `json:"version"`

	Workers     int `json:"workers"`
	Connections int `json:"connections" doc:"Over all workers"`

	CreatedAt time.Time  `json:"created_at"`
	UpdatedAt time.Time  `json:"updated_at"`
	StartedAt *time.Time `json:"started_at" doc:"When the start was requested"`
	LoadFrom  *time.Time `json:"load_from" doc:"When the load begins"`
	LoadUntil *time.Time `json:"load_until" doc:"When the load ends by itself"`
	Deadline  *time.Time `json:"deadline" doc:"When the present stage ends by itself"`
	EndedAt   *time.Time `json:"ended_at"`
	Now       time.Time  `json:"now" doc:"The store's clock when this was read"`

	StopBy string     `json:"stop_by,omitempty"`
	StopAt *time.Time `json:"stop_at"`
	Rung   string     `json:"rung" doc:"Of the STOP ladder"`

	Owner      string     `json:"owner,omitempty"`
	OwnerEpoch int        `json:"owner_epoch"`
	OwnerAlive bool       `json:"owner_alive" doc:"Its orchestrator lives: its lease lasts by the store's clock"`
	OwnerUntil *time.Time `json:"owner_lease_until"`

	Sequence int64 `json:"sequence" doc:"Of its last control event"`
	// CheckAt is set from when checks alone were asked for until they are made.
	CheckAt   *time.Time     `json:"check_at" doc:"When checks alone were asked for, until they are made"`
	CheckedAt *time.Time     `json:"checked_at" doc:"When the findings were made"`
	Findings  []core.Finding `json:"findings" doc:"Of its preflight checks"`
}

// List is one page of a list.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty" doc:"Where the next page begins; absent on the last"`
}

// Health is what a controller says of itself.
type Health struct {
	Role    string    `json:"role"`
	Live    bool      `json:"live" doc:"It answers"`
	Ready   bool      `json:"ready" doc:"It can read its store"`
	Reasons []string  `json:"reasons" doc:"Why it is not ready"`
	Since   time.Time `json:"since"`
	Version string    `json:"version" doc:"Of the binary"`
}

// Rollup is the stored result of a run: its numbers with their histograms, and
// those of each worker.
type Rollup struct {
	Run     core.Rollup   `json:"run"`
	Workers []core.Rollup `json:"workers"`
}

// Version is what a controller is.
type Version struct {
	Version   string   `json:"version" doc:"Of the binary"`
	GoVersion string   `json:"go_version,omitempty"`
	Store     string   `json:"store" doc:"Where it keeps state and results, without a secret"`
	Launchers []string `json:"launchers" doc:"That runs may ask for; the first is the default"`
}

// Validation is what is wrong with a template.
type Validation struct {
	Valid    bool           `json:"valid"`
	Name     string         `json:"template_name,omitempty"`
	Problems []ProblemField `json:"problems"`
}

// CopyTemplate names a copy.
type CopyTemplate struct {
	Name string `json:"template_name" minLength:"1" maxLength:"100"`
}
