package controller

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
)

// ServerOptions say how a Service is served.
type ServerOptions struct {
	// Prefix is the path that everything is below, like /benchfleet; empty: none.
	Prefix string
	// Pages serves every path that is not the API's; nil: there are none. It gets
	// requests without the prefix, after all checks, and asks CallerOf who it is.
	Pages http.Handler
}

// The bounds of a request. A stream sets its own.
const (
	headerWait = 5 * time.Second
	readWait   = 30 * time.Second
	writeWait  = 60 * time.Second
	idleWait   = 2 * time.Minute
	maxHeader  = 32 << 10
	closeWait  = 5 * time.Second
)

// Handler serves a Service: the API, and the pages beside it.
func Handler(s *Service, o ServerOptions) (http.Handler, error) {
	apis, err := apiHandler(s, o.Prefix)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/api/", apis)
	if o.Pages != nil {
		mux.Handle("/", o.Pages)
	}
	local := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(w, r.WithContext(withCaller(r.Context(), Caller{Name: "local", Role: Operator})))
	})
	return http.StripPrefix(strings.TrimSuffix(o.Prefix, "/"), local), nil
}

// Serve serves a handler until ctx ends, and returns once every request has ended
// or was cut off.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, log *slog.Logger) error {
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: headerWait, ReadTimeout: readWait, WriteTimeout: writeWait, IdleTimeout: idleWait,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		BaseContext: func(net.Listener) context.Context { return base },
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	cut() // streams end by it
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWait)
	defer cancel()
	err := server.Shutdown(closing)
	if err != nil {
		err = errors.Join(err, server.Close())
	}
	<-served
	return err
}
