//go:build linux || darwin

package spcs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"
	"github.com/jmoiron/sqlx"
	"github.com/matryer/is"
	sf "github.com/snowflakedb/gosnowflake/v2"

	"github.com/benchfleet/benchfleet/adapters/docker/dockertest"
	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/ports/porttest"
)

// This test binary, built static, is also the worker in the jobs.
func TestMain(m *testing.M) {
	firstProcess() // of a script that kills itself
	porttest.HelperMain(os.LookupEnv)
	if err := sf.GetLogger().SetLogLevel("off"); err != nil { // it writes what the suite provokes
		panic(err)
	}
	var err error
	if shared.dir, err = os.MkdirTemp("", "spcs-test-"); err != nil {
		panic(err)
	}
	code := shared.server.Run(m)
	if err := shared.remove(); err != nil {
		fmt.Println(err)
		code = 1
	}
	os.Exit(code)
}

// firstProcess runs a script that kills itself in a second process: the kernel
// lets no process kill the first one of its container from within.
func firstProcess() {
	script, ok := os.LookupEnv(porttest.EnvScript)
	if !ok || os.Getpid() != 1 || !strings.Contains(script, "die=KILL") {
		return
	}
	stops := make(chan os.Signal, 1)
	signal.Notify(stops, syscall.SIGTERM)
	cmd := exec.Command("/proc/self/exe")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	go func() { // ends with the process
		for s := range stops {
			_ = cmd.Process.Signal(s)
		}
	}()
	_ = cmd.Wait()
	status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		os.Exit(signalBase + int(status.Signal()))
	}
	os.Exit(status.ExitStatus())
}

// grace is the stand-in's time from SIGTERM to SIGKILL; Snowflake's is 30 s.
const grace = 3 * time.Second

// serviceLabel is on the containers of the stand-in's services.
const serviceLabel = "snowlocal.service"

// shared is made once for all tests, and removed by TestMain.
var shared = fixtures{server: snowflaketest.Shared{Options: snowflaketest.Options{
	Containers: true, Config: map[string]any{"GraceSeconds": grace.Seconds()},
}}}

type fixtures struct {
	server        snowflaketest.Shared
	dir           string
	host          string
	built, tagged string // the image, by its own name and by that of the repository
	secrets       atomic.Int64
}

func (s *fixtures) remove() error {
	err := os.RemoveAll(s.dir)
	if s.tagged != "" {
		err = errors.Join(err, dockertest.Remove(s.host, s.tagged))
	}
	if s.built != "" {
		err = errors.Join(err, dockertest.Remove(s.host, s.built))
	}
	return err
}

// platform is a stand-in with containers, seen past the launcher.
type platform struct {
	server *snowflaketest.Server
	docker *client.Client
	daemon *dockertest.Platform
	db     *sqlx.DB
}

func newPlatform(t testing.TB) *platform {
	t.Helper()
	is := is.New(t)
	host := dockertest.Require(t)
	p := &platform{server: shared.server.Server(t), docker: dockertest.Client(t, host), daemon: dockertest.NewPlatform(t, host)}
	if p.server.ComputePool == "" {
		t.Skip("an account runs no image of a test: this test needs the stand-in")
	}
	p.db = p.open(t, snowflaketest.In{})
	if shared.built == "" {
		shared.host = host
		var err error
		shared.built, err = dockertest.Build(host, dockertest.Binary(t, shared.dir, ".", true), map[string]string{dockertest.Label: t.Name()})
		is.NoErr(err)
		tagged := p.server.Repository() + "spcstest:v1"
		is.NoErr(p.docker.ImageTag(t.Context(), shared.built, tagged))
		shared.tagged = tagged
	}
	return p
}

// open opens a pool of connections, which is closed at the end of the test.
func (p *platform) open(t testing.TB, in snowflaketest.In) *sqlx.DB {
	t.Helper()
	is := is.New(t)
	db, err := sqlx.Open("snowflake", p.server.DSN(in))
	is.NoErr(err)
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	t.Cleanup(func() { is.NoErr(db.Close()) })
	return db
}

// must executes statements of a test's set-up.
func (p *platform) must(t testing.TB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := p.db.ExecContext(context.Background(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// options are those of a launcher for tests, with an image of this test binary.
func (p *platform) options() Options {
	schema := strings.Split(p.server.ImageRepository, ".")
	return Options{
		Database: schema[0], Schema: schema[1], Pool: p.server.ComputePool, Image: "/" + p.server.Repository() + "spcstest:v1",
		Warehouse: p.server.Warehouse, CPU: "100m", Memory: "128Mi", Number: number, Pace: 50 * time.Millisecond,
	}
}

func number(err error) (int, string) {
	var said *sf.SnowflakeError
	if errors.As(err, &said) {
		return said.Number, said.SQLState
	}
	return 0, ""
}

func (p *platform) launcher(t testing.TB, o Options) *Launcher {
	t.Helper()
	is := is.New(t)
	l, err := New(p.db, o)
	is.NoErr(err)
	return l
}

// secret makes a secret object, and returns its name.
func (p *platform) secret(t testing.TB, text string) string {
	t.Helper()
	object := fmt.Sprintf("%s.TEST_SECRET_%d", p.server.ImageRepository[:strings.LastIndexByte(p.server.ImageRepository, '.')], shared.secrets.Add(1))
	p.must(t, "CREATE SECRET "+object+" TYPE = GENERIC_STRING SECRET_STRING = "+literal(text))
	t.Cleanup(func() { p.must(t, "DROP SECRET "+object) })
	return object
}

// containers are the Docker Engine's own, running, of a run; all: ended ones too.
func (p *platform) containers(runID string, all bool) ([]string, error) {
	ctx := context.Background()
	list, err := p.docker.ContainerList(ctx, container.ListOptions{All: all, Filters: filters.NewArgs(filters.Arg("label", serviceLabel))})
	if err != nil {
		return nil, err
	}
	var found []string
	for _, c := range list {
		whole, err := p.docker.ContainerInspect(ctx, c.ID)
		if errdefs.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if slices.Contains(whole.Config.Env, ports.EnvRunID+"="+runID) {
			found = append(found, c.Labels[serviceLabel])
		}
	}
	return found, nil
}

// left are the jobs of a run that the stand-in has still, and the containers.
func (p *platform) left(t testing.TB, runID string) ([]string, error) {
	found, err := p.containers(runID, true)
	for _, s := range p.server.Services(t) {
		if strings.Contains(s.Name, "."+prefixOf(runID)) {
			found = append(found, s.Name+" "+s.Status)
		}
	}
	return found, err
}

// shows looks for a text in all that Snowflake itself shows of a job.
func (p *platform) shows(launch ports.Launch, text string) ([]string, error) {
	h, err := decode(launch.Handle)
	if err != nil {
		return nil, err
	}
	l := Launcher{db: p.db, options: withDefaults(Options{Number: number})}
	var places []string
	for _, query := range []string{
		"DESCRIBE SERVICE " + h.path(), "SHOW JOB SERVICES IN SCHEMA " + h.place().String(), "SHOW SERVICE CONTAINERS IN SERVICE " + h.path(),
	} {
		rows, err := l.ask(context.Background(), "look", query)
		if err != nil {
			return nil, err
		}
		if data, err := json.Marshal(rows); err != nil || strings.Contains(string(data), text) {
			places = append(places, query)
		}
	}
	return places, nil
}

// alive asks the kernel whether a process lives in the container of a job.
func (p *platform) alive(from core.Handle, pid int) (bool, error) {
	h, err := decode(from)
	if err != nil {
		return false, err
	}
	list, err := p.docker.ContainerList(context.Background(), container.ListOptions{Filters: filters.NewArgs(filters.Arg("label", serviceLabel+"="+h.path()))})
	if err != nil || len(list) == 0 {
		return false, err
	}
	return p.daemon.Alive(fmt.Appendf(nil, `{"container":%q}`, list[0].ID), pid)
}

func TestLauncher(t *testing.T) {
	p := newPlatform(t)
	o := p.options()
	// The text that the suite forwards is in an object that somebody has made.
	o.Secrets = map[string]string{"PORTTEST_SECRET": p.secret(t, "planted-5ecret\nin two lines")}
	h := porttest.LauncherHarness{
		New:         func(t testing.TB) ports.Launcher { return p.launcher(t, o) },
		StartWithin: 30 * time.Second,
		EndWithin:   30*time.Second + grace,
		Count:       func(runID string) (int, error) { found, err := p.containers(runID, false); return len(found), err },
		Shows:       p.shows,
		Left:        func(runID string) ([]string, error) { return p.left(t, runID) },
		LogKept:     100 << 10,
	}
	if p.daemon.SeesProcesses() {
		h.Alive = p.alive
	}
	porttest.TestLauncher(t, h)
}
