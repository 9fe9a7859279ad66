package docker

import (
	"context"
	"fmt"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/docker/docker/api/types/container"
)

// Stop implements ports.Launcher. Gentle is SIGTERM to the worker's process,
// Hard is SIGKILL, with which the kernel ends all processes of the container. A
// container that was never started is removed by both: whoever is making it gets
// Refused.
func (l *Launcher) Stop(ctx context.Context, from core.Handle, force ports.Force) error {
	signal := "SIGTERM"
	switch force {
	case ports.Gentle:
	case ports.Hard:
		signal = "SIGKILL"
	default:
		return fmt.Errorf("%w: docker: force is %q; allowed: gentle, hard", core.ErrInvalid, force)
	}
	h, err := decode(from)
	if err != nil {
		return err
	}
	ctx, cancel := bound(ctx)
	defer cancel()
	for range 2 { // it may start between the two
		err = l.client.ContainerKill(ctx, h.Container, signal)
		if !conflict(err) { // it does not run
			break
		}
		removed, discardErr := l.discard(ctx, h.Container)
		if removed {
			l.mu.Lock()
			l.undone[h.Container] = true
			l.mu.Unlock()
		}
		if removed || discardErr != nil {
			return discardErr
		}
	}
	switch {
	case err == nil, conflict(err):
		return nil
	case notFound(err):
		return l.missing(ctx, h)
	default:
		return failed(ctx, "signal a container", err)
	}
}

// Release implements ports.Launcher: it removes the container with its secrets,
// its log and its anonymous volumes.
func (l *Launcher) Release(ctx context.Context, from core.Handle) error {
	h, err := decode(from)
	if err != nil {
		return err
	}
	ctx, cancel := bound(ctx)
	defer cancel()
	l.mu.Lock()
	delete(l.undone, h.Container)
	l.mu.Unlock()
	tick := time.NewTicker(lastPause / 5)
	defer tick.Stop()
	for {
		c, err := l.client.ContainerInspect(ctx, h.Container)
		switch {
		case notFound(err):
			return l.missing(ctx, h)
		case err != nil:
			return failed(ctx, "look at a container", err)
		case stateOf(c.State.Status) != ports.LaunchGone:
			return fmt.Errorf("%w: docker: container %.12s is %s; stop it first", core.ErrRefused, h.Container, c.State.Status)
		}
		// What is dead could not be removed before: only force tries again.
		options := container.RemoveOptions{RemoveVolumes: true, Force: c.State.Status == container.StateDead}
		err = l.client.ContainerRemove(ctx, h.Container, options)
		switch {
		case err == nil, notFound(err):
			return nil
		case !conflict(err):
			return failed(ctx, "remove a container", err)
		}
		select { // another call is removing it
		case <-tick.C:
		case <-ctx.Done():
			return failed(ctx, "remove a container", err)
		}
	}
}
