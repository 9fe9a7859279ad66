package core

import "time"

// Aim is how much load a run is to make over all workers, where something else
// than its plan says so. Its zero value is the plan's load.
type Aim struct {
	Number      int       `json:"number"` // of the settings of this run, from 1
	Connections int       `json:"connections"`
	Rate        float64   `json:"rate,omitempty"`    // operations per second; 0: the scenario's
	Workers     int       `json:"workers,omitempty"` // the first ones, that take part in an open loop; 0: all
	At          time.Time `json:"at,omitzero"`       // store time from which it holds; zero: from the beginning
	// Wanted is how many workers it needs, where fewer may be there: Workers follows
	// as they join.
	Wanted int `json:"wanted,omitempty"`
}

// setLoad takes over how much load is to be made. It holds from a phase lead on,
// when every worker has read it.
func (r *Run) setLoad(e LoadSet) {
	if r.Status != Running {
		return // late: nobody makes load
	}
	connections := min(max(e.Connections, 0), r.Plan.Connections)
	wanted := 0
	if r.Plan.grows() {
		wanted = min(max(e.Workers, r.Plan.needs(connections, e.Rate)), r.Plan.Workers)
		e.Workers = min(wanted, r.takingPart())
	}
	if r.Aim.Connections == connections && r.Aim.Rate == e.Rate && r.Aim.Workers == e.Workers && r.Aim.Wanted == wanted && r.Aim.Number > 0 {
		return
	}
	r.Aim = Aim{Number: r.Aim.Number + 1, Connections: connections, Rate: e.Rate, Workers: e.Workers, Wanted: wanted, At: e.At.Add(r.Plan.PhaseLead)}
	r.emit(ControlEvent{Type: EventStep, Scope: ScopeRun, Target: connections, Effective: r.Aim.At, Detail: e.Detail, At: e.At})
	r.launchFor(wanted, e.At)
	r.shareAim(e.At)
}

// shareAim shares the connections out over the workers that take part, evenly, each
// at most what it has open: what one cannot take the others do. Where workers have
// a floor, only as many take part as reach it, the first ones.
func (r *Run) shareAim(at time.Time) {
	if r.Aim.Number == 0 {
		return
	}
	var there, most []int
	for i := range r.Workers {
		if w := &r.Workers[i]; w.Life.Alive() && !w.Silent && !w.Joining {
			there, most = append(there, i), append(most, r.Plan.Opens(i))
		}
	}
	for n, target := range ShareBetween(r.Aim.Connections, r.Plan.Floor, most) {
		w := &r.Workers[there[n]]
		if w.Target != target {
			w.Target = target
			r.emit(ControlEvent{Type: EventSetWorkerTarget, Scope: ScopeWorker, WorkerID: w.ID, Epoch: w.Epoch, Target: target, Effective: r.Aim.At, At: at})
		}
	}
}
