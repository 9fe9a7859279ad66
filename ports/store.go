package ports

import (
	"context"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// RunRecord is a run as it is stored. The version belongs to the store.
type RunRecord struct {
	Run      core.Run
	Scenario core.Scenario
	Version  int64
	// Home is where the run is driven, as it was when the run was created.
	Home
	CreatedAt time.Time
	UpdatedAt time.Time
	Now       time.Time // the store's clock when the record was read
}

// Home is where a run is driven, for those who have to be at the same place.
type Home struct {
	// Host is the host that handles of a host-bound launcher belong to; empty
	// otherwise.
	Host string
	// Gateway is the address (host:port) at which the run's owner serves the
	// store to its workers, and at which a successor has to serve it; empty
	// where workers reach the store themselves.
	Gateway string
}

// RunSummary is what lists of runs show.
type RunSummary struct {
	ID         string      `json:"run_id"`
	Name       string      `json:"name"`
	Status     core.Status `json:"status"`
	Phase      core.Phase  `json:"phase"`
	Reason     core.Reason `json:"reason,omitempty"`
	Detail     string      `json:"detail,omitempty"`
	Launcher   string      `json:"launcher"`
	Workers    int         `json:"workers"`
	Owner      string      `json:"owner,omitempty"`
	OwnerAlive bool        `json:"owner_alive"` // its lease lasts, by the store's clock
	CreatedAt  time.Time   `json:"created_at"`
	StartedAt  time.Time   `json:"started_at,omitzero"`
	CheckAt    time.Time   `json:"check_at,omitzero"` // checks alone were asked for, and are not made yet
	EndedAt    time.Time   `json:"ended_at,omitzero"`
	TotalOps   int64       `json:"total_operations"`
	Errors     int64       `json:"errors"`
	QPS        float64     `json:"qps"`
}

// RunFilter narrows a list. Zero fields do not.
type RunFilter struct {
	Status []core.Status
	Limit  int    // default 100, at most 1000
	Before string // run id after which, newest first, the page begins

	Search   string // in id or name, in whatever case of ASCII letters
	Launcher string
	Template string // its id
}

// Progress is what the owner has added up in this tick; it is shown, not
// computed with.
type Progress struct {
	// Final says that these are the result's numbers: they are shown even where
	// they are zero.
	Final bool

	TotalOps int64
	Errors   int64
	QPS      float64
}

// RunStore keeps runs and their control events. There is no way to change a
// run but Commit.
type RunStore interface {
	// Create stores a new run, PREPARED, version 1, and reserves its key range:
	// the record's Scenario.InsertBase is set so that the ranges of all runs of
	// the store are disjoint. A run that is refused later keeps its range: ranges
	// are many, and this one is frozen in the stored scenario. It returns the
	// record as stored.
	// Idempotency: none; a second Create of the same id is Conflict.
	Create(ctx context.Context, run core.Run, scenario core.Scenario, home Home) (RunRecord, error)

	// Load reads one run: always the newest committed state. Errors: NotFound.
	Load(ctx context.Context, runID string) (RunRecord, error)

	// List returns runs, newest first.
	List(ctx context.Context, filter RunFilter) ([]RunSummary, error)

	// Commit replaces a run and appends its control events, all or nothing:
	// the version is compared with expected and raised by one, each event is
	// inserted under the unique key (run, sequence). Exactly one of two racing
	// writers wins. It returns the new version. A zero progress leaves what was
	// shown before, so that a stop request need not know it.
	// Errors: Conflict for the loser, who reloads and folds again; NotFound.
	// After an Unavailable or a context's end it is unknown whether the commit
	// happened: reload.
	Commit(ctx context.Context, expected int64, next core.Run, events []core.ControlEvent, progress Progress) (int64, error)

	// Events returns the control events of a run with a sequence greater than
	// after, in order, at most 1000.
	Events(ctx context.Context, runID string, after int64) ([]core.ControlEvent, error)

	// Delete removes a run and everything stored under it. Errors: Refused for a
	// run that is not terminal; NotFound.
	Delete(ctx context.Context, runID string) error
}

// WorkerStore is how workers and orchestrator meet.
type WorkerStore interface {
	// Beat stores the newest beats of workers in place of those before and stamps
	// them with the store's clock: all or none.
	// Idempotency: the last one wins, save that a beat of an older epoch, or of
	// the same epoch with a smaller Count, is dropped without error.
	// Errors: NotFound for an unknown run.
	Beat(ctx context.Context, beats ...core.Beat) error

	// Control is one cheap read of the level state that a worker obeys.
	// Errors: NotFound for an unknown run or worker.
	Control(ctx context.Context, runID, workerID string) (core.Control, error)

	// Beats returns the newest beat of every worker of a run, by worker index,
	// and the store's own now. Beats whose Count is at most the one known to the
	// caller carry no Report, since they say nothing new.
	Beats(ctx context.Context, runID string, known map[string]int64) (beats []core.Beat, now time.Time, err error)
}

// WorkerInterval is one interval of one worker, as it is stored.
type WorkerInterval struct {
	RunID    string        `json:"run_id"`
	WorkerID string        `json:"worker_id"`
	GroupID  int           `json:"worker_group_id"`
	Interval core.Interval `json:"interval"`
}

// RunInterval is the merge of all workers' intervals that end at the same
// offset and belong to the same phase.
type RunInterval struct {
	RunID       string             `json:"run_id"`
	Phase       core.Phase         `json:"phase"`
	Offset      float64            `json:"elapsed_seconds"` // interval's end since the run's origin
	Start       time.Time          `json:"start"`
	Seconds     float64            `json:"seconds"`
	Kinds       []core.KindMetrics `json:"kinds"`
	Connections int                `json:"connections"`
	Target      int                `json:"target"`
	CPU         float64            `json:"cpu"`
	Memory      float64            `json:"memory"`
	Healthy     int                `json:"workers_healthy"`
	Stale       int                `json:"workers_stale"`
	Lost        int                `json:"workers_lost"`

	// For decisions while the run goes on, not stored: how many of the connections that were
	// asked for were not open; what the busiest worker used of its CPU, and what all of them
	// used of a host that they share (0: they do not), in percent.
	Missing    int     `json:"-"`
	BusiestCPU float64 `json:"-"`
	HostCPU    float64 `json:"-"`
}

// Tail reports whether an interval of the measurement, which has an end, is of operations
// that outlasted it: a few, and no picture of it.
func (i *RunInterval) Tail(end time.Time) bool {
	return !end.IsZero() && i.Start.Add(time.Duration(i.Seconds/2*float64(time.Second))).After(end)
}

// ResultStore keeps what was measured.
type ResultStore interface {
	// AppendSnapshots stores intervals of workers and rewrites the aggregate
	// rows, in one batch. Only the owner of a run calls it.
	// Idempotency: a worker interval is keyed by (run, worker, sequence), and the
	// first one stored stays; an aggregate by (run, phase, offset), and the last
	// one stays.
	AppendSnapshots(ctx context.Context, workers []WorkerInterval, aggregates []RunInterval) error

	// AppendExecutions stores sampled operations. Idempotency: by execution id.
	AppendExecutions(ctx context.Context, executions []core.Execution) error

	// AppendSteps stores steps of the orchestrator. Only the owner of a run calls it.
	// Idempotency: by (run, type, number); the first one stays. Errors: NotFound for
	// an unknown run.
	AppendSteps(ctx context.Context, steps []core.ControllerStep) error

	// Steps returns the steps of a run, one type after another, by number, at most
	// 1000.
	Steps(ctx context.Context, runID string) ([]core.ControllerStep, error)

	// PutRollup stores the parent and child rows of a run's result, replacing
	// what was there, as one. While a run goes on its owner stores an
	// outline: a parent whose status is not terminal, and no children.
	PutRollup(ctx context.Context, parent core.Rollup, children []core.Rollup) error

	// Rollup reads them, children by worker index. Errors: NotFound.
	Rollup(ctx context.Context, runID string) (parent core.Rollup, children []core.Rollup, err error)

	// Aggregates returns the aggregate intervals of a run after an offset in
	// seconds, in order, at most limit (default and at most 10000).
	Aggregates(ctx context.Context, runID string, after float64, limit int) ([]RunInterval, error)

	// Totals returns the Total of each of what Aggregates returns by default, without reading
	// histograms: for whoever needs no more than numbers. Those that end at an offset
	// where others end too have their Kinds.
	Totals(ctx context.Context, runID string, after float64) ([]IntervalTotal, error)

	// WorkerIntervals returns the stored intervals of a run that end at that
	// offset, or of all offsets when it is negative, by worker and sequence.
	WorkerIntervals(ctx context.Context, runID string, offset float64) ([]WorkerInterval, error)

	// Executions returns sampled operations by start time, at most limit
	// (default 100, at most 10000), beginning after the id.
	Executions(ctx context.Context, runID string, after string, limit int) ([]core.Execution, error)
}

// TemplateRecord is a template as it is stored.
type TemplateRecord struct {
	ID        string        `json:"template_id"`
	Template  core.Template `json:"template"`
	Version   int           `json:"version"`
	Used      int64         `json:"usage_count"`
	LastUsed  time.Time     `json:"last_used_at,omitzero"`
	CreatedAt time.Time     `json:"created_at"`
	UpdatedAt time.Time     `json:"updated_at"`
}

// TemplateStore keeps templates by unique name.
type TemplateStore interface {
	// Put creates a template or replaces the one of that name, raising its
	// version; an equal template changes nothing.
	Put(ctx context.Context, t core.Template) (TemplateRecord, error)
	// PutIf does what Put does, if the condition holds of what is stored then, as
	// one: no use is counted in between. Errors: those of the condition.
	PutIf(ctx context.Context, t core.Template, condition core.TemplateCondition) (TemplateRecord, error)
	// Get reads one by name or id. Errors: NotFound.
	Get(ctx context.Context, nameOrID string) (TemplateRecord, error)
	// List returns all, by name.
	List(ctx context.Context) ([]TemplateRecord, error)
	// Delete removes one by name or id; runs keep their scenario. Errors:
	// NotFound.
	Delete(ctx context.Context, nameOrID string) error
	// Used counts a use: a run whose load has begun. Errors: NotFound.
	Used(ctx context.Context, id string) error
}

// PoolStore keeps value pools by the hash of their content.
type PoolStore interface {
	// Put stores a pool as its chunks. Idempotency: an id that is there stays.
	Put(ctx context.Context, id string, chunks []string) error
	// Get reads the chunks of a pool. Errors: NotFound.
	Get(ctx context.Context, id string) (chunks []string, err error)
}

// LogLine is one stored line of a worker's or orchestrator's log.
type LogLine struct {
	RunID    string    `json:"run_id"`
	WorkerID string    `json:"worker_id,omitempty"` // empty: the orchestrator
	Sequence int64     `json:"seq"`                 // rising; an orchestrator's begins behind its predecessor's
	Time     time.Time `json:"timestamp"`
	Level    string    `json:"level"`
	Message  string    `json:"message"`
}

// LogStore keeps log lines of runs.
type LogStore interface {
	// Append stores lines. Idempotency: by (run, worker, sequence).
	Append(ctx context.Context, lines []LogLine) error
	// Read returns lines of a run in order of time, of one worker if workerID is
	// not empty, with a time after after, at most limit (default 1000).
	Read(ctx context.Context, runID, workerID string, after time.Time, limit int) ([]LogLine, error)
}

// Schema answers for the tables of a store. It never changes them.
type Schema interface {
	// Check names each missing table and column, one finding each; a single OK
	// finding when all is there. Errors: Unavailable, Denied.
	Check(ctx context.Context) ([]core.Finding, error)
	// Probe writes and removes a row, to know that writing works, and returns
	// the store's clock.
	Probe(ctx context.Context) (time.Time, error)
}

// Store is all the roles together, for adapters that play all of them.
type Store interface {
	RunStore
	WorkerStore
	ResultStore
	Schema
	// These have method names of their own.
	Templates() TemplateStore
	Pools() PoolStore
	Logs() LogStore
	// Close frees the connections. It is idempotent.
	Close() error
}
