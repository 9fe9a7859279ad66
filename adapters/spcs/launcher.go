// Package spcs starts workers as job services of Snowpark Container Services, one
// for each worker, over an opened *sqlx.DB. It finds them again by name and comment,
// also after the orchestrator that started them has died and every store is lost.
// It pushes no image, makes no pool and restarts nothing.
//
// Its laws:
//
//   - A job is named after run, worker and epoch, with a hash of the exact key, and
//     its comment holds the key. The name is taken once: who comes second finds the
//     job that is there. REPLICAS is not used: one of them could neither be ended
//     nor added alone.
//   - Handles name the account, the role and the job. Snowflake does not tell what
//     does not exist from what a role may not see, so only the role that made a job
//     says that it is gone; another gets an error.
//   - No secret is in a statement. A secret reaches a worker from a Snowflake secret
//     object, which somebody has made, and whose name the options give. The login is
//     nobody's to set: the platform gives each container a host, an account and a
//     token.
//   - One SHOW answers for all workers, at most once in Options.Pace. How a job ended
//     is asked once. Why jobs wait is asked of one pool and one job at a time.
//
// # Ending
//
// A gentle stop cancels the job: its worker gets SIGTERM, and 30 seconds later
// SIGKILL from the platform. A hard one drops the job, after its log was read; the
// platform has nothing harder than the same 30 seconds. Whoever needs a worker to
// do nothing more at once relies on the lease of the run, not on the platform.
//
// # What is lost
//
// The log of a job is on its node, and gone with it, which may be soon after the
// end. Jobs on a node that Snowflake replaces, about monthly, end and are not started
// again. A name is free again after Release, or 30 days after the end.
package spcs

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

const (
	name    = "spcs"
	version = 1

	containerName = "worker" // the name of the one container of a job

	defaultGrace        = 30 * time.Second // between SIGTERM and SIGKILL; nobody can change it
	defaultStartTimeout = 15 * time.Minute // a node may have to be made
	defaultPace         = time.Second

	callLimit = time.Minute // of one method, when its context has no sooner end
)

// Options of a Launcher.
type Options struct {
	// Database and Schema are where the job services are made; required. Names that
	// need quotes cannot be used, for Snowflake takes none here.
	Database, Schema string
	// Pool is the compute pool, and Image the worker's, like
	// /db/schema/repository/benchfleet:v1. Launch and Check need both, nothing else
	// does.
	Pool, Image string
	// Build is this program's. The platform shows nothing of an image by which its
	// build could be known: workers of another are refused when they register.
	Build core.Build
	// Command replaces the image's entrypoint, Args its arguments. They must hold no
	// secret.
	Command, Args []string
	// Warehouse is what the workers' statements run on where they name none.
	Warehouse string
	// CPU and Memory of each worker, like "2" and "4Gi": requested, and its limit.
	// Empty: half a processor and 0.5Gi are requested, and there is no limit but the
	// node.
	CPU, Memory string
	// EAIs are external access integrations: what lets workers out of Snowflake.
	EAIs []string
	// Secrets are Snowflake's secret objects of the type GENERIC_STRING, as
	// DATABASE.SCHEMA.NAME, by the variable of the worker that gets their text.
	Secrets map[string]string
	// Env is the environment that each worker starts from, as "NAME=value"; the
	// variables of a launch win. It must hold no secret: DESCRIBE SERVICE shows it.
	Env []string
	// HealthPort is where workers serve /health, which the platform asks whether they
	// are ready. 0: nowhere, and the platform takes a worker that runs for ready.
	HealthPort int
	// Number is the number and the SQLSTATE of an error of Snowflake; 0 for any other.
	Number func(error) (int, string)
	// Code is the core's sentinel for an error; nil where there is none.
	Code func(error) error
	// Pace is how old an answer about all jobs may be; default 1 s.
	Pace time.Duration
	// StartTimeout is what Capabilities say; default 15 min.
	StartTimeout time.Duration
	// Logger gets what goes wrong without harm; nil: nobody does.
	Logger *slog.Logger
}

// Launcher is a ports.Launcher of job services. Two Launchers of one account and
// role are the same platform, also in two processes.
type Launcher struct {
	db      *sqlx.DB
	options Options
	at      place

	mu      sync.Mutex
	who     identity
	seen    map[place]listing
	changes int                           // by this Launcher: what was listed before the newest is old
	ends    map[string]ports.WorkerStatus // of ended jobs, by path
	dropped map[string]last               // by Stop, by path, until Release
	waits   waits
}

// last is what is kept of a job that was dropped.
type last struct {
	log []byte
	ran bool
}

var _ ports.Launcher = (*Launcher)(nil)

// New returns a launcher over an opened pool of connections, which stays the
// caller's to close. It does no I/O: Check tells whether everything is there.
// Errors: Invalid for options that can never work.
func New(db *sqlx.DB, opts Options) (*Launcher, error) {
	opts = withDefaults(opts)
	if db == nil {
		return nil, fmt.Errorf("%w: spcs: no pool of connections is given", core.ErrInvalid)
	}
	if err := validOptions(opts); err != nil {
		return nil, err
	}
	return &Launcher{
		db: db, options: opts, at: place{opts.Database, opts.Schema},
		seen: map[place]listing{}, ends: map[string]ports.WorkerStatus{}, dropped: map[string]last{},
		waits: waits{messages: map[string]string{}},
	}, nil
}

// withDefaults also copies what the caller may change later.
func withDefaults(o Options) Options {
	o.Command, o.Args, o.Env, o.EAIs = slices.Clone(o.Command), slices.Clone(o.Args), slices.Clone(o.Env), slices.Clone(o.EAIs)
	o.Secrets = maps.Clone(o.Secrets)
	o.Database, o.Schema = strings.ToUpper(o.Database), strings.ToUpper(o.Schema)
	o.Pool, o.Warehouse = strings.ToUpper(o.Pool), strings.ToUpper(o.Warehouse)
	if o.Number == nil {
		o.Number = func(error) (int, string) { return 0, "" }
	}
	if o.Code == nil {
		o.Code = func(error) error { return nil }
	}
	if o.Pace == 0 {
		o.Pace = defaultPace
	}
	if o.StartTimeout == 0 {
		o.StartTimeout = defaultStartTimeout
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Capabilities implements ports.Launcher.
func (l *Launcher) Capabilities() ports.Capabilities {
	return ports.Capabilities{Name: name, StartTimeout: l.options.StartTimeout, Grace: defaultGrace}
}

// Reach implements ports.Launcher. Errors: Unsupported, always: no container of
// Snowflake's reaches this host.
func (l *Launcher) Reach(context.Context) (ports.Reach, error) {
	return ports.Reach{}, fmt.Errorf("%w: spcs: workers inside Snowflake do not reach this host; use a store in Snowflake (--store snowflake:ADDRESS)", core.ErrUnsupported)
}

// bound gives every method an end.
func bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, callLimit)
}

// identity is who the launcher is to Snowflake.
type identity struct{ account, role string }

// whoami asks once. All sessions of the pool log in alike.
func (l *Launcher) whoami(ctx context.Context) (identity, error) {
	l.mu.Lock()
	who := l.who
	l.mu.Unlock()
	if who.account != "" {
		return who, nil
	}
	rows, err := l.ask(ctx, "ask who this session is", "SELECT CURRENT_ACCOUNT() AS ACCOUNT, CURRENT_ROLE() AS ROLE")
	if err != nil {
		return who, err
	}
	if len(rows) != 1 || rows[0]["account"] == "" || rows[0]["role"] == "" {
		return who, fmt.Errorf("%w: spcs: this session has no account or no role; name a role in the address", core.ErrUnsupported)
	}
	who = identity{rows[0]["account"], rows[0]["role"]}
	l.mu.Lock()
	l.who = who
	l.mu.Unlock()
	return who, nil
}
