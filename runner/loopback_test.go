package runner_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
)

// elsewhere is a launcher whose workers reach this host by that address; where it
// is empty they do not.
type elsewhere struct {
	ports.Launcher
	dial string
}

func (l elsewhere) Capabilities() ports.Capabilities {
	c := l.Launcher.Capabilities()
	c.LocalFiles = l.dial == "here"
	return c
}

func (l elsewhere) Reach(context.Context) (ports.Reach, error) {
	if l.dial == "" {
		return ports.Reach{}, fmt.Errorf("%w: another host", core.ErrUnsupported)
	}
	return ports.Reach{Listen: "172.17.0.1", Dial: l.dial}, nil
}

// A target on the loopback of this host answers preflight, and no worker that has
// a loopback of its own.
func TestPreflightOfATargetOnTheLoopback(t *testing.T) {
	for _, tc := range []struct {
		name, target, dial string
		severity           core.Severity // "": no finding
	}{
		{"containers", "127.0.0.1:5432", "host.docker.internal", core.SeverityError},
		{"by name", "localhost:5432", "host.docker.internal", core.SeverityError},
		{"IPv6", "[::1]:5432", "host.docker.internal", core.SeverityError},
		{"by name, however it is written", "LocalHost.:5432", "host.docker.internal", core.SeverityError},
		{"every address", "0.0.0.0:5432", "host.docker.internal", core.SeverityError},
		{"every address, IPv6", "[::]:5432", "host.docker.internal", core.SeverityError},
		{"IPv6 with a zone", "[::1%lo]:5432", "host.docker.internal", core.SeverityError},
		{"IPv6 without a port", "[::1]", "host.docker.internal", core.SeverityError},
		{"without a port", "127.0.0.2", "host.docker.internal", core.SeverityError},
		{"another host", "127.0.0.1:5432", "", core.SeverityWarning},
		{"the host's own network", "127.0.0.1:5432", "127.0.0.1", ""},
		{"processes of this host", "127.0.0.1:5432", "here", ""},
		{"another target", "10.0.0.7:5432", "host.docker.internal", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				is := is.New(t)
				b := newBench(t, nil)
				r := b.runner(t, "a", func(p *runner.Ports, _ *runner.Options) {
					p.Launcher = elsewhere{b.launcher, tc.dial}
					p.Target = hookTarget{Target: b.target, hooks: b.hooks, describe: func(i *ports.TargetInfo) { i.Host, i.LocalFile = tc.target, false }}
				})
				found := r.Preflight(t.Context(), scenarioFor(t, 2, nil))
				at := slices.IndexFunc(found, func(f core.Finding) bool { return f.ID == "target.loopback" })
				if tc.severity == "" {
					is.Equal(at, -1)
					return
				}
				is.True(at >= 0)
				is.Equal(found[at].Severity, tc.severity)
				is.True(strings.Contains(found[at].Message, tc.target))
				is.Equal(strings.Contains(found[at].Mend, "172.17.0.1"), tc.dial != "")
			})
		})
	}
}
