package docker

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
)

// The labels of every container.
const (
	labelPrefix  = "benchfleet."
	labelVersion = labelPrefix + "version" // of these labels
	labelRun     = labelPrefix + "run"
	labelWorker  = labelPrefix + "worker"
	labelEpoch   = labelPrefix + "epoch"
	labelExpires = labelPrefix + "expires" // RFC 3339, UTC; absent: never
)

const (
	maxID     = 255     // bytes of a run's or a worker's id
	maxShown  = 40      // of them, in a name
	logSize   = "16m"   // of one file of a container's log
	logFiles  = "2"     // files of a log
	maxSecret = 1 << 20 // bytes of all secrets of a worker
)

// nameOf is the container's name: readable, and by its hash different for
// different keys.
func nameOf(key core.WorkerKey) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d:%s%s/%d", len(key.RunID), key.RunID, key.WorkerID, key.Epoch))
	return fmt.Sprintf("benchfleet-%s-%s-%d-%x", readable(key.RunID), readable(key.WorkerID), key.Epoch, sum[:5])
}

// readable keeps of an id what a name may hold.
func readable(id string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '.') || r == '-' {
			return r
		}
		return '_'
	}, id[:min(len(id), maxShown)])
}

func labelsOf(spec ports.WorkerSpec) map[string]string {
	labels := map[string]string{
		labelVersion: strconv.Itoa(version),
		labelRun:     spec.Key.RunID,
		labelWorker:  spec.Key.WorkerID,
		labelEpoch:   strconv.Itoa(spec.Key.Epoch),
	}
	if !spec.ExpiresAt.IsZero() {
		labels[labelExpires] = spec.ExpiresAt.UTC().Format(time.RFC3339Nano)
	}
	return labels
}

// keyOf reads the labels of a container; false for one that is not a launch.
func keyOf(labels map[string]string) (core.WorkerKey, bool) {
	epoch, err := strconv.Atoi(labels[labelEpoch])
	key := core.WorkerKey{RunID: labels[labelRun], WorkerID: labels[labelWorker], Epoch: epoch}
	return key, err == nil && labels[labelVersion] == strconv.Itoa(version) && key.RunID != "" && key.WorkerID != ""
}

// expiryOf is the expiry in the labels; zero where none can be read.
func expiryOf(labels map[string]string) time.Time {
	at, err := time.Parse(time.RFC3339Nano, labels[labelExpires])
	if err != nil {
		return time.Time{}
	}
	return at
}

// config is what runs in a container.
func (l *Launcher) config(spec ports.WorkerSpec, u user) *container.Config {
	labels := maps.Clone(l.options.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, labelsOf(spec))
	grace := int((l.options.Grace + time.Second - 1) / time.Second)
	c := &container.Config{
		Image:       l.options.Image,
		Entrypoint:  slices.Clone(l.options.Command),
		User:        u.text,
		Env:         l.environment(spec),
		Labels:      labels,
		StopSignal:  "SIGTERM",
		StopTimeout: &grace,
	}
	if l.options.Network == hostNetwork { // where nobody knows which port is free
		c.Healthcheck = &container.HealthConfig{Test: []string{"NONE"}}
	}
	return c
}

// hostConfig is what the daemon's host gives to a container.
func (l *Launcher) hostConfig(extraHosts []string) *container.HostConfig {
	o := l.options
	host := &container.HostConfig{
		NetworkMode:   container.NetworkMode(o.Network),
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyDisabled},
		LogConfig:     container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": logSize, "max-file": logFiles}},
		ExtraHosts:    append(slices.Clone(o.ExtraHosts), extraHosts...),
		CapDrop:       []string{"ALL"},
		SecurityOpt:   []string{"no-new-privileges"},
		Resources:     container.Resources{NanoCPUs: int64(o.CPUs * 1e9), Memory: o.Memory, MemorySwap: o.Memory},
	}
	for _, m := range o.Mounts {
		host.Mounts = append(host.Mounts, mount.Mount{Type: mount.TypeBind, Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly})
	}
	return host
}

// environment is the worker's: the base, then the spec's, then the contract's.
// Of two values of one name the later is kept.
func (l *Launcher) environment(spec ports.WorkerSpec) []string {
	var all []string
	if l.options.Network == hostNetwork { // the image's own health address is one worker's at most
		all = append(all, ports.EnvHealth+"=127.0.0.1:0")
	}
	all = append(all, l.options.Env...)
	for _, v := range spec.Environment {
		all = append(all, v.Name+"="+v.Value)
	}
	for _, v := range spec.Secrets {
		all = append(all, v.Name+fileSuffix+"="+secretPath(v.Name))
	}
	all = append(all,
		ports.EnvRunID+"="+spec.Key.RunID,
		ports.EnvWorkerID+"="+spec.Key.WorkerID,
		ports.EnvGroupID+"="+strconv.Itoa(spec.GroupID),
		ports.EnvGroupCount+"="+strconv.Itoa(spec.GroupCount),
		ports.EnvEpoch+"="+strconv.Itoa(spec.Key.Epoch),
	)
	last := map[string]int{}
	for i, v := range all {
		name, _, _ := strings.Cut(v, "=")
		last[name] = i
	}
	env := make([]string, 0, len(last))
	for i, v := range all {
		if name, _, _ := strings.Cut(v, "="); last[name] == i {
			env = append(env, v)
		}
	}
	return env
}

// validSpec refuses what no container can have. It never shows a value.
func validSpec(spec ports.WorkerSpec) error {
	key := spec.Key
	for _, id := range []struct{ what, value string }{{"run", key.RunID}, {"worker", key.WorkerID}} {
		if id.value == "" || len(id.value) > maxID || !utf8.ValidString(id.value) || strings.ContainsRune(id.value, 0) {
			return fmt.Errorf("%w: docker: id of the %s is %q; want 1 to %d bytes of UTF-8 without a zero byte", core.ErrInvalid, id.what, id.value, maxID)
		}
	}
	if key.Epoch < 0 {
		return fmt.Errorf("%w: docker: epoch is %d; want 0 or more", core.ErrInvalid, key.Epoch)
	}
	for _, v := range spec.Environment {
		switch {
		case v.Name == "" || strings.ContainsAny(v.Name, "=\x00") || !utf8.ValidString(v.Name):
			return fmt.Errorf("%w: docker: environment variable %q: a name is UTF-8, not empty, and holds no '=' and no zero byte", core.ErrInvalid, v.Name)
		case strings.ContainsRune(v.Value, 0) || !utf8.ValidString(v.Value):
			return fmt.Errorf("%w: docker: environment variable %s: its value is not UTF-8 or holds a zero byte", core.ErrInvalid, v.Name)
		}
	}
	return validSecrets(spec.Secrets)
}
