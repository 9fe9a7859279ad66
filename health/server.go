package health

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// DefaultAddress is a free port that this host alone can reach.
const DefaultAddress = "127.0.0.1:0"

// The bounds of the server.
const (
	maxConnections = 32
	maxHeader      = 8 << 10 // bytes; net/http adds 4 KiB
	readTimeout    = 5 * time.Second
	writeTimeout   = 10 * time.Second
	idleTimeout    = 30 * time.Second
	closeTimeout   = 2 * time.Second
)

// Options say what is served. Check and Metrics are called by many requests at
// the same time, must return at once, and hand out values that nobody changes.
type Options struct {
	// Address is IP:port, or localhost:port, to listen on; port 0 is a free one.
	// Default DefaultAddress. All addresses of the host are meant only by one who
	// writes 0.0.0.0 or [::].
	Address string
	// Role is "worker", "orchestrator" and so on. Required.
	Role  string
	Build core.Build
	// Check says how it is; Role, Since and Version are filled in. Required.
	Check func() Status
	// Metrics are those of the role; nil: only those of every process.
	Metrics func() Metrics
	Logger  *slog.Logger // nil: discard
}

// Server serves one health address.
type Server struct {
	http    *http.Server
	address string
	log     *slog.Logger
	ended   chan struct{} // closed when the address is served no more
	forget  func() bool   // the end of the context
	close   sync.Once
	err     error // of close
}

// Serve listens, and serves until Close or the end of ctx. Errors: Invalid for
// options that cannot work, Unavailable for an address that cannot be had.
func Serve(ctx context.Context, o Options) (*Server, error) {
	if o.Role == "" || o.Check == nil {
		return nil, fmt.Errorf("%w: health needs Options.Role and Options.Check", core.ErrInvalid)
	}
	if o.Address == "" {
		o.Address = DefaultAddress
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if err := checkAddress(o.Address); err != nil {
		return nil, err
	}
	handler, err := newHandler(o, time.Now)
	if err != nil {
		return nil, err
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("%w: health address: %w", core.ErrUnavailable, err)
	}
	s := &Server{
		address: listener.Addr().String(), log: o.Logger, ended: make(chan struct{}),
		http: &http.Server{
			Handler: handler, ConnState: limit(maxConnections), MaxHeaderBytes: maxHeader,
			ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
			ErrorLog: slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn),
		},
	}
	go s.serve(listener)
	s.forget = context.AfterFunc(ctx, s.shutdown)
	s.log.Info("health is served", "address", s.address)
	return s, nil
}

// Address is where the server listens: IP:port.
func (s *Server) Address() string { return s.address }

// Close ends the server: requests under way have 2 s to end. It is idempotent.
// Errors: Unavailable for connections that were cut off.
func (s *Server) Close() error {
	s.forget()
	s.shutdown()
	return s.err
}

func (s *Server) serve(listener net.Listener) {
	defer close(s.ended)
	if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		s.log.Error("health is served no more", "error", err)
	}
}

func (s *Server) shutdown() {
	s.close.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		if err := s.http.Shutdown(ctx); err != nil {
			s.err = fmt.Errorf("%w: health: %w", core.ErrUnavailable, errors.Join(err, s.http.Close()))
		}
		<-s.ended
	})
}

// checkAddress refuses what would listen more widely than was said.
func checkAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%w: health address: %w", core.ErrInvalid, err)
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "localhost" {
		return fmt.Errorf("%w: health address is %q; allowed: an IP address or localhost, and a port; 0.0.0.0 stands for all addresses", core.ErrInvalid, address)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%w: health address is %q; allowed: a port from 0 to 65535", core.ErrInvalid, address)
	}
	return nil
}

// limit closes new connections while there are already so many.
func limit(most int64) func(net.Conn, http.ConnState) {
	var open atomic.Int64
	return func(c net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			if open.Add(1) > most {
				c.Close() //nolint:errcheck // its reader notices
			}
		case http.StateClosed, http.StateHijacked:
			open.Add(-1)
		}
	}
}
