package web

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"time"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/controller"
	"github.com/benchfleet/benchfleet/core"
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

func (s *site) download(w http.ResponseWriter, r *http.Request) error {
	d, err := s.service.Document(r.Context(), r.PathValue("run"), r.PathValue("format"))
	return save(w, d, err)
}

func (s *site) downloadComparison(w http.ResponseWriter, r *http.Request) error {
	d, err := s.service.CompareDocument(r.Context(), distinct(r.URL.Query()["run"]), r.PathValue("format"))
	return save(w, d, err)
}

// save answers with a file, which browsers do not show.
func save(w http.ResponseWriter, d controller.Document, err error) error {
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", d.Media)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": d.Name}))
	_, _ = w.Write(d.Body) // one who has gone away
	return nil
}

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
