//go:build unix

package acceptance

import (
	"strconv"

	"github.com/benchfleet/benchfleet/adapters/postgres/postgrestest"
)

// createDatabase makes the site's own empty database on the server, and the
// endpoint of every command.
func (s *site) createDatabase() {
	s.t.Helper()
	s.database = server.Server(s.t).Database(s.t)
	s.with("BENCHFLEET_ENDPOINT_LOCAL=" + s.address(postgrestest.Superuser))
}

// address is the DSN by which a user of the server reaches the site's database.
func (s *site) address(user string) string {
	s.t.Helper()
	return server.Server(s.t).DSNAt(fleet.host, user, s.database)
}

// sql executes statements in the site's database.
func (s *site) sql(statements ...string) string {
	s.t.Helper()
	return server.Server(s.t).SQL(s.t, s.database, statements...)
}

// rows are the rows of the table.
func (s *site) rows() int64 {
	s.t.Helper()
	const count = `SELECT COUNT(*) FROM "BENCHFLEET_SHORT"`
	if s.kind == "snowflake" {
		target := s.openCloud(s.database)
		defer target.Close()
		return s.number(target, count)
	}
	if s.database == "" {
		target := s.open("target.db")
		defer target.Close()
		return s.number(target, count)
	}
	n, err := strconv.ParseInt(s.sql(count), 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// checkTarget checks that a target that is a file is sound.
func (s *site) checkTarget() {
	s.t.Helper()
	if s.kind == "sqlite" {
		s.checkFile("target.db")
	}
}
