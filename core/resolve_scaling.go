package core

import "math"

// The bounds of scaling where a template names none.
const (
	// DefaultMaxConnections is the most connections of one worker.
	DefaultMaxConnections = 32
	// autoWorkers is the most workers of AUTO, unless the launcher starts fewer.
	autoWorkers = 8
	// autoResponse is the response time, in seconds, for which AUTO has connections
	// from the beginning: rate × response time of them are busy on average.
	autoResponse = 0.1
)

// workerBounds are within what a run may scale.
type workerBounds struct {
	minWorkers, maxWorkers         int
	minConnections, maxConnections int // of each worker
}

// noBounds refuses to FIXED what only the others have.
func (v *resolver) noBounds() {
	for _, key := range v.boundKeys() {
		if key.value != 0 {
			v.found.add("load."+key.name, "is %d, but load.scaling is FIXED, which has load.workers and load.connections; allowed with BOUNDED only", key.value)
		}
	}
}

type boundKey struct {
	name  string
	value int
}

func (v *resolver) boundKeys() []boundKey {
	t := &v.template.Load
	return []boundKey{
		{"min_workers", t.MinWorkers}, {"max_workers", t.MaxWorkers},
		{"min_connections", t.MinConnections}, {"max_connections", t.MaxConnections},
	}
}

// scaling fills in how many workers and connections there may be of BOUNDED and
// AUTO, and how many workers begin.
func (v *resolver) scaling(load *ScenarioLoad) {
	t := &v.template.Load
	before := len(v.found)
	if t.Workers != 0 {
		v.found.add("load.workers", "is %d, but load.scaling is %s, which finds out how many are needed; allowed with FIXED only", t.Workers, load.Scaling)
	}
	b := v.boundedWorkers()
	if load.Scaling == ScalingAuto {
		b = v.autoWorkers()
	}
	if len(v.found) > before {
		return
	}
	if load.Mode == ModeConcurrency {
		v.fewestWorkers(load, b)
		return
	}
	if t.Connections != 0 {
		v.found.add("load.connections", "is %d, but with load.mode %s and load.scaling %s the workers have load.max_connections each; leave it out", t.Connections, load.Mode, load.Scaling)
	}
	if t.MinConnections != 0 && load.OpenLoop() {
		v.found.add("load.min_connections", "is %d, but with load.mode %s all connections of a worker take part; leave it out", t.MinConnections, load.Mode)
	}
	if load.Mode == ModeQPS {
		v.pursued(load)
	}
	load.Workers, load.Initial = b.maxWorkers, b.minWorkers
	load.Connections = b.maxWorkers * b.maxConnections
	if b.minConnections > 1 {
		load.MinConnections = b.minConnections
	}
	if load.Scaling == ScalingAuto && load.Mode == ModeQPS {
		busy := t.Rate * autoResponse / float64(b.maxConnections)
		load.Initial = int(min(max(1, math.Ceil(busy)), float64(b.maxWorkers)))
	}
	if load.Initial == load.Workers {
		load.Initial = 0 // nobody can join
	}
}

// boundedWorkers are the bounds that a template names.
func (v *resolver) boundedWorkers() workerBounds {
	t := &v.template.Load
	b := workerBounds{max(t.MinWorkers, 1), t.MaxWorkers, max(t.MinConnections, 1), t.MaxConnections}
	if b.maxConnections == 0 {
		b.maxConnections = max(DefaultMaxConnections, b.minConnections)
	}
	if v.template.Load.Scaling != ScalingBounded {
		return b
	}
	for _, key := range v.boundKeys() {
		most := maxWorkers
		if key.name == "min_connections" || key.name == "max_connections" {
			most = maxConnections
		}
		if key.value < 0 || key.value > most {
			v.found.add("load."+key.name, "is %d; allowed: 1 to %d", key.value, most)
			return b
		}
	}
	switch {
	case t.MaxWorkers == 0:
		v.found.add("load.max_workers", "is missing or 0; scaling BOUNDED needs it: 1 to %d workers", maxWorkers)
	case b.minWorkers > b.maxWorkers:
		v.found.add("load.min_workers", "is %d; allowed: 1 to load.max_workers, which is %d", b.minWorkers, b.maxWorkers)
	case b.minConnections > b.maxConnections:
		v.found.add("load.min_connections", "is %d; allowed: 1 to load.max_connections, which is %d", b.minConnections, b.maxConnections)
	case b.maxWorkers*b.maxConnections > maxConnections:
		v.found.add("load.max_connections", "is %d for each of %d workers, %d together; allowed: up to %d together",
			b.maxConnections, b.maxWorkers, b.maxWorkers*b.maxConnections, maxConnections)
	}
	return b
}

// autoWorkers are the bounds that follow from the launcher.
func (v *resolver) autoWorkers() workerBounds {
	for _, key := range v.boundKeys() {
		if key.value != 0 {
			v.found.add("load."+key.name, "is %d, but load.scaling is AUTO, whose bounds follow from the launcher; allowed with BOUNDED only", key.value)
		}
	}
	most := autoWorkers
	if limit := v.resolution.MaxWorkers; limit > 0 {
		most = min(most, limit)
	}
	return workerBounds{1, most, 1, DefaultMaxConnections}
}

// fewestWorkers is a closed loop: its connections are given, and as few workers as
// the bounds let keep them, all from the beginning.
func (v *resolver) fewestWorkers(load *ScenarioLoad, b workerBounds) {
	total := v.template.Load.Connections
	least, most := b.minWorkers*b.minConnections, b.maxWorkers*b.maxConnections
	if total < least || total > most {
		v.found.add("load.connections", "is %d; allowed with load.scaling %s: %d to %d over all workers (%d to %d workers with %d to %d connections each)",
			total, load.Scaling, max(least, 1), most, b.minWorkers, b.maxWorkers, b.minConnections, b.maxConnections)
		return
	}
	load.Connections = total
	load.Workers = max(b.minWorkers, (total+b.maxConnections-1)/b.maxConnections)
	if total/load.Workers < b.minConnections {
		v.found.add("load.min_connections", "is %d, but %d connections of which no worker has more than %d need %d workers, which would have %d; allowed: a lower floor, or a higher load.max_connections",
			b.minConnections, total, b.maxConnections, load.Workers, total/load.Workers)
	}
}

// pursued checks a rate that workers are added for.
func (v *resolver) pursued(load *ScenarioLoad) {
	t := &v.template.Load
	if t.Operations != 0 {
		v.found.add("load.operations", "is %d, but with load.mode QPS and load.scaling %s the load is bounded by time; leave it out, or set load.scaling FIXED", t.Operations, load.Scaling)
	}
	if t.Ramp != (TemplateRamp{}) {
		v.found.add("load.ramp", "is given, but load.scaling %s pursues one rate; leave it out, or set load.scaling FIXED", load.Scaling)
	}
}
