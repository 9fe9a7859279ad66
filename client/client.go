package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// The bounds of a call.
const (
	callWait  = 30 * time.Second
	maxAnswer = 64 << 20
)

// Options are what a Client can be told. The zero value works on loopback.
type Options struct {
	// Token lets the client in where the controller asks for one.
	Token string
	// HTTP makes the requests; nil: a client of its own. It must not follow
	// redirects to other hosts with the token.
	HTTP *http.Client
}

// Client calls a controller. It may be used concurrently.
type Client struct {
	base  *url.URL
	token string
	http  *http.Client
}

// New returns a client of the controller at an address like
// http://127.0.0.1:8080/prefix. It does no I/O. Errors: Invalid.
func New(address string, o Options) (*Client, error) {
	base, err := url.Parse(address)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("%w: the address of the controller is %q; allowed: http://HOST:PORT or https://HOST, and a path", core.ErrInvalid, withoutUser(address))
	}
	c := &Client{base: base.JoinPath("api", "v1"), token: o.Token, http: o.HTTP}
	if c.http == nil {
		c.http = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	return c, nil
}

// withoutUser leaves out what may be a password.
func withoutUser(address string) string {
	if scheme, rest, ok := strings.Cut(address, "://"); ok && strings.Contains(rest, "@") {
		return scheme + "://…"
	}
	return address
}

// call is one request.
type call struct {
	method string
	path   []string // each is escaped
	query  url.Values
	send   any    // as JSON; []byte as it is
	media  string // of send, where it is no JSON
	key    string // idempotency
	accept string
	match  string // version that must be replaced
	last   string // frame that was seen
}

// do makes a call and decodes its answer into into, unless that is nil.
func (c *Client) do(ctx context.Context, call call, into any) error {
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	response, err := c.open(ctx, call)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return c.away(ctx, err)
	case len(body) > maxAnswer:
		return fmt.Errorf("%w: the controller's answer has more than %d bytes", core.ErrInternal, maxAnswer)
	case into == nil:
		return nil
	}
	if text, ok := into.(*[]byte); ok {
		*text = body
		return nil
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%w: the controller at %s answers something else than it should: %w", core.ErrInternal, c.base, err)
	}
	return nil
}

// open makes a call and returns its answer, if it is one of success.
func (c *Client) open(ctx context.Context, call call) (*http.Response, error) {
	request, err := c.request(ctx, call)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.away(ctx, err)
	}
	if response.StatusCode >= 200 && response.StatusCode < 300 {
		return response, nil
	}
	defer response.Body.Close()
	return nil, c.failed(response)
}

func (c *Client) request(ctx context.Context, call call) (*http.Request, error) {
	to := *c.base
	for _, part := range call.path {
		if part == "" || part == "." || part == ".." {
			return nil, fmt.Errorf("%w: a name is %q", core.ErrInvalid, part)
		}
		to = *to.JoinPath(url.PathEscape(part))
	}
	to.RawQuery = call.query.Encode()
	body, media := []byte(nil), call.media
	switch send := call.send.(type) {
	case nil:
	case []byte:
		body = send
	default:
		var err error
		if body, err = json.Marshal(send); err != nil {
			return nil, fmt.Errorf("%w: %w", core.ErrInternal, err)
		}
		media = "application/json"
	}
	request, err := http.NewRequestWithContext(ctx, call.method, to.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", core.ErrInvalid, err)
	}
	set := func(name, value string) {
		if value != "" {
			request.Header.Set(name, value)
		}
	}
	set("Content-Type", media)
	set("Accept", call.accept)
	set("Idempotency-Key", call.key)
	set("If-Match", call.match)
	set("Last-Event-ID", call.last)
	if c.token != "" {
		set("Authorization", "Bearer "+c.token)
	}
	return request, nil
}

// away is an error of the network.
func (c *Client) away(ctx context.Context, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // its text has the whole address
	}
	if ctx.Err() != nil {
		err = errors.Join(ctx.Err(), err)
	}
	return fmt.Errorf("%w: the controller at %s does not answer: %w", core.ErrUnavailable, c.base.Host, err)
}

// failed reads the problem that an answer holds.
func (c *Client) failed(response *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<20)) // what is there of it
	p := &Problem{}
	if err := json.Unmarshal(body, p); err != nil || p.Code == "" {
		return fmt.Errorf("%w: the controller at %s answers %s, and no problem: is it one?", core.ErrInternal, c.base.Host, response.Status)
	}
	return p
}
