package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

var _ ports.Store = front{}

// front is the store as the process of the Server uses it. What is not here goes
// straight to the store below.
type front struct {
	ports.Store
	s *Server
}

// Close closes the Server and then the store below.
func (f front) Close() error { return errors.Join(f.s.Close(), f.Store.Close()) }

func (f front) Create(ctx context.Context, run core.Run, scenario core.Scenario, home ports.Home) (ports.RunRecord, error) {
	begin := time.Now()
	record, err := f.Store.Create(ctx, run, scenario, home)
	f.s.clock.heard(record.Now, begin)
	return record, err
}

func (f front) Load(ctx context.Context, runID string) (ports.RunRecord, error) {
	begin := time.Now()
	record, err := f.Store.Load(ctx, runID)
	f.s.clock.heard(record.Now, begin)
	return record, err
}

func (f front) Commit(ctx context.Context, expected int64, next core.Run, events []core.ControlEvent, progress ports.Progress) (int64, error) {
	begin := time.Now()
	version, err := f.Store.Commit(ctx, expected, next, events, progress)
	if err == nil {
		f.s.committed(next, version, begin)
	}
	return version, err
}

func (f front) Delete(ctx context.Context, runID string) error {
	err := f.Store.Delete(ctx, runID)
	if err == nil {
		if r, ok := f.s.known(runID); ok {
			f.s.forget(r)
			r.watch.ask()
			f.s.leave(r)
		}
	}
	return err
}

func (f front) Beat(ctx context.Context, beats ...core.Beat) error {
	if len(beats) == 1 {
		return f.s.beat(ctx, cloneBeat(beats[0]))
	}
	return f.s.beatTogether(ctx, beats)
}

// Control is answered at once: the owner must not wait. What it finds that others
// have committed, those who wait are told as well.
func (f front) Control(ctx context.Context, runID, workerID string) (core.Control, error) {
	begin := time.Now()
	control, err := f.Store.Control(ctx, runID, workerID)
	f.s.clock.heard(control.Now, begin)
	if err == nil {
		f.s.noticed(runID, control.Version)
	}
	return control, err
}

func (f front) Beats(ctx context.Context, runID string, known map[string]int64) ([]core.Beat, time.Time, error) {
	return f.s.beatsOf(ctx, runID, known)
}

// AppendExecutions stores operations of one run together with those that other
// callers bring.
func (f front) AppendExecutions(ctx context.Context, executions []core.Execution) error {
	for _, e := range executions {
		if e.RunID != executions[0].RunID {
			return f.Store.AppendExecutions(ctx, executions)
		}
	}
	if len(executions) == 0 {
		return ended(ctx)
	}
	return f.s.appendExecutions(ctx, executions[0].RunID, executions)
}

func (f front) Probe(ctx context.Context) (time.Time, error) {
	begin := time.Now()
	now, err := f.Store.Probe(ctx)
	f.s.clock.heard(now, begin)
	return now, err
}
