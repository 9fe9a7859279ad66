//go:build linux || darwin

package local

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/matryer/is"
)

type handleData = handle // where a variable has that name

// forge changes the data of a handle.
func forge(t testing.TB, h core.Handle, change func(*handleData)) core.Handle {
	is := is.New(t)
	data, err := decode(h)
	is.NoErr(err)
	change(&data)
	return data.encode()
}

// victim is a process that the test started itself: the leader of its group, and
// it answers each line.
type victim struct {
	process
	ask func() bool
}

func newVictim(t testing.TB) victim {
	is := is.New(t)
	cmd := exec.Command("/bin/cat")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := cmd.StdinPipe()
	is.NoErr(err)
	out, err := cmd.StdoutPipe()
	is.NoErr(err)
	is.NoErr(cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	now, ok, err := look(cmd.Process.Pid)
	is.NoErr(err)
	is.True(ok)
	lines := bufio.NewScanner(out)
	v := victim{process: now.process, ask: func() bool {
		_, err := in.Write([]byte("alive?\n"))
		return err == nil && lines.Scan() && lines.Text() == "alive?"
	}}
	is.True(v.ask())
	return v
}

// A process that got the number of an ended worker is never touched.
func TestReusedProcessID(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	defer sweep(t, dir)
	l := open(t, dir)
	ended, err := l.Launch(t.Context(), spec("reused", 0, "exit=3"))
	is.NoErr(err)
	waitFor(t, "worker is gone", func() bool { return inspect(t, l, ended).State == ports.LaunchGone })
	v := newVictim(t)
	for _, shift := range []int64{-1, 1, -1000, 1 << 40} {
		stale := forge(t, ended, func(h *handleData) {
			h.process = process{PID: v.PID, Start: uint64(int64(v.Start) + shift)}
		})
		is.Equal(inspect(t, l, stale).State, ports.LaunchGone)
		is.Equal(inspect(t, l, stale).ExitCode, 3) // of the worker that had it
		is.NoErr(l.Stop(t.Context(), stale, ports.Gentle))
		is.NoErr(l.Stop(t.Context(), stale, ports.Hard))
		is.True(v.ask()) // still alive
		for _, group := range []bool{false, true} {
			is.NoErr(signal(process{PID: v.PID, Start: v.Start + 1}, sigHard, group))
			is.True(v.ask())
		}
	}
	is.NoErr(l.Release(t.Context(), forge(t, ended, func(h *handleData) { h.process = process{PID: v.PID, Start: 1} })))
	is.True(v.ask())

	// The same with the right start time ends it: the test is not blind.
	is.NoErr(l.Stop(t.Context(), forge(t, ended, func(h *handleData) { h.process = v.process }), ports.Hard))
	is.True(!v.ask())
}

// A handle of another boot is gone; one of another host is nobody's business here.
func TestHandleFromElsewhere(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	defer sweep(t, dir)
	l := open(t, dir)
	handle, err := l.Launch(t.Context(), spec("elsewhere", 0, "hold=1m"))
	is.NoErr(err)

	reboot := forge(t, handle, func(h *handleData) { h.Boot = "another" })
	status := inspect(t, l, reboot)
	is.Equal(status.State, ports.LaunchGone)
	is.Equal(status.ExitCode, -1)
	is.True(strings.Contains(status.Cause, "started anew"))
	is.True(strings.Contains(status.Cause, "another"))
	is.NoErr(l.Stop(t.Context(), reboot, ports.Hard))
	is.Equal(inspect(t, l, handle).State, ports.LaunchRunning) // not signalled

	renamed := forge(t, handle, func(h *handleData) { h.Host = "its-old-name" })
	is.Equal(inspect(t, l, renamed).State, ports.LaunchRunning) // the same boot

	away := forge(t, handle, func(h *handleData) { h.Boot, h.Host = "another", "host-x" })
	_, err = l.Inspect(t.Context(), []core.Handle{handle, away})
	is.Equal(core.CodeOf(err), core.Unavailable)
	is.True(strings.Contains(err.Error(), "lives on host host-x"))
	is.Equal(core.CodeOf(l.Stop(t.Context(), away, ports.Hard)), core.Unavailable)
	is.Equal(core.CodeOf(l.Release(t.Context(), away)), core.Unavailable)
	_, err = l.Logs(t.Context(), away, 0)
	is.Equal(core.CodeOf(err), core.Unavailable)
}

// Records of another boot or host, as a shared or copied folder may hold them.
func TestRecordFromElsewhere(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*record)
		code   core.Code // of Launch
		listed int
	}{
		{"claimed before a reboot", func(r *record) { r.Boot = "another" }, "", 1},
		{"claimed on another host", func(r *record) { r.Boot, r.Host = "another", "host-x" }, core.Unavailable, 0},
		{"started on another host", func(r *record) { r.Boot, r.Host, r.State = "another", "host-x", started }, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			dir := t.TempDir()
			l := open(t, dir)
			s := spec("elsewhere", 0, "hold=1m")
			rec := l.newRecord(s)
			c.change(&rec)
			folder, err := folderOf(s.Key)
			is.NoErr(err)
			is.NoErr(os.MkdirAll(l.path(folder), 0o700))
			is.NoErr(writeRecord(l.path(folder), rec, durable))
			_, err = l.Launch(t.Context(), s)
			is.Equal(core.CodeOf(err), c.code)
			workers(t, "elsewhere", 0) // it may have been started there
			launches, err := l.List(t.Context(), "elsewhere")
			is.NoErr(err)
			is.Equal(len(launches), c.listed)
			for _, launch := range launches {
				is.Equal(launch.State, ports.LaunchGone)
				is.NoErr(l.Release(t.Context(), launch.Handle))
			}
		})
	}
}

func TestBadHandle(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	l := open(t, dir)
	outside := filepath.Join(dir, "outside")
	is.NoErr(os.WriteFile(outside, nil, 0o600))
	good := handle{Host: l.host, Boot: l.boot, Folder: "r/w.1", ID: newID()}
	bad := map[string]core.Handle{
		"zero":           {},
		"other launcher": {Launcher: "docker", Version: version, Data: good.encode().Data},
		"other version":  {Launcher: name, Version: version + 1, Data: good.encode().Data},
		"no JSON":        {Launcher: name, Version: version, Data: []byte("{")},
		"no id":          forgeGood(good, func(h *handleData) { h.ID = "" }),
		"negative":       forgeGood(good, func(h *handleData) { h.PID = -1 }),
	}
	for _, folder := range []string{"", "..", "../outside", "r/..", "r/../w.1", "/etc/w.1", "r/w", ".released-x/w.1", "r/.", "r/w.1/x"} {
		bad["folder "+folder] = forgeGood(good, func(h *handleData) { h.Folder = folder })
	}
	for what, h := range bad {
		t.Run(what, func(t *testing.T) {
			is := is.New(t)
			_, err := l.Inspect(t.Context(), []core.Handle{h})
			is.Equal(core.CodeOf(err), core.Invalid)
			is.Equal(core.CodeOf(l.Stop(t.Context(), h, ports.Hard)), core.Invalid)
			is.Equal(core.CodeOf(l.Release(t.Context(), h)), core.Invalid)
		})
	}
	_, err := os.Stat(outside)
	is.NoErr(err)
	is.Equal(inspect(t, l, good.encode()).State, ports.LaunchGone) // well formed, but unknown
	_, err = l.Logs(t.Context(), good.encode(), 0)
	is.Equal(core.CodeOf(err), core.NotFound)
	_, err = l.Logs(t.Context(), good.encode(), -1)
	is.Equal(core.CodeOf(err), core.Invalid)
}

func forgeGood(h handle, change func(*handleData)) core.Handle {
	change(&h)
	return h.encode()
}

// The number 1 and the launcher's own group are safe even from a handle that
// names them with their true start time.
func TestNeverInit(t *testing.T) {
	is := is.New(t)
	now, ok, err := look(1)
	is.NoErr(err)
	is.True(ok)
	is.True(!now.is(now.process))
	is.NoErr(signal(now.process, syscall.SIGURG, false))
	is.NoErr(signal(process{}, sigHard, true)) // kill(-0) would be our own group
}

// Folders vanish and records break; processes are found all the same.
func TestRecordsDestroyed(t *testing.T) {
	for what, destroy := range map[string]func(folder string) error{
		"the folder is gone":    os.RemoveAll,
		"the record is gone":    func(folder string) error { return os.Remove(filepath.Join(folder, recordFile)) },
		"the record is no JSON": func(folder string) error { return os.WriteFile(filepath.Join(folder, recordFile), []byte("{"), 0o600) },
		"the record is empty":   func(folder string) error { return os.Truncate(filepath.Join(folder, recordFile), 0) },
	} {
		t.Run(what, func(t *testing.T) {
			is := is.New(t)
			dir, run := t.TempDir(), "destroyed "+newID()
			l := open(t, dir)
			handle, err := l.Launch(t.Context(), spec(run, 0, "hold=1m"))
			is.NoErr(err)
			other, err := l.Launch(t.Context(), spec(run, 1, "hold=1m"))
			is.NoErr(err)
			logs(t, l, handle, "pid ")
			data, err := decode(handle)
			is.NoErr(err)
			is.NoErr(destroy(l.path(data.Folder)))

			launches, err := open(t, dir).List(t.Context(), run)
			is.NoErr(err)
			is.Equal(len(launches), 2)
			is.Equal(launches[0].Handle, handle)
			is.Equal(launches[0].State, ports.LaunchRunning)
			is.Equal(inspect(t, l, handle).State, ports.LaunchRunning)
			is.Equal(core.CodeOf(l.Release(t.Context(), handle)), core.Refused)
			zeros := forge(t, handle, func(h *handleData) { h.ID, h.process = unreadable, process{} })
			if what != "the folder is gone" {
				is.Equal(core.CodeOf(l.Release(t.Context(), zeros)), core.Refused)
			}
			is.NoErr(l.Stop(t.Context(), handle, ports.Hard))
			waitFor(t, "worker is gone", func() bool { return inspect(t, l, handle).State == ports.LaunchGone })
			is.Equal(inspect(t, l, other).State, ports.LaunchRunning)
			sweep(t, dir)
		})
	}
}

// Who has left the group and the session is found by its environment.
func TestDescendantInAnotherSession(t *testing.T) {
	for what, end := range map[string]func(*Launcher, core.Handle) error{
		"stop":    func(l *Launcher, h core.Handle) error { return l.Stop(context.Background(), h, ports.Hard) },
		"release": func(l *Launcher, h core.Handle) error { return l.Release(context.Background(), h) },
	} {
		t.Run(what, func(t *testing.T) {
			is := is.New(t)
			dir := t.TempDir()
			defer sweep(t, dir)
			l := open(t, dir)
			s := spec("away", 0, "")
			s.Environment = []ports.EnvVar{{Name: envAway, Value: "1"}}
			handle, err := l.Launch(t.Context(), s)
			is.NoErr(err)
			log := logs(t, l, handle, "away ")
			var pid int
			for line := range strings.Lines(log) {
				if rest, ok := strings.CutPrefix(line, "away "); ok {
					is.NoErr(json.Unmarshal([]byte(rest), &pid))
				}
			}
			waitFor(t, "worker is gone", func() bool { return inspect(t, l, handle).State == ports.LaunchGone })
			lives, err := osAlive(pid)
			is.NoErr(err)
			is.True(lives)
			launches, err := l.List(t.Context(), "away")
			is.NoErr(err)
			is.Equal(len(launches), 1) // it is not taken for the worker
			is.Equal(launches[0].Handle, handle)
			is.NoErr(end(l, handle))
			waitFor(t, "descendant is dead", func() bool {
				lives, err := osAlive(pid)
				return err == nil && !lives
			})
		})
	}
}

// A launch that fails leaves nothing.
func TestLaunchFails(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "no-program")
	is.New(t).NoErr(os.WriteFile(script, []byte("\x01\x02"), 0o700))
	plain := filepath.Join(dir, "plain")
	is.New(t).NoErr(os.WriteFile(plain, nil, 0o600))
	for _, c := range []struct {
		name    string
		command string
		value   string
		code    core.Code
	}{
		{"no such program", filepath.Join(dir, "missing"), "", core.NotFound},
		{"no such program in the path", "benchfleet-no-such-program", "", core.NotFound},
		{"not executable", plain, "", core.Denied},
		{"no program", script, "", core.Invalid},
		{"too long", os.Args[0], strings.Repeat("x", 8<<20), core.Invalid},
		{"zero byte", os.Args[0], "a\x00b", core.Invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			state := filepath.Join(dir, c.name)
			l, err := New(state, Options{Command: []string{c.command}})
			is.NoErr(err)
			_, err = l.Launch(t.Context(), spec("fails", 0, c.value))
			is.Equal(core.CodeOf(err), c.code)
			_, err = os.Stat(filepath.Join(state, "workers"))
			is.True(errors.Is(err, fs.ErrNotExist)) // nothing is left
			is.NoErr(l.Close())
		})
	}
}

// The process has started, but its start cannot be recorded: it is ended.
func TestStartCannotBeRecorded(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	l := open(t, dir)
	s := spec("unrecorded", 0, "hold=1m")
	folder, err := folderOf(s.Key)
	is.NoErr(err)
	l.at = func(point string) {
		if point == "started" {
			is.NoErr(os.RemoveAll(l.path(folder)))
		}
	}
	_, err = l.Launch(t.Context(), s)
	is.True(err != nil)
	workers(t, "unrecorded", 0)
	l.at = func(string) {}
	_, err = l.Launch(t.Context(), s) // and can be launched once the disk is mended
	is.NoErr(err)
	workers(t, "unrecorded", 1)
	sweep(t, dir)
}

// A launch in progress is PENDING; a second caller waits for it until its context
// ends.
func TestPending(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	defer sweep(t, dir)
	first, l := open(t, dir), open(t, dir)
	there, goOn := make(chan struct{}), make(chan struct{})
	first.at = func(point string) {
		if point == "started" {
			close(there)
			<-goOn
		}
	}
	var handle core.Handle
	var failure error
	done := make(chan struct{})
	go func() {
		defer close(done)
		handle, failure = first.Launch(context.Background(), spec("pending", 0, "hold=1m"))
	}()
	<-there
	launches, err := l.List(t.Context(), "pending")
	is.NoErr(err)
	is.Equal(len(launches), 1)
	is.Equal(launches[0].State, ports.LaunchPending)
	is.True(inspect(t, l, launches[0].Handle).Cause != "")
	is.Equal(core.CodeOf(l.Stop(t.Context(), launches[0].Handle, ports.Hard)), core.Unavailable)
	ctx, cancel := context.WithTimeout(t.Context(), 30e6)
	defer cancel()
	_, err = l.Launch(ctx, spec("pending", 0, "hold=1m"))
	is.True(errors.Is(err, context.DeadlineExceeded))
	is.Equal(core.CodeOf(err), core.Unavailable)
	close(goOn)
	<-done
	is.NoErr(failure)
	is.Equal(inspect(t, l, launches[0].Handle).State, ports.LaunchRunning) // the early handle finds it
	again, err := l.Launch(t.Context(), spec("pending", 0, "hold=1m"))
	is.NoErr(err)
	is.Equal(again, handle)
	workers(t, "pending", 1)
	is.NoErr(l.Stop(t.Context(), launches[0].Handle, ports.Hard))
	waitFor(t, "worker is gone", func() bool { return inspect(t, l, launches[0].Handle).State == ports.LaunchGone })
}
