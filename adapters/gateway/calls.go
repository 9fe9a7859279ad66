package gateway

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// The largest bodies of requests, in bytes.
const (
	smallBody = 64 << 10
	largeBody = 16 << 20  // of what a worker reports
	wholeBody = 256 << 20 // with the token of the whole store
)

// endpoint is one call as it is served.
type endpoint struct {
	worker bool  // the token of a run is enough
	limit  int64 // of the body, in bytes
	serve  func(ctx context.Context, p peer, body []byte) (any, error)
}

// peer is who calls.
type peer struct {
	server   *Server
	runID    string          // that its token opens; empty: the whole store
	stopping <-chan struct{} // closed when nothing more is to be held for it
}

func (p peer) store() ports.Store { return p.server.Store() }

// endpoints are all calls, by name.
func endpoints() map[string]endpoint {
	return map[string]endpoint{
		"Hello": {true, smallBody, func(_ context.Context, p peer, _ []byte) (any, error) { return hello{p.runID}, nil }},

		"RunStore.Load": forWorkers(smallBody, func(a *runArgs) []string { return []string{a.RunID} },
			func(ctx context.Context, p peer, a *runArgs) (ports.RunRecord, error) {
				return p.store().Load(ctx, a.RunID)
			}),
		"WorkerStore.Control": forWorkers(smallBody, func(a *controlArgs) []string { return []string{a.RunID} },
			func(ctx context.Context, p peer, a *controlArgs) (core.Control, error) {
				return p.server.control(ctx, p.stopping, a)
			}),
		"WorkerStore.Beat": forWorkers(largeBody, runsOf(func(b core.Beat) string { return b.Key.RunID }),
			func(ctx context.Context, p peer, a *[]core.Beat) (nothing, error) {
				if len(*a) == 1 {
					return nothing{}, p.server.beat(ctx, (*a)[0])
				}
				return nothing{}, p.server.beatTogether(ctx, *a)
			}),
		"ResultStore.AppendExecutions": forWorkers(largeBody, runsOf(func(e core.Execution) string { return e.RunID }),
			func(ctx context.Context, p peer, a *[]core.Execution) (nothing, error) {
				return nothing{}, p.store().AppendExecutions(ctx, *a)
			}),
		"LogStore.Append": forWorkers(largeBody, runsOf(func(l ports.LogLine) string { return l.RunID }),
			func(ctx context.Context, p peer, a *[]ports.LogLine) (nothing, error) {
				return nothing{}, p.store().Logs().Append(ctx, *a)
			}),
		// A pool is known by the hash of its content, and belongs to no run.
		"PoolStore.Get": forWorkers(smallBody, func(*poolArgs) []string { return nil },
			func(ctx context.Context, p peer, a *poolArgs) ([]string, error) {
				return p.store().Pools().Get(ctx, a.ID)
			}),
		"PoolStore.Put": forAll(func(ctx context.Context, s ports.Store, a *poolArgs) (nothing, error) {
			return nothing{}, s.Pools().Put(ctx, a.ID, a.Chunks)
		}),

		"RunStore.Create": forAll(func(ctx context.Context, s ports.Store, a *createArgs) (ports.RunRecord, error) {
			return s.Create(ctx, a.Run, a.Scenario, a.Home)
		}),
		"RunStore.List": forAll(func(ctx context.Context, s ports.Store, a *ports.RunFilter) ([]ports.RunSummary, error) {
			return s.List(ctx, *a)
		}),
		"RunStore.Commit": forAll(func(ctx context.Context, s ports.Store, a *commitArgs) (int64, error) {
			return s.Commit(ctx, a.Expected, a.Next, a.Events, a.Progress)
		}),
		"RunStore.Events": forAll(func(ctx context.Context, s ports.Store, a *afterArgs) ([]core.ControlEvent, error) {
			return s.Events(ctx, a.RunID, a.After)
		}),
		"RunStore.Delete": forAll(func(ctx context.Context, s ports.Store, a *runArgs) (nothing, error) {
			return nothing{}, s.Delete(ctx, a.RunID)
		}),
		"WorkerStore.Beats": forAll(func(ctx context.Context, s ports.Store, a *beatsArgs) (r beatsResult, err error) {
			r.Beats, r.Now, err = s.Beats(ctx, a.RunID, a.Known)
			return r, err
		}),
		"ResultStore.AppendSnapshots": forAll(func(ctx context.Context, s ports.Store, a *snapshotsArgs) (nothing, error) {
			return nothing{}, s.AppendSnapshots(ctx, a.Workers, a.Aggregates)
		}),
		"ResultStore.PutRollup": forAll(func(ctx context.Context, s ports.Store, a *rollup) (nothing, error) {
			return nothing{}, s.PutRollup(ctx, a.Parent, a.Children)
		}),
		"ResultStore.Rollup": forAll(func(ctx context.Context, s ports.Store, a *runArgs) (r rollup, err error) {
			r.Parent, r.Children, err = s.Rollup(ctx, a.RunID)
			return r, err
		}),
		"ResultStore.Aggregates": forAll(func(ctx context.Context, s ports.Store, a *aggregatesArgs) ([]ports.RunInterval, error) {
			return s.Aggregates(ctx, a.RunID, a.Offset, a.Limit)
		}),
		"ResultStore.Totals": forAll(func(ctx context.Context, s ports.Store, a *offsetArgs) ([]ports.IntervalTotal, error) {
			return s.Totals(ctx, a.RunID, a.Offset)
		}),
		"ResultStore.WorkerIntervals": forAll(func(ctx context.Context, s ports.Store, a *offsetArgs) ([]ports.WorkerInterval, error) {
			return s.WorkerIntervals(ctx, a.RunID, a.Offset)
		}),
		"ResultStore.Executions": forAll(func(ctx context.Context, s ports.Store, a *executionsArgs) ([]core.Execution, error) {
			return s.Executions(ctx, a.RunID, a.After, a.Limit)
		}),
		"ResultStore.AppendSteps": forAll(func(ctx context.Context, s ports.Store, a *[]core.ControllerStep) (nothing, error) {
			return nothing{}, s.AppendSteps(ctx, *a)
		}),
		"ResultStore.Steps": forAll(func(ctx context.Context, s ports.Store, a *runArgs) ([]core.ControllerStep, error) {
			return s.Steps(ctx, a.RunID)
		}),
		"TemplateStore.Put": forAll(func(ctx context.Context, s ports.Store, a *core.Template) (ports.TemplateRecord, error) {
			return s.Templates().Put(ctx, *a)
		}),
		"TemplateStore.PutIf": forAll(func(ctx context.Context, s ports.Store, a *putIfArgs) (ports.TemplateRecord, error) {
			return s.Templates().PutIf(ctx, a.Template, a.Condition)
		}),
		"TemplateStore.Get": forAll(func(ctx context.Context, s ports.Store, a *nameArgs) (ports.TemplateRecord, error) {
			return s.Templates().Get(ctx, a.Name)
		}),
		"TemplateStore.List": forAll(func(ctx context.Context, s ports.Store, _ *nothing) ([]ports.TemplateRecord, error) {
			return s.Templates().List(ctx)
		}),
		"TemplateStore.Delete": forAll(func(ctx context.Context, s ports.Store, a *nameArgs) (nothing, error) {
			return nothing{}, s.Templates().Delete(ctx, a.Name)
		}),
		"TemplateStore.Used": forAll(func(ctx context.Context, s ports.Store, a *nameArgs) (nothing, error) {
			return nothing{}, s.Templates().Used(ctx, a.Name)
		}),
		"LogStore.Read": forAll(func(ctx context.Context, s ports.Store, a *linesArgs) ([]ports.LogLine, error) {
			return s.Logs().Read(ctx, a.RunID, a.WorkerID, a.After, a.Limit)
		}),
		"Schema.Check": forAll(func(ctx context.Context, s ports.Store, _ *nothing) ([]core.Finding, error) { return s.Check(ctx) }),
		"Schema.Probe": forAll(func(ctx context.Context, s ports.Store, _ *nothing) (any, error) { return s.Probe(ctx) }),
	}
}

// forWorkers is a call that the workers of a run may make, for that run alone:
// runs names those that the arguments are about.
func forWorkers[A, R any](limit int64, runs func(*A) []string, do func(context.Context, peer, *A) (R, error)) endpoint {
	return endpoint{worker: true, limit: limit, serve: func(ctx context.Context, p peer, body []byte) (any, error) {
		args, err := decode[A](body)
		if err != nil {
			return nil, err
		}
		for _, other := range runs(args) {
			if p.runID != "" && other != p.runID {
				return nil, fmt.Errorf("%w: gateway: the token is not the one of run %q", core.ErrDenied, other)
			}
		}
		return do(ctx, p, args)
	}}
}

// runsOf lists the runs that the elements of a list belong to.
func runsOf[T any](of func(T) string) func(*[]T) []string {
	return func(list *[]T) (runs []string) {
		for _, v := range *list {
			runs = append(runs, of(v))
		}
		return runs
	}
}

// forAll is a call that takes the token of the whole store.
func forAll[A, R any](do func(context.Context, ports.Store, *A) (R, error)) endpoint {
	return endpoint{limit: wholeBody, serve: func(ctx context.Context, p peer, body []byte) (any, error) {
		args, err := decode[A](body)
		if err != nil {
			return nil, err
		}
		return do(ctx, p.store(), args)
	}}
}

func decode[A any](body []byte) (*A, error) {
	args := new(A)
	if err := json.Unmarshal(body, args); err != nil {
		return nil, fmt.Errorf("%w: gateway: the arguments: %w", core.ErrInvalid, err)
	}
	return args, nil
}
