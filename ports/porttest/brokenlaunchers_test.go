package porttest_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// A brokenLauncher decorates a launcher that works. Each of its functions that
// is not nil is one thing that it does wrong.
type brokenLauncher struct {
	ports.Launcher
	capabilities func(*ports.Capabilities)
	check        func([]core.Finding) []core.Finding
	reach        func(*ports.Reach)
	launch       func(context.Context, ports.Launcher, ports.WorkerSpec) (core.Handle, error)
	spec         func(ports.WorkerSpec) ports.WorkerSpec
	handles      func([]core.Handle) []core.Handle
	statuses     func([]ports.WorkerStatus, error) error
	stop         func(context.Context, ports.Launcher, core.Handle, ports.Force) error
	release      func(context.Context, ports.Launcher, core.Handle) error
	list         func([]ports.Launch) []ports.Launch
	runID        func(string) string
	logs         func(context.Context, ports.Launcher, core.Handle, int) ([]byte, error)
}

func (b brokenLauncher) Capabilities() ports.Capabilities {
	c := b.Launcher.Capabilities()
	if b.capabilities != nil {
		b.capabilities(&c)
	}
	return c
}

func (b brokenLauncher) Check(ctx context.Context, n int) ([]core.Finding, error) {
	findings, err := b.Launcher.Check(ctx, n)
	if b.check != nil {
		findings = b.check(findings)
	}
	return findings, err
}

func (b brokenLauncher) Reach(ctx context.Context) (ports.Reach, error) {
	reach, err := b.Launcher.Reach(ctx)
	if b.reach != nil {
		b.reach(&reach)
	}
	return reach, err
}

func (b brokenLauncher) Launch(ctx context.Context, spec ports.WorkerSpec) (core.Handle, error) {
	if b.spec != nil {
		spec.Environment = slices.Clone(spec.Environment)
		spec = b.spec(spec)
	}
	if b.launch != nil {
		return b.launch(ctx, b.Launcher, spec)
	}
	return b.Launcher.Launch(ctx, spec)
}

func (b brokenLauncher) Inspect(ctx context.Context, handles []core.Handle) ([]ports.WorkerStatus, error) {
	if b.handles != nil {
		handles = b.handles(handles)
	}
	all, err := b.Launcher.Inspect(ctx, handles)
	if b.statuses != nil {
		err = b.statuses(all, err)
	}
	return all, err
}

func (b brokenLauncher) Stop(ctx context.Context, handle core.Handle, force ports.Force) error {
	if b.stop != nil {
		return b.stop(ctx, b.Launcher, handle, force)
	}
	return b.Launcher.Stop(ctx, handle, force)
}

func (b brokenLauncher) Release(ctx context.Context, handle core.Handle) error {
	if b.release != nil {
		return b.release(ctx, b.Launcher, handle)
	}
	return b.Launcher.Release(ctx, handle)
}

func (b brokenLauncher) List(ctx context.Context, runID string) ([]ports.Launch, error) {
	if b.runID != nil {
		runID = b.runID(runID)
	}
	all, err := b.Launcher.List(ctx, runID)
	if b.list != nil {
		all = b.list(all)
	}
	return all, err
}

func (b brokenLauncher) Logs(ctx context.Context, handle core.Handle, limit int) ([]byte, error) {
	if b.logs != nil {
		return b.logs(ctx, b.Launcher, handle, limit)
	}
	return b.Launcher.Logs(ctx, handle, limit)
}

// gone reports whether a launch has ended.
func gone(ctx context.Context, l ports.Launcher, handle core.Handle) bool {
	all, err := l.Inspect(ctx, []core.Handle{handle})
	return err == nil && len(all) == 1 && all[0].State == ports.LaunchGone
}

// known reports whether a launch is not released.
func known(ctx context.Context, l ports.Launcher, handle core.Handle) bool {
	_, err := l.Logs(ctx, handle, 0)
	return core.CodeOf(err) != core.NotFound
}

// launchesAgain starts an ended worker once more.
func launchesAgain(ctx context.Context, l ports.Launcher, spec ports.WorkerSpec) (core.Handle, error) {
	handle, err := l.Launch(ctx, spec)
	if err != nil || !gone(ctx, l, handle) {
		return handle, err
	}
	if err := l.Release(ctx, handle); err != nil {
		return handle, err
	}
	return l.Launch(ctx, spec)
}

// losesWhatIsCutShort takes a while to launch. When its context ends in that
// time, the worker runs under a name that nobody knows.
func losesWhatIsCutShort(ctx context.Context, l ports.Launcher, spec ports.WorkerSpec) (core.Handle, error) {
	accepted := time.NewTimer(20 * time.Millisecond)
	defer accepted.Stop()
	select {
	case <-accepted.C:
		return l.Launch(ctx, spec)
	case <-ctx.Done():
		spec.Key.Epoch += 100
		_, err := l.Launch(context.WithoutCancel(ctx), spec)
		return core.Handle{}, fmt.Errorf("%w: launch: %w (%v)", core.ErrUnavailable, ctx.Err(), err)
	}
}

// forgetsNothing says that it has released a launch, and only hides it.
func forgetsNothing() func() brokenLauncher {
	var mu sync.Mutex
	hidden := map[string]bool{}
	return func() brokenLauncher {
		return brokenLauncher{
			release: func(ctx context.Context, l ports.Launcher, handle core.Handle) error {
				if !gone(ctx, l, handle) {
					return l.Release(ctx, handle)
				}
				mu.Lock()
				defer mu.Unlock()
				hidden[string(handle.Data)] = true
				return nil
			},
			list: func(all []ports.Launch) []ports.Launch {
				mu.Lock()
				defer mu.Unlock()
				return slices.DeleteFunc(all, func(l ports.Launch) bool { return hidden[string(l.Handle.Data)] })
			},
		}
	}
}

// remembersItsOwn knows only what this very Launcher has launched; what is
// another's it neither finds alive nor stops.
func remembersItsOwn() brokenLauncher {
	var mu sync.Mutex
	own := map[string]bool{}
	knows := func(handle core.Handle) bool {
		mu.Lock()
		defer mu.Unlock()
		return own[string(handle.Data)]
	}
	return brokenLauncher{
		launch: func(ctx context.Context, l ports.Launcher, spec ports.WorkerSpec) (core.Handle, error) {
			handle, err := l.Launch(ctx, spec)
			mu.Lock()
			defer mu.Unlock()
			own[string(handle.Data)] = true
			return handle, err
		},
		handles: func(handles []core.Handle) []core.Handle {
			handles = slices.Clone(handles)
			for i, handle := range handles {
				if !knows(handle) {
					handles[i].Data = []byte(`{}`)
				}
			}
			return handles
		},
	}
}

// sharesHandles returns the same bytes again and again.
func sharesHandles() brokenLauncher {
	var mu sync.Mutex
	seen := map[core.WorkerKey]core.Handle{}
	return brokenLauncher{launch: func(ctx context.Context, l ports.Launcher, spec ports.WorkerSpec) (core.Handle, error) {
		mu.Lock()
		defer mu.Unlock()
		if handle, ok := seen[spec.Key]; ok {
			return handle, nil
		}
		handle, err := l.Launch(ctx, spec)
		seen[spec.Key] = handle
		return handle, err
	}}
}
