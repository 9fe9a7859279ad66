package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// The waits for an address that its last holder has not given back yet.
const (
	bindPause   = 50 * time.Millisecond
	bindTimeout = 5 * time.Second
)

// Listen listens on the address, an IP address and a port; port 0 picks a free
// one. An address that is in use is tried again until ctx ends, 5 s at most: the
// successor of an owner that died comes to the address of its predecessor.
// Errors: Invalid for an address that is none, or that stands for every address
// of the host; Unavailable for one that stays in use or that this host has not;
// Denied.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	at, err := checkAddress(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, bindTimeout)
	defer cancel()
	var config net.ListenConfig
	for {
		l, err := config.Listen(ctx, "tcp", at.String())
		if err == nil {
			return l, nil
		}
		code := core.ErrUnavailable
		if errors.Is(err, fs.ErrPermission) {
			code = core.ErrDenied
		}
		problem := fmt.Errorf("%w: gateway: %w", code, err)
		if !errors.Is(err, syscall.EADDRINUSE) || !pause(ctx, bindPause) {
			return nil, problem
		}
	}
}

func checkAddress(address string) (netip.AddrPort, error) {
	refuse := func(format string, args ...any) (netip.AddrPort, error) {
		return netip.AddrPort{}, fmt.Errorf("%w: gateway: the address to listen on is %q: %s", core.ErrInvalid, address, fmt.Sprintf(format, args...))
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return refuse("allowed: an IP address and a port, like 127.0.0.1:0")
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return refuse("%q is no port", port)
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return refuse("%q is no IP address", host)
	}
	ip = ip.Unmap()
	if ip.IsUnspecified() || ip.IsMulticast() {
		return refuse("it does not stand for one address of this host, and the gateway never listens on every one")
	}
	return netip.AddrPortFrom(ip, uint16(number)), nil
}

// pause waits; it is false when ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
