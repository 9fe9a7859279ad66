package controller_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/controller"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/matryer/is"
)

// endpoint is one operation of the API, as its own document has it.
type endpoint struct {
	method, path string
	parameters   []parameter
	body         bool
}

type parameter struct{ Name, In string }

// endpoints are all operations, so that a new one is attacked as well.
func (s *site) endpoints(changes ...func(*http.Request)) (list []endpoint) {
	s.t.Helper()
	var d struct {
		Paths map[string]map[string]struct {
			Parameters  []parameter
			RequestBody *struct{}
		}
	}
	s.must(json.Unmarshal([]byte(s.ask(http.MethodGet, "/api/openapi.json", "", changes...).body), &d))
	for path, methods := range d.Paths {
		for method, o := range methods {
			list = append(list, endpoint{strings.ToUpper(method), "/api/v1" + path, o.Parameters, o.RequestBody != nil})
		}
	}
	if len(list) < 25 {
		s.t.Fatalf("the document has %d operations", len(list))
	}
	return list
}

// filled is the path with its parameters replaced.
func (e endpoint) filled(value string) string {
	path := e.path
	for _, p := range e.parameters {
		path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(value))
	}
	return path
}

// TestOtherSites: no page of another site makes this server do anything, whatever a
// browser sends along, and none that has its own name lead here reads anything.
func TestOtherSites(t *testing.T) {
	s := newSite(t, controller.ServerOptions{})
	id := s.run().ID
	for _, e := range s.endpoints() {
		for name, change := range map[string]func(*http.Request){
			"Sec-Fetch-Site": header("Sec-Fetch-Site", "cross-site"), "a neighbour": header("Sec-Fetch-Site", "same-site"),
			"Origin": header("Origin", "https://evil.example"), "no origin": header("Origin", "null"),
		} {
			if e.method == http.MethodGet {
				continue
			}
			got := s.ask(e.method, e.filled(id), "{}", change, header("Content-Type", "text/plain"))
			if got.status != http.StatusForbidden || got.problem(t).Code != "Denied" {
				t.Errorf("%s %s with %s: %d %s", e.method, e.path, name, got.status, got.body)
			}
		}
		for _, host := range []string{"evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "[::1].evil"} {
			got := s.ask(e.method, e.filled(id), "", func(r *http.Request) { r.Host = host })
			if got.status != http.StatusForbidden && got.status != http.StatusBadRequest {
				t.Errorf("%s %s as %q: %d %s", e.method, e.path, host, got.status, got.body)
			}
		}
	}
	is := is.New(t)
	is.Equal(s.ask(http.MethodPost, "/api/v1/runs/"+id+"/start", "", header("Sec-Fetch-Site", "same-origin")).status, http.StatusAccepted)
}

// TestGate: without a token nobody comes in, a viewer changes nothing, and what
// looks like a token is none.
func TestGate(t *testing.T) {
	is := is.New(t)
	operator, one, err := controller.NewToken(controller.Operator, "ada")
	is.NoErr(err)
	viewer, two, err := controller.NewToken(controller.Viewer, "wall")
	is.NoErr(err)
	tokens, err := controller.ParseTokens([]byte("# who\n\n" + one + two))
	is.NoErr(err)
	is.True(!strings.Contains(one, operator)) // only its hash
	s := newSite(t, controller.ServerOptions{Gate: &controller.Gate{Tokens: tokens}, Prefix: "/bench"})
	id := s.run().ID
	bearer := func(token string) func(*http.Request) { return header("Authorization", "Bearer "+token) }

	for _, e := range s.endpoints(bearer(viewer)) {
		for name, change := range map[string]func(*http.Request){
			"nothing": func(*http.Request) {}, "another token": bearer(operator + "x"), "an empty one": bearer(""), "a hash": bearer(strings.Fields(one)[2]),
			"another scheme": header("Authorization", "Basic "+operator), "the ingress": header("Sf-Context-Current-User", "ADA"),
			"a cookie": header("Cookie", "benchfleet_session="+operator), "a query": func(r *http.Request) { r.URL.RawQuery = "token=" + operator },
			"a long one": bearer(strings.Repeat("x", 20_000)),
		} {
			got := s.ask(e.method, e.filled(id), "", change)
			if got.status != http.StatusUnauthorized {
				t.Errorf("%s %s with %s: %d", e.method, e.path, name, got.status)
			}
		}
		if e.method == http.MethodGet {
			continue
		}
		if got := s.ask(e.method, e.filled(id), "{}", bearer(viewer)); got.status != http.StatusForbidden {
			t.Errorf("a viewer may %s %s: %d", e.method, e.path, got.status)
		}
	}
	is.Equal(s.ask(http.MethodGet, "/api/v1/runs", "").problem(t).Code, "Unauthenticated")
	is.Equal(s.ask(http.MethodGet, "/api/v1/runs", "", bearer(viewer)).status, http.StatusOK)
	is.Equal(s.ask(http.MethodPost, "/api/v1/runs/"+id+"/start", "", bearer(operator)).status, http.StatusAccepted)
	is.Equal(s.ask(http.MethodGet, "/health", "").status, http.StatusOK) // platforms have no token
	_, err = s.as("wrong").Runs(t.Context(), client.RunFilter{})
	is.Equal(core.CodeOf(err), core.Denied)
	_, err = s.as(operator).StopRun(t.Context(), id, client.StopRun{})
	is.NoErr(err)
	run, err := s.service.Run(t.Context(), id)
	is.NoErr(err)
	is.Equal(run.StopBy, "ada") // who it was
	for _, secret := range []string{operator, viewer} {
		is.True(!strings.Contains(s.log.String(), secret)) // never in a log
	}
}

// TestLogin: a browser shows its token once, gets a cookie that no script reads, and
// loses it when it logs out. It is sent nowhere else.
func TestLogin(t *testing.T) {
	is := is.New(t)
	token, line, err := controller.NewToken(controller.Viewer, "ada")
	is.NoErr(err)
	tokens, err := controller.ParseTokens([]byte(line))
	is.NoErr(err)
	s := newSite(t, controller.ServerOptions{Gate: &controller.Gate{Tokens: tokens}, Prefix: "/bench"})
	page := func(r *http.Request) { r.Header.Set("Accept", "text/html") }
	form := func(values url.Values) answer {
		return s.ask(http.MethodPost, "/login", values.Encode(), header("Content-Type", "application/x-www-form-urlencoded"))
	}
	asked := s.ask(http.MethodGet, "/runs?status=RUNNING", "", page)
	is.Equal(asked.status, http.StatusSeeOther)
	is.Equal(asked.header.Get("Location"), "/bench/login?next=%2Fruns%3Fstatus%3DRUNNING")
	shown := s.ask(http.MethodGet, `/login?next=/"><script>alert(1)</script>`, "", page)
	is.Equal(shown.status, http.StatusOK)
	is.True(!strings.Contains(shown.body, "<script"))
	is.Equal(form(url.Values{"token": {"wrong"}, "next": {"/runs"}}).status, http.StatusUnauthorized)
	is.Equal(s.ask(http.MethodPost, "/login", "token="+token, header("Content-Type", "application/x-www-form-urlencoded"), header("Sec-Fetch-Site", "cross-site")).status, http.StatusForbidden)

	in := form(url.Values{"token": {token}, "next": {"/runs?status=RUNNING"}})
	is.Equal(in.status, http.StatusSeeOther)
	is.Equal(in.header.Get("Location"), "/bench/runs?status=RUNNING")
	cookie := in.header.Get("Set-Cookie")
	is.True(strings.Contains(cookie, "HttpOnly") && strings.Contains(cookie, "SameSite=Strict") && strings.Contains(cookie, "Path=/bench/"))
	is.True(!strings.Contains(cookie, token))
	session, _, _ := strings.Cut(cookie, ";")
	is.Equal(s.ask(http.MethodGet, "/api/v1/runs", "", header("Cookie", session)).status, http.StatusOK)
	is.Equal(s.ask(http.MethodPost, "/api/v1/runs", "{}", header("Cookie", session)).status, http.StatusForbidden) // a viewer
	for _, next := range []string{"//evil.example", "https://evil.example", `/\evil.example`, "/\r\nSet-Cookie: x=y", "javascript:alert(1)", ""} {
		is.Equal(form(url.Values{"token": {token}, "next": {next}}).header.Get("Location"), "/bench/")
	}
	is.Equal(s.ask(http.MethodPost, "/logout", "", header("Cookie", session)).status, http.StatusSeeOther)
	is.Equal(s.ask(http.MethodGet, "/api/v1/runs", "", header("Cookie", session)).status, http.StatusUnauthorized)
	is.True(!strings.Contains(s.log.String(), token))
}

// TestIngress: inside Snowflake its ingress says who comes.
func TestIngress(t *testing.T) {
	is := is.New(t)
	s := newSite(t, controller.ServerOptions{Gate: &controller.Gate{Ingress: true, Operators: []string{"Ada"}}})
	id := s.run().ID
	as := func(user string) func(*http.Request) { return header("Sf-Context-Current-User", user) }
	is.Equal(s.ask(http.MethodGet, "/api/v1/runs", "").status, http.StatusUnauthorized)
	is.Equal(s.ask(http.MethodGet, "/api/v1/runs", "", as(" ")).status, http.StatusUnauthorized)
	is.Equal(s.ask(http.MethodGet, "/api/v1/runs", "", as(strings.Repeat("x", 300))).status, http.StatusUnauthorized)
	is.Equal(s.ask(http.MethodGet, "/api/v1/runs", "", func(r *http.Request) {
		r.Header["Sf-Context-Current-User"] = []string{"EVE", "ADA"}
	}).status, http.StatusUnauthorized)
	is.Equal(s.ask(http.MethodGet, "/api/v1/runs", "", as("EVE")).status, http.StatusOK)
	is.Equal(s.ask(http.MethodPost, "/api/v1/runs/"+id+"/stop", "{}", as("EVE")).status, http.StatusForbidden)
	is.Equal(s.ask(http.MethodPost, "/api/v1/runs/"+id+"/stop", "{}", as("ADA")).status, http.StatusAccepted)
	is.True(strings.Contains(s.ask(http.MethodGet, "/api/v1/runs/"+id, "", as("EVE")).body, `"stop_by":"ADA"`))
}

// TestTokenFiles: a file that is not right lets nobody in, and no message repeats
// what may be a token.
func TestTokenFiles(t *testing.T) {
	is := is.New(t)
	token, line, err := controller.NewToken(controller.Operator, "ada")
	is.NoErr(err)
	fields := strings.Fields(line)
	for _, text := range []string{
		"", "# nobody\n", "operator ada\n", "king ada " + fields[2], "operator a/b " + fields[2], "operator ada " + token,
		"operator ada sha256:" + token, "operator ada sha256:12", line + " x", "operator ada md5:" + fields[2],
		strings.Repeat(line, 1001), strings.Repeat("x", 1<<20),
	} {
		_, err := controller.ParseTokens([]byte(text))
		is.Equal(core.CodeOf(err), core.Invalid)
		is.True(!strings.Contains(err.Error(), token))
	}
	_, _, err = controller.NewToken("king", "ada")
	is.Equal(core.CodeOf(err), core.Invalid)
	_, _, err = controller.NewToken(controller.Viewer, "a\nb")
	is.Equal(core.CodeOf(err), core.Invalid)
}

// evil is what people put into fields to see what happens.
var evil = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' OR '1'='1`, `'; DROP TABLE RUN_STATUS; --`, `1; SELECT 1`, `" OR ""="`,
	"../../etc/passwd", `..\..\x`, "%2e%2e%2f", "a/b", "\x00", "\r\nX: y", "\u202e", "{{.}}", "${x}", strings.Repeat("x", 150), "-1", "NaN", "1e999", "9223372036854775808",
}

// TestParameters: whatever is in a parameter, the answer is one of success or a
// problem that says what is wrong: nothing fails, nothing is answered as a page.
func TestParameters(t *testing.T) {
	s := newSite(t, controller.ServerOptions{})
	id := s.run().ID
	check := func(what string, got answer) {
		if got.status >= 500 {
			t.Errorf("%s: %d %s", what, got.status, got.body)
		}
		if media := got.header.Get("Content-Type"); got.status >= 400 && got.status != http.StatusBadRequest && media != "application/problem+json" {
			t.Errorf("%s: %d %s %s", what, got.status, media, got.body)
		}
		if strings.Contains(got.header.Get("Content-Type"), "html") && got.header.Get("Content-Disposition") == "" || strings.Contains(got.body, "<script>") {
			t.Errorf("%s is answered with a page: %s", what, got.body)
		}
		for _, name := range []string{"Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy"} {
			if got.header.Get(name) == "" && got.status != http.StatusBadRequest {
				t.Errorf("%s: no %s", what, name)
			}
		}
	}
	for _, e := range s.endpoints() {
		if strings.HasSuffix(e.path, "/stream") {
			continue // it does not end; see TestStreamRefuses
		}
		for _, text := range evil {
			check(e.method+" "+e.path+" of "+text, s.ask(e.method, e.filled(text), "", header("Content-Type", "application/json")))
			for _, p := range e.parameters {
				path := e.filled(id)
				switch p.In {
				case "query":
					path += "?" + url.Values{p.Name: {text, text}}.Encode()
					check(fmt.Sprintf("%s %s with %s=%q", e.method, e.path, p.Name, text), s.ask(e.method, path, "{}"))
				case "header":
					if !strings.ContainsAny(text, "\x00\r\n") { // no client sends those
						check(fmt.Sprintf("%s %s with %s: %q", e.method, e.path, p.Name, text), s.ask(e.method, path, "{}", header(p.Name, text)))
					}
				}
			}
		}
	}
}

// TestBodies: whatever is in a body, the answer is a problem and nothing is stored.
func TestBodies(t *testing.T) {
	is := is.New(t)
	s := newSite(t, controller.ServerOptions{})
	id := s.run().ID
	bodies := append([]string{
		"", "null", "[]", "1", `"x"`, "{", `{"template":1}`, `{"template":"short","nope":1}`, `{"template":["short"]}`, `{"template":{}}`,
		`{"template":"short","set":"x"}`, `{"template":"short","start":"yes"}`, `{"template":"short","template":"short"} x`, "\xff\xfe", "name: [",
		strings.Repeat("[", 100_000), strings.Repeat(`{"a":`, 50_000), `{"reason":"` + strings.Repeat("x", 5000) + `"}`, "a: &a [*a]", "!!binary x",
	}, evil...)
	for _, e := range s.endpoints() {
		if !e.body {
			continue
		}
		for _, body := range bodies {
			for _, media := range []string{"application/json", "application/yaml", "text/html", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", ";"} {
				got := s.ask(e.method, e.filled(id), body, header("Content-Type", media))
				if got.status >= 500 {
					t.Errorf("%s %s of %.60q as %s: %d %s", e.method, e.path, body, media, got.status, got.body)
				}
			}
		}
		large := s.ask(e.method, e.filled(id), strings.Repeat("x", 3<<20), header("Content-Type", "application/json"))
		is.Equal(large.status, http.StatusRequestEntityTooLarge)
		is.Equal(large.problem(t).Code, "TooLarge")
		pipe, fill := io.Pipe() // of unknown length
		go func() {
			_, err := io.Copy(fill, io.LimitReader(zeros{}, 8<<20))
			fill.CloseWithError(err)
		}()
		r, err := http.NewRequestWithContext(t.Context(), e.method, s.base+e.filled(id), pipe)
		is.NoErr(err)
		r.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(r)
		if err == nil { // or it was cut off while it sent
			is.Equal(response.StatusCode, http.StatusRequestEntityTooLarge)
			is.NoErr(response.Body.Close())
		}
		is.NoErr(pipe.Close())
	}
	templates, err := s.client.Templates(t.Context())
	is.NoErr(err)
	is.Equal(len(templates.Items), 1)
	runs, err := s.client.Runs(t.Context(), client.RunFilter{})
	is.NoErr(err)
	is.Equal(len(runs.Items), 1)
}

// zeros never end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestPaths: no way leads out of what is served.
func TestPaths(t *testing.T) {
	s := newSite(t, controller.ServerOptions{Prefix: "/bench"})
	address := strings.TrimSuffix(strings.TrimPrefix(s.base, "http://"), "/bench")
	for _, path := range []string{
		"/", "/benchmark", "/bench/../etc/passwd", "/bench/%2e%2e/%2e%2e/etc/passwd", "/bench/api/v1/../../../etc/passwd", "//etc/passwd",
		"/bench/api/v1/templates/..%2f..%2fetc%2fpasswd", "/bench/api/v1/library/..%2f..%2flibrary.go", "/bench/api/v1/library/%2e%2e", "/bench/api/v1/library/oltp.yaml",
		`/bench/api/v1/library/..\..\x`, "/bench//api/v1/runs", "/bench/./api/v1/runs", "/bench/api/v1/runs/%00", "/api/v1/runs", "/bench/api/v2/runs", "/bench/api",
	} {
		conn, err := net.Dial("tcp", address)
		s.must(err)
		s.must(conn.SetDeadline(time.Now().Add(10 * time.Second)))
		_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path) // as it stands
		s.must(err)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		s.must(err)
		body, err := io.ReadAll(response.Body)
		s.must(err)
		s.must(conn.Close())
		if response.StatusCode == http.StatusOK || strings.Contains(string(body), "root:") {
			t.Errorf("%s is answered %d: %s", path, response.StatusCode, body)
		}
		if to := response.Header.Get("Location"); to != "" && !strings.HasPrefix(to, "/bench/") {
			t.Errorf("%s leads to %s", path, to)
		}
	}
}

// TestStored: what people or databases have put into a run is text in every
// document.
func TestStored(t *testing.T) {
	is := is.New(t)
	s := newSite(t, controller.ServerOptions{})
	const script = `</script></style><script>alert("x")</script><img src=x onerror=alert(1)>`
	text, err := json.Marshal(map[string]any{
		"name": "evil", "description": script, "tags": map[string]string{"k": script},
		"target": map[string]any{"kind": "sqlite"}, "table": map[string]any{"name": "T", "rows": 10},
		"load": map[string]any{"workers": 2, "connections": 1, "duration": "10s"},
		"mix":  []any{map[string]any{"kind": "OWN", "weight": 100, "sql": "SELECT '" + script + "'"}},
	})
	is.NoErr(err)
	_, err = s.client.CreateTemplate(t.Context(), text)
	is.NoErr(err)
	made, err := s.client.CreateRun(t.Context(), client.NewRun{Template: "evil"}, "")
	is.NoErr(err)
	run := s.begin(made.ID)
	failures := []core.ErrorCount{{Class: script, Count: 1, Example: script}}
	kinds := []core.KindMetrics{{Kind: "OWN", Counts: core.Counts{Scheduled: 1, Started: 1, Errors: 1}, Failures: failures}}
	s.must(s.store.AppendSnapshots(t.Context(), nil, []ports.RunInterval{{RunID: run.ID, Phase: core.Measurement, Offset: 1, Seconds: 1, Kinds: kinds}}))
	s.must(s.store.Logs().Append(t.Context(), []ports.LogLine{{RunID: run.ID, Sequence: 1, Time: time.Now(), Level: script, Message: script}}))
	_, err = s.client.StopRun(t.Context(), run.ID, client.StopRun{Reason: script})
	is.NoErr(err)
	s.end(run.ID)
	scenario, err := s.service.Scenario(t.Context(), run.ID)
	is.NoErr(err)
	certificate, err := s.service.Certificate(t.Context(), run.ID)
	is.NoErr(err)
	parent := core.Rollup{
		RunID: run.ID, Name: script, Status: core.Cancelled, Detail: script, Kinds: kinds, Scenario: &scenario, Certificate: &certificate,
		Environment: []core.Fact{{Name: script, Value: script}}, Verdict: core.Verdict{Level: core.Degraded, Reasons: []string{script}},
	}
	child := parent
	child.WorkerID, child.WorkerEnding = "worker-0", script
	s.must(s.store.PutRollup(t.Context(), parent, []core.Rollup{child}))

	for _, format := range []string{"html", "md", "json"} {
		document, err := s.client.Result(t.Context(), run.ID, format)
		is.NoErr(err)
		for _, bad := range []string{"<script", "<img", "</style><"} {
			if strings.Contains(string(document), bad) {
				t.Errorf("the %s document has %s in it", format, bad)
			}
		}
		is.True(strings.Contains(string(document), "alert")) // it is shown, as text
	}
	for _, e := range s.endpoints() {
		if e.method != http.MethodGet || strings.HasSuffix(e.path, "/stream") {
			continue
		}
		name := run.ID
		if strings.HasPrefix(e.path, "/api/v1/templates/") {
			name = "evil"
		}
		got := s.ask(e.method, e.filled(name), "")
		if strings.Contains(got.header.Get("Content-Type"), "json") && strings.Contains(got.body, "<script") {
			t.Errorf("%s answers %s", e.path, got.body)
		}
		is.Equal(got.header.Get("X-Content-Type-Options"), "nosniff")
	}
	frame := s.ask(http.MethodGet, "/api/v1/runs/"+run.ID+"/stream", "")
	is.True(strings.Contains(frame.body, "alert"))
	is.True(!strings.Contains(frame.body, "<script"))
}

// TestSlowClients: who sends a header or a body a byte at a time is cut off, and
// others are served meanwhile.
func TestSlowClients(t *testing.T) {
	is := is.New(t)
	s := newSite(t, controller.ServerOptions{})
	address := strings.TrimPrefix(s.base, "http://")
	var slow []net.Conn
	for i := range 40 {
		conn, err := net.Dial("tcp", address)
		is.NoErr(err)
		defer conn.Close()
		begun := "GET / HTTP/1.1\r\nHost: localhost\r\nX: "
		if i%2 == 1 {
			begun = "POST /api/v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
		}
		_, err = io.WriteString(conn, begun)
		is.NoErr(err)
		slow = append(slow, conn)
	}
	is.Equal(s.ask(http.MethodGet, "/api/v1/runs", "").status, http.StatusOK)
	for _, conn := range slow {
		is.NoErr(conn.SetDeadline(time.Now().Add(20 * time.Second)))
		_, err := io.Copy(io.Discard, conn) // until the server closes it, or cuts it off
		is.True(!errors.Is(err, os.ErrDeadlineExceeded))
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.base+"/api/v1/runs", nil)
	is.NoErr(err)
	r.Header.Set("X-Large", strings.Repeat("x", 100<<10))
	if response, err := http.DefaultClient.Do(r); err == nil { // or it was cut off while it sent
		is.Equal(response.StatusCode, http.StatusRequestHeaderFieldsTooLarge)
		is.NoErr(response.Body.Close())
	}
}
