package spcs

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// waits is what is known of why jobs wait. Asking costs the same for one job and
// for a thousand: the pool, and one job after the other.
type waits struct {
	asked    time.Time
	next     int               // of the jobs, which to ask
	messages map[string]string // of containers, by path
	newest   string            // of them
	pool     string            // what is wrong with the pool; empty: nothing is known to be
	blind    bool              // the role may not describe the pool
}

// cause says why a job waits.
func (w *waits) cause(path string) string {
	why := w.messages[path]
	if why == "" {
		why = w.newest // one that was not asked yet waits for the same, most likely
	}
	if why == "" {
		why = "accepted, not placed on a node yet"
	}
	if w.pool != "" {
		why += "; " + w.pool
	}
	return "pending: " + why
}

// learnWaits asks why jobs wait, where any does. What cannot be asked is told to
// nobody but the log: the jobs wait all the same.
func (l *Launcher) learnWaits(ctx context.Context, jobs map[string]row) {
	var paths []string
	for _, path := range slices.Sorted(maps.Keys(jobs)) {
		if stateOf(jobs[path]["status"]) == ports.LaunchPending {
			paths = append(paths, path)
		}
	}
	l.mu.Lock()
	due := len(paths) > 0 && time.Since(l.waits.asked) >= l.options.Pace
	if due {
		l.waits.asked = time.Now()
		l.waits.next++
	}
	next, blind := l.waits.next, l.waits.blind
	if len(paths) == 0 && len(l.waits.messages) > 0 {
		l.waits = waits{asked: l.waits.asked, messages: map[string]string{}, blind: blind}
	}
	l.mu.Unlock()
	if !due {
		return
	}
	path := paths[next%len(paths)]
	if c, err := l.containerOf(ctx, path); err != nil {
		l.options.Logger.Warn("why a job waits could not be asked", "job", path, "error", err)
	} else if message := oneLineOf(c["message"]); message != "" {
		l.mu.Lock()
		l.waits.messages[path], l.waits.newest = message, message
		l.mu.Unlock()
	}
	if pool := jobs[path]["compute_pool"]; !blind && plainName.MatchString(pool) {
		l.learnPool(ctx, pool)
	}
}

func (l *Launcher) learnPool(ctx context.Context, pool string) {
	rows, err := l.ask(ctx, "describe compute pool "+pool, "DESCRIBE COMPUTE POOL "+pool)
	trouble := ""
	if err == nil && len(rows) > 0 {
		trouble = poolTrouble(pool, rows[0])
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.options.Logger.Warn("the compute pool could not be described", "pool", pool, "error", err)
		l.waits.blind = core.CodeOf(err) == core.Denied || notFound(err)
		return
	}
	l.waits.pool = trouble
}

// poolTrouble says what is wrong with a pool, and what mends it.
func poolTrouble(pool string, r row) string {
	state, code := strings.ToUpper(r["state"]), r["error_code"]
	trouble := ""
	if code != "" && code != "0" {
		trouble = "compute pool " + pool + ": " + oneLineOf(r["status_message"]) + " (" + code + ")"
	}
	switch {
	case code == codeFull:
		return trouble + "; run: ALTER COMPUTE POOL " + pool + " SET MAX_NODES = more, or start fewer workers"
	case code == codeCapacity:
		return trouble + "; wait, or use a pool of another instance family"
	case trouble != "":
		return trouble
	case state == poolSuspended && !yes(r["auto_resume"]):
		return "compute pool " + pool + " is suspended; run: ALTER COMPUTE POOL " + pool + " RESUME"
	case state == poolSuspended, state == poolStarting, state == poolStopping:
		return "compute pool " + pool + " is " + strings.ToLower(state)
	}
	return ""
}

// Documented: what DESCRIBE COMPUTE POOL says while jobs wait for nodes.
const (
	codeCapacity = "392507" // the cloud provider has none
	codeFull     = "392508" // the pool has its most

	poolSuspended = "SUSPENDED"
	poolStarting  = "STARTING"
	poolStopping  = "STOPPING"
)
