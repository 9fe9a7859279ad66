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

	"github.com/benchfleet/benchfleet/adapters/postgres"
	"github.com/benchfleet/benchfleet/adapters/snowflake"
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
	_, siblings := os.LookupEnv(ports.EnvExitRecord) // of the launcher local alone
	usage, share := NewUsage(siblings)
	return worker.Opener{
		Store: func(ctx context.Context, address, token string) (ports.Store, error) {
			return openWorkerStore(ctx, address, token, os.Environ())
		},
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
		Usage: usage, Share: share, Strain: worker.NewStrain(),
	}
}

// targetKinds are the kinds of targets that openTarget knows.
func targetKinds() []string { return []string{"sqlite", "postgres", "snowflake"} }

func unknownKind(kind string) error {
	return fmt.Errorf("%w: target.kind is %q; allowed: %s", core.ErrInvalid, kind, strings.Join(targetKinds(), ", "))
}

func openTarget(ctx context.Context, kind string, e ports.Endpoint) (targetAndLoader, error) {
	switch kind {
	case "sqlite":
		return sqlite.OpenTarget(ctx, e.DSN, sqlite.TargetOptions{})
	case "postgres":
		return postgres.New(e.DSN, postgres.Options{})
	case "snowflake":
		return snowflake.OpenTarget(e.DSN, snowflake.TargetOptions{Environ: os.Environ()})
	default:
		return nil, unknownKind(kind)
	}
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

// onlyEndpoint refuses an --endpoint that no template of the command names: the
// benchmark would run, and somewhere else.
func (a *app) onlyEndpoint(names ...string) error {
	files, err := a.endpointFiles()
	if err != nil {
		return err
	}
	for _, given := range slices.Sorted(maps.Keys(files)) {
		switch {
		case slices.Contains(names, given):
		case len(names) == 1:
			return usage("--endpoint names %q, and the template names the endpoint %q", given, names[0])
		default:
			return usage("--endpoint names %q, and the templates name the endpoints %q", given, names)
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
	if !slices.Contains(targetKinds(), target.Kind) {
		return nil, ports.Endpoint{}, exitWith(ExitUsage, unknownKind(target.Kind))
	}
	e, err := a.endpoint(target.Kind, target.Endpoint)
	if err != nil {
		return nil, e, err
	}
	t, err := openTarget(ctx, target.Kind, e)
	return t, e, err
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
	target   targetAndLoader // nil: the run is only ended, without it
	launcher ports.Launcher
	runner   *runner.Runner
	close    []func() error
}

// unopened is an error of a part that could not be opened: target, launcher,
// store.
type unopened struct {
	part string
	error
}

// Unwrap returns what the part said.
func (u *unopened) Unwrap() error { return u.error }

// home is the run that a session is for. Without an id it is for none, and
// nothing is served.
type home struct {
	run     string
	gateway string // where its gateway is; empty: nowhere yet
	reserve bool   // another process will serve there
	ending  bool   // it is only to be ended: that needs neither gateway nor target
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
func (a *app) open(ctx context.Context, store ports.Store, scenario core.Scenario, say io.Writer, options runner.Options, home home) (_ *session, err error) {
	s := &session{store: store}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	var target ports.Target
	opened, endpoint, err := a.openTarget(ctx, scenario.Target)
	switch {
	case err == nil:
		target, s.target, s.close = opened, opened, append(s.close, opened.Close)
		if err := a.addEndpoint(&options, scenario, endpoint, say); err != nil && !home.ending {
			return nil, &unopened{"launcher", err}
		}
	case home.ending && ctx.Err() == nil:
		target = absent{err.Error()}
		fmt.Fprintf(say, "the target of run %s is not asked what still runs there, and the run is ended without that: %v\n", home.run, err)
	default:
		return nil, err
	}
	launcher, closeLauncher, err := a.openLauncherOf(ctx, scenario, say)
	if err != nil {
		return nil, &unopened{"launcher", err}
	}
	s.launcher, s.close = launcher, append(s.close, closeLauncher)
	if err := a.identify(&options); err != nil {
		return nil, err
	}
	if home.run != "" {
		door, err := a.openDoor(ctx, store, launcher, home)
		if err != nil {
			return nil, &unopened{"store", err}
		}
		s.store, s.close = door.store, append(s.close, door.close)
		options.Gateway = door.address
		options.Environment = append(options.Environment, door.environment...)
		options.Secrets = append(options.Secrets, door.secrets...)
	}
	options.Spool = spoolIn(a.dir, say)
	options.Logger = a.logger(say)
	s.runner, err = runner.New(runner.FromStore(s.store, launcher, target), options)
	return s, err
}

// identify fills in who this orchestrator is.
func (a *app) identify(o *runner.Options) (err error) {
	if o.Build, err = a.thisBuild(); err != nil {
		return err
	}
	if o.Host, err = os.Hostname(); err != nil {
		return err
	}
	o.Owner = newOwner(o.Host)
	return nil
}
