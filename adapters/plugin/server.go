package plugin

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/benchfleet/benchfleet/adapters/plugin/internal/launcherpb"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// server serves a launcher. Its handlers only translate.
type server struct {
	launcherpb.UnimplementedLauncherServer
	launcher ports.Launcher
	socket   atomic.Pointer[string] // where the orchestrator has connected; "": no file
}

func (s *server) Capabilities(ctx context.Context, _ *launcherpb.CapabilitiesRequest) (*launcherpb.CapabilitiesResponse, error) {
	path := ""
	if p, ok := peer.FromContext(ctx); ok && p.LocalAddr != nil && p.LocalAddr.Network() == "unix" {
		path = p.LocalAddr.String()
	}
	s.socket.Store(&path)
	c := s.launcher.Capabilities()
	return &launcherpb.CapabilitiesResponse{
		Name: clean(c.Name), HostBound: c.HostBound, LocalFiles: c.LocalFiles, Unstamped: c.Unstamped,
		StartTimeout: durationpb.New(c.StartTimeout), Grace: durationpb.New(c.Grace), MaxWorkers: int64(c.MaxWorkers),
	}, nil
}

func (s *server) Check(ctx context.Context, r *launcherpb.CheckRequest) (*launcherpb.CheckResponse, error) {
	findings, err := s.launcher.Check(ctx, int(r.GetWorkers()))
	if err != nil {
		return nil, toStatus(err)
	}
	answer := &launcherpb.CheckResponse{}
	for _, f := range findings {
		answer.Findings = append(answer.Findings, &launcherpb.Finding{
			Id: clean(f.ID), Severity: severityTo(f.Severity), Message: clean(f.Message), Mend: clean(f.Mend),
		})
	}
	return answer, nil
}

func (s *server) Reach(ctx context.Context, _ *launcherpb.ReachRequest) (*launcherpb.ReachResponse, error) {
	reach, err := s.launcher.Reach(ctx)
	if err != nil {
		return nil, toStatus(err)
	}
	return &launcherpb.ReachResponse{Listen: clean(reach.Listen), Dial: clean(reach.Dial)}, nil
}

func (s *server) Launch(ctx context.Context, r *launcherpb.LaunchRequest) (*launcherpb.LaunchResponse, error) {
	handle, err := s.launcher.Launch(ctx, ports.WorkerSpec{
		Key:         keyFrom(r.GetKey()),
		GroupID:     int(r.GetGroupId()),
		GroupCount:  int(r.GetGroupCount()),
		Environment: variablesFrom(r.GetEnvironment()),
		Secrets:     variablesFrom(r.GetSecrets()),
		ExpiresAt:   timeFrom(r.GetExpiresAt()),
	})
	if err != nil {
		return nil, toStatus(err)
	}
	return &launcherpb.LaunchResponse{Handle: handleTo(handle)}, nil
}

func (s *server) Inspect(ctx context.Context, r *launcherpb.InspectRequest) (*launcherpb.InspectResponse, error) {
	handles := make([]core.Handle, len(r.GetHandles()))
	for i, h := range r.GetHandles() {
		handles[i] = handleFrom(h)
	}
	statuses, err := s.launcher.Inspect(ctx, handles)
	if err != nil {
		return nil, toStatus(err)
	}
	answer := &launcherpb.InspectResponse{}
	for _, w := range statuses {
		answer.Statuses = append(answer.Statuses, &launcherpb.WorkerStatus{
			State: stateTo(w.State), ExitCode: int64(w.ExitCode), Cause: clean(w.Cause),
		})
	}
	return answer, nil
}

func (s *server) Stop(ctx context.Context, r *launcherpb.StopRequest) (*launcherpb.StopResponse, error) {
	if err := s.launcher.Stop(ctx, handleFrom(r.GetHandle()), forceFrom(r.GetForce())); err != nil {
		return nil, toStatus(err)
	}
	return &launcherpb.StopResponse{}, nil
}

func (s *server) Release(ctx context.Context, r *launcherpb.ReleaseRequest) (*launcherpb.ReleaseResponse, error) {
	if err := s.launcher.Release(ctx, handleFrom(r.GetHandle())); err != nil {
		return nil, toStatus(err)
	}
	return &launcherpb.ReleaseResponse{}, nil
}

func (s *server) List(ctx context.Context, r *launcherpb.ListRequest) (*launcherpb.ListResponse, error) {
	launches, err := s.launcher.List(ctx, r.GetRunId())
	if err != nil {
		return nil, toStatus(err)
	}
	answer := &launcherpb.ListResponse{}
	for _, l := range launches {
		answer.Launches = append(answer.Launches, &launcherpb.Launch{
			Key: keyTo(l.Key), Handle: handleTo(l.Handle), State: stateTo(l.State), ExpiresAt: timeTo(l.ExpiresAt),
		})
	}
	return answer, nil
}

func (s *server) Logs(r *launcherpb.LogsRequest, to grpc.ServerStreamingServer[launcherpb.LogsResponse]) error {
	log, err := s.launcher.Logs(to.Context(), handleFrom(r.GetHandle()), int(r.GetLimit()))
	if err != nil {
		return toStatus(err)
	}
	for len(log) > 0 {
		n := min(len(log), logPiece)
		if err := to.Send(&launcherpb.LogsResponse{Piece: log[:n]}); err != nil {
			return err // the transport's own
		}
		log = log[n:]
	}
	return nil
}
