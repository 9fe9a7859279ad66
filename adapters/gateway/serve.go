package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// The bounds of what a peer can cost before it has shown a token, and after.
const (
	headerTimeout  = 5 * time.Second
	bodyTimeout    = 30 * time.Second
	answerTimeout  = bodyTimeout + maxHold + 30*time.Second
	idleTimeout    = 2 * time.Minute
	maxHeader      = 16 << 10
	maxConnections = 16_384
)

// Serve answers on l, which Listen has made, until ctx ends: then it answers what
// it has begun to, reads that are held at once, and returns nil. It closes l.
// Errors: Unavailable when l fails, or when answers take longer than 5 s.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	if len(s.options.Key) < keySize {
		return errors.Join(fmt.Errorf("%w: gateway: a key of %d bytes is needed to serve", core.ErrInvalid, keySize), l.Close())
	}
	stopping := make(chan struct{})
	var open atomic.Int64
	server := &http.Server{
		Handler:           s.handler(stopping),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       bodyTimeout,
		WriteTimeout:      answerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		ConnState: func(conn net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				if open.Add(1) > maxConnections {
					_ = conn.Close() // the peer sees it
				}
			case http.StateClosed, http.StateHijacked:
				open.Add(-1)
			}
		},
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	var problem error
	select {
	case problem = <-failed:
		failed <- problem
	case <-ctx.Done():
	case <-s.closing:
	}
	close(stopping)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	late := server.Shutdown(last)
	if late != nil {
		late = errors.Join(late, server.Close())
	}
	<-failed
	if err := errors.Join(problem, late); err != nil {
		return fmt.Errorf("%w: gateway: %w", core.ErrUnavailable, err)
	}
	return nil
}

// Handler answers requests, for those who have an HTTP server of their own. It
// does not bound connections.
func (s *Server) Handler() http.Handler { return s.handler(nil) }

// handler answers requests; once stopping is closed, without holding them.
func (s *Server) handler(stopping <-chan struct{}) http.Handler {
	calls := endpoints()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, err := s.answer(calls, stopping, w, r)
		status := http.StatusOK
		if err != nil {
			answer, status = problemOf(err), statusOf(core.CodeOf(err))
			if errors.Is(err, errToken) {
				status = http.StatusUnauthorized
				w.Header().Set("Connection", "close") // and what it still sends is not read
			}
		}
		text, err := json.Marshal(answer)
		if err != nil {
			s.log.Error("an answer cannot be encoded", "path", r.URL.Path, "error", err.Error())
			status, text = http.StatusInternalServerError, []byte(`{"code":"Internal","message":"gateway: the answer cannot be encoded"}`)
		}
		w.Header().Set("Content-Type", jsonType)
		w.WriteHeader(status)
		_, _ = w.Write(text) // the peer notices when it is cut short
	})
}

// errToken is what a peer without a valid token is told.
var errToken = fmt.Errorf("%w: gateway: the token is not one of this store", core.ErrDenied)

// answer does what a request asks for.
func (s *Server) answer(calls map[string]endpoint, stopping <-chan struct{}, w http.ResponseWriter, r *http.Request) (any, error) {
	version, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	call, known := calls[name]
	switch {
	case version != protocol:
		return nil, fmt.Errorf("%w: gateway: it speaks protocol %s, not %q", core.ErrUnsupported, protocol, version)
	case r.Method != http.MethodPost || !known:
		return nil, fmt.Errorf("%w: gateway: no call %s %s", core.ErrUnsupported, r.Method, name)
	}
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	runID, ok := verify(s.options.Key, token)
	switch {
	case !bearer:
		return nil, fmt.Errorf("%w: no token was given", errToken)
	case !ok && runID != "":
		return nil, fmt.Errorf("%w: it is not the one of run %q", errToken, runID)
	case !ok:
		return nil, errToken
	case runID != "" && !call.worker:
		return nil, fmt.Errorf("%w: gateway: the token of a run does not allow %s", core.ErrDenied, name)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, call.limit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, fmt.Errorf("%w: gateway: the arguments of %s are longer than %d bytes", core.ErrInvalid, name, call.limit)
	case err != nil:
		return nil, fmt.Errorf("%w: gateway: reading the arguments: %w", core.ErrUnavailable, err)
	}
	return call.serve(r.Context(), peer{s, runID, stopping}, body)
}
