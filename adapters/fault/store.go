package fault

import (
	"context"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// Store decorates all roles of a store. Closing it closes what is below.
func (in *Injector) Store(below ports.Store) ports.Store { return store{in, below} }

type store struct {
	in    *Injector
	below ports.Store
}

func (s store) Close() error                   { return s.below.Close() }
func (s store) Templates() ports.TemplateStore { return templates{s.in, s.below.Templates()} }
func (s store) Pools() ports.PoolStore         { return pools{s.in, s.below.Pools()} }
func (s store) Logs() ports.LogStore           { return logs{s.in, s.below.Logs()} }

func (s store) Create(ctx context.Context, run core.Run, scenario core.Scenario, home ports.Home) (ports.RunRecord, error) {
	return call(ctx, s.in, "RunStore.Create", func(ctx context.Context) (ports.RunRecord, error) {
		return s.below.Create(ctx, run, scenario, home)
	}, nil)
}

func (s store) Load(ctx context.Context, runID string) (ports.RunRecord, error) {
	return call(ctx, s.in, "RunStore.Load", func(ctx context.Context) (ports.RunRecord, error) {
		return s.below.Load(ctx, runID)
	}, nil)
}

func (s store) List(ctx context.Context, filter ports.RunFilter) ([]ports.RunSummary, error) {
	return call(ctx, s.in, "RunStore.List", func(ctx context.Context) ([]ports.RunSummary, error) {
		return s.below.List(ctx, filter)
	}, nil)
}

func (s store) Commit(ctx context.Context, expected int64, next core.Run, events []core.ControlEvent, progress ports.Progress) (int64, error) {
	return call(ctx, s.in, "RunStore.Commit", func(ctx context.Context) (int64, error) {
		return s.below.Commit(ctx, expected, next, events, progress)
	}, nil)
}

func (s store) Events(ctx context.Context, runID string, after int64) ([]core.ControlEvent, error) {
	return call(ctx, s.in, "RunStore.Events", func(ctx context.Context) ([]core.ControlEvent, error) {
		return s.below.Events(ctx, runID, after)
	}, nil)
}

func (s store) Delete(ctx context.Context, runID string) error {
	return act(ctx, s.in, "RunStore.Delete", func(ctx context.Context) error { return s.below.Delete(ctx, runID) })
}

func (s store) Beat(ctx context.Context, beats ...core.Beat) error {
	return act(ctx, s.in, "WorkerStore.Beat", func(ctx context.Context) error { return s.below.Beat(ctx, beats...) })
}

func (s store) Control(ctx context.Context, runID, workerID string) (core.Control, error) {
	return call(ctx, s.in, "WorkerStore.Control", func(ctx context.Context) (core.Control, error) {
		return s.below.Control(ctx, runID, workerID)
	}, nil)
}

func (s store) Beats(ctx context.Context, runID string, known map[string]int64) ([]core.Beat, time.Time, error) {
	type reply struct {
		beats []core.Beat
		now   time.Time
	}
	r, err := call(ctx, s.in, "WorkerStore.Beats", func(ctx context.Context) (r reply, err error) {
		r.beats, r.now, err = s.below.Beats(ctx, runID, known)
		return r, err
	}, nil)
	return r.beats, r.now, err
}

func (s store) AppendSnapshots(ctx context.Context, workers []ports.WorkerInterval, aggregates []ports.RunInterval) error {
	return act(ctx, s.in, "ResultStore.AppendSnapshots", func(ctx context.Context) error {
		return s.below.AppendSnapshots(ctx, workers, aggregates)
	})
}

func (s store) AppendExecutions(ctx context.Context, executions []core.Execution) error {
	return act(ctx, s.in, "ResultStore.AppendExecutions", func(ctx context.Context) error {
		return s.below.AppendExecutions(ctx, executions)
	})
}

func (s store) PutRollup(ctx context.Context, parent core.Rollup, children []core.Rollup) error {
	return act(ctx, s.in, "ResultStore.PutRollup", func(ctx context.Context) error {
		return s.below.PutRollup(ctx, parent, children)
	})
}

func (s store) Rollup(ctx context.Context, runID string) (core.Rollup, []core.Rollup, error) {
	type reply struct {
		parent   core.Rollup
		children []core.Rollup
	}
	r, err := call(ctx, s.in, "ResultStore.Rollup", func(ctx context.Context) (r reply, err error) {
		r.parent, r.children, err = s.below.Rollup(ctx, runID)
		return r, err
	}, nil)
	return r.parent, r.children, err
}

func (s store) Aggregates(ctx context.Context, runID string, after float64, limit int) ([]ports.RunInterval, error) {
	return call(ctx, s.in, "ResultStore.Aggregates", func(ctx context.Context) ([]ports.RunInterval, error) {
		return s.below.Aggregates(ctx, runID, after, limit)
	}, nil)
}

func (s store) Totals(ctx context.Context, runID string, after float64) ([]ports.IntervalTotal, error) {
	return call(ctx, s.in, "ResultStore.Totals", func(ctx context.Context) ([]ports.IntervalTotal, error) {
		return s.below.Totals(ctx, runID, after)
	}, nil)
}

func (s store) WorkerIntervals(ctx context.Context, runID string, offset float64) ([]ports.WorkerInterval, error) {
	return call(ctx, s.in, "ResultStore.WorkerIntervals", func(ctx context.Context) ([]ports.WorkerInterval, error) {
		return s.below.WorkerIntervals(ctx, runID, offset)
	}, nil)
}

func (s store) Executions(ctx context.Context, runID, after string, limit int) ([]core.Execution, error) {
	return call(ctx, s.in, "ResultStore.Executions", func(ctx context.Context) ([]core.Execution, error) {
		return s.below.Executions(ctx, runID, after, limit)
	}, nil)
}

func (s store) AppendSteps(ctx context.Context, steps []core.ControllerStep) error {
	return act(ctx, s.in, "ResultStore.AppendSteps", func(ctx context.Context) error { return s.below.AppendSteps(ctx, steps) })
}

func (s store) Steps(ctx context.Context, runID string) ([]core.ControllerStep, error) {
	return call(ctx, s.in, "ResultStore.Steps", func(ctx context.Context) ([]core.ControllerStep, error) {
		return s.below.Steps(ctx, runID)
	}, nil)
}

func (s store) Check(ctx context.Context) ([]core.Finding, error) {
	return call(ctx, s.in, "Schema.Check", s.below.Check, nil)
}

func (s store) Probe(ctx context.Context) (time.Time, error) {
	return call(ctx, s.in, "Schema.Probe", s.below.Probe, nil)
}

type templates struct {
	in    *Injector
	below ports.TemplateStore
}

func (t templates) Put(ctx context.Context, template core.Template) (ports.TemplateRecord, error) {
	return call(ctx, t.in, "TemplateStore.Put", func(ctx context.Context) (ports.TemplateRecord, error) {
		return t.below.Put(ctx, template)
	}, nil)
}

func (t templates) PutIf(ctx context.Context, template core.Template, condition core.TemplateCondition) (ports.TemplateRecord, error) {
	return call(ctx, t.in, "TemplateStore.PutIf", func(ctx context.Context) (ports.TemplateRecord, error) {
		return t.below.PutIf(ctx, template, condition)
	}, nil)
}

func (t templates) Get(ctx context.Context, nameOrID string) (ports.TemplateRecord, error) {
	return call(ctx, t.in, "TemplateStore.Get", func(ctx context.Context) (ports.TemplateRecord, error) {
		return t.below.Get(ctx, nameOrID)
	}, nil)
}

func (t templates) List(ctx context.Context) ([]ports.TemplateRecord, error) {
	return call(ctx, t.in, "TemplateStore.List", t.below.List, nil)
}

func (t templates) Delete(ctx context.Context, nameOrID string) error {
	return act(ctx, t.in, "TemplateStore.Delete", func(ctx context.Context) error { return t.below.Delete(ctx, nameOrID) })
}

func (t templates) Used(ctx context.Context, id string) error {
	return act(ctx, t.in, "TemplateStore.Used", func(ctx context.Context) error { return t.below.Used(ctx, id) })
}

type logs struct {
	in    *Injector
	below ports.LogStore
}

func (l logs) Append(ctx context.Context, lines []ports.LogLine) error {
	return act(ctx, l.in, "LogStore.Append", func(ctx context.Context) error { return l.below.Append(ctx, lines) })
}

func (l logs) Read(ctx context.Context, runID, workerID string, after time.Time, limit int) ([]ports.LogLine, error) {
	return call(ctx, l.in, "LogStore.Read", func(ctx context.Context) ([]ports.LogLine, error) {
		return l.below.Read(ctx, runID, workerID, after, limit)
	}, nil)
}

type pools struct {
	in    *Injector
	below ports.PoolStore
}

func (p pools) Put(ctx context.Context, id string, chunks []string) error {
	return act(ctx, p.in, "PoolStore.Put", func(ctx context.Context) error { return p.below.Put(ctx, id, chunks) })
}

func (p pools) Get(ctx context.Context, id string) ([]string, error) {
	return call(ctx, p.in, "PoolStore.Get", func(ctx context.Context) ([]string, error) { return p.below.Get(ctx, id) }, nil)
}
