package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/health"
	"github.com/benchfleet/benchfleet/library"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
)

// serving serves a status and returns its address.
func serving(t *testing.T, status health.Status) string {
	t.Helper()
	server, err := health.Serve(t.Context(), health.Options{
		Role: "orchestrator", Build: core.Build{ID: "b1"}, Check: func() health.Status { return status },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server.Address()
}

// taken is an address at which somebody listens who answers nothing.
func taken(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().String()
}

// nobody is an address at which nobody listens.
func nobody(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func TestHealth(t *testing.T) {
	ready := serving(t, health.Status{Live: true, Ready: true, State: "RUNNING", RunID: "r1", Reasons: []string{}})
	busy := serving(t, health.Status{Live: true, State: "STOP\x1b[31mPING", Reasons: []string{"it stops", "so it\x1b[31m does"}})
	gone := nobody(t)
	for _, tt := range []struct {
		name           string
		env            []string
		args           []string
		code           int
		stdout, stderr string
	}{
		{"ready", nil, []string{"--address", ready}, 0, "orchestrator RUNNING: live true, ready true\n", ""},
		{"ready by the environment", []string{"BENCHFLEET_HEALTH=" + ready}, nil, 0, "orchestrator RUNNING: live true, ready true\n", ""},
		{"the flag wins", []string{"BENCHFLEET_HEALTH=" + gone}, []string{"--address", ready}, 0, "orchestrator RUNNING: live true, ready true\n", ""},
		{"a server of all addresses", []string{"BENCHFLEET_HEALTH=0.0.0.0:" + portOf(ready)}, nil, 0, "orchestrator RUNNING: live true, ready true\n", ""},
		{"not ready", nil, []string{"--address", busy}, 1, "orchestrator STOP\ufffd[31mPING: live true, ready false\n", "benchfleet: not ready: it stops; so it\ufffd[31m does\n"},
		{"nobody", nil, []string{"--address", gone}, 2, "", "connection refused"},
		{"nobody by the environment", []string{"BENCHFLEET_HEALTH=" + gone}, nil, 2, "", "connection refused"},
		{"no address", nil, []string{"--address", "x"}, 2, "", `"x"; allowed: host:port`},
		{"too much", nil, []string{"x"}, 2, "", "takes no argument"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			got := run(t, tt.env, append([]string{"health"}, tt.args...)...)
			is.Equal(got.code, tt.code)
			is.Equal(got.stdout, tt.stdout)
			is.True(strings.Contains(got.stderr, tt.stderr))
			is.Equal(got.stderr == "", tt.stderr == "")
		})
	}
	t.Run("json", func(t *testing.T) {
		for address, want := range map[string]int{ready: 0, busy: 1} {
			is := is.New(t)
			got := run(t, nil, "health", "--address", address, "--output", "json")
			is.Equal(got.code, want)
			var status health.Status
			is.NoErr(json.Unmarshal([]byte(got.stdout), &status))
			is.Equal(status.Role, "orchestrator")
			is.Equal(status.Version, "b1")
			is.Equal(status.Ready, want == 0)
			is.Equal(len(status.Reasons), 2*want)
		}
	})
	t.Run("help", func(t *testing.T) {
		is := is.New(t)
		got := run(t, nil, "health", "--help")
		is.Equal(got.code, 0)
		for _, text := range []string{"0 ready, 1 not ready, 2 nobody answers", "--address HOST:PORT", "BENCHFLEET_HEALTH", defaultHealth} {
			is.True(strings.Contains(got.stdout, text))
		}
	})
}

func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// TestHealthAddressRefused: a health address that cannot be had makes no run.
func TestHealthAddressRefused(t *testing.T) {
	dir, busy := site(t), taken(t)
	for _, tt := range []struct{ name, address, says string }{
		{"taken", busy, "address already in use"},
		{"no port", "127.0.0.1", "missing port"},
		{"more than was said", ":9464", "0.0.0.0 stands for all addresses"},
	} {
		for _, detach := range []string{"--detach=false", "--detach"} {
			t.Run(tt.name+" "+detach, func(t *testing.T) {
				is := is.New(t)
				for _, got := range []ran{
					run(t, nil, "run", "oltp", "--set", "table.rows=100", "--dir", dir, detach, "--health", tt.address),
					run(t, []string{"BENCHFLEET_HEALTH=" + tt.address}, "run", "oltp", "--set", "table.rows=100", "--dir", dir, detach),
				} {
					is.Equal(got.code, ExitUsage)
					is.Equal(got.stdout, "")
					is.True(strings.HasPrefix(got.stderr, `benchfleet: --health is "`+tt.address+`"`))
					is.True(strings.Contains(got.stderr, tt.says))
				}
				is.Equal(run(t, nil, "--dir", dir, "runs", "-o", "json").stdout, "[]\n")
			})
		}
	}
}

// TestWorkerWithoutHealth: a worker whose health address cannot be had says so
// in its log, as all that it says.
func TestWorkerWithoutHealth(t *testing.T) {
	is := is.New(t)
	got := run(t, []string{"BENCHFLEET_HEALTH=" + taken(t), "BENCHFLEET_RUN_ID=r1", "BENCHFLEET_WORKER_ID=worker-3"}, "worker")
	is.Equal(got.code, core.ExitEnvironment)
	is.Equal(got.stdout, "")
	lines := logOf(t, got.stderr)
	is.Equal(len(lines), 1)
	is.Equal(lines[0]["level"], "ERROR")
	is.Equal(lines[0]["worker_id"], "worker-3")
	is.True(strings.Contains(lines[0]["error"].(string), "address already in use"))
}

// logOf reads a log, each line of which is JSON.
func logOf(t *testing.T, text string) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(text) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("%q is no line of a log: %v", line, err)
		}
		for _, key := range []string{"time", "level", "msg"} {
			if _, ok := record[key]; !ok {
				t.Errorf("%q has no %s", line, key)
			}
		}
		lines = append(lines, record)
	}
	return lines
}

// TestObserved: an orchestrator is not ready before it drives, its address is
// said only when it was asked for, and it is served to the end.
func TestObserved(t *testing.T) {
	for _, asked := range []string{"", "127.0.0.1:0"} {
		t.Run("asked for "+asked, func(t *testing.T) {
			is := is.New(t)
			var log strings.Builder
			a := &app{err: &log, out: io.Discard, health: asked, verbose: true, dir: t.TempDir()}
			display := a.newDisplay()
			observe, end, err := a.observed(t.Context(), display)
			is.NoErr(err)
			is.NoErr(display.Close()) // all that was said is written
			first, rest, _ := strings.Cut(log.String(), "\n")
			address := logOf(t, first)[0]["address"].(string)
			want := ""
			if asked != "" {
				want = "health is served at http://" + address + "/health\n"
			}
			is.Equal(rest, want)
			status, err := health.Ask(t.Context(), address)
			is.NoErr(err)
			is.Equal(status.Reasons, []string{"no run is driven yet"})
			for _, tt := range []struct {
				run     core.Run
				trouble time.Duration
				reason  string // why it is not ready
			}{
				{core.Run{ID: "r1", Status: core.Running}, 0, ""},
				{core.Run{ID: "r1", Status: core.Running}, time.Hour, "the store could not be written for 3600"},
				{core.Run{ID: "r1", Status: core.Cancelled}, 0, "CANCELLED: the run has ended"},
			} {
				now := time.Now()
				tt.run.OwnerLeaseUntil = now.Add(time.Hour)
				observe(runner.Observation{Run: tt.run, Now: now, StoreTrouble: tt.trouble})
				status, err := health.Ask(t.Context(), address)
				is.NoErr(err)
				is.Equal(status.RunID, "r1")
				is.Equal(status.Ready, tt.reason == "")
				is.True(strings.HasPrefix(strings.Join(status.Reasons, "; "), tt.reason))
			}
			end()
			_, err = health.Ask(t.Context(), address)
			is.Equal(core.CodeOf(err), core.Unavailable)
		})
	}
}

// TestWorkerEnviron: nothing that is the orchestrator's reaches its workers
// unasked, such as where it serves its own health.
func TestWorkerEnviron(t *testing.T) {
	is := is.New(t)
	a := &app{environ: []string{"PATH=/bin", "BENCHFLEET_HEALTH=127.0.0.1:9464", "BENCHFLEET_ENDPOINT_X=secret", "LANG=C"}}
	is.Equal(a.workerEnviron(), []string{"PATH=/bin", "LANG=C"})
}

// TestWorkerWhoseHealthIsHeld: somebody who connects and asks nothing does not
// change what a worker exits with.
func TestWorkerWhoseHealthIsHeld(t *testing.T) {
	is := is.New(t)
	dir, address := site(t), nobody(t)
	location := "sqlite:" + filepath.Join(dir, "store.db")
	store, err := openStore(t.Context(), location, nil)
	is.NoErr(err)
	defer store.Close()
	template, err := library.Get("oltp")
	is.NoErr(err)
	template.Load.Workers, template.Table.Rows = 1, 100
	scenario, err := template.Resolve(core.Resolution{Launcher: "local", StartTimeout: time.Minute})
	is.NoErr(err)
	record, err := store.Create(t.Context(), core.NewRun("r1", scenario.Plan()), scenario, ports.Home{})
	is.NoErr(err)
	now := record.Now
	next, events, err := record.Run.Fold(
		core.OwnerClaimed{At: now, Owner: "o", Until: now.Add(time.Hour)}, core.StartRequested{At: now},
		core.PreflightFinished{At: now, Findings: []core.Finding{{ID: "x", Severity: core.SeverityOK}}},
	)
	is.NoErr(err)
	_, err = store.Commit(t.Context(), record.Version, next, events, ports.Progress{})
	is.NoErr(err)

	answer := make(chan ran, 1)
	go func() {
		answer <- run(t, []string{
			"BENCHFLEET_HEALTH=" + address, "BENCHFLEET_STORE=" + location, "BENCHFLEET_RUN_ID=r1", "BENCHFLEET_WORKER_ID=worker-0",
			"BENCHFLEET_WORKER_GROUP_ID=0", "BENCHFLEET_WORKER_GROUP_COUNT=1", "BENCHFLEET_EPOCH=1",
			"BENCHFLEET_ENDPOINT_LOCAL=" + filepath.Join(dir, "target.db"),
		}, "worker")
	}()
	deadline := time.Now().Add(20 * time.Second)
	for status, err := health.Ask(t.Context(), address); !status.Ready; status, err = health.Ask(t.Context(), address) {
		if time.Now().After(deadline) {
			t.Fatal("the worker is not ready: ", status.Reasons, err)
		}
	}
	held, err := net.Dial("tcp", address)
	is.NoErr(err)
	defer held.Close()
	_, err = runner.RequestStop(t.Context(), store, "r1", core.StopRequested{Reason: core.UserRequested, By: "me"})
	is.NoErr(err)
	var got ran
	select {
	case got = <-answer:
	case <-time.After(20 * time.Second):
		t.Fatal("the worker goes on for ever")
	}
	is.Equal(got.code, core.ExitCompleted)
	lines := logOf(t, got.stderr)
	is.Equal(lines[len(lines)-1]["msg"], "health was not closed in order")
	is.Equal(lines[len(lines)-1]["worker_id"], "worker-0")
}

// TestSeenRuns: the metrics of an orchestrator are of every run that it drives now, as
// it was seen last, and of no other.
func TestSeenRuns(t *testing.T) {
	is := is.New(t)
	o := &orchestrators{driven: map[string]*health.Orchestrator{}, again: map[string]time.Time{}}
	is.True(o.take("b") && o.take("a") && o.take("unseen"))
	is.True(!o.take("a"))
	for _, id := range []string{"a", "b", "a", "strange"} {
		o.observe(runner.Observation{Run: core.Run{ID: id, Sequence: 7}})
	}
	ids := func() (list []string) {
		for _, seen := range o.seen() {
			if seen != nil {
				list = append(list, seen.Run.ID)
			}
		}
		return list
	}
	is.Equal(ids(), []string{"a", "b"})
	o.release("a", time.Time{})
	o.observe(runner.Observation{Run: core.Run{ID: "a"}}) // late
	is.Equal(ids(), []string{"b"})
	for i := range maxDriven {
		o.take(fmt.Sprint(i))
	}
	is.Equal(len(o.seen()), maxDriven)
}
