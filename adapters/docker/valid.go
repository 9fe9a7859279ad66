package docker

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

const (
	minMemory    = 6 << 20  // bytes; the daemon refuses less
	workerMemory = 32 << 20 // bytes; a worker that has less is killed before it works

	contractPrefix = "BENCHFLEET_" // of the variables of the worker contract
)

func validHost(host *url.URL) error {
	switch host.Scheme {
	case "unix", "npipe", "tcp", "http", "https":
		return nil
	case "ssh":
		return fmt.Errorf("%w: docker: host %s: ssh is not spoken here; forward the daemon's socket (ssh -L /tmp/docker.sock:/var/run/docker.sock) and name that",
			core.ErrInvalid, host.Redacted())
	default:
		return fmt.Errorf("%w: docker: host %s; allowed: unix://, npipe://, tcp://", core.ErrInvalid, host.Redacted())
	}
}

func validOptions(o Options) error {
	invalid := func(format string, args ...any) error {
		return fmt.Errorf("%w: docker: "+format, append([]any{core.ErrInvalid}, args...)...)
	}
	switch {
	case !(o.CPUs >= 0 && o.CPUs <= 1e6): // also refuses NaN
		return invalid("cpus is %v; allowed: 0 (no limit) or more", o.CPUs)
	case o.Memory < 0 || o.Memory > 0 && o.Memory < minMemory:
		return invalid("memory is %d bytes; allowed: 0 (no limit), or %s and more, since Docker takes no less", o.Memory, size(minMemory))
	case o.Grace < 0 || o.StartTimeout < 0:
		return invalid("grace is %s, start timeout %s; allowed: 0 (default) or more", o.Grace, o.StartTimeout)
	}
	if o.User != "" {
		if _, err := parseUser(o.User); err != nil {
			return err
		}
	}
	for _, v := range o.Env {
		if err := validVariable(v); err != nil {
			return err
		}
	}
	for _, m := range o.Mounts {
		if !absolute(m.Source) || !path.IsAbs(m.Target) {
			return invalid("mount of %q at %q; both must be absolute paths", m.Source, m.Target)
		}
	}
	for _, h := range o.ExtraHosts {
		if n, address, ok := strings.Cut(h, ":"); !ok || n == "" || address == "" {
			return invalid("extra host %q; want name:address", h)
		}
	}
	for label := range o.Labels {
		if label == "" || strings.HasPrefix(label, labelPrefix) {
			return invalid("label %q; those that begin with %q are the launcher's own", label, labelPrefix)
		}
	}
	return nil
}

// validVariable refuses variables that are not somebody else's to set: those of
// the worker contract would be overridden by a launch, or override it. It shows no
// value but that of the health address.
func validVariable(v string) error {
	name, value, ok := strings.Cut(v, "=")
	switch {
	case !ok || name == "":
		return fmt.Errorf("%w: docker: environment variable %q; want NAME=value", core.ErrInvalid, name)
	case name == ports.EnvHealth && !validHealth(value):
		return fmt.Errorf("%w: docker: environment variable %s is %q; allowed: IP:PORT or localhost:PORT, like 127.0.0.1:9464", core.ErrInvalid, name, value)
	case name != ports.EnvHealth && strings.HasPrefix(name, contractPrefix):
		return fmt.Errorf("%w: docker: environment variable %s; those that begin with %s are the worker contract's, and only %s may be set", core.ErrInvalid, name, contractPrefix, ports.EnvHealth)
	}
	return nil
}

// validHealth reports whether a worker can serve its health there.
func validHealth(address string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	_, ipErr := netip.ParseAddr(host)
	_, portErr := strconv.ParseUint(port, 10, 16)
	return (ipErr == nil || host == "localhost") && portErr == nil
}

// absolute also knows Windows paths, whatever this program runs on: the daemon
// is what understands them.
func absolute(p string) bool {
	return path.IsAbs(p) || len(p) > 2 && p[1] == ':' && (p[2] == '\\' || p[2] == '/')
}
