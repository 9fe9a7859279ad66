package spcs

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

const (
	defaultLimit = 64 << 10  // bytes that Logs returns when none are named
	shortLine    = 16        // bytes; of shorter lines Logs may return fewer than would fit
	maxLines     = 1_000_000 // lines that are asked for

	// fullLog is the size from which on an answer may begin in the middle of a line:
	// the server cuts at 100 KB, and says no more exactly what that is.
	fullLog = 99_000
)

// Logs implements ports.Launcher: stdout and stderr, of which Snowflake returns at
// most 100 KB. Of a job that Stop has dropped there is what Stop read, 64 KiB, in
// the Launcher that did it. Errors: NotFound for a job that is unknown, and for a log
// that went with its node.
func (l *Launcher) Logs(ctx context.Context, from core.Handle, limit int) ([]byte, error) {
	h, err := decode(from)
	if err != nil {
		return nil, err
	}
	if limit < 0 {
		return nil, fmt.Errorf("%w: spcs: limit of logs is %d bytes; allowed: 0 (64 KiB) or more", core.ErrInvalid, limit)
	}
	if limit == 0 {
		limit = defaultLimit
	}
	ctx, cancel := bound(ctx)
	defer cancel()
	if err := l.live(ctx, "read a log"); err != nil {
		return nil, err
	}
	l.mu.Lock()
	kept, dropped := l.dropped[h.path()]
	l.mu.Unlock()
	if dropped {
		return ports.NewestLines(bytes.Clone(kept.log), limit), nil
	}
	log, err := l.serverLog(ctx, h.path(), limit)
	if notFound(err) {
		if other := l.missing(ctx, h); other != nil {
			return nil, other
		}
	}
	if code := core.CodeOf(err); code == core.Invalid || code == core.Internal { // how Snowflake says that a log is gone is not documented
		if job, again := l.job(ctx, h); again == nil && stateOf(job["status"]) == ports.LaunchGone {
			err = fmt.Errorf("%w: spcs: the log of %s is gone with its node: %w", core.ErrNotFound, h.path(), err)
		}
	}
	if err != nil {
		return nil, err
	}
	return ports.NewestLines(log, limit), nil
}

// serverLog is the end of a job's log, of whole lines; nothing of one that waits.
func (l *Launcher) serverLog(ctx context.Context, path string, limit int) ([]byte, error) {
	lines := min(limit/shortLine+1, maxLines)
	rows, err := l.ask(ctx, "read the log of "+path, fmt.Sprintf("SELECT SYSTEM$GET_SERVICE_LOGS(%s, 0, %s, %d) AS LOG", literal(path), literal(containerName), lines))
	switch {
	case err != nil && waiting(err):
		return nil, nil
	case err != nil:
		return nil, err
	case len(rows) == 0:
		return nil, nil
	}
	log := []byte(rows[0]["log"])
	if n := len(log); n > 0 && log[n-1] != '\n' { // the end of the last line may be cut off
		log = append(log, '\n')
	}
	if len(log) >= fullLog {
		if i := bytes.IndexByte(log, '\n'); i >= 0 && i+1 < len(log) {
			log = log[i+1:]
		}
	}
	return log, nil
}

// waiting reports whether an error says that a container has not started: its text
// is all that is documented of it.
func waiting(err error) bool {
	return strings.Contains(err.Error(), "Container Status: PENDING")
}
