//go:build linux || darwin

package docker

import (
	"testing"

	"github.com/benchfleet/benchfleet/adapters/docker/dockertest"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/matryer/is"
)

// A daemon that stops in the middle makes every answer Unavailable, and never
// GONE; after its restart everything is known again.
func TestDaemonStopsAndRestarts(t *testing.T) {
	is := is.New(t)
	d := dockertest.Start(t)
	o := options(t, d.Host())
	o.Network = "none"
	l, ctx := open(t, o), t.Context()
	lives, err := l.Launch(ctx, spec("run", 0, "ignore=TERM hold=1m"))
	is.NoErr(err)
	ended, err := l.Launch(ctx, spec("run", 1, "exit=3"))
	is.NoErr(err)
	gone(t, l, ended)
	is.Equal(inspect(t, l, lives).State, ports.LaunchRunning)

	d.Stop()
	_, err = l.Inspect(ctx, []core.Handle{lives, ended})
	is.Equal(core.CodeOf(err), core.Unavailable)
	_, err = l.List(ctx, "run")
	is.Equal(core.CodeOf(err), core.Unavailable)
	_, err = l.Launch(ctx, spec("run", 2, "hold=1m"))
	is.Equal(core.CodeOf(err), core.Unavailable)
	_, err = l.Logs(ctx, ended, 0)
	is.Equal(core.CodeOf(err), core.Unavailable)
	is.Equal(core.CodeOf(l.Stop(ctx, lives, ports.Hard)), core.Unavailable)
	is.Equal(core.CodeOf(l.Release(ctx, ended)), core.Unavailable)
	_, err = l.Reach(ctx)
	is.Equal(core.CodeOf(err), core.Unavailable)
	findings, err := l.Check(ctx, 1)
	is.NoErr(err)
	is.Equal(len(findings), 1) // one clear finding
	is.Equal(findings[0].ID, "docker.daemon")
	is.Equal(findings[0].Severity, core.SeverityError)

	d.Restart()
	again := open(t, o)
	for _, x := range []*Launcher{l, again} {
		all, err := x.Inspect(ctx, []core.Handle{lives, ended})
		is.NoErr(err)
		is.Equal(all[0].State, ports.LaunchGone) // the daemon ends its containers, and restarts none
		is.Equal(all[1].Cause, "exited with code 3")
	}
	same, err := again.Launch(ctx, spec("run", 0, "hold=1m"))
	is.NoErr(err)
	is.Equal(same, lives) // known, and not started again
	is.Equal(inspect(t, again, lives).State, ports.LaunchGone)
	sweep(t, again)
}

// A daemon that is killed while a container runs, and while another is between
// create and start, leaves nothing behind after a restart and gc.
func TestDaemonIsKilled(t *testing.T) {
	is := is.New(t)
	d := dockertest.Start(t)
	o := options(t, d.Host())
	o.Network = "none"
	l, ctx := open(t, o), t.Context()
	_, err := l.Launch(ctx, spec("run", 0, "hold=1m"))
	is.NoErr(err)
	l.at = func(point string) {
		if point == "filled" {
			d.Kill()
		}
	}
	_, err = l.Launch(ctx, spec("run", 1, "hold=1m"))
	is.Equal(core.CodeOf(err), core.Unavailable)
	d.Restart()
	launches, err := l.List(ctx, "")
	is.NoErr(err)
	is.Equal(len(launches), 2)
	for _, launch := range launches {
		is.True(launch.State != ports.LaunchRunning) // neither was restarted
	}
	sweep(t, l)
}

// A handle means something to its own daemon only: another must not say GONE.
func TestOtherDaemon(t *testing.T) {
	is := is.New(t)
	host := dockertest.Require(t)
	d := dockertest.Start(t)
	mine, other := open(t, options(t, host)), open(t, Options{Host: d.Host(), Network: "none"})
	ctx := t.Context()
	h, err := mine.Launch(ctx, spec(t.Name(), 0, "hold=1m"))
	is.NoErr(err)
	t.Cleanup(func() { sweep(t, mine) })
	_, err = other.Inspect(ctx, []core.Handle{h})
	is.Equal(core.CodeOf(err), core.Unavailable)
	is.Equal(core.CodeOf(other.Stop(ctx, h, ports.Hard)), core.Unavailable)
	is.Equal(core.CodeOf(other.Release(ctx, h)), core.Unavailable)
	_, err = other.Logs(ctx, h, 0)
	is.Equal(core.CodeOf(err), core.Unavailable)
	is.Equal(inspect(t, mine, h).State, ports.LaunchRunning)
}
