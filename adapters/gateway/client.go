package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// Defaults of ClientOptions, and the bounds that are no option.
const (
	DefaultTimeout = 10 * time.Second
	DefaultHold    = time.Second

	maxAnswer = 256 << 20 // bytes
	maxSeen   = 1024      // workers whose versions are remembered
	// connections that are kept between calls; the server gives up those that are
	// idle later
	maxIdleConnections    = 4
	idleConnectionTimeout = idleTimeout * 3 / 4
)

// ClientOptions of Open.
type ClientOptions struct {
	// Token opens the store to this client: Token. Required.
	Token string
	// Timeout bounds every call, besides its context; 0: DefaultTimeout.
	Timeout time.Duration
	// Hold is how long a control read that brings nothing new may be held by the
	// Server, half of the time that the call has at most; 0: DefaultHold with the
	// token of a run, and not at all with that of the whole store; negative: not at
	// all.
	Hold time.Duration

	dial func(ctx context.Context, network, address string) (net.Conn, error) // of tests
}

var (
	_ ports.Store         = (*client)(nil)
	_ ports.TemplateStore = clientTemplates{}
	_ ports.LogStore      = clientLogs{}
)

// client is a store that a Server elsewhere serves.
type client struct {
	base      string
	options   ClientOptions
	transport *http.Transport
	closed    atomic.Bool

	mu   sync.Mutex
	seen map[[2]string]int64 // the version that was read last, by run and worker
}

// Open connects to the Server at address, like http://172.17.0.1:40123. With the
// token of a run, calls that a worker does not need are Denied.
// Errors: Invalid for an address that is none; Denied for a token that the Server
// does not know; Unsupported for a server that is no gateway, or of another
// version; Unavailable.
func Open(ctx context.Context, address string, options ClientOptions) (ports.Store, error) {
	at, err := url.Parse(address)
	if err != nil || at.Scheme != "http" || at.Host == "" || strings.Trim(at.Path, "/") != "" || at.RawQuery != "" || at.User != nil {
		return nil, fmt.Errorf("%w: gateway: the address is %q; allowed: one like http://172.17.0.1:40123", core.ErrInvalid, address)
	}
	runID, ok := runOf(options.Token)
	if !ok {
		return nil, fmt.Errorf("%w: gateway: no token was given, or it is none", core.ErrDenied)
	}
	if options.Timeout <= 0 {
		options.Timeout = DefaultTimeout
	}
	if options.Hold == 0 && runID != "" {
		options.Hold = DefaultHold
	}
	if options.dial == nil {
		options.dial = (&net.Dialer{}).DialContext
	}
	c := &client{
		base: "http://" + at.Host + "/" + protocol + "/", options: options, seen: map[[2]string]int64{},
		transport: &http.Transport{
			DialContext:         options.dial, // and no proxy: the token is for this server alone
			MaxIdleConnsPerHost: maxIdleConnections,
			IdleConnTimeout:     idleConnectionTimeout,
			DisableCompression:  true,
		},
	}
	if _, err := ask[hello](ctx, c, "Hello", nothing{}); err != nil {
		c.transport.CloseIdleConnections()
		return nil, err
	}
	return c, nil
}

// Close frees the connections. Calls after it are Unavailable.
func (c *client) Close() error {
	c.closed.Store(true)
	c.transport.CloseIdleConnections()
	return nil
}

// ask makes one call. It is never repeated.
func ask[R any](ctx context.Context, c *client, name string, args any) (result R, err error) {
	if err := ended(ctx); err != nil {
		return result, err
	}
	if c.closed.Load() {
		return result, fmt.Errorf("%w: gateway: the store is closed", core.ErrUnavailable)
	}
	body, err := json.Marshal(args)
	if err != nil {
		return result, fmt.Errorf("%w: gateway: the arguments of %s: %w", core.ErrInvalid, name, err)
	}
	call, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(call, http.MethodPost, c.base+name, bytes.NewReader(body))
	if err != nil {
		return result, fmt.Errorf("%w: gateway: %w", core.ErrInternal, err)
	}
	request.Header.Set("Authorization", "Bearer "+c.options.Token)
	request.Header.Set("Content-Type", jsonType)
	response, err := c.transport.RoundTrip(request)
	if err != nil {
		return result, unreached(ctx, name, err)
	}
	defer func() { _ = response.Body.Close() }() // it was read, or is given up
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return result, unreached(ctx, name, err)
	case len(text) > maxAnswer:
		return result, fmt.Errorf("%w: gateway: the answer to %s is longer than %d bytes", core.ErrInternal, name, maxAnswer)
	case response.StatusCode != http.StatusOK:
		return result, refusal(name, response, text)
	}
	if err := json.Unmarshal(text, &result); err != nil {
		return result, fmt.Errorf("%w: gateway: the answer to %s: %w", core.ErrInternal, name, err)
	}
	return result, nil
}

// unreached is the error of a call that got no answer.
func unreached(ctx context.Context, name string, err error) error {
	if ended := ended(ctx); ended != nil {
		return ended
	}
	return fmt.Errorf("%w: gateway: %s: %w", core.ErrUnavailable, name, err)
}

// refusal is the error that an answer stands for. What is no problem of a gateway
// comes from something in between.
func refusal(name string, response *http.Response, text []byte) error {
	var p problem
	if response.Header.Get("Content-Type") == jsonType && json.Unmarshal(text, &p) == nil && p.Code != "" {
		return p.error()
	}
	code := core.ErrUnsupported
	if response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests {
		code = core.ErrUnavailable
	}
	return fmt.Errorf("%w: gateway: %s: no gateway of protocol %s answers there, but something says %s", code, name, protocol, response.Status)
}

// tell makes a call without a result.
func tell(ctx context.Context, c *client, name string, args any) error {
	_, err := ask[nothing](ctx, c, name, args)
	return err
}

// Control is held by the Server while it would bring nothing new.
func (c *client) Control(ctx context.Context, runID, workerID string) (core.Control, error) {
	args := controlArgs{RunID: runID, WorkerID: workerID, Hold: max(c.options.Hold, 0)}
	left := c.options.Timeout
	if deadline, ok := ctx.Deadline(); ok {
		left = min(left, time.Until(deadline))
	}
	args.Hold = max(min(args.Hold, left/2), 0)
	key := [2]string{runID, workerID}
	c.mu.Lock()
	args.Seen = c.seen[key]
	c.mu.Unlock()
	control, err := ask[core.Control](ctx, c, "WorkerStore.Control", args)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.seen) >= maxSeen {
		clear(c.seen)
	}
	c.seen[key] = control.Version
	return control, err
}
