package controller

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// The bounds of a connection. A stream sets those of its own.
const (
	headerWait     = 5 * time.Second
	readWait       = 30 * time.Second
	writeWait      = 60 * time.Second
	idleWait       = 2 * time.Minute
	closeWait      = 5 * time.Second
	maxHeader      = 32 << 10
	maxConnections = 1024
)

// Serve serves a handler until ctx ends, and returns once every request has ended
// or was cut off.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, log *slog.Logger) error {
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: headerWait, ReadTimeout: readWait, WriteTimeout: writeWait, IdleTimeout: idleWait,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug), // what strangers send is no news
		BaseContext: func(net.Listener) context.Context { return base },
	}
	silent := silent{conns: map[net.Conn]bool{}}
	server.ConnState = silent.note
	server.RegisterOnShutdown(silent.close)
	served := make(chan error, 1)
	go func() {
		served <- server.Serve(&bounded{Listener: listener, room: make(chan struct{}, maxConnections), closed: make(chan struct{})})
	}()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	cut() // streams end by it
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWait)
	defer cancel()
	err := server.Shutdown(closing)
	if errors.Is(err, context.DeadlineExceeded) {
		log.Warn("requests that did not end were cut off", "after", closeWait)
		err = server.Close()
	}
	<-served
	return err
}

// silent are the connections that have asked nothing yet, as browsers open some in
// advance: a shutdown would wait for them.
type silent struct {
	mu    sync.Mutex
	conns map[net.Conn]bool
}

func (s *silent) note(conn net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state == http.StateNew {
		s.conns[conn] = true
	} else {
		delete(s.conns, conn)
	}
}

func (s *silent) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		conn.Close()
	}
}

// bounded accepts no connection while too many are open.
type bounded struct {
	net.Listener
	room   chan struct{}
	once   sync.Once
	closed chan struct{}
}

// Accept implements net.Listener.
func (b *bounded) Accept() (net.Conn, error) {
	select {
	case b.room <- struct{}{}:
	case <-b.closed:
		return nil, net.ErrClosed
	}
	conn, err := b.Listener.Accept()
	if err != nil {
		<-b.room
		return nil, err
	}
	return &counted{Conn: conn, leave: sync.OnceFunc(func() { <-b.room })}, nil
}

// Close implements net.Listener.
func (b *bounded) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.Listener.Close()
}

// counted is a connection that makes room when it is closed.
type counted struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *counted) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
