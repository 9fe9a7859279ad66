package core

import (
	"cmp"
	"fmt"
)

// ownConnections are those of a run that make no load: one that looks at the target
// before it, and one to cancel statements by.
const ownConnections = 2

// ConnectionsFinding judges how many connections a run may come to have by how many the
// target grants; granted 0: it does not tell. AUTO takes what is there: most is how many
// workers are left to it, 0 for all. Else bounds are named with which the run would fit.
func ConnectionsFinding(s Scenario, granted int) (f Finding, most int, told bool) {
	load := &s.Load
	need := load.Connections + ownConnections
	if granted == 0 || need <= granted {
		return Finding{}, 0, false
	}
	free, each := granted-ownConnections, load.Connections/max(load.Workers, 1)
	grows := load.grows()
	least := 1 // worker; with a search those of its first step
	if load.Search != nil {
		least = s.Plan().first().AtStart()
	}
	if fits := free / max(each, 1); grows && load.Scaling == ScalingAuto && fits >= least {
		return Finding{ID: "target.connections", Severity: SeverityWarning, Mend: "let the target accept more connections for more of them",
			Message: fmt.Sprintf("AUTO may have up to %d workers of %d connections here, instead of %d: the target grants %d connections", fits, each, load.Workers, granted)}, fits, true
	}
	f = Finding{ID: "target.connections", Severity: SeverityError, Mend: "let the target accept more connections",
		Message: fmt.Sprintf("the run needs %d connections, the target grants %d", need, granted)}
	if grows {
		f.Message = fmt.Sprintf("the run may grow to %d connections, the target grants %d", need, granted)
	}
	if fits := load.fitting(free); fits != "" {
		f.Mend = fits + ", or " + f.Mend
	}
	return f, 0, true
}

// grows says whether the number of workers follows from what the load comes to need.
func (l *ScenarioLoad) grows() bool { return l.Scaling != ScalingFixed && l.Mode != ModeConcurrency }

// fitting says how a load gets along with so many connections; "" for none.
func (l *ScenarioLoad) fitting(free int) string {
	switch {
	case free < 1:
		return ""
	case l.grows() && l.Scaling == ScalingBounded:
		return l.fittingBounds(free)
	case l.grows():
		return fmt.Sprintf("take load.scaling BOUNDED with load.max_workers 1 and load.max_connections %d", free)
	case l.Scaling != ScalingFixed:
		return fmt.Sprintf("lower load.connections to %d", free)
	case free >= l.Workers:
		return fmt.Sprintf("lower load.connections to %d", free/l.Workers)
	}
	return fmt.Sprintf("lower load.workers to %d and load.connections to 1", free)
}

// fittingBounds are bounds of BOUNDED scaling within so many connections.
func (l *ScenarioLoad) fittingBounds(free int) string {
	each := l.Connections / max(l.Workers, 1)
	workers, keys := max(1, free/each), "load.max_workers"
	if fewest := cmp.Or(l.Initial, l.Workers); workers < fewest {
		keys = "load.min_workers and load.max_workers"
	}
	text := fmt.Sprintf("lower %s to %d", keys, workers)
	if free < each {
		text += fmt.Sprintf(", load.max_connections to %d", free)
	}
	return text
}
