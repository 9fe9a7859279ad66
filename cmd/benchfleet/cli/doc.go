// Package cli is the benchfleet command: it reads flags and environment, puts
// the adapters together, and shows what the runner and the stores say. It
// decides nothing about a run.
//
// Exit codes, stable: 0 completed, 1 internal, 2 usage, 3 cancelled, 4 preflight
// refused, 5 failed while running, 6 completed but an SLO was missed, 7
// completed but the verdict is INVALID.
package cli
