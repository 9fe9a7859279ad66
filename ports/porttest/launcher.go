package porttest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// LauncherHarness says how a launcher is tested. What it starts must do the
// steps of EnvScript: HelperMain or RunScript.
type LauncherHarness struct {
	// New returns a fresh Launcher over the same platform, as another process
	// would have it. It is called many times in a case, and at its end, when the
	// context of t has ended.
	New func(t testing.TB) ports.Launcher
	// StartWithin bounds the time from Launch to the worker's first line;
	// default 10 s.
	StartWithin time.Duration
	// EndWithin bounds the time from Stop, or from a worker's own end, to GONE;
	// default 10 s.
	EndWithin time.Duration
	// Count asks the platform itself, not the launcher, how many workers of a
	// run live. Nil: it cannot be asked.
	Count func(runID string) (int, error)
	// Alive asks the platform itself whether a process lives whose id the worker
	// of handle wrote into its log. Nil: it cannot be asked, or nothing can be
	// spawned.
	Alive func(handle core.Handle, pid int) (bool, error)
	// Shows returns every place where the platform itself would show text, such
	// as command lines, labels and files, while the launch lives. Nil: there is
	// none.
	Shows func(launch ports.Launch, text string) ([]string, error)
	// Left names what the platform itself holds of a run, such as containers,
	// files and processes; of one that is released it must be nothing. Nil: it
	// cannot be asked.
	Left func(runID string) ([]string, error)
	// LogKept is how many bytes the platform keeps of the end of a log; 0: all.
	LogKept int
}

// TestLauncher runs the suite of a launcher.
func TestLauncher(t *testing.T, h LauncherHarness) {
	t.Helper()
	LauncherSuite().Test(t, h)
}

// LauncherSuite is the cases of a launcher.
func LauncherSuite() Suite[LauncherHarness] {
	return Suite[LauncherHarness]{
		{"capabilities are constant", launcherCapabilities},
		{"workers reach this host at an address of its own", launcherReach},
		{"check passes here", launcherCheck},
		{"launch delivers the environment exactly", launcherEnvironment},
		{"launch forwards secrets and shows none", launcherSecrets},
		{"launch refuses a key without names", launcherBadKey},
		{"launch twice starts one", launcherTwice},
		{"launch again after the end starts nothing", launcherAfterEnd},
		{"launch at once starts one for each key", launcherParallel},
		{"launch with an ended context starts nothing", launcherEndedContext},
		{"launch cut short leaves what list tells", launcherCutShort},
		{"a handle outlives its launcher", launcherReload},
		{"inspect answers in order", launcherInspectMany},
		{"inspect tells how it ended", launcherEnds},
		{"stop gentle is obeyed", launcherGentle},
		{"stop gentle is ignored, hard is not", launcherHard},
		{"stop hard ends what was spawned", launcherDescendants},
		{"stop what is gone", launcherStopGone},
		{"release is refused to the living", launcherReleaseLiving},
		{"release twice, and what is released is unknown", launcherReleaseTwice},
		{"list by run and of all", launcherList},
		{"logs of the living and the dead", launcherLogs},
		{"returned slices belong to the caller", launcherOwnership},
	}
}

// A fleet is the launches of one case, under a run id of its own.
type fleet struct {
	testing.TB
	h   LauncherHarness
	l   ports.Launcher
	ctx context.Context
	run string
}

// newFleet prepares a case. At its end nothing may be left on the platform.
func newFleet(t testing.TB, h LauncherHarness) *fleet {
	t.Helper()
	if h.StartWithin <= 0 {
		h.StartWithin = 10 * time.Second
	}
	if h.EndWithin <= 0 {
		h.EndWithin = 10 * time.Second
	}
	f := &fleet{TB: t, h: h, l: h.New(t), ctx: within(t), run: "Run " + strings.ToLower(rand.Text())}
	t.Cleanup(f.sweep)
	return f
}

// sweep ends and releases all launches of the case, known or not, and fails the
// case if anything is left.
func (f *fleet) sweep() {
	ctx, cancel := context.WithTimeout(context.Background(), caseTimeout) // the test's own has ended
	defer cancel()
	f.ctx = ctx
	l := f.h.New(f.TB)
	for _, launch := range f.list(l, f.run) {
		if err := l.Stop(ctx, launch.Handle, ports.Hard); err != nil {
			f.Errorf("sweep: Stop %v: %v", launch.Key, err)
		}
		f.gone(l, launch.Handle)
		if err := l.Release(ctx, launch.Handle); err != nil {
			f.Errorf("sweep: Release %v: %v", launch.Key, err)
		}
	}
	if left := f.list(l, f.run); len(left) > 0 {
		f.Errorf("after the release of all, List still shows %d launches", len(left))
	}
	f.count(0)
	if f.h.Left == nil {
		return
	}
	f.poll(f.h.EndWithin, "platform holds nothing after the release of all", func() (bool, any) {
		left, err := f.h.Left(f.run)
		return err == nil && len(left) == 0, fmt.Sprint(left, " ", err)
	})
}

// inOrder joins the steps of a helper.
func inOrder(steps ...string) string { return strings.Join(steps, " ") }

// spec is worker i of the case's run.
func (f *fleet) spec(i int, steps string, more ...ports.EnvVar) ports.WorkerSpec {
	return ports.WorkerSpec{
		Key:         core.WorkerKey{RunID: f.run, WorkerID: fmt.Sprintf("worker-%d", i), Epoch: 1},
		GroupID:     i,
		GroupCount:  5,
		Environment: append([]ports.EnvVar{{Name: EnvScript, Value: steps}}, more...),
		ExpiresAt:   time.Date(2031, 4, 5, 6, 7, 8, 0, time.UTC),
	}
}

// launch starts worker i and waits for its first line.
func (f *fleet) launch(i int, steps string, more ...ports.EnvVar) core.Handle {
	f.Helper()
	handle, err := f.l.Launch(f.ctx, f.spec(i, steps, more...))
	must(f, err, "Launch")
	f.logged(f.l, handle, "pid ")
	return handle
}

// poll calls check every few milliseconds until it is true.
func (f *fleet) poll(limit time.Duration, what string, check func() (ok bool, seen any)) {
	f.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.NewTimer(limit)
	defer late.Stop()
	for {
		ok, seen := check()
		if ok {
			return
		}
		select {
		case <-tick.C:
		case <-late.C:
			f.Fatalf("%s: not within %s; last seen: %s", what, limit, cut(fmt.Sprint(seen)))
		case <-f.ctx.Done():
			f.Fatalf("%s: %v; last seen: %s", what, f.ctx.Err(), cut(fmt.Sprint(seen)))
		}
	}
}

// logged waits until a worker has written text, and returns its log.
func (f *fleet) logged(l ports.Launcher, handle core.Handle, text string) string {
	f.Helper()
	var log []byte
	f.poll(f.h.StartWithin, fmt.Sprintf("worker writes %q", text), func() (bool, any) {
		var err error
		if log, err = l.Logs(f.ctx, handle, 0); err != nil {
			return false, err // not there yet, where it starts later
		}
		return bytes.Contains(log, []byte(text)), string(log)
	})
	return string(log)
}

// number waits for the whole line "word N" of a worker and returns N.
func (f *fleet) number(handle core.Handle, word string) int {
	f.Helper()
	n := 0
	f.poll(f.h.StartWithin, "worker writes "+word, func() (bool, any) {
		log, err := f.l.Logs(f.ctx, handle, 0)
		if err != nil {
			return false, err
		}
		for line := range strings.Lines(string(log)) {
			if rest, ok := strings.CutPrefix(line, word+" "); ok && strings.HasSuffix(rest, "\n") {
				_, err := fmt.Sscan(rest, &n)
				return err == nil, line
			}
		}
		return false, string(log)
	})
	return n
}

// status inspects one handle.
func (f *fleet) status(l ports.Launcher, handle core.Handle) ports.WorkerStatus {
	f.Helper()
	all, err := l.Inspect(f.ctx, []core.Handle{handle})
	must(f, err, "Inspect")
	if len(all) != 1 {
		f.Fatalf("Inspect of one handle: %d answers", len(all))
	}
	s := all[0]
	switch s.State {
	case ports.LaunchRunning:
	case ports.LaunchPending, ports.LaunchGone:
		if s.Cause == "" {
			f.Errorf("Inspect: %s without a cause", s.State)
		}
	default:
		f.Errorf("Inspect: unknown state %q", s.State)
	}
	return s
}

// running fails the case unless the worker runs.
func (f *fleet) running(l ports.Launcher, handle core.Handle) {
	f.Helper()
	if s := f.status(l, handle); s.State != ports.LaunchRunning {
		f.Errorf("worker is %s (%s), want RUNNING", s.State, s.Cause)
	}
}

// gone waits for the end of a worker.
func (f *fleet) gone(l ports.Launcher, handle core.Handle) ports.WorkerStatus {
	f.Helper()
	var s ports.WorkerStatus
	f.poll(f.h.EndWithin, "worker is GONE", func() (bool, any) {
		s = f.status(l, handle)
		return s.State == ports.LaunchGone, s
	})
	return s
}

func (f *fleet) list(l ports.Launcher, runID string) []ports.Launch {
	f.Helper()
	all, err := l.List(f.ctx, runID)
	must(f, err, "List")
	return all
}

// count waits until the platform itself shows n living workers of the run.
func (f *fleet) count(n int) {
	f.Helper()
	if f.h.Count == nil {
		return
	}
	f.poll(f.h.EndWithin, fmt.Sprintf("platform shows %d living workers", n), func() (bool, any) {
		got, err := f.h.Count(f.run)
		return err == nil && got == n, fmt.Sprint(got, " ", err)
	})
}

// equal fails the case unless both handles are the same.
func (f *fleet) equal(got, want core.Handle, what string) {
	f.Helper()
	same(f, got, want, what)
}

// reload sends a handle through JSON, as a store does.
func (f *fleet) reload(handle core.Handle) core.Handle {
	f.Helper()
	data, err := json.Marshal(handle)
	must(f, err, "JSON of a handle")
	var back core.Handle
	must(f, json.Unmarshal(data, &back), "handle from JSON")
	return back
}

func query(s string) string { return url.QueryEscape(s) }
