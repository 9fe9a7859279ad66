package core

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// TemplateGuardrails are soft bounds on what workers use themselves.
type TemplateGuardrails struct {
	CPU      float64  `json:"cpu,omitempty" jsonschema:"description=Percent of the CPU that a worker may have; default off"`
	Memory   float64  `json:"memory,omitempty" jsonschema:"description=Percent of the memory that a worker may have; default off"`
	Patience Duration `json:"patience,omitempty" jsonschema:"description=How long all workers may exceed before the run fails; default 10s"`
}

// Guardrails are soft bounds on the CPU and memory of the load generator itself. A
// worker that exceeds one
//
//   - backs off: after 2 intervals without a break it keeps half of its connections,
//     and again after 2 more, down to a quarter of what it was asked to keep. Only a
//     closed loop of fixed size that time bounds may: elsewhere the load would not be
//     what was asked, or never end, or somebody else says how large it is;
//   - is degraded: when it cannot back off any further, or at the latest when it has
//     exceeded for the patience;
//   - fails the run: when every worker is degraded and has exceeded for the patience.
//
// Whoever has backed off keeps that: connections that come and go make numbers of
// nothing. Each stage makes the verdict DEGRADED.
type Guardrails struct {
	CPU      float64  `json:"cpu_percent,omitempty"`    // of what a worker may use; 0: no bound
	Memory   float64  `json:"memory_percent,omitempty"` // likewise
	Patience Duration `json:"patience"`
}

// String lists what is bounded: "CPU 80 %, memory 90 %, patience 10s"; "" for
// nothing.
func (g *Guardrails) String() string {
	if g == nil {
		return ""
	}
	text := ""
	if g.CPU > 0 {
		text += "CPU " + amount(g.CPU) + " %, "
	}
	if g.Memory > 0 {
		text += "memory " + amount(g.Memory) + " %, "
	}
	return text + "patience " + g.Patience.String()
}

// The policy of guardrails.
const (
	defaultPatience    = Duration(10 * time.Second)
	guardrailIntervals = 2 // without a break, before a stage
	guardrailFactor    = 2 // connections are divided by it
	guardrailFloor     = 4 // least connections: those asked for, divided by it
)

// GuardrailPolicy is what a watch needs to know of a scenario.
type GuardrailPolicy struct {
	Guardrails
	Interval time.Duration
	BackOff  bool // connections may be taken from a worker
}

// Guard is the scenario's policy of guardrails; not ok when it has none.
func (s Scenario) Guard() (policy GuardrailPolicy, ok bool) {
	if s.Limits.Guardrails == nil {
		return GuardrailPolicy{}, false
	}
	return GuardrailPolicy{
		Guardrails: *s.Limits.Guardrails, Interval: s.Load.Interval.Std(),
		BackOff: s.Load.Mode == ModeConcurrency && s.Load.Scaling == ScalingFixed && s.Load.Operations == 0 && s.Load.Ramp == nil,
	}, true
}

// WorkerUsage is what a worker used itself in one interval, in percent of what it
// may use; 0 is unknown.
type WorkerUsage struct {
	Worker      int
	Seconds     float64
	CPU, Memory float64
	// HostCPU and HostMemory are what all workers use of a host that they share, in
	// percent of it; 0 where each has its own.
	HostCPU, HostMemory float64
}

// GuardrailWatch follows what every worker uses, from one interval to the next. Its
// zero value has seen none.
type GuardrailWatch struct {
	workers []guarded
}

// guarded is one worker under watch.
type guarded struct {
	over  float64 // seconds without a break
	stage float64 // of them, since the last stage
	text  string  // what it used, while it exceeds
}

// GuardrailStep is what a worker that exceeds has to do, or has become. A zero step
// is none.
type GuardrailStep struct {
	Target  int // connections to keep from now on; 0: as before
	Degrade bool
	Detail  string
}

// Observe folds in one interval of a worker of that record, which was asked to keep
// that many connections. Intervals without a length say nothing.
func (w GuardrailWatch) Observe(p GuardrailPolicy, usage WorkerUsage, record WorkerRecord, asked int) (next GuardrailWatch, step GuardrailStep) {
	next.workers = slices.Clone(w.workers)
	for len(next.workers) <= usage.Worker {
		next.workers = append(next.workers, guarded{})
	}
	if !(usage.Seconds > 0) {
		return next, GuardrailStep{}
	}
	g := &next.workers[usage.Worker]
	if g.text = p.exceeded(usage); g.text == "" {
		*g = guarded{}
		return next, GuardrailStep{}
	}
	g.over += usage.Seconds
	g.stage += usage.Seconds
	const late = 1 - 1e-3 // intervals are cut by timers
	due := g.stage >= guardrailIntervals*p.Interval.Seconds()*late
	patient := g.over < p.Patience.Std().Seconds()*late
	least := max(1, asked/guardrailFloor)
	switch {
	case record.Degraded:
	case due && patient && p.BackOff && record.Target > least:
		g.stage = 0
		step.Target = max(least, record.Target/guardrailFactor)
		step.Detail = fmt.Sprintf("%s used %s for %s: it keeps %d connections instead of %d", record.ID, g.text, seconds(g.over), step.Target, record.Target)
	case due && !(p.BackOff && record.Target > least) || !patient:
		g.stage, step.Degrade = 0, true
		step.Detail = fmt.Sprintf("%s used %s for %s", record.ID, g.text, seconds(g.over))
		if record.Target < asked {
			step.Detail += fmt.Sprintf(", with %d connections instead of %d too", record.Target, asked)
		}
		step.Detail += ": it is too weak for this load"
	}
	return next, step
}

// exceeded says what of the usage is beyond its guardrail, and by how much.
func (p GuardrailPolicy) exceeded(u WorkerUsage) string {
	var parts []string
	for _, of := range []struct {
		name              string
		used, host, bound float64
	}{{"CPU", u.CPU, u.HostCPU, p.CPU}, {"memory", u.Memory, u.HostMemory, p.Memory}} {
		switch {
		case !(of.bound > 0):
		case of.used > of.bound:
			parts = append(parts, fmt.Sprintf("%.1f %% of its %s (the guardrail is %s %%)", of.used, of.name, amount(of.bound)))
		case of.host > of.bound:
			parts = append(parts, fmt.Sprintf("with all others %.1f %% of their host's %s (the guardrail is %s %%)", of.host, of.name, amount(of.bound)))
		}
	}
	return strings.Join(parts, " and ")
}

// Failed says in words that every worker that is alive is degraded and has exceeded
// for the patience; "" while it is not so.
func (w GuardrailWatch) Failed(p GuardrailPolicy, records []WorkerRecord) string {
	var parts []string
	alive, shortest := 0, 0.0
	for i := range records {
		r := &records[i]
		if !r.Life.Alive() {
			continue
		}
		if !r.Degraded || i >= len(w.workers) || w.workers[i].over < p.Patience.Std().Seconds()*(1-1e-3) {
			return ""
		}
		if alive++; alive == 1 || w.workers[i].over < shortest {
			shortest = w.workers[i].over
		}
		parts = append(parts, r.ID+" "+w.workers[i].text)
	}
	if alive == 0 {
		return ""
	}
	return fmt.Sprintf("every worker has used more than its guardrails for %s: %s", seconds(shortest), firstOf(parts))
}

// guardrailOf is what the verdict says of a worker's guardrails, or "". Nothing can
// be said for one of whose usage nothing was seen.
func (s *Scenario) guardrailOf(w *WorkerRecord, seen Observed) string {
	p, ok := s.Guard()
	switch {
	case !ok || w.Guardrail != "" || !(seen.Seconds > 0):
		return w.Guardrail
	case p.CPU > 0 && !(seen.CPU > 0):
		return fmt.Sprintf("what %s used of its CPU is not known, so its guardrail could not be watched", w.ID)
	case p.Memory > 0 && !(seen.Memory > 0):
		return fmt.Sprintf("what %s used of its memory is not known, so its guardrail could not be watched", w.ID)
	default:
		return ""
	}
}

// Facts of guardrails. They change a run only while it is RUNNING.
type (
	// WorkerBackedOff says that a worker is to keep fewer connections, since it has
	// passed a guardrail.
	WorkerBackedOff struct {
		At     time.Time
		Worker int
		Epoch  int
		Target int
		Detail string
	}
	// WorkerDegraded says that a worker has passed a guardrail and cannot back off.
	WorkerDegraded struct {
		At     time.Time
		Worker int
		Epoch  int
		Detail string
	}
	// GuardrailFailed says that all workers have, for as long as is allowed.
	GuardrailFailed struct {
		At     time.Time
		Detail string
	}
)

func (e WorkerBackedOff) when() time.Time { return e.At }
func (e WorkerDegraded) when() time.Time  { return e.At }
func (e GuardrailFailed) when() time.Time { return e.At }

func (r *Run) backedOff(e WorkerBackedOff) {
	w := r.worker(e.Worker, e.Epoch)
	if w == nil || r.Status != Running || !w.Life.Alive() || e.Target < 1 || e.Target >= w.Target {
		return
	}
	w.Target, w.Guardrail = e.Target, e.Detail
	r.emit(ControlEvent{Type: EventGuardrail, Scope: ScopeWorker, WorkerID: w.ID, Epoch: w.Epoch, Target: w.Target, Detail: e.Detail, At: e.At})
	r.emit(ControlEvent{Type: EventSetWorkerTarget, Scope: ScopeWorker, WorkerID: w.ID, Epoch: w.Epoch, Target: w.Target, At: e.At})
}

func (r *Run) degraded(e WorkerDegraded) {
	w := r.worker(e.Worker, e.Epoch)
	if w == nil || r.Status != Running || !w.Life.Alive() || w.Degraded {
		return
	}
	w.Degraded, w.Guardrail = true, e.Detail
	r.emit(ControlEvent{Type: EventGuardrail, Scope: ScopeWorker, WorkerID: w.ID, Epoch: w.Epoch, Detail: e.Detail, At: e.At})
}

func (r *Run) guardrailFailed(e GuardrailFailed) {
	if r.Status != Running {
		return
	}
	r.emit(ControlEvent{Type: EventGuardrail, Scope: ScopeRun, Detail: e.Detail, At: e.At})
	r.requestEnd(e.At, Guardrail, e.Detail)
}
