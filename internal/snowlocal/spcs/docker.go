package spcs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"
)

// The labels of every container.
const (
	labelHost      = "snowlocal.host"   // where the stand-in is
	labelFolder    = "snowlocal.folder" // its own there, whose lock it holds while it lives
	labelService   = "snowlocal.service"
	labelInstance  = "snowlocal.instance"
	labelContainer = "snowlocal.container"
)

const (
	dockerTimeout = 60 * time.Second // of one call
	maxLog        = 100 << 10        // bytes of a log that can be asked for
	lockName      = "containers.lock"
	bridge        = "bridge"
)

// docker is the Docker Engine, as far as services need it.
type docker struct {
	client  *client.Client
	host    string // this machine's name
	folder  string
	gateway string // the stand-in's address for containers
	cpus    float64
	memory  int64
	lock    *os.File
}

// openDocker connects to the engine that the environment names, and removes what
// stand-ins that are no longer there have left.
func openDocker(ctx context.Context, folder string) (_ *docker, err error) {
	c, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, fmt.Errorf("client of the Docker Engine: %w", err)
	}
	d := &docker{client: c, folder: folder}
	d.host, err = os.Hostname()
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if err != nil {
		return nil, fmt.Errorf("the name of this machine: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, dockerTimeout)
	defer cancel()
	info, err := c.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("the Docker Engine does not answer: %w", err)
	}
	d.cpus, d.memory = float64(info.NCPU), info.MemTotal
	found, err := c.NetworkInspect(ctx, bridge, network.InspectOptions{})
	if err != nil {
		return nil, fmt.Errorf("looking at Docker's bridge: %w", err)
	}
	if d.gateway = gatewayOf(found); d.gateway == "" {
		return nil, errors.New("the bridge of Docker has no gateway, at which containers would reach the stand-in")
	}
	if d.lock, err = lockFile(filepath.Join(folder, lockName)); err != nil {
		return nil, fmt.Errorf("locking %s: %w", folder, err)
	}
	return d, d.sweep(ctx)
}

// gatewayOf is this machine's address in a bridge. A daemon that found the bridge
// when it started does not say it: then its interface does.
func gatewayOf(of network.Inspect) string {
	for _, part := range of.IPAM.Config {
		if part.Gateway != "" {
			return part.Gateway
		}
	}
	at, err := net.InterfaceByName(of.Options["com.docker.network.bridge.name"])
	if err != nil {
		return ""
	}
	addresses, err := at.Addrs()
	if err != nil {
		return ""
	}
	for _, a := range addresses {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil {
			return ip.IP.String()
		}
	}
	return ""
}

func (d *docker) close() error {
	err := d.client.Close()
	if d.lock != nil {
		err = errors.Join(err, d.lock.Close())
	}
	return err
}

// sweep removes the containers of this stand-in's folder, and of those on this
// machine that no stand-in holds.
func (d *docker) sweep(ctx context.Context) error {
	all, err := d.client.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", labelFolder), filters.Arg("label", labelHost+"="+d.host))})
	if err != nil {
		return fmt.Errorf("listing containers: %w", err)
	}
	for _, c := range all {
		folder := c.Labels[labelFolder]
		if folder != d.folder && held(filepath.Join(folder, lockName)) {
			continue
		}
		if err := d.remove(ctx, c.ID); err != nil {
			return err
		}
	}
	return nil
}

// imageID is the id of an image, by a name; false when there is none.
func (d *docker) imageID(ctx context.Context, name string) (string, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, dockerTimeout)
	defer cancel()
	name, digest, pinned := strings.Cut(name, "@")
	found, err := d.client.ImageInspect(ctx, name)
	switch {
	case errdefs.IsNotFound(err):
		return "", false, nil
	case err != nil:
		return "", false, fmt.Errorf("looking for image %s: %w", name, err)
	}
	return found.ID, !pinned || found.ID == digest, nil
}

// imageOf is an image of a repository.
type imageOf struct {
	name, tag, digest string
	created           time.Time
}

// images lists those whose name begins with a prefix.
func (d *docker) images(ctx context.Context, prefix string) ([]imageOf, error) {
	ctx, cancel := context.WithTimeout(ctx, dockerTimeout)
	defer cancel()
	all, err := d.client.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("reference", prefix+"*"))})
	if err != nil {
		return nil, fmt.Errorf("listing images: %w", err)
	}
	var list []imageOf
	for _, i := range all {
		for _, tag := range i.RepoTags {
			rest, ok := strings.CutPrefix(tag, prefix)
			name, version, tagged := strings.Cut(rest, ":")
			if ok && tagged {
				list = append(list, imageOf{name: name, tag: version, digest: i.ID, created: time.Unix(i.Created, 0)})
			}
		}
	}
	return list, nil
}

// boxConfig is what a container is made of.
type boxConfig struct {
	name, image        string
	command, args, env []string
	labels             map[string]string
	session            string // the folder with the token; "" for none
	binds              map[string]string
	tmpfs              map[string]int64 // by path; 0 is without a limit
	cpu                float64          // limits; 0: the machine's
	memory             int64
}

// make makes a container.
func (d *docker) make(ctx context.Context, b boxConfig) (id string, err error) {
	ctx, cancel := context.WithTimeout(ctx, dockerTimeout)
	defer cancel()
	host := &container.HostConfig{
		NetworkMode: bridge, RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyDisabled},
		SecurityOpt: []string{"no-new-privileges"},
		LogConfig:   container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "4m", "max-file": "2"}},
	}
	if b.cpu > 0 {
		host.NanoCPUs = int64(min(b.cpu, d.cpus) * 1e9)
	}
	if b.memory > 0 {
		host.Memory = min(b.memory, d.memory)
		host.MemorySwap = host.Memory
	}
	if b.session != "" {
		host.Mounts = append(host.Mounts, mount.Mount{Type: mount.TypeBind, Source: b.session, Target: "/snowflake/session", ReadOnly: true})
	}
	for target, source := range b.binds {
		host.Mounts = append(host.Mounts, mount.Mount{Type: mount.TypeBind, Source: source, Target: target, ReadOnly: true})
	}
	for target, size := range b.tmpfs {
		host.Mounts = append(host.Mounts, mount.Mount{Type: mount.TypeTmpfs, Target: target, TmpfsOptions: &mount.TmpfsOptions{SizeBytes: size, Mode: 0o777}})
	}
	config := &container.Config{Image: b.image, Entrypoint: b.command, Cmd: b.args, Env: b.env, Labels: b.labels, Healthcheck: &container.HealthConfig{Test: []string{"NONE"}}}
	made, err := d.client.ContainerCreate(ctx, config, host, nil, nil, b.name)
	if err != nil {
		return "", fmt.Errorf("making container %s: %w", b.name, err)
	}
	return made.ID, nil
}

// start starts a container. When it cannot be started nothing is left of it.
func (d *docker) start(ctx context.Context, id string) error {
	call, cancel := context.WithTimeout(ctx, dockerTimeout)
	defer cancel()
	if err := d.client.ContainerStart(call, id, container.StartOptions{}); err != nil {
		return errors.Join(fmt.Errorf("starting container %.12s: %w", id, err), d.remove(context.WithoutCancel(ctx), id))
	}
	return nil
}

// address is a container's own.
func (d *docker) address(ctx context.Context, id string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, dockerTimeout)
	defer cancel()
	found, err := d.client.ContainerInspect(ctx, id)
	if err != nil {
		return "", fmt.Errorf("looking at container %.12s: %w", id, err)
	}
	if found.NetworkSettings == nil || found.NetworkSettings.Networks[bridge] == nil {
		return "", nil
	}
	return found.NetworkSettings.Networks[bridge].IPAddress, nil
}

// exit waits for the end of a container.
func (d *docker) exit(ctx context.Context, id string) (code int, oom bool, err error) {
	ended, failed := d.client.ContainerWait(ctx, id, container.WaitConditionNotRunning)
	select {
	case end := <-ended:
		code = int(end.StatusCode)
	case err := <-failed:
		return 0, false, fmt.Errorf("waiting for container %.12s: %w", id, err)
	}
	call, cancel := context.WithTimeout(ctx, dockerTimeout)
	defer cancel()
	found, err := d.client.ContainerInspect(call, id)
	if err != nil {
		return code, false, fmt.Errorf("looking at container %.12s: %w", id, err)
	}
	return code, found.State.OOMKilled, nil
}

// signal sends a signal; a container that does not run any more is no error.
func (d *docker) signal(ctx context.Context, id, signal string) error {
	ctx, cancel := context.WithTimeout(ctx, dockerTimeout)
	defer cancel()
	err := d.client.ContainerKill(ctx, id, signal)
	if err == nil || errdefs.IsNotFound(err) || errdefs.IsConflict(err) {
		return nil
	}
	return fmt.Errorf("sending %s to container %.12s: %w", signal, id, err)
}

// log is the end of what a container has said, both streams as they came.
// It is false when there is no such container any more.
func (d *docker) log(ctx context.Context, id string) ([]byte, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, dockerTimeout)
	defer cancel()
	stream, err := d.client.ContainerLogs(ctx, id, container.LogsOptions{ShowStdout: true, ShowStderr: true, Tail: strconv.Itoa(maxLog / 8)})
	if errdefs.IsNotFound(err) || errdefs.IsConflict(err) { // a conflict: it is being removed
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading the log of container %.12s: %w", id, err)
	}
	defer stream.Close() //nolint:errcheck // only read
	kept := &tail{}
	if _, err := stdcopy.StdCopy(kept, kept, stream); err != nil {
		return nil, false, fmt.Errorf("reading the log of container %.12s: %w", id, err)
	}
	return kept.last(), true, nil
}

func (d *docker) remove(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, dockerTimeout)
	defer cancel()
	err := d.client.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	if err == nil || errdefs.IsNotFound(err) || errdefs.IsConflict(err) { // gone, or somebody is removing it
		return nil
	}
	return fmt.Errorf("removing container %.12s: %w", id, err)
}

// tail keeps the end of what is written to it.
type tail struct{ data []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if len(t.data) > 2*maxLog {
		t.data = bytes.Clone(t.data[len(t.data)-maxLog:])
	}
	return len(p), nil
}

func (t *tail) last() []byte { return t.data[max(0, len(t.data)-maxLog):] }
