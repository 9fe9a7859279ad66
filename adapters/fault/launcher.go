package fault

import (
	"context"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// Launcher decorates a launcher.
func (in *Injector) Launcher(below ports.Launcher) ports.Launcher { return launcher{in, below} }

type launcher struct {
	in    *Injector
	below ports.Launcher
}

func (l launcher) Capabilities() ports.Capabilities { return l.below.Capabilities() }

func (l launcher) Check(ctx context.Context, n int) ([]core.Finding, error) {
	return call(ctx, l.in, "Launcher.Check", func(ctx context.Context) ([]core.Finding, error) {
		return l.below.Check(ctx, n)
	}, nil)
}

func (l launcher) Reach(ctx context.Context) (ports.Reach, error) {
	return call(ctx, l.in, "Launcher.Reach", l.below.Reach, nil)
}

func (l launcher) Launch(ctx context.Context, spec ports.WorkerSpec) (core.Handle, error) {
	return call(ctx, l.in, "Launcher.Launch", func(ctx context.Context) (core.Handle, error) {
		return l.below.Launch(ctx, spec)
	}, nil)
}

func (l launcher) Inspect(ctx context.Context, handles []core.Handle) ([]ports.WorkerStatus, error) {
	return call(ctx, l.in, "Launcher.Inspect", func(ctx context.Context) ([]ports.WorkerStatus, error) {
		return l.below.Inspect(ctx, handles)
	}, nil)
}

func (l launcher) Stop(ctx context.Context, handle core.Handle, force ports.Force) error {
	return act(ctx, l.in, "Launcher.Stop", func(ctx context.Context) error { return l.below.Stop(ctx, handle, force) })
}

func (l launcher) Release(ctx context.Context, handle core.Handle) error {
	return act(ctx, l.in, "Launcher.Release", func(ctx context.Context) error { return l.below.Release(ctx, handle) })
}

func (l launcher) List(ctx context.Context, runID string) ([]ports.Launch, error) {
	return call(ctx, l.in, "Launcher.List", func(ctx context.Context) ([]ports.Launch, error) {
		return l.below.List(ctx, runID)
	}, nil)
}

func (l launcher) Logs(ctx context.Context, handle core.Handle, limit int) ([]byte, error) {
	return call(ctx, l.in, "Launcher.Logs", func(ctx context.Context) ([]byte, error) {
		return l.below.Logs(ctx, handle, limit)
	}, nil)
}
