package porttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

func launcherReload(t testing.TB, h LauncherHarness) {
	f := newFleet(t, h)
	handle := f.reload(f.launch(0, "term=7 hold=1m"))
	f.running(f.h.New(t), handle)
	must(t, f.h.New(t).Stop(f.ctx, handle, ports.Gentle), "Stop by another Launcher")
	if s := f.gone(f.h.New(t), handle); s.ExitCode != 7 {
		t.Errorf("exit code %d (%s), want 7", s.ExitCode, s.Cause)
	}
	f.logged(f.h.New(t), handle, "terminated\n")
	must(t, f.h.New(t).Release(f.ctx, handle), "Release by another Launcher")
}

func launcherInspectMany(t testing.TB, h LauncherHarness) {
	f := newFleet(t, h)
	all, err := f.l.Inspect(f.ctx, nil)
	must(t, err, "Inspect of nothing")
	if len(all) != 0 {
		t.Errorf("Inspect of nothing: %d answers", len(all))
	}
	ended, lives, forgotten := f.launch(0, "exit=4"), f.launch(1, "hold=1m"), f.launch(2, "exit=5")
	f.gone(f.l, ended)
	f.gone(f.l, forgotten)
	must(t, f.l.Release(f.ctx, forgotten), "Release")
	all, err = f.h.New(t).Inspect(f.ctx, []core.Handle{lives, ended, forgotten, lives, ended})
	must(t, err, "Inspect")
	var states []string
	for _, s := range all {
		states = append(states, string(s.State))
	}
	if got := strings.Join(states, " "); got != "RUNNING GONE GONE RUNNING GONE" {
		t.Fatalf("Inspect of lives, ended, forgotten, lives, ended: %s", got)
	}
	if all[1].ExitCode != 4 || all[4].ExitCode != 4 {
		t.Errorf("codes of the one that ended with 4: %d, %d", all[1].ExitCode, all[4].ExitCode)
	}
	if all[2].Cause == "" {
		t.Error("unknown without a cause")
	}
}

func launcherEnds(t testing.TB, h LauncherHarness) {
	f := newFleet(t, h)
	zero, three, killed := f.launch(0, "exit=0"), f.launch(1, "exit=3"), f.launch(2, "die=KILL")
	said := f.launch(3, inOrder("env="+ports.EnvExitRecord, "record="+query("lease ran out: no control read for 15s"), "exit=2"))
	if s := f.gone(f.l, zero); s.ExitCode != 0 {
		t.Errorf("exit 0: %+v", s)
	}
	if s := f.gone(f.l, three); s.ExitCode != 3 {
		t.Errorf("exit 3: %+v", s)
	}
	s := f.gone(f.l, killed)
	if s.ExitCode == 0 || s.Cause == f.gone(f.l, zero).Cause || s.Cause == f.gone(f.l, three).Cause {
		t.Errorf("killed, but told as an exit: %+v", s)
	}
	s = f.gone(f.l, said)
	if s.ExitCode != 2 {
		t.Errorf("exit 2 with a record: %+v", s)
	}
	recorded := !strings.Contains(f.logged(f.l, said, ports.EnvExitRecord), ports.EnvExitRecord+" unset")
	if recorded && !strings.Contains(s.Cause, "no control read for 15s") {
		t.Errorf("the cause in the exit record is not told: %q", s.Cause)
	}
	for _, handle := range []core.Handle{zero, three, killed, said} { // the same to everybody
		same(t, f.status(f.h.New(t), handle), f.status(f.l, handle), "Inspect by another Launcher")
	}
}

func launcherGentle(t testing.TB, h LauncherHarness) {
	f := newFleet(t, h)
	handle := f.launch(0, "term=7 hold=1m")
	other := f.launch(1, "hold=1m")
	must(t, f.l.Stop(f.ctx, handle, ports.Gentle), "Stop")
	if s := f.gone(f.l, handle); s.ExitCode != 7 {
		t.Errorf("exit code %d (%s), want 7", s.ExitCode, s.Cause)
	}
	f.running(f.l, other)
	if err := f.l.Stop(f.ctx, other, "rude"); err == nil {
		t.Error("Stop with an unknown force: no error")
	}
	f.running(f.l, other)
}

func launcherHard(t testing.TB, h LauncherHarness) {
	f := newFleet(t, h)
	handle := f.launch(0, "ignore=TERM hold=1m")
	must(t, f.l.Stop(f.ctx, handle, ports.Gentle), "Stop gentle")
	f.logged(f.l, handle, "ignored\n")
	f.running(f.l, handle)
	must(t, f.l.Stop(f.ctx, handle, ports.Hard), "Stop hard")
	if s := f.gone(f.l, handle); s.ExitCode == 0 {
		t.Errorf("ended hard, but with code 0: %+v", s)
	}
	f.count(0)
}

func launcherDescendants(t testing.TB, h LauncherHarness) {
	f := newFleet(t, h)
	if f.h.Alive == nil {
		t.Skip("the platform cannot be asked for single processes")
	}
	dead := func(handle core.Handle, pid int, what string) {
		f.poll(f.h.EndWithin, what+" is dead", func() (bool, any) {
			alive, err := f.h.Alive(handle, pid)
			return err == nil && !alive, fmt.Sprint(alive, err)
		})
	}
	deep := inOrder("ignore=TERM", "spawn="+query("ignore=TERM hold=1m"), "hold=1m")
	handle := f.launch(0, inOrder("spawn="+query(deep), "hold=1m"))
	child := f.number(handle, "spawned")
	alive, err := f.h.Alive(handle, child)
	must(t, err, "Alive")
	if !alive {
		t.Fatal("the harness does not see the living")
	}
	must(t, f.l.Stop(f.ctx, handle, ports.Hard), "Stop")
	f.gone(f.l, handle)
	dead(handle, child, "what the worker spawned")

	// The worker is gone already; what it left is not.
	orphaned := f.launch(1, inOrder("spawn="+query("ignore=TERM hold=1m"), "exit=0"))
	left := f.number(orphaned, "spawned")
	f.gone(f.l, orphaned)
	must(t, f.l.Stop(f.ctx, orphaned, ports.Hard), "Stop of the gone")
	dead(orphaned, left, "what the gone worker spawned")
}

func launcherStopGone(t testing.TB, h LauncherHarness) {
	f := newFleet(t, h)
	handle := f.launch(0, "exit=3")
	f.gone(f.l, handle)
	before := f.status(f.l, handle)
	for _, force := range []ports.Force{ports.Gentle, ports.Hard, ports.Hard} {
		must(t, f.l.Stop(f.ctx, handle, force), "Stop of what is gone")
	}
	same(t, f.status(f.l, handle), before, "Inspect after Stop of what was gone")
	must(t, f.l.Release(f.ctx, handle), "Release")
	for _, force := range []ports.Force{ports.Gentle, ports.Hard} {
		must(t, f.l.Stop(f.ctx, handle, force), "Stop of what is released")
	}
}

func launcherReleaseLiving(t testing.TB, h LauncherHarness) {
	f := newFleet(t, h)
	handle := f.launch(0, "hold=1m")
	wantCode(t, f.l.Release(f.ctx, handle), core.Refused, "Release of the living")
	wantCode(t, f.h.New(t).Release(f.ctx, handle), core.Refused, "Release of the living by another Launcher")
	f.running(f.l, handle)
	f.logged(f.l, handle, "pid ")
	if n := len(f.list(f.l, f.run)); n != 1 {
		t.Errorf("List after a refused Release shows %d launches, want 1", n)
	}
}

func launcherReleaseTwice(t testing.TB, h LauncherHarness) {
	f := newFleet(t, h)
	handle, other := f.launch(0, "exit=3"), f.launch(1, "exit=4")
	f.gone(f.l, handle)
	f.gone(f.l, other)
	for range 2 {
		must(t, f.l.Release(f.ctx, handle), "Release")
	}
	must(t, f.h.New(t).Release(f.ctx, handle), "Release by another Launcher")
	for _, l := range []ports.Launcher{f.l, f.h.New(t)} {
		if s := f.status(l, handle); s.State != ports.LaunchGone {
			t.Errorf("released, and %+v", s)
		}
	}
	launches := f.list(f.l, f.run)
	if len(launches) != 1 || launches[0].Key.WorkerID != "worker-1" {
		t.Errorf("List after the release of worker-0: %+v, want worker-1 alone", launches)
	}
	if s := f.status(f.l, other); s.ExitCode != 4 {
		t.Errorf("release of one has touched the other: %+v", s)
	}
}

func launcherList(t testing.TB, h LauncherHarness) {
	f, g := newFleet(t, h), newFleet(t, h)
	lives, ended := f.launch(1, "hold=1m"), f.launch(0, "exit=0")
	f.gone(f.l, ended)
	foreign := g.launch(0, "hold=1m")

	want := map[string]ports.LaunchState{text(t, lives): ports.LaunchRunning, text(t, ended): ports.LaunchGone}
	launches := f.list(f.h.New(t), f.run)
	if len(launches) != len(want) {
		t.Errorf("List of one run: %d launches, want %d", len(launches), len(want))
	}
	for _, launch := range launches {
		if state, ok := want[text(t, launch.Handle)]; !ok || launch.State != state || launch.Key.RunID != f.run || launch.Key.Epoch != 1 {
			t.Errorf("List of one run shows %+v, want state %q", launch, state)
		}
		if at := f.spec(0, "").ExpiresAt; !launch.ExpiresAt.Equal(at) {
			t.Errorf("List: expires at %s, want %s", launch.ExpiresAt, at)
		}
	}
	var all []string
	for _, launch := range f.list(f.h.New(t), "") {
		all = append(all, text(t, launch.Handle))
	}
	for _, handle := range []core.Handle{lives, ended, foreign} {
		if !slices.Contains(all, text(t, handle)) {
			t.Errorf("List of all runs misses %s", handle.Data)
		}
	}
	if none := f.list(f.l, f.run+"x"); len(none) != 0 {
		t.Errorf("List of an unknown run: %+v", none)
	}
}

func launcherLogs(t testing.TB, h LauncherHarness) {
	f := newFleet(t, h)
	const lines = 20000 // more than 64 KiB
	lives := f.launch(0, inOrder("lines=3", "hold=1m"))
	if log := f.logged(f.l, lives, "line 3\n"); !strings.HasSuffix(log, "line 1\nline 2\nline 3\n") {
		t.Errorf("log of the living: %q", log)
	}
	handle, err := f.l.Launch(f.ctx, f.spec(1, inOrder("lines="+strconv.Itoa(lines), "exit=1"))) // its first line may be out of reach at once
	must(t, err, "Launch")
	f.gone(f.l, handle)
	last := fmt.Sprintf("line %d\n", lines)
	f.logged(f.l, handle, last)
	for _, limit := range []int{0, 1 << 20, 100, len(last), len(last) + 1} {
		log, err := f.h.New(t).Logs(f.ctx, handle, limit)
		must(t, err, "Logs of the dead")
		most := limit
		if limit == 0 {
			most = 64 << 10
		}
		if len(log) > most || !bytes.HasSuffix(log, []byte(last)) {
			t.Errorf("Logs with limit %d: %d bytes, the end %q", limit, len(log), log[max(0, len(log)-20):])
		}
		if first, _, _ := bytes.Cut(log, []byte("\n")); !bytes.HasPrefix(first, []byte("line ")) && !bytes.HasPrefix(first, []byte("pid ")) {
			t.Errorf("Logs with limit %d begins in the middle of a line: %q", limit, first)
		}
		if limit == 1<<20 && h.LogKept > 0 {
			if len(log) > h.LogKept || len(log) < h.LogKept*9/10 {
				t.Errorf("all that is kept of the log is %d bytes, want about %d", len(log), h.LogKept)
			}
			continue
		}
		if limit == 1<<20 && bytes.Count(log, []byte("\n")) != lines+1 {
			t.Errorf("the whole log has %d lines, want %d", bytes.Count(log, []byte("\n")), lines+1)
		}
	}
}

func launcherOwnership(t testing.TB, h LauncherHarness) {
	f := newFleet(t, h)
	spec := f.spec(0, "print=mine hold=1m")
	handle, err := f.l.Launch(f.ctx, spec)
	must(t, err, "Launch")
	want := text(t, handle)
	spec.Environment[0] = ports.EnvVar{Name: "PORTTEST_OVERWRITTEN", Value: "x"}
	clear(handle.Data)
	again, err := f.l.Launch(f.ctx, f.spec(0, "hold=1m"))
	must(t, err, "Launch again")
	if text(t, again) != want {
		t.Error("writing into a returned handle changed what Launch returns next")
	}
	f.logged(f.l, again, "mine\n")
	var launches []ports.Launch
	for range 2 {
		launches = f.list(f.l, f.run)
		if data, err := json.Marshal(launches); err != nil || !bytes.Contains(data, []byte(`"worker-0"`)) {
			t.Errorf("List: %s, %v", data, err)
		}
		for i := range launches {
			clear(launches[i].Handle.Data)
			launches[i] = ports.Launch{}
		}
	}
}
