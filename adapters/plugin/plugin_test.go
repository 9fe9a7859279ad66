package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/ports/porttest"
)

// envRole says what this test binary is in another process, envName how its
// launcher is called.
const (
	envRole = "PLUGIN_TEST_ROLE"
	envName = "PLUGIN_TEST_NAME"
)

func TestMain(m *testing.M) {
	if role, ok := os.LookupEnv(envRole); ok {
		if role == "orchestrates" {
			orchestrate()
		}
		roles[role]()
		return
	}
	os.Exit(m.Run())
}

// roles are mains of plugins, good and bad.
var roles = map[string]func(){
	"memory":       func() { Serve(memory.NewLauncher(script), ServeOptions{}) },
	"odd":          func() { Serve(odd{}, ServeOptions{}) },
	"huge":         func() { Serve(huge{}, ServeOptions{}) },
	"talks":        func() { Serve(odd{}, ServeOptions{Logger: slog.New(slog.NewJSONHandler(os.Stderr, nil))}) },
	"never leaves": func() { Serve(odd{}, ServeOptions{}); select {} },
	"is silent":    func() { time.Sleep(time.Minute) },
	"says hello":   func() { fmt.Println("Hello, world!"); time.Sleep(time.Minute) },
	"shouts":       func() { fmt.Print(strings.Repeat("x", 1<<20)); time.Sleep(time.Minute) },
	"old":          func() { fmt.Println("1|0|unix|/nowhere|grpc|"); time.Sleep(time.Minute) },
	"new":          func() { fmt.Println("1|9|unix|/nowhere|grpc|"); time.Sleep(time.Minute) },
	"other core":   func() { fmt.Println("7|1|unix|/nowhere|grpc|"); time.Sleep(time.Minute) },
	"net/rpc":      func() { fmt.Println("1|1|unix|/nowhere|netrpc|"); time.Sleep(time.Minute) },
	"nobody there": func() { fmt.Println("1|1|unix|/nowhere|grpc|"); time.Sleep(time.Minute) },
	"greets, dies": func() { fmt.Println("1|1|unix|/nowhere|grpc|"); os.Exit(4) },
	"gives up":     func() { fmt.Fprintln(os.Stderr, "the cluster cannot be reached"); os.Exit(5) },
}

// orchestrate is the main of an orchestrator: it opens a plugin, perhaps lets it
// hang in a call, and waits to be killed.
func orchestrate() {
	l, err := Open(context.Background(), os.Args[0], Options{Env: []string{envRole + "=odd"}})
	if err != nil {
		panic(err)
	}
	all, err := l.Inspect(context.Background(), []core.Handle{{Launcher: "odd"}})
	if err != nil {
		panic(err)
	}
	go func() { _, _ = l.Launch(context.Background(), key("hang")) }()
	fmt.Println(all[0].Cause)
	select {}
}

// open starts a role as a plugin that ends with the test.
func open(t testing.TB, role string, change ...func(*Options)) *Launcher {
	t.Helper()
	is := is.New(t)
	l, err := tryOpen(role, change...)
	is.NoErr(err)
	t.Cleanup(func() { is.NoErr(l.Close()) })
	return l
}

func tryOpen(role string, change ...func(*Options)) (*Launcher, error) {
	opts := Options{Env: []string{envRole + "=" + role, "GORACE=atexit_sleep_ms=0"}}
	for _, f := range change {
		f(&opts)
	}
	return Open(context.Background(), os.Args[0], opts)
}

// script does the steps of a conformance test. A goroutine cannot kill itself, so
// a script that would ends there, with the code of a killed worker.
func script(ctx context.Context, p *memory.Process) (int, string) {
	before, _, dies := strings.Cut(p.Getenv(porttest.EnvScript), "die=KILL")
	code := porttest.RunScript(ctx, func(name string) (string, bool) {
		if name == porttest.EnvScript {
			return before, true
		}
		return p.LookupEnv(name)
	}, p, p.Terminate())
	if dies {
		return -1, "killed by itself"
	}
	return code, ""
}

// The suite over a launcher in another process: one process, since this launcher
// forgets with it. examples/plugin has one process for each Launcher.
func TestLauncher(t *testing.T) {
	l := open(t, "memory")
	porttest.TestLauncher(t, porttest.LauncherHarness{
		New: func(testing.TB) ports.Launcher { return l },
		Count: func(runID string) (int, error) {
			list, err := l.List(context.Background(), runID)
			return len(slices.DeleteFunc(list, func(f ports.Launch) bool { return f.State == ports.LaunchGone })), err
		},
	})
}

// odd is a launcher that does what the worker's id says. It knows nothing but
// its handles, so that it survives its process.
type odd struct{}

func (odd) Capabilities() ports.Capabilities {
	name, ok := os.LookupEnv(envName)
	if !ok {
		name = "odd"
	}
	return ports.Capabilities{Name: name, HostBound: true, StartTimeout: 2 * time.Second, Grace: 3 * time.Second, MaxWorkers: 4}
}

func (odd) Check(_ context.Context, n int) ([]core.Finding, error) {
	return []core.Finding{
		{ID: "odd.ok", Severity: core.SeverityOK, Message: strconv.Itoa(n)},
		{ID: "odd.warning", Severity: core.SeverityWarning, Message: "w", Mend: "m"},
		{ID: "odd.error", Severity: core.SeverityError, Message: "e", Mend: "m"},
		{ID: "odd.unknown", Severity: "WEIRD", Message: "u", Mend: "m"},
	}, nil
}

func (odd) Reach(context.Context) (ports.Reach, error) {
	return ports.Reach{Listen: "127.0.0.1", Dial: fmt.Sprint(os.Args, os.Environ())}, nil
}

func (odd) Launch(ctx context.Context, spec ports.WorkerSpec) (core.Handle, error) {
	handle := core.Handle{Launcher: "odd", Version: 1, Data: []byte(spec.Key.WorkerID)}
	what, rest, _ := strings.Cut(spec.Key.WorkerID, " ")
	switch what {
	case "fail":
		return core.Handle{}, fmt.Errorf("%w: odd: the reason", core.SentinelOf(core.Code(rest)))
	case "plain":
		return core.Handle{}, errors.New("odd: no code")
	case "long":
		return core.Handle{}, fmt.Errorf("%w: \xff%s", core.ErrRefused, strings.Repeat("ü", 1<<20))
	case "own":
		return core.Handle{}, fmt.Errorf("%w: odd: its own: %w", core.ErrUnavailable, context.DeadlineExceeded)
	case "obey":
		<-ctx.Done()
		return core.Handle{}, fmt.Errorf("%w: odd: %w", core.ErrUnavailable, ctx.Err())
	case "hang":
		select {}
	case "exit":
		os.Exit(3)
	case "panic":
		go panic("odd: a defect")
		select {}
	case "nothing":
		return core.Handle{}, nil
	case "say":
		fmt.Fprintln(os.Stdout, "said on stdout")
		fmt.Fprintln(os.Stderr, "[WARN] said on stderr")
	case "leave": // a child that has everything open
		child := exec.Command("/bin/sleep", "60")
		child.Stdin, child.Stdout, child.Stderr = os.NewFile(0, "in"), os.NewFile(1, "out"), os.NewFile(2, "err")
		if err := child.Start(); err != nil {
			return core.Handle{}, err
		}
		handle.Data = []byte(strconv.Itoa(child.Process.Pid))
	case "expires":
		data, err := json.Marshal(spec)
		return core.Handle{Launcher: "odd", Data: data}, err
	}
	return handle, nil
}

// Inspect tells its process id as the cause.
func (odd) Inspect(_ context.Context, handles []core.Handle) ([]ports.WorkerStatus, error) {
	var all []ports.WorkerStatus
	for _, h := range handles {
		switch string(h.Data) {
		case "too few":
			return nil, nil
		case "state":
			all = append(all, ports.WorkerStatus{State: "ASLEEP"})
		default:
			all = append(all, ports.WorkerStatus{State: ports.LaunchRunning, ExitCode: -1, Cause: strconv.Itoa(os.Getpid())})
		}
	}
	return all, nil
}

func (odd) Stop(context.Context, core.Handle, ports.Force) error { return nil }
func (odd) Release(context.Context, core.Handle) error           { return nil }

func (odd) List(_ context.Context, runID string) ([]ports.Launch, error) {
	launch := ports.Launch{Key: core.WorkerKey{RunID: runID, WorkerID: "w", Epoch: 2}, Handle: core.Handle{Launcher: "odd", Data: []byte("x")}, State: ports.LaunchPending}
	switch runID {
	case "huge":
		launch.Handle.Data = make([]byte, maxMessage+1)
	case "state":
		launch.State = "ASLEEP"
	case "handle":
		launch.Handle = core.Handle{}
	}
	return []ports.Launch{launch}, nil
}

// Logs writes what was asked for; too much, if the handle says so.
func (odd) Logs(_ context.Context, h core.Handle, limit int) ([]byte, error) {
	if string(h.Data) == "greedy" {
		limit++
	}
	log := make([]byte, limit)
	for i := range log {
		log[i] = byte(i % 251)
	}
	return log, nil
}

func key(worker string) ports.WorkerSpec {
	return ports.WorkerSpec{Key: core.WorkerKey{RunID: "run", WorkerID: worker, Epoch: 1}}
}

// pid asks the plugin for its process id.
func pid(t testing.TB, l *Launcher) int {
	t.Helper()
	is := is.New(t)
	all, err := l.Inspect(t.Context(), []core.Handle{{Launcher: "odd", Data: []byte("w")}})
	is.NoErr(err)
	n, err := strconv.Atoi(all[0].Cause)
	is.NoErr(err)
	return n
}

// waitFor polls for what no channel tells.
func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for late := time.Now().Add(20 * time.Second); !ok(); <-tick.C {
		if time.Now().After(late) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}
