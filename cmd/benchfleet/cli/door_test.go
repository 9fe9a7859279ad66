package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// An absent daemon is one finding, with its mend, whoever finds it: nothing else
// can be said then of how workers reach the store.
func TestAbsentDaemonIsOneFinding(t *testing.T) {
	dir := site(t)
	for _, host := range []string{"unix:///no/such/socket", "tcp://127.0.0.1:1"} {
		for _, args := range [][]string{{"preflight", "oltp"}, {"run", "oltp"}, {"run", "oltp", "--detach"}} {
			t.Run(strings.Join(args, " ")+" "+host, func(t *testing.T) {
				is := is.New(t)
				environ := []string{"DOCKER_HOST=" + host, "BENCHFLEET_DIR=" + dir}
				got := run(t, environ, append(args, "--launcher", "docker", "--output", "json")...)
				is.Equal(got.code, ExitRefused)
				var said struct{ Findings []core.Finding }
				is.NoErr(json.Unmarshal([]byte(got.stdout), &said))
				docker := 0
				for _, f := range said.Findings {
					is.True(f.ID != "store.gateway")
					if f.ID == "docker.daemon" {
						docker++
						is.True(strings.Contains(f.Message, "no daemon answers at "+host))
						is.True(strings.Contains(f.Mend, "start Docker"))
					}
				}
				is.Equal(docker, 1)
				if args[0] == "run" {
					is.True(strings.Contains(got.stderr, "→ start Docker"))
				}
			})
		}
	}
}

// away is a launcher of which nobody knows how its workers reach this host.
type away struct {
	remote
	reach    error
	findings []core.Finding
}

func (a away) Reach(ctx context.Context) (ports.Reach, error) {
	if a.reach != nil {
		return ports.Reach{}, a.reach
	}
	return a.remote.Reach(ctx)
}
func (a away) Check(context.Context, int) ([]core.Finding, error) { return a.findings, nil }

// Why workers do not reach the store is said with what mends just that, and left
// to the launcher where that knows better.
func TestMendsOfTheDoor(t *testing.T) {
	fine := []core.Finding{{ID: "docker.daemon", Severity: core.SeverityOK}}
	nope := []core.Finding{{ID: "docker.network", Severity: core.SeverityError, Message: "no network"}}
	for _, tc := range []struct {
		name     string
		reach    error
		findings []core.Finding
		mode     os.FileMode
		mend     string // "": no finding
	}{
		{name: "the launcher says it", reach: fmt.Errorf("%w: no network", core.ErrNotFound), findings: nope},
		{name: "a way that is not there", reach: fmt.Errorf("%w: rootless", core.ErrUnsupported), findings: fine, mend: "use --launcher local"},
		{name: "away for a moment", reach: fmt.Errorf("%w: busy", core.ErrUnavailable), findings: fine, mend: "try again"},
		{name: "a key that others can read", mode: 0o644, mend: "gateway.key, once no run goes on"},
		{name: "a key, and something else", mode: 0o644, findings: nope, mend: "gateway.key, once no run goes on"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			dir := t.TempDir()
			if tc.mode != 0 {
				key := filepath.Join(dir, "gateway.key")
				is.NoErr(os.WriteFile(key, make([]byte, 32), tc.mode))
			}
			a := &app{dir: dir, store: "sqlite:" + filepath.Join(dir, "store.db"), err: io.Discard}
			found := a.checkDoor(t.Context(), away{remote{memory.NewLauncher(nil)}, tc.reach, tc.findings}, 1)
			if tc.mend == "" {
				is.Equal(len(found), 0)
				return
			}
			is.Equal(len(found), 1)
			is.Equal(found[0].ID, "store.gateway")
			is.Equal(found[0].Severity, core.SeverityError)
			is.True(strings.Contains(found[0].Mend, tc.mend)) // found[0].Mend
		})
	}
}
