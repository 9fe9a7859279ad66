package memory

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// maxLogs is how many bytes of its newest log a worker keeps.
const maxLogs = 256 << 10

// maxStops is how many gentle stops wait to be taken.
const maxStops = 2

// Process is what a worker that a Launcher runs has in place of an operating
// system: its environment, its signal, its standard error.
type Process struct {
	spec      ports.WorkerSpec
	env       []ports.EnvVar // all of it
	terminate chan struct{}

	mu  sync.Mutex
	log []byte
}

// newProcess gives a worker its environment: what the spec says, then the worker
// contract.
func newProcess(spec ports.WorkerSpec) (*Process, error) {
	if spec.Key.RunID == "" || spec.Key.WorkerID == "" {
		return nil, fmt.Errorf("%w: memory: run %q and worker %q; allowed: names", core.ErrInvalid, spec.Key.RunID, spec.Key.WorkerID)
	}
	spec.Environment = slices.Clone(spec.Environment)
	spec.Secrets = slices.Clone(spec.Secrets)
	env := slices.Concat(spec.Environment, spec.Secrets, []ports.EnvVar{
		{Name: ports.EnvRunID, Value: spec.Key.RunID},
		{Name: ports.EnvWorkerID, Value: spec.Key.WorkerID},
		{Name: ports.EnvGroupID, Value: strconv.Itoa(spec.GroupID)},
		{Name: ports.EnvGroupCount, Value: strconv.Itoa(spec.GroupCount)},
		{Name: ports.EnvEpoch, Value: strconv.Itoa(spec.Key.Epoch)},
	})
	for _, v := range env {
		if v.Name == "" || strings.Contains(v.Name, "=") {
			return nil, fmt.Errorf("%w: memory: the name of a variable is %q; allowed: not empty, and no '='", core.ErrInvalid, v.Name)
		}
	}
	return &Process{spec: spec, env: env, terminate: make(chan struct{}, maxStops)}, nil
}

// Spec is what the worker was launched with. Its slices belong to the caller.
func (p *Process) Spec() ports.WorkerSpec {
	spec := p.spec
	spec.Environment = slices.Clone(spec.Environment)
	spec.Secrets = slices.Clone(spec.Secrets)
	return spec
}

// Terminate receives one value for each gentle stop, as SIGTERM would come: the
// first means drain, flush and return. Of stops that nobody takes two are kept.
func (p *Process) Terminate() <-chan struct{} { return p.terminate }

func (p *Process) askToEnd() {
	select {
	case p.terminate <- struct{}{}:
	default:
	}
}

// LookupEnv finds a variable of the worker's environment, secrets included; of
// two with one name the last counts.
func (p *Process) LookupEnv(name string) (value string, ok bool) {
	for _, v := range p.env {
		if v.Name == name {
			value, ok = v.Value, true
		}
	}
	return value, ok
}

// Getenv is LookupEnv without telling an empty value from none.
func (p *Process) Getenv(name string) string {
	value, _ := p.LookupEnv(name)
	return value
}

// Environ lists the environment as "NAME=value", secrets included; of two with
// one name the last counts.
func (p *Process) Environ() []string {
	var list []string
	for _, v := range p.env {
		list = append(list, v.Name+"="+v.Value)
	}
	return list
}

// Write appends to the worker's log, of which the newest 256 KiB are kept. It
// never fails and may be called concurrently.
func (p *Process) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = append(p.log, text...)
	if over := len(p.log) - maxLogs; over > 0 {
		p.log = append(p.log[:0], p.log[over:]...)
	}
	return len(text), nil
}

// tail returns the newest whole lines of the log, at most limit bytes. A line
// that is longer than that is cut.
func (p *Process) tail(limit int) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(ports.NewestLines(p.log, limit))
}
