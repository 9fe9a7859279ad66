package worker

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/fault"
	"github.com/benchfleet/benchfleet/core"
)

func TestSignals(t *testing.T) {
	for _, test := range []struct {
		name        string
		signals     int
		latency     time.Duration
		grace       time.Duration
		code        int
		endedEarly  uint64
		least, most time.Duration // from signal to exit
	}{
		{"once", 1, time.Millisecond, 0, core.ExitCompleted, 0, 0, 100 * time.Millisecond},
		{"once, long operations", 1, 20 * time.Second, 0, core.ExitCompleted, 0, 10 * time.Second, 20 * time.Second},
		{"once, short grace", 1, 20 * time.Second, 15 * time.Second, core.ExitCompleted, 3, 5 * time.Second, 6 * time.Second},
		{"twice", 2, 20 * time.Second, 0, core.ExitAbandoned, 3, 0, 2 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				is := is.New(t)
				tmpl := template(1, 3)
				tmpl.Load.Duration = core.Duration(time.Hour)
				f := newFleet(t, tmpl, test.latency)
				f.grace = test.grace
				var sent time.Time
				f.drive(func(run core.Run) bool {
					if run.Status == core.Running && f.now().Sub(run.Origin) > time.Second && sent.IsZero() {
						sent = f.now()
						for range test.signals {
							f.signals[0] <- struct{}{}
						}
					}
					_, ended := f.exit(0)
					return ended
				})
				took := f.now().Sub(sent)
				exit, _ := f.exit(0)
				is.Equal(exit.Code, test.code)
				is.True(took >= test.least && took <= test.most)
				counts := f.beats()[0].Report.Totals()
				is.True(counts.Started >= 3)
				is.Equal(counts.Started, counts.Done()+counts.Lost)
				is.Equal(counts.Aborted+counts.Lost, test.endedEarly) // whichever is first, its cancel or giving it up
				if test.signals == 1 {
					is.Equal(counts.Lost, uint64(0))
				}
				f.running.Wait()
			})
		})
	}
}

func TestSignalBeforeAnythingIsBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		f := newFleet(t, template(1, 3), time.Millisecond)
		down, err := fault.New(1, fault.Rule{On: "RunStore.Load", Fault: fault.FailBefore, Probability: 1})
		is.NoErr(err)
		began := time.Now()
		f.signals[0] = make(chan struct{}, 1)
		time.AfterFunc(3*time.Second, func() { f.signals[0] <- struct{}{} })
		exit := Run(t.Context(), Config{RunID: f.runID, WorkerID: "worker-0", GroupCount: 1, Epoch: 1, Signals: f.signals[0]},
			Ports{Runs: down.Store(f.store), Workers: f.store, Log: f.log})
		is.Equal(exit.Code, core.ExitCompleted)
		is.Equal(time.Since(began), 3*time.Second)
	})
}

func TestStoreThatStaysAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		f := newFleet(t, template(1, 3), time.Millisecond)
		down, err := fault.New(1, fault.Rule{On: "RunStore.Load", Fault: fault.FailBefore, Probability: 1})
		is.NoErr(err)
		exit := Run(t.Context(), Config{RunID: f.runID, WorkerID: "worker-0", GroupCount: 1, Epoch: 1},
			Ports{Runs: down.Store(f.store), Workers: f.store, Log: f.log})
		is.Equal(exit.Code, core.ExitLease)
	})
}

func TestRefusedScenarios(t *testing.T) {
	is := is.New(t)
	f := newFleet(t, template(2, 3), 0)
	config := Config{RunID: f.runID, WorkerID: "worker-0", GroupCount: 1, Epoch: 1}
	exit := Run(t.Context(), config, Ports{Runs: f.store, Workers: f.store, Log: f.log})
	is.Equal(exit.Code, core.ExitRefused) // another number of workers
	is.Equal(f.beats()[0].LastError, exit.Cause)
	config.RunID = "nobody"
	exit = Run(t.Context(), config, Ports{Runs: f.store, Workers: f.store, Log: f.log})
	is.Equal(exit.Code, core.ExitEnvironment)
}

func TestKilledByItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		f := newFleet(t, template(1, 3), time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		f.absent = true
		f.start(ctx)
		f.absent = false
		ticks := time.NewTicker(ownerTick)
		defer ticks.Stop()
		for f.tick().Status != core.Running {
			<-ticks.C
		}
		cancel()
		f.running.Wait()
		exit, _ := f.exit(0)
		is.Equal(exit.Code, core.ExitAbandoned)
		is.True(f.beats()[0].State != core.WorkerCompleted) // it said nothing more
		running, err := f.target.Running(t.Context(), []string{"memory-1", "memory-2", "memory-3"})
		is.NoErr(err)
		is.Equal(running, core.RunningCount{Known: true})
	})
}
