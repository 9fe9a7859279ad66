package client

import (
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// Interval is what all workers of a run, or one of them, measured in one interval.
// Latencies are in milliseconds, as a client of the target sees them; 0 where
// nothing succeeded.
type Interval struct {
	WorkerID    string     `json:"worker_id,omitempty" doc:"Empty: all workers together"`
	Phase       core.Phase `json:"phase"`
	Elapsed     float64    `json:"elapsed_seconds" doc:"Its end, since the load began"`
	Seconds     float64    `json:"seconds" doc:"Its length"`
	Start       *time.Time `json:"start,omitempty"`
	Throughput  float64    `json:"ops_per_second" doc:"Operations that succeeded"`
	OK          uint64     `json:"ok"`
	Errors      uint64     `json:"errors"`
	Aborted     uint64     `json:"aborted,omitempty"`
	Latency     Latency    `json:"latency"`
	Connections int        `json:"connections"`
	Target      int        `json:"target_connections"`
	CPU         float64    `json:"cpu_percent"`
	Memory      float64    `json:"memory_percent"`
	Healthy     int        `json:"workers_healthy,omitempty"`
	Stale       int        `json:"workers_stale,omitempty"`
	Lost        int        `json:"workers_lost,omitempty"`
	Coarse      bool       `json:"coarse,omitempty" doc:"It stands for several that could not be reported"`
	// Kinds are the same for each kind of operation; in a frame for the four that had
	// most operations, at most.
	Kinds []IntervalKind `json:"kinds"`
	// Classes are the errors by class.
	Classes []ErrorClass `json:"error_classes,omitempty"`
}

// IntervalKind is one kind of operation in an interval.
type IntervalKind struct {
	Kind       string  `json:"kind"`
	Throughput float64 `json:"ops_per_second"`
	OK         uint64  `json:"ok"`
	Errors     uint64  `json:"errors"`
	Latency    Latency `json:"latency"`
}

// Latency is a distribution, in milliseconds.
type Latency struct {
	Avg  float64 `json:"avg_ms,omitempty"`
	P50  float64 `json:"p50_ms"`
	P90  float64 `json:"p90_ms,omitempty"`
	P95  float64 `json:"p95_ms"`
	P99  float64 `json:"p99_ms"`
	P999 float64 `json:"p999_ms,omitempty"`
	Max  float64 `json:"max_ms,omitempty"`
}

// ErrorClass is how often errors of one class happened.
type ErrorClass struct {
	Class   string `json:"class"`
	Count   uint64 `json:"count"`
	Example string `json:"example,omitempty"`
}

// Worker is one worker at one moment.
type Worker struct {
	ID          string           `json:"worker_id"`
	Life        string           `json:"life,omitempty" doc:"As its run sees it: PLANNED, LAUNCHING, LAUNCHED, READY, GONE, ORPHAN; left out of frames while it is READY"`
	State       core.WorkerState `json:"state,omitempty" doc:"As it says itself"`
	Health      core.Health      `json:"health,omitempty" doc:"By the age of its newest beat: HEALTHY, STALE, LOST; absent before the first, and after its end"`
	Age         float64          `json:"beat_age_seconds,omitempty"`
	Connections int              `json:"connections"`
	Target      int              `json:"target_connections,omitempty" doc:"Left out of frames where it has as many as it should"`
	Throughput  float64          `json:"ops_per_second" doc:"In its newest interval"`
	P95         float64          `json:"p95_ms,omitempty" doc:"In its newest interval"`
	CPU         float64          `json:"cpu_percent"`
	Memory      float64          `json:"memory_percent,omitempty" doc:"Left out of frames"`
	Errors      uint64           `json:"errors,omitempty" doc:"So far; absent: none"`
	LastError   string           `json:"last_error,omitempty" doc:"In frames cut to 160 bytes, and left out once a frame has told it"`
	Ending      string           `json:"ending,omitempty" doc:"How it ended, in words; in frames as last_error, and in its place"`
}

// LogLine is one stored line of a log.
type LogLine struct {
	WorkerID string    `json:"worker_id,omitempty" doc:"Empty: the orchestrator"`
	Sequence int64     `json:"seq"`
	Time     time.Time `json:"timestamp"`
	Level    string    `json:"level"`
	Message  string    `json:"message"`
}

// Measured is what all workers together have measured so far.
type Measured struct {
	OK      uint64  `json:"ok"`
	Errors  uint64  `json:"errors"`
	Aborted uint64  `json:"aborted,omitempty"`
	Latency Latency `json:"latency"`
}

// Step is one step of an orchestrator that sets the load by what it sees. Latencies
// are in milliseconds; what could not be told is absent.
type Step struct {
	Type            string     `json:"step_type" doc:"FIND_MAX or QPS_SCALING"`
	Number          int        `json:"step_number" doc:"Within its type, from 1"`
	Workers         int        `json:"target_workers"`
	FromConnections int        `json:"from_connections"`
	ToConnections   int        `json:"to_connections" doc:"Over all workers"`
	Direction       string     `json:"direction,omitempty"`
	Start           *time.Time `json:"start_time"`
	End             *time.Time `json:"end_time"`
	Operations      int64      `json:"operations"`
	Throughput      float64    `json:"ops_per_second"`
	Target          *float64   `json:"target_ops_per_second,omitempty"`
	P50             float64    `json:"p50_ms"`
	P95             float64    `json:"p95_ms"`
	P99             float64    `json:"p99_ms"`
	Errors          int64      `json:"errors"`
	VsPrior         *float64   `json:"ops_vs_prior,omitempty" doc:"Share: 0.1 is a tenth more than in the step before"`
	VsBaseline      *float64   `json:"p95_vs_baseline,omitempty" doc:"Share: 0.1 is a tenth more than at the beginning"`
	OffTarget       *float64   `json:"off_target_percent,omitempty"`
	QueueDetected   bool       `json:"queue_detected,omitempty"`
	Outcome         string     `json:"outcome,omitempty"`
	StopReason      string     `json:"stop_reason,omitempty" doc:"Of the last step"`
}

// Frame is one message of the live stream of a run: where it stands now, and what
// is new since the frame before. Intervals replace those of the same phase and
// elapsed time. It is small, since there may be many viewers: of the kinds of an
// interval it holds p50, p95 and p99 only, and of a worker what is not as usual.
type Frame struct {
	// ID is where the stream goes on after this frame.
	ID      string   `json:"-"`
	Run     RunState `json:"run"`
	Workers []Worker `json:"workers"`

	Measured  *Measured           `json:"measured,omitempty" doc:"In MEASUREMENT so far; absent before it"`
	Intervals []Interval          `json:"intervals,omitempty" doc:"New or corrected"`
	Events    []core.ControlEvent `json:"events,omitempty" doc:"New control events"`
	Logs      []LogLine           `json:"logs,omitempty" doc:"New lines of the log"`
	Steps     []Step              `json:"steps,omitempty" doc:"Of a search, new ones; one replaces that of the same type and number"`
	Findings  []core.Finding      `json:"findings,omitempty" doc:"Of preflight, when they have changed"`
	// Reset says that something between the frame before and this one is left out:
	// what is shown of the past has to be read anew.
	Reset bool `json:"reset,omitempty"`
	// End says that the run has ended and no frame follows.
	End bool `json:"end,omitempty"`
}

// RunState is what changes of a run while it goes on. Times are the store's.
type RunState struct {
	ID         string      `json:"run_id"`
	Status     core.Status `json:"status"`
	Phase      core.Phase  `json:"phase,omitempty"`
	PhaseAt    *time.Time  `json:"phase_at,omitempty"`
	Reason     core.Reason `json:"reason,omitempty"`
	Detail     string      `json:"detail,omitempty"`
	Rung       string      `json:"rung,omitempty"`
	StopBy     string      `json:"stop_by,omitempty"`
	StopAt     *time.Time  `json:"stop_at,omitempty"`
	CheckAt    *time.Time  `json:"check_at,omitempty"`
	CheckedAt  *time.Time  `json:"checked_at,omitempty"`
	StartedAt  *time.Time  `json:"started_at,omitempty"`
	LoadFrom   *time.Time  `json:"load_from,omitempty"`
	LoadUntil  *time.Time  `json:"load_until,omitempty"`
	Deadline   *time.Time  `json:"deadline,omitempty"`
	EndedAt    *time.Time  `json:"ended_at,omitempty"`
	Now        time.Time   `json:"now"`
	Owner      string      `json:"owner,omitempty"`
	OwnerAlive bool        `json:"owner_alive"`
	// Stage is what the run does now: a phase, a rung of the STOP ladder, or its
	// status; with when it began and when it ends, by itself or at the latest.
	Stage           string     `json:"stage"`
	StageFrom       *time.Time `json:"stage_from,omitempty"`
	StageUntil      *time.Time `json:"stage_until,omitempty"`
	StageByDeadline bool       `json:"stage_by_deadline,omitempty"`
	Search          string     `json:"search,omitempty" doc:"Where the search stands, in words, while one goes on"`
}
