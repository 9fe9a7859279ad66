// Package web is the pages of the controller: runs as they go on and as they ended,
// templates, and comparisons. It is no framework and has no build step: templates
// of html/template, one style sheet and a little plain JavaScript, all embedded.
//
// Laws: a page is complete as the server sends it, charts included, and a browser
// without scripts can do everything but watch; nothing is loaded from elsewhere and
// nothing is inline, so that the strictest content security policy holds; what is
// stored is shown escaped, by html/template here and as text nodes in scripts.
//
//	pages, err := web.New(service, web.Options{Prefix: "/benchfleet"})
//	handler, err := controller.Handler(service, controller.ServerOptions{Prefix: "/benchfleet", Pages: pages})
package web

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/controller"
	"github.com/benchfleet/benchfleet/core"
)

// Options say how the pages are served.
type Options struct {
	// Prefix is the path that browsers see in front of every page, like /benchfleet.
	Prefix string
}

// site is the pages over a Service.
type site struct {
	service *controller.Service
	prefix  string
	assets  map[string]asset
	pages   map[string]*template.Template
	results kept
	mux     http.Handler
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// New returns the pages of a service. They expect requests that are without the
// prefix and have passed the checks of controller.Handler.
func New(service *controller.Service, o Options) (http.Handler, error) {
	s := &site{service: service, prefix: strings.TrimSuffix(o.Prefix, "/"), assets: loadAssets()}
	var err error
	if s.pages, err = s.parse(); err != nil {
		return nil, fmt.Errorf("%w: the templates of pages: %w", core.ErrInternal, err)
	}
	s.mux = s.routes()
	return s, nil
}

// handle answers one request, or says why it cannot.
type handle func(w http.ResponseWriter, r *http.Request) error

func (s *site) routes() http.Handler {
	mux := http.NewServeMux()
	on := func(pattern string, h handle) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := h(w, r); err != nil {
				s.fail(w, r, err)
			}
		})
	}
	mux.HandleFunc("GET /assets/{name}", s.asset)
	on("GET /{$}", func(w http.ResponseWriter, r *http.Request) error { return s.to(w, r, "/runs") })
	on("GET /runs", s.listRuns)
	on("GET /runs/{run}", s.showRun)
	on("GET /runs/{run}/points", s.points)
	on("GET /runs/{run}/stop", s.askStop)
	on("POST /runs/{run}/start", s.start)
	on("POST /runs/{run}/check", s.checkRun)
	on("POST /runs/{run}/stop", s.stop)
	on("POST /runs/{run}/delete", s.deleteRun)
	on("GET /runs/{run}/logs", s.logs)
	on("GET /runs/{run}/executions", s.executions)
	on("GET /runs/{run}/download/{format}", s.download)
	on("GET /compare", s.compare)
	on("GET /compare/download/{format}", s.downloadComparison)
	on("GET /templates", s.listTemplates)
	on("POST /templates", s.saveNew)
	on("GET /templates/new", s.newTemplate)
	on("POST /templates/check", s.check)
	on("GET /templates/{template}", s.showTemplate)
	on("GET /templates/{template}/edit", s.editTemplate)
	on("POST /templates/{template}/edit", s.save)
	on("POST /templates/{template}/copy", s.copyTemplate)
	on("POST /templates/{template}/delete", s.deleteTemplate)
	on("POST /templates/{template}/run", s.run)
	on("GET /", func(http.ResponseWriter, *http.Request) error {
		return fmt.Errorf("%w: there is no page at this address", core.ErrNotFound)
	})
	return mux
}

// frame is what every page has around what is its own.
type frame struct {
	Title   string
	Section string // of the navigation
	Scripts []string
	Caller  controller.Caller
	Login   bool // there is a session to end
	Body    any
}

// MayWrite reports whether buttons make sense for whoever reads the page.
func (f frame) MayWrite() bool { return f.Caller.Role == controller.Operator }

// show writes a page. It is made in memory first, so that an error is not in the
// middle of it.
func (s *site) show(w http.ResponseWriter, r *http.Request, status int, name string, f frame) error {
	f.Caller = controller.CallerOf(r.Context())
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		f.Login = cookie.Value != ""
	}
	var b bytes.Buffer
	if err := s.pages[name].ExecuteTemplate(&b, "layout", f); err != nil {
		return fmt.Errorf("%w: page %s: %w", core.ErrInternal, name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // one who has gone away
	return nil
}

// sessionCookie is the one of package controller: who has it can log out.
const sessionCookie = "benchfleet_session"

// problemPage is a page that says what went wrong.
type problemPage struct {
	Problem *client.Problem
	Back    string // where to go on
}

func (s *site) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := controller.ProblemOf(err)
	if p.Code == string(core.Internal) {
		s.service.Logger.Error("a page failed", "path", r.URL.Path, "error", err.Error())
	}
	s.Refuse(w, r, p)
}

// Refuse is a page that says what went wrong, and leads back to where it makes sense.
func (s *site) Refuse(w http.ResponseWriter, r *http.Request, p *client.Problem) {
	back := s.prefix + "/runs"
	if strings.HasPrefix(r.URL.Path, "/templates") {
		back = s.prefix + "/templates"
	}
	if id, below, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/runs/"), "/"); below != "" && p.Code != string(core.NotFound) {
		back = s.path("runs", id)
	}
	f := frame{Title: p.Title, Body: problemPage{p, back}}
	if err := s.show(w, r, p.Status, "problem", f); err != nil {
		s.service.Logger.Error("a page failed", "path", r.URL.Path, "error", err.Error())
		http.Error(w, "an internal error happened", http.StatusInternalServerError)
	}
}

// to sends the browser on, to a path without the prefix.
func (s *site) to(w http.ResponseWriter, r *http.Request, path string) error {
	http.Redirect(w, r, s.prefix+path, http.StatusSeeOther)
	return nil
}

// mayWrite refuses viewers a page on which there is only something to do.
func mayWrite(r *http.Request) error {
	if c := controller.CallerOf(r.Context()); c.Role != controller.Operator {
		return fmt.Errorf("%w: %s is a %s, who may only read", core.ErrDenied, c.Name, c.Role)
	}
	return nil
}

// by is who asks.
func by(ctx context.Context) string { return controller.CallerOf(ctx).Name }
