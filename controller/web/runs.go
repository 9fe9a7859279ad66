package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/controller"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/report"
)

// runsOnPage is how many runs a page lists.
const runsOnPage = 50

// groups are what people filter runs by: some statuses together.
var groups = []struct {
	Name, Value string
	Statuses    []core.Status
}{
	{"All", "", nil},
	{"Going on", "active", []core.Status{core.Prepared, core.Starting, core.Running, core.Stopping, core.Cancelling}},
	{"Completed", "completed", []core.Status{core.Completed}},
	{"Cancelled", "cancelled", []core.Status{core.Cancelled}},
	{"Failed", "failed", []core.Status{core.Failed}},
}

type choice struct {
	Name, Value string
	Chosen      bool
}

type runRow struct {
	client.RunSummary
	Took   string
	Active bool
}

type runsPage struct {
	Rows      []runRow
	Search    string
	Template  string // id of the template that runs are filtered by
	Groups    []choice
	Launchers []choice
	Filtered  bool
	Active    bool // something of it changes by itself
	First     bool // it is the first page
	Next      string
	Newest    string // address of the first page
	Min, Max  int    // of what is compared
}

func (s *site) listRuns(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	p := runsPage{Search: q.Get("search"), Template: q.Get("template"), First: q.Get("before") == "", Min: controller.MinCompared, Max: controller.MaxCompared}
	filter := ports.RunFilter{Search: p.Search, Template: p.Template, Launcher: q.Get("launcher"), Before: q.Get("before"), Limit: runsOnPage + 1}
	for _, g := range groups {
		chosen := g.Value == q.Get("status")
		if chosen {
			filter.Status = g.Statuses
		}
		p.Groups = append(p.Groups, choice{g.Name, g.Value, chosen})
	}
	for _, l := range s.service.Launchers {
		p.Launchers = append(p.Launchers, choice{l.Launcher, l.Launcher, l.Launcher == filter.Launcher})
	}
	p.Filtered = filter.Search != "" || filter.Template != "" || filter.Launcher != "" || len(filter.Status) > 0
	runs, err := s.service.Runs(r.Context(), filter)
	if err != nil {
		return err
	}
	address := func(before string) string {
		q := url.Values{"search": {p.Search}, "status": {q.Get("status")}, "launcher": {filter.Launcher}, "template": {p.Template}, "before": {before}}
		for name, values := range q {
			if values[0] == "" {
				q.Del(name)
			}
		}
		return "?" + q.Encode()
	}
	if len(runs) > runsOnPage {
		runs = runs[:runsOnPage]
		p.Next = address(runs[runsOnPage-1].ID)
	}
	p.Newest = address("")
	now := time.Now()
	for _, run := range runs {
		row := runRow{RunSummary: run, Active: !run.Status.Terminal()}
		if run.StartedAt != nil {
			end := now
			if run.EndedAt != nil {
				end = *run.EndedAt
			}
			row.Took = report.Span(max(0, end.Sub(*run.StartedAt)).Round(100 * time.Millisecond))
		}
		p.Active = p.Active || row.Active
		p.Rows = append(p.Rows, row)
	}
	return s.show(w, r, http.StatusOK, "runs", frame{Title: "Runs", Section: "runs", Scripts: []string{"runs.js"}, Body: p})
}

func (s *site) start(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("run")
	if _, err := s.service.StartRun(r.Context(), id, by(r.Context()), "page"); err != nil {
		return err
	}
	return s.to(w, r, "/runs/"+url.PathEscape(id))
}

// askStop is the question whether a run is to be stopped, for browsers without
// scripts.
func (s *site) askStop(w http.ResponseWriter, r *http.Request) error {
	if err := mayWrite(r); err != nil {
		return err
	}
	run, err := s.service.Run(r.Context(), r.PathValue("run"))
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "stop", frame{Title: "Stop " + run.Name, Section: "runs", Body: run})
}

func (s *site) stop(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("run")
	stop := client.StopRun{Reason: r.PostFormValue("reason"), Kill: r.PostFormValue("kill") != ""}
	if len(stop.Reason) > maxReason {
		return fmt.Errorf("%w: the reason has %d bytes; allowed: up to %d", core.ErrInvalid, len(stop.Reason), maxReason)
	}
	if _, err := s.service.StopRun(r.Context(), id, stop, by(r.Context())); err != nil {
		return err
	}
	return s.to(w, r, "/runs/"+url.PathEscape(id))
}

// maxReason bounds the reason of a stop, in bytes.
const maxReason = 1000

func (s *site) deleteRun(w http.ResponseWriter, r *http.Request) error {
	if err := s.service.DeleteRun(r.Context(), r.PathValue("run"), by(r.Context())); err != nil {
		return err
	}
	return s.to(w, r, "/runs")
}

// number reads a number of a query, or takes the default.
func number(q url.Values, name string, otherwise, most int) int {
	n, err := strconv.Atoi(q.Get(name))
	if err != nil || n < 1 {
		return otherwise
	}
	return min(n, most)
}

// distinct are values without those that came before.
func distinct(values []string) []string {
	var list []string
	for _, v := range values {
		if v != "" && !slices.Contains(list, v) {
			list = append(list, v)
		}
	}
	return list
}
