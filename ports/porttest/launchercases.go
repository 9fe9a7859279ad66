package porttest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

func launcherCapabilities(t testing.TB, h LauncherHarness) {
	f := newFleet(t, h)
	c := f.l.Capabilities()
	same(t, f.h.New(t).Capabilities(), c, "Capabilities of another Launcher")
	if c.Name == "" || c.StartTimeout <= 0 || c.Grace < 0 || c.MaxWorkers < 0 {
		t.Errorf("Capabilities: %+v; want a name, a start timeout, nothing negative", c)
	}
}

// launcherReach holds that a server for workers never listens on every address.
func launcherReach(t testing.TB, h LauncherHarness) {
	f := newFleet(t, h)
	reach, err := f.l.Reach(within(t))
	if core.CodeOf(err) == core.Unsupported {
		t.Skipf("workers do not reach this host: %v", err)
	}
	must(t, err, "Reach")
	ip, err := netip.ParseAddr(reach.Listen)
	if err != nil || ip.IsUnspecified() || reach.Dial == "" {
		t.Errorf("Reach: %+v; want an address of this host and a name to dial", reach)
	}
}

func launcherCheck(t testing.TB, h LauncherHarness) {
	f := newFleet(t, h)
	findings, err := f.l.Check(f.ctx, 1)
	must(t, err, "Check")
	if refusal := core.Refusal(findings); refusal != "" {
		t.Errorf("Check: %s", refusal)
	}
	seen := map[string]bool{}
	for _, finding := range findings {
		if finding.ID == "" || finding.Message == "" || seen[finding.ID] {
			t.Errorf("Check: finding without id or message, or twice: %+v", finding)
		}
		if finding.Severity != core.SeverityOK && finding.Mend == "" {
			t.Errorf("Check: nothing says how to mend %s", finding.ID)
		}
		seen[finding.ID] = true
	}
}

func launcherEnvironment(t testing.TB, h LauncherHarness) {
	f := newFleet(t, h)
	values := []string{"plain", "", " two  blanks ", "a=b==c", "first\nsecond\n", `quotes " ' and \`, "$HOME ${HOME} `id` %PATH%", "tab\tbell\a", "grüße 世界"}
	var vars []ports.EnvVar
	var want, steps []string
	for i, value := range values {
		name := "PORTTEST_VALUE_" + strconv.Itoa(i)
		vars = append(vars, ports.EnvVar{Name: name, Value: value})
		want = append(want, fmt.Sprintf("env %s=%q\n", name, value))
		steps = append(steps, "env="+name)
	}
	for name, value := range map[string]string{
		ports.EnvRunID: f.run, ports.EnvWorkerID: "worker-3", ports.EnvGroupID: "3", ports.EnvGroupCount: "5", ports.EnvEpoch: "1",
	} {
		want = append(want, fmt.Sprintf("env %s=%q\n", name, value))
		steps = append(steps, "env="+name)
	}
	handle := f.launch(3, inOrder(append(steps, "print=all", "hold=1m")...), vars...)
	log := f.logged(f.l, handle, "\nall\n")
	for _, line := range want {
		if !strings.Contains(log, "\n"+line) {
			t.Errorf("worker did not write %q in %q", line, log)
		}
	}
}

func launcherSecrets(t testing.TB, h LauncherHarness) {
	f := newFleet(t, h)
	const planted = "planted-5ecret\nin two lines"
	spec := f.spec(0, inOrder("digest=PORTTEST_SECRET", "print=all", "hold=1m"))
	spec.Secrets = []ports.EnvVar{{Name: "PORTTEST_SECRET", Value: planted}}
	handle, err := f.l.Launch(f.ctx, spec)
	must(t, err, "Launch")
	log := f.logged(f.l, handle, "\nall\n")
	if !strings.Contains(log, "digest PORTTEST_SECRET "+digest(planted)+"\n") {
		t.Errorf("the secret did not arrive: %q", log)
	}
	hidden := func(where string, v any) {
		if shown := fmt.Sprint(v) + text(t, v); strings.Contains(shown, "planted-5ecret") {
			t.Errorf("the secret is shown by %s", where)
		}
	}
	launches := f.list(f.l, f.run)
	hidden("List", launches)
	hidden("the data of the handle", string(handle.Data))
	hidden("Inspect", f.status(f.l, handle))
	hidden("Logs", log)
	if f.h.Shows == nil {
		return
	}
	for _, launch := range launches {
		places, err := f.h.Shows(launch, "planted-5ecret")
		must(t, err, "Shows")
		if len(places) > 0 {
			t.Errorf("the platform shows the secret: %q", places)
		}
		places, err = f.h.Shows(launch, launch.Key.WorkerID)
		must(t, err, "Shows")
		if len(places) == 0 {
			t.Error("Shows does not even find the worker's id: it is blind")
		}
	}
	spec.Key.WorkerID, spec.Secrets[0].Name = "worker-1", "PORTTEST_BAD=NAME"
	if _, err := f.l.Launch(f.ctx, spec); err == nil {
		t.Error("Launch with '=' in the name of a variable: no error")
	} else {
		hidden("the error of Launch", err.Error())
	}
}

func launcherBadKey(t testing.TB, h LauncherHarness) {
	f := newFleet(t, h)
	for _, key := range []core.WorkerKey{{}, {RunID: f.run, Epoch: 1}, {WorkerID: "worker-0", Epoch: 1}} {
		spec := f.spec(0, "hold=1m")
		spec.Key = key
		_, err := f.l.Launch(f.ctx, spec)
		wantCode(t, err, core.Invalid, fmt.Sprintf("Launch of %+v", key))
	}
	f.count(0)
}

func launcherTwice(t testing.TB, h LauncherHarness) {
	f := newFleet(t, h)
	first := f.launch(0, "hold=1m")
	if first.Zero() {
		t.Error("Launch returned a zero handle")
	}
	for _, l := range []ports.Launcher{f.l, f.h.New(t)} {
		again, err := l.Launch(f.ctx, f.spec(0, "print=second hold=1m"))
		must(t, err, "Launch again")
		f.equal(again, first, "handle of the second Launch")
	}
	f.running(f.l, first)
	f.count(1)
	if f.h.Left != nil {
		held, err := f.h.Left(f.run)
		must(t, err, "Left")
		if len(held) == 0 {
			t.Error("Left does not even find a worker that lives: it is blind")
		}
	}
	if log := f.logged(f.l, first, "pid "); strings.Count(log, "pid ") != 1 || strings.Contains(log, "second") {
		t.Errorf("more than one worker wrote: %q", log)
	}
	if n := len(f.list(f.l, f.run)); n != 1 {
		t.Errorf("List shows %d launches, want 1", n)
	}

	next := f.spec(0, "hold=1m")
	next.Key.Epoch++ // another epoch is another launch
	other, err := f.l.Launch(f.ctx, next)
	must(t, err, "Launch of the next epoch")
	if text(t, other) == text(t, first) {
		t.Error("two epochs have the same handle")
	}
	f.logged(f.l, other, "pid ")
	f.count(2)
}

func launcherAfterEnd(t testing.TB, h LauncherHarness) {
	f := newFleet(t, h)
	first := f.launch(0, "exit=3")
	f.gone(f.l, first)
	for _, l := range []ports.Launcher{f.l, f.h.New(t)} {
		again, err := l.Launch(f.ctx, f.spec(0, "hold=1m"))
		must(t, err, "Launch after the end")
		f.equal(again, first, "handle of Launch after the end")
		if s := f.status(l, again); s.State != ports.LaunchGone || s.ExitCode != 3 {
			t.Errorf("after the second Launch: %+v, want GONE with code 3", s)
		}
	}
	f.count(0)
}

func launcherParallel(t testing.TB, h LauncherHarness) {
	f := newFleet(t, h)
	const workers, callers = 8, 4
	handles := make([]core.Handle, workers*callers)
	errs := make([]error, len(handles))
	launchers := make([]ports.Launcher, callers)
	for i := range launchers {
		launchers[i] = f.h.New(t)
	}
	race(len(handles), func(i int) {
		handles[i], errs[i] = launchers[i/workers].Launch(f.ctx, f.spec(i%workers, "hold=1m"))
	})
	must(t, errors.Join(errs...), "Launch at once")
	for i, handle := range handles {
		f.equal(handle, handles[i%workers], "handle of the same key")
		f.logged(f.l, handle, "pid ")
		f.running(f.l, handle)
	}
	f.count(workers)
	if n := len(f.list(f.l, f.run)); n != workers {
		t.Errorf("List shows %d launches, want %d", n, workers)
	}
}

func launcherEndedContext(t testing.TB, h LauncherHarness) {
	f := newFleet(t, h)
	handle := f.launch(0, "hold=1m")
	ctx, cancel := context.WithCancel(f.ctx)
	cancel()
	_, err := f.l.Launch(ctx, f.spec(1, "hold=1m"))
	wantEnded(t, err, ctx, "Launch")
	_, err = f.l.Inspect(ctx, []core.Handle{handle})
	wantEnded(t, err, ctx, "Inspect")
	_, err = f.l.List(ctx, f.run)
	wantEnded(t, err, ctx, "List")
	f.count(1)
	for _, launch := range f.list(f.l, f.run) {
		if launch.Key.WorkerID != "worker-0" && launch.State == ports.LaunchRunning {
			t.Errorf("%v runs although its context had ended", launch.Key)
		}
	}
}

// A context that is cancelled, or is over time, somewhere in the middle of Launch
// leaves a worker or none, and whatever it left can be launched again and found.
func launcherCutShort(t testing.TB, h LauncherHarness) {
	f := newFleet(t, h)
	const tries = 12
	begin := time.Now()
	f.launch(0, "hold=1m")
	whole := time.Since(begin)
	for i := 1; i <= tries; i++ {
		ctx, cancel := ending(f.ctx, whole*time.Duration(i)/tries, i%2 == 0)
		handle, err := f.l.Launch(ctx, f.spec(i, "hold=1m"))
		if err != nil && ctx.Err() != nil {
			wantEnded(t, err, ctx, "Launch")
		} else {
			must(t, err, "Launch")
		}
		cancel()
		l := f.h.New(t)
		found := core.Handle{}
		for _, launch := range f.list(l, f.run) {
			if launch.Key == f.spec(i, "").Key && launch.State != ports.LaunchGone {
				found = launch.Handle
			}
		}
		again, err := l.Launch(f.ctx, f.spec(i, "hold=1m"))
		must(t, err, "Launch after one that was cut short")
		if !handle.Zero() {
			f.equal(again, handle, "handle of the second Launch")
		}
		f.logged(l, again, "pid ")
		f.running(l, again)
		if !found.Zero() {
			f.running(l, found)
		}
		f.count(i + 1)
	}
}

// ending returns a context that is cancelled, or is over time, after d.
func ending(ctx context.Context, d time.Duration, cancelled bool) (context.Context, context.CancelFunc) {
	if !cancelled {
		return context.WithTimeout(ctx, d)
	}
	ctx, cancel := context.WithCancel(ctx)
	time.AfterFunc(d, cancel) // twice is harmless
	return ctx, cancel
}
