// Package benchfleet is the root of a module that runs one database benchmark
// on many workers, on a laptop or inside Snowflake, and leaves a result that
// can be trusted: what was asked, what ran, what was measured, and proof that
// everything stopped.
//
// This package holds no code. Import the packages below it:
//
//   - core is the pure domain: the life of a run, the preflight gate, the STOP
//     ladder, pacing, sharing out, histograms, the verdict. It has no I/O, no
//     clock and no goroutine.
//   - ports are the small interfaces between the domain and the world, and
//     ports/porttest are the suites by which an adapter proves that it keeps
//     their contracts.
//   - runner drives a run: it is the orchestrator, over any set of adapters.
//   - worker makes load and reports it. worker.RunIfChild lets your own program
//     start itself again as the worker, so that you need no second binary.
//   - adapters hold one package per technology: launchers start workers,
//     stores keep control state and results, targets are measured.
//   - templatefile, library and report read templates, supply built-in ones,
//     and show results.
//
// A program picks its adapters, hands them to a runner, and starts a scenario.
// What it does not import it does not pay for: core, runner and adapters/local
// bring no database driver and no container SDK, and a test holds them to it.
// The smallest whole program is examples/local.
//
// The dependencies point one way, and an architecture test refuses any other:
//
//	core  ←  ports  ←  adapters/*, runner, worker, controller  ←  cmd, examples
//
// The command benchfleet, in cmd/benchfleet, is the same library behind a
// command line, and the entry point of the one container image.
package benchfleet
