// Package local starts workers as processes of this host and finds them again,
// also after the orchestrator that started them has died. It is no supervisor:
// it restarts nothing, and a worker needs nobody to stay alive.
//
// Its laws:
//
//   - Each worker leads a session and a process group of its own, with
//     /dev/null as stdin. Ctrl-C on a terminal reaches the orchestrator alone,
//     and a worker outlives it.
//   - A handle holds host, boot, process id and the time at which the process
//     started. Both are compared immediately before each signal, on Linux
//     through a pidfd, so that a reused process id is never signalled.
//   - At most one process is ever started for a key. Whoever launches holds an
//     advisory lock on the launch's folder; the kernel frees it when he dies.
//   - No process is ever unknown. The record of a launch is written just after
//     its process has started. If the launcher dies between the two, whoever
//     looks next finds the process by its environment, in which
//     BENCHFLEET_EXIT_RECORD names a file with the launch's random id.
//   - Secrets are in the environment of the worker's process, and nowhere else.
//
// # What is on disk
//
// Each launch has a folder dir/workers/<run>/<worker>.<epoch>/, which only the
// user can read:
//
//	lock              advisory lock of whoever changes this folder
//	launch.json       the launch: claimed, started or lost
//	log               stdout and stderr of the worker; its existence means that a
//	                  start was attempted
//	exit-<id>.json    what the worker says of its end (ports.ExitRecord)
//	reaped-<id>.json  what the kernel told the parent of its end
//
// The folder must be on a file system of this host that supports flock. The
// worker writes to its log directly, so the log's size has no bound: a worker
// must not chatter. Logs reads its end only.
//
// # What a crash of the launcher leaves
//
//   - Before the log exists: nothing was started. The next Launch of the key
//     starts it; List shows it as GONE until then.
//   - Between the creation of the log and the record of the start: if the
//     process lives, it is found and recorded. If none lives, the launch is
//     lost: it is GONE for ever, since it may have lived.
//   - After that: the record tells all.
//
// macOS has no pidfd: there the comparison and the signal are two calls.
package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

const (
	name    = "local"
	version = 1

	defaultStartTimeout = time.Minute
)

// Options of a Launcher. The zero value starts this executable without
// arguments and with an empty environment.
type Options struct {
	// Command is the program and its arguments; default: this executable alone.
	// It must hold no secret: everybody on the host can read it.
	Command []string
	// Environ is the environment that each worker starts from, as "NAME=value";
	// mains pass os.Environ(). The variables of a launch come after it and win.
	Environ []string
	// StartTimeout is what Capabilities say; default 60 s.
	StartTimeout time.Duration
	// Logger gets what no caller can be told: that the record of an exit could
	// not be written. Default: nobody.
	Logger *slog.Logger
}

// Launcher is a ports.Launcher of processes. Two Launchers with the same folder
// are the same platform, also in two processes.
type Launcher struct {
	dir     string // absolute
	command []string
	environ []string
	start   time.Duration
	host    string
	boot    string

	reaper reaper
	// at is called at named points of a launch; tests die there.
	at func(point string)
}

var _ ports.Launcher = (*Launcher)(nil)

// New returns a launcher that keeps its records below dir. It creates nothing
// yet. Errors: Invalid for an empty dir, Unsupported on an operating system that
// is neither Linux nor macOS.
func New(dir string, opts Options) (*Launcher, error) {
	if dir == "" {
		return nil, fmt.Errorf("%w: local: the folder of the launches is empty; name one", core.ErrInvalid)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: local: folder %s: %w", core.ErrInvalid, dir, err)
	}
	boot, err := bootID()
	if err != nil {
		return nil, fmt.Errorf("%w: local: which boot of the host this is: %w", core.ErrUnsupported, err)
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("%w: local: name of this host: %w", core.ErrInternal, err)
	}
	command := opts.Command
	if len(command) == 0 {
		exe, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("%w: local: path of this executable: %w", core.ErrUnsupported, err)
		}
		command = []string{exe}
	}
	l := &Launcher{
		dir:     abs,
		command: append([]string(nil), command...),
		environ: append([]string(nil), opts.Environ...),
		start:   opts.StartTimeout,
		host:    host,
		boot:    boot,
		at:      func(string) {},
	}
	if l.start <= 0 {
		l.start = defaultStartTimeout
	}
	l.reaper.log = opts.Logger
	if opts.Logger == nil {
		l.reaper.log = slog.New(slog.DiscardHandler)
	}
	return l, nil
}

// Close ends the launcher's own goroutine and waits for it. Workers live on;
// Launch is Refused from now on, everything else still works.
func (l *Launcher) Close() error {
	l.reaper.close()
	return nil
}

// Capabilities implements ports.Launcher.
func (l *Launcher) Capabilities() ports.Capabilities {
	return ports.Capabilities{
		Name:         name,
		HostBound:    true,
		LocalFiles:   true,
		Unstamped:    true,
		StartTimeout: l.start,
	}
}

// Reach implements ports.Launcher: workers are processes of this host.
func (l *Launcher) Reach(ctx context.Context) (ports.Reach, error) {
	if err := ctx.Err(); err != nil {
		return ports.Reach{}, err
	}
	return ports.Reach{Listen: "127.0.0.1", Dial: "127.0.0.1"}, nil
}

// Launch implements ports.Launcher. A launch that another process is just
// making is waited for, until ctx ends.
func (l *Launcher) Launch(ctx context.Context, spec ports.WorkerSpec) (core.Handle, error) {
	folder, err := folderOf(spec.Key)
	if err != nil {
		return core.Handle{}, err
	}
	if err := validEnvironment(spec); err != nil {
		return core.Handle{}, err
	}
	if l.reaper.isClosed() {
		return core.Handle{}, fmt.Errorf("%w: local: the launcher is closed", core.ErrRefused)
	}
	lk, err := l.claim(ctx, folder)
	if err != nil {
		return core.Handle{}, err
	}
	defer lk.release()
	l.at("locked")

	rec, err := lk.record()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		rec = l.newRecord(spec)
		if err := writeRecord(lk.folder, rec, durable); err != nil {
			lk.discard()
			return core.Handle{}, failed("record the launch of "+spec.Key.WorkerID, err)
		}
	case err != nil:
		return core.Handle{}, failed("read the record of an earlier launch", err)
	case rec.Key != spec.Key: // a file system that does not tell A from a
		return core.Handle{}, fmt.Errorf("%w: local: folder %s belongs to worker %s of run %s",
			core.ErrInvalid, lk.folder, rec.Key.WorkerID, rec.Key.RunID)
	}
	l.at("claimed")
	if rec, err = l.settle(ctx, lk.folder, rec); err != nil {
		return core.Handle{}, err
	}
	if rec.State == claimed {
		if rec, err = l.spawn(ctx, lk, rec, spec); err != nil {
			return core.Handle{}, err
		}
	}
	return rec.handle(folder), nil
}

// spawn starts the process of a claimed launch and records it. The caller holds
// the folder's lock. When it fails, no process lives and no trace is left.
func (l *Launcher) spawn(ctx context.Context, lk *lock, rec record, spec ports.WorkerSpec) (record, error) {
	if err := ctx.Err(); err != nil {
		lk.discard()
		return rec, ended("launch of "+spec.Key.WorkerID, err)
	}
	log, err := openLog(lk.folder)
	if err != nil {
		lk.discard()
		return rec, failed("open the log of "+spec.Key.WorkerID, err)
	}
	defer log.Close() //nolint:errcheck // the worker has its own copy
	l.at("attempted")

	cmd := exec.Command(l.command[0], l.command[1:]...) //nolint:noctx // a worker outlives the context of its launch
	cmd.Env = l.environment(spec, filepath.Join(lk.folder, exitName(rec.ID)))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = ownSession()
	if err := cmd.Start(); err != nil {
		lk.discard()
		return rec, failed("start "+l.command[0], err)
	}
	l.at("started")
	now, ok, err := look(cmd.Process.Pid)
	if err == nil && !ok {
		err = errors.New("the operating system does not show the process that it has just started")
	}
	if err == nil {
		rec.State, rec.process = started, now.process
		err = writeRecord(lk.folder, rec, volatile)
	}
	if err != nil { // its own child, not yet reaped: the id cannot be another's
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		lk.discard()
		return rec, failed("record the start of "+spec.Key.WorkerID, err)
	}
	l.at("recorded")
	_ = cmd.Process.Release() // from here on the reaper waits for it
	l.reaper.add(child{process: rec.process, folder: lk.folder, id: rec.ID})
	return rec, nil
}

// environment is the worker's: the base, then the spec's, then the contract's.
func (l *Launcher) environment(spec ports.WorkerSpec, exitRecord string) []string {
	env := append([]string(nil), l.environ...)
	for _, v := range spec.Environment {
		env = append(env, v.Name+"="+v.Value)
	}
	for _, v := range spec.Secrets {
		env = append(env, v.Name+"="+v.Value)
	}
	return append(env,
		ports.EnvRunID+"="+spec.Key.RunID,
		ports.EnvWorkerID+"="+spec.Key.WorkerID,
		ports.EnvGroupID+"="+strconv.Itoa(spec.GroupID),
		ports.EnvGroupCount+"="+strconv.Itoa(spec.GroupCount),
		ports.EnvEpoch+"="+strconv.Itoa(spec.Key.Epoch),
		ports.EnvExitRecord+"="+exitRecord,
	)
}

// validEnvironment refuses what no environment can hold. It never shows a value.
func validEnvironment(spec ports.WorkerSpec) error {
	for _, vars := range [][]ports.EnvVar{spec.Environment, spec.Secrets} {
		for _, v := range vars {
			switch {
			case v.Name == "" || strings.ContainsAny(v.Name, "=\x00"):
				return fmt.Errorf("%w: local: environment variable %q: a name is not empty and holds no '=' and no zero byte", core.ErrInvalid, v.Name)
			case strings.ContainsRune(v.Value, 0):
				return fmt.Errorf("%w: local: environment variable %s: its value holds a zero byte", core.ErrInvalid, v.Name)
			}
		}
	}
	return nil
}
