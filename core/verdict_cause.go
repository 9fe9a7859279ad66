package core

// Cause names why a verdict is not VALID: a closed list, for programs. Each has
// a row in docs/verdict.md, with its bound and what to do.
type Cause string

// The causes.
const (
	CauseNothingMeasured Cause = "NOTHING_MEASURED"
	CauseCoverage        Cause = "COVERAGE"
	CauseMissedSchedule  Cause = "MISSED_SCHEDULE"  // arrivals that were not started
	CauseOverslept       Cause = "OVERSLEPT"        // arrivals that the load generator started late
	CauseErrors          Cause = "ERRORS"           // of operations
	CauseLedger          Cause = "LEDGER"           // it does not balance
	CauseEndedEarly      Cause = "ENDED_EARLY"      // less than planned, or not COMPLETED
	CauseWorkerLost      Cause = "WORKER_LOST"      // while it was needed
	CauseNoFinalReport   Cause = "NO_FINAL_REPORT"  // of a worker
	CauseWorkerEnded     Cause = "WORKER_ENDED"     // by force, after its final report
	CauseWorkerLate      Cause = "WORKER_LATE"      // it began after the others
	CauseUnjoined        Cause = "WORKER_UNJOINED"  // it was to join the load and could not
	CauseStaleReports    Cause = "STALE_REPORTS"    // of launches that had been given up
	CauseConnections     Cause = "CONNECTIONS"      // fewer than asked
	CauseKeys            Cause = "KEYS_EXHAUSTED"   // no key was left to insert
	CauseGuardrail       Cause = "GUARDRAIL"        // a worker passed one, or it could not be watched
	CauseRecorder        Cause = "RECORDER"         // sampled operations were dropped
	CauseClock           Cause = "CLOCK"            // too little is known of a worker's
	CauseCPU             Cause = "CPU"              // of the load generator
	CauseGC              Cause = "GC"               // garbage collection took processors
	CauseGCPauses        Cause = "GC_PAUSES"        // garbage collection stopped everything
	CauseScheduler       Cause = "SCHEDULER"        // what could run waited for a processor
	CauseOverhead        Cause = "OVERHEAD"         // the harness's own time for an operation
	CauseStalls          Cause = "GENERATOR_STALLS" // null operations waited longer than real ones
)

// Causes are all causes, in the order of the documentation.
func Causes() []Cause {
	return []Cause{
		CauseNothingMeasured, CauseCoverage, CauseMissedSchedule, CauseOverslept, CauseErrors, CauseLedger, CauseEndedEarly,
		CauseWorkerLost, CauseNoFinalReport, CauseWorkerEnded, CauseWorkerLate, CauseUnjoined, CauseStaleReports, CauseConnections,
		CauseKeys, CauseGuardrail, CauseRecorder, CauseClock, CauseCPU, CauseGC, CauseGCPauses, CauseScheduler, CauseOverhead, CauseStalls,
	}
}
