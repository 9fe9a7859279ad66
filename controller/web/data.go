package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"time"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/report"
)

// course is what the charts of a live page begin with: a number for each column of
// each interval, so that an hour is small.
type course struct {
	Columns []string            `json:"columns"`
	Points  [][8]any            `json:"points"`
	Classes []client.ErrorClass `json:"classes"`
}

// points is the course of a run for the charts of its page.
func (s *site) points(w http.ResponseWriter, r *http.Request) error {
	c, err := s.service.Course(r.Context(), r.PathValue("run"))
	if err != nil {
		return err
	}
	out := course{
		Columns: []string{"elapsed_seconds", "seconds", "phase", "ok", "errors", "p50_ms", "p95_ms", "p99_ms"},
		Points:  make([][8]any, len(c.Points)), Classes: append([]client.ErrorClass{}, c.Classes...),
	}
	for i, p := range c.Points {
		out.Points[i] = [8]any{p.Elapsed, p.Seconds, p.Phase, p.OK, p.Errors, p.P50, p.P95, p.P99}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) // one who has gone away
	return nil
}

// documents are what a result can be saved as.
var documents = map[string]struct {
	kind  string
	write func(io.Writer, report.Result) error
}{
	"html": {"text/html; charset=utf-8", report.HTML},
	"json": {"application/json", report.JSON},
	"csv":  {"text/csv; charset=utf-8", report.CSV},
	"md":   {"text/markdown; charset=utf-8", report.Markdown},
}

func (s *site) download(w http.ResponseWriter, r *http.Request) error {
	id, format := r.PathValue("run"), r.PathValue("format")
	d, ok := documents[format]
	if !ok {
		return fmt.Errorf("%w: a result cannot be saved as %.20q; allowed: html, json, csv, md", core.ErrNotFound, format)
	}
	result, err := s.service.Whole(r.Context(), id)
	if err != nil {
		return err
	}
	return save(w, "run-"+id+"."+format, d.kind, func(w io.Writer) error { return d.write(w, result) })
}

var comparisons = map[string]struct {
	kind  string
	write func(io.Writer, report.Comparison) error
}{
	"html": {"text/html; charset=utf-8", report.CompareHTML},
	"json": {"application/json", report.CompareJSON},
	"md":   {"text/markdown; charset=utf-8", report.CompareMarkdown},
}

func (s *site) downloadComparison(w http.ResponseWriter, r *http.Request) error {
	format := r.PathValue("format")
	d, ok := comparisons[format]
	if !ok {
		return fmt.Errorf("%w: a comparison cannot be saved as %.20q; allowed: html, json, md", core.ErrNotFound, format)
	}
	c, err := s.service.Compare(r.Context(), distinct(r.URL.Query()["run"]))
	if err != nil {
		return err
	}
	return save(w, "comparison."+format, d.kind, func(w io.Writer) error { return d.write(w, c) })
}

// save answers with a file, which browsers do not show.
func save(w http.ResponseWriter, name, kind string, write func(io.Writer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", `attachment; filename="`+noFileName.ReplaceAllString(name, "_")+`"`)
	_, _ = w.Write(b.Bytes()) // one who has gone away
	return nil
}

var noFileName = regexp.MustCompile(`[^A-Za-z0-9._-]`)

// The sizes of pages.
const (
	linesOnPage      = 500
	executionsOnPage = 100
)

type logsPage struct {
	Run     client.Run
	Workers []choice
	Lines   []client.LogLine
	Next    string // address of the lines that follow
	After   bool
	Worker  string
}

// logs is the stored log of a run, from its beginning.
func (s *site) logs(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	p := logsPage{Worker: q.Get("worker")}
	var after time.Time
	if text := q.Get("after"); text != "" {
		var err error
		if after, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return fmt.Errorf("%w: after is %.60q; allowed: a time like 2026-01-31T12:00:00Z", core.ErrInvalid, text)
		}
		p.After = true
	}
	var err error
	if p.Run, err = s.service.Run(r.Context(), r.PathValue("run")); err != nil {
		return err
	}
	if p.Lines, err = s.service.Logs(r.Context(), p.Run.ID, p.Worker, after, linesOnPage); err != nil {
		return err
	}
	if n := len(p.Lines); n == linesOnPage {
		next := q
		next.Set("after", p.Lines[n-1].Time.Format(time.RFC3339Nano))
		p.Next = "?" + next.Encode()
	}
	for i := range p.Run.Workers {
		id := core.WorkerID(i)
		p.Workers = append(p.Workers, choice{id, id, id == p.Worker})
	}
	return s.show(w, r, http.StatusOK, "logs", frame{Title: "Log of " + title(p.Run), Section: "runs", Scripts: []string{"logs.js"}, Body: p})
}

type executionsPage struct {
	Run   client.Run
	Rows  []core.Execution
	Next  string
	After bool
}

// executions is the sampled operations of a run, by start time.
func (s *site) executions(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	p := executionsPage{After: q.Get("after") != ""}
	var err error
	if p.Run, err = s.service.Run(r.Context(), r.PathValue("run")); err != nil {
		return err
	}
	limit := number(q, "limit", executionsOnPage, 1000)
	if p.Rows, err = s.service.Executions(r.Context(), p.Run.ID, q.Get("after"), limit); err != nil {
		return err
	}
	if n := len(p.Rows); n == limit {
		next := q
		next.Set("after", p.Rows[n-1].ID)
		p.Next = "?" + next.Encode()
	}
	return s.show(w, r, http.StatusOK, "executions", frame{Title: "Executions of " + title(p.Run), Section: "runs", Body: p})
}
