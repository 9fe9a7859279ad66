package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// maxStoredLog bounds what is kept of one worker's log when its launcher
// forgets it: the newest bytes.
const maxStoredLog = 256 << 10

// storeRollup computes the result from the last beats and stores it, with the
// intervals that are not stored yet and the newest part of every worker's log.
// It must not replace the result of another owner.
func (p *performance) storeRollup(ctx context.Context) (core.Event, error) {
	record, err := p.ports.Runs.Load(ctx, p.run.ID)
	if err != nil {
		return nil, err
	}
	if record.Run.Owner != p.options.Owner || record.Run.OwnerEpoch != p.run.OwnerEpoch || record.Run.Status.Terminal() {
		return nil, fmt.Errorf("%w: run %s is %s and was driven by %s", core.ErrConflict, p.run.ID, record.Run.Status, record.Run.Owner)
	}
	beats, now, err := p.ports.Workers.Beats(ctx, p.run.ID, nil)
	if err != nil {
		return nil, err
	}
	before, err := p.storeRest(ctx, beats, now)
	if err != nil {
		return nil, err
	}
	facts, embedded := p.environment(ctx, beats)
	if steps := append(p.run.ControllerSteps(), p.unstored...); len(steps) > 0 {
		if err := p.ports.Results.AppendSteps(ctx, steps); err != nil {
			return nil, err
		}
	}
	watch, err := p.watchObjectives(ctx, core.MeasuredUntil(beats), before)
	if err != nil {
		return nil, err
	}
	observed, err := p.observed(ctx, beats)
	if err != nil {
		return nil, err
	}
	parent, children := core.Summarise(core.SummaryInput{
		Run: p.run, Scenario: p.scenario, Beats: beats, Observed: observed, Environment: facts,
		SharedHost: p.ports.Launcher.Capabilities().HostBound, Embedded: embedded, Watch: watch,
	})
	if err := p.ports.Results.PutRollup(ctx, parent, children); err != nil {
		return nil, err
	}
	p.result = shown(&parent)
	p.storeLogs(ctx)
	return core.RollupStored{At: p.clock.now()}, nil
}

// shown is what a list of runs shows of a result.
func shown(parent *core.Rollup) *ports.Progress {
	total := core.Total(parent.Kinds)
	return &ports.Progress{Final: true, TotalOps: int64(total.Started), Errors: int64(total.Errors), QPS: parent.Throughput}
}

// storeRest stores the intervals of the last beats; those stored before are left
// alone by their keys. It returns the offset just before the first of them.
func (p *performance) storeRest(ctx context.Context, beats []core.Beat, now time.Time) (before float64, err error) {
	s := p.measured
	for _, b := range beats {
		if b.GroupID >= 0 && b.GroupID < len(p.run.Workers) {
			s.add(b, p.run.Workers[b.GroupID].Acknowledged)
		}
	}
	rest := s.take(core.HealthOf(p.run, beats, now, p.scenario.Load.Interval.Std()))
	if len(rest.workers) == 0 {
		return math.Inf(1), nil
	}
	if err := s.complete(ctx, p.ports.Results, &rest); err != nil {
		return 0, err
	}
	err = p.ports.Results.AppendSnapshots(ctx, rest.workers, rest.aggregates)
	return p.watched.stored(rest.aggregates), err
}

// environment is what is known of where the numbers come from, and whether the
// target works inside the workers.
func (p *performance) environment(ctx context.Context, beats []core.Beat) (facts []core.Fact, embedded bool) {
	facts = []core.Fact{
		{Name: "launcher", Value: p.ports.Launcher.Capabilities().Name},
		{Name: "orchestrator", Value: p.options.Owner},
		{Name: "build", Value: p.options.Build.ID},
		{Name: "go", Value: p.options.Build.GoVersion},
		{Name: "platform", Value: p.options.Build.Platform},
	}
	for _, b := range beats {
		if b.Build.ID != "" && b.Build.ID != p.options.Build.ID {
			facts = append(facts, core.Fact{Name: "build of " + b.Key.WorkerID, Value: b.Build.ID})
		}
	}
	for i, spec := range p.scenario.Pools() {
		if i < len(p.run.Pools) {
			facts = append(facts, core.Fact{Name: spec.Fact(), Value: p.run.Pools[i]})
		}
	}
	ctx, cancel := context.WithTimeout(ctx, callWait) // the result does not wait for a target that is away
	defer cancel()
	info, err := p.ports.Target.Describe(ctx, p.scenario.Table)
	if err != nil {
		return append(facts, core.Fact{Name: "target", Value: "could not be described: " + p.hide.text(err.Error())}), info.Embedded
	}
	facts = append(facts, core.Fact{Name: "target", Value: info.Kind + " " + info.Version})
	for _, s := range info.Settings {
		facts = append(facts, core.Fact{Name: "target." + s.Name, Value: s.Value})
	}
	return facts, info.Embedded
}

// storeLogs keeps the newest part of every worker's log. Losing it loses no
// number, so a failure is logged and nothing else.
func (p *performance) storeLogs(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	for _, w := range p.run.Workers {
		if w.Handle.Zero() {
			continue
		}
		text, err := p.ports.Launcher.Logs(ctx, w.Handle, maxStoredLog)
		if err == nil {
			err = p.ports.Logs.Append(ctx, LogLines(p.run.ID, w.ID, text))
		}
		if err != nil {
			p.log.Warn("a worker's log could not be kept", "worker", w.ID, "error", err)
		}
	}
}

// lineGap is how many lines without a number may stand between two that have one.
const lineGap = 1_000_000

// LogLines splits what a worker wrote into lines. JSON lines give their time,
// level, message and number ("seq"), which tells them wherever they are read; others
// are taken as they are, and numbered behind the one before.
func LogLines(runID, workerID string, text []byte) []ports.LogLine {
	var lines []ports.LogLine
	last, behind, before := time.Time{}, int64(0), 0
	for i, raw := range bytes.Split(bytes.TrimRight(text, "\n"), []byte("\n")) {
		if len(raw) == 0 {
			continue
		}
		line := ports.LogLine{RunID: runID, WorkerID: workerID, Sequence: behind + int64(i+1-before), Time: last, Level: "INFO", Message: string(raw)}
		var fields map[string]any
		if json.Unmarshal(raw, &fields) == nil {
			if number, ok := fields["seq"].(float64); ok && number >= 1 && number < 1e9 {
				line.Sequence = int64(number) * lineGap
				behind, before = line.Sequence, i+1
			}
			line = structured(line, fields)
		}
		last = line.Time
		lines = append(lines, line)
	}
	return lines
}

// structured reads the keys that log/slog writes; the others are appended to the
// message as they are.
func structured(line ports.LogLine, fields map[string]any) ports.LogLine {
	if text, ok := fields["msg"].(string); ok {
		line.Message = text
	}
	if text, ok := fields["level"].(string); ok {
		line.Level = text
	}
	if text, ok := fields["time"].(string); ok {
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
			line.Time = at.UTC()
		}
	}
	for _, known := range []string{"msg", "level", "time", "seq", "run_id", "worker_id"} {
		delete(fields, known)
	}
	if len(fields) > 0 {
		if rest, err := json.Marshal(fields); err == nil {
			line.Message += " " + string(rest)
		}
	}
	return line
}

// release frees what outlives the workers. Orphans are left: gc ends them. A
// result that says otherwise than the run, because it was stopped once more
// meanwhile, is stored anew before.
func (p *performance) release(ctx context.Context) (core.Event, error) {
	stored, err := p.isStored(ctx)
	if err == nil && !stored {
		_, err = p.storeRollup(ctx)
	}
	if err != nil {
		return nil, err
	}
	if err := p.releaseAll(ctx); err != nil {
		since := p.run.Deadline.Add(-p.run.Plan.ProcessingTimeout)
		if !core.Retryable(err) || p.clock.now().Before(since.Add(releaseWait)) {
			return nil, err
		}
		p.log.Warn("the platform is away: gc has to release what is left of the workers", "error", err)
	}
	return core.ResourcesReleased{At: p.clock.now()}, nil
}

// releaseWait is how long a run that is over otherwise waits for a platform that is
// away to free what is left of its workers.
const releaseWait = 5 * time.Second

// releaseAll tries every worker, so that one that cannot be released keeps none
// of the others.
func (p *performance) releaseAll(ctx context.Context) error {
	var problems []error
	for _, w := range p.run.Workers {
		if w.Life != core.Gone || w.Handle.Zero() {
			continue
		}
		if err := p.ports.Launcher.Release(ctx, w.Handle); err != nil {
			problems = append(problems, fmt.Errorf("release %s: %w", w.ID, err))
		}
	}
	return errors.Join(problems...)
}

// isStored reports whether the stored result says what the run says.
func (p *performance) isStored(ctx context.Context) (bool, error) {
	parent, _, err := p.ports.Results.Rollup(ctx, p.run.ID)
	if err != nil || parent.Certificate == nil || parent.Reason != p.run.Reason || parent.Status != p.run.Outcome() {
		return false, err
	}
	have, err := json.Marshal(parent.Certificate)
	if err != nil {
		return false, err
	}
	want, err := json.Marshal(p.run.Certificate())
	p.result = shown(&parent)
	return bytes.Equal(have, want), err
}
