package core

import "time"

// Event is something that Apply folds into a run: a request, which may be
// refused with a typed error, or a fact, which never is. Late, repeated and
// unknown facts change nothing. Every event carries the store's time.
//
//sumtype:decl
type Event interface{ when() time.Time }

// Requests.
type (
	// StartRequested asks a PREPARED run to check, launch and begin.
	StartRequested struct{ At time.Time }
	// CheckRequested asks for the checks of a PREPARED run, and for nothing else: it
	// stays PREPARED whatever they find. Repeating it while they are made changes
	// nothing.
	CheckRequested struct{ At time.Time }
	// StopRequested asks for the end of a run, beginning at least on Rung (zero:
	// Drain). It works in every state and repeating it changes nothing.
	StopRequested struct {
		At     time.Time
		Reason Reason
		By     string
		Detail string
		Rung   Rung
	}
	// OwnerClaimed asks to drive the run until Until. It is refused while
	// another owner's lease lasts.
	OwnerClaimed struct {
		At    time.Time
		Owner string
		Until time.Time
	}
	// OwnerRenewed prolongs the lease of the owner of that epoch, and is
	// refused to any other: that is the fence.
	OwnerRenewed struct {
		At    time.Time
		Owner string
		Epoch int
		Until time.Time
	}
)

// Facts.
type (
	// PreflightFinished carries every finding of the checks in PREPARED, those of a
	// start or those that were asked for alone.
	PreflightFinished struct {
		At       time.Time
		Findings []Finding
		Pools    []string // ids of the scenario's value pools, in its order
		Most     int      // workers that may be launched at all; 0: all of the plan
	}
	// WorkerLaunched says that the platform has accepted a launch.
	WorkerLaunched struct {
		At     time.Time
		Worker int
		Epoch  int
		Handle Handle
	}
	// WorkerPending says that the platform has accepted a launch and does not run
	// it yet, and why. It comes again with another cause.
	WorkerPending struct {
		At     time.Time
		Worker int
		Epoch  int
		Cause  string
	}
	// LaunchFailed says that the launcher refused a launch for good. Whether
	// something runs nevertheless is still to be located.
	LaunchFailed struct {
		At     time.Time
		Worker int
		Epoch  int
		Detail string
	}
	// BeatSeen carries what a worker said of itself.
	BeatSeen struct {
		At           time.Time
		Worker       int
		Epoch        int
		State        WorkerState
		QuotaDone    bool      // its share of an operations bound is done
		Acknowledged int64     // its last interval that is safely stored
		Connections  int       // open now
		LastStart    time.Time // of its last new operation, store time
		LastEnd      time.Time // of its last operation in flight, store time
		Detail       string    // its last error while that is news; empty: it is over
	}
	// WorkerSilent says that a worker has missed so many beats that it is LOST.
	WorkerSilent struct {
		At     time.Time
		Worker int
		Epoch  int
		Detail string
	}
	// WorkerExited says that nothing of this launch is alive.
	WorkerExited struct {
		At     time.Time
		Worker int
		Epoch  int
		Exit   Exit
	}
	// LoadSet says how much load the run is to make from now on, over all workers:
	// connections of a closed loop, or a rate of an open one, which the first Workers
	// of them make. Detail says why.
	LoadSet struct {
		At          time.Time
		Connections int
		Rate        float64 // operations per second; 0: the scenario's
		Workers     int     // of an open loop; 0: all
		Detail      string
	}
	// WindowMeasured carries the next complete window of the step of a search that is
	// at hand. Step and Number count from 1; Total sums up all windows of the step.
	WindowMeasured struct {
		At            time.Time
		Step, Number  int
		Window, Total SearchWindow
	}
	// SessionsCounted is the target's answer to: what of this run still runs?
	SessionsCounted struct {
		At      time.Time
		Running RunningCount
	}
	// RollupStored says that rollup and certificate are stored.
	RollupStored struct{ At time.Time }
	// ResourcesReleased says that what outlives the workers is freed.
	ResourcesReleased struct{ At time.Time }
	// Ticked says what time it is.
	Ticked struct{ At time.Time }
)

func (e StartRequested) when() time.Time    { return e.At }
func (e CheckRequested) when() time.Time    { return e.At }
func (e StopRequested) when() time.Time     { return e.At }
func (e OwnerClaimed) when() time.Time      { return e.At }
func (e OwnerRenewed) when() time.Time      { return e.At }
func (e PreflightFinished) when() time.Time { return e.At }
func (e WorkerLaunched) when() time.Time    { return e.At }
func (e WorkerPending) when() time.Time     { return e.At }
func (e LaunchFailed) when() time.Time      { return e.At }
func (e BeatSeen) when() time.Time          { return e.At }
func (e WorkerSilent) when() time.Time      { return e.At }
func (e WorkerExited) when() time.Time      { return e.At }
func (e LoadSet) when() time.Time           { return e.At }
func (e WindowMeasured) when() time.Time    { return e.At }
func (e SessionsCounted) when() time.Time   { return e.At }
func (e RollupStored) when() time.Time      { return e.At }
func (e ResourcesReleased) when() time.Time { return e.At }
func (e Ticked) when() time.Time            { return e.At }

// Exit is how a launch ended.
type Exit struct {
	Code  int       `json:"code"`            // of the process; -1 when there is none
	Cause string    `json:"cause,omitempty"` // in words: "killed by signal 9", "never launched"
	At    time.Time `json:"at,omitzero"`     // store time at which it was noticed
}

// RunningCount is the target's count of operations of a run that still run. An
// unknown count is never zero: Known is false and Why says why.
type RunningCount struct {
	Known bool   `json:"known"`
	Count int    `json:"count"`
	Why   string `json:"why,omitempty"`
}

// Command is an effect that the shell owes the world. Commands are plain data
// and idempotent: executing one twice is the same as once.
//
//sumtype:decl
type Command interface{ command() }

// The commands.
type (
	// RunPreflight runs the checks of group 2; answered by PreflightFinished.
	RunPreflight struct{}
	// LaunchWorker is answered by WorkerLaunched or LaunchFailed.
	LaunchWorker struct{ Worker, Epoch int }
	// LocateWorker finds out whether a launch whose outcome is unknown left
	// anything; answered by WorkerLaunched or WorkerExited.
	LocateWorker struct{ Worker, Epoch int }
	// CancelSessions asks the target, over a connection of its own, to cancel
	// what still runs in the run's sessions.
	CancelSessions struct{}
	// TerminateWorker ends a worker gently, and a launch that does not run yet
	// before it runs; answered by WorkerExited.
	TerminateWorker struct{ Worker, Epoch int }
	// KillWorker ends a worker hard; answered by WorkerExited.
	KillWorker struct{ Worker, Epoch int }
	// CountSessions is answered by SessionsCounted.
	CountSessions struct{}
	// StoreRollup stores rollup and certificate; answered by RollupStored.
	StoreRollup struct{}
	// ReleaseResources is answered by ResourcesReleased.
	ReleaseResources struct{}
)

func (RunPreflight) command()     {}
func (LaunchWorker) command()     {}
func (LocateWorker) command()     {}
func (CancelSessions) command()   {}
func (TerminateWorker) command()  {}
func (KillWorker) command()       {}
func (CountSessions) command()    {}
func (StoreRollup) command()      {}
func (ReleaseResources) command() {}
