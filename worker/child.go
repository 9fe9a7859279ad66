package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// Opener holds the constructors that a worker process needs of its program.
type Opener struct {
	// Store opens the store at the address of BENCHFLEET_STORE, with the token of
	// BENCHFLEET_STORE_TOKEN if there is one. Required.
	Store func(ctx context.Context, address, token string) (ports.Store, error)
	// Target connects to a target of that kind. Required.
	Target func(ctx context.Context, kind string, endpoint ports.Endpoint) (ports.Target, error)
	// Build is the identity of this binary. Required.
	Build func() core.Build
	// Observe is that of Config; may be nil.
	Observe func(Observation)
	// Share is that of Ports.
	Share core.HostShare
	// Usage is that of Ports; nil: unknown.
	Usage func() (cpuPercent, memoryPercent, cpuSeconds float64)
	// Strain is that of Ports; nil: unknown.
	Strain func() core.Strain
}

// Process is what a worker lives in: an operating system's process, or what
// stands for one.
type Process struct {
	Environ []string // "NAME=value"; of two with one name the last counts
	// Signals are those of Config; nil: SIGTERM and the interrupt of this
	// process, which Main then takes over.
	Signals <-chan struct{}
	Log     io.Writer // of JSON lines
}

// RunIfChild makes this process a worker when its environment says that it is
// one: then it runs the worker contract to its end and exits the process with
// the exit code. Otherwise it returns at once. It is the first line of a main
// whose program is its own worker.
func RunIfChild(open Opener) {
	environ := os.Environ()
	if IsChild(environ) {
		os.Exit(Main(context.Background(), Process{Environ: environ, Log: os.Stderr}, open).Code)
	}
}

// IsChild reports whether the environment is that of a worker.
func IsChild(environ []string) bool {
	_, ok := environment(environ).lookup(ports.EnvWorkerID)
	return ok
}

// Main is the whole life of a worker process: it reads the worker contract, runs
// the worker until it ends, leaves the exit record where BENCHFLEET_EXIT_RECORD
// says, and returns how it ended. The end of ctx is a kill.
func Main(ctx context.Context, process Process, open Opener) Exit {
	env := environment(process.Environ)
	logged := &lines{out: process.Log}
	log := slog.New(slog.NewJSONHandler(logged, nil)).With("run_id", env.get(ports.EnvRunID), "worker_id", env.get(ports.EnvWorkerID))
	signals := process.Signals
	if signals == nil {
		var stop func()
		signals, stop = notify()
		defer stop()
	}
	exit := runChild(ctx, env, signals, open, log, logged)
	if file := env.get(ports.EnvExitRecord); file != "" {
		if err := writeExitRecord(file, exit); err != nil {
			log.Error("the exit record could not be written", "error", err.Error())
		}
	}
	return exit
}

// runChild opens the store and runs the worker.
func runChild(ctx context.Context, env environment, signals <-chan struct{}, open Opener, log *slog.Logger, logged *lines) Exit {
	config, err := env.config()
	if err != nil {
		log.Error("the environment is not that of a worker", "error", err.Error())
		return Exit{Code: core.ExitEnvironment, Cause: err.Error()}
	}
	config.Signals = signals
	config.Build = open.Build()
	config.Observe = open.Observe
	hide := &redactor{}
	address, err := env.secret(ports.EnvStore)
	if err != nil {
		log.Error("the store's address cannot be read", "error", err.Error())
		return Exit{Code: core.ExitEnvironment, Cause: err.Error()}
	}
	hide.add(address, "the store's address")
	token, err := env.secret(ports.EnvStoreToken)
	if err != nil && core.CodeOf(err) != core.NotFound {
		log.Error("the store's token cannot be read", "error", err.Error())
		return Exit{Code: core.ExitEnvironment, Cause: err.Error()}
	}
	hide.addToken(token, "the store's token")
	store, signalled, err := openStore(ctx, signals, open, address, token)
	if signalled {
		log.Info("a signal came before anything was begun")
		if err == nil {
			_ = closeSoon(store) // nothing was done with it
		}
		return Exit{Code: core.ExitCompleted, Cause: "a signal, before anything was begun"}
	}
	if err != nil {
		cause := hide.text(fmt.Sprintf("the store could not be opened: %v", err))
		log.Error(cause)
		return Exit{Code: core.ExitEnvironment, Cause: cause}
	}
	exit := Run(ctx, config, Ports{
		Runs: store, Workers: store, Results: store, Pools: store.Pools(),
		Target: func(ctx context.Context, target core.ScenarioTarget) (ports.Target, error) {
			endpoint, err := env.endpoint(target.Endpoint)
			if err != nil {
				return nil, err
			}
			hide.add(endpoint.DSN, "endpoint "+endpoint.Name)
			return open.Target(ctx, target.Kind, endpoint)
		},
		Usage: open.Usage, Share: open.Share, Strain: open.Strain, Redact: hide.text, Log: log, Lines: logged.newest,
	})
	if err := closeSoon(store); err != nil {
		log.Warn("the store was not closed", "error", hide.text(err.Error()))
	}
	return exit
}

// openStore opens the store, again and again while it is unavailable and no
// signal comes.
func openStore(ctx context.Context, signals <-chan struct{}, open Opener, address, token string) (store ports.Store, signalled bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, prepareTimeout)
	defer cancel()
	ctx, heard := untilSignal(ctx, signals)
	defer func() { signalled = heard() }()
	for failures := 1; ; failures++ {
		store, err := open.Store(ctx, address, token)
		if err == nil || !core.Retryable(err) || ctx.Err() != nil {
			return store, false, err
		}
		wait(ctx, beatPause(failures))
	}
}

// closeSoon closes the store, and gives up on one that does not close.
func closeSoon(store ports.Store) error {
	result := make(chan error, 1)
	go func() { result <- store.Close() }()
	timer := time.NewTimer(leaveTimeout)
	defer timer.Stop()
	select {
	case err := <-result:
		return err
	case <-timer.C:
		return fmt.Errorf("%w: it did not close within %s", core.ErrUnavailable, leaveTimeout)
	}
}

// notify turns the platform's signals into plain ones.
func notify() (signals <-chan struct{}, stop func()) {
	from := make(chan os.Signal, 4)
	to := make(chan struct{}, 4)
	done := make(chan struct{})
	signal.Notify(from, syscall.SIGTERM, os.Interrupt)
	go func() {
		for {
			select {
			case <-from:
			case <-done:
				return
			}
			select {
			case to <- struct{}{}:
			default: // more than anybody counts
			}
		}
	}()
	return to, func() {
		signal.Stop(from)
		close(done)
	}
}

// writeExitRecord writes the record by rename, so that a reader sees all of it
// or none.
func writeExitRecord(file string, exit Exit) error {
	text, err := json.Marshal(exit)
	if err != nil {
		return fmt.Errorf("%w: exit record: %w", core.ErrInternal, err)
	}
	temporary, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*")
	if err != nil {
		return fmt.Errorf("%w: exit record: %w", core.ErrUnavailable, err)
	}
	_, err = temporary.Write(append(text, '\n'))
	err = errors.Join(err, temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("%w: exit record: %w", core.ErrUnavailable, errors.Join(err, os.Remove(temporary.Name())))
	}
	return nil
}

// environment is a process's environment, as os.Environ gives it.
type environment []string

func (e environment) lookup(name string) (value string, ok bool) {
	for _, entry := range e {
		if key, v, found := strings.Cut(entry, "="); found && key == name {
			value, ok = v, true // the last one counts
		}
	}
	return value, ok
}

func (e environment) get(name string) string {
	value, _ := e.lookup(name)
	return value
}

// config reads the worker contract.
func (e environment) config() (c Config, err error) {
	for _, name := range []string{ports.EnvRunID, ports.EnvWorkerID, ports.EnvGroupID, ports.EnvGroupCount, ports.EnvEpoch, ports.EnvStore} {
		inFile := name == ports.EnvStore && e.get(name+"_FILE") != ""
		if e.get(name) == "" && !inFile {
			return c, fmt.Errorf("%w: %s is not set; a launcher sets it", core.ErrInvalid, name)
		}
	}
	c.RunID, c.WorkerID = e.get(ports.EnvRunID), e.get(ports.EnvWorkerID)
	number := func(name string, least int) int {
		n, problem := strconv.Atoi(e.get(name))
		if (problem != nil || n < least) && err == nil {
			err = fmt.Errorf("%w: %s is %q; allowed: a whole number of at least %d", core.ErrInvalid, name, e.get(name), least)
		}
		return n
	}
	c.GroupID = number(ports.EnvGroupID, 0)
	c.GroupCount = number(ports.EnvGroupCount, 1)
	c.Epoch = number(ports.EnvEpoch, 1)
	if grace := e.get(ports.EnvGrace); grace != "" {
		var problem error
		if c.Grace, problem = time.ParseDuration(grace); (problem != nil || c.Grace < 0) && err == nil {
			err = fmt.Errorf(`%w: %s is %q; allowed: a duration like "30s"`, core.ErrInvalid, ports.EnvGrace, grace)
		}
	}
	if err == nil {
		err = c.check()
	}
	return c, err
}

// endpoint finds where the target is: in BENCHFLEET_ENDPOINT_<NAME>, or in the
// file that BENCHFLEET_ENDPOINT_<NAME>_FILE names. A scenario without an
// endpoint has none.
func (e environment) endpoint(name string) (ports.Endpoint, error) {
	if name == "" {
		return ports.Endpoint{}, nil
	}
	dsn, err := e.secret(EndpointVariable(name))
	if err != nil {
		return ports.Endpoint{}, fmt.Errorf("endpoint %q: %w", name, err)
	}
	return ports.Endpoint{Name: name, DSN: dsn}, nil
}

// secret is the value of a variable, or the text of the file that the variable
// with _FILE at its end names. Errors: NotFound when neither is set.
func (e environment) secret(variable string) (string, error) {
	if value, ok := e.lookup(variable); ok {
		return value, nil
	}
	file, ok := e.lookup(variable + "_FILE")
	if !ok {
		return "", fmt.Errorf("%w: neither %s nor %s_FILE is set", core.ErrNotFound, variable, variable)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%w: %s_FILE: %w", core.ErrUnavailable, variable, err)
	}
	return strings.TrimSpace(string(text)), nil
}

// EndpointFrom finds an endpoint in an environment as a worker does. Errors:
// NotFound when the environment does not name it.
func EndpointFrom(environ []string, name string) (ports.Endpoint, error) {
	return environment(environ).endpoint(name)
}

// EndpointVariable is the variable that holds the endpoint of that name:
// BENCHFLEET_ENDPOINT_ and the name in capitals, with an underscore for
// everything that is no letter or digit.
func EndpointVariable(name string) string {
	return ports.EndpointPrefix + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		default:
			return '_'
		}
	}, name)
}
