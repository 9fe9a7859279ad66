package live

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/report"
)

// Lines is the Display without a terminal: one line for each interval, and one
// for each change of the run's stage.
type Lines struct {
	out     io.Writer
	wake    chan struct{} // holds one: there is something to write, or the end
	written chan struct{} // closed when all is written

	mu      sync.Mutex
	pending []string
	dropped int
	closed  bool
	stage   string
	last    float64
	remark  string
}

var _ Display = (*Lines)(nil)

// Plain begins to write lines.
func Plain(out io.Writer) *Lines {
	l := &Lines{out: out, wake: make(chan struct{}, 1), written: make(chan struct{})}
	go l.write() // Close waits for it
	return l
}

// Show writes what is new in the snapshot.
func (l *Lines) Show(s Snapshot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if stage := stageLine(s); stage != l.stage && stage != "" {
		l.stage = stage
		l.add(stage)
	}
	if i := s.Interval; i != nil && i.Offset > l.last {
		l.last = i.Offset
		var line bytes.Buffer
		if report.IntervalLine(&line, s.Run.Plan, *i) == nil {
			l.add(strings.TrimSuffix(line.String(), "\n"))
		}
	}
}

// stageLine is a line about what is no load: preparing, launching, stopping.
func stageLine(s Snapshot) string {
	run := s.Run
	switch {
	case run.ID == "" || run.Status.Terminal():
		return ""
	case run.Status == core.Prepared:
		return "PREPARING    checking that the run can be made"
	case run.Status == core.Starting:
		ready := 0
		for _, w := range run.Workers {
			if w.Life == core.Ready {
				ready++
			}
		}
		return fmt.Sprintf("STARTING     %d of %d workers are ready", ready, run.Asked()) + waiting(run)
	case run.Phase == core.Processing:
		return "PROCESSING   " + processing(run)
	case run.Status.Ending():
		text := fmt.Sprintf("%-11s  %s: %s", run.Status, run.Rung, run.Reason)
		if run.Detail != "" {
			text += ": " + report.Clean(run.Detail)
		}
		return text
	case s.search() != "":
		return "SEARCH       " + s.search()
	default:
		return ""
	}
}

// waiting says why the first of the workers waits that the platform does not run.
func waiting(run core.Run) string {
	for _, w := range run.Workers {
		if w.Pending && w.Message != "" && w.Life == core.Launched {
			return "; " + w.ID + " is " + report.Clean(w.Message)
		}
	}
	return ""
}

// Note writes a remark that differs from the one before.
func (l *Lines) Note(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if text = report.Clean(text); text != l.remark && text != "" {
		l.remark = text
		l.add(text)
	}
}

// Write writes lines.
func (l *Lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.SplitSeq(strings.Trim(string(p), "\n"), "\n") {
		l.add(report.Clean(line))
	}
	return len(p), nil
}

// add queues a line; the lock is held.
func (l *Lines) add(line string) {
	if l.closed {
		return
	}
	if l.pending = append(l.pending, line); len(l.pending) > maxPending {
		l.pending = slices.Delete(l.pending, 0, 1)
		l.dropped++
	}
	l.signal()
}

func (l *Lines) signal() {
	select {
	case l.wake <- struct{}{}:
	default: // one is waiting already
	}
}

// write puts out what is queued until the end.
func (l *Lines) write() {
	defer close(l.written)
	for range l.wake {
		l.mu.Lock()
		lines, dropped, closed := l.pending, l.dropped, l.closed
		l.pending, l.dropped = nil, 0
		l.mu.Unlock()
		if dropped > 0 {
			lines = append([]string{fmt.Sprintf("(%d lines are left out)", dropped)}, lines...)
		}
		if len(lines) > 0 {
			_, _ = io.WriteString(l.out, strings.Join(lines, "\n")+"\n") // nobody could be told
		}
		if closed {
			return
		}
	}
}

// Close writes what is queued. The error says that the output is stuck.
func (l *Lines) Close() error {
	l.mu.Lock()
	l.closed = true
	l.signal()
	l.mu.Unlock()
	select {
	case <-l.written:
		return nil
	case <-time.After(closeTimeout):
		return fmt.Errorf("%w: the output takes no lines", core.ErrUnavailable)
	}
}
