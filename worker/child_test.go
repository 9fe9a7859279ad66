package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// The test binary is its own worker, as a program of a library user is.
func TestMain(m *testing.M) {
	RunIfChild(Opener{
		Store: func(_ context.Context, address, _ string) (ports.Store, error) {
			return nil, fmt.Errorf("%w: no store at %s", core.ErrDenied, address)
		},
		Build: func() core.Build { return core.Build{ID: "test"} },
	})
	os.Exit(m.Run())
}

func childEnvironment(record string) []string {
	return []string{
		ports.EnvRunID + "=run-1", ports.EnvWorkerID + "=worker-0", ports.EnvGroupID + "=0", ports.EnvGroupCount + "=1",
		ports.EnvEpoch + "=1", ports.EnvStore + "=sqlite:/data/bench.db", ports.EnvGrace + "=30s", ports.EnvExitRecord + "=" + record,
	}
}

func readRecord(t *testing.T, file string) (record ports.ExitRecord) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &record); err != nil {
		t.Fatal(err)
	}
	return record
}

func TestRunIfChild(t *testing.T) {
	is := is.New(t)
	record := filepath.Join(t.TempDir(), "exit.json")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	cmd.Env = childEnvironment(record)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	var exit *exec.ExitError
	is.True(errors.As(cmd.Run(), &exit))
	is.Equal(exit.ExitCode(), core.ExitEnvironment)
	is.Equal(readRecord(t, record), ports.ExitRecord{Code: core.ExitEnvironment, Cause: "the store could not be opened: denied: no store at sqlite:/data/bench.db"})
	for line := range strings.Lines(out.String()) { // JSON lines
		var entry map[string]any
		is.NoErr(json.Unmarshal([]byte(line), &entry))
		is.Equal(entry["worker_id"], "worker-0")
	}
	files, err := os.ReadDir(filepath.Dir(record))
	is.NoErr(err)
	is.Equal(len(files), 1) // no temporary file is left
}

func TestEnvironment(t *testing.T) {
	for _, test := range []struct{ name, change, want string }{
		{"missing", ports.EnvEpoch + "=", "BENCHFLEET_EPOCH is not set"},
		{"no number", ports.EnvGroupID + "=one", `BENCHFLEET_WORKER_GROUP_ID is "one"; allowed: a whole number of at least 0`},
		{"negative", ports.EnvGroupID + "=-1", `BENCHFLEET_WORKER_GROUP_ID is "-1"`},
		{"outside", ports.EnvGroupID + "=1", "worker group id is 1"},
		{"epoch", ports.EnvEpoch + "=0", `BENCHFLEET_EPOCH is "0"; allowed: a whole number of at least 1`},
		{"grace", ports.EnvGrace + "=30", `BENCHFLEET_GRACE is "30"; allowed: a duration like "30s"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			record := filepath.Join(t.TempDir(), "exit.json")
			var out bytes.Buffer
			exit := Main(t.Context(), Process{Environ: append(childEnvironment(record), test.change), Log: &out}, Opener{})
			is.Equal(exit.Code, core.ExitEnvironment)
			is.True(strings.Contains(readRecord(t, record).Cause, test.want))
			is.True(strings.Contains(out.String(), "level"))
		})
	}
}

func TestIsChild(t *testing.T) {
	is := is.New(t)
	is.Equal(IsChild([]string{"HOME=/root", "BENCHFLEET_STORE=x"}), false)
	is.Equal(IsChild(childEnvironment("")), true)
}

func TestEndpoint(t *testing.T) {
	is := is.New(t)
	is.Equal(EndpointVariable("orders-db.eu"), "BENCHFLEET_ENDPOINT_ORDERS_DB_EU")
	file := filepath.Join(t.TempDir(), "dsn")
	is.NoErr(os.WriteFile(file, []byte("postgres://from/file\n"), 0o600))
	env := environment{"BENCHFLEET_ENDPOINT_A=postgres://a", "BENCHFLEET_ENDPOINT_B_FILE=" + file, "BENCHFLEET_ENDPOINT_C_FILE=/nowhere"}
	got, err := env.endpoint("a")
	is.NoErr(err)
	is.Equal(got, ports.Endpoint{Name: "a", DSN: "postgres://a"})
	got, err = env.endpoint("b")
	is.NoErr(err)
	is.Equal(got.DSN, "postgres://from/file")
	_, err = env.endpoint("c")
	is.Equal(core.CodeOf(err), core.Unavailable)
	_, err = env.endpoint("d")
	is.Equal(core.CodeOf(err), core.NotFound)
	is.True(strings.Contains(err.Error(), "BENCHFLEET_ENDPOINT_D_FILE"))
	got, err = env.endpoint("")
	is.NoErr(err)
	is.Equal(got, ports.Endpoint{})
}

func TestRedact(t *testing.T) {
	for _, test := range []struct{ address, text, want string }{
		{"postgres://bench:s3cret!@db:5432/x", "cannot log in to postgres://bench:s3cret!@db:5432/x", "cannot log in to [endpoint a]"},
		{"postgres://bench:s3cret%21@db/x", `password "s3cret!" is wrong`, `password "[secret]" is wrong`},
		{"bench:p@ss@account/db?role=R", "login p@ss failed", "login [secret] failed"},
		{"host=db user=u password='hunter2' dbname=x", "hunter2 rejected", "[secret] rejected"},
		{"https://gate/?token=abcdef&x=1", "401 for abcdef", "401 for [secret]"},
		{"sqlite:/data/bench.db", "no such file: /data/bench.db", "no such file: /data/bench.db"},
		{"memory", "memory is full", "memory is full"},
	} {
		t.Run(test.address, func(t *testing.T) {
			is := is.New(t)
			r := &redactor{}
			r.add(test.address, "endpoint a")
			is.Equal(r.text(test.text), test.want)
		})
	}
}

// The whole life of a child, in process: it reports the secret nowhere.
func TestMainRunsAWorker(t *testing.T) {
	is := is.New(t)
	tmpl := template(1, 2)
	tmpl.Target.Endpoint = "db"
	f := newFleet(t, tmpl, 0)
	record := filepath.Join(t.TempDir(), "exit.json")
	env := append(childEnvironment(record), "BENCHFLEET_ENDPOINT_DB=db://bench:tops3cret@host/x")
	f.absent = true
	f.update(core.OwnerClaimed{At: f.now(), Owner: "test", Until: f.now().Add(f.scenario.Limits.OwnerLease.Std())}, core.StartRequested{At: f.now()},
		core.PreflightFinished{At: f.now(), Findings: []core.Finding{{ID: "test", Severity: core.SeverityOK}}})
	var out bytes.Buffer
	exit := Main(t.Context(), Process{Environ: env, Log: &out, Signals: make(chan struct{})}, Opener{
		Store: func(context.Context, string, string) (ports.Store, error) { return f.store.Reopen(), nil },
		Target: func(_ context.Context, kind string, endpoint ports.Endpoint) (ports.Target, error) {
			is.Equal(kind, "memory")
			is.Equal(endpoint.DSN, "db://bench:tops3cret@host/x")
			return nil, fmt.Errorf("%w: role bench with tops3cret may not log in", core.ErrDenied)
		},
		Build: func() core.Build { return f.build },
	})
	is.Equal(exit.Code, core.ExitConnections)
	b := f.beats()[0]
	is.Equal(b.State, core.WorkerDead)
	is.Equal(b.Build.ID, "test")
	want, err := f.scenario.Hash()
	is.NoErr(err)
	is.True(b.Build.Scenario != "" && want != "")
	cause := "the connections to the target could not be opened: denied: role bench with [secret] may not log in"
	is.Equal(b.LastError, cause)
	is.Equal(readRecord(t, record).Cause, cause)
	is.True(!strings.Contains(out.String(), "tops3cret"))
}

func TestDrive(t *testing.T) {
	is := is.New(t)
	tmpl := template(1, 4)
	tmpl.Load.Duration, tmpl.Load.Operations = 0, 5000
	scenario, err := tmpl.Resolve(core.Resolution{Launcher: "memory"})
	is.NoErr(err)
	scenario.InsertBase = core.InsertRange
	target := memory.NewTarget(memory.TargetOptions{})
	is.NoErr(target.Create(t.Context(), scenario.Table))
	is.NoErr(target.Load(t.Context(), scenario.Table, nil))
	report, err := Drive(t.Context(), scenario, target)
	is.NoErr(err)
	m := report.PhaseOf(core.Measurement)
	is.Equal(core.Total(m.Kinds).OK, uint64(5000))
	is.Equal(m.Completed, uint64(5000))
	is.Equal(m.OperationHash, quotaHash(t, scenario))
	is.True(m.Seconds > 0)
}

// The store's token comes from its variable or from a file, reaches nobody but
// the one who opens the store, and is hidden in what is told of that.
func TestStoreToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("t0ken-of-the-run\n"), 0o400); err != nil {
		t.Fatal(err)
	}
	for name, variable := range map[string]string{"variable": "BENCHFLEET_STORE_TOKEN=t0ken-of-the-run", "file": "BENCHFLEET_STORE_TOKEN_FILE=" + file} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			record := filepath.Join(t.TempDir(), "exit.json")
			var out bytes.Buffer
			exit := Main(t.Context(), Process{Environ: append(childEnvironment(record), variable), Log: &out, Signals: make(chan struct{})}, Opener{
				Store: func(_ context.Context, address, token string) (ports.Store, error) {
					is.Equal(address, "sqlite:/data/bench.db")
					is.Equal(token, "t0ken-of-the-run")
					return nil, fmt.Errorf("%w: %s is not the token", core.ErrDenied, token)
				},
				Build: func() core.Build { return core.Build{ID: "test"} },
			})
			is.Equal(exit.Code, core.ExitEnvironment)
			is.True(strings.Contains(exit.Cause, "[the store's token] is not the token"))
			is.True(!strings.Contains(out.String(), "t0ken"))
		})
	}
}

// The store's address may hold a secret: it may come from a file, too.
func TestStoreAddressInAFile(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "store")
	is.NoErr(os.WriteFile(file, []byte("snowflake:me:hush@acme/db\n"), 0o400))
	record := filepath.Join(dir, "exit.json")
	environ := slices.DeleteFunc(childEnvironment(record), func(v string) bool { return strings.HasPrefix(v, ports.EnvStore+"=") })
	var out bytes.Buffer
	open := Opener{
		Store: func(_ context.Context, address, _ string) (ports.Store, error) {
			is.Equal(address, "snowflake:me:hush@acme/db")
			return nil, fmt.Errorf("%w: nobody is at %s", core.ErrDenied, address)
		},
		Build: func() core.Build { return core.Build{ID: "test"} },
	}
	exit := Main(t.Context(), Process{Environ: append(environ, ports.EnvStore+"_FILE="+file), Log: &out, Signals: make(chan struct{})}, open)
	is.Equal(exit.Code, core.ExitEnvironment)
	is.True(strings.Contains(exit.Cause, "nobody is at"))
	is.True(!strings.Contains(out.String()+exit.Cause, "hush"))
	exit = Main(t.Context(), Process{Environ: append(environ, ports.EnvStore+"_FILE=/nowhere"), Log: &out, Signals: make(chan struct{})}, open)
	is.Equal(exit.Code, core.ExitEnvironment)
	is.True(strings.Contains(out.String(), "BENCHFLEET_STORE_FILE"))
}
