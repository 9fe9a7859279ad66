package runner_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/runner"
)

func TestNewNamesEverythingThatIsMissing(t *testing.T) {
	is := is.New(t)
	_, err := runner.New(runner.Ports{}, runner.Options{})
	is.True(errors.Is(err, core.ErrInvalid))
	is.Equal(err.Error(), "invalid: runner needs Ports.Runs, Ports.Workers, Ports.Results, Ports.Templates, Ports.Schema, Ports.Logs, Ports.Launcher, Ports.Target, Options.Owner")
}

func TestRunToItsNaturalEnd(t *testing.T) {
	t.Run("real time", func(t *testing.T) { naturalEnd(t) })
	virtual(t, "virtual time", func(t *testing.T) {
		newest := naturalEnd(t)
		is.New(t).Equal(newest.Interval.Connections, 3) // every worker is in it, since they end at once
	})
}

// naturalEnd returns what was seen last.
func naturalEnd(t *testing.T) (newest runner.Observation) {
	t.Helper()
	is := is.New(t)
	b := newBench(t, nil)
	var seen []core.Status
	most := 0 // connections in an interval
	r := b.runner(t, "a", func(_ *runner.Ports, o *runner.Options) {
		o.Observe = func(ob runner.Observation) {
			newest = ob
			if ob.Interval != nil {
				most = max(most, ob.Interval.Connections)
			}
			if len(seen) == 0 || seen[len(seen)-1] != ob.Run.Status {
				seen = append(seen, ob.Run.Status)
			}
		}
	})
	run := b.runToEnd(t, r, scenarioFor(t, 3, nil))
	is.Equal(run.Detail, "")
	is.Equal(run.Status, core.Completed)
	is.Equal(run.Reason, core.Elapsed)
	is.True(run.Certificate().Clean)
	is.Equal(seen, []core.Status{core.Prepared, core.Starting, core.Running, core.Stopping, core.Completed})
	is.True(b.ops(t) > 0)
	is.True(newest.Interval != nil)
	is.Equal(most, 3) // every worker is in one; on a slow machine the newest may be of who ended last
	total := core.Total(newest.Measured)
	is.True(total.Started > 0)
	var types []core.EventType
	for _, e := range b.events(t) {
		types = append(types, e.Type)
	}
	is.Equal(types, []core.EventType{core.EventWorkerAdded, core.EventWorkerAdded, core.EventWorkerAdded, core.EventStart, core.EventSetPhase, core.EventSetPhase, core.EventStop})
	is.Equal(b.record(t).Run.Owner, "a")
	is.True(slices.ContainsFunc(b.record(t).Run.Findings, func(f core.Finding) bool { return f.ID == "target.table" }))
	return newest
}

// A worker that asks for its environment finds the whole worker contract.
func TestWorkerContract(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, nil)
		r := b.runner(t, "a", func(_ *runner.Ports, o *runner.Options) {
			o.Environment = append(o.Environment, envVar("BENCHFLEET_STORE", "memory:"))
			o.Secrets = append(o.Secrets, envVar("BENCHFLEET_ENDPOINT_LOCAL", "secret"))
		})
		specs := b.specs(t)
		s := scenarioFor(t, 2, nil)
		run := b.runToEnd(t, r, s)
		is.Equal(run.Status, core.Completed)
		spec := (*specs)[1]
		is.Equal(spec.Key, core.WorkerKey{RunID: "run", WorkerID: "worker-1", Epoch: 1})
		got := map[string]string{}
		for _, v := range spec.Environment {
			got[v.Name] = v.Value
		}
		is.Equal(got, map[string]string{
			"BENCHFLEET_STORE": "memory:", "BENCHFLEET_RUN_ID": "run", "BENCHFLEET_WORKER_ID": "worker-1",
			"BENCHFLEET_WORKER_GROUP_ID": "1", "BENCHFLEET_WORKER_GROUP_COUNT": "2", "BENCHFLEET_EPOCH": "1",
		})
		is.Equal(len(spec.Secrets), 1)
		is.True(spec.ExpiresAt.After(run.StartedAt.Add(s.Limits.RunLimit.Std()))) // no reaper ends it before its time
	})
}

// A run bounded by operations ends when every worker has done its share.
func TestOperationsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		b := newBench(t, map[string]script{"worker-0": {quota: 6}, "worker-1": {quota: 6}})
		run := b.runToEnd(t, b.runner(t, "a", nil), scenarioFor(t, 2, func(tpl *core.Template) {
			tpl.Load.Duration, tpl.Load.Warmup, tpl.Load.Operations = 0, 0, 12
		}))
		is.Equal(run.Status, core.Completed)
		is.Equal(run.Reason, core.OperationsDone)
		is.Equal(b.ops(t), uint64(12))
		is.True(run.EndedAt.Sub(run.Origin) < time.Second)
	})
}
