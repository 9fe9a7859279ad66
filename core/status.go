package core

// Status is where a run stands in its life.
type Status string

// The statuses of a run. The last three are terminal.
const (
	Prepared   Status = "PREPARED"
	Starting   Status = "STARTING"
	Running    Status = "RUNNING"
	Stopping   Status = "STOPPING"
	Cancelling Status = "CANCELLING"
	Completed  Status = "COMPLETED"
	Cancelled  Status = "CANCELLED"
	Failed     Status = "FAILED"
)

// Statuses returns every status in the order of a run's life.
func Statuses() []Status {
	return []Status{Prepared, Starting, Running, Stopping, Cancelling, Completed, Cancelled, Failed}
}

// Terminal reports whether nothing can change the run any more.
func (s Status) Terminal() bool { return s == Completed || s == Cancelled || s == Failed }

// Ending reports whether the STOP ladder is at work.
func (s Status) Ending() bool { return s == Stopping || s == Cancelling }

// Phase says which part of the load an operation belongs to. The zero Phase
// means that no load has begun.
type Phase string

// The phases, in order.
const (
	Preparing   Phase = "PREPARING"
	Warmup      Phase = "WARMUP"
	Measurement Phase = "MEASUREMENT"
	Cooldown    Phase = "COOLDOWN"
	Processing  Phase = "PROCESSING"
)

// LoadPhases returns the phases during which workers make load, in order.
func LoadPhases() []Phase { return []Phase{Warmup, Measurement, Cooldown} }

// Reason says why a run ends. The reason of a run only rises.
type Reason string

// The reasons, in rising order of rank.
const (
	Elapsed          Reason = "ELAPSED"           // the measurement's time is over
	OperationsDone   Reason = "OPERATIONS_DONE"   // every connection has run its quota, or has no key left to insert
	TargetFound      Reason = "TARGET_FOUND"      // a search has its answer
	UserRequested    Reason = "USER_REQUESTED"    // somebody asked for a stop
	Budget           Reason = "BUDGET"            // the budget is used up
	Guardrail        Reason = "GUARDRAIL"         // a bound of the run itself was passed
	SLOAbort         Reason = "SLO_ABORT"         // an SLO with abort was missed
	WorkerLost       Reason = "WORKER_LOST"       // a worker died or fell silent
	StartTimeout     Reason = "START_TIMEOUT"     // not all workers were ready in time
	LaunchRefused    Reason = "LAUNCH_FAILED"     // the launcher could not start a worker
	PreflightRefused Reason = "PREFLIGHT_REFUSED" // a preflight check said no
)

// Reasons returns every reason in rising order.
func Reasons() []Reason {
	return []Reason{Elapsed, OperationsDone, TargetFound, UserRequested, Budget,
		Guardrail, SLOAbort, WorkerLost, StartTimeout, LaunchRefused, PreflightRefused}
}

// Outcome is the terminal status that a run with this reason reaches if all
// else goes well; "" for no reason.
func (r Reason) Outcome() Status {
	switch r {
	case Elapsed, OperationsDone, TargetFound:
		return Completed
	case UserRequested, Budget:
		return Cancelled
	case Guardrail, SLOAbort, WorkerLost, StartTimeout, LaunchRefused, PreflightRefused:
		return Failed
	default:
		return ""
	}
}

// rank orders outcomes: a reason may be replaced only by one of a higher rank,
// so of two of equal rank the first wins.
func (r Reason) rank() int {
	switch r.Outcome() {
	case Completed:
		return 1
	case Cancelled:
		return 2
	case Failed:
		return 3
	default:
		return 0
	}
}

// Outranks reports whether r may replace other as the reason of a run.
func (r Reason) Outranks(other Reason) bool { return r.rank() > other.rank() }

// Rung is one step of the STOP ladder. The zero Rung means that no stop was
// requested.
type Rung int

// The rungs, in the order in which they are climbed.
const (
	NotStopping Rung = iota
	Drain            // no new operation; those in flight finish
	Cancel           // contexts are cancelled, and the target is asked to cancel
	Terminate        // the launcher ends the worker gently
	Kill             // the launcher ends the worker hard
	Orphaned         // named, never forgotten
)

var rungNames = [...]string{"NOT_STOPPING", "DRAIN", "CANCEL", "TERMINATE", "KILL", "ORPHANED"}

// String returns the rung's name as it is stored.
func (r Rung) String() string {
	if r < 0 || int(r) >= len(rungNames) {
		return "UNKNOWN"
	}
	return rungNames[r]
}

// MarshalText stores a rung by name.
func (r Rung) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a rung by name.
func (r *Rung) UnmarshalText(text []byte) error {
	for i, name := range rungNames {
		if name == string(text) {
			*r = Rung(i)
			return nil
		}
	}
	return invalid("rung", string(text), "one of DRAIN, CANCEL, TERMINATE, KILL, ORPHANED")
}

// Life is what a run knows of one of its workers.
type Life string

// The lives of a worker as its run sees it.
const (
	Planned   Life = ""          // no launch is owed yet
	Launching Life = "LAUNCHING" // a launch is owed or under way; its outcome is not known
	Launched  Life = "LAUNCHED"  // the platform has accepted it
	Ready     Life = "READY"     // registered, connections open
	Gone      Life = "GONE"      // no longer alive, or never was
	Orphan    Life = "ORPHAN"    // may be alive; nothing that we did ended it
)

// Alive reports whether a worker in this life may still make load.
func (l Life) Alive() bool { return l == Launching || l == Launched || l == Ready }

// WorkerState is what a worker says of itself in its beat.
type WorkerState string

// The states of the worker contract.
const (
	WorkerStarting  WorkerState = "STARTING"
	WorkerReadyNow  WorkerState = "READY"
	WorkerRunning   WorkerState = "RUNNING"
	WorkerDraining  WorkerState = "DRAINING"
	WorkerCompleted WorkerState = "COMPLETED"
	WorkerDead      WorkerState = "DEAD"
)

// Final reports whether a worker in this state will say nothing more.
func (s WorkerState) Final() bool { return s == WorkerCompleted || s == WorkerDead }

// LostPolicy says what a run does when a worker is lost while it makes load.
type LostPolicy string

// The policies for a lost worker.
const (
	FailOnLoss    LostPolicy = "fail"
	DegradeOnLoss LostPolicy = "degrade"
)
