//go:build linux || darwin

package local

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/ports/porttest"
	"github.com/matryer/is"
)

// gentleOnly is a launcher that never stops hard.
type gentleOnly struct{ *Launcher }

func (l gentleOnly) Stop(ctx context.Context, handle core.Handle, _ ports.Force) error {
	return l.Launcher.Stop(ctx, handle, ports.Gentle)
}

// The suite notices what a worker has spawned and a hard stop leaves. Its other
// cases are broken over adapters/memory, in its own tests.
func TestSuiteNoticesDescendants(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	h := harness(t)
	h.StartWithin, h.EndWithin = 2*time.Second, 500*time.Millisecond
	h.New = func(t testing.TB) ports.Launcher { return gentleOnly{open(t, dir)} }
	defer sweep(t, dir)
	suite := slices.DeleteFunc(porttest.LauncherSuite(), func(c porttest.Case[porttest.LauncherHarness]) bool {
		return c.Name != "stop hard ends what was spawned"
	})
	is.Equal(len(suite), 1) // the case exists
	failures := suite.Failing(t, h)
	is.Equal(len(failures), 1)
	is.True(len(failures[0].Messages) > 0)
}
