package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"io"
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
)

const (
	// Superuser is the user that owns the cluster.
	Superuser = "postgres"
	// Password is the password of every user that this package makes.
	Password = "s3cret-of-tests"
)

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 30 * time.Second
)

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
	// Port it listens on; Socket is the directory of its Unix socket.
	Port   int
	Socket string
	// CA is the file of the authority that signed its certificate; "" without
	// TLS.
	CA string

	binaries  string
	directory string
	process   *process // nil while stopped
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
	binaries, err := find()
	if err != nil {
		return nil, err
	}
	return start(binaries, options)
}

// need finds the binaries, or ends the test.
func need(tb testing.TB) string {
	tb.Helper()
	binaries, err := find()
	switch {
	case err == nil:
	case slices.Contains(strings.Split(os.Getenv("BENCHFLEET_REQUIRE"), ","), "postgres"):
		tb.Fatalf("BENCHFLEET_REQUIRE names postgres: %v", err)
	default:
		tb.Skipf("no PostgreSQL server on this machine: %v", err)
	}
	return binaries
}

// find is the folder of the server's binaries.
func find() (string, error) {
	var folders []string
	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			folders = append(folders, filepath.Dir(path))
		}
	}
	debian, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	slices.Reverse(debian) // the newest first
	for _, folder := range append(folders, debian...) {
		if hasAll(folder, "postgres", "initdb", "psql") {
			return folder, nil
		}
	}
	return "", errors.New("postgres, initdb and psql are neither in PATH nor in /usr/lib/postgresql/*/bin")
}

func hasAll(folder string, names ...string) bool {
	return !slices.ContainsFunc(names, func(name string) bool {
		_, err := os.Stat(filepath.Join(folder, name))
		return err != nil
	})
}

func start(binaries string, options Options) (_ *Server, err error) {
	directory, err := os.MkdirTemp("", "benchfleet-pg-") // short: a socket's path has 107 bytes
	if err != nil {
		return nil, err
	}
	s := &Server{binaries: binaries, directory: directory, Socket: directory}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Remove())
		}
	}()
	if err := s.initialise(options); err != nil {
		return nil, err
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

func (s *Server) data() string { return filepath.Join(s.directory, "data") }

// initialise makes the cluster.
func (s *Server) initialise(options Options) error {
	password := filepath.Join(s.directory, "password")
	if err := os.WriteFile(password, []byte(Password), 0o600); err != nil {
		return err
	}
	if err := giveAway(s.directory, password); err != nil {
		return err
	}
	command := exec.Command(filepath.Join(s.binaries, "initdb"), "--no-sync", "--username="+Superuser, "--pwfile="+password,
		"--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C", "--pgdata="+s.data())
	command.Dir = s.directory
	asServer(command)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	config := map[string]string{
		"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "60",
		"shared_buffers": "64MB", "listen_addresses": "127.0.0.1", "log_min_messages": "warning",
	}
	if options.Listen != "" {
		config["listen_addresses"] = options.Listen
		if err := s.letIn("samenet"); err != nil {
			return err
		}
	}
	if options.TLS {
		if err := s.certify(config); err != nil {
			return err
		}
	}
	maps.Copy(config, options.Config)
	return s.Configure(config)
}

// Configure adds settings to postgresql.conf. They hold from the next Start on.
func (s *Server) Configure(config map[string]string) (err error) {
	file, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	for _, name := range slices.Sorted(maps.Keys(config)) {
		if _, err := fmt.Fprintf(file, "%s = '%s'\n", name, strings.ReplaceAll(config[name], "'", "''")); err != nil {
			return err
		}
	}
	return nil
}

// letIn lets hosts of an address in with a password.
func (s *Server) letIn(address string) (err error) {
	file, err := os.OpenFile(filepath.Join(s.data(), "pg_hba.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(file, "host all all %s scram-sha-256\n", address)
	return errors.Join(err, file.Close())
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
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	args := []string{"--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1",
		"--host=" + s.Socket, "--port=" + strconv.Itoa(s.Port), "--username=" + Superuser, "--dbname=" + database}
	for _, statement := range statements {
		args = append(args, "--command="+statement)
	}
	command := exec.CommandContext(ctx, filepath.Join(s.binaries, "psql"), args...)
	command.Env = []string{"PATH=" + s.binaries + ":/usr/bin:/bin"}
	out, err := command.CombinedOutput()
	if err != nil {
		tb.Fatalf("psql %q: %v: %s", statements, err, out)
	}
	return strings.TrimSpace(string(out))
}

// Log is what the server has written since it was last started.
func (s *Server) Log() string {
	text, err := os.ReadFile(filepath.Join(s.directory, "log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Restart stops the server, which ends every session, and starts it again on
// the same port.
func (s *Server) Restart() error {
	if err := s.Stop(); err != nil {
		return err
	}
	return s.Start()
}

// Start starts a server that was stopped, and waits until it accepts
// connections.
func (s *Server) Start() error {
	log, err := os.Create(filepath.Join(s.directory, "log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the server has its own
	s.process, err = run(log, s.directory, filepath.Join(s.binaries, "postgres"),
		"-D", s.data(), "-p", strconv.Itoa(s.Port), "-k", s.Socket)
	if err != nil {
		return err
	}
	deadline := time.NewTimer(startTimeout)
	defer deadline.Stop()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for !s.ready() {
		select {
		case <-s.process.ended:
			s.process = nil
			return fmt.Errorf("the server ended: %s", s.Log())
		case <-deadline.C:
			return errors.Join(fmt.Errorf("the server is not ready after %s: %s", startTimeout, s.Log()), s.Stop())
		case <-poll.C:
		}
	}
	return nil
}

// ready reports whether the server accepts connections: the eighth line of its
// lock file says so.
func (s *Server) ready() bool {
	text, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		return false
	}
	lines := strings.Split(string(text), "\n")
	return len(lines) > 7 && strings.TrimSpace(lines[7]) == "ready"
}

// Stop ends every session and stops the server. What is stopped is no error.
func (s *Server) Stop() error {
	if s.process == nil {
		return nil
	}
	p := s.process
	s.process = nil
	return p.stop()
}

// Remove stops the server and removes its files.
func (s *Server) Remove() error { return errors.Join(s.Stop(), os.RemoveAll(s.directory)) }

// process is the server's process below a shell, which stops it when its own
// standard input ends: so it does not outlive the process of the test.
type process struct {
	command *exec.Cmd
	input   io.Closer
	ended   chan struct{}
}

// watch starts "$@" and interrupts it, as for a fast shutdown, when standard
// input ends.
const watch = `"$@" </dev/null & pid=$!; { cat >/dev/null; kill -INT $pid 2>/dev/null; } <&3 & wait $pid; code=$?; kill $! 2>/dev/null; exit $code`

func run(log io.Writer, directory string, args ...string) (*process, error) {
	command := exec.Command("/bin/sh", append([]string{"-c", "exec 3<&0; " + watch, "sh"}, args...)...)
	command.Stdout, command.Stderr, command.Dir = log, log, directory
	command.WaitDelay = stopTimeout
	asServer(command)
	input, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	p := &process{command: command, input: input, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		_ = command.Wait() // its log tells more
	}()
	return p, nil
}

func (p *process) stop() error {
	_ = p.input.Close() // it may have ended by itself
	select {
	case <-p.ended:
		return nil
	case <-time.After(stopTimeout):
		return fmt.Errorf("it still runs %s after it was told to stop", stopTimeout)
	}
}
