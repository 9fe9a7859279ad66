package postgrestest

import (
	"fmt"
	"os"
	"sync"
	"testing"
)

// Shared is one server for all tests of a package. It starts with the first test
// that asks for it:
//
//	var shared postgrestest.Shared
//
//	func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }
type Shared struct {
	// Options of the server.
	Options Options

	once   sync.Once
	server *Server
	err    error
}

// Run runs the tests and stops the server. It returns the exit code.
func (s *Shared) Run(m *testing.M) int {
	code := m.Run()
	if s.server == nil {
		return code
	}
	if err := s.server.Remove(); err != nil {
		fmt.Fprintln(os.Stderr, "stopping PostgreSQL:", err)
		return max(code, 1)
	}
	return code
}

// Server is the server. Where there are no binaries the test is skipped.
func (s *Shared) Server(tb testing.TB) *Server {
	tb.Helper()
	binaries := need(tb)
	s.once.Do(func() { s.server, s.err = start(binaries, s.Options) })
	if s.err != nil {
		tb.Fatalf("starting PostgreSQL: %v", s.err)
	}
	return s.server
}
