package report

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// Status is where a run stands at one moment.
type Status struct {
	Run      core.Run
	Scenario core.Scenario
	Now      time.Time // the store's clock
	Workers  []core.WorkerHealth
	Interval *ports.RunInterval // the newest; nil before the first
}

// statusReach is how far back the newest interval is looked for at first, in seconds;
// of a run that goes on, what is older is not news.
const statusReach = 30

// ReadStatus reads where a run stands, from the store alone, with its newest beats.
func ReadStatus(ctx context.Context, store ports.Store, record ports.RunRecord) (Status, []core.Beat, error) {
	run := record.Run
	beats, now, err := store.Beats(ctx, run.ID, nil)
	if err != nil {
		return Status{}, nil, err
	}
	intervals, err := newestIntervals(ctx, store, run, now)
	if err != nil {
		return Status{}, nil, err
	}
	interval := record.Scenario.Load.Interval.Std()
	return Status{
		Run: run, Scenario: record.Scenario, Now: now, Workers: core.HealthOf(run, beats, now, interval),
		Interval: newestWhole(intervals, interval.Seconds()/2),
	}, beats, nil
}

// newestIntervals are the intervals at the end of a run: of the newest stretch of time
// that has any. How far that lies back is not known of a run that has ended, whose
// workers may have fallen silent long before.
func newestIntervals(ctx context.Context, results ports.ResultStore, run core.Run, now time.Time) ([]ports.RunInterval, error) {
	if run.Origin.IsZero() {
		return nil, nil
	}
	if !run.GoneAt.IsZero() {
		now = run.GoneAt
	}
	end := now.Sub(run.Origin).Seconds()
	for reach := float64(statusReach); ; reach *= 4 {
		after := max(end-reach, -1)
		intervals, err := results.Aggregates(ctx, run.ID, after, pageOfIntervals)
		for len(intervals) == pageOfIntervals && err == nil { // what is older than the last page is not looked for
			var more []ports.RunInterval
			if more, err = results.Aggregates(ctx, run.ID, intervals[pageOfIntervals-1].Offset, pageOfIntervals); len(more) == 0 {
				break
			}
			intervals = more
		}
		if err != nil || len(intervals) > 0 || after < 0 || !run.Status.Terminal() {
			return intervals, err
		}
	}
}

// newestWhole is the last interval that is long enough to show, or the last at all.
func newestWhole(intervals []ports.RunInterval, seconds float64) *ports.RunInterval {
	for i := range slices.Backward(intervals) {
		if intervals[i].Seconds >= seconds {
			return &intervals[i]
		}
	}
	if len(intervals) == 0 {
		return nil
	}
	return &intervals[len(intervals)-1]
}

// StatusDocument is what StatusJSON writes.
type StatusDocument struct {
	RunID       string            `json:"run_id"`
	Name        string            `json:"test_name"`
	Status      core.Status       `json:"status"`
	Phase       core.Phase        `json:"phase,omitempty"`
	Stage       string            `json:"stage"`                  // phase, rung of the STOP ladder, or status
	StageLeft   *float64          `json:"stage_left_seconds"`     // null when not known
	ByDeadline  bool              `json:"stage_ends_by_deadline"` // the stage ends by itself before that, if all goes well
	Elapsed     *float64          `json:"load_elapsed_seconds"`   // since the load began; null before
	Reason      core.Reason       `json:"reason,omitempty"`       // why it ends
	Detail      string            `json:"detail,omitempty"`
	Now         *time.Time        `json:"now"`             // the store's clock
	Owner       string            `json:"owner,omitempty"` // who drives the run
	OwnerAlive  bool              `json:"owner_alive"`     // its lease lasts
	OwnerUntil  *time.Time        `json:"owner_lease_until"`
	Interval    *IntervalDocument `json:"interval"` // the newest; null before the first
	Workers     []WorkerStatus    `json:"workers"`
	Findings    []core.Finding    `json:"findings"`         // of preflight
	Certificate *StopDocument     `json:"stop_certificate"` // so far; null when no stop was requested
}

// WorkerStatus is one worker at one moment.
type WorkerStatus struct {
	WorkerID    string           `json:"worker_id"`
	Life        string           `json:"life"`             // as its run sees it
	State       core.WorkerState `json:"state,omitempty"`  // as it says itself
	Health      core.Health      `json:"health,omitempty"` // by the age of its newest beat
	BeatAge     *float64         `json:"beat_age_seconds"` // null before the first beat
	Connections int              `json:"connections"`
	Target      int              `json:"target_connections"`
	Throughput  float64          `json:"ops_per_second"`
	CPU         float64          `json:"cpu_percent"`
	Memory      float64          `json:"memory_percent"`
	Errors      uint64           `json:"errors"`
	LastError   string           `json:"last_error,omitempty"`
	Ending      string           `json:"ending,omitempty"`
}

// StatusJSON writes a StatusDocument.
func StatusJSON(w io.Writer, s Status) error { return writeJSON(w, StatusOf(s)) }

// StatusOf is a status as it is written.
func StatusOf(s Status) StatusDocument {
	run := s.Run
	stage := StageOf(run, s.Now)
	d := StatusDocument{
		RunID: run.ID, Name: s.Scenario.Name, Status: run.Status, Phase: run.Phase, Stage: stage.Name,
		ByDeadline: stage.Deadline, Reason: run.Reason, Detail: run.Detail, Now: utc(s.Now),
		Owner: run.Owner, OwnerAlive: ownerAlive(s), OwnerUntil: utc(run.OwnerLeaseUntil),
		Workers: []WorkerStatus{}, Findings: append([]core.Finding{}, run.Findings...),
	}
	if left, ok := stage.Left(s.Now); ok && !run.Status.Terminal() {
		seconds := left.Seconds()
		d.StageLeft = &seconds
	}
	if !run.Origin.IsZero() {
		elapsed := loadElapsed(s).Seconds()
		d.Elapsed = &elapsed
	}
	if s.Interval != nil {
		interval := intervalDocument(*s.Interval)
		d.Interval = &interval
	}
	for _, h := range s.Workers {
		d.Workers = append(d.Workers, workerStatus(h))
	}
	if !run.StopAt.IsZero() {
		c := run.Certificate()
		d.Certificate = stopDocument(&c)
	}
	return d
}

func workerStatus(h core.WorkerHealth) WorkerStatus {
	d := WorkerStatus{
		WorkerID: h.ID, Life: lifeName(h.Life), State: h.State, Health: h.Health, Connections: h.Connections,
		Target: h.Target, Throughput: h.Throughput, CPU: h.CPU, Memory: h.Memory, Errors: h.Errors,
		LastError: h.LastError, Ending: h.Ending,
	}
	if h.Health != "" {
		age := h.Age.Seconds()
		d.BeatAge = &age
	}
	return d
}

// lifeName is a life in a word; the life before a launch has none of its own.
func lifeName(l core.Life) string {
	if l == core.Planned {
		return "PLANNED"
	}
	return string(l)
}

func ownerAlive(s Status) bool {
	return s.Run.Owner != "" && s.Run.OwnerLeaseUntil.After(s.Now)
}

// loadElapsed is how long load has been made.
func loadElapsed(s Status) time.Duration {
	end := s.Now
	if !s.Run.StopAt.IsZero() {
		end = s.Run.StopAt
	}
	return max(0, end.Sub(s.Run.Origin))
}

// StatusText writes where a run stands for people.
func StatusText(w io.Writer, s Status, options ...Option) error {
	p := newPage(w, options)
	run := s.Run
	stage := StageOf(run, s.Now)
	p.line("run %s  %s  %s", Clean(run.ID), Clean(s.Scenario.Name), p.paint(statusTone(run.Status), string(run.Status)))
	if !run.Status.Terminal() {
		text := "stage    " + stage.Name
		if left, ok := stage.Left(s.Now); ok && stage.Deadline {
			text += ", at most " + Span(left.Round(100*time.Millisecond)) + " more"
		} else if ok {
			text += ", " + Span(left.Round(100*time.Millisecond)) + " left"
		}
		p.line("%s", text)
	}
	if !run.Origin.IsZero() {
		p.line("load     %s", Span(loadElapsed(s).Round(100*time.Millisecond)))
	}
	if run.Reason != "" {
		p.prose("reason   ", reasonText(run))
	}
	p.owner(s)
	if text := WorkersOf(run); text != "" {
		p.line("workers  %s", text)
	}
	if s.Interval != nil {
		total := core.Total(s.Interval.Kinds)
		q := percentiles(total.Latency())
		p.line("last     %s op/s, p50 %s, p95 %s, p99 %s, %s", Rate(throughput(*s.Interval)), q[0], q[1], q[2], plural(total.Errors, "error"))
	}
	p.workers(s.Workers)
	p.findings(run.Findings)
	if run.Status.Terminal() && !run.StopAt.IsZero() {
		c := run.Certificate()
		p.print("\n")
		p.stop(&c)
	}
	return p.err
}

// WorkersOf says how many workers there are of those that there may be, and why no
// more will be; "" for a run that has a fixed number of them.
func WorkersOf(run core.Run) string {
	if run.Plan.AtStart() >= run.Plan.Workers {
		return ""
	}
	text := fmt.Sprintf("%d of at most %d workers", run.Asked(), run.Plan.Workers)
	if run.Unjoined != "" {
		text += "; " + Clean(run.Unjoined)
	}
	return text
}

// reasonText says why a run ends, and who asked for it when.
func reasonText(run core.Run) string {
	text := string(run.Reason)
	if run.StopBy != "" {
		text += " by " + Clean(run.StopBy)
	}
	if !run.StopAt.IsZero() {
		text += ", asked " + clock(run.StopAt)
	}
	if run.Detail != "" {
		text += ": " + Clean(run.Detail)
	}
	return text
}

func (p *page) owner(s Status) {
	switch {
	case s.Run.Status.Terminal() || s.Run.Owner == "":
	case ownerAlive(s):
		p.line("owner    %s", Clean(s.Run.Owner))
	default:
		p.prose("owner    ", p.paint(bad, "nobody")+" drives this run: the lease of "+Clean(s.Run.Owner)+" ended "+Span(s.Now.Sub(s.Run.OwnerLeaseUntil).Round(time.Second))+" ago")
	}
}

func (p *page) workers(workers []core.WorkerHealth) {
	t := table{
		head:  []string{"worker", "life", "state", "health", "beat", "conn", "op/s", "cpu", "errors", ""},
		right: "llllrrrrrl", shrink: 9, minimum: 10,
	}
	for _, h := range workers {
		age, note := "-", h.Ending
		if h.Health != "" {
			age = Span(h.Age.Round(100 * time.Millisecond))
		}
		if note == "" {
			note = h.LastError
		}
		t.add(Clean(h.ID), lifeName(h.Life), orDash(string(h.State)), orDash(string(h.Health)), age,
			fmt.Sprintf("%d/%d", h.Connections, h.Target), Rate(h.Throughput), strconv.FormatFloat(h.CPU, 'f', 0, 64)+"%",
			Count(h.Errors), Clean(note))
		t.tint(3, healthTone(h.Health))
	}
	if len(t.rows) > 0 {
		p.print("\n")
		p.table(t)
	}
}

func healthTone(h core.Health) tone {
	switch h {
	case core.Healthy:
		return good
	case core.Stale:
		return doubtful
	case core.Lost:
		return bad
	default:
		return neutral
	}
}
