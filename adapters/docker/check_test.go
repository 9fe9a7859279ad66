//go:build linux || darwin

package docker

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/docker/dockertest"
	"github.com/benchfleet/benchfleet/core"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/system"
	"github.com/matryer/is"
)

// engine answers like a daemon that is not one, at a socket of its own.
func engine(t testing.TB, api string, answer http.HandlerFunc) string {
	is := is.New(t)
	dir, err := os.MkdirTemp("/tmp", "engine-") // short: the path of a socket has 108 bytes
	is.NoErr(err)
	t.Cleanup(func() { is.NoErr(os.RemoveAll(dir)) })
	listener, err := net.Listen("unix", filepath.Join(dir, "s"))
	is.NoErr(err)
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", api)
		if strings.HasSuffix(r.URL.Path, "/_ping") {
			_, _ = io.WriteString(w, "OK")
			return
		}
		w.Header().Set("Content-Type", "application/json")
		answer(w, r)
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		is.NoErr(server.Close())
		is.True(errors.Is(<-served, http.ErrServerClosed))
	})
	return "unix://" + filepath.Join(dir, "s")
}

func says(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

// A daemon that is absent, too old, or refuses gives one finding, which says
// what to do, and every other call has the code of it.
func TestCheckDaemon(t *testing.T) {
	for _, c := range []struct {
		name, host    string
		message, mend string
		code          core.Code
	}{
		{"absent", "unix:///no/such/socket", "no daemon answers at unix:///no/such/socket", "start Docker", core.Unavailable},
		{"absent tcp", "tcp://127.0.0.1:1", "no daemon answers at tcp://127.0.0.1:1", "start Docker", core.Unavailable},
		{"too old", engine(t, "1.39", says(200, `{"ID":"x","OSType":"linux","ServerVersion":"18.09","SystemTime":"2026-01-02T03:04:05Z"}`)),
			"version 18.09 with API 1.39, at least 1.41 is needed", "20.10", ""},
		{"refuses", engine(t, "1.41", says(403, `{"message":"authorization denied by plugin x"}`)), "authorization denied by plugin x", "may not use the daemon", core.Denied},
		{"broken", engine(t, "1.41", says(500, `{"message":"disk on fire"}`)), "disk on fire", "log", core.Internal},
		{"windows", engine(t, "1.41", says(200, `{"ID":"x","OSType":"windows","SystemTime":"2026-01-02T03:04:05Z"}`)), "windows containers", "Linux containers", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			l := open(t, Options{Host: c.host})
			findings, err := l.Check(t.Context(), 3)
			is.NoErr(err)
			is.Equal(len(findings), 1)
			f := findings[0]
			is.Equal(f.ID, "docker.daemon")
			is.Equal(f.Severity, core.SeverityError)
			is.True(strings.Contains(f.Message, c.message)) // f.Message
			is.True(strings.Contains(f.Mend, c.mend))       // f.Mend
			if c.code == "" {
				return
			}
			_, err = l.Launch(t.Context(), spec("run", 0, ""))
			is.Equal(core.CodeOf(err), c.code)
			_, err = l.List(t.Context(), "")
			is.Equal(core.CodeOf(err), c.code)
			_, err = l.Inspect(t.Context(), []core.Handle{someHandle})
			is.Equal(core.CodeOf(err), c.code)
		})
	}
}

var someHandle = handle{Daemon: "x", Container: strings.Repeat("0a", 32)}.encode()

// A daemon that hangs holds nobody longer than the caller's context.
func TestHangingDaemon(t *testing.T) {
	is := is.New(t)
	l := open(t, Options{Host: engine(t, "1.41", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := l.Launch(ctx, spec("run", 0, ""))
	is.True(errors.Is(err, context.DeadlineExceeded))
	is.Equal(core.CodeOf(err), core.Unavailable)
	_, err = l.Check(ctx, 1)
	is.True(errors.Is(err, context.DeadlineExceeded))
}

// So does one that hangs in the middle of a launch.
func TestHangingLaunch(t *testing.T) {
	is := is.New(t)
	l := open(t, Options{Host: engine(t, "1.41", func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/info"):
			says(200, `{"ID":"x","OSType":"linux","SystemTime":"2026-01-02T03:04:05Z"}`)(w, r)
		case strings.HasSuffix(r.URL.Path, "/containers/create"):
			<-r.Context().Done()
		case strings.Contains(r.URL.Path, "/containers/"):
			says(404, `{"message":"no such container"}`)(w, r)
		default:
			says(200, `{}`)(w, r)
		}
	})})
	l.finish = 100 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err := l.Launch(ctx, spec("run", 0, ""))
	is.True(errors.Is(err, context.DeadlineExceeded)) // the caller's
	is.Equal(core.CodeOf(err), core.Unavailable)
	is.True(time.Since(begin) < 5*time.Second)
}

// Who may not open the socket is told about the group.
func TestSocketDenied(t *testing.T) {
	is := is.New(t)
	o := options(t, dockertest.Require(t))
	if os.Geteuid() != 0 {
		t.Skip("only root can become a user without the group docker")
	}
	is.NoErr(os.Chmod(shared.dir, 0o755))
	out, state := act(t, o, spec(t.Name(), 0, ""), "", func(cmd *exec.Cmd) {
		cmd.Path = shared.worker
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	})
	is.Equal(state.ExitCode(), 1)
	is.True(strings.HasPrefix(out, string(core.Denied)+" ")) // out
	is.True(strings.Contains(out, "group docker"))           // out
}

func TestCheckImage(t *testing.T) {
	host := dockertest.Require(t)
	built := options(t, host)
	for _, c := range []struct {
		name     string
		change   func(*Options)
		id       string
		severity core.Severity
		message  []string
	}{
		{"fine", func(*Options) {}, "docker.build", core.SeverityOK, []string{testBuild}},
		{"missing", func(o *Options) { o.Image = "no-such-image:at-all" }, "docker.image", core.SeverityError, []string{"no-such-image:at-all"}},
		{"no name", func(o *Options) { o.Image = "bad image!" }, "docker.image", core.SeverityError, []string{`"bad image!" is no name of an image`}},
		{"other build", func(o *Options) { o.Build.ID = "ffff" }, "docker.build", core.SeverityError, []string{"ffff", testBuild}},
		{"no build", func(o *Options) { o.Build.ID = "" }, "docker.build", core.SeverityWarning, []string{"no id"}},
		{"no network", func(o *Options) { o.Network = "no-such-network" }, "docker.network", core.SeverityError, []string{"no-such-network"}},
		{"much memory", func(o *Options) { o.Memory = 1 << 50 }, "docker.memory", core.SeverityWarning, []string{"1073741824 MiB"}},
		{"little memory", func(o *Options) { o.Memory = 6 << 20 }, "docker.memory", core.SeverityWarning, []string{"6 MiB", "32 MiB"}},
		{"many CPUs", func(o *Options) { o.CPUs = 5000 }, "docker.cpus", core.SeverityError, []string{"5000"}},
		{"shared CPUs", func(o *Options) { o.CPUs = 0.4 }, "docker.cpus", core.SeverityWarning, []string{"1000 workers", "0.4"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			o := built
			c.change(&o)
			findings, err := open(t, o).Check(t.Context(), 1000)
			is.NoErr(err)
			seen := false
			for _, f := range findings {
				is.True(f.Severity == core.SeverityOK || f.Mend != "") // each says what to do
				if f.ID != c.id {
					continue
				}
				seen = true
				is.Equal(f.Severity, c.severity)
				for _, part := range c.message {
					is.True(strings.Contains(f.Message, part)) // f.Message
				}
			}
			is.True(seen)
			is.Equal(core.Refusal(findings) != "", c.severity == core.SeverityError)
		})
	}
	t.Run("no workers", func(t *testing.T) {
		is := is.New(t)
		_, err := open(t, built).Check(t.Context(), 0)
		is.Equal(core.CodeOf(err), core.Invalid)
	})
}

// What is not on this host may be on the daemon's, where that is another.
func TestCheckMounts(t *testing.T) {
	host, err := os.Hostname()
	is.New(t).NoErr(err)
	there := t.TempDir()
	for _, c := range []struct {
		name, socket, daemon, source string
		severity                     core.Severity // "": no finding
	}{
		{"there", "", host, there, ""},
		{"not there", "", host, there + "/x", core.SeverityError},
		{"in a virtual machine", "", "docker-desktop", there + "/x", core.SeverityWarning},
		{"another host", "tcp://192.0.2.1:2375", host, there + "/x", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			l := open(t, Options{Host: c.socket, Mounts: []Mount{{Source: c.source, Target: "/x"}}})
			found, err := l.checkMounts(t.Context(), system.Info{Name: c.daemon})
			is.NoErr(err)
			if c.severity == "" {
				is.Equal(len(found), 0)
				return
			}
			is.Equal(len(found), 1)
			is.Equal(found[0].Severity, c.severity)
			is.True(strings.Contains(found[0].Message, c.source) && strings.Contains(found[0].Mend, c.source))
		})
	}
}

// Check asks for them.
func TestCheckHasMounts(t *testing.T) {
	is := is.New(t)
	about := `{"ID":"x","Name":"elsewhere","OSType":"linux","ServerVersion":"28","SystemTime":"2026-01-02T03:04:05Z"}`
	l := open(t, Options{Host: engine(t, "1.41", says(200, about)), Mounts: []Mount{{Source: "/no/such", Target: "/x"}}})
	found, err := l.Check(t.Context(), 1)
	is.NoErr(err)
	is.True(slices.ContainsFunc(found, func(f core.Finding) bool { return f.ID == "docker.mount" }))
}

func TestCheckPlatformAndLabels(t *testing.T) {
	is := is.New(t)
	arm := image.InspectResponse{Os: "linux", Architecture: "arm64"}
	f := checkPlatform("x", arm, system.Info{OSType: "linux", Architecture: "x86_64"})
	is.Equal(f.Severity, core.SeverityError)
	is.True(strings.Contains(f.Message, "linux/arm64") && strings.Contains(f.Message, "linux/amd64"))
	is.Equal(checkPlatform("x", arm, system.Info{OSType: "linux", Architecture: "aarch64"}).Severity, core.SeverityOK)

	l := open(t, Options{Build: core.Build{ID: "abc"}})
	is.Equal(l.checkBuild("x", arm).Severity, core.SeverityError) // no labels at all
}
