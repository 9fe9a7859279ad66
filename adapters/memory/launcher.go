package memory

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

var _ ports.Launcher = (*Launcher)(nil)

const (
	launcherName  = "memory"
	handleVersion = 1
	defaultLogs   = 64 << 10 // bytes that Logs returns when nothing is said
	// closeTimeout is how long Close waits for workers that do not end.
	closeTimeout = 30 * time.Second
)

// Start runs one worker and returns its exit code and, if it has more to say
// than that, why it ended. ctx ends when the worker is stopped hard: it must
// return then, as fast as it can.
type Start func(ctx context.Context, process *Process) (exitCode int, cause string)

// Launcher runs workers as goroutines of this process. What it launched it knows
// until Release, and only in this process. Make it with NewLauncher.
type Launcher struct {
	start Start

	mu       sync.Mutex
	closed   bool
	launches map[core.WorkerKey]*launch
	wg       sync.WaitGroup
}

// launch is one worker, running or ended.
type launch struct {
	process *Process
	kill    context.CancelFunc
	handle  core.Handle
	killed  bool
	gone    bool
	code    int
	cause   string
}

// NewLauncher makes a launcher whose workers are calls of start.
func NewLauncher(start Start) *Launcher {
	return &Launcher{start: start, launches: map[core.WorkerKey]*launch{}}
}

// Capabilities says that workers see this host's files and may be unstamped.
func (l *Launcher) Capabilities() ports.Capabilities {
	return ports.Capabilities{Name: launcherName, LocalFiles: true, Unstamped: true, StartTimeout: 60 * time.Second}
}

// Check finds that there is nothing to check.
func (l *Launcher) Check(ctx context.Context, n int) ([]core.Finding, error) {
	if err := ended(ctx); err != nil {
		return nil, err
	}
	return []core.Finding{{ID: "launcher.memory", Severity: core.SeverityOK, Message: fmt.Sprintf("%d workers can run as goroutines of this process", n)}}, nil
}

// Reach says that workers are on this host.
func (l *Launcher) Reach(ctx context.Context) (ports.Reach, error) {
	if err := ended(ctx); err != nil {
		return ports.Reach{}, err
	}
	return ports.Reach{Listen: "127.0.0.1", Dial: "127.0.0.1"}, nil
}

// Launch starts a goroutine. It is stopped by Stop and Close, not by ctx.
func (l *Launcher) Launch(ctx context.Context, spec ports.WorkerSpec) (core.Handle, error) {
	if err := ended(ctx); err != nil {
		return core.Handle{}, err
	}
	data, err := json.Marshal(spec.Key)
	if err != nil {
		return core.Handle{}, fmt.Errorf("%w: memory: handle: %w", core.ErrInternal, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if known := l.launches[spec.Key]; known != nil {
		return known.copyHandle(), nil
	}
	if l.closed {
		return core.Handle{}, fmt.Errorf("%w: memory: the launcher is closed", core.ErrRefused)
	}
	process, err := newProcess(spec)
	if err != nil {
		return core.Handle{}, err
	}
	hard, kill := context.WithCancel(context.WithoutCancel(ctx))
	started := &launch{
		process: process, kill: kill,
		handle: core.Handle{Launcher: launcherName, Version: handleVersion, Data: data},
	}
	l.launches[spec.Key] = started
	l.wg.Go(func() {
		code, cause := l.run(hard, started.process)
		l.end(started, code, cause)
		kill()
	})
	return started.copyHandle(), nil
}

// run is the life of one worker. A panic is its crash, not ours.
func (l *Launcher) run(ctx context.Context, p *Process) (code int, cause string) {
	defer func() {
		if r := recover(); r != nil {
			code, cause = 2, fmt.Sprintf("panic: %v", r)
		}
	}()
	return l.start(ctx, p)
}

func (l *Launcher) end(of *launch, code int, cause string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	of.gone, of.code, of.cause = true, code, fmt.Sprintf("exited with code %d", code)
	if of.killed {
		of.code, of.cause = -1, "killed"
	}
	if cause != "" {
		of.cause += ": " + cause
	}
}

func (of *launch) copyHandle() core.Handle {
	h := of.handle
	h.Data = slices.Clone(h.Data)
	return h
}

// find returns the launch of a handle, nil when it is not known. Handles of
// other launchers are Invalid.
func (l *Launcher) find(h core.Handle) (*launch, error) {
	var key core.WorkerKey
	if h.Launcher != launcherName || h.Version != handleVersion {
		return nil, fmt.Errorf("%w: memory: a handle of launcher %q, version %d", core.ErrInvalid, h.Launcher, h.Version)
	}
	if err := json.Unmarshal(h.Data, &key); err != nil {
		return nil, fmt.Errorf("%w: memory: handle: %w", core.ErrInvalid, err)
	}
	return l.launches[key], nil
}

// Inspect reports what has become of each launch.
func (l *Launcher) Inspect(ctx context.Context, handles []core.Handle) ([]ports.WorkerStatus, error) {
	if err := ended(ctx); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []ports.WorkerStatus
	for _, h := range handles {
		of, err := l.find(h)
		switch {
		case err != nil:
			return nil, err
		case of == nil:
			list = append(list, ports.WorkerStatus{State: ports.LaunchGone, ExitCode: -1, Cause: "unknown to the launcher"})
		case of.gone:
			list = append(list, ports.WorkerStatus{State: ports.LaunchGone, ExitCode: of.code, Cause: of.cause})
		default:
			list = append(list, ports.WorkerStatus{State: ports.LaunchRunning})
		}
	}
	return list, nil
}

// Stop asks a worker to end, or ends its context.
func (l *Launcher) Stop(ctx context.Context, handle core.Handle, force ports.Force) error {
	if err := ended(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	of, err := l.find(handle)
	if err != nil || of == nil || of.gone {
		return err
	}
	switch force {
	case ports.Gentle:
		of.process.askToEnd()
	case ports.Hard:
		of.killed = true
		of.kill()
	default:
		return fmt.Errorf("%w: memory: force is %q; allowed: gentle, hard", core.ErrInvalid, force)
	}
	return nil
}

// Release forgets a launch that has ended, and its logs.
func (l *Launcher) Release(ctx context.Context, handle core.Handle) error {
	if err := ended(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	of, err := l.find(handle)
	if err != nil || of == nil {
		return err
	}
	if !of.gone {
		return fmt.Errorf("%w: memory: %s is running", core.ErrRefused, of.process.spec.Key.WorkerID)
	}
	delete(l.launches, of.process.spec.Key)
	return nil
}

// List finds the launches of a run, or of every run, by worker and epoch.
func (l *Launcher) List(ctx context.Context, runID string) ([]ports.Launch, error) {
	if err := ended(ctx); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []ports.Launch
	for key, of := range l.launches {
		if runID != "" && key.RunID != runID {
			continue
		}
		state := ports.LaunchRunning
		if of.gone {
			state = ports.LaunchGone
		}
		list = append(list, ports.Launch{Key: key, Handle: of.copyHandle(), State: state, ExpiresAt: of.process.spec.ExpiresAt})
	}
	slices.SortFunc(list, func(a, b ports.Launch) int {
		return cmp.Or(cmp.Compare(a.Key.RunID, b.Key.RunID), cmp.Compare(len(a.Key.WorkerID), len(b.Key.WorkerID)),
			cmp.Compare(a.Key.WorkerID, b.Key.WorkerID), cmp.Compare(a.Key.Epoch, b.Key.Epoch))
	})
	return list, nil
}

// Logs returns the newest lines that the worker wrote. Errors: NotFound for a
// launch that is not known.
func (l *Launcher) Logs(ctx context.Context, handle core.Handle, limit int) ([]byte, error) {
	if err := ended(ctx); err != nil {
		return nil, err
	}
	l.mu.Lock()
	of, err := l.find(handle)
	l.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if of == nil {
		return nil, fmt.Errorf("%w: memory: no such launch", core.ErrNotFound)
	}
	if limit <= 0 {
		limit = defaultLogs
	}
	return of.process.tail(limit), nil
}

// Close stops every worker hard and waits until all have returned, 30 s at most.
// Launch is refused from then on. It is idempotent.
func (l *Launcher) Close() error {
	l.mu.Lock()
	l.closed = true
	for _, of := range l.launches {
		if !of.gone {
			of.killed = true
			of.kill()
		}
	}
	l.mu.Unlock()
	done := make(chan struct{})
	go func() {
		l.wg.Wait()
		close(done)
	}()
	timer := time.NewTimer(closeTimeout)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
		return fmt.Errorf("%w: memory: workers did not end within %s: %w", core.ErrInternal, closeTimeout, errors.New(l.alive()))
	}
}

// alive names the workers that run.
func (l *Launcher) alive() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var names []string
	for key, of := range l.launches {
		if !of.gone {
			names = append(names, key.RunID+"/"+key.WorkerID)
		}
	}
	slices.Sort(names)
	return fmt.Sprint(names)
}
