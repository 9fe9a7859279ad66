package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/controller"
	"github.com/benchfleet/benchfleet/controller/web"
	"github.com/benchfleet/benchfleet/core"
)

// TestViewer: a viewer reads every page and finds no button that would be refused;
// pages on which there is only something to do are refused, and so is doing it.
func TestViewer(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	is.Equal(s.post("/templates", url.Values{"text": {short}, "do": {"save"}}).Code, http.StatusSeeOther)
	run := strings.TrimPrefix(s.post("/templates/short/run", url.Values{"key": {"once"}, "do": {"prepare"}}).Header().Get("Location"), "/bench")
	operators := s.page(run, 200)
	for _, button := range []string{`id="start"`, `id="check"`, `id="stop"`, `id="stop-dialog"`} {
		is.True(strings.Contains(operators, button))
	}

	pages, err := web.New(s.service, web.Options{Prefix: "/bench"})
	is.NoErr(err)
	inner, err := controller.Handler(s.service, controller.ServerOptions{Prefix: "/bench", Pages: pages, Gate: &controller.Gate{Ingress: true, Operators: []string{"ADA"}}})
	is.NoErr(err)
	s.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Sf-Context-Current-User", "EVE")
		inner.ServeHTTP(w, r)
	})
	for _, path := range []string{"/runs", "/templates", "/templates/short", run, run + "/logs", run + "/executions"} {
		text := s.page(path, 200)
		is.True(strings.Contains(text, "EVE · viewer")) // it says who reads it
		is.True(!strings.Contains(text, `method="post"`))
		is.True(!strings.Contains(text, `/stop"`))
		is.True(!strings.Contains(text, `/templates/new"`))
	}
	for _, path := range []string{"/templates/new", "/templates/short/edit", run + "/stop"} {
		is.True(strings.Contains(s.page(path, 403), "EVE is a viewer, who may only read"))
	}
	is.Equal(s.post(run+"/stop", nil).Code, http.StatusForbidden)
	record, err := s.service.Run(t.Context(), strings.TrimPrefix(run, "/runs/"))
	is.NoErr(err)
	is.Equal(record.Status, core.Prepared)
}

// TestRefused: people are told on a page why they were not let in, programs as they
// are used to.
func TestRefused(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	pages, err := web.New(s.service, web.Options{Prefix: "/bench"})
	is.NoErr(err)
	handler, err := controller.Handler(s.service, controller.ServerOptions{Prefix: "/bench", Pages: pages, Gate: &controller.Gate{Ingress: true}})
	is.NoErr(err)
	ask := func(method, path, user, accept string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "http://localhost/bench"+path, nil)
		r.Header.Set("Accept", accept)
		if user != "" {
			r.Header.Set("Sf-Context-Current-User", user)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	viewer := ask(http.MethodPost, "/runs/x/stop", "<i>EVE", "text/html,*/*")
	is.Equal(viewer.Code, http.StatusForbidden)
	is.True(strings.Contains(viewer.Body.String(), "<h1>Not allowed</h1>"))
	is.True(strings.Contains(viewer.Body.String(), "&lt;i&gt;EVE is a viewer, who may only read"))
	is.True(strings.Contains(viewer.Body.String(), `href="/bench/runs/x"`)) // back to the run
	nobody := ask(http.MethodGet, "/runs", "", "text/html,*/*")
	is.Equal(nobody.Code, http.StatusUnauthorized)
	is.True(strings.Contains(nobody.Body.String(), "Snowflake does not say who you are"))
	for _, w := range []*httptest.ResponseRecorder{
		ask(http.MethodPost, "/runs/x/stop", "EVE", "application/json"), ask(http.MethodPost, "/api/v1/runs", "EVE", "text/html"), ask(http.MethodGet, "/runs", "", "*/*"),
	} {
		is.Equal(w.Header().Get("Content-Type"), "application/problem+json")
	}
}

// TestLocked: the form of a template that was used can send nothing.
func TestLocked(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	is.Equal(s.post("/templates", url.Values{"text": {short}, "do": {"save"}}).Code, http.StatusSeeOther)
	is.True(strings.Contains(s.page("/templates/short/edit", 200), `value="save"`))
	stored, err := s.service.Template(t.Context(), "short")
	is.NoErr(err)
	is.NoErr(s.store.Templates().Used(t.Context(), stored.ID))
	edit := s.page("/templates/short/edit", 200)
	is.True(!strings.Contains(edit, `value="save"`))
	is.True(strings.Contains(edit, "<fieldset disabled>"))
	is.True(strings.Contains(edit, `/bench/templates/short#copy`))
}

// TestSteps: a page that is opened in the middle of a search has the steps so far.
func TestSteps(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	is.Equal(s.post("/templates", url.Values{"text": {short}, "do": {"save"}}).Code, http.StatusSeeOther)
	run := strings.TrimPrefix(s.post("/templates/short/run", url.Values{"key": {"once"}, "do": {"prepare"}}).Header().Get("Location"), "/bench")
	live := s.page(run, 200)
	is.True(strings.Contains(live, `id="step-section" hidden`))
	is.True(strings.Contains(live, "nothing is measured yet"))
	is.True(strings.Contains(live, "None so far: they begin with the start."))
	is.NoErr(s.store.AppendSteps(t.Context(), []core.ControllerStep{{
		RunID: strings.TrimPrefix(run, "/runs/"), Type: core.StepFindMax, Number: 1, FromConnections: 4, ToConnections: 8, QPS: 123.4, P95: 7 * time.Millisecond, Outcome: "<script>alert(1)</script>",
	}}))
	live = s.page(run, 200)
	is.True(!strings.Contains(live, `id="step-section" hidden`))
	for _, want := range []string{`data-step="FIND_MAX/1"`, "4 → 8", "123 op/s", "7.00ms", "&lt;script&gt;"} {
		if !strings.Contains(live, want) {
			t.Errorf("the page has no %s", want)
		}
	}
}
