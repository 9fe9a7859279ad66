package docker

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
)

const (
	maxDetail  = 200 // bytes of the daemon's own words in a cause
	signalBase = 128 // exit codes above it name a signal
	lastSignal = 64
)

// Inspect implements ports.Launcher: one list of all containers, and one more
// call for each that has ended, once in the life of the Launcher. An exit code
// above 128 is told as a signal, which is how Docker reports one. Errors:
// Unavailable also when a container is missing and this is not its daemon.
func (l *Launcher) Inspect(ctx context.Context, handles []core.Handle) ([]ports.WorkerStatus, error) {
	ctx, cancel := bound(ctx)
	defer cancel()
	if err := live(ctx, "inspect"); err != nil {
		return nil, err
	}
	wanted := make([]handle, len(handles))
	for i, from := range handles {
		var err error
		if wanted[i], err = decode(from); err != nil {
			return nil, err
		}
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	all, err := l.containers(ctx, "")
	if err != nil {
		return nil, err
	}
	byID := make(map[string]container.Summary, len(all))
	for _, c := range all {
		byID[c.ID] = c
	}
	l.forget(byID)
	statuses := make([]ports.WorkerStatus, len(wanted))
	daemons := map[string]bool{} // of what is missing, asked already
	for i, h := range wanted {
		c, ok := byID[h.Container]
		if !ok && !daemons[h.Daemon] {
			if err := l.missing(ctx, h); err != nil {
				return nil, err
			}
			daemons[h.Daemon] = true
		}
		if statuses[i], err = l.status(ctx, h.Container, c); err != nil {
			return nil, err
		}
	}
	return statuses, nil
}

// containers lists the launches of a run, or of all.
func (l *Launcher) containers(ctx context.Context, runID string) ([]container.Summary, error) {
	by := filters.NewArgs(filters.Arg("label", labelVersion+"="+strconv.Itoa(version)))
	if runID != "" {
		by.Add("label", labelRun+"="+runID)
	}
	all, err := l.client.ContainerList(ctx, container.ListOptions{All: true, Filters: by})
	if err != nil {
		return nil, failed(ctx, "list containers", err)
	}
	return all, nil
}

// stateOf maps what Docker calls the state of a container.
func stateOf(state container.ContainerState) ports.LaunchState {
	switch state {
	case container.StateCreated:
		return ports.LaunchPending
	case container.StateExited, container.StateDead, container.StateRemoving, "":
		return ports.LaunchGone
	default: // running, paused, restarting
		return ports.LaunchRunning
	}
}

// status tells what has become of one container; the zero Summary is one that
// is missing.
func (l *Launcher) status(ctx context.Context, id string, c container.Summary) (ports.WorkerStatus, error) {
	state := stateOf(c.State)
	switch {
	case c.ID == "":
		return l.removed(id), nil
	case state == ports.LaunchPending:
		return ports.WorkerStatus{State: state, Cause: "created, not started yet"}, nil
	case state == ports.LaunchRunning:
		s := ports.WorkerStatus{State: state}
		if c.State != container.StateRunning {
			s.Cause = c.State
		}
		return s, nil
	}
	l.mu.Lock()
	end, ok := l.ends[c.ID]
	l.mu.Unlock()
	if ok {
		return end, nil
	}
	whole, err := l.client.ContainerInspect(ctx, c.ID)
	switch {
	case notFound(err):
		return l.removed(id), nil
	case err != nil:
		return end, failed(ctx, "inspect a container", err)
	}
	end = endOf(whole.State, whole.HostConfig.Memory)
	l.mu.Lock()
	l.ends[c.ID] = end
	l.mu.Unlock()
	return end, nil
}

// removed tells of a container that is not there any more: how it ended is known
// only if Stop removed it.
func (l *Launcher) removed(id string) ports.WorkerStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.undone[id] {
		return ports.WorkerStatus{State: ports.LaunchGone, ExitCode: -1, Cause: neverStarted}
	}
	return ports.WorkerStatus{State: ports.LaunchGone, ExitCode: -1, Cause: "removed"}
}

// neverStarted is the cause of a container that was made and never run.
const neverStarted = "never started"

// endOf tells how a container ended. Docker gives one that never ran the exit
// code 0.
func endOf(s *container.State, memory int64) ports.WorkerStatus {
	if started, err := time.Parse(time.RFC3339Nano, s.StartedAt); err == nil && !started.IsZero() {
		return ports.WorkerStatus{State: ports.LaunchGone, ExitCode: s.ExitCode, Cause: causeOf(s, memory)}
	}
	return ports.WorkerStatus{State: ports.LaunchGone, ExitCode: -1, Cause: withError(neverStarted, s)}
}

// forget keeps of the known ends those of containers that still exist.
func (l *Launcher) forget(exist map[string]container.Summary) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id := range l.ends {
		if _, ok := exist[id]; !ok {
			delete(l.ends, id)
		}
	}
}

// causeOf tells an end in words.
func causeOf(s *container.State, memory int64) string {
	cause := fmt.Sprintf("exited with code %d", s.ExitCode)
	switch {
	case s.OOMKilled && s.ExitCode != 0:
		limit := "no limit of its own"
		if memory > 0 {
			limit = "limit " + size(memory)
		}
		cause = "killed by the kernel: out of memory (" + limit + ")"
	case s.ExitCode > signalBase && s.ExitCode <= signalBase+lastSignal:
		cause = fmt.Sprintf("killed by signal %d (code %d)", s.ExitCode-signalBase, s.ExitCode)
		if s.ExitCode == signalBase+9 && memory > 0 { // a daemon that is busy may not have seen why
			cause += ", perhaps out of memory (limit " + size(memory) + ")"
		}
	}
	return withError(cause, s)
}

// withError adds the daemon's own words to a cause.
func withError(cause string, s *container.State) string {
	if s.Error == "" {
		return cause
	}
	return cause + ": " + s.Error[:min(len(s.Error), maxDetail)]
}

// size tells bytes in MiB where that is exact enough.
func size(bytes int64) string {
	const mib = 1 << 20
	switch {
	case bytes%mib == 0:
		return fmt.Sprintf("%d MiB", bytes/mib)
	case bytes > mib:
		return fmt.Sprintf("%.1f MiB", float64(bytes)/mib)
	default:
		return fmt.Sprintf("%d bytes", bytes)
	}
}

// List implements ports.Launcher by the labels of the containers. A container
// with labels that name no key, or with another name than a launch of that key
// has, is not a launch.
func (l *Launcher) List(ctx context.Context, runID string) ([]ports.Launch, error) {
	ctx, cancel := bound(ctx)
	defer cancel()
	if err := live(ctx, "list"); err != nil {
		return nil, err
	}
	d, err := l.ask(ctx, recent)
	if err != nil {
		return nil, err
	}
	all, err := l.containers(ctx, runID)
	if err != nil {
		return nil, err
	}
	var launches []ports.Launch
	for _, c := range all {
		key, ok := keyOf(c.Labels)
		if !ok || !slices.Contains(c.Names, "/"+nameOf(key)) || runID != "" && key.RunID != runID {
			continue
		}
		launches = append(launches, ports.Launch{
			Key:       key,
			Handle:    handle{Daemon: d.ID, Container: c.ID}.encode(),
			State:     stateOf(c.State),
			ExpiresAt: expiryOf(c.Labels),
		})
	}
	return launches, nil
}
