package docker

import (
	"context"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/ports"
)

// Labels are inherited: a container made from the image of a committed worker has
// all of them. Only the name makes it a launch, or gc would remove what is not
// ours.
func TestForeignContainerWithOurLabels(t *testing.T) {
	is := is.New(t)
	l := opened(t, nil)
	s := spec(t.Name(), 0, "hold=1m")
	config := l.config(s, user{text: defaultUser})
	c, err := l.client.ContainerCreate(t.Context(), config, nil, nil, nil, "")
	is.NoErr(err)
	t.Cleanup(func() {
		is.NoErr(l.client.ContainerRemove(context.Background(), c.ID, container.RemoveOptions{Force: true}))
	})
	launches, err := l.List(t.Context(), t.Name())
	is.NoErr(err)
	is.Equal(len(launches), 0)

	h, err := l.Launch(t.Context(), s)
	is.NoErr(err)
	launches, err = l.List(t.Context(), t.Name())
	is.NoErr(err)
	is.Equal(len(launches), 1)
	is.Equal(launches[0].Handle, h)
	is.NoErr(l.Stop(t.Context(), h, ports.Hard))
	gone(t, l, h)
	is.NoErr(l.Release(t.Context(), h))
}
