package runner_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// hooks see every call that runners make through the decorators below, and may
// fail it. The names of the methods are those of package fault.
type hooks struct {
	mu     sync.Mutex
	calls  map[string]int
	before func(ctx context.Context, method string, call int) error // an error: the call is not made
	after  func(method string, call int) error                      // an error: its reply is lost

	inFlight atomic.Int64
}

// set replaces both hooks; either may be nil.
func (h *hooks) set(before func(ctx context.Context, method string, call int) error, after func(method string, call int) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.before, h.after = before, after
}

// called says how often a method was called.
func (h *hooks) called(method string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.calls[method]
}

func through[R any](ctx context.Context, h *hooks, method string, do func() (R, error)) (R, error) {
	h.inFlight.Add(1)
	defer h.inFlight.Add(-1)
	h.mu.Lock()
	h.calls[method]++
	call, before, after := h.calls[method], h.before, h.after
	h.mu.Unlock()
	var none R
	if before != nil {
		if err := before(ctx, method, call); err != nil {
			return none, err
		}
	}
	result, err := do()
	if after != nil && err == nil {
		if err := after(method, call); err != nil {
			return none, err
		}
	}
	return result, err
}

func pass(ctx context.Context, h *hooks, method string, do func() error) error {
	_, err := through(ctx, h, method, func() (struct{}, error) { return struct{}{}, do() })
	return err
}

type hookStore struct {
	ports.Store
	hooks *hooks
}

func (s hookStore) Create(ctx context.Context, run core.Run, scenario core.Scenario, home ports.Home) (ports.RunRecord, error) {
	return through(ctx, s.hooks, "RunStore.Create", func() (ports.RunRecord, error) { return s.Store.Create(ctx, run, scenario, home) })
}

func (s hookStore) Load(ctx context.Context, id string) (ports.RunRecord, error) {
	return through(ctx, s.hooks, "RunStore.Load", func() (ports.RunRecord, error) { return s.Store.Load(ctx, id) })
}

func (s hookStore) Commit(ctx context.Context, expected int64, next core.Run, events []core.ControlEvent, progress ports.Progress) (int64, error) {
	return through(ctx, s.hooks, "RunStore.Commit", func() (int64, error) { return s.Store.Commit(ctx, expected, next, events, progress) })
}

func (s hookStore) Beat(ctx context.Context, beats ...core.Beat) error {
	return pass(ctx, s.hooks, "WorkerStore.Beat", func() error { return s.Store.Beat(ctx, beats...) })
}

func (s hookStore) Control(ctx context.Context, runID, workerID string) (core.Control, error) {
	return through(ctx, s.hooks, "WorkerStore.Control", func() (core.Control, error) { return s.Store.Control(ctx, runID, workerID) })
}

func (s hookStore) Beats(ctx context.Context, runID string, known map[string]int64) ([]core.Beat, time.Time, error) {
	var now time.Time
	method := "WorkerStore.Beats"
	if known == nil { // for the result, not for the loop
		method = "WorkerStore.Beats, all"
	}
	beats, err := through(ctx, s.hooks, method, func() (beats []core.Beat, err error) {
		beats, now, err = s.Store.Beats(ctx, runID, known)
		return beats, err
	})
	return beats, now, err
}

func (s hookStore) AppendSnapshots(ctx context.Context, workers []ports.WorkerInterval, aggregates []ports.RunInterval) error {
	return pass(ctx, s.hooks, "ResultStore.AppendSnapshots", func() error { return s.Store.AppendSnapshots(ctx, workers, aggregates) })
}

func (s hookStore) WorkerIntervals(ctx context.Context, runID string, offset float64) ([]ports.WorkerInterval, error) {
	return through(ctx, s.hooks, "ResultStore.WorkerIntervals", func() ([]ports.WorkerInterval, error) { return s.Store.WorkerIntervals(ctx, runID, offset) })
}

func (s hookStore) PutRollup(ctx context.Context, parent core.Rollup, children []core.Rollup) error {
	method := "ResultStore.PutRollup"
	if !parent.Status.Terminal() {
		method = "ResultStore.PutRollup, outline"
	}
	return pass(ctx, s.hooks, method, func() error { return s.Store.PutRollup(ctx, parent, children) })
}

func (s hookStore) Rollup(ctx context.Context, runID string) (parent core.Rollup, children []core.Rollup, err error) {
	err = pass(ctx, s.hooks, "ResultStore.Rollup", func() (err error) {
		parent, children, err = s.Store.Rollup(ctx, runID)
		return err
	})
	return parent, children, err
}

func (s hookStore) Probe(ctx context.Context) (time.Time, error) {
	return through(ctx, s.hooks, "Schema.Probe", func() (time.Time, error) { return s.Store.Probe(ctx) })
}

type hookLauncher struct {
	ports.Launcher
	hooks        *hooks
	capabilities func(*ports.Capabilities)
	stop         func(handle core.Handle, force ports.Force) (swallow bool)
}

func (l hookLauncher) Capabilities() ports.Capabilities {
	c := l.Launcher.Capabilities()
	if l.capabilities != nil {
		l.capabilities(&c)
	}
	return c
}

func (l hookLauncher) Check(ctx context.Context, n int) ([]core.Finding, error) {
	return through(ctx, l.hooks, "Launcher.Check", func() ([]core.Finding, error) { return l.Launcher.Check(ctx, n) })
}

func (l hookLauncher) Launch(ctx context.Context, spec ports.WorkerSpec) (core.Handle, error) {
	return through(ctx, l.hooks, "Launcher.Launch", func() (core.Handle, error) { return l.Launcher.Launch(ctx, spec) })
}

func (l hookLauncher) Inspect(ctx context.Context, handles []core.Handle) ([]ports.WorkerStatus, error) {
	return through(ctx, l.hooks, "Launcher.Inspect", func() ([]ports.WorkerStatus, error) { return l.Launcher.Inspect(ctx, handles) })
}

func (l hookLauncher) Stop(ctx context.Context, handle core.Handle, force ports.Force) error {
	return pass(ctx, l.hooks, "Launcher.Stop", func() error {
		if l.stop != nil && l.stop(handle, force) {
			return nil
		}
		return l.Launcher.Stop(ctx, handle, force)
	})
}

func (l hookLauncher) Release(ctx context.Context, handle core.Handle) error {
	return pass(ctx, l.hooks, "Launcher.Release", func() error { return l.Launcher.Release(ctx, handle) })
}

func (l hookLauncher) List(ctx context.Context, runID string) ([]ports.Launch, error) {
	return through(ctx, l.hooks, "Launcher.List", func() ([]ports.Launch, error) { return l.Launcher.List(ctx, runID) })
}

func (l hookLauncher) Logs(ctx context.Context, handle core.Handle, limit int) ([]byte, error) {
	return through(ctx, l.hooks, "Launcher.Logs", func() ([]byte, error) { return l.Launcher.Logs(ctx, handle, limit) })
}

type hookTarget struct {
	ports.Target
	hooks    *hooks
	describe func(*ports.TargetInfo)
}

func (g hookTarget) Describe(ctx context.Context, table core.TemplateTable) (ports.TargetInfo, error) {
	info, err := through(ctx, g.hooks, "Target.Describe", func() (ports.TargetInfo, error) { return g.Target.Describe(ctx, table) })
	if err == nil && g.describe != nil {
		g.describe(&info)
	}
	return info, err
}

func (g hookTarget) Explain(ctx context.Context, table core.TemplateTable, statement core.Statement) error {
	return pass(ctx, g.hooks, "Target.Explain", func() error { return g.Target.Explain(ctx, table, statement) })
}

func (g hookTarget) Sample(ctx context.Context, table core.TemplateTable, spec core.PoolSpec) ([]any, error) {
	return through(ctx, g.hooks, "Target.Sample", func() ([]any, error) { return g.Target.Sample(ctx, table, spec) })
}

func (g hookTarget) CancelSessions(ctx context.Context, sessions []string) error {
	return pass(ctx, g.hooks, "Target.CancelSessions", func() error { return g.Target.CancelSessions(ctx, sessions) })
}

func (g hookTarget) Running(ctx context.Context, sessions []string) (core.RunningCount, error) {
	return through(ctx, g.hooks, "Target.Running", func() (core.RunningCount, error) { return g.Target.Running(ctx, sessions) })
}

// lost is what an adapter returns when its context ends.
func lost(cause error) error { return fmt.Errorf("%w: no answer: %w", core.ErrUnavailable, cause) }

// unavailable is what an adapter returns that cannot be reached.
func unavailable() error { return fmt.Errorf("%w: away", core.ErrUnavailable) }
