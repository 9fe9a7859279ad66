//go:build unix

package parity_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/docker/dockertest"
	"github.com/benchfleet/benchfleet/adapters/postgres/postgrestest"
	"github.com/benchfleet/benchfleet/adapters/sqlite"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/parity"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/worker"
	"github.com/matryer/is"
)

var (
	launchers = flag.String("launchers", "local,docker,plugin,spcs", "`LIST` of the launchers to compare, with commas")
	target    = flag.String("target", "postgres", "`KIND` of the server that all of them load: postgres, snowflake")
	update    = flag.Bool("update", false, "rewrite the golden files, from the first launcher")
)

const (
	connections = 15
	runLimit    = 2 * time.Minute
	bridge      = "172.17.0.1" // where containers reach this host
)

// TestParity runs one scenario over 1, 3 and 5 workers through every launcher.
// There is one golden file for each number of workers, which all launchers share,
// and the operations are the same for all of them.
func TestParity(t *testing.T) {
	s := newSite(t)
	hashes := map[string]string{}
	for _, workers := range []int{1, 3, 5} {
		golden := filepath.Join("testdata", fmt.Sprintf("workers-%d.golden", workers))
		for i, launcher := range strings.Split(*launchers, ",") {
			name := fmt.Sprintf("%d-%s", workers, launcher)
			t.Run(name, func(t *testing.T) {
				is := is.New(t)
				got, hash := s.run(t, workers, s.launcher(t, launcher))
				hashes[hash] = name
				if *update && i == 0 {
					is.NoErr(os.WriteFile(golden, []byte(got), 0o644))
				}
				want, err := os.ReadFile(golden)
				is.NoErr(err)
				if got != string(want) {
					t.Errorf("%d workers of %s are another run than the golden one\ngot:\n%swant:\n%s", workers, launcher, got, want)
				}
			})
		}
	}
	if len(hashes) > 1 {
		t.Errorf("the operations depend on who runs them: %v", hashes)
	}
}

// site is what all launchers share: a server with a table, the command, and a
// store that is a file.
type site struct {
	t                          *testing.T // of all runs
	dir, binary, plugin, image string
	env                        []string
	cloud                      *cloud // nil: nobody has needed Snowflake yet
}

// compares reports whether a launcher is one of those to compare.
func compares(launcher string) bool { return slices.Contains(strings.Split(*launchers, ","), launcher) }

// newSite builds the command and prepares store and table.
func newSite(t *testing.T) *site {
	t.Helper()
	dir := t.TempDir()
	s := &site{
		t: t, dir: filepath.Join(dir, "data"), binary: filepath.Join(dir, "benchfleet"), plugin: filepath.Join(dir, "launcher"),
		env: os.Environ(),
	}
	s.build(t, s.binary, "../cmd/benchfleet")
	s.build(t, s.plugin, "../examples/plugin")
	s.env = append(s.env, worker.EndpointVariable("parity")+"="+s.server(t))
	s.do(t, "schema", "apply")
	s.do(t, "template", "import", s.template(t))
	return s
}

// server is the address of the server that is loaded, as this host and the
// workers of every launcher reach it.
func (s *site) server(t *testing.T) string {
	t.Helper()
	if *target == "snowflake" {
		return s.snowflake(t).endpoint(t)
	}
	host, listen := "127.0.0.1", "127.0.0.1"
	if (compares("docker") || compares("spcs")) && here(bridge) {
		host, listen = bridge, listen+","+bridge
	}
	server := postgrestest.Start(t, postgrestest.Options{Listen: listen})
	return server.DSNAt(host, postgrestest.Superuser, server.Database(t))
}

// template is the file of the scenario, for the kind of server that is loaded.
func (s *site) template(t *testing.T) string {
	t.Helper()
	const file = "testdata/parity.yaml"
	if *target == "postgres" {
		return file
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("kind: postgres"), []byte("kind: "+*target), 1)
	if *target == "snowflake" {
		text = bytes.Replace(text, []byte("rows: 2000}"), []byte("rows: 2000, type: HYBRID}"), 1)
	}
	other := filepath.Join(t.TempDir(), "parity.yaml")
	if err := os.WriteFile(other, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return other
}

// here reports whether an address is one of this host.
func here(address string) bool {
	l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

func (s *site) build(t *testing.T, out, folder string) {
	t.Helper()
	s.exec(t, append(os.Environ(), "CGO_ENABLED=0"), "go", "build", "-trimpath", "-buildvcs=true", "-ldflags=-s", "-o", out, folder)
}

// do runs the command, which must succeed.
func (s *site) do(t *testing.T, args ...string) {
	t.Helper()
	s.exec(t, s.env, s.binary, append([]string{"--dir", s.dir}, args...)...)
}

func (s *site) exec(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = env
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it stops its run then
	cmd.WaitDelay = runLimit
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
}

// way is what the command is told for a launcher, and the store that it has then.
type way struct {
	args, env []string
	open      func(t *testing.T) ports.Store
}

// launcher is the way to run with a launcher. What this machine does not have is
// skipped, unless it is required.
func (s *site) launcher(t *testing.T, name string) way {
	t.Helper()
	w := way{args: []string{"--launcher", name}, env: s.env, open: s.openFile}
	switch name {
	case "local":
	case "plugin":
		w.args = []string{"--launcher", "plugin:" + s.plugin}
	case "docker":
		dockertest.Require(t)
		w.args = append(w.args, "--launcher-option", "image="+s.buildImage(t))
	case "spcs":
		return s.jobs(t)
	default:
		t.Fatalf("-launchers names %q; allowed: local, docker, plugin, spcs", name)
	}
	return w
}

// openFile opens the store that is a file.
func (s *site) openFile(t *testing.T) ports.Store {
	t.Helper()
	store, err := sqlite.OpenStore(t.Context(), filepath.Join(s.dir, "store.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// buildImage builds the image of the Dockerfile around the command, once.
func (s *site) buildImage(t *testing.T) string {
	t.Helper()
	if s.image != "" {
		return s.image
	}
	version, err := exec.Command(s.binary, "version", "--output", "json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var build core.Build
	if err := json.Unmarshal(version, &build); err != nil {
		t.Fatal(err)
	}
	image, err := dockertest.Product("", "../Dockerfile", s.binary, build.ID)
	s.t.Cleanup(func() { exec.Command("docker", "image", "rm", "--force", image).Run() })
	if err != nil {
		t.Fatal(err)
	}
	s.image = image
	return image
}

// run runs the scenario and returns the normal form of the run, and the hash of
// its operations.
func (s *site) run(t *testing.T, workers int, w way) (normal, hash string) {
	t.Helper()
	// A table without the rows of the runs before: keys that two stores reserve in
	// one second are the same (core.NextInsertBase).
	s.do(t, "prepare", "parity", "--drop")
	s.do(t, "prepare", "parity")
	s.exec(t, w.env, s.binary, slices.Concat([]string{
		"--dir", s.dir, "run", "parity", "--workers", strconv.Itoa(workers), "--connections", strconv.Itoa(connections / workers),
	}, w.args)...)
	store := w.open(t)
	defer store.Close()
	runs, err := store.List(t.Context(), ports.RunFilter{Limit: 1})
	if err != nil || len(runs) != 1 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	events, err := store.Events(t.Context(), runs[0].ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	result, _, err := store.Rollup(t.Context(), runs[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	return parity.Normal(events, result), fmt.Sprintf("%016x", result.Hash)
}
