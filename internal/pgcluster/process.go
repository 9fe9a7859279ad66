package pgcluster

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Start starts the server, and waits until it accepts connections. One of an
// earlier process that is still ending is waited for.
func (c *Cluster) Start() error {
	deadline := time.NewTimer(startTimeout)
	defer deadline.Stop()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for c.others() {
		select {
		case <-deadline.C:
			return fmt.Errorf("another server has the folder %s, and still after %s", c.folder, startTimeout)
		case <-poll.C:
		}
	}
	log, err := os.Create(c.Path("log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the server has its own
	c.process, err = Run(log, c.folder, filepath.Join(c.Binaries, "postgres"), "-D", c.data(), "-p", strconv.Itoa(c.Port), "-k", c.Socket)
	if err != nil {
		return err
	}
	for !c.ready() {
		select {
		case <-c.process.Ended:
			c.process = nil
			return fmt.Errorf("the server ended: %s", c.Log())
		case <-deadline.C:
			return errors.Join(fmt.Errorf("the server is not ready after %s: %s", startTimeout, c.Log()), c.Stop())
		case <-poll.C:
		}
	}
	return nil
}

// lock is the server's lock file, line by line: its pid is the first, what it is
// doing the eighth.
func (c *Cluster) lock() []string {
	text, err := os.ReadFile(filepath.Join(c.data(), "postmaster.pid"))
	if err != nil {
		return nil
	}
	return strings.Split(string(text), "\n")
}

// PID is the number of the server's first process, by the lock file; 0: it names none.
func (c *Cluster) PID() int {
	lines := c.lock()
	if len(lines) == 0 {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil {
		return 0
	}
	return max(pid, 0)
}

// others reports whether a server of another process has the folder.
func (c *Cluster) others() bool {
	pid := c.PID()
	if pid == 0 {
		return false
	}
	process, err := os.FindProcess(pid)
	return err == nil && process.Signal(syscall.Signal(0)) == nil
}

func (c *Cluster) ready() bool {
	lines := c.lock()
	return len(lines) > 7 && strings.TrimSpace(lines[7]) == "ready"
}

// Process is a process of the server's user below a shell, which interrupts it
// when its own standard input ends: so it does not outlive the process that
// started it.
type Process struct {
	// Ended is closed once it has ended.
	Ended <-chan struct{}

	input io.Closer
}

// watch starts "$@" and interrupts it, as for a fast shutdown, when standard
// input ends.
const watch = `"$@" </dev/null & pid=$!; { cat >/dev/null; kill -INT $pid 2>/dev/null; } <&3 & wait $pid; code=$?; kill $! 2>/dev/null; exit $code`

// Run starts a program in a folder; what it says goes to log.
func Run(log io.Writer, folder string, args ...string) (*Process, error) {
	command := exec.Command("/bin/sh", append([]string{"-c", "exec 3<&0; " + watch, "sh"}, args...)...)
	command.Stdout, command.Stderr, command.Dir = log, log, folder
	command.WaitDelay = stopTimeout
	AsServer(command)
	input, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = command.Wait() // its log tells more
	}()
	return &Process{Ended: ended, input: input}, nil
}

// Stop interrupts it and waits until it has ended.
func (p *Process) Stop() error {
	_ = p.input.Close() // it may have ended by itself
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()
	select {
	case <-p.Ended:
		return nil
	case <-timer.C:
		return fmt.Errorf("it still runs %s after it was told to stop", stopTimeout)
	}
}
