package health

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// The bounds of one question.
const (
	askTimeout = 5 * time.Second
	maxAnswer  = 64 << 10 // bytes
)

// Ask reads /health at an address (host:port), within 5 s. The address may be
// the one that a server was told to listen on: an unspecified one is asked on
// the loopback. Proxies and redirects are not followed. That the role is not
// ready is no error. Errors: Invalid for the address, Unavailable when nobody
// answers, Internal when something else does.
func Ask(ctx context.Context, address string) (Status, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || port == "" {
		return Status{}, fmt.Errorf("%w: health address is %q; allowed: host:port", core.ErrInvalid, address)
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	url := "http://" + net.JoinHostPort(reachable(host), port) + "/health"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return Status{}, fmt.Errorf("%w: health address: %w", core.ErrInvalid, err)
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: maxHeader},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return Status{}, fmt.Errorf("%w: health: %w", core.ErrUnavailable, err)
	}
	defer response.Body.Close()
	return readStatus(response)
}

func readStatus(response *http.Response) (s Status, err error) {
	if code := response.StatusCode; code != http.StatusOK && code != http.StatusServiceUnavailable {
		return s, fmt.Errorf("%w: health: the answer is %d, not 200 or 503: something else listens there", core.ErrInternal, code)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return s, fmt.Errorf("%w: health: %w", core.ErrUnavailable, err)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return Status{}, fmt.Errorf("%w: health: the answer is no status: %w", core.ErrInternal, err)
	}
	if ready := response.StatusCode == http.StatusOK; s.Role == "" || ready != (s.Live && s.Ready) {
		return Status{}, fmt.Errorf("%w: health: the answer is no status: something else listens there", core.ErrInternal)
	}
	return s, nil
}

// reachable is the host to ask for a server that listens on host.
func reachable(host string) string {
	if host == "" {
		return "127.0.0.1"
	}
	switch ip, err := netip.ParseAddr(host); {
	case err != nil || !ip.IsUnspecified():
		return host
	case ip.Is4():
		return "127.0.0.1"
	default:
		return "::1"
	}
}
