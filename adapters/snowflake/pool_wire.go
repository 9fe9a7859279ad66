package snowflake

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// abortTimeout bounds how long the server is asked to abort a statement whose
	// context has ended; afterwards its session is given up.
	abortTimeout = 5 * time.Second
	// dialTimeout bounds a TCP connect.
	dialTimeout = 15 * time.Second
)

// wire is the way of one session to the server: HTTP connections of its own, as
// the driver's default is.
//
// The driver asks for an abort, for the end of a session and for some more with a
// context that never ends, and tries again when there is no answer: whoever
// called would wait for minutes. Here such a request has abortTimeout, all that
// belongs to one abort together, and what remains unanswered then is answered by
// the wire itself, in a way that the driver does not try again. So a call ends at
// most abortTimeout after its context, and leaves no goroutine behind.
type wire struct {
	transport *http.Transport

	mu    sync.Mutex
	until time.Time // when the abort of the last statement is given up; zero: none was asked for
}

func newWire() *wire {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	return &wire{transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, TLSHandshakeTimeout: dialTimeout,
		MaxIdleConns: 3, MaxIdleConnsPerHost: 3, IdleConnTimeout: 30 * time.Minute,
	}}
}

// CloseIdleConnections is called by the driver when it closes the session.
func (w *wire) CloseIdleConnections() { w.transport.CloseIdleConnections() }

// RoundTrip sends a request.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	until := w.deadline(r.URL.Path)
	if until.IsZero() {
		return w.transport.RoundTrip(r)
	}
	ctx, cancel := context.WithDeadline(r.Context(), until)
	answer, err := w.transport.RoundTrip(r.WithContext(ctx))
	if err != nil {
		cancel()
		return givenUp(r), nil
	}
	answer.Body = &cancelling{answer.Body, cancel}
	if answer.StatusCode != http.StatusOK {
		_ = answer.Body.Close()
		return givenUp(r), nil
	}
	return answer, nil
}

// deadline is when a request is given up; zero for those that have a context of
// their caller.
func (w *wire) deadline(path string) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case strings.HasSuffix(path, "/abort-request"):
		if w.until.IsZero() {
			w.until = time.Now().Add(abortTimeout)
		}
		return w.until
	case strings.HasPrefix(path, "/queries/"):
		w.until = time.Time{}
	case path == "/session/token-request": // belongs to a statement, or to its abort
		return w.until
	case path != "/session/v1/login-request": // the end of the session, a heartbeat
		return time.Now().Add(abortTimeout)
	}
	return time.Time{}
}

// givenUp is the answer to a request that has none: one that the driver reports
// and does not send again.
func givenUp(r *http.Request) *http.Response {
	const body = "no answer in time"
	return &http.Response{
		Status: "499 " + body, StatusCode: 499, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}
}

// cancelling is a body whose context ends with it.
type cancelling struct {
	io.ReadCloser
	cancel context.CancelFunc
}

// Close ends the request.
func (c *cancelling) Close() error {
	err := c.ReadCloser.Close()
	c.cancel()
	return err
}
