package core

import "time"

// The defaults of the load.
const (
	defaultWarmup   = Duration(2 * time.Second) // only when the template bounds nothing
	DefaultDuration = Duration(10 * time.Second)
	defaultSeed     = 1
	defaultSampling = 1.0 // percent
	defaultInterval = Duration(time.Second)
)

// The defaults of the limits; zero fields of a template mean these.
const (
	defaultStatementTimeout  = Duration(60 * time.Second)
	defaultPreflightTimeout  = Duration(60 * time.Second)
	defaultStartTimeout      = Duration(60 * time.Second)
	defaultDrainTimeout      = Duration(30 * time.Second)
	defaultCancelTimeout     = Duration(5 * time.Second)
	defaultTerminateTimeout  = Duration(5 * time.Second)
	defaultKillTimeout       = Duration(5 * time.Second)
	defaultProcessingTimeout = Duration(60 * time.Second)
	defaultWorkerLease       = Duration(15 * time.Second)
	defaultOwnerLease        = Duration(5 * time.Second)
	defaultControlPoll       = Duration(50 * time.Millisecond)
	defaultRunLimit          = Duration(time.Hour)        // of a run bounded by operations, behind its warm-up
	runLimitMargin           = Duration(60 * time.Second) // of a run bounded by time, behind its load
)

func (v *resolver) load() ScenarioLoad {
	t := &v.template.Load
	load := ScenarioLoad{
		Mode:       v.found.word("load.mode", t.Mode, ModeConcurrency, []string{ModeConcurrency, ModeQPS, ModeFindConcurrency, ModeFindQPS}),
		Scaling:    v.found.word("load.scaling", t.Scaling, ScalingFixed, []string{ScalingFixed, ScalingBounded, ScalingAuto}),
		Workers:    t.Workers,
		Warmup:     v.duration("load.warmup", t.Warmup, 0),
		Duration:   v.duration("load.duration", t.Duration, 0),
		Cooldown:   v.duration("load.cooldown", t.Cooldown, 0),
		Operations: t.Operations,
		ThinkTime:  v.duration("load.think_time", t.ThinkTime, 0),
		Seed:       t.Seed,
		Sampling:   defaultSampling,
		Interval:   defaultInterval,
		NoNullLane: t.NullLane != nil && !*t.NullLane,
	}
	v.counts(&load)
	v.bounds(&load)
	v.pace(&load)
	v.search(&load)
	if load.Seed == 0 {
		load.Seed = defaultSeed
	}
	if t.Sampling != nil {
		load.Sampling = *t.Sampling
		if !(load.Sampling >= 0 && load.Sampling <= 100) {
			v.found.add("load.sampling", "is %v; allowed: 0 to 100 percent", load.Sampling)
		}
	}
	return load
}

// counts checks how many workers and connections there are.
func (v *resolver) counts(load *ScenarioLoad) {
	t := &v.template.Load
	if load.Scaling != ScalingFixed {
		v.scaling(load)
		return
	}
	v.noBounds()
	switch {
	case t.Workers == 0:
		v.found.add("load.workers", "is missing or 0; scaling FIXED needs it: 1 to %d workers", maxWorkers)
	case t.Workers < 0 || t.Workers > maxWorkers:
		v.found.add("load.workers", "is %d; allowed: 1 to %d", t.Workers, maxWorkers)
	}
	switch {
	case t.Connections == 0:
		v.found.add("load.connections", "is missing or 0; scaling FIXED needs it: connections of each worker, at least 1")
	case t.Connections < 0 || t.Connections > maxConnections:
		v.found.add("load.connections", "is %d; allowed: 1 to %d over all workers", t.Connections, maxConnections)
	case t.Workers > 0 && t.Workers <= maxWorkers:
		load.Connections = t.Workers * t.Connections
		if load.Connections > maxConnections {
			v.found.add("load.connections", "is %d for each of %d workers, %d together; allowed: up to %d together",
				t.Connections, t.Workers, load.Connections, maxConnections)
		}
	}
}

// bounds fills in what ends the load: a time, a number of operations, or
// whichever comes first.
func (v *resolver) bounds(load *ScenarioLoad) {
	if load.Operations < 0 || load.Operations > maxOperations {
		v.found.add("load.operations", "is %d; allowed: 1 to %d, or none", load.Operations, maxOperations)
		return
	}
	switch {
	case load.Duration == 0 && searching(load.Mode):
		load.Duration = defaultSearchDuration
	case load.Operations == 0 && load.Duration == 0:
		load.Duration = DefaultDuration
		if load.Warmup == 0 {
			load.Warmup = defaultWarmup
		}
	case load.Duration == 0 && load.Cooldown > 0:
		v.found.add("load.cooldown", "is %s, but a load that only operations bound ends with the last one; leave it out, or set load.duration too", load.Cooldown)
	}
}

// Unbounded says that nothing of the template ends its load: it gets the default
// duration, and without a warm-up the default one. A search ends by itself.
func (l TemplateLoad) Unbounded() bool {
	return l.Operations == 0 && l.Duration == 0 && !searching(l.Mode)
}

// duration returns a time of the load or of the limits, or its default.
func (v *resolver) duration(field string, d, otherwise Duration) Duration {
	switch {
	case d == 0:
		return otherwise
	case d < 0:
		v.found.add(field, "is %s; a time cannot be negative", d)
	case d > maxTime:
		v.found.add(field, "is %s; allowed: up to %s", d, maxTime)
	default:
		return d
	}
	return otherwise
}

func (v *resolver) limits(load ScenarioLoad) Limits {
	t, r := &v.template.Limits, v.resolution
	terminate, kill := defaultTerminateTimeout, defaultKillTimeout
	if r.Grace > 0 {
		terminate += Duration(r.Grace)
		kill += Duration(r.Grace)
	}
	l := Limits{
		StatementTimeout:  v.atLeast("limits.statement_timeout", t.StatementTimeout, defaultStatementTimeout, time.Millisecond),
		PreflightTimeout:  defaultPreflightTimeout,
		StartTimeout:      v.atLeast("limits.start_timeout", t.StartTimeout, either(r.StartTimeout, defaultStartTimeout), 100*time.Millisecond),
		DrainTimeout:      v.atLeast("limits.drain_timeout", t.DrainTimeout, defaultDrainTimeout, time.Millisecond),
		CancelTimeout:     v.atLeast("limits.cancel_timeout", t.CancelTimeout, defaultCancelTimeout, 10*time.Millisecond),
		TerminateTimeout:  v.atLeast("limits.terminate_timeout", t.TerminateTimeout, terminate, 10*time.Millisecond),
		KillTimeout:       v.atLeast("limits.kill_timeout", t.KillTimeout, kill, 10*time.Millisecond),
		ProcessingTimeout: defaultProcessingTimeout,
		WorkerLease:       v.duration("limits.worker_lease", t.WorkerLease, either(r.WorkerLease, defaultWorkerLease)),
		OwnerLease:        v.atLeast("limits.owner_lease", t.OwnerLease, either(r.OwnerLease, defaultOwnerLease), 100*time.Millisecond),
		ControlPoll:       v.atLeast("limits.control_poll", t.ControlPoll, either(r.ControlPoll, defaultControlPoll), 10*time.Millisecond),
	}
	l.OnLoss = LostPolicy(v.found.word("limits.on_loss", string(t.OnLoss), string(FailOnLoss), []string{string(FailOnLoss), string(DegradeOnLoss)}))
	if l.WorkerLease < 3*l.OwnerLease {
		v.found.add("limits.worker_lease", "is %s; allowed: at least 3 times the owner lease of %s, so %s", l.WorkerLease, l.OwnerLease, 3*l.OwnerLease)
	}
	if l.OwnerLease < 2*l.ControlPoll {
		v.found.add("limits.owner_lease", "is %s; allowed: at least 2 times the control poll of %s", l.OwnerLease, l.ControlPoll)
	}
	l.RunLimit = v.runLimit(load)
	l.Guardrails = v.guardrails()
	return l
}

// runLimit is the time, from the beginning of the load, after which a run ends
// whatever else happens.
func (v *resolver) runLimit(load ScenarioLoad) Duration {
	if load.Duration == 0 {
		limit := v.duration("limits.run_limit", v.template.Limits.RunLimit, load.Warmup+defaultRunLimit)
		if limit <= load.Warmup {
			v.found.add("limits.run_limit", "is %s; allowed: more than the warm-up of %s", limit, load.Warmup)
		}
		return limit
	}
	least := load.Warmup + load.Duration + load.Cooldown + runLimitMargin
	limit := v.duration("limits.run_limit", v.template.Limits.RunLimit, least)
	if limit < least {
		v.found.add("limits.run_limit", "is %s; allowed: at least %s, which is warm-up, duration, cooldown and %s", limit, least, runLimitMargin)
	}
	return limit
}

// atLeast is duration with a least value.
func (v *resolver) atLeast(field string, d, otherwise Duration, least time.Duration) Duration {
	d = v.duration(field, d, otherwise)
	if d < Duration(least) {
		v.found.add(field, "is %s; allowed: at least %s", d, least)
	}
	return d
}

func either(d time.Duration, otherwise Duration) Duration {
	if d != 0 {
		return Duration(d)
	}
	return otherwise
}
