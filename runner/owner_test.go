package runner_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
)

// A second orchestrator is refused while the first one's lease lives; when the
// first dies it takes over, adopts the workers, and nothing is missing.
func TestTakeover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		measuring := make(chan struct{})
		first := b.runner(t, "first", func(_ *runner.Ports, o *runner.Options) {
			reacting(o, reaction{inPhase(core.Measurement), func() { close(measuring) }})
		})
		second := b.runner(t, "second", nil)
		s := scenarioFor(t, 3, func(tpl *core.Template) { tpl.Load.Duration = core.Duration(5 * time.Second) })
		b.create(t, first, s)
		d := b.drive(t, first, true)
		<-measuring
		_, err := second.Drive(t.Context(), "run", runner.DriveOptions{})
		is.True(errors.Is(err, core.ErrRefused))
		is.True(strings.Contains(err.Error(), "driven by first until"))

		d.cancel()
		_, err = d.wait(t)
		is.True(errors.Is(err, context.Canceled))
		is.Equal(len(b.alive(t)), 3)
		died := b.record(t)
		for {
			run, err := second.Drive(t.Context(), "run", runner.DriveOptions{})
			if errors.Is(err, core.ErrRefused) { // the dead one's lease lives
				is.True(b.record(t).Now.Sub(died.Now) <= testLease)
				<-time.After(testPoll)
				continue
			}
			is.NoErr(err)
			b.verify(t, run) // every interval once, counts exact
			is.Equal(run.Status, core.Completed)
			is.Equal(run.Reason, core.Elapsed)
			is.True(run.Certificate().Clean)
			is.Equal(run.OwnerEpoch, 2)
			break
		}
		is.Equal(b.launches(), 3) // adopted, not launched again
		is.Equal(b.count(t, core.EventOwnerChanged), 1)
		is.Equal(b.count(t, core.EventStart), 1)
		for _, e := range b.events(t) {
			if e.Type == core.EventOwnerChanged {
				is.Equal(e.By, "second")
				is.Equal(e.Detail, "took over from first")
			}
		}
	})
}

// An orchestrator that was paused longer than its lease finds itself fenced: it
// returns, and executes nothing.
func TestFencedAfterAPause(t *testing.T) {
	for _, paused := range []string{"WorkerStore.Control", "RunStore.Commit", "WorkerStore.Beats", "Launcher.Inspect"} {
		virtual(t, "a service, in "+paused, func(t *testing.T) { fencedAfterAPause(t, paused, false) })
		virtual(t, "attached, in "+paused, func(t *testing.T) { fencedAfterAPause(t, paused, true) })
	}
}

func fencedAfterAPause(t *testing.T, paused string, attached bool) {
	is := is.New(t)
	b := newBench(t, nil)
	asleep, wake := make(chan struct{}), make(chan struct{})
	own := &hooks{calls: map[string]int{}}
	var mu sync.Mutex
	var late []string
	sleeping := false
	first := b.runner(t, "first", func(p *runner.Ports, o *runner.Options) {
		*p = runner.FromStore(hookStore{b.store, own}, hookLauncher{Launcher: b.launcher, hooks: own}, hookTarget{Target: b.target, hooks: own})
		o.Attached = attached
		reacting(o, reaction{inPhase(core.Measurement), func() {
			own.set(func(ctx context.Context, method string, _ int) error {
				mu.Lock()
				defer mu.Unlock()
				if sleeping {
					late = append(late, method)
					return nil
				}
				if method == paused { // the whole process stands still: no context ends
					sleeping = true
					close(asleep)
					mu.Unlock()
					<-wake
					mu.Lock()
				}
				return nil
			}, nil)
		}})
	})
	s := scenarioFor(t, 2, func(tpl *core.Template) { tpl.Load.Duration = core.Duration(5 * time.Second) })
	b.create(t, first, s)
	d := b.drive(t, first, true)
	<-asleep
	second := b.runner(t, "second", func(_ *runner.Ports, o *runner.Options) {
		reacting(o, reaction{inStatus(core.Running), func() { close(wake) }})
	})
	var run core.Run
	err := core.ErrRefused
	for errors.Is(err, core.ErrRefused) {
		<-time.After(testPoll)
		run, err = second.Drive(t.Context(), "run", runner.DriveOptions{})
	}
	is.NoErr(err)
	b.verify(t, run)
	is.Equal(run.Status, core.Completed)
	_, err = d.wait(t)
	is.True(errors.Is(err, runner.ErrTakenOver))
	is.Equal(core.CodeOf(err), core.Conflict)
	for _, method := range late { // it looked, and that is all
		switch method {
		case "WorkerStore.Control", "RunStore.Load", "WorkerStore.Beats", "Launcher.Inspect", "RunStore.Commit":
		default:
			t.Errorf("the fenced orchestrator called %s", method)
		}
	}
	is.Equal(b.count(t, core.EventOwnerChanged), 1)
}

// Of many that want to drive a run at the same time exactly one does.
func TestRaceForARun(t *testing.T) {
	race := func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		b.create(t, b.runner(t, "creator", nil), scenarioFor(t, 2, nil))
		const n = 8
		errs, runs := make([]error, n), make([]core.Run, n)
		var group sync.WaitGroup
		for i := range n {
			r := b.runner(t, string(rune('a'+i)), nil)
			group.Go(func() { runs[i], errs[i] = r.Drive(t.Context(), "run", runner.DriveOptions{Start: true}) })
		}
		group.Wait()
		drove := 0
		for i, err := range errs {
			switch {
			case err == nil:
				drove++
				b.verify(t, runs[i])
				is.Equal(runs[i].Status, core.Completed)
			case !errors.Is(err, core.ErrRefused):
				t.Errorf("orchestrator %d: %v", i, err)
			}
		}
		is.Equal(drove, 1)
		is.Equal(b.launches(), 2)
		is.Equal(b.record(t).Run.OwnerEpoch, 1)
		is.Equal(b.count(t, core.EventOwnerChanged), 0)
	}
	t.Run("real time", race)
	virtual(t, "virtual time", race)
}

// A run may be driven only where its workers can be reached.
func TestDriveElsewhere(t *testing.T) {
	bound := func(name string) func(*ports.Capabilities) {
		return func(c *ports.Capabilities) { c.HostBound, c.Name = true, name }
	}
	for _, tc := range []struct {
		name, host, launcher, says string
	}{
		{"on another host", "there", "memory", "run run has its workers on the host here, not on there"},
		{"with another launcher", "here", "spcs", "run run has its workers in the launcher memory, not in spcs"},
	} {
		virtual(t, tc.name, func(t *testing.T) {
			is := is.New(t)
			b := newBench(t, nil)
			on := func(owner, host, launcher string) *runner.Runner {
				return b.runner(t, owner, func(p *runner.Ports, o *runner.Options) {
					o.Host = host
					p.Launcher = hookLauncher{Launcher: b.launcher, hooks: b.hooks, capabilities: bound(launcher)}
				})
			}
			b.create(t, on("a", "here", "memory"), scenarioFor(t, 1, nil))
			is.Equal(b.record(t).Host, "here")
			_, err := on("b", tc.host, tc.launcher).Drive(t.Context(), "run", runner.DriveOptions{Start: true})
			is.True(errors.Is(err, core.ErrRefused))
			is.True(strings.Contains(err.Error(), tc.says))
			is.Equal(b.record(t).Run.Owner, "") // it did not even claim it
			run, err := on("c", "here", "memory").Drive(t.Context(), "run", runner.DriveOptions{Start: true})
			is.NoErr(err)
			is.Equal(run.Status, core.Completed)
		})
	}
}

// An unknown run is not found, and a run that vanishes is said to have.
func TestDriveOfNothing(t *testing.T) {
	is := is.New(t)
	b := newBench(t, nil)
	_, err := b.runner(t, "a", nil).Drive(t.Context(), "nothing", runner.DriveOptions{Start: true})
	is.True(errors.Is(err, core.ErrNotFound))
}
