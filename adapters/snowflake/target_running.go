package snowflake

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/benchfleet/benchfleet/core"
)

const (
	// sessionBatch is how many sessions one statement asks about.
	sessionBatch = 20
	// historyPage is the largest page of the query history. It is cut before it is
	// filtered, so a full page tells nothing of what it leaves out.
	historyPage = 10_000
	// historyWindow is how far back finished statements are looked at: those that
	// run are in the history whatever the window, but fill no page with others.
	historyWindow = "-30"
)

// isSessionID reports whether a text is the id of a session of Snowflake.
func isSessionID(id string) bool {
	number, err := strconv.ParseInt(id, 10, 64)
	return err == nil && number > 0 && strconv.FormatInt(number, 10) == id
}

// CancelSessions cancels what runs in these sessions. Those that are gone are no
// error. Errors: Denied, when the role neither owns the sessions' user nor may
// OPERATE the warehouse; Invalid for ids that are none of Snowflake's.
func (t *Target) CancelSessions(ctx context.Context, sessions []string) error {
	for _, id := range sessions {
		if !isSessionID(id) {
			return invalid("session %.40q is none of Snowflake's", id)
		}
	}
	if err := ctx.Err(); err != nil {
		return fault(ctx, "cancelling sessions", err, true)
	}
	var failed []error
	for batch := range batches(sessions, sessionBatch) {
		if t.cancelBatch(ctx, batch) == nil {
			continue
		}
		for _, id := range batch { // one of them failed: each on its own, so that the others are cancelled
			if err := t.cancelBatch(ctx, []string{id}); err != nil && !sessionGone(err) {
				failed = append(failed, err)
			}
		}
	}
	return errors.Join(failed...)
}

func (t *Target) cancelBatch(ctx context.Context, sessions []string) error {
	calls := make([]string, len(sessions))
	for i, id := range sessions {
		calls[i] = "SYSTEM$CANCEL_ALL_QUERIES(" + id + ")"
	}
	return t.observe(ctx, "cancelling what runs in "+strconv.Itoa(len(sessions))+" sessions", func(on queryer) error {
		_, err := ask(ctx, on, "SELECT "+strings.Join(calls, ", "))
		return err
	})
}

// sessionGone reports whether an error of SYSTEM$CANCEL_ALL_QUERIES says that
// there is no such session. Which number that is, if it is an error at all, is
// not confirmed.
func sessionGone(err error) bool {
	text := strings.ToLower(err.Error())
	return strings.Contains(text, "session") && (strings.Contains(text, "not found") || strings.Contains(text, "does not exist") || strings.Contains(text, "no longer exists"))
}

// batches cuts a list into pieces of at most size.
func batches(list []string, size int) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		for len(list) > 0 {
			n := min(size, len(list))
			if !yield(list[:n]) {
				return
			}
			list = list[n:]
		}
	}
}

// sessionHistory is what the history tells of one session.
type sessionHistory struct {
	seen    int64 // statements on the page
	running int64
}

// Running counts the statements that run in these sessions, in the query history
// of each. It is unknown when a page of the history is full, and when the history
// shows nothing at all of a session: then this role may not see it (it needs
// MONITOR on the warehouse, unless it is the same user).
//
// A statement that touches nothing but hybrid tables enters the history only
// after about half a second. So 0 means that nothing has been running for that
// long: a caller that wants to be sure that a workload has ended asks when its
// sessions have been told to end, or twice with a second between, since what ran
// at the first time has then either ended or come into sight.
func (t *Target) Running(ctx context.Context, sessions []string) (core.RunningCount, error) {
	if err := ctx.Err(); err != nil {
		return core.RunningCount{}, fault(ctx, "counting what runs", err, true)
	}
	for _, id := range sessions {
		if !isSessionID(id) {
			return core.RunningCount{Why: fmt.Sprintf("session %.40q is none of Snowflake's", id)}, nil
		}
	}
	total := core.RunningCount{Known: true}
	for batch := range batches(sessions, sessionBatch) {
		count, err := t.runningBatch(ctx, batch)
		if err != nil || !count.Known {
			return count, err
		}
		total.Count += count.Count
	}
	return total, nil
}

func (t *Target) runningBatch(ctx context.Context, sessions []string) (core.RunningCount, error) {
	recent, err := t.history(ctx, sessions, ", END_TIME_RANGE_START => DATEADD('second', "+historyWindow+", CURRENT_TIMESTAMP())", t.page)
	if err != nil {
		return core.RunningCount{}, err
	}
	count := core.RunningCount{Known: true}
	var silent []string
	for _, id := range sessions {
		switch h := recent[id]; {
		case h.seen >= int64(t.page):
			return core.RunningCount{Why: fmt.Sprintf("the query history of session %s fills its page of %d statements", id, t.page)}, nil
		case h.seen == 0:
			silent = append(silent, id)
		default:
			count.Count += int(h.running)
		}
	}
	if len(silent) == 0 {
		return count, nil
	}
	ever, err := t.history(ctx, silent, "", 1)
	if err != nil {
		return core.RunningCount{}, err
	}
	for _, id := range silent {
		if ever[id].seen == 0 {
			return core.RunningCount{Why: fmt.Sprintf("the query history shows nothing of session %s to role %s; GRANT MONITOR ON WAREHOUSE %s TO ROLE %s",
				id, firstOf(t.config.Role, "(default)"), firstOf(t.config.Warehouse, "(of the run)"), firstOf(t.config.Role, "(the role)"))}, nil
		}
		count.Count += int(ever[id].running) // it began since the first question
	}
	return count, nil
}

// history asks the query history of each session, in one statement.
func (t *Target) history(ctx context.Context, sessions []string, window string, page int) (map[string]sessionHistory, error) {
	asked := make([]string, len(sessions))
	for i, id := range sessions {
		asked[i] = fmt.Sprintf("SELECT %s AS SESSION, COUNT(*) AS SEEN, "+
			"COUNT_IF(EXECUTION_STATUS IN ('RUNNING', 'QUEUED', 'BLOCKED', 'RESUMING_WAREHOUSE')) AS RUNNING "+
			"FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_SESSION(SESSION_ID => %s%s, RESULT_LIMIT => %d))", id, id, window, page)
	}
	found := map[string]sessionHistory{}
	err := t.observe(ctx, "counting what runs", func(on queryer) error {
		clear(found)
		rows, err := ask(ctx, on, strings.Join(asked, " UNION ALL "))
		if err != nil {
			return err
		}
		for _, row := range rows {
			seen, err := strconv.ParseInt(row["seen"], 10, 64)
			if err != nil {
				return fmt.Errorf("%w: snowflake: a count of the history: %w", core.ErrInternal, err)
			}
			running, err := strconv.ParseInt(row["running"], 10, 64)
			if err != nil {
				return fmt.Errorf("%w: snowflake: a count of the history: %w", core.ErrInternal, err)
			}
			found[row["session"]] = sessionHistory{seen, running}
		}
		return nil
	})
	return found, err
}
