// Package sqlite is SQLite without cgo (modernc.org/sqlite): a store for runs
// (OpenStore, ApplySchema) and a target to put under load (OpenTarget). They are
// two uses of one technology and share no connection.
//
// # The store
//
// One file in WAL mode, used by several processes of one host at once. Each
// process has one connection that writes and a few that read, so readers never
// wait for writers. A writer that finds the file locked by another process waits
// for BusyTimeout at most, and ends sooner when its context does; then the error
// is Unavailable. OpenStore never makes a file and never executes DDL: only
// ApplySchema does.
//
// The store's clock is the clock of this host, in microseconds: SQLite's own
// knows milliseconds only, and both are the same clock, since all processes that
// share the file share the host.
//
// Durability: what was committed outlives the death of any process. Against a
// loss of power, transactions are synced to disk (synchronous=FULL) where they
// must outlive it: the commit that ends a run, and with it everything before;
// and templates. The others are not (synchronous=NORMAL): after a loss of power
// the last of them may be gone, the file is consistent, and no worker of such a
// run is alive either. An fsync for each of them would disturb what is measured
// on the same disk.
//
// # The target
//
// Each session is a connection of its own, with every statement prepared once.
// Sessions use the driver below database/sql, whose locks and watchers cost more
// than a look-up does, and cancel by sqlite3_interrupt. Numbers measured on it
// include the driver and say little about SQLite from C.
//
//	store, err := sqlite.OpenStore(ctx, "runs.db", sqlite.Options{})
package sqlite
