package postgrestest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/internal/pgcluster"
)

// Bouncer starts a PgBouncer with pool_mode=transaction before the server, with
// that many connections to it for each database, and returns a function that
// makes addresses as DSN does. Only the superuser can log in. It is stopped at
// the end of the test. Without a pgbouncer binary the test is skipped, or fails
// when BENCHFLEET_REQUIRE lists pgbouncer.
func (s *Server) Bouncer(tb testing.TB, connections int) func(database string) string {
	tb.Helper()
	binary, err := exec.LookPath("pgbouncer")
	if err != nil {
		if _, err = os.Stat("/usr/sbin/pgbouncer"); err == nil {
			binary = "/usr/sbin/pgbouncer"
		}
	}
	switch {
	case err == nil:
	case slices.Contains(strings.Split(os.Getenv("BENCHFLEET_REQUIRE"), ","), "pgbouncer"):
		tb.Fatalf("BENCHFLEET_REQUIRE names pgbouncer: %v", err)
	default:
		tb.Skip("no pgbouncer on this machine")
	}
	port, err := s.bounce(tb, binary, connections)
	if err != nil {
		tb.Fatalf("starting PgBouncer: %v", err)
	}
	return func(database string) string {
		return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s", Superuser, Password, port, database)
	}
}

func (s *Server) bounce(tb testing.TB, binary string, connections int) (port int, err error) {
	directory, err := os.MkdirTemp(s.Path("."), "bouncer-")
	if err != nil {
		return 0, err
	}
	if port, err = freePort(); err != nil {
		return 0, err
	}
	users, config := filepath.Join(directory, "users"), filepath.Join(directory, "pgbouncer.ini")
	texts := map[string]string{
		users: fmt.Sprintf("%q %q\n", Superuser, Password),
		config: fmt.Sprintf("[databases]\n* = host=%s port=%d\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\n"+
			"auth_type = scram-sha-256\nauth_file = %s\npool_mode = transaction\ndefault_pool_size = %d\n", s.Socket, s.Port, port, users, connections),
	}
	for file, text := range texts {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return 0, err
		}
	}
	if err := pgcluster.GiveAway(directory, users, config); err != nil {
		return 0, err
	}
	log, err := os.Create(filepath.Join(directory, "log"))
	if err != nil {
		return 0, err
	}
	defer func() { _ = log.Close() }() // the process has its own
	p, err := pgcluster.Run(log, directory, binary, config)
	if err != nil {
		return 0, err
	}
	tb.Cleanup(func() {
		if err := p.Stop(); err != nil {
			tb.Errorf("stopping PgBouncer: %v", err)
		}
		if text, err := os.ReadFile(log.Name()); err == nil && tb.Failed() {
			tb.Logf("PgBouncer: %s", text)
		}
	})
	deadline := time.Now().Add(callTimeout)
	for time.Now().Before(deadline) {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second)
		if err == nil {
			return port, conn.Close()
		}
		select {
		case <-p.Ended:
			text, err := os.ReadFile(log.Name())
			return 0, errors.Join(fmt.Errorf("it ended: %s", text), err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return 0, fmt.Errorf("it is not ready after %s", callTimeout)
}
