package docker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/benchfleet/benchfleet/core"
	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/api/types/versions"
)

// The labels by which an image tells what it was built from.
const (
	labelBuild    = "io.benchfleet.build" // core.Build.ID
	labelRevision = "org.opencontainers.image.revision"
)

// oldestAPI is that of Docker Engine 20.10, the oldest that is tested.
const oldestAPI = "1.41"

// Check implements ports.Launcher: the daemon, the image with its platform and
// build, the network, and room for n workers. A daemon that is away, too old,
// or refuses is one finding and no error: nothing else can be checked then.
func (l *Launcher) Check(ctx context.Context, n int) ([]core.Finding, error) {
	if n < 1 {
		return nil, fmt.Errorf("%w: docker: check for %d workers; want 1 or more", core.ErrInvalid, n)
	}
	ctx, cancel := bound(ctx)
	defer cancel()
	if err := live(ctx, "check"); err != nil {
		return nil, err
	}
	info, err := l.client.Info(ctx)
	if ended := live(ctx, "check"); ended != nil {
		return nil, ended
	}
	first := l.checkDaemon(info, err)
	if first.Severity == core.SeverityError {
		return []core.Finding{first}, nil
	}
	findings := []core.Finding{first}
	for _, check := range []func(context.Context, system.Info) ([]core.Finding, error){l.checkImage, l.checkNetwork, l.checkMounts} {
		more, err := check(ctx, info)
		if err != nil {
			return nil, err
		}
		findings = append(findings, more...)
	}
	return append(findings, l.checkRoom(info, n)...), nil
}

func passed(id, format string, args ...any) core.Finding {
	return core.Finding{ID: id, Severity: core.SeverityOK, Message: fmt.Sprintf(format, args...)}
}

func refused(id, mend, format string, args ...any) core.Finding {
	return core.Finding{ID: id, Severity: core.SeverityError, Message: fmt.Sprintf(format, args...), Mend: mend}
}

func warned(id, mend, format string, args ...any) core.Finding {
	return core.Finding{ID: id, Severity: core.SeverityWarning, Message: fmt.Sprintf(format, args...), Mend: mend}
}

// checkDaemon judges the daemon by its answer about itself.
func (l *Launcher) checkDaemon(info system.Info, err error) core.Finding {
	const id = "docker.daemon"
	host, api := l.options.Host, l.client.ClientVersion()
	switch code := core.CodeOf(failed(context.Background(), "check", err)); {
	case err != nil && versions.LessThan(api, oldestAPI):
		return refused(id, "install Docker Engine 20.10 or newer", "the daemon at %s speaks API %s, at least %s is needed: %v", host, api, oldestAPI, err)
	case code == core.Denied:
		return refused(id, denied, "the daemon at %s refuses: %v", host, err)
	case code == core.Unavailable:
		return refused(id, "start Docker (systemctl start docker, or Docker Desktop), or name its host", "no daemon answers at %s: %v", host, err)
	case err != nil:
		return refused(id, "look into the daemon's log (journalctl -u docker)", "the daemon at %s does not say who it is: %v", host, err)
	case versions.LessThan(api, oldestAPI):
		return refused(id, "install Docker Engine 20.10 or newer", "the daemon at %s is version %s with API %s, at least %s is needed", host, info.ServerVersion, api, oldestAPI)
	case info.OSType != "linux":
		return refused(id, "switch Docker to Linux containers", "the daemon at %s runs %s containers, workers are Linux programs", host, info.OSType)
	}
	return passed(id, "Docker Engine %s with API %s at %s", info.ServerVersion, api, host)
}

func (l *Launcher) checkImage(ctx context.Context, info system.Info) ([]core.Finding, error) {
	const id = "docker.image"
	name := l.options.Image
	found, err := l.client.ImageInspect(ctx, name)
	switch {
	case notFound(err):
		return []core.Finding{refused(id, "build it with: task image", "the daemon has no image %s", name)}, nil
	case errors.Is(err, errdefs.ErrInvalidArgument):
		return []core.Finding{refused(id, "name it like benchfleet:dev, registry.example/benchfleet:v1, or by its id", "image %q is no name of an image: %v", name, err)}, nil
	case err != nil:
		return nil, failed(ctx, "look at image "+name, err)
	}
	findings := []core.Finding{passed(id, "image %s is %.19s", name, found.ID), checkPlatform(name, found, info), l.checkBuild(name, found)}
	if _, err := l.userOf(ctx); err != nil {
		findings = append(findings, refused("docker.user", "name a user in numbers, like 65532:65532", "%v", err))
	}
	return findings, nil
}

// checkPlatform compares what the image was built for with what the daemon runs
// without emulation, which would falsify every measurement.
func checkPlatform(name string, found image.InspectResponse, info system.Info) core.Finding {
	const id = "docker.platform"
	built, runs := found.Os+"/"+found.Architecture, info.OSType+"/"+architecture(info.Architecture)
	if built != runs {
		return refused(id, "build the image for "+runs+": task image", "image %s is for %s, the daemon runs %s", name, built, runs)
	}
	return passed(id, "image and daemon are %s", runs)
}

// architecture is Go's name of what the kernel calls a machine.
func architecture(machine string) string {
	switch machine {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	}
	return machine
}

// checkBuild compares the labels of the image with this build.
func (l *Launcher) checkBuild(name string, found image.InspectResponse) core.Finding {
	const id, mend = "docker.build", "build it anew with: task image"
	want := l.options.Build.ID
	var labels map[string]string
	if found.Config != nil {
		labels = found.Config.Labels
	}
	have, label := labels[labelBuild], labelBuild
	if have == "" {
		have, label = labels[labelRevision], labelRevision
	}
	switch {
	case want == "":
		return warned(id, "name this build in the options", "this build has no id to compare image %s with", name)
	case have == "":
		return refused(id, mend, "image %s does not tell its build (label %s), this is build %s", name, labelBuild, want)
	case have != want:
		return refused(id, mend, "image %s is of build %s (label %s), this is build %s", name, have, label, want)
	}
	return passed(id, "image and this program are build %s", want)
}

func (l *Launcher) checkNetwork(ctx context.Context, _ system.Info) ([]core.Finding, error) {
	const id = "docker.network"
	name := l.options.Network
	found, err := l.client.NetworkInspect(ctx, name, network.InspectOptions{})
	switch {
	case notFound(err):
		return []core.Finding{refused(id, "create it (docker network create "+name+"), or name another", "the daemon has no network %s", name)}, nil
	case err != nil:
		return nil, failed(ctx, "look for the network "+name, err)
	}
	return []core.Finding{passed(id, "network %s, driver %s", name, found.Driver)}, nil
}

// checkMounts looks for the sources of the mounts, where the daemon is on this
// host. One at a socket that is forwarded, or in a virtual machine, has another
// name than this host, and other files.
func (l *Launcher) checkMounts(_ context.Context, info system.Info) ([]core.Finding, error) {
	const id = "docker.mount"
	if !l.local {
		return nil, nil
	}
	host, err := os.Hostname()
	here := err == nil && host == info.Name
	var findings []core.Finding
	for _, m := range l.options.Mounts {
		_, err := os.Stat(m.Source)
		switch {
		case !errors.Is(err, fs.ErrNotExist): // what this user may not see the daemon may
		case here:
			findings = append(findings, refused(id, "make "+m.Source+", or mount what is there", "the mount of %s at %s: this host has no %s", m.Source, m.Target, m.Source))
		default:
			findings = append(findings, warned(id, "see that the daemon's host has "+m.Source, "the mount of %s at %s: this host has no %s, and the daemon's is %s", m.Source, m.Target, m.Source, info.Name))
		}
	}
	return findings, nil
}

// checkRoom compares the limits of n workers with the daemon's host.
func (l *Launcher) checkRoom(info system.Info, n int) []core.Finding {
	memory, cpus := l.options.Memory, l.options.CPUs
	findings := make([]core.Finding, 0, 2)
	switch total := info.MemTotal; {
	case memory == 0:
		findings = append(findings, passed("docker.memory", "workers have no memory limit; the daemon's host has %s", size(total)))
	case memory > 0 && !info.MemoryLimit:
		findings = append(findings, refused("docker.memory", "set no memory limit, or enable the memory cgroup", "the daemon cannot limit memory"))
	case memory > 0 && memory < workerMemory:
		findings = append(findings, warned("docker.memory", fmt.Sprintf("raise the limit to %s or more", size(workerMemory)),
			"a worker may use %s, and needs about %s to live", size(memory), size(workerMemory)))
	case memory > total/int64(n):
		findings = append(findings, warned("docker.memory", "lower the limit, or use fewer workers",
			"%d workers may use %s each, the daemon's host has %s", n, size(memory), size(total)))
	default:
		findings = append(findings, passed("docker.memory", "%d workers of %s, the daemon's host has %s", n, size(memory), size(total)))
	}
	switch have := float64(info.NCPU); {
	case cpus == 0:
		findings = append(findings, passed("docker.cpus", "workers have no CPU limit; the daemon's host has %d", info.NCPU))
	case cpus > have:
		findings = append(findings, refused("docker.cpus", "lower the limit", "a worker shall have %g CPUs, the daemon's host has %d", cpus, info.NCPU))
	case cpus*float64(n) > have:
		findings = append(findings, warned("docker.cpus", "lower the limit, or use fewer workers",
			"%d workers of %g CPUs share the %d of the daemon's host", n, cpus, info.NCPU))
	default:
		findings = append(findings, passed("docker.cpus", "%d workers of %g CPUs, the daemon's host has %d", n, cpus, info.NCPU))
	}
	return findings
}
