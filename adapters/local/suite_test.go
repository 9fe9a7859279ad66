//go:build linux || darwin

package local

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/ports/porttest"
	"github.com/matryer/is"
)

// broken is a launcher with one fault.
type broken struct {
	ports.Launcher
	launch  func(ports.WorkerSpec) ports.WorkerSpec
	answer  func([]ports.WorkerStatus)
	stop    func(ports.Force) (ports.Force, bool)
	release func(error) error
	list    func(string) string
	logs    func(int) int
}

func (b broken) Launch(ctx context.Context, spec ports.WorkerSpec) (core.Handle, error) {
	if b.launch != nil {
		spec = b.launch(spec)
	}
	return b.Launcher.Launch(ctx, spec)
}

func (b broken) Inspect(ctx context.Context, handles []core.Handle) ([]ports.WorkerStatus, error) {
	all, err := b.Launcher.Inspect(ctx, handles)
	if b.answer != nil {
		b.answer(all)
	}
	return all, err
}

func (b broken) Stop(ctx context.Context, handle core.Handle, force ports.Force) error {
	if b.stop != nil {
		var ok bool
		if force, ok = b.stop(force); !ok {
			return nil
		}
	}
	return b.Launcher.Stop(ctx, handle, force)
}

func (b broken) Release(ctx context.Context, handle core.Handle) error {
	err := b.Launcher.Release(ctx, handle)
	if b.release != nil {
		return b.release(err)
	}
	return err
}

func (b broken) List(ctx context.Context, runID string) ([]ports.Launch, error) {
	if b.list != nil {
		runID = b.list(runID)
	}
	return b.Launcher.List(ctx, runID)
}

func (b broken) Logs(ctx context.Context, handle core.Handle, limit int) ([]byte, error) {
	if b.logs != nil {
		limit = b.logs(limit)
	}
	return b.Launcher.Logs(ctx, handle, limit)
}

// The suite notices faults, each in the case that is about it.
func TestSuiteNotices(t *testing.T) {
	for _, c := range []struct {
		fault   string
		noticed string // the case that must fail
		broken  broken
	}{
		{"every launch is a new one", "launch twice starts one", broken{launch: func(s ports.WorkerSpec) ports.WorkerSpec {
			s.Key.Epoch = int(time.Now().UnixNano())
			return s
		}}},
		{"variables are trimmed", "launch delivers the environment exactly", broken{launch: func(s ports.WorkerSpec) ports.WorkerSpec {
			s.Environment = slices.Clone(s.Environment)
			for i := range s.Environment {
				s.Environment[i].Value = strings.TrimSpace(s.Environment[i].Value)
			}
			return s
		}}},
		{"secrets are forgotten", "launch forwards secrets and shows none", broken{launch: func(s ports.WorkerSpec) ports.WorkerSpec {
			s.Secrets = nil
			return s
		}}},
		{"answers in the wrong order", "inspect answers in order", broken{answer: func(all []ports.WorkerStatus) { slices.Reverse(all) }}},
		{"every end is a good one", "inspect tells how it ended", broken{answer: func(all []ports.WorkerStatus) {
			for i := range all {
				all[i].ExitCode = 0
			}
		}}},
		{"gentle is hard", "stop gentle is obeyed", broken{stop: func(ports.Force) (ports.Force, bool) { return ports.Hard, true }}},
		{"gentle does nothing", "stop gentle is obeyed", broken{stop: func(f ports.Force) (ports.Force, bool) { return f, f == ports.Hard }}},
		{"the living may be released", "release is refused to the living", broken{release: func(error) error { return nil }}},
		{"list knows no runs", "list by run and of all", broken{list: func(string) string { return "" }}},
		{"logs know no limit", "logs of the living and the dead", broken{logs: func(int) int { return 1 << 20 }}},
	} {
		t.Run(c.fault, func(t *testing.T) {
			is := is.New(t)
			dir := t.TempDir()
			h := harness(t)
			h.StartWithin, h.EndWithin = 2*time.Second, 500*time.Millisecond
			h.New = func(t testing.TB) ports.Launcher {
				b := c.broken
				b.Launcher = open(t, dir)
				return b
			}
			defer sweep(t, dir)
			suite := slices.DeleteFunc(porttest.LauncherSuite(), func(k porttest.Case[porttest.LauncherHarness]) bool { return k.Name != c.noticed })
			is.Equal(len(suite), 1) // the case exists
			is.Equal(len(suite.Failing(t, h)), 1)
		})
	}
}
