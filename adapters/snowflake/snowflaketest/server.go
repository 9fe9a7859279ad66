package snowflaketest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/internal/pgcluster"
)

const (
	startTimeout = 120 * time.Second // a cluster of PostgreSQL is made first
	stopTimeout  = 30 * time.Second
	buildTimeout = 5 * time.Minute
	maxLog       = 64 << 10 // bytes of what the stand-in says that are kept

	// accountVariable names the DSN of a real account.
	accountVariable = "BENCHFLEET_SNOWFLAKE_DSN"
)

// Options of a stand-in.
type Options struct {
	// Config is the content of a configuration file of cmd/snowlocal; nil: none.
	Config any
	// Data is the folder in which the data survive a restart; "": none.
	Data string
	// Listen is where it listens; "" for any port of loopback.
	Listen string
	// Containers makes it run container services on the local Docker Engine, which
	// must be there.
	Containers bool
}

// Server is a stand-in that runs, or a real account.
type Server struct {
	// Account, User, Password, Role, Warehouse, ControlWarehouse and Database are
	// what a test may use without asking.
	Account          string `json:"account"`
	User             string `json:"user"`
	Password         string `json:"password"`
	Role             string `json:"role"`
	Warehouse        string `json:"warehouse"`
	ControlWarehouse string `json:"control_warehouse"`
	Database         string `json:"database"`
	Host             string `json:"host"`
	Port             int    `json:"port"`
	// InteractiveWarehouse, PrivateKeyFile and TokenFile are a stand-in's: the
	// token is one for OAuth and a programmatic access token.
	InteractiveWarehouse string `json:"interactive_warehouse"`
	PrivateKeyFile       string `json:"private_key_file"`
	TokenFile            string `json:"token_file"`
	// ComputePool and ImageRepository, which is a full name, are there with
	// Containers. An image is in the repository DB.SCHEMA.REPO when the Docker Engine
	// has it by the name db/schema/repo/name:tag; see Repository.
	ComputePool     string `json:"compute_pool"`
	ImageRepository string `json:"image_repository"`
	// Admin is the address of what only the stand-in can do; "" for an account.
	Admin string `json:"admin"`

	query   string // further parameters of DSNs
	command *exec.Cmd
	stdin   io.Closer
	log     *tail
	ended   chan struct{}
	stop    sync.Once
}

// Start starts a stand-in for one test. With a real account the test is skipped.
func Start(tb testing.TB, options Options) *Server {
	tb.Helper()
	if os.Getenv(accountVariable) != "" {
		tb.Skip(accountVariable + " is set, and this test needs a stand-in of its own")
	}
	need(tb)
	s, err := start(options)
	if err != nil {
		tb.Fatalf("starting the stand-in: %v", err)
	}
	tb.Cleanup(func() {
		if err := s.Stop(); err != nil {
			tb.Errorf("stopping the stand-in: %v", err)
		}
		if tb.Failed() {
			tb.Logf("the stand-in said: %s", s.log)
		}
	})
	return s
}

// Throwaway starts a stand-in outside any test, for somebody who wants to try
// something. Remove ends it.
func Throwaway(options Options) (*Server, error) { return start(options) }

// Remove ends a Throwaway, and removes the program that it is.
func (s *Server) Remove() error {
	path, err := binary()
	return errors.Join(s.Stop(), err, removeBinary(path))
}

// need ends a test for which there is no PostgreSQL.
func need(tb testing.TB) {
	tb.Helper()
	_, err := pgcluster.Find()
	switch {
	case err == nil:
	case slices.Contains(strings.Split(os.Getenv("BENCHFLEET_REQUIRE"), ","), "postgres"):
		tb.Fatalf("BENCHFLEET_REQUIRE names postgres: the stand-in needs PostgreSQL: %v", err)
	default:
		tb.Skipf("the stand-in needs PostgreSQL: %v", err)
	}
}

// binary builds cmd/snowlocal once for each process of tests.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "benchfleet-snowlocal-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "snowlocal")
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/benchfleet/benchfleet/cmd/snowlocal")
	if out, err := build.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("building the stand-in, which needs a checkout of benchfleet as the working directory: go build: %w: %s", err, out), os.RemoveAll(dir))
	}
	return path, nil
})

// removeBinary removes what binary built, if it did.
func removeBinary(path string) error {
	if path == "" {
		return nil
	}
	return os.RemoveAll(filepath.Dir(path))
}

func start(options Options) (_ *Server, err error) {
	path, err := binary()
	if err != nil {
		return nil, err
	}
	args := []string{"--until-stdin-closes"}
	if options.Listen != "" {
		args = append(args, "--listen", options.Listen)
	}
	if options.Containers {
		args = append(args, "--containers")
	}
	if options.Data != "" {
		args = append(args, "--data", options.Data)
	}
	if options.Config != nil {
		file, err := writeConfig(options.Config)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, os.Remove(file)) }()
		args = append(args, "--config", file)
	}
	s := &Server{command: exec.Command(path, args...), log: &tail{}, ended: make(chan struct{})}
	s.command.Stderr = s.log
	if s.stdin, err = s.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	first := make(chan []byte, 1)
	go func() {
		reader := bufio.NewReader(out)
		line, _ := reader.ReadBytes('\n') // without one it has ended
		first <- line
		_, _ = io.Copy(io.Discard, reader)
		_ = s.command.Wait() // stopped by us, or dead: its log says why
		close(s.ended)
	}()
	select {
	case line := <-first:
		if err = json.Unmarshal(line, s); err == nil {
			return s, nil
		}
		err = fmt.Errorf("its first line is %q: %w", line, err)
	case <-time.After(startTimeout):
		err = fmt.Errorf("it does not serve after %s", startTimeout)
	}
	return nil, errors.Join(fmt.Errorf("%w; it said: %s", err, s.log), s.Stop())
}

func writeConfig(config any) (string, error) {
	text, err := json.Marshal(config)
	if err != nil {
		return "", err
	}
	file, err := os.CreateTemp("", "benchfleet-snowlocal-*.json")
	if err != nil {
		return "", err
	}
	_, err = file.Write(text)
	return file.Name(), errors.Join(err, file.Close())
}

// Stop ends the stand-in, as the end of its parent would. It is idempotent, and
// does nothing to an account.
func (s *Server) Stop() error {
	if s.command == nil {
		return nil
	}
	var err error
	s.stop.Do(func() {
		if err = s.stdin.Close(); errors.Is(err, os.ErrClosed) {
			err = nil // it has ended already
		}
		select {
		case <-s.ended:
		case <-time.After(stopTimeout):
			err = errors.Join(err, fmt.Errorf("it runs %s after its standard input was closed", stopTimeout), s.command.Process.Kill())
			<-s.ended
		}
		err = errors.Join(err, s.sweep())
	})
	return err
}

// Kill ends the stand-in as a crash would, without its knowledge.
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	if s.command == nil {
		tb.Skip("an account is not killed")
	}
	if err := s.command.Process.Kill(); err != nil {
		tb.Fatal(err)
	}
	<-s.ended
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// Write takes all of it.
func (l *tail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	if over := len(l.text) - maxLog; over > 0 {
		l.text = bytes.Clone(l.text[over:])
	}
	return len(p), nil
}

// String is what is kept.
func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}
