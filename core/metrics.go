package core

import (
	"slices"
	"strconv"
	"time"
)

// Counts is the ledger of operations of one kind.
type Counts struct {
	Scheduled uint64 `json:"scheduled"`
	Skipped   uint64 `json:"skipped,omitempty"`  // too late to be started
	Unserved  uint64 `json:"unserved,omitempty"` // due when the load ended
	Started   uint64 `json:"started"`
	OK        uint64 `json:"ok"`
	Errors    uint64 `json:"errors,omitempty"`
	Aborted   uint64 `json:"aborted,omitempty"` // cancelled by the stop
	Lost      uint64 `json:"lost,omitempty"`    // in flight in a worker that never reported again
	Rows      uint64 `json:"rows,omitempty"`    // read or affected

	// Of those started in an open loop: more than LateAfter behind their time,
	// and of these the ones for which a connection was waiting, so that nobody
	// but the load generator was late.
	Late      uint64 `json:"late,omitempty"`
	Overslept uint64 `json:"overslept,omitempty"`
}

// Add adds other to c.
func (c *Counts) Add(other Counts) {
	c.Scheduled += other.Scheduled
	c.Skipped += other.Skipped
	c.Unserved += other.Unserved
	c.Started += other.Started
	c.OK += other.OK
	c.Errors += other.Errors
	c.Aborted += other.Aborted
	c.Lost += other.Lost
	c.Rows += other.Rows
	c.Late += other.Late
	c.Overslept += other.Overslept
}

// Done is how many operations have ended, however they ended.
func (c Counts) Done() uint64 { return c.OK + c.Errors + c.Aborted }

// ErrorCount is how often errors of one class happened, with one example.
type ErrorCount struct {
	Class   string `json:"class"`
	Count   uint64 `json:"count"`
	Example string `json:"example,omitempty"`
}

// KindMetrics is what was measured of one kind of operation. Only operations
// that succeeded are in the histograms.
type KindMetrics struct {
	Kind   string `json:"kind"`
	Access string `json:"access"`
	Counts
	Service Histogram `json:"service"` // start to end
	// Response is intended start to end; nil where it is the service time by
	// construction (closed loop).
	Response *Histogram `json:"response,omitempty"`
	// Statements are the parts of a named transaction in order; nil for other
	// operations, and while none has succeeded.
	Statements []StatementMetrics `json:"statements,omitempty"`
	Failures   []ErrorCount       `json:"failures,omitempty"` // sorted by class
}

// StatementMetrics is one part of a named transaction: its BEGIN, one of its
// statements, named "1", "2" and so on, or its COMMIT. Like the transaction
// itself, only what succeeded as a whole is in it.
//
// BEGIN is a part of its own: it waits for what no statement causes (a round
// trip, or a lock of the whole database), and a statement's time stays comparable
// with the same one's outside a transaction. A part lasts until the next one
// begins, so the parts of a transaction sum to its service time exactly.
type StatementMetrics struct {
	Name    string    `json:"name"`
	Service Histogram `json:"service"`
}

// NewStatementMetrics are the empty parts of a transaction of n statements: n+2
// of them.
func NewStatementMetrics(n int) []StatementMetrics {
	parts := make([]StatementMetrics, n+2)
	for i := range parts {
		parts[i].Name = strconv.Itoa(i)
	}
	parts[0].Name, parts[n+1].Name = "BEGIN", "COMMIT"
	return parts
}

// MergeStatements adds the parts of other to those of list by name, in list's
// order; parts that list lacks are appended. It shares nothing with other.
func MergeStatements(list, other []StatementMetrics) []StatementMetrics {
	for i := range other {
		at := slices.IndexFunc(list, func(s StatementMetrics) bool { return s.Name == other[i].Name })
		if at < 0 {
			at = len(list)
			list = append(list, StatementMetrics{Name: other[i].Name})
		}
		list[at].Service.Merge(&other[i].Service)
	}
	return list
}

// Latency is the response time: what a client of the target sees.
func (k *KindMetrics) Latency() *Histogram {
	if k.Response != nil {
		return k.Response
	}
	return &k.Service
}

// Merge adds other, which is of the same kind, to k.
func (k *KindMetrics) Merge(other *KindMetrics) {
	k.mergeWhole(other)
	k.Statements = MergeStatements(k.Statements, other.Statements)
}

// mergeWhole merges all but the statements.
func (k *KindMetrics) mergeWhole(other *KindMetrics) {
	k.Counts.Add(other.Counts)
	if other.Response != nil || k.Response != nil {
		merged := &Histogram{}
		merged.Merge(k.Latency())
		merged.Merge(other.Latency())
		k.Response = merged
	}
	k.Service.Merge(&other.Service)
	for _, f := range other.Failures {
		k.Failures = AddError(k.Failures, f)
	}
}

// MaxErrorClasses bounds the distinct error classes of one kind; the rest is
// folded into "other" and counted.
const MaxErrorClasses = 32

// AddError adds one count to a list that is sorted by class and bounded.
func AddError(list []ErrorCount, f ErrorCount) []ErrorCount {
	find := func(class string) (int, bool) {
		return slices.BinarySearchFunc(list, class, func(e ErrorCount, class string) int {
			return compareStrings(e.Class, class)
		})
	}
	i, found := find(f.Class)
	if !found && len(list) >= MaxErrorClasses && f.Class != "other" {
		f.Class = "other"
		i, found = find(f.Class)
	}
	if found {
		list[i].Count += f.Count
		return list
	}
	return slices.Insert(list, i, f)
}

func compareStrings(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}

// MergeKinds adds the kinds of other to those of list, in list's order; kinds
// that list lacks are appended.
func MergeKinds(list, other []KindMetrics) []KindMetrics {
	for i := range other {
		at := slices.IndexFunc(list, func(k KindMetrics) bool { return k.Kind == other[i].Kind })
		if at < 0 {
			list = append(list, KindMetrics{Kind: other[i].Kind, Access: other[i].Access})
			at = len(list) - 1
		}
		list[at].Merge(&other[i])
	}
	return list
}

// Total merges all kinds into one, named "TOTAL". It has no statements: those of
// different transactions have nothing in common.
func Total(kinds []KindMetrics) KindMetrics {
	total := KindMetrics{Kind: "TOTAL"}
	for i := range kinds {
		total.mergeWhole(&kinds[i])
	}
	return total
}

// PhaseMetrics is all that a worker has measured of one phase so far.
type PhaseMetrics struct {
	Phase Phase         `json:"phase"`
	Kinds []KindMetrics `json:"kinds"`
	// Window is how long this worker has made load in the phase; zero End means
	// that it still does. Seconds is from the monotonic clock.
	Start   time.Time `json:"start,omitzero"`
	End     time.Time `json:"end,omitzero"`
	Seconds float64   `json:"seconds"`
	// Completed counts completions inside the window, of operations of any
	// phase: throughput is Completed ÷ Seconds.
	Completed uint64 `json:"completed"`
	// OperationHash sums over the operations that were started in the phase.
	OperationHash uint64 `json:"operation_hash"`
}

// Interval is what one worker measured in one interval, cut at the same store
// times on every worker of the run. Operations that were started in an earlier
// phase are an interval of their own, with that phase.
type Interval struct {
	Sequence    int64         `json:"sequence"` // 1, 2, 3 … within the worker
	Phase       Phase         `json:"phase"`
	Start       time.Time     `json:"start"` // store time
	Seconds     float64       `json:"seconds"`
	Offset      float64       `json:"offset"` // seconds from the run's origin to the interval's end
	Kinds       []KindMetrics `json:"kinds"`
	Connections int           `json:"connections"`       // open, parked ones too
	Target      int           `json:"target"`            // asked for
	Missing     int           `json:"missing,omitempty"` // of those, not open
	CPU         float64       `json:"cpu"`               // percent of the cores it may use
	Memory      float64       `json:"memory"`            // percent of the memory it may use
	Share       HostShare     `json:"host_share,omitzero"`
	Coarse      bool          `json:"coarse,omitempty"`
}

// HostShare is how much of its host's cores and memory a worker may use, from 0 to 1;
// 0: all of it, or it is not known.
type HostShare struct {
	CPU    float64 `json:"cpu,omitempty"`
	Memory float64 `json:"memory,omitempty"`
}

// OfHost is what the worker used in percent of its whole host.
func (i *Interval) OfHost() (cpu, memory float64) {
	cpu, memory = i.CPU, i.Memory
	if i.Share.CPU > 0 {
		cpu *= i.Share.CPU
	}
	if i.Share.Memory > 0 {
		memory *= i.Share.Memory
	}
	return cpu, memory
}

// Beat is a worker's one report per interval.
type Beat struct {
	Key          WorkerKey   `json:"key"`
	GroupID      int         `json:"group_id"`
	State        WorkerState `json:"state"`
	Phase        Phase       `json:"phase,omitempty"` // in which it makes load, or did last
	At           time.Time   `json:"at,omitzero"`     // store time at which it arrived; set by the store
	Count        int64       `json:"count"`
	Connections  int         `json:"connections"`
	Target       int         `json:"target"`
	CPU          float64     `json:"cpu"`
	Memory       float64     `json:"memory"`
	LastError    string      `json:"last_error,omitempty"`
	LastSequence int64       `json:"last_sequence"` // newest control event that its control read named
	Acknowledged int64       `json:"acknowledged"`
	Sessions     []string    `json:"sessions,omitempty"` // of the target, to cancel and count by
	Build        Build       `json:"build"`
	Report       Report      `json:"report"`
}

// Report is the payload of a beat: everything is cumulative, save Intervals,
// which are those not yet acknowledged.
type Report struct {
	Phases    []PhaseMetrics `json:"phases,omitempty"`
	Intervals []Interval     `json:"intervals,omitempty"`
	InFlight  uint64         `json:"in_flight"`
	QuotaDone bool           `json:"quota_done,omitempty"`
	Spent     string         `json:"spent,omitempty"`     // what of its share of the budget is used up: operations or rows
	LastStart time.Time      `json:"last_start,omitzero"` // of its last new operation
	LastEnd   time.Time      `json:"last_end,omitzero"`   // of its last operation
	// DroppedExecutions were sampled, but did not fit the bounded queue.
	DroppedExecutions uint64 `json:"dropped_executions,omitempty"`
	// ClockOffset is the store's clock minus the worker's, ClockError the half
	// width of what is known of it; seconds.
	ClockOffset float64 `json:"clock_offset"`
	ClockError  float64 `json:"clock_error"`
	// CPUSeconds and Reconnects are totals of the worker.
	CPUSeconds float64 `json:"cpu_seconds"`
	Reconnects uint64  `json:"reconnects,omitempty"`
	// Exhausted is how many connections have ended since no key was left to insert.
	Exhausted int `json:"exhausted,omitempty"`
	// Late is how many seconds after the measurement was to begin it did.
	Late     float64   `json:"late,omitempty"`
	Overhead *Overhead `json:"overhead,omitempty"` // nil: there is no null lane
	Strain   *Strain   `json:"strain,omitempty"`   // nil: unknown
	// Lines are the newest of the worker's log, as it wrote them, with their number
	// as "seq". Each comes in several beats, since some are never read.
	Lines []string `json:"lines,omitempty"`
}

// PhaseOf returns the metrics of one phase, or nil.
func (r *Report) PhaseOf(p Phase) *PhaseMetrics {
	for i := range r.Phases {
		if r.Phases[i].Phase == p {
			return &r.Phases[i]
		}
	}
	return nil
}

// Totals sums the counts of all phases.
func (r *Report) Totals() Counts {
	var c Counts
	for i := range r.Phases {
		for j := range r.Phases[i].Kinds {
			c.Add(r.Phases[i].Kinds[j].Counts)
		}
	}
	return c
}

// Execution is one sampled operation.
type Execution struct {
	ID         string        `json:"execution_id"`
	RunID      string        `json:"run_id"`
	WorkerID   string        `json:"worker_id"`
	Connection int64         `json:"connection_index"` // global
	QueryID    string        `json:"query_id,omitempty"`
	Kind       string        `json:"query_kind"`
	Start      time.Time     `json:"start_time"`
	Intended   time.Time     `json:"intended_start_time"`
	Service    time.Duration `json:"duration_ns"`
	Response   time.Duration `json:"response_ns"`
	Rows       int64         `json:"rows_affected"`
	Success    bool          `json:"success"`
	ErrorClass string        `json:"error_class,omitempty"`
	Error      string        `json:"error,omitempty"`
	Warmup     bool          `json:"warmup"`
}
