package ports

import (
	"context"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// Launcher starts workers somewhere and finds them again. One Launch is one
// worker.
type Launcher interface {
	// Capabilities is constant for the life of the Launcher and does no I/O.
	Capabilities() Capabilities

	// Check makes the preflight checks of the platform for n workers: binary or
	// image, privileges, capacity. Refusals are findings; an error means that
	// checking itself failed.
	Check(ctx context.Context, n int) ([]core.Finding, error)

	// Reach says how workers reach servers on this host: the store's gateway.
	// Errors: Unsupported where they cannot.
	Reach(ctx context.Context) (Reach, error)

	// Launch starts the worker named by spec.Key and returns once the platform
	// has accepted it, not once it is ready.
	// Idempotency: by spec.Key; a second call returns an equal handle and starts
	// nothing, even from another process, even after the worker has ended.
	// Context: after it ends the worker may be running or not; List tells.
	// Errors: Unavailable may succeed later with the same spec; every other code
	// is final.
	Launch(ctx context.Context, spec WorkerSpec) (core.Handle, error)

	// Inspect reports, in the order of handles, what has become of each launch.
	// A launch that the platform does not know is Gone, and no error. The error
	// is for the whole call: then nothing is known.
	Inspect(ctx context.Context, handles []core.Handle) ([]WorkerStatus, error)

	// Stop asks a worker to end (Gentle: SIGTERM or the like) or ends it
	// (Hard), with everything that it has started. It does not wait.
	// Idempotency: stopping what is gone is no error.
	Stop(ctx context.Context, handle core.Handle, force Force) error

	// Release frees what outlives the worker: container, secret, record. The
	// worker must be gone, else Refused. Logs may be gone after it.
	// Idempotency: releasing twice, or what never was, is no error.
	Release(ctx context.Context, handle core.Handle) error

	// List finds every launch of a run that is not released, or of every run
	// when runID is empty, without any knowledge but the platform's own.
	List(ctx context.Context, runID string) ([]Launch, error)

	// Logs returns the newest lines that the worker wrote, oldest first, at
	// most limit bytes (0: 64 KiB). It works for the dead until Release.
	Logs(ctx context.Context, handle core.Handle, limit int) ([]byte, error)
}

// Reach is how the workers of a launcher reach this host.
type Reach struct {
	// Listen is the IP address of this host on which a server must listen. It is
	// never the unspecified address.
	Listen string `json:"listen"`
	// Dial is the name or address by which workers reach that server.
	Dial string `json:"dial"`
}

// Capabilities say what a launcher can do. They are data, checked in preflight.
type Capabilities struct {
	Name string `json:"name"` // "local"
	// HostBound: handles mean something on one host only, and only until it
	// boots again.
	HostBound bool `json:"host_bound"`
	// LocalFiles: workers see this host's files, so a target or a store may be
	// one.
	LocalFiles bool `json:"local_files"`
	// Unstamped: an unstamped binary may work, since the worker is this very
	// executable.
	Unstamped bool `json:"unstamped"`
	// StartTimeout is the default for a scenario that names none.
	StartTimeout time.Duration `json:"start_timeout"`
	// Grace is how long after a gentle stop the platform kills by itself; 0:
	// never.
	Grace time.Duration `json:"grace"`
	// MaxWorkers of one run; 0: no limit of its own.
	MaxWorkers int `json:"max_workers"`
}

// WorkerSpec is everything that a launcher needs to start one worker.
type WorkerSpec struct {
	Key         core.WorkerKey `json:"key"`
	GroupID     int            `json:"group_id"`
	GroupCount  int            `json:"group_count"`
	Environment []EnvVar       `json:"environment"`
	// Secrets are forwarded as the platform does it: never on a command line,
	// never in a label or a log.
	Secrets []EnvVar `json:"secrets,omitempty"`
	// ExpiresAt is when a reaper may end the launch unasked.
	ExpiresAt time.Time `json:"expires_at"`
}

// EnvVar is one variable of a worker's environment.
type EnvVar struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// LaunchState is what a platform knows of a launch.
type LaunchState string

// The states of a launch.
const (
	LaunchPending LaunchState = "PENDING" // accepted, not running yet
	LaunchRunning LaunchState = "RUNNING"
	LaunchGone    LaunchState = "GONE" // exited, killed, or unknown to the platform
)

// WorkerStatus is the answer of Inspect for one handle.
type WorkerStatus struct {
	State LaunchState `json:"state"`
	// ExitCode of a Gone launch; -1 when it is not known.
	ExitCode int `json:"exit_code"`
	// Cause in words: "exited with code 3", "killed by signal 9", "pending: no
	// node". Never empty for PENDING and GONE.
	Cause string `json:"cause"`
}

// Launch is one launch found by List.
type Launch struct {
	Key       core.WorkerKey `json:"key"`
	Handle    core.Handle    `json:"handle"`
	State     LaunchState    `json:"state"`
	ExpiresAt time.Time      `json:"expires_at,omitzero"`
}

// Force is how hard Stop is.
type Force string

// The forces.
const (
	Gentle Force = "gentle"
	Hard   Force = "hard"
)
