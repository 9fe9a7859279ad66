package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
	"github.com/benchfleet/benchfleet/internal/snowlocal/spcs"
)

// What a stand-in with containers has at its start.
const (
	defaultPool       = "BENCH_POOL"
	defaultFamily     = "GEN_X64_G2_8" // 6 vCPU and 28 GiB, of which nothing is reserved here
	defaultMinNodes   = 1
	defaultMaxNodes   = 4
	defaultRepository = defaultDatabase + ".SERVICES.IMAGES"
)

// containers are the container services, with the listener that containers reach.
type containers struct {
	*spcs.Manager
	at net.Listener
}

// newContainers listens at the gateway of Docker's bridge: there, and not at all
// addresses, since others reach those.
func newContainers(ctx context.Context, folder string, c config, account string) (*containers, error) {
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	m, err := spcs.New(ctx, spcs.Options{
		Folder: folder, Account: account, Visitor: defaultUser, Grace: seconds(c.GraceSeconds), Token: seconds(c.TokenSeconds), Rotate: seconds(c.RotateSeconds),
		Log: func(format string, args ...any) { fmt.Fprintf(os.Stderr, "snowlocal: "+format+"\n", args...) },
	})
	if err != nil {
		return nil, fmt.Errorf("--containers: %w", err)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(m.Gateway(), "0"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("--containers: listening at the gateway of Docker's bridge: %w", err), m.Close())
	}
	return &containers{m, listener}, nil
}

// close ends the containers; the listener may be closed already.
func (c *containers) close() error {
	if c == nil {
		return nil
	}
	err := c.at.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return errors.Join(err, c.Close())
}

// prepare makes what the account has of its own.
func (c *containers) prepare(ctx context.Context, e *engine.Engine) error {
	if c == nil {
		return nil
	}
	if err := c.Open(ctx, e, c.at.Addr().(*net.TCPAddr).Port); err != nil {
		return err
	}
	if err := c.EnsureRepository(ctx, defaultRepository); err != nil {
		return err
	}
	return c.EnsurePool(ctx, defaultPool, defaultFamily, defaultMinNodes, defaultMaxNodes)
}

// serve answers containers until the function that it returns is called.
func (c *containers) serve(inside http.Handler) func() error {
	h := &http.Server{Handler: inside, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- h.Serve(c.at) }()
	return func() error {
		err := h.Close()
		if end := <-served; !errors.Is(end, http.ErrServerClosed) {
			err = errors.Join(err, end)
		}
		return err
	}
}
