// Package sqlstore is a ports.Store over SQL, the same for every database: what
// differs is a Dialect, which the adapter of that database supplies together
// with its connections. It is not an adapter by itself, and it executes no DDL.
//
// Laws:
//
//   - A run changes in one place, Commit: it compares and raises VERSION, replaces
//     STATE and every column projected from it, and stores the events, all or
//     nothing; an event has the key (RUN_ID, SEQUENCE_ID).
//   - STATE, PAYLOAD, ROLLUP, CONFIG and KINDS are what is read back. The other
//     columns are projections for people and for cheap reads; the control read
//     takes nothing but projections and never parses STATE.
//   - Times are stored in UTC with microseconds. Ages are taken from the store's
//     clock, which is read after a lock was waited for, not before.
//   - An embedded database has transactions. Where the database is a network away
//     (Dialect.Remote), no lock outlives a statement: none begins a transaction,
//     which a client that is killed would leave open, with its locks. Each statement
//     commits by itself; what is stored is valid after each, and the call can be made
//     again. Events of a commit are in the run's row until they are in their table.
//   - There a call costs as few statements as it can, with the clock in them. What
//     fails by others' locks and keys is done again as a whole; what became of a
//     commit whose reply was lost is found out. Where keys are not enforced, what is
//     there twice is read once.
//   - Statements of one noun are in one file: runs, workers, results, rollups,
//     templates, logs, polls, schema. Texts of the hot ones are made once, in New.
package sqlstore
