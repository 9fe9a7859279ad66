// Package docker starts workers as containers of one Docker Engine and finds
// them again by name and label, also after the orchestrator that started them
// has died and every store is lost. It is no scheduler, pulls and builds no
// image, and restarts nothing.
//
// Its laws:
//
//   - A container is started once, by the call that has created it, and by
//     nobody else: Docker would start an ended container again. Whoever finds one
//     that is not started yet waits for its maker. When that takes too long, the
//     maker is taken for dead: the container is removed by its id, which only one
//     can do, and made anew. A slow maker then finds its own gone.
//   - What a container is, its labels tell: run, worker, epoch, expiry. Its name
//     holds them too, for people, with a hash of the exact key. Labels alone make
//     no launch: a container of the image of a committed worker inherits them.
//   - Handles name the daemon and the container. Only the daemon that made a
//     container says that it is gone; any other answers with an error.
//   - Secrets are files, copied into the created container before it starts:
//     mode 0400, of the worker's user, in a folder of mode 0500. The variable
//     NAME_FILE holds the path of the secret NAME. They are in no variable, label,
//     command line, log or volume, and end with the container.
//   - A container has no capabilities, gains no privileges, restarts never, and
//     is removed with its anonymous volumes.
//
// Its root file system is writable, since Docker copies nothing into a read-only
// one, and a volume would keep the secrets when somebody removes the container
// by hand. The worker's user owns nothing in it but the secrets.
//
// # What a crash leaves
//
//   - The launcher dies between create and start: a container that Inspect calls
//     PENDING. The next Launch of its key makes it anew; Stop, gentle or hard,
//     removes it.
//   - The daemon ends: it ends its containers first, unless it is killed. They
//     are GONE after its restart and stay until Release.
//
// # Ending
//
// A gentle stop is SIGTERM, at once and nothing else: how long a worker may
// drain is the run's own deadline, after which the runner stops it hard. Only a
// daemon that shuts down, or a person with docker stop, kills by a clock of its
// own; that clock is Options.Grace.
package docker

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/docker/docker/client"
)

const (
	name    = "docker"
	version = 1

	defaultImage        = "benchfleet:latest"
	defaultHost         = client.DefaultDockerHost
	defaultNetwork      = "bridge"
	hostNetwork         = "host"
	defaultUser         = "65532:65532" // nobody in particular
	defaultGrace        = 30 * time.Second
	defaultStartTimeout = time.Minute

	callLimit  = time.Minute      // of one method, when its context has no sooner end
	finishTime = 5 * time.Second  // for a launch under way after its context has ended
	makeTime   = 20 * time.Second // for a maker from create to start; it starts nothing later
	claimLife  = 30 * time.Second // from create to start, before the maker is taken for dead
)

// Options of a Launcher. The zero value uses the daemon of this host at its
// default socket and the image benchfleet:latest.
type Options struct {
	// Host is the daemon, like unix:///var/run/docker.sock or
	// tcp://10.0.0.7:2376; default: the socket of this operating system.
	Host string
	// TLS is for a tcp host; nil: plain text.
	TLS *tls.Config
	// Image of the worker, by name or id; default benchfleet:latest.
	Image string
	// Build is what the image must have been built from, by its labels. Without
	// an ID Check only warns.
	Build core.Build
	// Command replaces the image's entrypoint and arguments. It must hold no
	// secret.
	Command []string
	// Network that the containers join: default "bridge", a user's network, or
	// "host" or "none".
	Network string
	// CPUs of each worker, like 1.5; 0: no limit.
	CPUs float64
	// Memory of each worker in bytes, with no swap beyond it; 0: no limit. Docker
	// takes no less than 6 MiB, and a worker needs 32.
	Memory int64
	// Env is the environment that each worker starts from, as "NAME=value"; the
	// variables of a launch win. It must hold no secret: docker inspect shows it.
	// Names that begin with BENCHFLEET_ are the worker contract's, except
	// BENCHFLEET_HEALTH.
	Env []string
	// Mounts are folders or files of the daemon's host.
	Mounts []Mount
	// ExtraHosts are lines for /etc/hosts, as "name:address", besides
	// host.docker.internal.
	ExtraHosts []string
	// User is "uid" or "uid:gid", in numbers; default: that of the image, or
	// 65532:65532 if it names none.
	User string
	// Labels of the containers besides the launcher's own, which begin with
	// "benchfleet.".
	Labels map[string]string
	// Grace is the time from SIGTERM to SIGKILL when the daemon shuts down or a
	// person stops a container; default 30 s. Stop does not use it.
	Grace time.Duration
	// StartTimeout is what Capabilities say; default 60 s.
	StartTimeout time.Duration
}

// Mount shows a path of the daemon's host to the workers.
type Mount struct {
	Source   string // absolute, on the daemon's host; it must exist
	Target   string // absolute, in the container
	ReadOnly bool
}

// Launcher is a ports.Launcher of containers. Two Launchers of one daemon are
// the same platform, also in two processes.
type Launcher struct {
	client  *client.Client
	options Options
	local   bool          // the daemon is on this host
	claim   time.Duration // claimLife and
	finish  time.Duration // finishTime, shorter in tests

	mu     sync.Mutex
	known  daemon
	knewAt time.Time
	ends   map[string]ports.WorkerStatus // of ended containers, by id
	undone map[string]bool               // by id: removed by Stop before they ran, until Release

	// at is called at named points of a launch; tests die there.
	at func(point string)
}

var _ ports.Launcher = (*Launcher)(nil)

// New returns a launcher. It does no I/O: Check tells whether the daemon is
// there. Errors: Invalid for options that can never work.
func New(opts Options) (*Launcher, error) {
	opts = withDefaults(opts)
	if err := validOptions(opts); err != nil {
		return nil, err
	}
	host, err := client.ParseHostURL(opts.Host)
	if err != nil {
		return nil, fmt.Errorf("%w: docker: host: %w", core.ErrInvalid, err)
	}
	if err := validHost(host); err != nil {
		return nil, err
	}
	transport := &http.Transport{TLSClientConfig: opts.TLS}
	c, err := client.NewClientWithOpts(
		client.WithHTTPClient(&http.Client{Transport: transport, CheckRedirect: client.CheckRedirect}),
		client.WithHost(opts.Host),
		client.WithAPIVersionNegotiation(),
	)
	if err != nil {
		return nil, fmt.Errorf("%w: docker: host %s: %w", core.ErrInvalid, opts.Host, err)
	}
	return &Launcher{
		client:  c,
		options: opts,
		local:   host.Scheme == "unix" || host.Scheme == "npipe",
		claim:   claimLife,
		finish:  finishTime,
		ends:    map[string]ports.WorkerStatus{},
		undone:  map[string]bool{},
		at:      func(string) {},
	}, nil
}

// withDefaults also copies what the caller may change later.
func withDefaults(o Options) Options {
	o.Command, o.Env, o.ExtraHosts = slices.Clone(o.Command), slices.Clone(o.Env), slices.Clone(o.ExtraHosts)
	o.Mounts, o.Labels = slices.Clone(o.Mounts), maps.Clone(o.Labels)
	for _, d := range []struct {
		field *string
		value string
	}{{&o.Host, defaultHost}, {&o.Image, defaultImage}, {&o.Network, defaultNetwork}} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	if o.Grace == 0 {
		o.Grace = defaultGrace
	}
	if o.StartTimeout == 0 {
		o.StartTimeout = defaultStartTimeout
	}
	return o
}

// Close frees the connections to the daemon. Workers live on.
func (l *Launcher) Close() error {
	if err := l.client.Close(); err != nil {
		return failed(context.Background(), "close", err)
	}
	return nil
}

// Capabilities implements ports.Launcher. A launcher of a local daemon is
// HostBound, since no other host reaches that daemon; its handles do survive a
// boot. One of a tcp host is not.
func (l *Launcher) Capabilities() ports.Capabilities {
	return ports.Capabilities{Name: name, HostBound: l.local, StartTimeout: l.options.StartTimeout}
}

// bound gives every method an end.
func bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, callLimit)
}
