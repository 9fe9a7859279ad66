package plugin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/benchfleet/benchfleet/adapters/plugin/internal/launcherpb"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// passed are the variables of this process that a plugin gets.
var passed = []string{"PATH", "HOME", "TMPDIR"}

// start starts the plugin's process and asks for its capabilities. When it
// fails, no process is left. ctx bounds the start alone.
func (l *Launcher) start(ctx context.Context) (*process, error) {
	if err := l.checkFile(); err != nil {
		return nil, err
	}
	p := &process{
		path: l.path, log: l.log,
		hello: newFirstLine(l.log), err: newLines(l.log),
		done: make(chan struct{}), gone: make(chan struct{}),
	}
	p.client = goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig:  handshake(),
		Plugins:          goplugin.PluginSet{service: grpcPlugin{}},
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		AutoMTLS:         true,
		SkipHostEnv:      true,
		StartTimeout:     l.startTimeout,
		Logger:           bridge(l.log),
		SyncStdout:       newLines(l.log),
		SyncStderr:       newLines(l.log),
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
			grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingEvery, Timeout: pingTimeout}),
		},
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, _ string) (runner.Runner, error) {
			p.cmd = exec.Command(l.path, l.options.Args...) //nolint:noctx // it outlives the call that starts it
			p.cmd.Env = append(l.environment(), cmd.Env...)
			return p, nil
		},
	})
	stop := context.AfterFunc(ctx, p.kill)
	err := p.greet(ctx)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err == nil && l.capabilities.Name != "" && l.capabilities.Name != p.capabilities.Name {
		err = fmt.Errorf("%w: plugin %s was %s and now is %s: the file was replaced", core.ErrRefused, l.path, l.capabilities.Name, p.capabilities.Name)
	}
	if !p.started {
		p.client.Kill()
		return nil, l.execError(err)
	}
	l.wg.Go(p.bury)
	if err == nil {
		return p, nil
	}
	p.endsWithin(ctx, exitKnownIn) // perhaps that is the error
	p.kill()
	<-p.gone
	return nil, l.startError(ctx, p, err)
}

// greet executes the plugin, shakes hands and asks for its capabilities.
func (p *process) greet(ctx context.Context) error {
	if _, err := p.client.Start(); err != nil {
		return err
	}
	protocol, err := p.client.Client()
	if err != nil {
		return err
	}
	side, err := protocol.Dispense(service)
	if err != nil {
		return err
	}
	p.rpc = side.(launcherpb.LauncherClient) // grpcPlugin made it
	c, err := p.rpc.Capabilities(ctx, &launcherpb.CapabilitiesRequest{})
	if err != nil {
		return err
	}
	p.capabilities = ports.Capabilities{
		Name: namePrefix + c.GetName(), HostBound: c.GetHostBound(), LocalFiles: c.GetLocalFiles(), Unstamped: c.GetUnstamped(),
		StartTimeout: c.GetStartTimeout().AsDuration(), Grace: c.GetGrace().AsDuration(), MaxWorkers: int(c.GetMaxWorkers()),
	}
	if !validName.MatchString(c.GetName()) || p.capabilities.StartTimeout <= 0 || p.capabilities.Grace < 0 || p.capabilities.MaxWorkers < 0 {
		return fmt.Errorf("%w: plugin %s: its capabilities are %+v; want a name like my-launcher, a start timeout, nothing negative",
			core.ErrInvalid, p.path, p.capabilities)
	}
	return nil
}

// environment is what the plugin gets of this process's, and its own.
func (l *Launcher) environment() []string {
	var env []string
	for _, v := range l.options.Environ {
		if name, _, _ := strings.Cut(v, "="); slices.Contains(passed, name) {
			env = append(env, v)
		}
	}
	return append(env, l.options.Env...)
}

// checkFile refuses what cannot be executed, or must not be.
func (l *Launcher) checkFile() error {
	info, err := os.Stat(l.path)
	switch {
	case err != nil:
		return l.execError(err)
	case info.IsDir():
		return fmt.Errorf("%w: plugin %s is a directory; name an executable", core.ErrInvalid, l.path)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: plugin %s is no regular file; name an executable", core.ErrInvalid, l.path)
	case runtime.GOOS != "windows" && info.Mode()&0o111 == 0:
		return fmt.Errorf("%w: plugin %s is not executable; if it is a plugin: chmod +x", core.ErrInvalid, l.path)
	case len(l.options.SHA256) == 0:
		return nil
	}
	file, err := os.Open(l.path)
	if err != nil {
		return l.execError(err)
	}
	defer file.Close() //nolint:errcheck // only read
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return l.execError(err)
	}
	if got := sum.Sum(nil); !bytes.Equal(got, l.options.SHA256) {
		return fmt.Errorf("%w: plugin %s has SHA-256 %x, and %x was asked for: it is another file, or was changed",
			core.ErrRefused, l.path, got, l.options.SHA256)
	}
	return nil
}

// execCodes maps errors of the operating system; what is in no row is
// Unavailable, like too many processes or open files.
var execCodes = []struct {
	err  error
	code error
	mend string
}{
	{fs.ErrNotExist, core.ErrNotFound, "; or its interpreter does not exist"},
	{fs.ErrPermission, core.ErrDenied, ""},
	{syscall.ENOEXEC, core.ErrInvalid, ": it is no executable, or one of another platform"},
	{syscall.E2BIG, core.ErrInvalid, ": its arguments and environment are too long"},
	{syscall.ENOTDIR, core.ErrNotFound, ""},
}

// execError is the error of a plugin that could not be executed.
func (l *Launcher) execError(err error) error {
	for _, row := range execCodes {
		if errors.Is(err, row.err) {
			return fmt.Errorf("%w: plugin %s: %w%s", row.code, l.path, err, row.mend)
		}
	}
	return fmt.Errorf("%w: plugin %s cannot be started: %w", core.ErrUnavailable, l.path, err)
}

// startError says why a plugin that was executed, and has ended, does not serve.
func (l *Launcher) startError(ctx context.Context, p *process, err error) error {
	hello, spoke := p.hello.line()
	if spoke {
		if err := l.checkHello(hello); err != nil {
			return err
		}
	}
	switch {
	case p.died && !spoke && p.cmd.ProcessState.ExitCode() == 0:
		return fmt.Errorf("%w: plugin %s ended with code 0 and never served: it is no benchfleet launcher plugin (the main of one calls plugin.Serve)%s",
			core.ErrInvalid, l.path, p.err.lastWords())
	case p.died:
		return fmt.Errorf("%w: plugin %s did not come to serve: %s%s", core.ErrUnavailable, l.path, p.exit, p.err.lastWords())
	case ctx.Err() != nil:
		return fmt.Errorf("%w: plugin %s does not answer (start timeout %s): it hangs, or is no benchfleet launcher plugin%s: %w",
			core.ErrUnavailable, l.path, l.startTimeout, p.err.lastWords(), ctx.Err())
	case core.CodeOf(err) != core.Internal:
		return err
	default:
		return fmt.Errorf("%w: plugin %s does not serve as a launcher: %s", core.ErrUnavailable, l.path, oneLine(err.Error()))
	}
}

// checkHello compares the first line of a plugin's stdout with what go-plugin
// writes there: its own version, ours, network, address, kind, certificate.
func (l *Launcher) checkHello(line string) error {
	parts := strings.Split(strings.TrimSpace(line), "|")
	if len(parts) < 4 {
		return fmt.Errorf("%w: plugin %s wrote %q where a handshake is due: it is no benchfleet launcher plugin", core.ErrInvalid, l.path, cut(line))
	}
	version, err := strconv.Atoi(parts[1])
	switch {
	case err != nil || parts[0] != strconv.Itoa(goplugin.CoreProtocolVersion):
		return fmt.Errorf("%w: plugin %s wrote the handshake %q, of another version of go-plugin: build it again with this version of benchfleet",
			core.ErrUnsupported, l.path, cut(line))
	case version < protocol:
		return fmt.Errorf("%w: plugin %s speaks version %d of the launcher protocol, this benchfleet version %d: build the plugin again with this version of benchfleet",
			core.ErrUnsupported, l.path, version, protocol)
	case version > protocol:
		return fmt.Errorf("%w: plugin %s speaks version %d of the launcher protocol, this benchfleet version %d: take a newer benchfleet, or an older plugin",
			core.ErrUnsupported, l.path, version, protocol)
	case len(parts) < 5 || parts[4] != string(goplugin.ProtocolGRPC):
		return fmt.Errorf("%w: plugin %s does not speak gRPC", core.ErrUnsupported, l.path)
	}
	return nil
}
