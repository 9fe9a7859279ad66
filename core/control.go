package core

import "time"

// EventType is the type of a control event. The list is closed.
type EventType string

// The control events of RUN_CONTROL_EVENTS.
const (
	EventStart           EventType = "START"
	EventSetPhase        EventType = "SET_PHASE"
	EventSetWorkerTarget EventType = "SET_WORKER_TARGET"
	EventWorkerAdded     EventType = "WORKER_ADDED"
	EventWorkerLost      EventType = "WORKER_LOST"
	EventStep            EventType = "STEP"
	EventGuardrail       EventType = "GUARDRAIL"
	EventStop            EventType = "STOP"
	EventStopRaised      EventType = "STOP_RAISED"
	EventOwnerChanged    EventType = "OWNER_CHANGED"
)

// Scope says whom a control event concerns.
type Scope string

// The scopes.
const (
	ScopeRun         Scope = "RUN"
	ScopeWorkerGroup Scope = "WORKER_GROUP"
	ScopeWorker      Scope = "WORKER"
)

// ControlEvent is one row of the append-only RUN_CONTROL_EVENTS, ordered by
// Sequence within its run. Fields that do not apply are empty.
type ControlEvent struct {
	RunID    string    `json:"run_id"`
	Sequence int64     `json:"sequence_id"` // 1, 2, 3 … without gaps
	Type     EventType `json:"event_type"`
	Scope    Scope     `json:"scope"`
	WorkerID string    `json:"worker_id,omitempty"`
	Epoch    int       `json:"epoch,omitempty"`
	Target   int       `json:"target_connections,omitempty"`
	Phase    Phase     `json:"phase,omitempty"`
	// Effective is the store time at which workers switch to Phase.
	Effective time.Time `json:"effective,omitzero"`
	Reason    Reason    `json:"reason,omitempty"`
	Rung      string    `json:"rung,omitempty"`
	By        string    `json:"by,omitempty"` // who asked
	Detail    string    `json:"detail,omitempty"`
	At        time.Time `json:"at"` // store time at which it was decided
}

// Control is the level state that a worker reads every control poll. It is
// complete in itself: a worker that missed every earlier read obeys it all the
// same. Events are only hints.
type Control struct {
	Now time.Time `json:"now"` // the store's clock when it was read
	// Held is how long the store held the read before it answered, waiting for
	// something new: a reader's round trip is that much shorter.
	Held    time.Duration `json:"held,omitempty"`
	Version int64         `json:"version"`
	Status  Status        `json:"status"`
	Rung    Rung          `json:"rung"`
	// Phase takes effect at PhaseAt, a store time; until then the phase before
	// it holds. It is what the run has recorded: workers follow Phases.
	Phase   Phase     `json:"phase,omitempty"`
	PhaseAt time.Time `json:"phase_at,omitzero"`
	// Origin is when the load begins: the zero of the interval numbers.
	Origin time.Time `json:"origin,omitzero"`
	// Until is when the load ends by itself; zero when only events end it.
	Until time.Time `json:"until,omitzero"`
	// Epoch is the only launch generation of this worker that may speak.
	Epoch int `json:"epoch"`
	// Target is how many connections this worker should keep.
	Target int `json:"target_connections"`
	// Aim is how much load all workers together are to make; zero: the scenario's.
	Aim Aim `json:"aim,omitzero"`
	// Acknowledged is the last interval of this worker that is safely stored.
	Acknowledged    int64     `json:"acknowledged"`
	OwnerLeaseUntil time.Time `json:"owner_lease_until,omitzero"`
	LastSequence    int64     `json:"last_sequence"` // of the run's control events
}

// PhaseTimes are the store times at which the phases of a load begin and the load
// ends; zero: there is no such phase, or it is not known.
type PhaseTimes struct{ Warmup, Measurement, Cooldown, End time.Time }

// Phases is when the phases of a load begin, of which the warm-up and the
// cool-down last that long. START says all of it: whatever becomes of the orchestrator
// afterwards, and of the store, workers measure when they should, and stop.
func (c Control) Phases(warmup, cooldown time.Duration) PhaseTimes {
	if c.Origin.IsZero() {
		return PhaseTimes{}
	}
	t := PhaseTimes{Measurement: c.Origin.Add(warmup), End: c.Until}
	if warmup > 0 {
		t.Warmup = c.Origin
	}
	if !c.Until.IsZero() {
		t.Cooldown = c.Until.Add(-cooldown)
	}
	return t
}

// WorkerKey names one launch of one worker for ever.
type WorkerKey struct {
	RunID    string `json:"run_id"`
	WorkerID string `json:"worker_id"`
	Epoch    int    `json:"epoch"`
}

// Handle is how a launcher finds a worker again: opaque to everybody else, and
// versioned by the launcher that made it.
type Handle struct {
	Launcher string `json:"launcher,omitempty"`
	Version  int    `json:"version,omitempty"`
	Data     []byte `json:"data,omitempty"`
}

// Zero reports whether there is no handle.
func (h Handle) Zero() bool { return h.Launcher == "" && len(h.Data) == 0 }
