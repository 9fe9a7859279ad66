package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/benchfleet/benchfleet/core"
)

// CancelSessions asks the server to cancel what runs in these sessions. Those
// that are gone are no error, and another that has got the same process number
// is left alone. Errors: Unsupported behind a pooler, Denied.
func (t *Target) CancelSessions(ctx context.Context, sessions []string) error {
	if err := ctx.Err(); err != nil {
		return fault(ctx, "cancelling sessions", err, false)
	}
	var known []string
	var pids []int32
	for _, id := range sessions {
		if pid, ok := processOf(id); ok {
			known, pids = append(known, id), append(pids, pid)
		}
	}
	if len(known) > 0 {
		if err := t.cancel(ctx, known, pids); err != nil {
			return err
		}
	}
	if others := len(sessions) - len(known); others > 0 {
		return fmt.Errorf("%w: postgres: the server processes of %d of %d sessions are not known: a connection pooler hides them", core.ErrUnsupported, others, len(sessions))
	}
	return nil
}

func (t *Target) cancel(ctx context.Context, sessions []string, pids []int32) error {
	return t.ask(ctx, "cancelling sessions", func(conn *pgx.Conn) error {
		var hidden int
		err := conn.QueryRow(ctx, `
			SELECT count(CASE WHEN `+sessionID+` = ANY($1) THEN pg_cancel_backend(pid) END) * 0 + count(*) FILTER (WHERE backend_start IS NULL)
			FROM pg_stat_activity WHERE pid = ANY($2)`, sessions, pids).Scan(&hidden)
		if err == nil && hidden > 0 {
			err = fmt.Errorf("%w: postgres: %d sessions are another user's; cancelling them needs pg_signal_backend and pg_read_all_stats", core.ErrDenied, hidden)
		}
		return err
	})
}

// processOf is the number of a session's server process. It is false for the
// sessions of a pooler and of other targets.
func processOf(id string) (pid int32, ok bool) {
	number, _, found := strings.Cut(id, "@")
	read, err := strconv.ParseInt(number, 10, 32)
	return int32(read), found && err == nil
}

// activity is what the server tells of one of its processes; nil: nothing.
type activity struct {
	id    *string
	state *string
}

// Running counts the sessions that run a statement or have a transaction open.
func (t *Target) Running(ctx context.Context, sessions []string) (core.RunningCount, error) {
	if err := ctx.Err(); err != nil {
		return core.RunningCount{}, fault(ctx, "counting what runs", err, false)
	}
	pids := make([]int32, 0, len(sessions))
	for _, id := range sessions {
		pid, ok := processOf(id)
		switch {
		case strings.HasPrefix(id, pooledID):
			return core.RunningCount{Why: "a connection pooler stands before the server: which of its processes run these sessions is not known"}, nil
		case !ok:
			return core.RunningCount{Why: fmt.Sprintf("session %q is none of PostgreSQL's", id)}, nil
		}
		pids = append(pids, pid)
	}
	if len(pids) == 0 {
		return core.RunningCount{Known: true}, nil
	}
	var own string
	seen := map[int32]activity{}
	err := t.ask(ctx, "counting what runs", func(conn *pgx.Conn) error {
		clear(seen)
		rows, err := conn.Query(ctx, "SELECT pid, "+sessionID+", state, pid = pg_backend_pid() FROM pg_stat_activity WHERE pid = ANY($1) OR pid = pg_backend_pid()", pids)
		if err != nil {
			return err
		}
		var pid int32
		var a activity
		var self bool
		_, err = pgx.ForEachRow(rows, []any{&pid, &a.id, &a.state, &self}, func() error {
			seen[pid] = a
			if self && a.id != nil {
				own = *a.id
			}
			return nil
		})
		return err
	})
	if err != nil {
		return core.RunningCount{}, err
	}
	return count(sessions, pids, seen, own), nil
}

// count counts those of the sessions that run. own is the id of the session that
// asked.
func count(sessions []string, pids []int32, seen map[int32]activity, own string) core.RunningCount {
	total := core.RunningCount{Known: true}
	_, here, _ := strings.Cut(own, "/")
	for i, id := range sessions {
		process, there, _ := strings.Cut(id, "/")
		_, began, _ := strings.Cut(process, "@")
		if there != here && began < here {
			continue // the server was restarted since, which ends every session
		}
		if there != here {
			return core.RunningCount{Why: fmt.Sprintf("session %s is not of the server that was asked, which runs since %s", id, here)}
		}
		a, alive := seen[pids[i]]
		switch {
		case !alive:
		case a.id == nil:
			return core.RunningCount{Why: fmt.Sprintf("the user may not see what session %s does; it needs pg_read_all_stats", id)}
		case *a.id != id: // it is gone, and another has its number
		case a.state == nil, *a.state == "disabled":
			return core.RunningCount{Why: fmt.Sprintf("the server does not tell what session %s does: track_activities is off", id)}
		case *a.state != "idle":
			total.Count++
		}
	}
	return total
}
