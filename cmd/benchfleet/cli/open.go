package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/benchfleet/benchfleet/adapters/local"
	"github.com/benchfleet/benchfleet/adapters/sqlite"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
	"github.com/benchfleet/benchfleet/worker"
)

// targetAndLoader is a target that can also prepare its benchmark table.
type targetAndLoader interface {
	ports.Target
	ports.Loader
}

// Opener opens what a worker needs; RunIfChild takes it.
func Opener() worker.Opener {
	return worker.Opener{
		Store: func(ctx context.Context, address string) (ports.Store, error) { return openStore(ctx, address) },
		Target: func(ctx context.Context, kind string, e ports.Endpoint) (ports.Target, error) {
			return openTarget(ctx, kind, e)
		},
		Build: func() core.Build {
			build, err := ThisBuild()
			if err != nil {
				build.ID = "unknown: " + err.Error() // equal to no orchestrator's
			}
			return build
		},
		Usage: NewUsage(),
	}
}

func openStore(ctx context.Context, address string) (ports.Store, error) {
	path, err := sqlitePath(address)
	if err != nil {
		return nil, err
	}
	return sqlite.OpenStore(ctx, path, sqlite.Options{})
}

func openTarget(ctx context.Context, kind string, e ports.Endpoint) (targetAndLoader, error) {
	switch kind {
	case "sqlite":
		return sqlite.OpenTarget(ctx, e.DSN, sqlite.TargetOptions{})
	default:
		return nil, fmt.Errorf("%w: target.kind is %q; allowed: sqlite", core.ErrInvalid, kind)
	}
}

func (a *app) openStore(ctx context.Context) (ports.Store, error) {
	if _, err := sqlitePath(a.store); err != nil {
		return nil, err
	}
	return openStore(ctx, a.store)
}

// endpointFiles are the files that --endpoint gives, by the name of the endpoint.
func (a *app) endpointFiles() (map[string]string, error) {
	files := map[string]string{}
	for _, given := range a.endpoints {
		name, file, ok := strings.Cut(given, "=")
		if !ok || name == "" || file == "" {
			return nil, usage("--endpoint is %q; allowed: NAME=FILE", given)
		}
		if other, twice := files[name]; twice && other != file {
			return nil, usage("--endpoint names %q twice: %s and %s", name, other, file)
		}
		files[name] = file
	}
	return files, nil
}

// onlyEndpoint refuses an --endpoint that the template does not name: the
// benchmark would run, and somewhere else.
func (a *app) onlyEndpoint(name string) error {
	files, err := a.endpointFiles()
	if err != nil {
		return err
	}
	for _, given := range slices.Sorted(maps.Keys(files)) {
		if given != name {
			return usage("--endpoint names %q, and the template names the endpoint %q", given, name)
		}
	}
	return nil
}

// endpoint finds the address of an endpoint that a template names: --endpoint
// first, then the environment. The endpoint "local" of the kind sqlite is a file
// in the data directory unless it is given.
func (a *app) endpoint(kind, name string) (ports.Endpoint, error) {
	files, err := a.endpointFiles()
	if err != nil {
		return ports.Endpoint{}, err
	}
	if file, given := files[name]; given {
		text, err := os.ReadFile(file)
		if err != nil {
			return ports.Endpoint{}, usage("--endpoint %s: %w", name, err)
		}
		return filled(ports.Endpoint{Name: name, DSN: strings.TrimSpace(string(text))}, file)
	}
	endpoint, err := worker.EndpointFrom(a.environ, name)
	if err == nil {
		return filled(endpoint, worker.EndpointVariable(name))
	}
	if core.CodeOf(err) != core.NotFound {
		return ports.Endpoint{}, exitWith(ExitUsage, err)
	}
	if kind == "sqlite" && name == "local" {
		return ports.Endpoint{Name: name, DSN: filepath.Join(a.dir, "target.db")}, nil
	}
	return ports.Endpoint{}, usage("%w; set one, or give --endpoint %s=FILE", err, name)
}

// filled refuses an endpoint without an address; from says where it should be.
func filled(e ports.Endpoint, from string) (ports.Endpoint, error) {
	if e.DSN == "" {
		return e, usage("endpoint %q has no address: %s is empty", e.Name, from)
	}
	return e, nil
}

func (a *app) openTarget(ctx context.Context, target core.ScenarioTarget) (targetAndLoader, ports.Endpoint, error) {
	if target.Kind != "sqlite" {
		return nil, ports.Endpoint{}, usage("target.kind is %q; allowed: sqlite", target.Kind)
	}
	e, err := a.endpoint(target.Kind, target.Endpoint)
	if err != nil {
		return nil, e, err
	}
	t, err := openTarget(ctx, target.Kind, e)
	return t, e, err
}

func (a *app) openLauncher(name string, say io.Writer) (ports.Launcher, func() error, error) {
	switch name {
	case "local":
		command, err := os.Executable()
		if err != nil {
			return nil, nil, err
		}
		l, err := local.New(a.dir, local.Options{Command: []string{command, "worker"}, Environ: a.workerEnviron(), Logger: a.logger(say)})
		if err != nil {
			return nil, nil, err
		}
		return l, l.Close, nil
	default:
		return nil, nil, usage("--launcher is %q; allowed: local", name)
	}
}

// workerEnviron is what a local worker inherits: everything but what is ours,
// which the worker contract gives it anew.
func (a *app) workerEnviron() []string {
	return slices.DeleteFunc(slices.Clone(a.environ), func(v string) bool {
		return strings.HasPrefix(v, "BENCHFLEET_")
	})
}

// session is everything that driving a run needs, opened.
type session struct {
	store    ports.Store
	target   targetAndLoader
	launcher ports.Launcher
	runner   *runner.Runner
	close    []func() error
}

// Close closes everything, last opened first.
func (s *session) Close() error {
	var first error
	for _, f := range slices.Backward(s.close) {
		if err := f(); err != nil && first == nil {
			first = err
		}
	}
	s.close = nil
	return first
}

// open opens everything that a run of the scenario needs. What it has to say
// while the run goes on it says on say.
func (a *app) open(ctx context.Context, store ports.Store, scenario core.Scenario, say io.Writer, options runner.Options) (*session, error) {
	s := &session{store: store}
	target, endpoint, err := a.openTarget(ctx, scenario.Target)
	if err != nil {
		return nil, err
	}
	s.target, s.close = target, append(s.close, target.Close)
	launcher, closeLauncher, err := a.openLauncher(scenario.Launcher, say)
	if err != nil {
		s.Close()
		return nil, err
	}
	s.launcher, s.close = launcher, append(s.close, closeLauncher)
	if err := identify(&options); err != nil {
		s.Close()
		return nil, err
	}
	options.Environment = append(options.Environment, ports.EnvVar{Name: ports.EnvStore, Value: a.store})
	options.Secrets = append(options.Secrets, ports.EnvVar{Name: worker.EndpointVariable(endpoint.Name), Value: endpoint.DSN})
	options.Spool = spoolIn(a.dir, say)
	options.Logger = a.logger(say)
	s.runner, err = runner.New(runner.FromStore(store, launcher, target), options)
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// identify fills in who this orchestrator is.
func identify(o *runner.Options) (err error) {
	if o.Build, err = ThisBuild(); err != nil {
		return err
	}
	if o.Host, err = os.Hostname(); err != nil {
		return err
	}
	o.Owner = newOwner(o.Host)
	return nil
}
