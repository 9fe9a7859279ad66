package plugin

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	goplugin "github.com/hashicorp/go-plugin"

	"github.com/benchfleet/benchfleet/adapters/plugin/internal/launcherpb"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// process is one process of a plugin. It is a runner of go-plugin, which would
// else wait for whoever has inherited the plugin's output, end this process on
// some lines of it, and give the plugin this process's stdin.
type process struct {
	path   string
	log    *slog.Logger
	cmd    *exec.Cmd
	stdin  io.Closer // the lifeline
	client *goplugin.Client

	rpc          launcherpb.LauncherClient
	capabilities ports.Capabilities

	hello *firstLine // of stdout: the handshake
	err   *lines     // stderr
	done  chan struct{}
	exit  string // how it ended; read after done
	gone  chan struct{}

	mu      sync.Mutex
	started bool // there is a process, though it may have ended
	closed  bool // by stop: its end is no fault
	killed  bool
	died    bool // by itself; read after done
}

// Start implements runner.Runner: it executes the plugin.
func (p *process) Start(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.killed {
		return context.Canceled
	}
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return err
	}
	p.cmd.Stdout, p.cmd.Stderr = p.hello, p.err
	p.cmd.WaitDelay = outputEndsIn // who has inherited the output holds it open
	p.cmd.SysProcAttr = ownSession()
	if err := p.cmd.Start(); err != nil {
		return err
	}
	p.stdin, p.started = stdin, true
	p.log.Debug("plugin started", "pid", p.cmd.Process.Pid)
	go p.wait() // bury waits for it
	return nil
}

// wait waits for the end of the process and of its output.
func (p *process) wait() {
	defer close(p.done)
	_ = p.cmd.Wait() // the state tells all
	p.mu.Lock()
	p.died = !p.closed && !p.killed
	p.mu.Unlock()
	p.exit = exitText(p.cmd.ProcessState)
	p.hello.end()
	p.err.end()
}

func exitText(state *os.ProcessState) string {
	switch {
	case state == nil:
		return "its end is not known"
	case state.ExitCode() >= 0:
		return fmt.Sprintf("it exited with code %d", state.ExitCode())
	default:
		return "it died: " + state.String()
	}
}

// Wait implements runner.Runner. How the process ended is logged by bury.
func (p *process) Wait(context.Context) error {
	<-p.done
	return nil
}

// Kill implements runner.Runner. It kills the process alone, never its group.
func (p *process) Kill(context.Context) error {
	p.kill()
	return nil
}

// kill ends the process now, also one that is not executed yet.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.killed = true
	if p.started {
		_ = p.cmd.Process.Kill() // it has ended, or will
	}
}

// Stdout implements runner.Runner: the handshake, then the end.
func (p *process) Stdout() io.ReadCloser { return io.NopCloser(p.hello) }

// Stderr implements runner.Runner. go-plugin gets nothing of it: it panics on
// lines of JSON that it does not expect.
func (p *process) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// Name implements runner.Runner.
func (p *process) Name() string { return p.path }

// ID implements runner.Runner. It is never empty, so that go-plugin tidies up
// also after a process that could not be started.
func (p *process) ID() string { return p.path }

// Diagnose implements runner.Runner; startError knows more.
func (p *process) Diagnose(context.Context) string { return "" }

// PluginToHost implements runner.Runner: both are on one host.
func (p *process) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

// HostToPlugin implements runner.Runner: both are on one host.
func (p *process) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// ended reports whether the process has ended, or is about to.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.closed || p.killed
	}
}

func (p *process) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// bury waits for the end of a process that was started, then lets go-plugin
// tidy up. It ends soon after stop or a death.
func (p *process) bury() {
	defer close(p.gone)
	<-p.done
	if p.isClosed() {
		p.log.Debug("plugin ended", "how", p.exit)
	} else {
		p.log.Warn("plugin died", "how", p.exit)
	}
	p.client.Kill()
}

// stop ends the process: first by the end of its stdin, then by force.
func (p *process) stop() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.stdin.Close() // again, perhaps
	for _, step := range []struct {
		within time.Duration
		then   func()
	}{{killIn, p.kill}, {buriedIn, func() {}}} {
		late := time.NewTimer(step.within)
		select {
		case <-p.gone:
			late.Stop()
			return nil
		case <-late.C:
			step.then()
		}
	}
	return fmt.Errorf("%w: plugin %s: process %d did not end within %s, not even when killed",
		core.ErrUnavailable, p.path, p.cmd.Process.Pid, killIn+buriedIn)
}

// lost says in words why the connection to the plugin has ended. A process that
// lives without one is of no use, and is killed.
func (p *process) lost(ctx context.Context, transport string) string {
	dead := p.endsWithin(ctx, exitKnownIn)
	switch {
	case p.isClosed():
		return "the launcher was closed during the call"
	case dead:
		return "the plugin's process ended during the call: " + p.exit
	}
	p.kill()
	return "the plugin does not answer any more and was killed: " + transport
}

// endsWithin waits a little for the end of the process.
func (p *process) endsWithin(ctx context.Context, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case <-p.done:
		return true
	case <-ctx.Done():
		return false
	}
}
