package runner_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
)

const dsn = "postgres://bench:pa<ss@db/bench"

// talkative is a launcher that quotes in its words what it was given to launch.
type talkative struct {
	ports.Launcher
	refuses bool
}

func (l talkative) Launch(ctx context.Context, spec ports.WorkerSpec) (core.Handle, error) {
	if l.refuses {
		quoted, _ := json.Marshal(spec)
		return core.Handle{}, fmt.Errorf("%w: cannot launch %v, that is %s", core.ErrRefused, spec, quoted)
	}
	return l.Launcher.Launch(ctx, spec)
}

func (l talkative) Logs(context.Context, core.Handle, int) ([]byte, error) {
	return []byte("panic: no way to " + dsn + "\n"), nil
}

func (l talkative) Check(context.Context, int) ([]core.Finding, error) {
	return []core.Finding{{ID: "talk", Severity: core.SeverityOK, Message: "fit for " + dsn}}, nil
}

func (l talkative) Inspect(ctx context.Context, handles []core.Handle) ([]ports.WorkerStatus, error) {
	states, err := l.Launcher.Inspect(ctx, handles)
	for i := range states {
		states[i].Cause += " with " + dsn
	}
	return states, err
}

// What a launcher says is stored: findings, why a launch failed, how a worker
// ended, its log. No secret of a launch is in it.
func TestNoSecretIsStored(t *testing.T) {
	for _, refuses := range []bool{true, false} {
		virtual(t, fmt.Sprintf("refuses %t", refuses), func(t *testing.T) {
			is := is.New(t)
			b := newBench(t, nil)
			r := b.runner(t, "a", func(p *runner.Ports, o *runner.Options) {
				p.Launcher = talkative{p.Launcher, refuses}
				o.Secrets = append(o.Secrets, ports.EnvVar{Name: "BENCHFLEET_ENDPOINT_LOCAL", Value: dsn})
			})
			run := b.runToEnd(t, r, scenarioFor(t, 2, nil))
			is.Equal(run.Status == core.Completed, !refuses)
			lines, err := b.store.Logs().Read(t.Context(), "run", "", run.StartedAt.AddDate(-1000, 0, 0), 1000)
			is.NoErr(err)
			parent, children, err := b.store.Rollup(t.Context(), "run")
			if refuses {
				is.True(strings.Contains(run.Detail, "cannot launch"))
			} else {
				is.NoErr(err)
			}
			stored := fmt.Sprintf("%+v %+v %+v %+v %+v", run, b.record(t), lines, parent, children)
			is.True(strings.Contains(stored, "[secret]"))
			is.True(!strings.Contains(stored, "pa<ss"))
			is.True(!strings.Contains(stored, `pa\u003css`))
		})
	}
}
