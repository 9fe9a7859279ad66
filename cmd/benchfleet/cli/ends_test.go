package cli

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/gateway"
	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/library"
	"github.com/benchfleet/benchfleet/ports"
)

// deadRun stores a run whose owner has died while it was STARTING, before it had
// launched anything. change may change its template.
func deadRun(t *testing.T, dir, id, launcher string, home ports.Home, change ...func(*core.Template)) {
	t.Helper()
	is := is.New(t)
	store, err := openStore(t.Context(), "sqlite:"+filepath.Join(dir, "store.db"), nil)
	is.NoErr(err)
	defer store.Close()
	template, err := library.Get("oltp")
	is.NoErr(err)
	for _, c := range change {
		c(&template)
	}
	scenario, err := template.Resolve(core.Resolution{Launcher: launcher, StartTimeout: time.Minute})
	is.NoErr(err)
	record, err := store.Create(t.Context(), core.NewRun(id, scenario.Plan()), scenario, home)
	is.NoErr(err)
	next, events, err := record.Run.Fold(
		core.OwnerClaimed{At: record.Now, Owner: "dead", Until: record.Now},
		core.StartRequested{At: record.Now},
		core.PreflightFinished{At: record.Now, Findings: []core.Finding{{ID: "test", Severity: core.SeverityOK}}},
	)
	is.NoErr(err)
	_, err = store.Commit(t.Context(), record.Version, next, events, ports.Progress{})
	is.NoErr(err)
}

// The workers of a run may live on another host. Whoever stops it here is told
// so, once its owner has died, and is not kept waiting for what cannot come.
func TestStopOnAnotherHost(t *testing.T) {
	is := is.New(t)
	dir := site(t)
	deadRun(t, dir, "elsewhere", "local", ports.Home{Host: "another.invalid"})
	got := soon(t, "stop", "elsewhere", "--dir", dir)
	is.Equal(got.code, ExitUsage)
	is.True(strings.Contains(got.stderr, "live on the host another.invalid"))
}

// So is one who names another launcher than that of the run.
func TestStopWithAnotherLauncher(t *testing.T) {
	is := is.New(t)
	dir := site(t)
	polite := filepath.Join(t.TempDir(), "polite")
	if out, err := exec.Command("go", "build", "-o", polite, "../../../examples/plugin").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	deadRun(t, dir, "other", "plugin:other", ports.Home{})
	got := soon(t, "stop", "other", "--dir", dir, "--launcher", "plugin:"+polite)
	is.Equal(got.code, ExitUsage)
	is.True(strings.Contains(got.stderr, "in the launcher plugin:other, not in plugin:polite"))
}

// Ending a run does not need its target: what still runs there is unknown then,
// and the certificate says why.
func TestEndWithoutTheTarget(t *testing.T) {
	nowhere := func(tpl *core.Template) { tpl.Target.Endpoint = "nowhere" }
	for _, args := range [][]string{{"stop", "gone"}, {"gc"}} {
		t.Run(args[0], func(t *testing.T) {
			is := is.New(t)
			dir := site(t)
			deadRun(t, dir, "gone", "local", ports.Home{}, nowhere)
			got := soon(t, append(args, "--dir", dir)...)
			is.Equal(got.code, ExitCompleted)
			is.True(strings.Contains(got.stderr, `ended without that: endpoint "nowhere"`))
			store, err := openStore(t.Context(), "sqlite:"+filepath.Join(dir, "store.db"), nil)
			is.NoErr(err)
			defer store.Close()
			record, err := store.Load(t.Context(), "gone")
			is.NoErr(err)
			target := record.Run.Certificate().Target
			is.True(!target.Known)
			is.True(strings.Contains(target.Why, `"nowhere"`))
		})
	}
}

// gc that cannot end a dead run says what that needs, and does not succeed.
func TestCollectLeaves(t *testing.T) {
	is := is.New(t)
	dir := site(t)
	deadRun(t, dir, "theirs", "plugin:other", ports.Home{})
	deadRun(t, dir, "ours", "local", ports.Home{})
	got := soon(t, "gc", "--dir", dir)
	is.Equal(got.code, ExitFailed)
	is.True(strings.Contains(got.stdout, "closed ours"))
	is.True(strings.Contains(got.stdout, "left theirs: ") && strings.Contains(got.stdout, "give --launcher plugin:PATH"))
	is.True(strings.Contains(got.stderr, "theirs"))
}

// An interrupt while a plugin starts is no mistake of the command line.
func TestInterruptedWhileAPluginStarts(t *testing.T) {
	is := is.New(t)
	sleeps, err := exec.LookPath("sleep")
	is.NoErr(err)
	a := &app{dir: t.TempDir(), err: io.Discard, options: []string{"arg=60"}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = a.openLauncher(ctx, "plugin:"+sleeps, io.Discard)
	is.Equal(exitCode(err), ExitCancelled)
}

// soon runs a command that must not go on for ever.
func soon(t *testing.T, args ...string) ran {
	t.Helper()
	answer := make(chan ran, 1)
	go func() { answer <- run(t, nil, args...) }()
	select {
	case got := <-answer:
		return got
	case <-time.After(20 * time.Second):
		t.Fatal("it goes on for ever")
		return ran{}
	}
}

// remote are workers that do not see this host's files.
type remote struct{ ports.Launcher }

func (r remote) Capabilities() ports.Capabilities {
	c := r.Launcher.Capabilities()
	c.LocalFiles = false
	return c
}

// An owner that hangs keeps the address of its gateway, and another program may
// have it once it is dead. That keeps a successor out, and nobody from ending the
// run.
func TestDoorOfARunThatEnds(t *testing.T) {
	is := is.New(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	is.NoErr(err)
	defer taken.Close()
	dir := t.TempDir()
	a := &app{dir: dir, store: "sqlite:" + filepath.Join(dir, "store.db"), err: io.Discard}
	store, launcher := memory.NewStore(memory.Options{}), remote{memory.NewLauncher(nil)}
	for _, ending := range []bool{false, true} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		door, err := a.openDoor(ctx, store, launcher, home{run: "run", gateway: taken.Addr().String(), ending: ending})
		if !ending {
			is.Equal(core.CodeOf(err), core.Unavailable)
			continue
		}
		is.NoErr(err)
		is.Equal(door.address, "")
		is.True(door.store == store)
		is.NoErr(door.close())
	}
}

// The key of the gateway is beside the store: a successor with another data
// directory lets in the workers of its predecessor (docs/adr/0017).
func TestGatewayKeyIsBesideTheStore(t *testing.T) {
	is := is.New(t)
	at := t.TempDir()
	var tokens []string
	for range 2 {
		a := &app{dir: t.TempDir(), store: "sqlite:" + filepath.Join(at, "store.db"), err: io.Discard}
		door, err := a.openDoor(t.Context(), memory.NewStore(memory.Options{}), remote{memory.NewLauncher(nil)}, home{run: "run"})
		is.NoErr(err)
		tokens = append(tokens, door.secrets[0].Value)
		is.NoErr(door.close())
	}
	is.Equal(tokens[0], tokens[1])
	key, err := gateway.LoadKey(filepath.Join(at, "gateway.key"))
	is.NoErr(err)
	is.Equal(gateway.Token(key, "run"), tokens[0])
	_, err = os.Stat(filepath.Join(at, "gateway.key"))
	is.NoErr(err)
}

// A variable of a launcher may hold a secret, which must be on no command line:
// given by its name alone, its value is that of this process.
func TestLauncherVariables(t *testing.T) {
	is := is.New(t)
	a := &app{environ: []string{"TOKEN=s=1"}, options: []string{"env=TOKEN", "env=A=b"}}
	given, err := a.optionsOf("plugin", "env+")
	is.NoErr(err)
	got, err := given.variables("env", a.lookup)
	is.NoErr(err)
	is.Equal(got, []string{"TOKEN=s=1", "A=b"})
	for _, wrong := range []string{"env==b", "env=ABSENT"} {
		a.options = []string{wrong}
		given, err := a.optionsOf("plugin", "env+")
		is.NoErr(err)
		_, err = given.variables("env", a.lookup)
		is.Equal(exitCode(err), ExitUsage)
	}
}
