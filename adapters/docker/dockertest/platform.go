package dockertest

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"
)

// Platform tells what a daemon itself knows of workers, for the harness of a
// conformance suite. It uses nothing of the launcher that has started them.
type Platform struct {
	client *client.Client
	here   bool // the daemon's processes are in this host's /proc
}

// NewPlatform returns the Platform of a daemon, until the end of the test.
func NewPlatform(tb testing.TB, host string) *Platform {
	tb.Helper()
	p := &Platform{client: Client(tb, host)}
	info, err := p.client.Info(tb.Context())
	if err != nil {
		tb.Fatalf("daemon at %s: %v", host, err)
	}
	name, err := os.Hostname()
	p.here = err == nil && runtime.GOOS == "linux" && info.Name == name
	return p
}

// Count counts the running containers of a run.
func (p *Platform) Count(runID string) (int, error) {
	all, err := p.ofRun(runID, false)
	return len(all), err
}

// Left names all containers of a run, whatever their state.
func (p *Platform) Left(runID string) ([]string, error) { return p.ofRun(runID, true) }

func (p *Platform) ofRun(runID string, all bool) ([]string, error) {
	list, err := p.client.ContainerList(context.Background(), container.ListOptions{
		All: all, Filters: filters.NewArgs(filters.Arg("label", "benchfleet.run="+runID)),
	})
	var found []string
	for _, c := range list {
		found = append(found, strings.Join(c.Names, " ")+": "+c.Status)
	}
	return found, err
}

// Shows finds text in what the daemon tells of the container of a handle:
// inspect, the list of its processes, its changed files' names.
func (p *Platform) Shows(handle []byte, text string) ([]string, error) {
	id, err := containerOf(handle)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	_, inspect, err := p.client.ContainerInspectWithRaw(ctx, id, true)
	if err != nil {
		return nil, err
	}
	top, err := p.client.ContainerTop(ctx, id, []string{"-eo", "pid,args"})
	if err != nil {
		return nil, err
	}
	diff, err := p.client.ContainerDiff(ctx, id)
	if err != nil {
		return nil, err
	}
	var places []string
	for place, shown := range map[string]any{"inspect": json.RawMessage(inspect), "top": top, "diff": diff} {
		data, err := json.Marshal(shown)
		if err != nil {
			return nil, err
		}
		if strings.Contains(string(data), text) {
			places = append(places, place)
		}
	}
	return places, nil
}

// SeesProcesses reports whether Alive can tell: on Linux, on the daemon's host.
func (p *Platform) SeesProcesses() bool { return p.here }

// Alive reports whether the container of a handle holds a living process with
// this id, which is the one that the process itself knows.
func (p *Platform) Alive(handle []byte, pid int) (bool, error) {
	id, err := containerOf(handle)
	if err != nil {
		return false, err
	}
	groups, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		return false, err
	}
	for _, file := range groups {
		if group, err := os.ReadFile(file); err != nil || !strings.Contains(string(group), id) {
			continue // another's, or it has ended meanwhile
		}
		status, err := os.ReadFile(filepath.Join(filepath.Dir(file), "status"))
		if err != nil {
			continue
		}
		if own, state := inside(string(status)); own == strconv.Itoa(pid) && state != "Z" {
			return true, nil
		}
	}
	return false, nil
}

// inside reads /proc/PID/status: the id in the innermost namespace, and the
// state's letter.
func inside(status string) (pid, state string) {
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(line, ":")
		fields := strings.Fields(value)
		switch {
		case len(fields) == 0:
		case name == "NSpid":
			pid = fields[len(fields)-1]
		case name == "State":
			state = fields[0]
		}
	}
	return pid, state
}

// containerOf reads the data of a handle.
func containerOf(handle []byte) (string, error) {
	var h struct{ Container string }
	err := json.Unmarshal(handle, &h)
	if err == nil && h.Container == "" {
		err = errors.New("the handle names no container: " + string(handle))
	}
	return h.Container, err
}
