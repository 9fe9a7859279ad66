// Package postgres is PostgreSQL as a target to put under load, by pgx without
// database/sql. It is no store. It knows nothing of a run but the tag that each
// session carries as its application_name.
//
// # Address
//
// A DSN is postgres://user:password@host:port/database?name=value or pairs
// name=value, with the parameters of libpq; those that libpq does not know are
// settings of the session. Everything is in the DSN, so that a worker behaves the
// same wherever it runs: host and user must be named, and PG* variables, ~/.pgpass,
// ~/.postgresql and service files are not read. (PGSERVICE cannot be ignored
// with this driver; while it is set, New refuses.) Several hosts are refused: a
// benchmark is of one server. pgbouncer=true is ours, and not passed on.
//
// # TLS
//
// Without sslmode a server on another host must speak TLS and prove its name:
// sslmode is verify-full, by the authorities of sslrootcert or else of the
// system. On loopback (localhost, 127.0.0.0/8, ::1) and on a Unix socket, a host
// that begins with a slash, there is no TLS. A sslmode in the DSN is respected,
// so only sslmode=prefer and sslmode=allow ever go without TLS by themselves.
//
// # Sessions
//
// Each session is a connection of its own with every statement prepared once, by
// name. Results are read as they come over the wire, and not decoded.
//
// A statement whose context ends is cancelled on the server. When the server
// answers within 5 seconds the session goes on, else its connection is given up.
// After an error the session is outside any transaction.
//
// The id of a session is its server process, when that began, and when the server
// did: a process number that another session has got is never taken for it, and
// a restart of the server is known to have ended what was there before. Running
// counts what has a statement or a transaction open; what the server does not
// show to this user is unknown.
//
// # Poolers
//
// Behind a pooler that gives each transaction another server process, like
// PgBouncer with pool_mode=transaction, say pgbouncer=true. Then nothing is kept
// in the server's session: each execution sends its statement, with the types of
// its parameters fixed, in one exchange. That costs the server a parse and a plan
// each time, which is part of what is measured. Running is unknown then, and
// CancelSessions is Unsupported: the pooler hides the processes. Ending the
// context of a statement cancels it all the same.
//
//	target, err := postgres.New(dsn, postgres.Options{})
package postgres
