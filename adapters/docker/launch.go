package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/docker/docker/api/types/container"
)

// How often a container that another call is making is looked at.
const (
	firstPause = 20 * time.Millisecond
	lastPause  = 500 * time.Millisecond
)

// errTaken says that another call has made the container of the key.
var errTaken = errors.New("made by another call")

// Launch implements ports.Launcher. A launch that another call is just making is
// waited for. A launch under way is finished, or undone, within 5 s after ctx
// has ended. Errors: Refused also when the worker was stopped before it started,
// or when a foreign container has its name.
func (l *Launcher) Launch(ctx context.Context, spec ports.WorkerSpec) (core.Handle, error) {
	if err := validSpec(spec); err != nil {
		return core.Handle{}, err
	}
	ctx, cancel := bound(ctx)
	defer cancel()
	if err := live(ctx, "launch"); err != nil {
		return core.Handle{}, err
	}
	d, err := l.ask(ctx, recent)
	if err != nil {
		return core.Handle{}, err
	}
	id, err := l.launch(ctx, spec)
	if err != nil {
		return core.Handle{}, err
	}
	return handle{Daemon: d.ID, Container: id}.encode(), nil
}

// launch returns the id of the container of a key, which is started.
func (l *Launcher) launch(ctx context.Context, spec ports.WorkerSpec) (string, error) {
	due := map[string]time.Time{} // when the maker of a container is taken for dead
	pause := time.NewTimer(0)
	defer pause.Stop()
	for wait := firstPause; ; wait = min(2*wait, lastPause) {
		select {
		case <-pause.C:
		case <-ctx.Done():
			return "", live(ctx, "launch")
		}
		pause.Reset(wait)
		found, ok, err := l.byKey(ctx, spec.Key)
		if err != nil {
			return "", err
		}
		if !ok {
			id, err := l.begin(ctx, spec)
			if !errors.Is(err, errTaken) {
				return id, err
			}
			continue
		}
		switch found.State.Status {
		case container.StateRemoving: // somebody releases it: then the key is free
		case container.StateCreated:
			at, seen := due[found.ID]
			if !seen {
				if at, err = l.dueOf(ctx, found); err != nil {
					return "", err
				}
				due[found.ID] = at
			}
			if time.Now().After(at) {
				if _, err := l.discard(ctx, found.ID); err != nil {
					return "", err
				}
			}
		default:
			return found.ID, nil
		}
	}
}

// byKey finds the container of a key by its name.
func (l *Launcher) byKey(ctx context.Context, key core.WorkerKey) (container.InspectResponse, bool, error) {
	found, err := l.client.ContainerInspect(ctx, nameOf(key))
	switch {
	case notFound(err):
		return found, false, nil
	case err != nil:
		return found, false, failed(ctx, "look for the container of "+key.WorkerID, err)
	}
	if owner, ok := keyOf(found.Config.Labels); !ok || owner != key {
		return found, false, fmt.Errorf("%w: docker: the name %s belongs to a container that is not this worker; remove it (docker rm %.12s)",
			core.ErrRefused, nameOf(key), found.ID)
	}
	return found, true, nil
}

// dueOf says when the maker of a created container is taken for dead, by the
// daemon's clock alone.
func (l *Launcher) dueOf(ctx context.Context, c container.InspectResponse) (time.Time, error) {
	d, err := l.ask(ctx, 0)
	if err != nil {
		return time.Time{}, err
	}
	created, err := time.Parse(time.RFC3339Nano, c.Created)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: docker: creation time of container %.12s: %w", core.ErrInternal, c.ID, err)
	}
	return time.Now().Add(l.claim - d.Clock.Sub(created)), nil
}

// begin makes the container of a key and starts it. When it fails, none of its
// making is left, unless the daemon is away or somebody else has started it.
func (l *Launcher) begin(ctx context.Context, spec ports.WorkerSpec) (id string, err error) {
	u, err := l.userOf(ctx)
	if err != nil {
		return "", err
	}
	extra, err := l.hostEntry(ctx)
	if err != nil {
		return "", err
	}
	if err := live(ctx, "launch"); err != nil {
		return "", err
	}
	longer, cancel := outlive(ctx, l.finish)
	defer cancel()
	created, err := l.client.ContainerCreate(longer, l.config(spec, u), l.hostConfig(extra), nil, nil, nameOf(spec.Key))
	switch {
	case conflict(err):
		return "", errTaken
	case err != nil:
		return "", failed(ctx, "create the container of "+spec.Key.WorkerID, err)
	}
	l.at("created")
	if err = l.fillAndStart(longer, created.ID, spec.Secrets, u); err == nil {
		return created.ID, nil
	}
	return "", l.undo(ctx, spec.Key, created.ID, err)
}

// undo removes a container that could not be started, and returns why Launch
// fails, or errTaken.
func (l *Launcher) undo(ctx context.Context, key core.WorkerKey, id string, why error) error {
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.finish)
	defer cancel()
	removed, err := l.discard(clean, id)
	if notFound(why) && !removed && err == nil { // it was not there any more
		found, ok, err := l.byKey(clean, key)
		switch {
		case err != nil:
			return err
		case ok && found.ID != id:
			return errTaken
		case !ok:
			return fmt.Errorf("%w: docker: %s was stopped before it started", core.ErrRefused, key.WorkerID)
		}
	}
	why = failed(ctx, "start the container of "+key.WorkerID, why)
	if err != nil {
		return fmt.Errorf("%w; and then: %w", why, err)
	}
	return why
}

// discard removes a container that was never started; true when this very call
// has done it. One that runs, ended or is being removed is left alone.
func (l *Launcher) discard(ctx context.Context, id string) (bool, error) {
	c, err := l.client.ContainerInspect(ctx, id)
	if err == nil && c.State.Status == container.StateCreated {
		err = l.client.ContainerRemove(ctx, id, container.RemoveOptions{RemoveVolumes: true})
		if err == nil {
			return true, nil
		}
	}
	if err == nil || notFound(err) || conflict(err) {
		return false, nil
	}
	return false, failed(ctx, "remove a container that was never started", err)
}

// outlive returns a context that ends some time after ctx does, but before
// others may take the maker for dead.
func outlive(ctx context.Context, more time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithTimeout(context.WithoutCancel(ctx), makeTime)
	var late *time.Timer
	var mu sync.Mutex
	stop := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		late = time.AfterFunc(more, cancel)
	})
	return longer, func() {
		stop()
		mu.Lock()
		defer mu.Unlock()
		if late != nil {
			late.Stop()
		}
		cancel()
	}
}

// fillAndStart copies the secrets into a created container and starts it. Its
// errors are the client's own.
func (l *Launcher) fillAndStart(ctx context.Context, id string, secrets []ports.EnvVar, u user) error {
	if len(secrets) > 0 {
		archive, err := secretTar(secrets, u)
		if err != nil {
			return err
		}
		if err := l.client.CopyToContainer(ctx, id, "/", bytes.NewReader(archive), container.CopyToContainerOptions{}); err != nil {
			return err
		}
	}
	l.at("filled")
	return l.client.ContainerStart(ctx, id, container.StartOptions{})
}
