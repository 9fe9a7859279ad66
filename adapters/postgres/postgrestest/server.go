package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/internal/pgcluster"
)

const (
	// Superuser is the user that owns the cluster.
	Superuser = pgcluster.Superuser
	// Password is the password of every user that this package makes.
	Password = "s3cret-of-tests"
)

const callTimeout = 60 * time.Second

// Options of a server.
type Options struct {
	// Config are settings of postgresql.conf, over those of this package.
	Config map[string]string
	// TLS makes a certificate authority and a certificate for 127.0.0.1 and
	// localhost, signed by it. Server.CA is the authority's file.
	TLS bool
	// Listen is what the server listens on besides its Unix socket, with commas;
	// "127.0.0.1" when empty. Hosts of the networks of those addresses are let in
	// with a password, so that containers are.
	Listen string
}

// Server is a running PostgreSQL server.
type Server struct {
	*pgcluster.Cluster
	// CA is the file of the authority that signed its certificate; "" without
	// TLS.
	CA string

	databases atomic.Int64
}

// Start starts a server for one test.
func Start(tb testing.TB, options Options) *Server {
	tb.Helper()
	binaries := need(tb)
	s, err := start(binaries, options)
	if err != nil {
		tb.Fatalf("starting PostgreSQL: %v", err)
	}
	tb.Cleanup(func() {
		if err := s.Remove(); err != nil {
			tb.Errorf("stopping PostgreSQL: %v", err)
		}
	})
	return s
}

// Throwaway starts a server outside any test, for somebody who wants to try
// something. Remove ends it.
func Throwaway(options Options) (*Server, error) {
	binaries, err := pgcluster.Find()
	if err != nil {
		return nil, err
	}
	return start(binaries, options)
}

// need finds the binaries, or ends the test.
func need(tb testing.TB) string {
	tb.Helper()
	binaries, err := pgcluster.Find()
	switch {
	case err == nil:
	case slices.Contains(strings.Split(os.Getenv("BENCHFLEET_REQUIRE"), ","), "postgres"):
		tb.Fatalf("BENCHFLEET_REQUIRE names postgres: %v", err)
	default:
		tb.Skipf("no PostgreSQL server on this machine: %v", err)
	}
	return binaries
}

func start(binaries string, options Options) (_ *Server, err error) {
	config := map[string]string{"max_connections": "100", "listen_addresses": "127.0.0.1"}
	if options.Listen != "" {
		config["listen_addresses"] = options.Listen
	}
	maps.Copy(config, options.Config)
	cluster, err := pgcluster.New(binaries, pgcluster.Options{Password: Password, Config: config})
	if err != nil {
		return nil, err
	}
	s := &Server{Cluster: cluster}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Remove())
		}
	}()
	if options.Listen != "" {
		if err := s.LetIn("samenet"); err != nil {
			return nil, err
		}
	}
	if options.TLS {
		if err := s.certify(); err != nil {
			return nil, err
		}
	}
	for range 5 { // another process may take the port in between
		if s.Port, err = freePort(); err != nil {
			return nil, err
		}
		if err = s.Start(); err == nil {
			return s, nil
		}
	}
	return nil, err
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// DSN is the address of a database for a user that this package made, on
// loopback. Without a database it is the user's default.
func (s *Server) DSN(user, database string) string { return s.DSNAt("127.0.0.1", user, database) }

// DSNAt is DSN at another address that the server listens on.
func (s *Server) DSNAt(host, user, database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(user, Password),
		Host: net.JoinHostPort(host, strconv.Itoa(s.Port)), Path: "/" + database,
	}
	if host != "127.0.0.1" {
		u.RawQuery = "sslmode=disable"
	}
	return u.String()
}

// Database makes an empty database and returns its name.
func (s *Server) Database(tb testing.TB) string {
	tb.Helper()
	name := fmt.Sprintf("test_%d", s.databases.Add(1))
	s.SQL(tb, "", "CREATE DATABASE "+name)
	return name
}

// User makes a user without rights, who may log in with Password.
func (s *Server) User(tb testing.TB, name string) {
	tb.Helper()
	s.SQL(tb, "", fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", name, Password))
}

// SQL executes statements as the superuser, in the database postgres when none
// is named, and returns what they say: a line for each row, | between columns.
func (s *Server) SQL(tb testing.TB, database string, statements ...string) string {
	tb.Helper()
	if database == "" {
		database = Superuser
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	args := []string{"--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1",
		"--host=" + s.Socket, "--port=" + strconv.Itoa(s.Port), "--username=" + Superuser, "--dbname=" + database}
	for _, statement := range statements {
		args = append(args, "--command="+statement)
	}
	command := exec.CommandContext(ctx, filepath.Join(s.Binaries, "psql"), args...)
	command.Env = []string{"PATH=" + s.Binaries + ":/usr/bin:/bin"}
	out, err := command.CombinedOutput()
	if err != nil {
		tb.Fatalf("psql %q: %v: %s", statements, err, out)
	}
	return strings.TrimSpace(string(out))
}
