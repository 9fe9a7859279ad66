package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

func TestTokens(t *testing.T) {
	is := is.New(t)
	other := bytes.Repeat([]byte{8}, keySize)
	for _, run := range []string{"", "run-1", "a.b c/ü?&", "."} {
		token := Token(testKey, run)
		got, ok := verify(testKey, token)
		is.True(ok)
		is.Equal(got, run)
		_, ok = verify(other, token)
		is.True(!ok)
		_, ok = verify(testKey, token[:len(token)-1]+"A")
		is.True(!ok || strings.HasSuffix(token, "A"))
	}
	sum := Token(testKey, "run-1")[len("run-1"):]
	for _, forged := range []string{"", ".", "run-1", "run-1.", "run-2" + sum, sum, "run-1" + sum + "=", "run-1" + sum + "\n", "%zz" + sum} {
		_, ok := verify(testKey, forged)
		is.True(!ok)
	}
}

func TestWrongTokensAreRefused(t *testing.T) {
	is := is.New(t)
	s := newServer(t, newStore())
	newRun(t, s.Store(), "run", 1)
	newRun(t, s.Store(), "other", 1)
	address := serve(t, s)
	strange := bytes.Repeat([]byte{8}, keySize)
	for name, token := range map[string]string{
		"of another store": Token(strange, "run"), "of another store as a whole": Token(strange, ""),
		"of another run, under this one's name": "run" + Token(testKey, "other")[len("other"):],
		"none":                                  "", "nonsense": "nonsense",
	} {
		_, err := Open(t.Context(), address, ClientOptions{Token: token})
		is.True(errors.Is(err, core.ErrDenied)) // name
		is.True(token == "" || !strings.Contains(err.Error(), token))
		_ = name
	}
	_, err := Open(t.Context(), address, ClientOptions{Token: Token(strange, "run")})
	is.True(strings.Contains(err.Error(), `not the one of run "run"`))

	response, err := http.Post(address+"/v1/Hello", jsonType, strings.NewReader("{}"))
	is.NoErr(err)
	is.Equal(response.StatusCode, http.StatusUnauthorized)
	is.NoErr(response.Body.Close())
}

// The token of a run opens that run, for what a worker does.
func TestTokenOfARun(t *testing.T) {
	is := is.New(t)
	ctx := t.Context()
	s := newServer(t, newStore())
	record := newRun(t, s.Store(), "run", 1)
	newRun(t, s.Store(), "other", 1)
	store := open(t, serve(t, s), ClientOptions{Token: Token(testKey, "run"), Hold: -1})

	theirs := aBeat(0, 1, core.WorkerRunning)
	theirs.Key.RunID = "other"
	loaded, err := store.Load(ctx, "run")
	is.NoErr(err)
	is.Equal(loaded.Version, record.Version)
	_, err = store.Control(ctx, "run", "worker-0")
	is.NoErr(err)
	is.NoErr(store.Beat(ctx, aBeat(0, 1, core.WorkerRunning)))
	is.NoErr(store.AppendExecutions(ctx, []core.Execution{{ID: "1", RunID: "run"}}))
	is.NoErr(store.Logs().Append(ctx, []ports.LogLine{{RunID: "run", WorkerID: "worker-0", Sequence: 1}}))

	denied := func(err error) {
		t.Helper()
		if !errors.Is(err, core.ErrDenied) {
			t.Errorf("%v, want Denied", err)
		}
	}
	_, err = store.Load(ctx, "other")
	denied(err)
	_, err = store.Control(ctx, "other", "worker-0")
	denied(err)
	denied(store.Beat(ctx, theirs))
	denied(store.Beat(ctx, aBeat(0, 2, core.WorkerRunning), theirs))
	denied(store.AppendExecutions(ctx, []core.Execution{{ID: "2", RunID: "run"}, {ID: "3", RunID: "other"}}))
	denied(store.Logs().Append(ctx, []ports.LogLine{{RunID: "other", Sequence: 1}}))
	_, err = store.Create(ctx, core.NewRun("new", record.Run.Plan), record.Scenario, ports.Home{})
	denied(err)
	_, err = store.Commit(ctx, 1, record.Run, nil, ports.Progress{})
	denied(err)
	denied(store.Delete(ctx, "run"))
	_, err = store.List(ctx, ports.RunFilter{})
	denied(err)
	_, err = store.Events(ctx, "run", 0)
	denied(err)
	_, _, err = store.Beats(ctx, "run", nil)
	denied(err)
	_, err = store.Check(ctx)
	denied(err)
	_, err = store.Probe(ctx)
	denied(err)
	_, err = store.Templates().List(ctx)
	denied(err)
	_, err = store.Logs().Read(ctx, "run", "", time.Time{}, 0)
	denied(err)
	list, err := s.Store().Executions(ctx, "run", "", 0)
	is.NoErr(err)
	is.Equal(len(list), 1) // nothing of what was denied

	var forWorkers []string
	for name, e := range endpoints() {
		if e.worker {
			forWorkers = append(forWorkers, name)
		}
	}
	slices.Sort(forWorkers)
	is.Equal(forWorkers, []string{"Hello", "LogStore.Append", "PoolStore.Get", "ResultStore.AppendExecutions", "RunStore.Load", "WorkerStore.Beat", "WorkerStore.Control"})
}

// post sends a request as any program could.
func post(t testing.TB, url, token string, body io.Reader) (status int, p string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func TestBadRequests(t *testing.T) {
	is := is.New(t)
	s := newServer(t, newStore())
	newRun(t, s.Store(), "run", 1)
	address, token := serve(t, s), Token(testKey, "run")

	status, text := post(t, address+"/v1/WorkerStore.Control", token, strings.NewReader(strings.Repeat(" ", smallBody+1)))
	is.Equal(status, http.StatusBadRequest)
	is.True(strings.Contains(text, "longer than 65536 bytes"))
	status, _ = post(t, address+"/v1/WorkerStore.Beat", token, strings.NewReader(`[{"key":{"run_id":"run"},"report":{"phases":[{"kinds":[{"service":"no histogram"}]}]}}]`))
	is.Equal(status, http.StatusBadRequest)
	status, _ = post(t, address+"/v1/WorkerStore.Beat", token, strings.NewReader(`{`))
	is.Equal(status, http.StatusBadRequest)
	status, text = post(t, address+"/v2/Hello", token, strings.NewReader("{}"))
	is.Equal(status, http.StatusNotImplemented)
	is.True(strings.Contains(text, `speaks protocol v1, not \"v2\"`))
	status, _ = post(t, address+"/v1/RunStore.Destroy", token, strings.NewReader("{}"))
	is.Equal(status, http.StatusNotImplemented)
	response, err := http.Get(address + "/v1/Hello")
	is.NoErr(err)
	is.NoErr(response.Body.Close())
	is.Equal(response.StatusCode, http.StatusNotImplemented)
	// Without a token nobody's body is read.
	endless, stop := io.Pipe()
	defer stop.Close()
	status, _ = post(t, address+"/v1/WorkerStore.Beat", "nonsense", endless)
	is.Equal(status, http.StatusUnauthorized)
}

// A peer that sends its request drop by drop is given up.
func TestSlowPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		s := newServer(t, newStore())
		l := newPipes()
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- s.Serve(ctx, l) }()
		conn, err := l.dial(t.Context(), "", "")
		is.NoErr(err)
		begin := time.Now()
		go func() { _, _ = io.Copy(io.Discard, conn) }()
		for err = error(nil); err == nil && time.Since(begin) < time.Minute; time.Sleep(time.Second) {
			_, err = conn.Write([]byte("P"))
		}
		is.True(err != nil)
		is.True(time.Since(begin) <= headerTimeout+2*time.Second)
		cancel()
		is.NoErr(<-served)
	})
}

// The end of Serve answers what is held, and frees every connection.
func TestServeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		s := newServer(t, newStore())
		newRun(t, s.Store(), "run", 1)
		l := newPipes()
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- s.Serve(ctx, l) }()
		store, err := Open(t.Context(), "http://gateway", ClientOptions{Token: Token(testKey, "run"), Hold: 5 * time.Second, dial: l.dial})
		is.NoErr(err)
		defer store.Close()
		_, err = store.Control(t.Context(), "run", "worker-0")
		is.NoErr(err)
		time.AfterFunc(time.Second, cancel)
		begin := time.Now()
		control, err := store.Control(t.Context(), "run", "worker-0")
		is.NoErr(err)
		is.Equal(time.Since(begin), time.Second)
		is.Equal(control.Held, time.Second)
		is.NoErr(<-served)
		_, err = store.Control(t.Context(), "run", "worker-0")
		is.True(errors.Is(err, core.ErrUnavailable))
	})
}

func TestServeNeedsAKey(t *testing.T) {
	is := is.New(t)
	l, err := Listen(t.Context(), "127.0.0.1:0")
	is.NoErr(err)
	is.True(errors.Is(New(newStore(), Options{}).Serve(t.Context(), l), core.ErrInvalid))
	_, err = l.Accept()
	is.True(errors.Is(err, net.ErrClosed))
	status := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodPost, "/v1/Hello", nil)
	request.Header.Set("Authorization", "Bearer "+Token(nil, ""))
	New(newStore(), Options{}).Handler().ServeHTTP(status, request)
	is.Equal(status.Code, http.StatusUnauthorized) // an empty key opens nothing
}

// What answers there need not be a gateway.
func TestOpenElsewhere(t *testing.T) {
	token := Token(testKey, "run")
	for name, c := range map[string]struct {
		status int
		code   core.Code
	}{"a web page": {404, core.Unsupported}, "a page that is always there": {200, core.Internal}, "a proxy in trouble": {502, core.Unavailable}, "a busy one": {429, core.Unavailable}} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, "<html>")
			}))
			defer elsewhere.Close()
			_, err := Open(t.Context(), elsewhere.URL, ClientOptions{Token: token})
			is.Equal(core.CodeOf(err), c.code)
		})
	}
	is := is.New(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	is.NoErr(err)
	is.NoErr(l.Close())
	_, err = Open(t.Context(), "http://"+l.Addr().String(), ClientOptions{Token: token})
	is.Equal(core.CodeOf(err), core.Unavailable)
	for _, address := range []string{"", "127.0.0.1:80", "https://host:1", "http://", "http://host:1/path", "http://user@host:1", "http://host:1?x=y"} {
		_, err = Open(t.Context(), address, ClientOptions{Token: token})
		is.Equal(core.CodeOf(err), core.Invalid) // address
	}
}

// A redirection would carry the token elsewhere.
func TestRedirectionsAreNotFollowed(t *testing.T) {
	is := is.New(t)
	elsewhere := httptest.NewServer(http.RedirectHandler("http://127.0.0.1:9/", http.StatusTemporaryRedirect))
	defer elsewhere.Close()
	_, err := Open(t.Context(), elsewhere.URL, ClientOptions{Token: Token(testKey, "run")})
	is.Equal(core.CodeOf(err), core.Unsupported)
}

// A client calls again, and finds the next Server at the same address.
func TestRestart(t *testing.T) {
	is := is.New(t)
	below := memory.NewStore(memory.Options{})
	newRun(t, below, "run", 1)
	start := func(address string) (l net.Listener, stop func()) {
		s := New(below.Reopen(), Options{Key: testKey})
		l, err := Listen(t.Context(), address)
		is.NoErr(err)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Serve(ctx, l) }()
		return l, func() {
			cancel()
			is.NoErr(<-done)
			is.NoErr(s.Close())
		}
	}
	l, stop := start("127.0.0.1:0")
	store := open(t, "http://"+l.Addr().String(), ClientOptions{Token: Token(testKey, "run"), Hold: -1})
	is.NoErr(store.Beat(t.Context(), aBeat(0, 1, core.WorkerRunning)))
	stop()
	is.Equal(core.CodeOf(store.Beat(t.Context(), aBeat(0, 2, core.WorkerRunning))), core.Unavailable)
	_, stop = start(l.Addr().String())
	defer stop()
	is.NoErr(store.Beat(t.Context(), aBeat(0, 3, core.WorkerRunning)))
	is.Equal(newestOf(t, below, 0).Count, int64(3))
}

func TestClosedClient(t *testing.T) {
	is := is.New(t)
	s := newServer(t, newStore())
	newRun(t, s.Store(), "run", 1)
	store := open(t, serve(t, s), ClientOptions{Token: Token(testKey, "run")})
	is.NoErr(store.Close())
	_, err := store.Load(t.Context(), "run")
	is.True(errors.Is(err, core.ErrUnavailable))
}

// The code of an error travels; its text does not begin twice with it.
func TestProblems(t *testing.T) {
	is := is.New(t)
	for _, code := range []core.Code{core.NotFound, core.Conflict, core.Invalid, core.Refused, core.Unsupported, core.Unavailable, core.Denied, core.Internal} {
		p := problemOf(errors.Join(core.SentinelOf(code)))
		is.Equal(p.Code, code)
		is.Equal(core.CodeOf(p.error()), code)
		is.True(statusOf(code) >= 400)
	}
	s := newServer(t, newStore())
	_, err := open(t, serve(t, s), ClientOptions{Token: Token(testKey, "")}).Load(t.Context(), "run-7")
	is.Equal(err.Error(), `not found: memory: run "run-7"`)
}
