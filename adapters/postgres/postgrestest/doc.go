// Package postgrestest starts real PostgreSQL servers for tests: a cluster of its
// own in a temporary directory, on loopback and a Unix socket, as an ordinary
// user. It is for tests only: the servers sync nothing to disk.
//
// The binaries come from PATH or from Debian's /usr/lib/postgresql. Where there
// are none a test is skipped, or fails when the environment variable
// BENCHFLEET_REQUIRE lists postgres.
//
// A server is stopped at the end of its test, or by the package's Shared. When
// the process of the test dies, its servers stop by themselves.
//
//	server := postgrestest.Start(t, postgrestest.Options{})
//	dsn := server.DSN(postgrestest.Superuser, server.Database(t))
package postgrestest
