package health_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/health"
	"github.com/matryer/is"
)

// serve serves a status until the test ends.
func serve(t *testing.T, check func() health.Status) *health.Server {
	t.Helper()
	is := is.New(t)
	s, err := health.Serve(t.Context(), health.Options{Role: "worker", Build: core.Build{ID: "b1"}, Check: check})
	is.NoErr(err)
	t.Cleanup(func() { is.NoErr(s.Close()) })
	return s
}

func always(s health.Status) func() health.Status { return func() health.Status { return s } }

// request makes one request on a connection of its own.
func request(t *testing.T, method, url, body string) (response *http.Response, text string) {
	t.Helper()
	is := is.New(t)
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	is.NoErr(err)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	response, err = client.Do(r)
	is.NoErr(err)
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	is.NoErr(err)
	return response, string(all)
}

func TestPages(t *testing.T) {
	why := []string{"DRAINING: the run is STOPPING"}
	for name, c := range map[string]struct {
		status            health.Status
		both, live, ready int
		reasons           []string
		saysReady         bool
	}{
		"ready":               {health.Status{Live: true, Ready: true}, 200, 200, 200, []string{}, true},
		"live":                {health.Status{Live: true, Reasons: why}, 503, 200, 503, why, false},
		"neither":             {health.Status{Reasons: why}, 503, 503, 503, why, false},
		"ready but not alive": {health.Status{Ready: true}, 503, 503, 503, []string{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			c.status.State, c.status.RunID, c.status.WorkerID = "RUNNING", "r1", "worker-0"
			s := serve(t, always(c.status))
			for path, code := range map[string]int{"/health": c.both, "/health/live": c.live, "/health/ready": c.ready} {
				response, text := request(t, "GET", "http://"+s.Address()+path, "")
				is.Equal(response.StatusCode, code) // code of path
				is.Equal(response.Header.Get("Content-Type"), "application/json")
				is.Equal(response.Header.Get("Cache-Control"), "no-store")
				var got map[string]any
				is.NoErr(json.Unmarshal([]byte(text), &got))
				since, err := time.Parse(time.RFC3339, got["since"].(string))
				is.NoErr(err)
				is.True(time.Since(since) < time.Minute)
				delete(got, "since")
				reasons := []any{}
				for _, r := range c.reasons {
					reasons = append(reasons, r)
				}
				is.Equal(got, map[string]any{
					"role": "worker", "live": c.status.Live, "ready": c.saysReady, "reasons": reasons,
					"state": "RUNNING", "run_id": "r1", "worker_id": "worker-0", "version": "b1",
				})
				response, text = request(t, "HEAD", "http://"+s.Address()+path, "")
				is.Equal(response.StatusCode, code)
				is.Equal(text, "")
			}
		})
	}
}

func TestReadOnly(t *testing.T) {
	is := is.New(t)
	s := serve(t, always(health.Status{Live: true, Ready: true}))
	for _, c := range []struct {
		method, path, body string
		code               int
	}{
		{"POST", "/health", "", 405},
		{"DELETE", "/health/live", "", 405},
		{"PUT", "/metrics", "", 405},
		{"GET", "/health", "stop", 413},
		{"POST", "/health", "stop", 413},
		{"GET", "/", "", 404},
		{"GET", "/health/", "", 404},
		{"GET", "/debug/pprof/", "", 404},
		{"GET", "/metrics", "", 200},
	} {
		response, _ := request(t, c.method, "http://"+s.Address()+c.path, c.body)
		t.Log(c.method, c.path)
		is.Equal(response.StatusCode, c.code)
	}
}

func TestLongHeaderIsRefused(t *testing.T) {
	is := is.New(t)
	s := serve(t, always(health.Status{Live: true, Ready: true}))
	c, err := net.Dial("tcp", s.Address())
	is.NoErr(err)
	defer c.Close()
	is.NoErr(c.SetDeadline(time.Now().Add(10 * time.Second)))
	_, err = fmt.Fprintf(c, "GET /health HTTP/1.1\r\nHost: x\r\nX-Long: %s\r\n\r\n", strings.Repeat("x", 16<<10))
	is.NoErr(err)
	line, err := bufio.NewReader(c).ReadString('\n')
	is.NoErr(err)
	is.True(strings.Contains(line, " 431 "))
}

func TestReasonsAreBounded(t *testing.T) {
	is := is.New(t)
	var reasons []string
	for range 100 {
		reasons = append(reasons, strings.Repeat("ä", 1000))
	}
	s := serve(t, always(health.Status{Live: true, Reasons: reasons}))
	got, err := health.Ask(t.Context(), s.Address())
	is.NoErr(err)
	is.Equal(len(got.Reasons), 16)
	is.Equal(got.Reasons[0], strings.Repeat("ä", 150))
}

// TestConnectionsAreBounded holds as many connections as the server allows: the
// next one is closed, and once they are gone there is room again.
func TestConnectionsAreBounded(t *testing.T) {
	is := is.New(t)
	s := serve(t, always(health.Status{Live: true, Ready: true}))
	var held []net.Conn
	for range 32 {
		c, err := net.Dial("tcp", s.Address())
		is.NoErr(err)
		_, err = io.WriteString(c, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
		is.NoErr(err)
		is.NoErr(c.SetReadDeadline(time.Now().Add(10 * time.Second)))
		_, err = bufio.NewReader(c).ReadString('\n') // it is accepted, and stays open
		is.NoErr(err)
		held = append(held, c)
	}
	_, err := health.Ask(t.Context(), s.Address())
	is.True(errors.Is(err, core.ErrUnavailable))
	for _, c := range held {
		is.NoErr(c.Close())
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		if _, err = health.Ask(t.Context(), s.Address()); err == nil || time.Now().After(deadline) {
			break
		}
	}
	is.NoErr(err)
}

func TestAddresses(t *testing.T) {
	for address, code := range map[string]core.Code{
		"":                 "",
		"127.0.0.1:0":      "",
		"localhost:0":      "",
		"0.0.0.0:0":        "",
		":8080":            core.Invalid,
		"8080":             core.Invalid,
		"127.0.0.1":        core.Invalid,
		"127.0.0.1:http":   core.Invalid,
		"127.0.0.1:70000":  core.Invalid,
		"*:8080":           core.Invalid,
		"example.com:8080": core.Invalid,
		"192.0.2.1:0":      core.Unavailable, // not of this host
	} {
		t.Run(address, func(t *testing.T) {
			is := is.New(t)
			s, err := health.Serve(t.Context(), health.Options{Address: address, Role: "worker", Check: always(health.Status{Live: true, Ready: true})})
			is.Equal(core.CodeOf(err), code)
			if err != nil {
				return
			}
			_, port, err := net.SplitHostPort(s.Address())
			is.NoErr(err)
			is.True(port != "0")
			if address == "" {
				is.True(strings.HasPrefix(s.Address(), "127.0.0.1:"))
			}
			got, err := health.Ask(t.Context(), s.Address()) // 0.0.0.0 too
			is.NoErr(err)
			is.True(got.Ready)
			is.NoErr(s.Close())
		})
	}
}

func TestServeNeedsRoleAndCheck(t *testing.T) {
	is := is.New(t)
	_, err := health.Serve(t.Context(), health.Options{Role: "worker"})
	is.True(errors.Is(err, core.ErrInvalid))
	_, err = health.Serve(t.Context(), health.Options{Check: always(health.Status{})})
	is.True(errors.Is(err, core.ErrInvalid))
}

func TestClose(t *testing.T) {
	check := always(health.Status{Live: true, Ready: true})
	t.Run("frees the address, twice", func(t *testing.T) {
		is := is.New(t)
		s, err := health.Serve(t.Context(), health.Options{Role: "worker", Check: check})
		is.NoErr(err)
		is.NoErr(s.Close())
		is.NoErr(s.Close())
		again, err := health.Serve(t.Context(), health.Options{Role: "worker", Check: check, Address: s.Address()})
		is.NoErr(err)
		is.NoErr(again.Close())
	})
	t.Run("the end of the context closes", func(t *testing.T) {
		is := is.New(t)
		ctx, cancel := context.WithCancel(t.Context())
		s, err := health.Serve(ctx, health.Options{Role: "worker", Check: check})
		is.NoErr(err)
		cancel()
		deadline := time.Now().Add(10 * time.Second)
		for err == nil && time.Now().Before(deadline) {
			_, err = health.Ask(t.Context(), s.Address())
		}
		is.True(errors.Is(err, core.ErrUnavailable))
		is.NoErr(s.Close())
	})
	t.Run("a request that hangs is cut off", func(t *testing.T) {
		is := is.New(t)
		asked, release := make(chan struct{}), make(chan struct{})
		s, err := health.Serve(t.Context(), health.Options{Role: "worker", Check: func() health.Status {
			close(asked)
			<-release
			return health.Status{}
		}})
		is.NoErr(err)
		defer close(release)
		answered := make(chan error, 1)
		go func() {
			_, err := health.Ask(t.Context(), s.Address())
			answered <- err
		}()
		select {
		case <-asked:
		case err := <-answered:
			t.Fatal("it was not asked:", err)
		}
		begun := time.Now()
		is.True(errors.Is(s.Close(), core.ErrUnavailable))
		is.True(time.Since(begun) < 5*time.Second)
		is.True(errors.Is(<-answered, core.ErrUnavailable))
	})
}
