// Package worker is the shell of one worker: it follows the control state of
// its run, makes load on the target, and reports what it measured. It decides
// nothing about the run, starts no other process and knows no adapter: stores
// and targets are passed in as ports.
//
// Its laws:
//
//   - What a worker does is the duty of core.WorkerMachine; this package only
//     carries it out.
//   - Control read, beat, load, cutting of intervals and storing of executions
//     are goroutines of their own: none waits for another.
//   - An operation's clocks hold nothing but the call of the target: choosing,
//     parameters and recording are outside. Recording allocates nothing.
//   - The sum of the intervals of a phase is exactly what the report says of
//     that phase, and every operation started is counted as ok, error, aborted
//     or lost.
//   - Everything ends: calls that ignore cancellation are given up at a
//     deadline, and the worker reports and exits all the same.
//
// A program that wants to be its own worker begins its main with RunIfChild:
//
//	func main() {
//		worker.RunIfChild(worker.Opener{Store: openStore, Target: openTarget})
//		// … the orchestrator's part
//	}
//
// The exit codes of the worker process are core.ExitCompleted and the others
// beside it.
package worker
