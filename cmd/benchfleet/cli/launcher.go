package cli

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/benchfleet/benchfleet/adapters/docker"
	"github.com/benchfleet/benchfleet/adapters/local"
	"github.com/benchfleet/benchfleet/adapters/plugin"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	units "github.com/docker/go-units"
	"github.com/spf13/cobra"
)

const launcherHelp = "where workers run: `local` (subprocesses), docker (containers), spcs (job services in Snowflake, with a store there), or plugin:PATH (somebody else's launcher)"

// What the launchers can be told, for people.
const (
	dockerOptions = "image, network, cpus, memory, mount=HOST:CONTAINER[:ro], env=NAME[=VALUE], host (default: where docker itself finds its daemon, by DOCKER_HOST, DOCKER_CONTEXT or its current context, with DOCKER_TLS_VERIFY and DOCKER_CERT_PATH)"
	pluginOptions = "sha256, arg, env=NAME[=VALUE]"
)

// DefaultImage is the image that containers run unless told: what task image
// builds.
const DefaultImage = "benchfleet:dev"

// addLauncher adds the flags of commands that find the workers of a run that is
// there already.
func (a *app) addLauncher(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.launcher, "launcher", "", launcherHelp+" (default: what the run was started with)")
}

// launcherOptions are the options of one launcher, as --launcher-option gives
// them.
type launcherOptions struct {
	launcher string
	values   map[string][]string
}

// optionsOf parses --launcher-option. known are the keys that the launcher has;
// those with a + may be repeated.
func (a *app) optionsOf(launcher string, known ...string) (launcherOptions, error) {
	o := launcherOptions{launcher: launcher, values: map[string][]string{}}
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = strings.TrimSuffix(k, "+")
	}
	for _, given := range a.options {
		key, value, ok := strings.Cut(given, "=")
		switch {
		case !ok || value == "":
			return o, usage("--launcher-option is %q; allowed: KEY=VALUE", given)
		case !slices.Contains(names, key):
			text := fmt.Sprintf("--launcher-option %s: the launcher %s has no such option; it has: %s", key, launcher, strings.Join(names, ", "))
			if len(names) == 0 {
				text = fmt.Sprintf("--launcher-option %s: the launcher %s has no options", key, launcher)
			}
			if near, found := core.Nearest(key, names); found {
				text += fmt.Sprintf("; did you mean %s?", near)
			}
			return o, usage("%s", text)
		case len(o.values[key]) > 0 && !slices.Contains(known, key+"+"):
			return o, usage("--launcher-option %s is given twice: %s and %s", key, o.values[key][0], value)
		}
		o.values[key] = append(o.values[key], value)
	}
	return o, nil
}

func (o launcherOptions) get(key string) string {
	if len(o.values[key]) == 0 {
		return ""
	}
	return o.values[key][0]
}

// variables reads options of the form NAME=VALUE, or NAME: then the value is that
// of this process, and on no command line.
func (o launcherOptions) variables(key string, lookup func(string) (string, bool)) ([]string, error) {
	var all []string
	for _, given := range o.values[key] {
		name, value, ok := strings.Cut(given, "=")
		if !ok {
			value, ok = lookup(name)
		}
		if !ok || name == "" {
			return nil, usage("--launcher-option %s=%s; allowed: %s=NAME=VALUE, or %s=NAME of a variable that is set", key, given, key, key)
		}
		all = append(all, name+"="+value)
	}
	return all, nil
}

// openLauncher opens the launcher of that name. The returned function closes it.
func (a *app) openLauncher(ctx context.Context, name string, say io.Writer) (ports.Launcher, func() error, error) {
	kind, path, _ := strings.Cut(name, ":")
	switch {
	case name == "local":
		return a.openLocal(say)
	case name == "docker":
		return a.openDocker()
	case name == servicesLauncher:
		return a.openServices(say)
	case kind == "plugin" && path != "":
		return a.openPlugin(ctx, path, say)
	default:
		return nil, nil, usage("--launcher is %q; allowed: local, docker, spcs, plugin:PATH", name)
	}
}

// openLauncherOf opens the launcher of a run. Somebody else's is known by the
// name that it gives itself; where it is says --launcher.
func (a *app) openLauncherOf(ctx context.Context, scenario core.Scenario, say io.Writer) (ports.Launcher, func() error, error) {
	name := scenario.Launcher
	if name != "local" && name != "docker" && name != servicesLauncher {
		if !strings.HasPrefix(a.launcher, "plugin:") {
			return nil, nil, usage("the workers of this run belong to the launcher %s, which is no launcher of benchfleet's own; give --launcher plugin:PATH", name)
		}
		name = a.launcher
	}
	return a.openLauncher(ctx, name, say)
}

func (a *app) openLocal(say io.Writer) (ports.Launcher, func() error, error) {
	if _, err := a.optionsOf("local"); err != nil {
		return nil, nil, err
	}
	command, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	l, err := local.New(a.dir, local.Options{Command: []string{command, "worker"}, Environ: a.workerEnviron(), Logger: a.logger(say)})
	if err != nil {
		return nil, nil, err
	}
	return l, l.Close, nil
}

// openDocker opens the launcher of containers. Where the daemon is comes from
// the option host, or as for docker itself: see DockerDaemon.
func (a *app) openDocker() (ports.Launcher, func() error, error) {
	given, err := a.optionsOf("docker", "image", "host", "network", "cpus", "memory", "mount+", "env+")
	if err != nil {
		return nil, nil, err
	}
	o, err := a.dockerDaemon(given.get("host"))
	if err != nil {
		return nil, nil, err
	}
	o.Image, o.Network, o.Command = given.get("image"), given.get("network"), []string{"/benchfleet", "worker"}
	if o.Image == "" {
		o.Image = DefaultImage
	}
	if o.Build, err = a.thisBuild(); err != nil {
		return nil, nil, err
	}
	if text := given.get("cpus"); text != "" {
		if o.CPUs, err = strconv.ParseFloat(text, 64); err != nil || o.CPUs <= 0 {
			return nil, nil, usage("--launcher-option cpus=%s; allowed: a number above 0, like 1.5", text)
		}
	}
	if text := given.get("memory"); text != "" {
		if o.Memory, err = units.RAMInBytes(text); err != nil || o.Memory <= 0 {
			return nil, nil, usage("--launcher-option memory=%s; allowed: a size above 0, like 512m or 2g", text)
		}
	}
	if o.Env, err = given.variables("env", a.lookup); err != nil {
		return nil, nil, err
	}
	for _, text := range given.values["mount"] {
		m, err := mountOf(text)
		if err != nil {
			return nil, nil, err
		}
		o.Mounts = append(o.Mounts, m)
	}
	l, err := docker.New(o)
	if err != nil {
		return nil, nil, exitWith(ExitUsage, err)
	}
	return l, l.Close, nil
}

// mountOf reads HOST:CONTAINER or HOST:CONTAINER:ro, as docker does.
func mountOf(text string) (docker.Mount, error) {
	parts := strings.Split(text, ":")
	if len(parts) < 2 || len(parts) > 3 || len(parts) == 3 && parts[2] != "ro" {
		return docker.Mount{}, usage("--launcher-option mount=%s; allowed: HOST:CONTAINER, HOST:CONTAINER:ro", text)
	}
	return docker.Mount{Source: parts[0], Target: parts[1], ReadOnly: len(parts) == 3}, nil
}

// openPlugin starts somebody else's launcher.
func (a *app) openPlugin(ctx context.Context, path string, say io.Writer) (ports.Launcher, func() error, error) {
	given, err := a.optionsOf("plugin", "sha256", "arg+", "env+")
	if err != nil {
		return nil, nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	o := plugin.Options{Args: given.values["arg"], Environ: a.environ, Logger: a.logger(say)}
	if text := given.get("sha256"); text != "" {
		if o.SHA256, err = hex.DecodeString(text); err != nil || len(o.SHA256) != 32 {
			return nil, nil, usage("--launcher-option sha256=%s; allowed: 64 hexadecimal digits", text)
		}
	}
	extra, err := given.variables("env", a.lookup)
	if err != nil {
		return nil, nil, err
	}
	// What a launcher of processes of this host has to know.
	o.Env = append([]string{"BENCHFLEET_EXECUTABLE=" + self, "BENCHFLEET_DIR=" + a.dir}, extra...)
	l, err := plugin.Open(ctx, path, o)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, nil, exitWith(ExitCancelled, fmt.Errorf("interrupted while the launcher %s started: %w", path, err))
	case err != nil:
		return nil, nil, exitWith(ExitUsage, err)
	}
	return l, l.Close, nil
}
