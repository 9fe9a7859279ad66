package runner

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

const (
	// maxJournal bounds the lines of the orchestrator's log that wait in memory to
	// be stored. Beyond it the oldest are dropped, and counted.
	maxJournal = 1000
	// journalSpan is how many lines one owner may number: those of its successor
	// follow. No run makes as many.
	journalSpan  = 1_000_000_000
	journalWait  = time.Second     // one call to store lines
	journalPause = 5 * time.Second // before the next one, when it failed
)

// journal keeps the lines of an orchestrator's log until they are stored. It
// takes what a slog.JSONHandler writes: one record with each Write.
type journal struct {
	run string

	mu      sync.Mutex
	last    int64 // sequence of the newest line
	lines   []ports.LogLine
	dropped int // lines, since that was last said
}

// newJournal makes one for the owner of that epoch. Its lines have sequences of
// their own, so that they never take the place of another owner's.
func newJournal(runID string, epoch int) *journal {
	return &journal{run: runID, last: int64(epoch) * journalSpan}
}

// tee is a logger that writes to log and into the journal.
func (j *journal) tee(log *slog.Logger) *slog.Logger {
	return slog.New(slog.NewMultiHandler(log.Handler(), slog.NewJSONHandler(j, nil)))
}

// Write takes one record. It never fails.
func (j *journal) Write(record []byte) (int, error) {
	lines := LogLines(j.run, "", record)
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, l := range lines {
		j.add(l)
	}
	return len(record), nil
}

func (j *journal) add(l ports.LogLine) {
	j.last++
	l.Sequence = j.last
	if over := len(j.lines) + 1 - maxJournal; over > 0 {
		j.lines = slices.Delete(j.lines, 0, over)
		j.dropped += over
	}
	j.lines = append(j.lines, l)
}

// waiting returns the lines that are not stored, oldest first.
func (j *journal) waiting() []ports.LogLine {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.lines)
}

// stored forgets lines up to a sequence, and says how many could not be stored.
func (j *journal) stored(last int64) (dropped int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = slices.DeleteFunc(j.lines, func(l ports.LogLine) bool { return l.Sequence <= last })
	dropped, j.dropped = j.dropped, 0
	return dropped
}

// keepJournal stores the lines that wait, and those of workers, once per interval at
// most. Losing them
// loses no number, so a failure is only logged, and not into the journal.
func (d *driver) keepJournal(ctx context.Context) {
	own := d.journal.waiting()
	lines := append(own, d.heard.waiting...)
	if len(lines) == 0 || d.away() || time.Now().Before(d.journalNext) {
		return
	}
	call, cancel := context.WithTimeout(ctx, journalWait)
	defer cancel()
	if err := d.ports.Logs.Append(call, lines); err != nil {
		d.journalNext = time.Now().Add(journalPause)
		d.options.Logger.Warn("the log could not be stored", "error", err)
		return
	}
	d.journalNext = time.Now().Add(d.scenario.Load.Interval.Std())
	d.heard.waiting = nil
	if len(own) == 0 {
		return
	}
	if dropped := d.journal.stored(own[len(own)-1].Sequence); dropped > 0 {
		d.log.Warn("lines of this log are not stored, since too many had to wait", "lines", dropped)
	}
}

// closeJournal stores what is left when the driving ends, however it ends.
func (d *driver) closeJournal(ctx context.Context) {
	d.journalNext = time.Time{}
	d.keepJournal(context.WithoutCancel(ctx))
}

// logChanges logs what the run says now and did not say before.
func (d *driver) logChanges(before, now *core.Run) {
	if before.OwnerEpoch != now.OwnerEpoch && before.Owner != "" && before.Owner != now.Owner {
		d.log.Info("took the run over", "from", before.Owner, "owner", now.Owner)
	}
	if !before.CheckedAt.Equal(now.CheckedAt) {
		d.logFindings(now.Findings)
	}
	for i := range now.Workers {
		d.logWorker(&before.Workers[i], &now.Workers[i])
	}
	if before.Rung != now.Rung && now.Rung > core.Drain {
		d.log.Warn("the stop was raised", "rung", now.Rung.String())
	}
	if before.Status != now.Status {
		var why []any
		for _, part := range [][2]string{{"reason", string(now.Reason)}, {"detail", now.Detail}, {"by", now.StopBy}} {
			if part[1] != "" {
				why = append(why, part[0], part[1])
			}
		}
		d.log.Info("the run is "+string(now.Status), why...)
	}
	if before.Phase != now.Phase {
		d.log.Info("the phase is "+string(now.Phase), "from", now.PhaseAt)
	}
}

func (d *driver) logFindings(found []core.Finding) {
	for _, f := range found {
		level := slog.LevelInfo
		switch f.Severity {
		case core.SeverityError:
			level = slog.LevelError
		case core.SeverityWarning:
			level = slog.LevelWarn
		}
		d.log.Log(context.Background(), level, "preflight: "+f.Message, "id", f.ID)
	}
}

// logWorker logs the turns in the life of a worker.
func (d *driver) logWorker(before, now *core.WorkerRecord) {
	if now.Silent && !before.Silent {
		d.log.Warn("a worker fell silent", "worker", now.ID, "detail", now.Message)
	}
	if before.Handle.Zero() && !now.Handle.Zero() {
		d.log.Info("a worker was launched", "worker", now.ID)
	}
	if before.Life == now.Life {
		return
	}
	switch now.Life {
	case core.Ready:
		d.log.Info("a worker is ready", "worker", now.ID)
	case core.Orphan:
		d.log.Error("a worker could not be ended", "worker", now.ID)
	case core.Gone:
		level := slog.LevelInfo
		if now.Lost || !now.Reported {
			level = slog.LevelWarn
		}
		d.log.Log(context.Background(), level, "a worker has ended", "worker", now.ID, "cause", now.Exit.Cause,
			"reported", now.Reported, "rung", now.EndedOn.String())
	}
}
