package plugin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

const (
	defaultStartTimeout = 30 * time.Second
	defaultCallTimeout  = 5 * time.Minute

	// A plugin that dies younger than steady doubles the pause before the next
	// start, from firstPause to maxPause. After an older one's death there is none.
	steady     = 10 * time.Second
	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second
)

// validName keeps a plugin's name fit for a stored scenario and a command line.
var validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// Options of a Launcher. The zero value starts the plugin without arguments and
// with an empty environment.
type Options struct {
	// SHA256 is the checksum that the executable must have; empty: any. It is
	// compared before each start. It guards against the wrong file, and not
	// against who can replace the file between comparison and start.
	SHA256 []byte
	// Args follow the path on the command line. They must hold no secret:
	// everybody on the host can read them.
	Args []string
	// Environ is the environment of this process, as "NAME=value"; mains pass
	// os.Environ(). Only PATH, HOME and TMPDIR of it reach the plugin.
	Environ []string
	// Env is the rest of the plugin's environment, as "NAME=value".
	Env []string
	// Logger gets what the plugin writes, and its starts and ends. Default:
	// nobody.
	Logger *slog.Logger
	// StartTimeout bounds a start, from the execution to the first answer;
	// default 30 s.
	StartTimeout time.Duration
	// CallTimeout bounds a call whose context has no deadline; default 5 min.
	CallTimeout time.Duration
}

// Launcher is a ports.Launcher in another process. Close ends the process.
type Launcher struct {
	path         string // absolute
	options      Options
	startTimeout time.Duration
	callTimeout  time.Duration
	log          *slog.Logger
	capabilities ports.Capabilities

	closing chan struct{} // closed by Close
	wg      sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	current  *process  // nil: none yet
	starting *starting // nil: nobody starts one
	began    time.Time // when the newest start began
	pause    time.Duration
}

// starting is a start that callers wait for.
type starting struct {
	done    chan struct{} // closed when the rest is written
	process *process
	err     error
}

var _ ports.Launcher = (*Launcher)(nil)

// Open starts the plugin at path and asks for its capabilities. A relative path
// is relative to the working folder; $PATH is not searched. ctx bounds the start
// together with Options.StartTimeout, and is not needed after it.
//
// Errors: NotFound for a path that does not exist; Invalid for one that is no
// benchfleet plugin, or one of another platform; Denied for one that may not be
// executed; Refused for another checksum; Unsupported for a plugin of another
// version of the protocol; Unavailable for one that dies or hangs at the start.
func Open(ctx context.Context, path string, opts Options) (*Launcher, error) {
	if path == "" {
		return nil, fmt.Errorf("%w: plugin: the path is empty; name an executable", core.ErrInvalid)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("%w: plugin %s: %w", core.ErrInvalid, path, err)
	}
	opts.SHA256, opts.Args = slices.Clone(opts.SHA256), slices.Clone(opts.Args)
	opts.Environ, opts.Env = slices.Clone(opts.Environ), slices.Clone(opts.Env)
	l := &Launcher{
		path: abs, options: opts, startTimeout: opts.StartTimeout, callTimeout: opts.CallTimeout,
		log: opts.Logger, closing: make(chan struct{}),
	}
	if l.startTimeout <= 0 {
		l.startTimeout = defaultStartTimeout
	}
	if l.callTimeout <= 0 {
		l.callTimeout = defaultCallTimeout
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	l.log = l.log.With("launcher", filepath.Base(abs))
	p, err := l.live(ctx, "start")
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	l.capabilities = p.capabilities
	return l, nil
}

// Close ends the plugin and waits for its end, within 15 s. Workers live on.
// Calls under way fail; later ones are Refused. Errors: Unavailable when the
// process did not end.
func (l *Launcher) Close() error {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.closing)
	}
	p := l.current
	l.mu.Unlock()
	if p != nil {
		if err := p.stop(); err != nil {
			return err
		}
	}
	all := make(chan struct{})
	go func() { // ends with the last process
		defer close(all)
		l.wg.Wait()
	}()
	late := time.NewTimer(buriedIn)
	defer late.Stop()
	select {
	case <-all:
		return nil
	case <-late.C:
		return fmt.Errorf("%w: plugin %s: a process did not end within %s", core.ErrUnavailable, l.path, buriedIn)
	}
}

// live returns the plugin's process, and starts one if none lives.
func (l *Launcher) live(ctx context.Context, what string) (*process, error) {
	if err := ctx.Err(); err != nil {
		return nil, l.ended(what, err)
	}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil, fmt.Errorf("%w: plugin %s: %s: the launcher is closed", core.ErrRefused, l.path, what)
	}
	if l.current != nil && !l.current.ended() {
		defer l.mu.Unlock()
		return l.current, nil
	}
	s := l.starting
	if s == nil {
		s = &starting{done: make(chan struct{})}
		l.starting = s
		l.wg.Go(func() { l.restart(context.WithoutCancel(ctx), s) })
	}
	l.mu.Unlock()
	select {
	case <-s.done:
		return s.process, s.err
	case <-ctx.Done():
		return nil, l.ended(what+": while the plugin starts", ctx.Err())
	}
}

// restart starts a process for all who wait for s, after a pause if the last
// one died young.
func (l *Launcher) restart(ctx context.Context, s *starting) {
	defer close(s.done)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.wg.Go(func() { // a start does not survive Close
		select {
		case <-l.closing:
			cancel()
		case <-s.done:
		}
	})
	wait := time.NewTimer(l.nextPause())
	defer wait.Stop()
	select {
	case <-wait.C:
		ctx, stop := context.WithTimeout(ctx, l.startTimeout)
		defer stop()
		s.process, s.err = l.start(ctx)
	case <-l.closing:
	}
	l.mu.Lock()
	l.starting = nil
	closed := l.closed
	if !closed && s.process != nil {
		l.current = s.process
	}
	l.mu.Unlock()
	if closed { // Close does not know this process
		if s.process != nil {
			_ = s.process.stop()
		}
		s.process, s.err = nil, fmt.Errorf("%w: plugin %s: the launcher was closed while the plugin started", core.ErrRefused, l.path)
	}
}

// nextPause says how long to wait before the next start, which begins after it.
func (l *Launcher) nextPause() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	pause := time.Duration(0)
	switch {
	case l.began.IsZero():
	case now.Sub(l.began) >= steady:
		l.pause = 0
	default:
		pause = l.pause
		l.pause = min(max(2*l.pause, firstPause), maxPause)
	}
	l.began = now.Add(pause)
	return pause
}
