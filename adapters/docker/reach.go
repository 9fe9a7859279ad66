package docker

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/docker/docker/api/types/network"
)

const (
	loopback = "127.0.0.1"
	hostName = "host.docker.internal" // Docker's own name for the host

	bridgeName = "com.docker.network.bridge.name" // option of a network: its interface
)

// Reach implements ports.Launcher. On Linux a server must listen on the gateway
// of the containers' network; on Docker Desktop, whose Engine forwards to this
// host's loopback, and with the network "host" on that.
// Errors: Unsupported for a daemon on another host or in a network namespace of
// its own, and for a network without a gateway; NotFound for one that is not
// there.
func (l *Launcher) Reach(ctx context.Context) (ports.Reach, error) {
	ctx, cancel := bound(ctx)
	defer cancel()
	if err := live(ctx, "reach"); err != nil {
		return ports.Reach{}, err
	}
	if !l.local {
		return ports.Reach{}, fmt.Errorf("%w: docker: the daemon at %s may be on another host, whose containers do not reach this one; run benchfleet there, or use a store that containers reach by themselves",
			core.ErrUnsupported, l.options.Host)
	}
	d, err := l.ask(ctx, recent)
	if err != nil {
		return ports.Reach{}, err
	}
	switch {
	case d.Desktop:
		return ports.Reach{Listen: loopback, Dial: hostName}, nil
	case d.Rootless:
		return ports.Reach{}, fmt.Errorf("%w: docker: the daemon is rootless, so its containers do not reach this host; use a store that they reach by themselves", core.ErrUnsupported)
	case l.options.Network == network.NetworkHost:
		return ports.Reach{Listen: loopback, Dial: loopback}, nil
	}
	gateway, err := l.gateway(ctx)
	if err != nil {
		return ports.Reach{}, err
	}
	return ports.Reach{Listen: gateway.String(), Dial: hostName}, nil
}

// gateway is the host's address in the containers' network, IPv4 if there is
// one. A daemon that has made its default network itself does not tell it until
// its next start; then the interface does, where it is one of this host.
func (l *Launcher) gateway(ctx context.Context) (netip.Addr, error) {
	n, err := l.client.NetworkInspect(ctx, l.options.Network, network.InspectOptions{})
	if err != nil {
		return netip.Addr{}, failed(ctx, "look for the network "+l.options.Network, err)
	}
	var found netip.Addr
	if n.Driver == network.NetworkBridge {
		for _, c := range n.IPAM.Config {
			if ip, err := netip.ParseAddr(c.Gateway); err == nil {
				found = preferred(found, ip)
			}
		}
		if bridge := n.Options[bridgeName]; !found.IsValid() && l.local && bridge != "" {
			found = addressOf(bridge)
		}
	}
	if !found.IsValid() {
		return found, fmt.Errorf("%w: docker: the network %s (driver %s) has no gateway on this host; use a bridge network", core.ErrUnsupported, n.Name, n.Driver)
	}
	return found, nil
}

// addressOf is the address of an interface of this host; invalid where there is
// none.
func addressOf(name string) netip.Addr {
	var found netip.Addr
	i, err := net.InterfaceByName(name)
	if err != nil {
		return found
	}
	all, err := i.Addrs()
	if err != nil {
		return found
	}
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil && !p.Addr().IsLinkLocalUnicast() {
			found = preferred(found, p.Addr())
		}
	}
	return found
}

// preferred is the first valid address, but IPv4 before IPv6.
func preferred(a, b netip.Addr) netip.Addr {
	if !a.IsValid() || b.Is4() && !a.Is4() {
		return b
	}
	return a
}

// hostEntry is the line of /etc/hosts by which containers find the host. It
// names the gateway of the containers' own network, on which a server listens;
// Docker's "host-gateway" is always that of the default one.
func (l *Launcher) hostEntry(ctx context.Context) ([]string, error) {
	d, err := l.ask(ctx, recent)
	if err != nil {
		return nil, err
	}
	if d.Desktop || l.options.Network == network.NetworkHost { // it resolves, or is not needed
		return nil, nil
	}
	gateway, err := l.gateway(ctx)
	switch {
	case err == nil:
		return []string{hostName + ":" + gateway.String()}, nil
	case core.CodeOf(err) != core.Unsupported:
		return nil, err
	case l.options.Network == defaultNetwork:
		return []string{hostName + ":host-gateway"}, nil
	}
	return nil, nil
}
