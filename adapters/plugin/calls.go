package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"

	"github.com/benchfleet/benchfleet/adapters/plugin/internal/launcherpb"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// Capabilities implements ports.Launcher. They are those of the first start; the
// name is "plugin:" and the plugin's own.
func (l *Launcher) Capabilities() ports.Capabilities { return l.capabilities }

// Check implements ports.Launcher. The plugin itself is a finding too.
func (l *Launcher) Check(ctx context.Context, n int) ([]core.Finding, error) {
	answer, err := call(ctx, l, "check", launcherpb.LauncherClient.Check, &launcherpb.CheckRequest{Workers: int64(n)})
	if err != nil {
		return nil, err
	}
	findings := []core.Finding{{ID: "plugin.process", Severity: core.SeverityOK, Message: "the launcher is the plugin " + l.path}}
	for _, f := range answer.GetFindings() {
		findings = append(findings, core.Finding{
			ID: short(f.GetId()), Severity: severityFrom(f.GetSeverity()), Message: short(f.GetMessage()), Mend: short(f.GetMend()),
		})
	}
	return findings, nil
}

// Reach implements ports.Launcher.
func (l *Launcher) Reach(ctx context.Context) (ports.Reach, error) {
	answer, err := call(ctx, l, "reach", launcherpb.LauncherClient.Reach, &launcherpb.ReachRequest{})
	if err != nil {
		return ports.Reach{}, err
	}
	return ports.Reach{Listen: answer.GetListen(), Dial: answer.GetDial()}, nil
}

// Launch implements ports.Launcher. A launch that was cut short by the death of
// the plugin is Unavailable, and may have happened: List tells.
func (l *Launcher) Launch(ctx context.Context, spec ports.WorkerSpec) (core.Handle, error) {
	if err := l.valid("worker key", spec.Key.RunID, spec.Key.WorkerID); err != nil {
		return core.Handle{}, err
	}
	answer, err := call(ctx, l, "launch", launcherpb.LauncherClient.Launch, &launcherpb.LaunchRequest{
		Key:         keyTo(spec.Key),
		GroupId:     int64(spec.GroupID),
		GroupCount:  int64(spec.GroupCount),
		Environment: variablesTo(spec.Environment),
		Secrets:     variablesTo(spec.Secrets),
		ExpiresAt:   timeTo(spec.ExpiresAt),
	})
	if err != nil {
		return core.Handle{}, err
	}
	handle := handleFrom(answer.GetHandle())
	switch size := sizeOf(handle); {
	case handle.Zero():
		return core.Handle{}, l.nonsense("launch of %s: neither a handle nor an error", spec.Key.WorkerID)
	case size > maxHandle:
		return core.Handle{}, l.nonsense("launch of %s: a handle of %d bytes; allowed: %d", spec.Key.WorkerID, size, maxHandle)
	}
	return handle, nil
}

// Inspect implements ports.Launcher.
func (l *Launcher) Inspect(ctx context.Context, handles []core.Handle) ([]ports.WorkerStatus, error) {
	request := &launcherpb.InspectRequest{}
	for _, h := range handles {
		if err := l.valid("handle", h.Launcher); err != nil {
			return nil, err
		}
		request.Handles = append(request.Handles, handleTo(h))
	}
	answer, err := call(ctx, l, "inspect", launcherpb.LauncherClient.Inspect, request)
	if err != nil {
		return nil, err
	}
	if got := len(answer.GetStatuses()); got != len(handles) {
		return nil, l.nonsense("inspect: %d answers for %d handles", got, len(handles))
	}
	statuses := make([]ports.WorkerStatus, len(handles))
	for i, w := range answer.GetStatuses() {
		statuses[i] = ports.WorkerStatus{State: stateFrom(w.GetState()), ExitCode: int(w.GetExitCode()), Cause: short(w.GetCause())}
		if statuses[i].State == "" {
			return nil, l.nonsense("inspect: unknown state %d", w.GetState())
		}
	}
	return statuses, nil
}

// Stop implements ports.Launcher.
func (l *Launcher) Stop(ctx context.Context, handle core.Handle, force ports.Force) error {
	if err := l.valid("handle", handle.Launcher); err != nil {
		return err
	}
	number := forceTo(force)
	if number == launcherpb.Force_FORCE_UNSPECIFIED {
		return fmt.Errorf("%w: plugin %s: stop: force is %q; allowed: %s, %s", core.ErrInvalid, l.path, force, ports.Gentle, ports.Hard)
	}
	_, err := call(ctx, l, "stop", launcherpb.LauncherClient.Stop, &launcherpb.StopRequest{Handle: handleTo(handle), Force: number})
	return err
}

// Release implements ports.Launcher.
func (l *Launcher) Release(ctx context.Context, handle core.Handle) error {
	if err := l.valid("handle", handle.Launcher); err != nil {
		return err
	}
	_, err := call(ctx, l, "release", launcherpb.LauncherClient.Release, &launcherpb.ReleaseRequest{Handle: handleTo(handle)})
	return err
}

// List implements ports.Launcher.
func (l *Launcher) List(ctx context.Context, runID string) ([]ports.Launch, error) {
	if err := l.valid("run id", runID); err != nil {
		return nil, err
	}
	answer, err := call(ctx, l, "list", launcherpb.LauncherClient.List, &launcherpb.ListRequest{RunId: runID})
	if err != nil {
		return nil, err
	}
	var launches []ports.Launch
	for _, w := range answer.GetLaunches() {
		launch := ports.Launch{Key: keyFrom(w.GetKey()), Handle: handleFrom(w.GetHandle()), State: stateFrom(w.GetState()), ExpiresAt: timeFrom(w.GetExpiresAt())}
		if size := sizeOf(launch.Handle); launch.State == "" || launch.Handle.Zero() || size > maxHandle {
			return nil, l.nonsense("list: launch of %s with state %d, handle of launcher %q, %d bytes", short(launch.Key.WorkerID), w.GetState(), short(launch.Handle.Launcher), size)
		}
		launches = append(launches, launch)
	}
	return launches, nil
}

// Logs implements ports.Launcher. A plugin that sends more than limit is not
// read to its end.
func (l *Launcher) Logs(ctx context.Context, handle core.Handle, limit int) ([]byte, error) {
	if err := l.valid("handle", handle.Launcher); err != nil {
		return nil, err
	}
	if limit < 0 {
		return nil, fmt.Errorf("%w: plugin %s: logs: limit is %d; want 0 or more", core.ErrInvalid, l.path, limit)
	}
	most := limit
	if most == 0 {
		most = defaultLogs
	}
	var log []byte
	tooMuch := false
	_, err := call(ctx, l, "logs", func(rpc launcherpb.LauncherClient, ctx context.Context, r *launcherpb.LogsRequest, _ ...grpc.CallOption) (any, error) {
		pieces, err := rpc.Logs(ctx, r)
		if err != nil {
			return nil, err
		}
		for {
			piece, err := pieces.Recv()
			if errors.Is(err, io.EOF) {
				return nil, nil
			}
			if err != nil {
				return nil, err
			}
			if tooMuch = len(log)+len(piece.GetPiece()) > most; tooMuch {
				return nil, nil // call ends the stream
			}
			log = append(log, piece.GetPiece()...)
		}
	}, &launcherpb.LogsRequest{Handle: handleTo(handle), Limit: int64(limit)})
	if err != nil {
		return nil, err
	}
	if tooMuch {
		return nil, l.nonsense("logs: more than the limit of %d bytes", most)
	}
	return log, nil
}

// call makes one call to a living plugin.
func call[Q, A any](ctx context.Context, l *Launcher, what string,
	method func(launcherpb.LauncherClient, context.Context, Q, ...grpc.CallOption) (A, error), request Q,
) (A, error) {
	var none A
	p, err := l.live(ctx, what)
	if err != nil {
		return none, err
	}
	bounded, cancel := context.WithCancel(ctx)
	if _, ok := ctx.Deadline(); !ok {
		cancel()
		bounded, cancel = context.WithTimeout(ctx, l.callTimeout)
	}
	defer cancel()
	answer, err := method(p.rpc, bounded, request)
	if err != nil {
		return none, l.failure(ctx, p, what, err)
	}
	return answer, nil
}

// valid refuses text that the wire cannot carry.
func (l *Launcher) valid(what string, texts ...string) error {
	for _, text := range texts {
		if clean(text) != text {
			return fmt.Errorf("%w: plugin %s: %s %q is not UTF-8", core.ErrInvalid, l.path, what, text)
		}
	}
	return nil
}
