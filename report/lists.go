package report

import (
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// RunDocument is one run in a list.
type RunDocument struct {
	RunID      string      `json:"run_id"`
	Name       string      `json:"test_name"`
	Status     core.Status `json:"status"`
	Phase      core.Phase  `json:"phase,omitempty"`
	Reason     core.Reason `json:"reason,omitempty"`
	Detail     string      `json:"detail,omitempty"`
	Launcher   string      `json:"launcher"`
	Workers    int         `json:"workers"`
	Owner      string      `json:"owner,omitempty"`
	OwnerAlive bool        `json:"owner_alive"`
	CreatedAt  *time.Time  `json:"created_at"`
	StartedAt  *time.Time  `json:"started_at"`
	EndedAt    *time.Time  `json:"ended_at"`
	Operations int64       `json:"operations"`
	Errors     int64       `json:"errors"`
	Throughput float64     `json:"ops_per_second"`
}

// RunsJSON writes runs as a list of RunDocuments, in the order given.
func RunsJSON(w io.Writer, runs []ports.RunSummary) error {
	list := []RunDocument{}
	for _, r := range runs {
		list = append(list, RunDocument{
			RunID: r.ID, Name: r.Name, Status: r.Status, Phase: r.Phase, Reason: r.Reason, Detail: r.Detail,
			Launcher: r.Launcher, Workers: r.Workers, Owner: r.Owner, OwnerAlive: r.OwnerAlive,
			CreatedAt: utc(r.CreatedAt), StartedAt: utc(r.StartedAt), EndedAt: utc(r.EndedAt),
			Operations: r.TotalOps, Errors: r.Errors, Throughput: r.QPS,
		})
	}
	return writeJSON(w, list)
}

// RunsText writes runs as a table, in the order given.
func RunsText(w io.Writer, runs []ports.RunSummary, options ...Option) error {
	p := newPage(w, options)
	if len(runs) == 0 {
		p.line("there are no runs")
		return p.err
	}
	t := table{
		head:  []string{"run", "name", "status", "started", "took", "workers", "count", "errors", "op/s", "reason"},
		right: "llllrrrrrl", shrink: 1, minimum: 8,
	}
	for _, r := range runs {
		took := "-"
		if !r.StartedAt.IsZero() && !r.EndedAt.IsZero() {
			took = Span(r.EndedAt.Sub(r.StartedAt).Round(100 * time.Millisecond))
		}
		reason := string(r.Reason)
		if !r.Status.Terminal() && r.Owner != "" && !r.OwnerAlive {
			reason = strings.TrimSpace(reason + " (nobody drives it)")
		}
		t.add(Clean(r.ID), orDash(Clean(r.Name)), string(r.Status), moment(r.StartedAt), took,
			strconv.Itoa(r.Workers), Count(r.TotalOps), Count(r.Errors), Rate(r.QPS), Clean(reason))
		t.tint(2, statusTone(r.Status))
	}
	p.table(t)
	return p.err
}

// EventDocument is one control event.
type EventDocument struct {
	RunID     string         `json:"run_id"`
	Sequence  int64          `json:"sequence_id"`
	Type      core.EventType `json:"event_type"`
	Scope     core.Scope     `json:"scope"`
	WorkerID  string         `json:"worker_id,omitempty"`
	Epoch     int            `json:"epoch,omitempty"`
	Target    int            `json:"target_connections,omitempty"`
	Phase     core.Phase     `json:"phase,omitempty"`
	Effective *time.Time     `json:"effective,omitempty"` // when workers switch to Phase
	Reason    core.Reason    `json:"reason,omitempty"`
	Rung      string         `json:"rung,omitempty"`
	By        string         `json:"by,omitempty"`
	Detail    string         `json:"detail,omitempty"`
	At        *time.Time     `json:"at"`
}

// EventsJSON writes control events as a list of EventDocuments.
func EventsJSON(w io.Writer, events []core.ControlEvent) error {
	list := []EventDocument{}
	for _, e := range events {
		list = append(list, EventDocument{
			RunID: e.RunID, Sequence: e.Sequence, Type: e.Type, Scope: e.Scope, WorkerID: e.WorkerID, Epoch: e.Epoch,
			Target: e.Target, Phase: e.Phase, Effective: utc(e.Effective), Reason: e.Reason, Rung: e.Rung, By: e.By,
			Detail: e.Detail, At: utc(e.At),
		})
	}
	return writeJSON(w, list)
}

// EventsText writes control events as a table.
func EventsText(w io.Writer, events []core.ControlEvent, options ...Option) error {
	p := newPage(w, options)
	if len(events) == 0 {
		p.line("there are no control events")
		return p.err
	}
	p.table(eventsTable(events))
	return p.err
}

func eventsTable(events []core.ControlEvent) table {
	t := table{head: []string{"seq", "at", "event", "whom", "what"}, right: "rllll", shrink: 4, minimum: 12}
	for _, e := range events {
		whom := string(e.Scope)
		if e.WorkerID != "" {
			whom = Clean(e.WorkerID)
		}
		t.add(strconv.FormatInt(e.Sequence, 10), clock(e.At), Clean(string(e.Type)), Clean(whom), eventDetail(e))
	}
	return t
}

// eventDetail is what an event says, in a few words.
func eventDetail(e core.ControlEvent) string {
	var words []string
	add := func(name, value string) {
		if value != "" {
			words = append(words, name+Clean(value))
		}
	}
	add("", string(e.Phase))
	if !e.Effective.IsZero() {
		add("from ", clock(e.Effective))
	}
	add("", string(e.Reason))
	add("on ", e.Rung)
	if e.Target > 0 {
		add("", plural(e.Target, "connection"))
	}
	if e.Epoch > 0 {
		add("epoch ", strconv.Itoa(e.Epoch))
	}
	add("by ", e.By)
	if e.Detail != "" {
		return strings.TrimPrefix(strings.Join(words, " ")+": "+Clean(e.Detail), ": ")
	}
	return strings.Join(words, " ")
}

// TemplateDocument is one stored template in a list.
type TemplateDocument struct {
	TemplateID  string            `json:"template_id"`
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Version     int               `json:"version"`
	TargetKind  string            `json:"target_kind"`
	Tags        map[string]string `json:"tags,omitempty"`
	UsageCount  int64             `json:"usage_count"`
	LastUsedAt  *time.Time        `json:"last_used_at"`
	CreatedAt   *time.Time        `json:"created_at"`
	UpdatedAt   *time.Time        `json:"updated_at"`
	Template    core.Template     `json:"template"`
}

// TemplatesJSON writes templates as a list of TemplateDocuments.
func TemplatesJSON(w io.Writer, records []ports.TemplateRecord) error {
	list := []TemplateDocument{}
	for _, r := range records {
		t := r.Template
		list = append(list, TemplateDocument{
			TemplateID: r.ID, Name: t.Name, Description: t.Description, Version: r.Version, TargetKind: t.Target.Kind,
			Tags: t.Tags, UsageCount: r.Used, LastUsedAt: utc(r.LastUsed), CreatedAt: utc(r.CreatedAt),
			UpdatedAt: utc(r.UpdatedAt), Template: t,
		})
	}
	return writeJSON(w, list)
}

// TemplatesText writes templates as a table.
func TemplatesText(w io.Writer, records []ports.TemplateRecord, options ...Option) error {
	p := newPage(w, options)
	if len(records) == 0 {
		p.line("there are no templates")
		return p.err
	}
	t := table{
		head:  []string{"name", "version", "target", "mix", "used", "last used", "description"},
		right: "lrlrrll", shrink: 6, minimum: 12,
	}
	for _, r := range records {
		t.add(Clean(r.Template.Name), strconv.Itoa(r.Version), Clean(r.Template.Target.Kind),
			plural(len(r.Template.Mix), "kind"), Count(r.Used), moment(r.LastUsed), Clean(r.Template.Description))
	}
	p.table(t)
	return p.err
}

// LogLine writes one line of a log.
func LogLine(w io.Writer, l ports.LogLine, options ...Option) error {
	p := newPage(w, options)
	who := l.WorkerID
	if who == "" {
		who = "orchestrator"
	}
	p.line("%s  %-12s  %-5s  %s", clock(l.Time), Clean(who), Clean(l.Level), Clean(l.Message))
	return p.err
}
