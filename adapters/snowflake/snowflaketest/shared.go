package snowflaketest

import (
	"fmt"
	"os"
	"sync"
	"testing"
)

// Shared is one stand-in for all tests of a package, or the account that the
// environment names. Its zero value is ready.
type Shared struct {
	// Options are of the stand-in. They may be set until the first test asks for it.
	Options Options

	mu     sync.Mutex
	server *Server
	err    error
	tried  bool
}

// Run runs the tests of a package and stops the stand-in:
//
//	func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }
func (s *Shared) Run(m *testing.M) int { return s.end(m.Run()) }

// Stop stops the stand-in, for a TestMain that does not call Run. It returns an
// exit code: 0 when all is well.
func (s *Shared) Stop() int { return s.end(0) }

func (s *Shared) end(code int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.tried {
		return code
	}
	if s.server != nil {
		if err := s.server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stopping the stand-in:", err)
			code = max(code, 1)
		}
		if code != 0 && s.server.log != nil {
			fmt.Fprintf(os.Stderr, "the stand-in said: %s\n", s.server.log)
		}
	}
	if os.Getenv(accountVariable) == "" {
		if path, err := binary(); err == nil {
			if err := removeBinary(path); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
	}
	return code
}

// Server is the stand-in, started by the first test that asks for it.
func (s *Shared) Server(tb testing.TB) *Server {
	tb.Helper()
	dsn := os.Getenv(accountVariable)
	if dsn == "" {
		need(tb)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.tried {
		s.tried = true
		if dsn != "" {
			s.server, s.err = account(dsn)
		} else {
			s.server, s.err = start(s.Options)
		}
	}
	if s.err != nil {
		tb.Fatalf("starting the stand-in: %v", s.err)
	}
	return s.server
}
