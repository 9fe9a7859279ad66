package controller

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/report"
)

// Workers reads how the workers of a run are.
func (s *Service) Workers(ctx context.Context, id string) ([]client.Worker, error) {
	record, err := s.store.Load(ctx, id)
	if err != nil {
		return nil, err
	}
	beats, now, err := s.store.Beats(ctx, id, nil)
	if err != nil {
		return nil, err
	}
	return workersOf(record, beats, now), nil
}

func workersOf(record ports.RunRecord, beats []core.Beat, now time.Time) []client.Worker {
	healths := core.HealthOf(record.Run, beats, now, record.Scenario.Load.Interval.Std())
	list := make([]client.Worker, len(healths))
	for i, h := range healths {
		life := string(h.Life)
		if h.Life == core.Planned {
			life = "PLANNED"
		}
		list[i] = client.Worker{
			ID: h.ID, Life: life, State: h.State, Health: h.Health, Connections: h.Connections, Target: h.Target,
			Throughput: round(h.Throughput), CPU: round(h.CPU), Memory: round(h.Memory), Errors: h.Errors,
			LastError: h.LastError, Ending: h.Ending,
		}
		if h.Health != "" {
			list[i].Age = round(h.Age.Seconds())
		}
		if i < len(beats) {
			list[i].P95 = newestP95(beats[i].Report.Intervals)
		}
	}
	return list
}

func newestP95(intervals []core.Interval) float64 {
	if len(intervals) == 0 {
		return 0
	}
	total := core.Total(intervals[len(intervals)-1].Kinds)
	return milliseconds(total.Latency().Quantile(0.95))
}

// Snapshots reads the intervals of all workers together after an offset in seconds
// since the load began.
func (s *Service) Snapshots(ctx context.Context, id string, after float64) ([]client.Interval, error) {
	if _, err := s.store.Load(ctx, id); err != nil {
		return nil, err
	}
	return s.intervals(ctx, id, after)
}

func (s *Service) intervals(ctx context.Context, id string, after float64) ([]client.Interval, error) {
	rows, err := s.store.Aggregates(ctx, id, after, 0)
	if err != nil {
		return nil, err
	}
	list := make([]client.Interval, len(rows))
	for i := range rows {
		list[i] = intervalOf(&rows[i])
	}
	return list, nil
}

// WorkerSnapshots reads the intervals of one worker.
func (s *Service) WorkerSnapshots(ctx context.Context, id, worker string) ([]client.Interval, error) {
	record, err := s.store.Load(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := hasWorker(record.Run, worker); err != nil {
		return nil, err
	}
	rows, err := s.store.WorkerIntervals(ctx, id, -1)
	if err != nil {
		return nil, err
	}
	list := []client.Interval{}
	for _, r := range rows {
		if r.WorkerID != worker {
			continue
		}
		i := r.Interval
		d := intervalOf(&ports.RunInterval{
			Phase: i.Phase, Offset: i.Offset, Start: i.Start, Seconds: i.Seconds, Kinds: i.Kinds,
			Connections: i.Connections, Target: i.Target, CPU: i.CPU, Memory: i.Memory,
		})
		d.WorkerID, d.Coarse = worker, i.Coarse
		list = append(list, d)
	}
	return list, nil
}

func hasWorker(run core.Run, worker string) error {
	if !slices.ContainsFunc(run.Workers, func(w core.WorkerRecord) bool { return w.ID == worker }) {
		return fmt.Errorf("%w: run %s has no worker %.100q", core.ErrNotFound, run.ID, worker)
	}
	return nil
}

func intervalOf(i *ports.RunInterval) client.Interval {
	total := core.Total(i.Kinds)
	d := client.Interval{
		Phase: i.Phase, Elapsed: fine(i.Offset), Seconds: fine(i.Seconds), Start: utc(i.Start),
		Throughput: rate(total.OK, i.Seconds), OK: total.OK, Errors: total.Errors, Aborted: total.Aborted,
		Latency: latencyOf(total.Latency()), Connections: i.Connections, Target: i.Target,
		CPU: round(i.CPU), Memory: round(i.Memory), Healthy: i.Healthy, Stale: i.Stale, Lost: i.Lost,
		Kinds: make([]client.IntervalKind, len(i.Kinds)),
	}
	for k := range i.Kinds {
		kind := &i.Kinds[k]
		d.Kinds[k] = client.IntervalKind{
			Kind: kind.Kind, Throughput: rate(kind.OK, i.Seconds), OK: kind.OK, Errors: kind.Errors, Latency: latencyOf(kind.Latency()),
		}
	}
	for _, f := range total.Failures {
		d.Classes = append(d.Classes, client.ErrorClass{Class: f.Class, Count: f.Count, Example: f.Example})
	}
	return d
}

func rate(n uint64, seconds float64) float64 {
	if !(seconds > 0) {
		return 0
	}
	return round(float64(n) / seconds)
}

func latencyOf(h *core.Histogram) client.Latency {
	if h.Count() == 0 {
		return client.Latency{}
	}
	at := func(q float64) float64 { return milliseconds(h.Quantile(q)) }
	return client.Latency{Avg: milliseconds(h.Mean()), P50: at(0.5), P90: at(0.9), P95: at(0.95), P99: at(0.99), P999: at(0.999), Max: milliseconds(h.Max())}
}

// milliseconds, round and fine leave out what nobody reads of a number.
func milliseconds(d time.Duration) float64 { return fine(float64(d) / float64(time.Millisecond)) }

func round(x float64) float64 { return math.Round(x*100) / 100 }

func fine(x float64) float64 { return math.Round(x*1000) / 1000 }

// Rollup reads the stored result of a run and of its workers. Errors: NotFound while
// there is none: an outline of a run that goes on is no result.
func (s *Service) Rollup(ctx context.Context, id string) (client.Rollup, error) {
	parent, children, err := s.store.Rollup(ctx, id)
	if err == nil && !parent.Status.Terminal() {
		err = fmt.Errorf("%w: run %s has no result yet: it is %s", core.ErrNotFound, id, parent.Status)
	}
	return client.Rollup{Run: parent, Workers: children}, err
}

// Result is everything that a report shows of a run, as the package report takes
// it. A run that goes on has no numbers in it.
func (s *Service) Result(ctx context.Context, id string) (report.Result, error) {
	record, err := s.store.Load(ctx, id)
	if err != nil {
		return report.Result{}, err
	}
	result := report.Result{Run: record.Run, Scenario: &record.Scenario, Location: s.Location}
	stored, err := s.Rollup(ctx, id)
	switch {
	case err == nil:
		result.Parent, result.Children = &stored.Run, stored.Workers
	case core.CodeOf(err) != core.NotFound:
		return report.Result{}, err
	}
	return result, nil
}

// Certificate reads the stop certificate of a run: of one that is being stopped, as
// far as it is. Errors: NotFound when no stop was requested.
func (s *Service) Certificate(ctx context.Context, id string) (core.Certificate, error) {
	record, err := s.store.Load(ctx, id)
	if err != nil {
		return core.Certificate{}, err
	}
	if record.Run.StopAt.IsZero() {
		return core.Certificate{}, fmt.Errorf("%w: run %s has no stop certificate: no stop was requested", core.ErrNotFound, id)
	}
	return record.Run.Certificate(), nil
}

// Scenario reads what a run was resolved to.
func (s *Service) Scenario(ctx context.Context, id string) (core.Scenario, error) {
	record, err := s.store.Load(ctx, id)
	return record.Scenario, err
}

// Executions reads sampled operations by start time, beginning after an id.
func (s *Service) Executions(ctx context.Context, id, after string, limit int) ([]core.Execution, error) {
	if _, err := s.store.Load(ctx, id); err != nil {
		return nil, err
	}
	return s.store.Executions(ctx, id, after, limit)
}

// Events reads control events after a sequence.
func (s *Service) Events(ctx context.Context, id string, after int64) ([]core.ControlEvent, error) {
	if _, err := s.store.Load(ctx, id); err != nil {
		return nil, err
	}
	return s.store.Events(ctx, id, after)
}

// Logs reads the stored lines of a run after a time, or of one of its workers.
func (s *Service) Logs(ctx context.Context, id, worker string, after time.Time, limit int) ([]client.LogLine, error) {
	record, err := s.store.Load(ctx, id)
	if err != nil {
		return nil, err
	}
	if worker != "" {
		if err := hasWorker(record.Run, worker); err != nil {
			return nil, err
		}
	}
	lines, err := s.store.Logs().Read(ctx, id, worker, after, limit)
	if err != nil {
		return nil, err
	}
	list := make([]client.LogLine, len(lines))
	for i, l := range lines {
		list[i] = lineOf(l)
	}
	return list, nil
}

func lineOf(l ports.LogLine) client.LogLine {
	return client.LogLine{WorkerID: l.WorkerID, Sequence: l.Sequence, Time: l.Time.UTC(), Level: l.Level, Message: l.Message}
}

// DeleteRun removes a run that has ended, and everything stored under it. Errors:
// Refused for one that has not.
func (s *Service) DeleteRun(ctx context.Context, id, by string) error {
	if err := s.store.Delete(ctx, id); err != nil {
		return err
	}
	s.Logger.Info("run deleted", "run_id", id, "by", by)
	return nil
}
