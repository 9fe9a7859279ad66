package controller

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"runtime/debug"
	"strings"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/templatefile"
)

// ServerOptions say how a Service is served.
type ServerOptions struct {
	// Prefix is the path that everything is below, like /benchfleet; empty: none.
	Prefix string
	// Gate decides who comes in; nil: everybody, which is for loopback alone.
	Gate *Gate
	// Pages serves every path that is not the API's; nil: there are none. It gets
	// requests without the prefix, after all checks, and asks CallerOf who it is.
	// It may set headers of its own, such as one that lets a browser keep a file.
	Pages http.Handler
}

// Refuser is what Pages may be: it writes the page that tells people why a request was
// not let in. Without it they see the problem as programs do.
type Refuser interface {
	Refuse(w http.ResponseWriter, r *http.Request, p *client.Problem)
}

// maxBody bounds the body of a request: a template, and what is around it.
const maxBody = templatefile.MaxBytes + 64<<10

// securityHeaders are those of every answer. Nothing is loaded from elsewhere, no
// script or style is inside a page, and no other site shows a page of this one.
var securityHeaders = [][2]string{
	{"Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},
	{"X-Content-Type-Options", "nosniff"},
	{"X-Frame-Options", "DENY"},
	{"Referrer-Policy", "same-origin"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()"},
	{"Cache-Control", "no-store"},
}

var goodPrefix = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)*$`)

// CheckPrefix refuses what is no prefix.
func CheckPrefix(prefix string) error {
	if !goodPrefix.MatchString(strings.TrimSuffix(prefix, "/")) {
		return fmt.Errorf("%w: the prefix is %.100q; allowed: a path like /benchfleet", core.ErrInvalid, prefix)
	}
	return nil
}

// server is what stands in front of the API and the pages.
type server struct {
	prefix string
	gate   *Gate
	health *health
	inside http.Handler // the API and the pages
	pages  Refuser      // nil: nothing refuses on a page
	log    *slog.Logger
}

// Handler serves a Service: the API, and the pages beside it. Every request passes
// the same checks, in this order: is it for this server, is it from another site,
// who asks, may they, is it too large. Errors: Invalid.
func Handler(s *Service, o ServerOptions) (http.Handler, error) {
	if err := CheckPrefix(o.Prefix); err != nil {
		return nil, err
	}
	prefix := strings.TrimSuffix(o.Prefix, "/")
	own := newHealth(s)
	apis, err := apiHandler(s, prefix, own)
	if err != nil {
		return nil, err
	}
	inside := http.NewServeMux()
	inside.Handle("/api/", apis)
	inside.Handle("/api", apis) // which has nothing there
	if o.Pages != nil {
		inside.Handle("/", o.Pages)
	} else {
		inside.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
			writeProblem(w, problem(string(core.NotFound), "there is nothing at this path; see "+prefix+"/api/openapi.json"))
		})
	}
	gate := o.Gate
	if gate == nil {
		gate = &Gate{Hosts: LoopbackHosts()}
	}
	v := &server{prefix: prefix, gate: gate, health: own, inside: inside, log: s.Logger}
	v.pages, _ = o.Pages.(Refuser)
	sameSite := http.NewCrossOriginProtection()
	sameSite.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, problem(string(core.Denied), "requests from other sites are refused"))
	}))
	return v.outermost(sameSite.Handler(http.HandlerFunc(v.admit))), nil
}

// outermost takes the prefix away, sets the headers of every answer, and keeps a
// defect in one request from being more than that.
func (s *server) outermost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, h := range securityHeaders {
			w.Header().Set(h[0], h[1])
		}
		defer s.recovered(w, r)
		if !s.gate.knows(r) && r.URL.Path != s.prefix+"/health" {
			writeProblem(w, problem(string(core.Denied), "this server has another name; a controller on loopback is asked for as localhost"))
			return
		}
		rest, below := strings.CutPrefix(r.URL.Path, s.prefix)
		switch {
		case below && rest == "":
			http.Redirect(w, r, s.prefix+"/", http.StatusPermanentRedirect)
		case !below || rest[0] != '/':
			writeProblem(w, problem(string(core.NotFound), "everything is below "+s.prefix+"/"))
		case path.Clean(rest) != strings.TrimSuffix(rest, "/") && rest != "/": // nothing that is served is written so
			writeProblem(w, problem(string(core.NotFound), "there is nothing at this path"))
		default:
			http.StripPrefix(s.prefix, next).ServeHTTP(w, r)
		}
	})
}

func (s *server) recovered(w http.ResponseWriter, r *http.Request) {
	found := recover()
	if found == nil {
		return
	}
	if found == http.ErrAbortHandler { // meant
		panic(found)
	}
	stack := debug.Stack()
	s.log.Error("a request failed by a defect", "method", r.Method, "path", r.URL.Path, "defect", fmt.Sprint(found), "stack", string(bytes.ToValidUTF8(stack[:min(len(stack), 8<<10)], nil)))
	writeProblem(w, problem(string(core.Internal), "an internal error happened; the log of the controller says which"))
}

// admit lets a request in, or says why not.
func (s *server) admit(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/health":
		s.health.ServeHTTP(w, r)
		return
	case "/login":
		s.login(w, r)
		return
	}
	if safe(r.Method) && strings.HasPrefix(r.URL.Path, "/assets/") { // the looks of pages, the login among them, and nobody's secret
		s.inside.ServeHTTP(w, r)
		return
	}
	caller, ok := s.gate.caller(r)
	switch {
	case !ok:
		s.stranger(w, r)
		return
	case r.URL.Path == "/logout" && !safe(r.Method):
		s.logout(w, r)
		return
	case !caller.Role.May(r.Method):
		s.refuse(w, r.WithContext(withCaller(r.Context(), caller)), problem(string(core.Denied), fmt.Sprintf("%s is a %s, who may only read", caller.Name, caller.Role)))
		return
	}
	r = r.WithContext(withCaller(r.Context(), caller))
	if r.ContentLength > maxBody {
		writeProblem(w, problem(codeTooLarge, fmt.Sprintf("the body has %d bytes; allowed: up to %d", r.ContentLength, maxBody)))
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	s.inside.ServeHTTP(w, r)
}

// stranger answers somebody who may not come in: a browser is sent to log in.
func (s *server) stranger(w http.ResponseWriter, r *http.Request) {
	if s.gate.Tokens != nil && safe(r.Method) && forPeople(r) {
		next := s.prefix + "/login"
		if r.URL.Path != "/" {
			next += "?next=" + url.QueryEscape(r.URL.RequestURI())
		}
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	if s.gate.Tokens != nil {
		w.Header().Set("WWW-Authenticate", `Bearer realm="benchfleet"`)
	}
	why := "a token is needed, in the header Authorization: Bearer TOKEN"
	if s.gate.Tokens == nil {
		why = "Snowflake does not say who you are: come through the endpoint of the service"
	}
	s.refuse(w, r, problem(codeUnauthenticated, why))
}

// refuse says why a request is not let in, to people on a page.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, p *client.Problem) {
	if s.pages != nil && forPeople(r) {
		s.pages.Refuse(w, r, p)
		return
	}
	writeProblem(w, p)
}

// forPeople reports whether a browser shows the answer.
func forPeople(r *http.Request) bool {
	return !strings.HasPrefix(r.URL.Path, "/api/") && strings.Contains(r.Header.Get("Accept"), "text/html")
}
