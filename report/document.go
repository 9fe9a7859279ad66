package report

import (
	"fmt"
	"io"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// ResultDocument is what JSON writes.
type ResultDocument struct {
	RunID      string        `json:"run_id"`
	Name       string        `json:"test_name"`
	TemplateID string        `json:"template_id,omitempty"`
	Status     core.Status   `json:"status"`
	Reason     core.Reason   `json:"reason,omitempty"`
	Detail     string        `json:"detail,omitempty"`
	Partial    bool          `json:"partial"` // the run did not end as COMPLETED, so not everything was measured
	Verdict    *core.Verdict `json:"verdict"` // null when no result is stored
	Location   string        `json:"location,omitempty"`

	StartTime       *time.Time    `json:"start_time"`
	EndTime         *time.Time    `json:"end_time"`
	MeasuredSeconds float64       `json:"measured_seconds"`
	Workers         int           `json:"workers"`
	Connections     int           `json:"connections"`      // over all workers
	CoveragePercent float64       `json:"coverage_percent"` // of the window in which the connections made load
	CPUSeconds      float64       `json:"cpu_seconds"`
	Scenario        *ScenarioPart `json:"scenario"`

	Total  *KindDocument   `json:"total"` // null when no result is stored
	Kinds  []KindDocument  `json:"kinds"` // in the order of the mix
	Errors []ErrorDocument `json:"errors"`
	SLOs   []SLODocument   `json:"slos"` // of a search: of the load that it has found

	Search *SearchDocument `json:"search,omitempty"` // only of a run that searched

	Budget   *BudgetDocument   `json:"budget,omitempty"` // absent when there was none
	Overhead *OverheadDocument `json:"overhead"`         // of the load generator; null when it was not measured
	Strain   *StrainDocument   `json:"strain"`           // on the load generator; null when it is not known

	Ledger        *core.Ledger     `json:"ledger"` // over all phases
	Warmup        *core.Counts     `json:"warmup"`
	OperationHash string           `json:"operation_hash,omitempty"` // 16 hexadecimal digits
	WorkerResults []WorkerDocument `json:"worker_results"`
	Stop          *StopDocument    `json:"stop_certificate"` // null when no stop was requested
	Findings      []core.Finding   `json:"findings"`
	Environment   []core.Fact      `json:"environment"`
}

// ScenarioPart is what of the scenario helps to read the numbers.
type ScenarioPart struct {
	Launcher        string  `json:"launcher"`
	TargetKind      string  `json:"target_kind"`
	Endpoint        string  `json:"endpoint"`
	Table           string  `json:"table"`
	TableType       string  `json:"table_type"`
	Rows            int64   `json:"rows"`
	Mode            string  `json:"mode"`
	Workers         int     `json:"workers"`
	Connections     int     `json:"connections"`
	WarmupSeconds   float64 `json:"warmup_seconds"`
	DurationSeconds float64 `json:"duration_seconds"` // 0: bounded by operations
	CooldownSeconds float64 `json:"cooldown_seconds"`
	ThinkTimeMS     float64 `json:"think_time_ms"`
	Operations      int64   `json:"operations"` // 0: bounded by time
	Seed            int64   `json:"seed"`
}

// KindDocument is what was measured of one kind of operation, or of all.
type KindDocument struct {
	Kind       string           `json:"kind"`
	Access     string           `json:"access,omitempty"`
	Operations uint64           `json:"operations"` // started
	OK         uint64           `json:"ok"`
	Errors     uint64           `json:"errors"`
	Aborted    uint64           `json:"aborted"`
	Lost       uint64           `json:"lost"`
	Rows       uint64           `json:"rows"`
	Throughput float64          `json:"ops_per_second"`
	Latency    *LatencyDocument `json:"latency"` // as a client sees it; null when nothing succeeded
	// Service is start to end; only where it is not the latency by construction.
	Service *LatencyDocument `json:"service,omitempty"`
	// Statements are the parts of a named transaction in order; absent for other
	// operations.
	Statements []StatementDocument `json:"statements,omitempty"`
}

// StatementDocument is one part of a named transaction that has succeeded: BEGIN, a
// statement named by its number from 1 on, or COMMIT.
type StatementDocument struct {
	Name    string           `json:"name"`
	Count   uint64           `json:"count"`
	Service *LatencyDocument `json:"service"` // null when nothing succeeded
}

// LatencyDocument is a distribution of latencies in milliseconds.
type LatencyDocument struct {
	Min  float64 `json:"min_ms"`
	Avg  float64 `json:"avg_ms"`
	P50  float64 `json:"p50_ms"`
	P90  float64 `json:"p90_ms"`
	P95  float64 `json:"p95_ms"`
	P99  float64 `json:"p99_ms"`
	P999 float64 `json:"p999_ms"`
	Max  float64 `json:"max_ms"`
}

// ErrorDocument is how often errors of one class happened in one kind.
type ErrorDocument struct {
	Kind    string `json:"kind"`
	Class   string `json:"class"`
	Count   uint64 `json:"count"`
	Example string `json:"example,omitempty"`
}

// SLODocument is one objective and what was measured, both in Unit: "ms",
// "fraction" or "ops_per_second".
type SLODocument struct {
	Text     string  `json:"text"`
	Kind     string  `json:"kind,omitempty"`
	Metric   string  `json:"metric"`
	Unit     string  `json:"unit"`
	Bound    float64 `json:"bound"`
	Measured float64 `json:"measured"`
	Met      bool    `json:"met"`
	Unknown  bool    `json:"unknown,omitempty"` // nothing that it is about occurred in a search
	Mostly   bool    `json:"mostly,omitempty"`  // met in most windows of a search, not in all of them together
	// Of one that is missed when interval after interval misses it for so long: that, and
	// for how long they did.
	ForSeconds       float64 `json:"for_seconds,omitempty"`
	MissedForSeconds float64 `json:"missed_for_seconds,omitempty"`
}

// WorkerDocument is the result of one worker and how it ended.
type WorkerDocument struct {
	WorkerID        string            `json:"worker_id"`
	Status          core.Status       `json:"status"`
	Connections     int               `json:"connections"`
	MeasuredSeconds float64           `json:"measured_seconds"`
	CoveragePercent float64           `json:"coverage_percent"`
	CPUSeconds      float64           `json:"cpu_seconds"`
	Total           KindDocument      `json:"total"`
	Overhead        *OverheadDocument `json:"overhead"`
	Strain          *StrainDocument   `json:"strain"`
	Verdict         core.VerdictLevel `json:"verdict,omitempty"`
	Ending          string            `json:"ending,omitempty"`
	Detail          string            `json:"detail,omitempty"`
}

// JSON writes the result of a run as a ResultDocument.
func JSON(w io.Writer, r Result) error { return writeJSON(w, Document(r)) }

// Document is the result of a run as JSON writes it. Lists are never null.
func Document(r Result) ResultDocument {
	v := r.view()
	d := ResultDocument{
		RunID: v.id, Name: v.parent.Name, TemplateID: v.parent.TemplateID,
		Status: v.status, Reason: v.reason, Detail: v.detail, Partial: v.partial, Location: r.Location,
		StartTime: utc(v.start), EndTime: utc(v.end),
		Workers: v.workers, Connections: v.connections,
		Kinds: []KindDocument{}, Errors: []ErrorDocument{}, SLOs: []SLODocument{}, WorkerResults: []WorkerDocument{},
		Findings: append([]core.Finding{}, r.Run.Findings...), Environment: append([]core.Fact{}, v.parent.Environment...),
		Scenario: scenarioPart(v.parent.Scenario), Stop: stopDocument(v.certificate),
	}
	if r.Parent == nil {
		return d
	}
	p := r.Parent
	d.Verdict, d.Ledger, d.Warmup = &p.Verdict, &p.Ledger, &p.Warmup
	d.MeasuredSeconds, d.CPUSeconds, d.CoveragePercent = p.Seconds, p.CPUSeconds, 100*p.Coverage
	d.Overhead, d.Strain = overheadDocument(p), strainDocument(p.Strain)
	d.OperationHash = fmt.Sprintf("%016x", p.Hash)
	total := core.Total(p.Kinds)
	whole := kindDocument(&total, p.Throughput)
	d.Total = &whole
	d.Search = searchDocument(p.Search)
	for i := range p.Kinds {
		k := &p.Kinds[i]
		d.Kinds = append(d.Kinds, kindDocument(k, core.ThroughputOf(p.Throughput, k, &total)))
		for _, f := range k.Failures {
			d.Errors = append(d.Errors, ErrorDocument{Kind: k.Kind, Class: f.Class, Count: f.Count, Example: f.Example})
		}
	}
	for _, s := range p.SLOs {
		d.SLOs = append(d.SLOs, sloDocument(s))
	}
	d.Budget = budgetDocument(p.Budget)
	for i := range r.Children {
		d.WorkerResults = append(d.WorkerResults, workerDocument(&r.Children[i]))
	}
	return d
}

func scenarioPart(s *core.Scenario) *ScenarioPart {
	if s == nil {
		return nil
	}
	return &ScenarioPart{
		Launcher: s.Launcher, TargetKind: s.Target.Kind, Endpoint: s.Target.Endpoint,
		Table: s.Table.Name, TableType: s.Table.Type, Rows: s.Table.Rows,
		Mode: s.Load.Mode, Workers: s.Load.Workers, Connections: s.Load.Connections,
		WarmupSeconds: s.Load.Warmup.Std().Seconds(), DurationSeconds: s.Load.Duration.Std().Seconds(),
		CooldownSeconds: s.Load.Cooldown.Std().Seconds(), ThinkTimeMS: milliseconds(s.Load.ThinkTime.Std()),
		Operations: s.Load.Operations, Seed: s.Load.Seed,
	}
}

func kindDocument(k *core.KindMetrics, throughput float64) KindDocument {
	d := KindDocument{
		Kind: k.Kind, Access: k.Access, Operations: k.Started, OK: k.OK, Errors: k.Errors,
		Aborted: k.Aborted, Lost: k.Lost, Rows: k.Rows, Throughput: throughput,
		Latency: latencyDocument(k.Latency()),
	}
	if k.Response != nil {
		d.Service = latencyDocument(&k.Service)
	}
	for i := range k.Statements {
		s := &k.Statements[i]
		d.Statements = append(d.Statements, StatementDocument{Name: s.Name, Count: s.Service.Count(), Service: latencyDocument(&s.Service)})
	}
	return d
}

func latencyDocument(h *core.Histogram) *LatencyDocument {
	if h.Count() == 0 {
		return nil
	}
	at := func(q float64) float64 { return milliseconds(h.Quantile(q)) }
	return &LatencyDocument{
		Min: milliseconds(h.Min()), Avg: milliseconds(h.Mean()), P50: at(0.5), P90: at(0.9), P95: at(0.95),
		P99: at(0.99), P999: at(0.999), Max: milliseconds(h.Max()),
	}
}

func sloDocument(s core.SLOResult) SLODocument {
	d := SLODocument{
		Text: s.Text, Kind: s.Kind, Metric: s.Metric, Bound: s.Bound, Measured: s.Measured, Met: s.Met, Unknown: s.Unknown, Mostly: s.Mostly,
		ForSeconds: s.For.Std().Seconds(), MissedForSeconds: s.MissedFor.Std().Seconds(),
	}
	switch s.Metric {
	case "throughput":
		d.Unit = "ops_per_second"
	case "error_rate":
		d.Unit = "fraction"
	default:
		d.Unit, d.Bound, d.Measured = "ms", 1000*s.Bound, 1000*s.Measured
	}
	return d
}

func workerDocument(c *core.Rollup) WorkerDocument {
	total := core.Total(c.Kinds)
	return WorkerDocument{
		WorkerID: c.WorkerID, Status: c.Status, Connections: c.Connections, MeasuredSeconds: c.Seconds,
		CoveragePercent: 100 * c.Coverage, CPUSeconds: c.CPUSeconds, Total: kindDocument(&total, c.Throughput),
		Overhead: overheadDocument(c), Strain: strainDocument(c.Strain),
		Verdict: c.Verdict.Level, Ending: c.WorkerEnding, Detail: c.Detail,
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
