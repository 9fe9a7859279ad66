package memory

import (
	"bytes"
	"slices"
	"sync"

	"github.com/benchfleet/benchfleet/ports"
)

// maxLogs is how many bytes of its newest log a worker keeps.
const maxLogs = 256 << 10

// Process is what a worker that a Launcher runs has in place of an operating
// system: its environment, its signal, its standard error.
type Process struct {
	spec      ports.WorkerSpec
	terminate chan struct{}

	mu    sync.Mutex
	asked bool
	log   []byte
}

func newProcess(spec ports.WorkerSpec) *Process {
	spec.Environment = slices.Clone(spec.Environment)
	spec.Secrets = slices.Clone(spec.Secrets)
	return &Process{spec: spec, terminate: make(chan struct{})}
}

// Spec is what the worker was launched with. Its slices belong to the caller.
func (p *Process) Spec() ports.WorkerSpec {
	spec := p.spec
	spec.Environment = slices.Clone(spec.Environment)
	spec.Secrets = slices.Clone(spec.Secrets)
	return spec
}

// Terminate is closed at the first gentle stop: drain, flush and return.
func (p *Process) Terminate() <-chan struct{} { return p.terminate }

func (p *Process) askToEnd() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.asked {
		p.asked = true
		close(p.terminate)
	}
}

// LookupEnv finds a variable of the worker's environment, secrets included; of
// two with one name the last counts.
func (p *Process) LookupEnv(name string) (value string, ok bool) {
	for _, list := range [][]ports.EnvVar{p.spec.Environment, p.spec.Secrets} {
		for _, v := range list {
			if v.Name == name {
				value, ok = v.Value, true
			}
		}
	}
	return value, ok
}

// Getenv is LookupEnv without telling an empty value from none.
func (p *Process) Getenv(name string) string {
	value, _ := p.LookupEnv(name)
	return value
}

// Environ lists the environment as "NAME=value", secrets included.
func (p *Process) Environ() []string {
	var list []string
	for _, v := range slices.Concat(p.spec.Environment, p.spec.Secrets) {
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
	from := len(p.log) - limit
	if from <= 0 {
		return slices.Clone(p.log)
	}
	if p.log[from-1] != '\n' { // in the middle of a line
		if i := bytes.IndexByte(p.log[from:], '\n'); i >= 0 && from+i+1 < len(p.log) {
			from += i + 1
		}
	}
	return slices.Clone(p.log[from:])
}
