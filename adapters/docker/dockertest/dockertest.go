// Package dockertest gives tests a Docker daemon and an image: the machine's own
// daemon, or one that the test may stop. It is for tests only. It never stops,
// restarts or cleans the machine's daemon: it removes what it has made itself.
package dockertest

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

// Label is on everything that a test makes. Its value is the name of the test.
const Label = "dockertest"

// limit bounds each step: a build, a start, a clean-up.
const limit = 2 * time.Minute

// Require returns the host of the machine's daemon: DOCKER_HOST, or the default
// socket. Without a daemon it skips the test, or fails it when
// BENCHFLEET_REQUIRE names docker.
func Require(tb testing.TB) string {
	tb.Helper()
	host := machine()
	c := Client(tb, host)
	ctx, cancel := context.WithTimeout(tb.Context(), 10*time.Second)
	defer cancel()
	if _, err := c.Ping(ctx); err != nil {
		missing(tb, "no Docker daemon: %v", err)
	}
	return host
}

// machine is the host of the machine's daemon.
func machine() string { return cmp.Or(os.Getenv("DOCKER_HOST"), client.DefaultDockerHost) }

// missing skips the test for what the machine does not have, or fails it.
func missing(tb testing.TB, format string, args ...any) {
	tb.Helper()
	if slices.Contains(strings.FieldsFunc(os.Getenv("BENCHFLEET_REQUIRE"), func(r rune) bool { return r == ',' || r == ' ' }), "docker") {
		tb.Fatalf("BENCHFLEET_REQUIRE names docker: "+format, args...)
	}
	tb.Skipf(format, args...)
}

// Client returns a client of a daemon, closed at the end of the test.
func Client(tb testing.TB, host string) *client.Client {
	tb.Helper()
	c, err := client.NewClientWithOpts(client.WithHost(host), client.WithAPIVersionNegotiation())
	if err != nil {
		tb.Fatalf("client of %s: %v", host, err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// Binary builds a static Linux program from a package, or the test binary of one
// when asked for tests, and returns its path, which is below dir. The package is
// named as for go build. It is built as the command is, whose dependencies Go has
// compiled then.
func Binary(tb testing.TB, dir, pkg string, tests bool) string {
	tb.Helper()
	out := filepath.Join(dir, "worker")
	args := []string{"build"}
	if tests {
		args = []string{"test", "-c"}
	}
	ctx, cancel := context.WithTimeout(tb.Context(), 2*limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", append(args, "-trimpath", "-ldflags=-s -w", "-o", out, pkg)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=")
	if text, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("build %s: %v\n%s", pkg, err, text)
	}
	return out
}

// Image builds an image from nothing but a static program and returns its name.
// The image and all containers of it are removed at the end of the test.
func Image(tb testing.TB, host, binaryPath string, labels map[string]string) string {
	tb.Helper()
	all := map[string]string{Label: tb.Name()}
	maps.Copy(all, labels)
	name, err := Build(host, binaryPath, all)
	tb.Cleanup(func() { // even of what is half built
		if err := Remove(host, name); err != nil {
			tb.Errorf("remove image %s: %v", name, err)
		}
	})
	if err != nil {
		tb.Fatalf("build image %s: %v", name, err)
	}
	return name
}

// Build is Image without a test: for a TestMain, which calls Remove at the end.
func Build(host, binaryPath string, labels map[string]string) (name string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	name = "benchfleet-test:" + strings.ToLower(rand.Text())
	files, err := imageContext(binaryPath)
	if err != nil {
		return name, err
	}
	c, err := client.NewClientWithOpts(client.WithHost(host), client.WithAPIVersionNegotiation())
	if err != nil {
		return name, err
	}
	defer c.Close() //nolint:errcheck // nothing is lost
	answer, err := c.ImageBuild(ctx, files, build.ImageBuildOptions{Tags: []string{name}, Labels: labels, Remove: true, ForceRemove: true})
	if err != nil {
		return name, err
	}
	defer answer.Body.Close() //nolint:errcheck // only read
	said, err := io.ReadAll(answer.Body)
	if err == nil && bytes.Contains(said, []byte(`"errorDetail"`)) {
		err = errors.New(string(said))
	}
	return name, err
}

// Product builds the image of a Dockerfile around a static benchfleet, by the
// daemon at host ("": that of the machine). Its labels tell of a build. Remove
// removes what it names, also beside an error.
func Product(host, dockerfile, binaryPath, build string) (name string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	name = "benchfleet-test:" + strings.ToLower(rand.Text())
	folder, err := os.MkdirTemp(filepath.Dir(binaryPath), "image")
	if err != nil {
		return name, err
	}
	defer os.RemoveAll(folder) //nolint:errcheck // below a folder of the test's own
	if err := os.Link(binaryPath, filepath.Join(folder, "benchfleet")); err != nil {
		return name, err
	}
	revision, _, _ := strings.Cut(build, "+")
	cmd := exec.CommandContext(ctx, "docker", "build", "--quiet", "--force-rm", "--tag", name,
		"--build-arg", "BUILD="+build, "--build-arg", "REVISION="+revision, "--file", dockerfile, folder)
	cmd.Env = append(os.Environ(), "DOCKER_BUILDKIT=0", "DOCKER_HOST="+cmp.Or(host, machine()))
	if out, err := cmd.CombinedOutput(); err != nil {
		return name, fmt.Errorf("docker build: %w: %s", err, out)
	}
	return name, nil
}

// Remove removes an image and every container of it. It is no error when they
// are gone, or their daemon.
func Remove(host, name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c, err := client.NewClientWithOpts(client.WithHost(host), client.WithAPIVersionNegotiation())
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // nothing is lost
	if _, err := c.Ping(ctx); err != nil {
		return nil //nolint:nilerr // a daemon that its test has ended, with all that it held
	}
	left, err := c.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("ancestor", name))})
	if errdefs.IsNotFound(err) {
		return nil
	}
	for _, l := range left {
		err = errors.Join(err, c.ContainerRemove(ctx, l.ID, container.RemoveOptions{Force: true, RemoveVolumes: true}))
	}
	if _, removeErr := c.ImageRemove(ctx, name, image.RemoveOptions{Force: true, PruneChildren: true}); !errdefs.IsNotFound(removeErr) {
		err = errors.Join(err, removeErr)
	}
	return err
}

// imageContext is the archive that the daemon builds an image from.
func imageContext(binaryPath string) (io.Reader, error) {
	program, err := os.ReadFile(binaryPath)
	if err != nil {
		return nil, err
	}
	var buffer bytes.Buffer
	archive := tar.NewWriter(&buffer)
	for _, file := range []struct {
		name string
		mode int64
		data []byte
	}{
		{"Dockerfile", 0o644, []byte("FROM scratch\nCOPY worker /worker\nENTRYPOINT [\"/worker\"]\n")},
		{"worker", 0o755, program},
	} {
		err = errors.Join(err, archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: file.name, Mode: file.mode, Size: int64(len(file.data))}))
		_, writeErr := archive.Write(file.data)
		err = errors.Join(err, writeErr)
	}
	return &buffer, errors.Join(err, archive.Close())
}
