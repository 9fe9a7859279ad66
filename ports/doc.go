// Package ports holds the interfaces through which benchfleet reaches the world:
// where workers run (Launcher), where state and results live (RunStore,
// WorkerStore, ResultStore, TemplateStore, LogStore, Schema) and what is under
// test (Target, Session, Loader). It holds nothing else: no helpers, no
// defaults.
//
// These contracts hold for every method of every port, unless its comment says
// otherwise:
//
//   - Concurrency: every method may be called concurrently. A Session is the
//     exception: one caller at a time.
//   - Idempotency: stated on each method that changes anything.
//   - Context: a method returns soon after its context ends, with an error that
//     wraps the context's. What it had begun may or may not have happened.
//   - Errors: each carries one of the codes of core, so that core.CodeOf(err)
//     tells what to do; the driver's own error stays reachable by errors.As.
//     Adapters do not retry and do not log.
//   - Ownership: slices that are passed in are not kept; slices that are
//     returned belong to the caller.
//
// Arguments and results are plain data, so that a port can live in another
// process.
//
// # How to write an adapter
//
//  1. Make a folder adapters/<technology>, named after what it speaks to.
//  2. Implement one port; prove it with var _ ports.X = (*X)(nil).
//  3. Map every error of the driver to a code, in one table.
//  4. Read no environment and no clock for ages: the store's clock counts.
//  5. Write conformance_test.go: a harness and porttest.TestX, about 15 lines.
//  6. Differences from other adapters are Capabilities, never a special case in
//     the suite.
//  7. Add the folder to the table of the architecture test.
package ports
