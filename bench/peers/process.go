//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// endGrace is how long an interrupted program has to end by itself.
const endGrace = 45 * time.Second

// ended is what a program has left behind.
type ended struct {
	out    string
	cpu    float64 // seconds of its processor time, with that of all its children
	served float64 // of the server's processes meanwhile, where client ran it
	code   int
}

// client runs a program that loads the server.
func (b *bed) client(ctx context.Context, accept []int, name string, args ...string) (ended, error) {
	before, err := b.server.cpu()
	if err != nil {
		return ended{}, err
	}
	e, err := execute(ctx, b.scratch, nil, accept, name, args...)
	if err != nil {
		return e, err
	}
	after, err := b.server.cpu()
	e.served = after - before
	return e, err
}

// execute runs a program to its end. Its processor time is what the kernel counted
// for it and for those of its children that it has waited for, user and system.
func execute(ctx context.Context, dir string, env []string, accept []int, name string, args ...string) (ended, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = endGrace
	// A group of its own: Ctrl-C reaches it from here, once.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	err := cmd.Run()
	if ctx.Err() != nil {
		return ended{}, ctx.Err()
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return ended{}, fmt.Errorf("%s: %w", name, err)
	}
	e := ended{out: out.String(), code: cmd.ProcessState.ExitCode()}
	e.cpu = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	for _, code := range append(accept, 0) {
		if code == e.code {
			return e, nil
		}
	}
	return e, fmt.Errorf("%s %s: exit code %d: %s", name, strings.Join(args, " "), e.code, lastLines(problems.String()+e.out))
}

func lastLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-12):], "\n")
}
