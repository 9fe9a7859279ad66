package runner_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/runner"
)

// outage is a store that goes away and comes back; the launcher and the target
// stay.
type outage struct {
	mu    sync.Mutex
	away  bool
	hangs time.Duration // each call that long, before it fails
	spare string        // a method that goes on working
}

func (o *outage) begin(hangs time.Duration) { o.set(true, hangs) }
func (o *outage) end()                      { o.set(false, 0) }
func (o *outage) set(away bool, hangs time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.away, o.hangs = away, hangs
}

func (o *outage) before(ctx context.Context, method string, _ int) error {
	o.mu.Lock()
	away, hangs := o.away && method != o.spare, o.hangs
	o.mu.Unlock()
	if !away || strings.HasPrefix(method, "Launcher.") || strings.HasPrefix(method, "Target.") {
		return nil
	}
	if hangs > 0 && !pause(ctx, hangs) {
		return lost(ctx.Err())
	}
	return unavailable()
}

// spool keeps what a runner keeps where the store cannot.
type spool struct{ kept map[string][]byte }

func (s *spool) keep(name string, content []byte) error {
	s.kept[name] = content
	return nil
}

// awayCase is a run whose store goes away in the middle of the measurement.
type awayCase struct {
	b     *bench
	away  *outage
	spool *spool
	stop  chan core.StopRequested
	gone  time.Time
}

func newAway(t *testing.T, attached bool, scripts map[string]script, then func(*awayCase)) (*awayCase, *runner.Runner) {
	c := &awayCase{b: newBench(t, scripts), away: &outage{}, spool: &spool{kept: map[string][]byte{}}, stop: make(chan core.StopRequested, 8)}
	c.b.hooks.set(c.away.before, nil)
	r := c.b.runner(t, "a", func(_ *runner.Ports, o *runner.Options) {
		o.Attached, o.Spool, o.StoreRetry = attached, c.spool.keep, 5*time.Second
		reacting(o, reaction{inPhase(core.Measurement), func() {
			c.gone = time.Now()
			then(c)
		}})
	})
	c.b.create(t, r, scenarioFor(t, 2, longLoad))
	return c, r
}

func (c *awayCase) drive(t *testing.T, r *runner.Runner) (core.Run, error) {
	return r.Drive(t.Context(), "run", runner.DriveOptions{Start: true, Stop: c.stop})
}

// The store stays away: an attached runner ends its workers from memory, keeps
// the certificate, and gives up after a while.
func TestStoreAwayForGood(t *testing.T) {
	for _, hangs := range []time.Duration{0, time.Hour} {
		for name, scripts := range map[string]map[string]script{
			"gentle is enough": {"worker-0": {deafToRun: true}}, "a worker is deaf": {"worker-0": {deaf: true}},
		} {
			virtual(t, name+" "+hangs.String(), func(t *testing.T) {
				is := is.New(t)
				c, r := newAway(t, true, scripts, func(c *awayCase) { c.away.begin(hangs) })
				run, err := c.drive(t, r)
				var gone *runner.StoreLostError
				is.True(errors.As(err, &gone))
				is.Equal(gone.Stored, false)
				is.True(errors.Is(err, core.ErrUnavailable))
				is.Equal(run.Status, core.Failed)
				is.Equal(run.Reason, core.Guardrail)
				is.True(strings.Contains(run.Detail, "the store could not be written for"))
				is.Equal(c.b.alive(t), nil)
				is.True(run.GoneAt.Sub(c.gone) < 3*testLease+time.Second)
				var kept core.Certificate
				is.NoErr(json.Unmarshal(c.spool.kept["certificate-run.json"], &kept))
				is.Equal(kept.Reason, core.Guardrail)
				is.Equal(len(kept.Workers), 2)
				is.True(time.Since(c.gone) < 2*time.Minute)
				is.Equal(c.b.record(t).Run.Status, core.Running) // as the store knows it
				is.Equal(c.b.hooks.inFlight.Load(), int64(0))
			})
		}
	}
}

// The store comes back: what was done from memory is stored, with the result.
func TestStoreComesBack(t *testing.T) {
	for _, tc := range []struct {
		name string
		back time.Duration // after it went away
	}{
		{"while the workers end", testLease + 200*time.Millisecond},
		{"while the result is due", 5 * time.Second},
		{"when the run has ended in memory", 63 * time.Second},
	} {
		virtual(t, tc.name, func(t *testing.T) {
			is := is.New(t)
			scripts := map[string]script{"worker-0": {deafToRun: true, slowDrain: 100 * time.Millisecond}}
			c, r := newAway(t, true, scripts, func(c *awayCase) {
				c.away.begin(0)
				time.AfterFunc(tc.back, c.away.end)
			})
			run, err := c.drive(t, r)
			var gone *runner.StoreLostError
			is.True(errors.As(err, &gone))
			is.Equal(gone.Stored, true)
			is.Equal(gone.Run.Status, core.Failed)
			is.Equal(c.b.alive(t), nil)
			c.b.verify(t, run) // the result is stored too, and no interval is missing
			is.True(c.b.ops(t) > 0)
			is.Equal(run.Reason, core.Guardrail)
		})
	}
}

// A service touches nothing: its workers go on, and a successor finds them.
func TestStoreAwayFromAService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		c, r := newAway(t, false, nil, func(c *awayCase) { c.away.begin(0) })
		_, err := c.drive(t, r)
		is.True(errors.Is(err, core.ErrUnavailable))
		var gone *runner.StoreLostError
		is.True(!errors.As(err, &gone))
		is.True(strings.Contains(err.Error(), "the workers end by their leases"))
		is.True(time.Since(c.gone) >= testLease && time.Since(c.gone) < 2*testLease)
		is.Equal(len(c.b.alive(t)), 2)
		is.Equal(c.b.hooks.called("Launcher.Stop"), 0)
		is.Equal(c.b.hooks.inFlight.Load(), int64(0))
		is.Equal(c.spool.kept, map[string][]byte{})

		c.away.end()
		run, err := c.b.runner(t, "b", nil).Close(t.Context(), "run", "its orchestrator died")
		is.NoErr(err)
		c.b.verify(t, run)
		is.Equal(run.Status, core.Failed)
		is.Equal(run.Certificate().Clean, true)
	})
}

// A stop that is requested while the store is away is published when it is back.
func TestStopWhileTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		c, r := newAway(t, true, nil, func(c *awayCase) {
			c.away.begin(0)
			time.AfterFunc(testLease/4, func() { c.stop <- core.StopRequested{Reason: core.UserRequested, By: "u"} })
			time.AfterFunc(testLease/2, c.away.end)
		})
		run, err := c.drive(t, r)
		is.NoErr(err)
		c.b.verify(t, run)
		is.Equal(run.Status, core.Cancelled)
		is.Equal(run.StopBy, "u")
		is.True(run.Certificate().Clean)
	})
}

// A kill that is requested while the store is away does not wait for it.
func TestKillWhileTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		c, r := newAway(t, true, map[string]script{"worker-0": {deaf: true}}, func(c *awayCase) {
			c.away.begin(0)
			c.stop <- core.StopRequested{Reason: core.UserRequested, By: "u"}
			c.stop <- core.StopRequested{Reason: core.UserRequested, By: "u", Rung: core.Kill}
		})
		run, err := c.drive(t, r)
		var gone *runner.StoreLostError
		is.True(errors.As(err, &gone))
		is.Equal(run.StopBy, "u")
		is.True(run.GoneAt.Sub(c.gone) < testLease/2)
		is.Equal(c.b.alive(t), nil)
	})
}

// A third party's stop that is committed at the same moment as our own: STOP is
// published once, and nothing of either is lost.
func TestTwoStopsAtOnce(t *testing.T) {
	for _, ours := range []core.StopRequested{
		{Reason: core.UserRequested, By: "ours"}, {Reason: core.UserRequested, By: "ours", Rung: core.Kill}, {Reason: core.Guardrail, By: "ours"},
	} {
		virtual(t, string(ours.Reason)+" "+ours.Rung.String(), func(t *testing.T) {
			is := is.New(t)
			b := newBench(t, nil)
			stop := make(chan core.StopRequested, 1)
			armed, asked := false, time.Time{}
			b.hooks.set(func(_ context.Context, method string, _ int) error {
				if armed && method == "RunStore.Commit" { // the other one is a moment faster
					armed = false
					b.mustStop(t, core.StopRequested{Reason: core.UserRequested, By: "theirs"})
				}
				return nil
			}, nil)
			r := b.runner(t, "a", func(_ *runner.Ports, o *runner.Options) {
				reacting(o, reaction{inPhase(core.Measurement), func() {
					armed, asked = true, time.Now()
					stop <- ours
				}})
			})
			b.create(t, r, scenarioFor(t, 2, longLoad))
			run, err := r.Drive(t.Context(), "run", runner.DriveOptions{Start: true, Stop: stop})
			is.NoErr(err)
			b.verify(t, run)
			is.Equal(run.Reason, ours.Reason)
			want := 1
			if ours.Reason == core.UserRequested && ours.Rung == 0 {
				want = 0
			}
			is.Equal(b.count(t, core.EventStopRaised), want)
			is.True(run.EndedAt.Sub(asked) < 80*time.Millisecond) // a lost race costs no pause
		})
	}
}

// While an attached runner works from memory, somebody else stops the run in the
// store, or takes it over.
func TestStoreComesBackChanged(t *testing.T) {
	back := testLease + 700*time.Millisecond
	deaf := map[string]script{"worker-0": {deaf: true}}
	virtual(t, "stopped", func(t *testing.T) {
		is := is.New(t)
		c, r := newAway(t, true, deaf, func(c *awayCase) {
			c.away.begin(0)
			time.AfterFunc(testLease/2, func() { c.b.mustStop(t, core.StopRequested{Reason: core.UserRequested, By: "u"}) })
			time.AfterFunc(back, c.away.end)
		})
		run, err := c.drive(t, r)
		var gone *runner.StoreLostError
		is.True(errors.As(err, &gone))
		is.True(gone.Stored)
		c.b.verify(t, run)
		is.Equal(run.StopBy, "u") // it was the first
	})
	virtual(t, "taken over", func(t *testing.T) {
		is := is.New(t)
		c, r := newAway(t, true, deaf, func(c *awayCase) {
			c.away.begin(0)
			time.AfterFunc(back, c.away.end)
		})
		second := &driving{done: make(chan struct{})}
		other := c.b.otherRunner(t, "b")
		go func() {
			defer close(second.done)
			err := core.ErrRefused
			for errors.Is(err, core.ErrRefused) || errors.Is(err, core.ErrNotFound) {
				<-time.After(testPoll)
				if c.b.record(t).Run.Owner == "" {
					continue
				}
				second.run, err = other.Close(context.Background(), "run", "dead")
			}
			second.err = err
		}()
		_, err := c.drive(t, r)
		is.True(errors.Is(err, runner.ErrTakenOver) || errors.As(err, new(*runner.StoreLostError)))
		run, err := second.wait(t)
		is.NoErr(err)
		c.b.verify(t, run)
		is.Equal(run.Owner, "b")
	})
}

// The run is deleted, or its store wiped, under an attached runner.
func TestRunVanishes(t *testing.T) {
	for _, attached := range []bool{true, false} {
		virtual(t, map[bool]string{true: "attached", false: "service"}[attached], func(t *testing.T) {
			is := is.New(t)
			c, r := newAway(t, attached, nil, func(c *awayCase) {
				c.b.hooks.set(func(_ context.Context, method string, _ int) error {
					if strings.HasPrefix(method, "RunStore.") || strings.HasPrefix(method, "WorkerStore.") {
						return core.ErrNotFound
					}
					return nil
				}, nil)
			})
			_, err := c.drive(t, r)
			is.True(errors.Is(err, core.ErrNotFound))
			if attached {
				is.Equal(c.b.alive(t), nil)
				is.True(c.spool.kept["certificate-run.json"] != nil)
			} else {
				is.Equal(len(c.b.alive(t)), 2)
			}
		})
	}
}
