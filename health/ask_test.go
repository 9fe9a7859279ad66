package health_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/health"
	"github.com/matryer/is"
)

func TestAsk(t *testing.T) {
	is := is.New(t)
	w := healthyWorker()
	s := serve(t, func() health.Status { return w.Status(noon()) })
	got, err := health.Ask(t.Context(), s.Address())
	is.NoErr(err)
	is.True(got.Live)
	is.True(got.Ready)
	is.Equal(got.Role, "worker")
	is.Equal(got.Version, "b1")

	w = healthyWorker()
	w.Beat.Connections = 3
	got, err = health.Ask(t.Context(), s.Address())
	is.NoErr(err) // not ready is no error
	is.True(got.Live)
	is.True(!got.Ready)
	is.Equal(got.Reasons, []string{"3 of 4 connections are open"})

	// The address that the server was told to listen on works, too.
	_, port, err := net.SplitHostPort(s.Address())
	is.NoErr(err)
	for _, host := range []string{"", "0.0.0.0", "localhost"} {
		_, err = health.Ask(t.Context(), host+":"+port)
		is.NoErr(err)
	}
}

func TestAskSomethingElse(t *testing.T) {
	ready := `{"role":"worker","live":true,"ready":true}`
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		code   core.Code
	}{
		"a status":     {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, ready) }, ""},
		"another code": {http.NotFound, core.Internal},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
		}, core.Internal},
		"a page":                {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>hello</html>") }, core.Internal},
		"another object":        {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"status":"ok"}`) }, core.Internal},
		"ready, but 503":        {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503); io.WriteString(w, ready) }, core.Internal},
		"an answer without end": {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, strings.Repeat(" ", 1<<20)+ready) }, core.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			other := httptest.NewServer(c.answer)
			defer other.Close()
			s, err := health.Ask(t.Context(), strings.TrimPrefix(other.URL, "http://"))
			is.Equal(core.CodeOf(err), c.code)
			is.Equal(s.Ready, err == nil)
		})
	}
}

func TestAskNobody(t *testing.T) {
	is := is.New(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	is.NoErr(err)
	address := listener.Addr().String()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = health.Ask(ctx, address) // it listens, and never answers
	is.Equal(core.CodeOf(err), core.Unavailable)
	is.NoErr(listener.Close())
	_, err = health.Ask(t.Context(), address)
	is.Equal(core.CodeOf(err), core.Unavailable)
	for _, bad := range []string{"", "localhost", "127.0.0.1:", "http://127.0.0.1:80/health"} {
		_, err = health.Ask(t.Context(), bad)
		is.Equal(core.CodeOf(err), core.Invalid)
	}
}
