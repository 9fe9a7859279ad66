package spcs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// What Snowflake calls the status of a job. Whatever is none of these is taken for
// one that runs: it is not known to have ended.
const (
	statusPending    = "PENDING"
	statusRunning    = "RUNNING"
	statusCancelling = "CANCELLING"
	statusDeleting   = "DELETING"
)

// ended are the statuses of jobs of which nothing runs.
var ended = []string{"DONE", "FAILED", "CANCELLED", "DELETED", "INTERNAL_ERROR"}

const (
	signalBase = 128 // exit codes above it name a signal
	lastSignal = 64

	atOnce = 4 // questions about ended jobs
)

func stateOf(status string) ports.LaunchState {
	switch {
	case slices.Contains(ended, status), status == "":
		return ports.LaunchGone
	case status == statusPending:
		return ports.LaunchPending
	default:
		return ports.LaunchRunning
	}
}

// listing is what SHOW said of the jobs of a schema whose names begin alike.
type listing struct {
	prefix  string
	at      time.Time
	changes int // of the Launcher, when it was asked
	jobs    map[string]row
}

// Inspect implements ports.Launcher: one SHOW for each schema, and none when an
// answer is younger than Options.Pace and names every job; one more statement for
// each job that has ended, once in the life of the Launcher; and while jobs wait,
// two that ask why, whatever their number. Errors: Unavailable also when a job is
// missing and this session is not of the role that made it.
func (l *Launcher) Inspect(ctx context.Context, handles []core.Handle) ([]ports.WorkerStatus, error) {
	ctx, cancel := bound(ctx)
	defer cancel()
	if err := l.live(ctx, "inspect"); err != nil {
		return nil, err
	}
	wanted := make([]handle, len(handles))
	for i, from := range handles {
		var err error
		if wanted[i], err = decode(from); err != nil {
			return nil, err
		}
	}
	jobs, err := l.jobs(ctx, wanted)
	if err != nil {
		return nil, err
	}
	if err := l.learnEnds(ctx, jobs); err != nil {
		return nil, err
	}
	l.learnWaits(ctx, jobs)
	statuses := make([]ports.WorkerStatus, len(wanted))
	for i, h := range wanted {
		r, there := jobs[h.path()]
		if !there {
			if err := l.missing(ctx, h); err != nil {
				return nil, err
			}
		}
		statuses[i] = l.status(h.path(), r)
	}
	return statuses, nil
}

// jobs are the rows of SHOW for the jobs of some handles, by path.
func (l *Launcher) jobs(ctx context.Context, wanted []handle) (map[string]row, error) {
	names := map[place][]string{}
	for _, h := range wanted {
		names[h.place()] = append(names[h.place()], h.Name)
	}
	found := map[string]row{}
	for at, list := range names {
		there, err := l.listed(ctx, at, list)
		if err != nil {
			return nil, err
		}
		for _, name := range list {
			if r, ok := there[name]; ok {
				found[at.path(name)] = r
			}
		}
	}
	return found, nil
}

// listed are the jobs of a schema by name, those of a list at least.
func (l *Launcher) listed(ctx context.Context, at place, names []string) (map[string]row, error) {
	l.mu.Lock()
	known, changes := l.seen[at], l.changes
	l.mu.Unlock()
	fresh := known.changes == changes && time.Since(known.at) < l.options.Pace
	missing := slices.ContainsFunc(names, func(name string) bool { _, ok := known.jobs[name]; return !ok })
	if fresh && !missing {
		return known.jobs, nil
	}
	asked := time.Now()
	prefix := commonPrefix(names)
	rows, err := l.show(ctx, at, prefix)
	if err != nil {
		return nil, err
	}
	jobs := make(map[string]row, len(rows))
	for _, r := range rows {
		jobs[r["name"]] = r
	}
	l.mu.Lock()
	l.seen[at] = listing{prefix, asked, changes, jobs}
	l.mu.Unlock()
	return jobs, nil
}

// changed makes old what was listed before: this Launcher has changed something.
func (l *Launcher) changed() {
	l.mu.Lock()
	l.changes++
	l.mu.Unlock()
}

// show lists the jobs of a schema whose names begin with a text.
func (l *Launcher) show(ctx context.Context, at place, prefix string) ([]row, error) {
	rows, err := l.ask(ctx, "list the jobs in "+at.String(), "SHOW JOB SERVICES LIKE "+literal(like(prefix)+"%")+" IN SCHEMA "+at.String())
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(rows, func(r row) bool { return !strings.HasPrefix(r["name"], prefix) }), nil // LIKE knows no case
}

// learnEnds asks how jobs ended that are not known to have ended yet, a few at a
// time.
func (l *Launcher) learnEnds(ctx context.Context, jobs map[string]row) error {
	var paths []string
	l.mu.Lock()
	for _, path := range slices.Sorted(maps.Keys(jobs)) {
		if _, known := l.ends[path]; !known && stateOf(jobs[path]["status"]) == ports.LaunchGone {
			paths = append(paths, path)
		}
	}
	l.mu.Unlock()
	errs := make([]error, min(atOnce, len(paths)))
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() {
			for k := i; k < len(paths) && errs[i] == nil; k += len(errs) {
				errs[i] = l.learnEnd(ctx, paths[k], jobs[paths[k]])
			}
		})
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *Launcher) learnEnd(ctx context.Context, path string, job row) error {
	c, err := l.containerOf(ctx, path)
	switch {
	case notFound(err): // dropped just now
		return nil
	case err != nil:
		return err
	}
	l.mu.Lock()
	l.ends[path] = endOf(job["status"], c)
	l.mu.Unlock()
	return nil
}

// containerOf is the container of a job; nil when there is none.
func (l *Launcher) containerOf(ctx context.Context, path string) (row, error) {
	rows, err := l.ask(ctx, "look at the container of "+path, "SHOW SERVICE CONTAINERS IN SERVICE "+path)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if r["container_name"] == containerName {
			return r, nil
		}
	}
	return nil, nil
}

// status tells what has become of a job; no row is one that is missing.
func (l *Launcher) status(path string, job row) ports.WorkerStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	status := job["status"]
	switch stateOf(status) {
	case ports.LaunchPending:
		return ports.WorkerStatus{State: ports.LaunchPending, Cause: l.waits.cause(path)}
	case ports.LaunchRunning:
		s := ports.WorkerStatus{State: ports.LaunchRunning}
		if status != statusRunning {
			s.Cause = strings.ToLower(status)
		}
		return s
	}
	if end, ok := l.ends[path]; ok && job != nil {
		return end
	}
	gone := ports.WorkerStatus{State: ports.LaunchGone, ExitCode: -1, Cause: "removed"}
	switch d, ok := l.dropped[path]; {
	case ok && d.ran:
		gone.Cause = "killed: its job was dropped"
	case ok:
		gone.Cause = neverStarted
	}
	return gone
}

// neverStarted is the cause of a job whose container never ran.
const neverStarted = "never started"

// endOf tells how a job ended, by its status and its container.
func endOf(status string, c row) ports.WorkerStatus {
	end := ports.WorkerStatus{State: ports.LaunchGone, ExitCode: -1}
	code, err := strconv.Atoi(c["last_exit_code"])
	said := ""
	if message := c["message"]; message != "" {
		said = ": " + oneLineOf(message)
	}
	switch {
	case err == nil:
		end.ExitCode, end.Cause = code, causeOf(code, status, c["message"])
	case c == nil || c["start_time"] == "":
		end.Cause = neverStarted + said
	default:
		end.Cause = "ended, and how is not known" + said
	}
	if status == "INTERNAL_ERROR" {
		end.Cause += " (Snowflake's own error)"
	}
	return end
}

// causeOf tells an exit in words, and what Snowflake says of it where that is more
// than the code: of a job that failed although its worker obeyed, too.
func causeOf(code int, status, message string) string {
	cause := fmt.Sprintf("exited with code %d", code)
	if code > signalBase && code <= signalBase+lastSignal {
		cause = fmt.Sprintf("killed by signal %d (code %d)", code-signalBase, code)
	}
	if code == 0 && status != "FAILED" || message == "" || strings.HasPrefix(message, "User application error") {
		return cause
	}
	return cause + ": " + oneLineOf(message)
}

const maxDetail = 300 // bytes of Snowflake's own words in a cause

func oneLineOf(message string) string {
	message = strings.Join(strings.Fields(message), " ")
	return strings.ToValidUTF8(message[:min(len(message), maxDetail)], "")
}

// List implements ports.Launcher by names and comments. A job whose comment names
// no key, or whose name is not that of its key, is not a launch.
func (l *Launcher) List(ctx context.Context, runID string) ([]ports.Launch, error) {
	ctx, cancel := bound(ctx)
	defer cancel()
	if err := l.live(ctx, "list"); err != nil {
		return nil, err
	}
	who, err := l.whoami(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := l.show(ctx, l.at, prefixOf(runID))
	if err != nil {
		return nil, err
	}
	var launches []ports.Launch
	for _, r := range rows {
		key, expires, ok := keyIn(r["comment"])
		if !ok || r["name"] != nameOf(key) || runID != "" && key.RunID != runID {
			continue
		}
		role := r["owner"]
		if role == "" {
			role = who.role
		}
		launches = append(launches, ports.Launch{
			Key:       key,
			Handle:    handle{Account: who.account, Role: role, Database: l.at.database, Schema: l.at.schema, Name: r["name"]}.encode(),
			State:     stateOf(r["status"]),
			ExpiresAt: expires,
		})
	}
	return launches, nil
}
