package dockertest

import (
	"net"
	"testing"

	"github.com/docker/docker/api/types/network"
	"github.com/matryer/is"
)

// A second daemon is somebody else, and leaves the machine's bridge alone: one
// in the machine's network namespace deletes it.
func TestStartLeavesTheMachineAlone(t *testing.T) {
	is := is.New(t)
	machine := Client(t, Require(t))
	bridge, err := machine.NetworkInspect(t.Context(), "bridge", network.InspectOptions{})
	is.NoErr(err)
	name := bridge.Options["com.docker.network.bridge.name"]
	before, err := net.InterfaceByName(name)
	is.NoErr(err)

	d := Start(t)
	after, err := net.InterfaceByName(name)
	is.NoErr(err)
	is.Equal(after.Index, before.Index) // the same one, not made again
	own, err := Client(t, d.Host()).Info(t.Context())
	is.NoErr(err)
	others, err := machine.Info(t.Context())
	is.NoErr(err)
	is.True(own.ID != others.ID)

	d.Restart()
	again, err := Client(t, d.Host()).Info(t.Context())
	is.NoErr(err)
	is.Equal(again.ID, own.ID)
}
