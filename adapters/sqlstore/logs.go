package sqlstore

import (
	"cmp"
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/jmoiron/sqlx"

	"github.com/benchfleet/benchfleet/ports"
)

const (
	// defaultLines is how many lines Read returns at most when nothing is said.
	defaultLines = 1000
	// maxMessage bounds a stored message in bytes; longer ones are cut.
	maxMessage = 20000
)

// logs is the LogStore of a Store.
type logs struct{ store *Store }

// Append stores lines; the first of a run, worker and sequence stays.
func (l logs) Append(ctx context.Context, lines []ports.LogLine) error {
	if len(lines) == 0 {
		return nil
	}
	s := l.store
	runs := map[string]bool{}
	rows := make([]row, 0, len(lines))
	for i := range lines {
		runs[lines[i].RunID] = true
		rows = append(rows, s.lineRow(&lines[i]))
	}
	return s.appendBatches(ctx, "storing log lines", runs, batch{table{name: "TEST_LOGS", key: []string{"RUN_ID", "WORKER_ID", "SEQ"}}, rows})
}

func (s *Store) lineRow(line *ports.LogLine) row {
	test := line.RunID
	if line.WorkerID != "" {
		test = childTestID(line.RunID, line.WorkerID)
	}
	var r row
	r.set("RUN_ID", line.RunID)
	r.set("WORKER_ID", line.WorkerID)
	r.set("SEQ", line.Sequence)
	r.set("LOG_ID", fmt.Sprintf("%s/%d", test, line.Sequence))
	r.set("TEST_ID", test)
	r.set("TIMESTAMP", s.stamp(line.Time))
	r.set("LEVEL", line.Level)
	r.set("LOGGER", cmp.Or(line.WorkerID, "orchestrator"))
	r.set("MESSAGE", cut(line.Message))
	return r
}

// cut shortens a message to maxMessage bytes and says so in it.
func cut(message string) string {
	const mark = " [cut]"
	if len(message) <= maxMessage {
		return message
	}
	end := maxMessage - len(mark)
	for end > 0 && !utf8.RuneStart(message[end]) {
		end--
	}
	return message[:end] + mark
}

// Read returns lines of a run in order of time.
func (l logs) Read(ctx context.Context, runID, workerID string, after time.Time, limit int) (list []ports.LogLine, err error) {
	s := l.store
	if limit <= 0 {
		limit = defaultLines
	}
	where, args := " WHERE RUN_ID = ?", []any{runID}
	if workerID != "" {
		where += " AND WORKER_ID = ?"
		args = append(args, workerID)
	}
	if !after.IsZero() {
		where += " AND TIMESTAMP > " + s.mark("TEST_LOGS", "TIMESTAMP")
		args = append(args, s.stamp(after))
	}
	query := "SELECT RUN_ID, WORKER_ID, SEQ, TIMESTAMP, LEVEL, MESSAGE FROM " + s.d.Table("TEST_LOGS") + where +
		fmt.Sprintf(" ORDER BY TIMESTAMP, WORKER_ID, SEQ LIMIT %d", limit)
	err = s.wrap(ctx, "reading log lines of run "+runID, func() error {
		var rows []struct {
			RunID    string  `db:"RUN_ID"`
			WorkerID string  `db:"WORKER_ID"`
			Sequence int64   `db:"SEQ"`
			Time     instant `db:"TIMESTAMP"`
			Level    string  `db:"LEVEL"`
			Message  string  `db:"MESSAGE"`
		}
		if err := sqlx.SelectContext(ctx, s.read, &rows, s.read.Rebind(query), args...); err != nil {
			return err
		}
		for _, r := range rows {
			list = append(list, ports.LogLine{
				RunID: r.RunID, WorkerID: r.WorkerID, Sequence: r.Sequence, Time: r.Time.Time, Level: r.Level, Message: r.Message,
			})
		}
		return nil
	})
	return list, err
}
