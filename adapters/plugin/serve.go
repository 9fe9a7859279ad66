package plugin

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/benchfleet/benchfleet/ports"
)

// ServeOptions of the plugin's side. The zero value will do.
type ServeOptions struct {
	// Logger gets what the transport has to say. Default: its warnings and errors
	// go to stderr, which the orchestrator reads.
	Logger *slog.Logger
}

// Serve serves a launcher to the orchestrator that has started this process. It
// returns when the orchestrator ends or closes the plugin; main must return soon
// after, since the process is ended 3 s later. A process that no orchestrator
// has started, or that nobody has asked anything, it ends with code 1.
//
// The process's stdin, stdout and stderr belong to Serve from here on: stdin is
// empty, what is written to os.Stdout or os.Stderr is logged by the
// orchestrator, with the levels of slog's JSON and text. Workers must inherit
// none of them, nor the environment.
func Serve(l ports.Launcher, opts ServeOptions) {
	log := opts.Logger
	if log == nil {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	var life lifeline
	life.hold()
	side := &server{launcher: l}
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: handshake(),
		Plugins:         goplugin.PluginSet{service: grpcPlugin{server: side}},
		Logger:          bridge(log),
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			s := grpc.NewServer(append(options,
				grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage),
				grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingAllowed, PermitWithoutStream: true}),
			)...)
			life.end(s)
			return s
		},
	})
	socket := side.socket.Load()
	if socket == nil { // go-plugin has logged why
		os.Exit(1)
	}
	// The folder of the socket is the orchestrator's to remove; perhaps it cannot
	// any more.
	if *socket != "" {
		_ = os.Remove(filepath.Dir(*socket)) // an empty one only
	}
}

// lifeline ends the server when the other side of stdin is gone, however it went.
type lifeline struct {
	mu     sync.Mutex
	cut    bool
	server *grpc.Server
}

// hold reads stdin to its end in a goroutine that ends with the process.
func (l *lifeline) hold() {
	stdin := os.Stdin
	if empty, err := os.Open(os.DevNull); err == nil {
		os.Stdin = empty
	}
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
		time.AfterFunc(quitIn, func() { os.Exit(1) }) // main did not return
		l.mu.Lock()
		defer l.mu.Unlock()
		l.cut = true
		if l.server != nil {
			l.server.Stop()
		}
	}()
}

// end names the server that ends with the lifeline.
func (l *lifeline) end(s *grpc.Server) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.server = s
	if l.cut {
		s.Stop()
	}
}
