package plugin

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// huge is a launcher that says more than anybody wants to store.
type huge struct{ odd }

var much = strings.Repeat("x", 1<<20)

func (huge) Check(context.Context, int) ([]core.Finding, error) {
	return []core.Finding{{ID: much, Severity: core.SeverityError, Message: much, Mend: much}}, nil
}

func (huge) Inspect(context.Context, []core.Handle) ([]ports.WorkerStatus, error) {
	return []ports.WorkerStatus{{State: ports.LaunchGone, Cause: much}}, nil
}

func (huge) Launch(context.Context, ports.WorkerSpec) (core.Handle, error) {
	return core.Handle{Launcher: "huge", Data: []byte(much)}, nil
}

func (huge) List(context.Context, string) ([]ports.Launch, error) {
	return []ports.Launch{{Key: key("a").Key, Handle: core.Handle{Launcher: "huge", Data: []byte(much)}, State: ports.LaunchRunning}}, nil
}

// What a plugin says is stored with the run: it is cut, and a handle that cannot
// be cut is refused.
func TestHugeAnswers(t *testing.T) {
	is := is.New(t)
	l := open(t, "huge")
	findings, err := l.Check(t.Context(), 1)
	is.NoErr(err)
	for _, text := range []string{findings[1].ID, findings[1].Message, findings[1].Mend} {
		is.True(len(text) <= maxText+len("…"))
	}
	states, err := l.Inspect(t.Context(), []core.Handle{{Launcher: "huge"}})
	is.NoErr(err)
	is.True(len(states[0].Cause) <= maxText+len("…"))
	_, err = l.Launch(t.Context(), key("a"))
	is.Equal(core.CodeOf(err), core.Internal)
	is.True(strings.Contains(fmt.Sprint(err), "a handle of 1048580 bytes"))
	_, err = l.List(t.Context(), "run")
	is.Equal(core.CodeOf(err), core.Internal)
}
