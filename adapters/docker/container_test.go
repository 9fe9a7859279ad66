//go:build linux || darwin

package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/docker/dockertest"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/matryer/is"
)

// opened is a launcher of the machine's daemon, whose containers are removed at
// the end.
func opened(t testing.TB, change func(*Options)) *Launcher {
	o := options(t, dockertest.Require(t))
	if change != nil {
		change(&o)
	}
	l := open(t, o)
	t.Cleanup(func() { sweep(t, l) })
	return l
}

func probe(run string, i int, what string) ports.WorkerSpec {
	s := spec(run, i, "")
	s.Environment = []ports.EnvVar{{Name: envProbe, Value: what}}
	return s
}

// launched launches a probe and returns its container, after its end.
func launched(t testing.TB, l *Launcher, s ports.WorkerSpec) (core.Handle, ports.WorkerStatus, container.InspectResponse) {
	t.Helper()
	is := is.New(t)
	h, err := l.Launch(t.Context(), s)
	is.NoErr(err)
	status := gone(t, l, h)
	d, err := decode(h)
	is.NoErr(err)
	c, err := l.client.ContainerInspect(t.Context(), d.Container)
	is.NoErr(err)
	return h, status, c
}

// Secrets are files of the worker alone, and nothing that Docker shows.
func TestSecrets(t *testing.T) {
	const one, two = "s3cret-of-one", "s3cret-of-two"
	for _, c := range []struct{ user, dir, file string }{
		{"", "500 65532:65532", "400 65532:65532"},
		{"1234:77", "500 1234:77", "400 1234:77"},
		{"1234", "500 1234:0", "400 1234:0"},
		{"0:0", "500 0:0", "400 0:0"},
	} {
		t.Run("user "+c.user, func(t *testing.T) {
			is := is.New(t)
			l := opened(t, func(o *Options) { o.User = c.user })
			s := probe(t.Name(), 0, "look")
			s.Secrets = []ports.EnvVar{{Name: "ONE", Value: one}, {Name: "BENCHFLEET_ENDPOINT_PROD", Value: two}}
			h, status, inspected := launched(t, l, s)
			is.Equal(status.Cause, "exited with code 0")
			var found seen
			log := logs(t, l, h, "all\n")
			is.NoErr(json.NewDecoder(strings.NewReader(log)).Decode(&found))
			is.Equal(found.Dir, c.dir)
			is.Equal(found.Files, map[string]string{"ONE": c.file + " " + one + " <nil>", "BENCHFLEET_ENDPOINT_PROD": c.file + " " + two + " <nil>"})
			is.True(slices.Contains(found.Environ, "ONE_FILE="+secretDir+"/ONE"))
			is.True(slices.Contains(found.Environ, "BENCHFLEET_ENDPOINT_PROD_FILE="+secretDir+"/BENCHFLEET_ENDPOINT_PROD"))
			is.Equal(found.Capabilities, "0000000000000000 0000000000000000 ") // not even root has any
			is.Equal(found.NoNew, "1")
			is.Equal(found.Writable, c.user == "0:0") // the root folder is root's

			shown, err := json.Marshal(inspected)
			is.NoErr(err)
			is.True(!strings.Contains(string(shown), "s3cret"))
			is.True(!strings.Contains(strings.Join(found.Environ, " ")+found.CommandLine, "s3cret"))

			file := onDisk(t, inspected, "ONE")
			is.NoErr(l.Release(t.Context(), h))
			_, err = l.client.ContainerInspect(t.Context(), inspected.ID)
			is.True(notFound(err)) // and with it its file system
			if file != "" {
				_, err = os.Stat(file)
				is.True(errors.Is(err, os.ErrNotExist))
			}
		})
	}
}

// onDisk is the file of a secret on this host, where the daemon's storage driver
// tells it and the test may look; else "".
func onDisk(t testing.TB, c container.InspectResponse, secret string) string {
	upper, ok := c.GraphDriver.Data["UpperDir"]
	if !ok || os.Geteuid() != 0 || runtime.GOOS != "linux" {
		t.Logf("storage driver %s does not show where the secret is", c.GraphDriver.Name)
		return ""
	}
	file := filepath.Join(upper, secretPath(secret))
	_, err := os.Stat(file)
	is.New(t).NoErr(err)
	return file
}

// A secret is in no log, no process's arguments and no inspection while the
// worker lives; the daemon's files hold it in the container's own layer alone.
func TestSecretsOfTheLiving(t *testing.T) {
	is := is.New(t)
	l := opened(t, nil)
	s := spec(t.Name(), 0, "digest=ONE hold=1m")
	s.Secrets = []ports.EnvVar{{Name: "ONE", Value: "s3cret-of-one"}}
	h, err := l.Launch(t.Context(), s)
	is.NoErr(err)
	logs(t, l, h, "digest ONE ")
	launches, err := l.List(t.Context(), t.Name())
	is.NoErr(err)
	is.Equal(len(launches), 1)
	places, err := dockertest.NewPlatform(t, l.options.Host).Shows(launches[0].Handle.Data, "s3cret")
	is.NoErr(err)
	is.Equal(len(places), 0)
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	is.NoErr(err)
	for _, line := range lines {
		text, err := os.ReadFile(line)
		if err == nil { // it may have ended
			is.True(!bytes.Contains(text, []byte("s3cret-of"))) // line
		}
	}
}

func TestInvalidSecrets(t *testing.T) {
	is := is.New(t)
	l := open(t, Options{})
	for _, secrets := range [][]ports.EnvVar{
		{{Name: "", Value: "s3cret"}},
		{{Name: "A/B", Value: "s3cret"}},
		{{Name: "..", Value: "s3cret"}},
		{{Name: "1A", Value: "s3cret"}},
		{{Name: "A", Value: "s3cret"}, {Name: "A", Value: "s3cret"}},
		{{Name: "A", Value: strings.Repeat("s3cret", maxSecret/6+1)}},
	} {
		s := spec("run", 0, "")
		s.Secrets = secrets
		_, err := l.Launch(t.Context(), s)
		is.Equal(core.CodeOf(err), core.Invalid)
		is.True(!strings.Contains(err.Error(), "s3cret"))
	}
}

func TestLimitsAndLabels(t *testing.T) {
	is := is.New(t)
	l := opened(t, func(o *Options) {
		o.Memory, o.CPUs, o.Grace = 96<<20, 0.5, 1500*time.Millisecond
		o.ExtraHosts = []string{"db.example:192.0.2.1"}
		o.Env = []string{"A=base", "B=base"}
		o.Mounts = []Mount{{Source: t.TempDir(), Target: "/data", ReadOnly: true}}
	})
	s := probe(t.Name(), 3, "look")
	s.Environment = append(s.Environment, ports.EnvVar{Name: "B", Value: "own"})
	s.ExpiresAt = time.Date(2031, 4, 5, 6, 7, 8, 9, time.UTC)
	_, _, c := launched(t, l, s)
	is.Equal(c.HostConfig.Memory, int64(96<<20))
	is.Equal(c.HostConfig.NanoCPUs, int64(5e8))
	is.Equal(c.HostConfig.RestartPolicy.Name, container.RestartPolicyDisabled)
	is.Equal(c.HostConfig.Privileged, false)
	is.Equal(c.HostConfig.AutoRemove, false)
	is.Equal(*c.Config.StopTimeout, 2) // whole seconds, rounded up
	is.Equal(c.Config.StopSignal, "SIGTERM")
	is.True(slices.Contains(c.HostConfig.ExtraHosts, "db.example:192.0.2.1"))
	is.Equal(c.HostConfig.Mounts[0].Target, "/data")
	is.True(slices.Contains(c.Config.Env, "A=base") && slices.Contains(c.Config.Env, "B=own") && !slices.Contains(c.Config.Env, "B=base"))
	for label, want := range map[string]string{
		"benchfleet.run": t.Name(), "benchfleet.worker": "worker-3", "benchfleet.epoch": "1", "benchfleet.version": "1",
		"benchfleet.expires": "2031-04-05T06:07:08.000000009Z", dockertest.Label: t.Name(),
	} {
		is.Equal(c.Config.Labels[label], want) // label
	}
	is.True(strings.HasPrefix(c.Name, "/benchfleet-TestLimitsAndLabels-worker-3-1-"))
}

func TestOutOfMemory(t *testing.T) {
	is := is.New(t)
	l := opened(t, func(o *Options) { o.Memory = 64 << 20 })
	_, status, _ := launched(t, l, probe(t.Name(), 0, "eat"))
	is.Equal(status.State, ports.LaunchGone)
	is.Equal(status.ExitCode, 137)
	is.True(strings.HasSuffix(status.Cause, "out of memory (limit 64 MiB)")) // for sure, or perhaps: a busy daemon may miss it
}

// Hard ends the first process of a container, and with it all others.
func TestHardEndsAll(t *testing.T) {
	is := is.New(t)
	if runtime.GOOS != "linux" {
		t.Skip("process ids are those of Docker's virtual machine")
	}
	l := opened(t, nil)
	h, err := l.Launch(t.Context(), spec(t.Name(), 0, "ignore=TERM spawn=ignore%3DTERM+hold%3D1m hold=1m"))
	is.NoErr(err)
	logs(t, l, h, "spawned ")
	d, err := decode(h)
	is.NoErr(err)
	top, err := l.client.ContainerTop(t.Context(), d.Container, []string{"-eo", "pid"})
	is.NoErr(err)
	is.Equal(len(top.Processes), 2)
	is.NoErr(l.Stop(t.Context(), h, ports.Hard))
	is.Equal(gone(t, l, h), ports.WorkerStatus{State: ports.LaunchGone, ExitCode: 137, Cause: "killed by signal 9 (code 137)"})
	for _, p := range top.Processes {
		pid, err := strconv.Atoi(p[0])
		is.NoErr(err)
		waitFor(t, "process has ended", func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
	}
}

// A container reaches a server that listens where Reach says, on the default
// network, on a user's, and on the host's.
func TestReach(t *testing.T) {
	host := dockertest.Require(t)
	mine := userNetwork(t, host)
	for _, name := range []string{"", mine, "host"} {
		t.Run("network "+name, func(t *testing.T) {
			is := is.New(t)
			l := opened(t, func(o *Options) { o.Network = name })
			reach, err := l.Reach(t.Context())
			is.NoErr(err)
			listener, err := net.Listen("tcp", net.JoinHostPort(reach.Listen, "0"))
			is.NoErr(err)
			served := make(chan error, 1)
			go func() {
				c, err := listener.Accept()
				if err == nil {
					_, err = io.WriteString(c, "welcome\n")
					err = errors.Join(err, c.Close())
				}
				served <- err
			}()
			_, port, err := net.SplitHostPort(listener.Addr().String())
			is.NoErr(err)
			h, status, _ := launched(t, l, probe(t.Name(), 0, "dial "+net.JoinHostPort(reach.Dial, port)))
			log := logs(t, l, h, "\n")
			_ = listener.Close()
			<-served
			is.Equal(status.ExitCode, 0)
			is.True(strings.Contains(log, "heard welcome")) // log
		})
	}
	t.Run("network none", func(t *testing.T) {
		is := is.New(t)
		l := opened(t, func(o *Options) { o.Network = "none" })
		_, err := l.Reach(t.Context())
		is.Equal(core.CodeOf(err), core.Unsupported)
		_, status, _ := launched(t, l, probe(t.Name(), 0, "look")) // it works, and reaches nobody
		is.Equal(status.ExitCode, 0)
	})
	t.Run("network missing", func(t *testing.T) {
		is := is.New(t)
		l := opened(t, func(o *Options) { o.Network = "no-such-network" })
		_, err := l.Reach(t.Context())
		is.Equal(core.CodeOf(err), core.NotFound)
		_, err = l.Launch(t.Context(), probe(t.Name(), 0, "look"))
		is.Equal(core.CodeOf(err), core.NotFound)
		is.Equal(len(own(t, l)), 0)
	})
}

func userNetwork(t testing.TB, host string) string {
	is := is.New(t)
	c := dockertest.Client(t, host)
	n, err := c.NetworkCreate(t.Context(), "benchfleet-test-"+strconv.Itoa(os.Getpid()), network.CreateOptions{Driver: "bridge", Labels: map[string]string{dockertest.Label: t.Name()}})
	is.NoErr(err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		is.NoErr(c.NetworkRemove(ctx, n.ID))
	})
	return n.ID
}

// What the image declares as a volume goes with the container.
func TestReleaseRemovesVolumes(t *testing.T) {
	is := is.New(t)
	l := opened(t, nil)
	l.options.Image = withVolume(t, l)
	h, _, c := launched(t, l, probe(t.Name(), 0, "look"))
	is.Equal(len(c.Mounts), 1)
	_, err := l.client.VolumeInspect(t.Context(), c.Mounts[0].Name)
	is.NoErr(err)
	is.NoErr(l.Release(t.Context(), h))
	_, err = l.client.VolumeInspect(t.Context(), c.Mounts[0].Name)
	is.True(notFound(err))
}

// withVolume returns an image like the launcher's, but with a volume.
func withVolume(t testing.TB, l *Launcher) string {
	is := is.New(t)
	ctx := t.Context()
	c, err := l.client.ContainerCreate(ctx, &container.Config{Image: l.options.Image, Labels: l.options.Labels}, nil, nil, nil, "")
	is.NoErr(err)
	made, err := l.client.ContainerCommit(ctx, c.ID, container.CommitOptions{Changes: []string{"VOLUME /data"}})
	is.NoErr(err)
	is.NoErr(l.client.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true}))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		for _, id := range own(t, l) {
			is.NoErr(l.client.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true}))
		}
		_, err := l.client.ImageRemove(ctx, made.ID, image.RemoveOptions{})
		is.NoErr(err)
	})
	return made.ID
}

// On the host's own network the health address of the image would be fought for.
func TestHealthAddress(t *testing.T) {
	for network, want := range map[string]string{"": "", "bridge": "", "host": "BENCHFLEET_HEALTH=127.0.0.1:0"} {
		is := is.New(t)
		l, err := New(Options{Network: network})
		is.NoErr(err)
		c := l.config(ports.WorkerSpec{}, user{})
		is.Equal(slices.Contains(c.Env, want), want != "")
		is.Equal(c.Healthcheck != nil, want != "")
		is.NoErr(l.Close())
		if l, err = New(Options{Network: network, Env: []string{"BENCHFLEET_HEALTH=127.0.0.1:9000"}}); err != nil {
			t.Fatal(err)
		}
		is.True(slices.Contains(l.config(ports.WorkerSpec{}, user{}).Env, "BENCHFLEET_HEALTH=127.0.0.1:9000")) // a user's wins
		is.NoErr(l.Close())
	}
}
