package plugin

import (
	"context"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/benchfleet/benchfleet/adapters/plugin/internal/launcherpb"
)

const (
	// protocol is the version of launcher.proto. It is raised when an
	// orchestrator cannot do with a plugin of the version before.
	protocol = 1

	service    = "launcher"
	namePrefix = "plugin:"

	maxMessage  = 64 << 20 // bytes of one message; logs come in pieces
	maxText     = 8 << 10  // bytes of a text that is stored or shown: an error's, a finding's, a cause
	maxHandle   = 64 << 10 // bytes of a handle, which is stored with its run
	logPiece    = 1 << 20  // bytes
	defaultLogs = 64 << 10 // bytes that Logs returns when nothing is said

	// A side that does not answer to a ping in pingTimeout is dead. The other
	// one allows pings a little more often than they come.
	pingEvery    = 10 * time.Second
	pingAllowed  = 5 * time.Second
	pingTimeout  = 10 * time.Second
	quitIn       = 3 * time.Second // from the end of stdin to the end of a plugin by itself
	killIn       = 5 * time.Second // from the end of stdin until it is killed
	buriedIn     = 5 * time.Second // from the kill to the end
	exitKnownIn  = 2 * time.Second // from the loss of a connection until the end of the process is known
	outputEndsIn = time.Second     // from the end of a process until its output is no longer waited for
)

// handshake is a guard against a plugin being run by hand, not against an enemy.
func handshake() goplugin.HandshakeConfig {
	return goplugin.HandshakeConfig{
		ProtocolVersion:  protocol,
		MagicCookieKey:   "BENCHFLEET_LAUNCHER_PLUGIN",
		MagicCookieValue: "1f1c3e0a5b7c4f6c9d4e7b2f8a6d0c35",
	}
}

// grpcPlugin tells go-plugin how to make the two sides.
type grpcPlugin struct {
	goplugin.NetRPCUnsupportedPlugin
	server *server // of the serving side only
}

func (p grpcPlugin) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	launcherpb.RegisterLauncherServer(s, p.server)
	return nil
}

func (grpcPlugin) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return launcherpb.NewLauncherClient(conn), nil
}
