package gateway

import (
	"context"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

func (c *client) Create(ctx context.Context, run core.Run, scenario core.Scenario, home ports.Home) (ports.RunRecord, error) {
	return ask[ports.RunRecord](ctx, c, "RunStore.Create", createArgs{run, scenario, home})
}

func (c *client) Load(ctx context.Context, runID string) (ports.RunRecord, error) {
	return ask[ports.RunRecord](ctx, c, "RunStore.Load", runArgs{runID})
}

func (c *client) List(ctx context.Context, filter ports.RunFilter) ([]ports.RunSummary, error) {
	return ask[[]ports.RunSummary](ctx, c, "RunStore.List", filter)
}

func (c *client) Commit(ctx context.Context, expected int64, next core.Run, events []core.ControlEvent, progress ports.Progress) (int64, error) {
	return ask[int64](ctx, c, "RunStore.Commit", commitArgs{expected, next, events, progress})
}

func (c *client) Events(ctx context.Context, runID string, after int64) ([]core.ControlEvent, error) {
	return ask[[]core.ControlEvent](ctx, c, "RunStore.Events", afterArgs{runID, after})
}

func (c *client) Delete(ctx context.Context, runID string) error {
	return tell(ctx, c, "RunStore.Delete", runArgs{runID})
}

func (c *client) Beat(ctx context.Context, beats ...core.Beat) error {
	return tell(ctx, c, "WorkerStore.Beat", beats)
}

func (c *client) Beats(ctx context.Context, runID string, known map[string]int64) ([]core.Beat, time.Time, error) {
	r, err := ask[beatsResult](ctx, c, "WorkerStore.Beats", beatsArgs{runID, known})
	return r.Beats, r.Now, err
}

func (c *client) AppendSnapshots(ctx context.Context, workers []ports.WorkerInterval, aggregates []ports.RunInterval) error {
	return tell(ctx, c, "ResultStore.AppendSnapshots", snapshotsArgs{workers, aggregates})
}

func (c *client) AppendExecutions(ctx context.Context, executions []core.Execution) error {
	return tell(ctx, c, "ResultStore.AppendExecutions", executions)
}

func (c *client) PutRollup(ctx context.Context, parent core.Rollup, children []core.Rollup) error {
	return tell(ctx, c, "ResultStore.PutRollup", rollup{parent, children})
}

func (c *client) Rollup(ctx context.Context, runID string) (core.Rollup, []core.Rollup, error) {
	r, err := ask[rollup](ctx, c, "ResultStore.Rollup", runArgs{runID})
	return r.Parent, r.Children, err
}

func (c *client) Aggregates(ctx context.Context, runID string, after float64, limit int) ([]ports.RunInterval, error) {
	return ask[[]ports.RunInterval](ctx, c, "ResultStore.Aggregates", aggregatesArgs{offsetArgs{runID, after}, limit})
}

func (c *client) Totals(ctx context.Context, runID string, after float64) ([]ports.IntervalTotal, error) {
	return ask[[]ports.IntervalTotal](ctx, c, "ResultStore.Totals", offsetArgs{runID, after})
}

func (c *client) WorkerIntervals(ctx context.Context, runID string, offset float64) ([]ports.WorkerInterval, error) {
	return ask[[]ports.WorkerInterval](ctx, c, "ResultStore.WorkerIntervals", offsetArgs{runID, offset})
}

func (c *client) Executions(ctx context.Context, runID, after string, limit int) ([]core.Execution, error) {
	return ask[[]core.Execution](ctx, c, "ResultStore.Executions", executionsArgs{runID, after, limit})
}

func (c *client) AppendSteps(ctx context.Context, steps []core.ControllerStep) error {
	return tell(ctx, c, "ResultStore.AppendSteps", steps)
}

func (c *client) Steps(ctx context.Context, runID string) ([]core.ControllerStep, error) {
	return ask[[]core.ControllerStep](ctx, c, "ResultStore.Steps", runArgs{runID})
}

func (c *client) Check(ctx context.Context) ([]core.Finding, error) {
	return ask[[]core.Finding](ctx, c, "Schema.Check", nothing{})
}

func (c *client) Probe(ctx context.Context) (time.Time, error) {
	return ask[time.Time](ctx, c, "Schema.Probe", nothing{})
}

// Templates returns the templates of the store.
func (c *client) Templates() ports.TemplateStore { return clientTemplates{c} }

// Logs returns the log lines of the store.
func (c *client) Logs() ports.LogStore { return clientLogs{c} }

type clientTemplates struct{ c *client }

func (t clientTemplates) Put(ctx context.Context, template core.Template) (ports.TemplateRecord, error) {
	return ask[ports.TemplateRecord](ctx, t.c, "TemplateStore.Put", template)
}

func (t clientTemplates) PutIf(ctx context.Context, template core.Template, condition core.TemplateCondition) (ports.TemplateRecord, error) {
	return ask[ports.TemplateRecord](ctx, t.c, "TemplateStore.PutIf", putIfArgs{template, condition})
}

func (t clientTemplates) Get(ctx context.Context, nameOrID string) (ports.TemplateRecord, error) {
	return ask[ports.TemplateRecord](ctx, t.c, "TemplateStore.Get", nameArgs{nameOrID})
}

func (t clientTemplates) List(ctx context.Context) ([]ports.TemplateRecord, error) {
	return ask[[]ports.TemplateRecord](ctx, t.c, "TemplateStore.List", nothing{})
}

func (t clientTemplates) Delete(ctx context.Context, nameOrID string) error {
	return tell(ctx, t.c, "TemplateStore.Delete", nameArgs{nameOrID})
}

func (t clientTemplates) Used(ctx context.Context, id string) error {
	return tell(ctx, t.c, "TemplateStore.Used", nameArgs{id})
}

// Pools returns the value pools of the store.
func (c *client) Pools() ports.PoolStore { return clientPools{c} }

type clientPools struct{ c *client }

func (p clientPools) Put(ctx context.Context, id string, chunks []string) error {
	return tell(ctx, p.c, "PoolStore.Put", poolArgs{id, chunks})
}

func (p clientPools) Get(ctx context.Context, id string) ([]string, error) {
	return ask[[]string](ctx, p.c, "PoolStore.Get", poolArgs{ID: id})
}

type clientLogs struct{ c *client }

func (l clientLogs) Append(ctx context.Context, lines []ports.LogLine) error {
	return tell(ctx, l.c, "LogStore.Append", lines)
}

func (l clientLogs) Read(ctx context.Context, runID, workerID string, after time.Time, limit int) ([]ports.LogLine, error) {
	return ask[[]ports.LogLine](ctx, l.c, "LogStore.Read", linesArgs{runID, workerID, after, limit})
}
