//go:build unix

// Command peers measures benchfleet beside its peers on one PostgreSQL server of
// this machine, and computes the tables of docs/benchmarks.md from what it saw. It
// is run unattended, for hours, by: task bench:peers.
//
// It is no part of the product and no test: a quiet machine is needed, and nothing
// passes or fails. Its laws:
//
//   - What is compared is interleaved: one round runs every side once, and the
//     peers twice, so that a round also compares them with themselves. The order
//     turns by one place every second round, and runs backwards in the other ones.
//   - benchfleet is measured as users have it: one `benchfleet run` with one worker
//     process, its own store, lines of progress, result and stop certificate. Its processor
//     time is that of all its processes, from their start to their end.
//   - Every side is a process of its own. Nothing else is changed between them.
//   - Each figure is appended to a file as soon as it is known. An interrupted
//     measurement goes on where it stood. What is not a whole round is not reported.
//
// Try it with short times, which make tables that say that they are short:
//
//	go run ./bench/peers -duration 5s -rounds 2 -only reads-1,reads-8
//
// The same command with -report computes the tables anew and measures nothing.
package main
