//go:build linux || darwin

package docker

import (
	"testing"

	"github.com/benchfleet/benchfleet/core"
	"github.com/matryer/is"
)

// Whoever reads the log of a container while it is released reads it whole, or
// learns that it is gone.
func TestLogsWhileReleased(t *testing.T) {
	is := is.New(t)
	l := opened(t, nil)
	for i := range 10 {
		h, err := l.Launch(t.Context(), spec(t.Name(), i, "exit=0"))
		is.NoErr(err)
		gone(t, l, h)
		begun, ended := make(chan struct{}), make(chan error, 1)
		go func() {
			for n := 0; ; n++ {
				_, err := l.Logs(t.Context(), h, 0)
				if n == 0 {
					close(begun)
				}
				if err != nil {
					ended <- err
					return
				}
			}
		}()
		<-begun
		is.NoErr(l.Release(t.Context(), h))
		is.Equal(core.CodeOf(<-ended), core.NotFound)
	}
}
