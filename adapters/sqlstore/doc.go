// Package sqlstore is a ports.Store over SQL, the same for every database: what
// differs is a Dialect, which the adapter of that database supplies together
// with its connections. It is not an adapter by itself, and it executes no DDL.
//
// Laws:
//
//   - A run changes in one place, Commit: one transaction that compares and
//     raises VERSION, replaces STATE and every column projected from it, and
//     inserts the events under the key (RUN_ID, SEQUENCE_ID).
//   - STATE, PAYLOAD, ROLLUP, CONFIG and KINDS are what is read back. The other
//     columns are projections for people and for cheap reads; the control read
//     takes nothing but projections and never parses STATE.
//   - Times are stored in UTC with microseconds. Ages are taken from the store's
//     clock, which is read after a lock was waited for, not before.
//   - Where the database is a network away (Dialect.Remote), a call costs as few
//     statements as it can: alone where one is enough, with the clock in it. What
//     fails by others' locks and keys is done again as a whole; what became of a
//     commit whose reply was lost is found out. Keys that a table does not enforce
//     are kept here, under the lock of the run.
//   - Statements of one noun are in one file: runs, workers, results, rollups,
//     templates, logs, polls, schema. Texts of the hot ones are made once, in New.
package sqlstore
