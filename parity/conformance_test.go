//go:build unix

package parity_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/docker"
	"github.com/benchfleet/benchfleet/adapters/docker/dockertest"
	"github.com/benchfleet/benchfleet/adapters/plugin"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/ports/porttest"
	"github.com/matryer/is"
)

// envServe makes this test binary a plugin: it holds the docker.Options of the
// launcher to serve, as JSON.
const envServe = "PARITY_TEST_SERVE"

func TestMain(m *testing.M) {
	text, ok := os.LookupEnv(envServe)
	if !ok {
		os.Exit(shared.Run(m))
	}
	if err := serve(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// options are what the plugin side is told of docker.Options.
type options struct {
	Host, Image string
	Build       core.Build
	Labels      map[string]string
}

func serve(text string) error {
	var opts options
	if err := json.Unmarshal([]byte(text), &opts); err != nil {
		return err
	}
	l, err := docker.New(docker.Options{Host: opts.Host, Image: opts.Image, Build: opts.Build, Labels: opts.Labels})
	if err != nil {
		return err
	}
	plugin.Serve(l, plugin.ServeOptions{})
	return l.Close()
}

// TestDockerThroughPlugin runs the suite of launchers on the launcher of
// containers in another process: a fresh one for each Launcher, so that every
// handle that a case hands on is reloaded there. What the containers run is the
// test binary of adapters/docker.
func TestDockerThroughPlugin(t *testing.T) {
	is := is.New(t)
	host := dockertest.Require(t)
	build := core.Build{ID: "0123abcd", Stamped: true}
	worker := dockertest.Binary(t, t.TempDir(), "../adapters/docker", true)
	opts, err := json.Marshal(options{
		Host: host, Build: build, Labels: map[string]string{dockertest.Label: t.Name()},
		Image: dockertest.Image(t, host, worker, map[string]string{"io.benchfleet.build": build.ID}),
	})
	is.NoErr(err)
	platform := dockertest.NewPlatform(t, host)
	h := porttest.LauncherHarness{
		New: func(t testing.TB) ports.Launcher {
			is := is.New(t)
			l, err := plugin.Open(context.Background(), os.Args[0], plugin.Options{
				Environ: os.Environ(),
				Env:     []string{envServe + "=" + string(opts), "GORACE=atexit_sleep_ms=0"},
			})
			is.NoErr(err)
			t.Cleanup(func() { is.NoErr(l.Close()) })
			return l
		},
		StartWithin: 30 * time.Second,
		EndWithin:   30 * time.Second,
		Count:       platform.Count,
		Shows:       func(l ports.Launch, text string) ([]string, error) { return platform.Shows(l.Handle.Data, text) },
		Left:        platform.Left,
	}
	if platform.SeesProcesses() {
		h.Alive = func(handle core.Handle, pid int) (bool, error) { return platform.Alive(handle.Data, pid) }
	}
	porttest.TestLauncher(t, h)
}
