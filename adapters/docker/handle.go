package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// handle is the data of a core.Handle: a container of a daemon.
type handle struct {
	Daemon    string `json:"daemon"`
	Container string `json:"container"`
}

// validID keeps a forged handle from being a name, or a path of the API.
var validID = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (h handle) encode() core.Handle {
	data, err := json.Marshal(h)
	if err != nil { // two strings: cannot be
		return core.Handle{}
	}
	return core.Handle{Launcher: name, Version: version, Data: data}
}

// decode reads a handle. Errors: Invalid for one that no docker launcher made.
func decode(from core.Handle) (handle, error) {
	var h handle
	if from.Launcher != name || from.Version != version {
		return h, fmt.Errorf("%w: docker: handle of launcher %q, version %d; this is launcher %q, version %d",
			core.ErrInvalid, from.Launcher, from.Version, name, version)
	}
	if err := json.Unmarshal(from.Data, &h); err != nil {
		return h, fmt.Errorf("%w: docker: handle: %w", core.ErrInvalid, err)
	}
	if h.Daemon == "" || !validID.MatchString(h.Container) {
		return h, fmt.Errorf("%w: docker: handle of daemon %q, container %q", core.ErrInvalid, h.Daemon, h.Container)
	}
	return h, nil
}

// daemon is what is known of the Engine behind the client.
type daemon struct {
	ID       string
	Clock    time.Time // its own, when it was asked
	Desktop  bool      // Docker Desktop: the Engine is in a virtual machine
	Rootless bool      // the Engine has a network namespace of its own
}

// recent is how long an answer of the daemon about itself is believed where
// nothing false could follow from it.
const recent = 10 * time.Second

// ask asks the daemon who it is, unless an answer younger than maxAge is there.
func (l *Launcher) ask(ctx context.Context, maxAge time.Duration) (daemon, error) {
	l.mu.Lock()
	known, age := l.known, time.Since(l.knewAt)
	l.mu.Unlock()
	if known.ID != "" && age < maxAge {
		return known, nil
	}
	info, err := l.client.Info(ctx)
	if err != nil {
		return daemon{}, failed(ctx, "ask the daemon who it is", err)
	}
	d := daemon{ID: info.ID, Desktop: strings.Contains(info.OperatingSystem, "Docker Desktop")}
	for _, option := range info.SecurityOptions {
		d.Rootless = d.Rootless || strings.Contains(option, "name=rootless")
	}
	if d.ID == "" {
		return d, fmt.Errorf("%w: docker: the daemon at %s has no id", core.ErrUnsupported, l.options.Host)
	}
	if d.Clock, err = time.Parse(time.RFC3339Nano, info.SystemTime); err != nil {
		return d, fmt.Errorf("%w: docker: clock of the daemon: %w", core.ErrUnsupported, err)
	}
	l.mu.Lock()
	l.known, l.knewAt = d, time.Now()
	l.mu.Unlock()
	return d, nil
}

// missing is nil when this daemon is the one that made h, and so a container
// that it does not know is gone. Errors: Unavailable for another daemon.
func (l *Launcher) missing(ctx context.Context, h handle) error {
	d, err := l.ask(ctx, 0)
	if err != nil {
		return err
	}
	if d.ID != h.Daemon {
		return fmt.Errorf("%w: docker: container %.12s is of daemon %s, but at %s is daemon %s; ask there",
			core.ErrUnavailable, h.Container, h.Daemon, l.options.Host, d.ID)
	}
	return nil
}
