package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/controller"
	"github.com/benchfleet/benchfleet/controller/web"
	"github.com/benchfleet/benchfleet/core"
	"github.com/matryer/is"
)

const evil = `"><script>alert(1)</script>{{.}}`

var short = `name: short
description: '` + evil + `'
target: {kind: sqlite}
table: {name: BENCH, rows: 100}
load: {workers: 2, connections: 2, duration: 10s}
mix: [{kind: POINT_LOOKUP, weight: 100}]
`

// site is the pages of a controller over a store in memory, below a prefix.
type site struct {
	t       *testing.T
	handler http.Handler
	service *controller.Service
	store   *memory.Store
}

func newSite(t *testing.T) *site {
	t.Helper()
	is := is.New(t)
	runs, store := 0, memory.NewStore(memory.Options{})
	service, err := controller.New(store, controller.Options{
		Launchers: []controller.Launcher{{Resolution: core.Resolution{Launcher: "local", StartTimeout: time.Minute}}},
		NewRunID:  func() string { runs++; return fmt.Sprintf("run-%d", runs) },
		Build:     core.Build{ID: "build-1"}, Location: "memory",
	})
	is.NoErr(err)
	t.Cleanup(service.Close)
	pages, err := web.New(service, web.Options{Prefix: "/bench"})
	is.NoErr(err)
	handler, err := controller.Handler(service, controller.ServerOptions{Prefix: "/bench", Pages: pages})
	is.NoErr(err)
	return &site{t: t, handler: handler, service: service, store: store}
}

func (s *site) get(path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost/bench"+path, nil))
	return w
}

func (s *site) post(path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "http://localhost/bench"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

var (
	addresses = regexp.MustCompile(`(?:href|src|action|data-stream|data-points|data-check)="([^"]*)"`)
	inline    = regexp.MustCompile(`<script(?:>| [^>]*>)[^<]|<style|\sstyle=|\son[a-z]+=`)
)

// page reads a page and checks what holds of each: it can be loaded below a prefix,
// nothing is inline or from elsewhere, and nothing that is stored became markup.
func (s *site) page(path string, status int) string {
	s.t.Helper()
	w := s.get(path)
	text := w.Body.String()
	if w.Code != status || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
		s.t.Fatalf("%s: %d %s: %.500s", path, w.Code, w.Header().Get("Content-Type"), text)
	}
	if !strings.Contains(w.Header().Get("Content-Security-Policy"), "script-src 'self'; style-src 'self'") {
		s.t.Errorf("%s: the policy is %s", path, w.Header().Get("Content-Security-Policy"))
	}
	for _, found := range addresses.FindAllStringSubmatch(text, -1) {
		if a := found[1]; !strings.HasPrefix(a, "/bench/") && !strings.HasPrefix(a, "#") && !strings.HasPrefix(a, "?") {
			s.t.Errorf("%s: the address %q is not below the prefix", path, a)
		}
		if strings.HasPrefix(found[1], "/bench/assets/") {
			if got := s.get(strings.TrimPrefix(strings.ReplaceAll(found[1], "&amp;", "&"), "/bench")); got.Code != http.StatusOK || !strings.Contains(got.Header().Get("Cache-Control"), "immutable") {
				s.t.Errorf("%s: %s: %d", path, found[1], got.Code)
			}
		}
	}
	if strings.Contains(text, "<script>alert") {
		s.t.Errorf("%s: a stored text became markup", path)
	}
	if found := inline.FindString(text); found != "" {
		s.t.Errorf("%s: something is inline: %s", path, found)
	}
	return text
}

// TestPages: every page over what a store has, from a template to a stopped run.
func TestPages(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	is.True(strings.Contains(s.page("/runs", 200), "There are no runs yet"))
	is.True(strings.Contains(s.page("/templates", 200), "There are no templates yet"))
	s.page("/templates/new", 200)
	is.True(strings.Contains(s.page("/templates/new?from=oltp", 200), "An order desk"))

	w := s.post("/templates", url.Values{"text": {short}, "do": {"save"}})
	is.Equal(w.Code, http.StatusSeeOther)
	is.Equal(w.Header().Get("Location"), "/bench/templates/short")
	w = s.post("/templates", url.Values{"text": {"name: x\nloads: {}\n"}, "do": {"save"}})
	is.Equal(w.Code, http.StatusUnprocessableEntity)
	is.True(strings.Contains(w.Body.String(), `data-line="2"`))                    // said inline, beside the text
	is.True(strings.Contains(w.Body.String(), `</button> target.kind is missing`)) // and once
	w = s.post("/templates", url.Values{"text": {short}, "do": {"save"}})
	is.Equal(w.Code, http.StatusConflict) // there is one already
	s.page("/templates", 200)
	s.page("/templates/short", 200)
	s.page("/templates/short/edit", 200)
	is.Equal(s.post("/templates/short/copy", url.Values{"name": {"other"}}).Code, http.StatusSeeOther)
	is.Equal(s.post("/templates/other/delete", nil).Code, http.StatusSeeOther)
	s.page("/templates/other", 404)

	form := url.Values{"key": {"once"}, "do": {"prepare"}, "set": {"load.workers=3\n\n"}}
	first, again := s.post("/templates/short/run", form), s.post("/templates/short/run", form)
	is.Equal(first.Code, http.StatusSeeOther)
	is.Equal(first.Header().Get("Location"), again.Header().Get("Location")) // a form that is sent twice makes one run
	run := strings.TrimPrefix(first.Header().Get("Location"), "/bench")
	live := s.page(run, 200)
	is.True(strings.Contains(live, `class="status prepared"`))
	is.Equal(strings.Count(live, `<li class="worker"`), 3)
	is.Equal(s.get(run+"/points").Code, http.StatusOK)
	s.page(run+"/stop", 200)
	s.page(run+"/logs", 200)
	s.page(run+"/executions", 200)
	is.True(strings.Contains(s.page("/runs?search=short&status=active", 200), `data-refresh`))
	is.True(strings.Contains(s.page("/runs?status=failed", 200), "No run is like this"))

	is.Equal(s.post(run+"/stop", url.Values{"reason": {evil}}).Code, http.StatusSeeOther)
	ended := s.page(run, 200)
	is.True(strings.Contains(ended, `class="status cancelled"`))
	is.True(strings.Contains(ended, "&lt;script&gt;"))
	is.Equal(s.get(run+"/download/html").Code, http.StatusOK)
	is.Equal(s.post(run+"/delete", nil).Code, http.StatusSeeOther)
	s.page(run, 404)
	s.page("/compare?run=a", 422)
	s.page("/nothing", 404)
}

// TestCheck: fields change the text, and what cannot be says why.
func TestCheck(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	w := s.post("/templates/check", url.Values{"text": {short}, "field.load.workers": {"5"}, "field.load.warmup": {""}})
	is.True(strings.Contains(w.Body.String(), `workers: 5`))
	is.True(strings.Contains(w.Body.String(), `"problems":[]`))
	w = s.post("/templates/check", url.Values{"text": {short}, "field.load.duration": {"ten"}})
	is.True(strings.Contains(w.Body.String(), `load.duration`))
	is.True(!strings.Contains(w.Body.String(), `"problems":[]`))
	w = s.post("/templates/check", url.Values{"text": {"\x00"}})
	is.Equal(w.Code, http.StatusOK)
}

// TestLongReason: what is too long is refused, and the run goes on.
func TestLongReason(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	template, err := controller.ParseTemplate([]byte(short))
	is.NoErr(err)
	_, err = s.service.CreateTemplate(t.Context(), template)
	is.NoErr(err)
	run, err := s.service.CreateRun(t.Context(), client.NewRun{Template: "short"}, "ada", "")
	is.NoErr(err)
	w := s.post("/runs/"+run.ID+"/stop", url.Values{"reason": {strings.Repeat("x", 2000)}})
	is.Equal(w.Code, http.StatusUnprocessableEntity)
	run, err = s.service.Run(t.Context(), run.ID)
	is.NoErr(err)
	is.Equal(run.Status, core.Prepared)
}

// TestCheckButton: a prepared run can be checked, and says that it is being checked.
func TestCheckButton(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	text, err := controller.BuiltInText("oltp")
	is.NoErr(err)
	template, err := controller.ParseTemplate(text)
	is.NoErr(err)
	_, err = s.service.CreateTemplate(t.Context(), template)
	is.NoErr(err)
	run, err := s.service.CreateRun(t.Context(), client.NewRun{Template: "oltp"}, "ada", "")
	is.NoErr(err)
	page := s.get("/runs/" + run.ID).Body.String()
	is.True(strings.Contains(page, ">Check</button>"))
	posted := s.post("/runs/"+run.ID+"/check", nil)
	is.Equal(posted.Code, http.StatusSeeOther)
	page = s.get("/runs/" + run.ID).Body.String()
	is.True(strings.Contains(page, "disabled") && strings.Contains(page, ">Checking…</button>"))
	_, err = s.service.StartRun(t.Context(), run.ID, "ada", "")
	is.NoErr(err)
	is.True(s.post("/runs/"+run.ID+"/check", nil).Code >= http.StatusBadRequest) // the start makes them
}
