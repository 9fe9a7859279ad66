package porttest_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/ports/porttest"
)

// launcherHarness opens launchers over one platform of goroutines, each behind a
// decorator of its own. What is left on the platform is ended with the test.
func launcherHarness(t testing.TB, decorate func() brokenLauncher) porttest.LauncherHarness {
	platform := memory.NewLauncher(func(ctx context.Context, p *memory.Process) (int, string) {
		before, _, dies := strings.Cut(p.Getenv(porttest.EnvScript), "die=KILL")
		code := porttest.RunScript(ctx, func(name string) (string, bool) {
			if name == porttest.EnvScript {
				return before, true
			}
			return p.LookupEnv(name)
		}, p, p.Terminate())
		if dies { // a goroutine cannot kill itself
			return -1, "killed by itself"
		}
		return code, ""
	})
	t.Cleanup(func() { is.New(t).NoErr(platform.Close()) })
	find := func(runID string, all bool) ([]string, error) {
		launches, err := platform.List(context.Background(), runID)
		var found []string
		for _, launch := range launches {
			if all || launch.State != ports.LaunchGone {
				found = append(found, launch.Key.WorkerID)
			}
		}
		return found, err
	}
	return porttest.LauncherHarness{
		New: func(testing.TB) ports.Launcher {
			b := decorate()
			b.Launcher = platform
			return b
		},
		StartWithin: 200 * time.Millisecond,
		EndWithin:   100 * time.Millisecond,
		Count: func(runID string) (int, error) {
			living, err := find(runID, false)
			return len(living), err
		},
		Left: func(runID string) ([]string, error) { return find(runID, true) },
	}
}

// A launcherMutant breaks one promise, and the case must notice. Broken is
// called once for each Launcher.
type launcherMutant struct {
	noticed string
	broken  func() brokenLauncher
}

// always is one decorator for all Launchers.
func always(b brokenLauncher) func() brokenLauncher { return func() brokenLauncher { return b } }

func brokenStarts() map[string]launcherMutant {
	spec := func(change func(*ports.WorkerSpec)) func() brokenLauncher {
		return always(brokenLauncher{spec: func(s ports.WorkerSpec) ports.WorkerSpec { change(&s); return s }})
	}
	opened := 0
	return map[string]launcherMutant{
		"capabilities change": {"capabilities are constant", func() brokenLauncher {
			opened++
			return brokenLauncher{capabilities: func(c *ports.Capabilities) { c.MaxWorkers = opened }}
		}},
		"a server listens everywhere": {"workers reach this host at an address of its own", always(brokenLauncher{reach: func(r *ports.Reach) { r.Listen = "0.0.0.0" }})},
		"a refusal without a mend": {"check passes here", always(brokenLauncher{check: func(all []core.Finding) []core.Finding {
			return append(all, core.Finding{ID: "x", Severity: core.SeverityWarning, Message: "x"})
		}})},
		"variables are trimmed": {"launch delivers the environment exactly", spec(func(s *ports.WorkerSpec) {
			for i := range s.Environment {
				s.Environment[i].Value = strings.TrimSpace(s.Environment[i].Value)
			}
		})},
		"secrets are forgotten": {"launch forwards secrets and shows none", spec(func(s *ports.WorkerSpec) { s.Secrets = nil })},
		"secrets are in the log": {"launch forwards secrets and shows none", always(brokenLauncher{
			logs: func(ctx context.Context, l ports.Launcher, h core.Handle, limit int) ([]byte, error) {
				log, err := l.Logs(ctx, h, limit)
				return append([]byte("pid 1, planted-5ecret\n"), log...), err
			},
		})},
		"a key without names gets some": {"launch refuses a key without names", spec(func(s *ports.WorkerSpec) {
			if s.Key.RunID == "" || s.Key.WorkerID == "" {
				s.Key.RunID, s.Key.WorkerID = "some", "some"
			}
		})},
		"every launch is a new one":   {"launch twice starts one", spec(func(s *ports.WorkerSpec) { s.Key.Epoch = int(time.Now().UnixNano()) })},
		"what has ended starts again": {"launch again after the end starts nothing", always(brokenLauncher{launch: launchesAgain})},
		"each Launcher starts one more": {"launch at once starts one for each key", func() brokenLauncher {
			opened++
			mine := 100 * opened
			return brokenLauncher{spec: func(s ports.WorkerSpec) ports.WorkerSpec { s.Key.Epoch += mine; return s }}
		}},
		"Launch does not look at its context": {"launch with an ended context starts nothing", always(brokenLauncher{
			launch: func(ctx context.Context, l ports.Launcher, s ports.WorkerSpec) (core.Handle, error) {
				return l.Launch(context.WithoutCancel(ctx), s)
			},
		})},
		"a launch cut short is lost": {"launch cut short leaves what list tells", always(brokenLauncher{launch: losesWhatIsCutShort})},
		"handles share their bytes":  {"returned slices belong to the caller", always(sharesHandles())},
	}
}

func brokenEnds() map[string]launcherMutant {
	statuses := func(change func(*ports.WorkerStatus)) func() brokenLauncher {
		return always(brokenLauncher{statuses: func(all []ports.WorkerStatus, err error) error {
			for i := range all {
				change(&all[i])
			}
			return err
		}})
	}
	stop := func(change func(ports.Force) ports.Force) func() brokenLauncher {
		return always(brokenLauncher{stop: func(ctx context.Context, l ports.Launcher, h core.Handle, f ports.Force) error {
			if f = change(f); f == "" {
				return nil
			}
			return l.Stop(ctx, h, f)
		}})
	}
	notFound := func(what string) error { return fmt.Errorf("%w: %s of what is not there", core.ErrNotFound, what) }
	return map[string]launcherMutant{
		"a Launcher knows its own launches only": {"a handle outlives its launcher", remembersItsOwn},
		"answers in the wrong order": {"inspect answers in order", always(brokenLauncher{
			statuses: func(all []ports.WorkerStatus, err error) error { slices.Reverse(all); return err },
		})},
		"unknown is an error": {"inspect answers in order", always(brokenLauncher{
			statuses: func(all []ports.WorkerStatus, err error) error {
				if slices.ContainsFunc(all, func(s ports.WorkerStatus) bool { return strings.HasPrefix(s.Cause, "unknown") }) {
					return notFound("Inspect")
				}
				return err
			},
		})},
		"unknown is RUNNING": {"release twice, and what is released is unknown", statuses(func(s *ports.WorkerStatus) {
			if strings.HasPrefix(s.Cause, "unknown") {
				*s = ports.WorkerStatus{State: ports.LaunchRunning}
			}
		})},
		"every end is a good one": {"inspect tells how it ended", statuses(func(s *ports.WorkerStatus) { s.ExitCode = 0 })},
		"a kill is told as an exit": {"inspect tells how it ended", statuses(func(s *ports.WorkerStatus) {
			if s.State == ports.LaunchGone && s.ExitCode < 0 {
				s.ExitCode, s.Cause = 3, "exited with code 3"
			}
		})},
		"gentle is hard": {"stop gentle is obeyed", stop(func(ports.Force) ports.Force { return ports.Hard })},
		"gentle does nothing": {"stop gentle is obeyed", stop(func(f ports.Force) ports.Force {
			if f == ports.Gentle {
				return ""
			}
			return f
		})},
		"hard is gentle": {"stop gentle is ignored, hard is not", stop(func(ports.Force) ports.Force { return ports.Gentle })},
		"to stop what is gone is an error": {"stop what is gone", always(brokenLauncher{
			stop: func(ctx context.Context, l ports.Launcher, h core.Handle, f ports.Force) error {
				if gone(ctx, l, h) {
					return notFound("Stop")
				}
				return l.Stop(ctx, h, f)
			},
		})},
		"the living may be released": {"release is refused to the living", always(brokenLauncher{
			release: func(ctx context.Context, l ports.Launcher, h core.Handle) error {
				_ = l.Release(ctx, h)
				return nil
			},
		})},
		"to release twice is an error": {"release twice, and what is released is unknown", always(brokenLauncher{
			release: func(ctx context.Context, l ports.Launcher, h core.Handle) error {
				if !known(ctx, l, h) {
					return notFound("Release")
				}
				return l.Release(ctx, h)
			},
		})},
		"a release only hides": {"inspect tells how it ended", forgetsNothing()},
		"List knows no runs":   {"list by run and of all", always(brokenLauncher{runID: func(string) string { return "" }})},
		"List leaves out the dead": {"list by run and of all", always(brokenLauncher{list: func(all []ports.Launch) []ports.Launch {
			return slices.DeleteFunc(all, func(l ports.Launch) bool { return l.State == ports.LaunchGone })
		}})},
		"logs know no limit": {"logs of the living and the dead", always(brokenLauncher{
			logs: func(ctx context.Context, l ports.Launcher, h core.Handle, _ int) ([]byte, error) {
				return l.Logs(ctx, h, 1<<20)
			},
		})},
		"the dead have no logs": {"logs of the living and the dead", always(brokenLauncher{
			logs: func(ctx context.Context, l ports.Launcher, h core.Handle, limit int) ([]byte, error) {
				if gone(ctx, l, h) {
					return nil, notFound("Logs")
				}
				return l.Logs(ctx, h, limit)
			},
		})},
	}
}

// needsProcesses is the case that a platform of goroutines cannot do; it is
// broken in the tests of adapters/local.
const needsProcesses = "stop hard ends what was spawned"

// The suite passes what works, and every case of it notices a fault that it is
// about.
func TestLauncherSuiteNoticesWhatIsBroken(t *testing.T) {
	is := is.New(t)
	h := launcherHarness(t, always(brokenLauncher{}))
	h.StartWithin, h.EndWithin = 0, 0
	is.Equal(porttest.LauncherSuite().Failing(t, h), nil)

	all, noticed := brokenStarts(), map[string]bool{needsProcesses: true}
	maps.Copy(all, brokenEnds())
	for name, m := range all {
		noticed[m.noticed] = true
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			suite := slices.DeleteFunc(porttest.LauncherSuite(), func(c porttest.Case[porttest.LauncherHarness]) bool { return c.Name != m.noticed })
			is.Equal(len(suite), 1) // a case of that name
			failures := suite.Failing(t, launcherHarness(t, m.broken))
			if len(failures) != 1 || len(failures[0].Messages) == 0 {
				t.Errorf("the case %q did not notice: %v", m.noticed, failures)
			}
		})
	}
	for _, c := range porttest.LauncherSuite() {
		if !noticed[c.Name] {
			t.Errorf("nothing is broken that %q would notice", c.Name)
		}
	}
}
