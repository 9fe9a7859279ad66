package worker

import (
	"io"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Bounds of the lines that a beat carries.
const (
	maxBeatLines = 100
	maxBeatText  = 16 << 10 // bytes, of all of them
	lineBeats    = 6        // intervals for which a line is carried: some beats are never read
)

// lines numbers what a worker logs, writes it, and keeps the newest for its beats, so
// that they are seen while the worker lives. What does not fit is seen when it has
// ended, in what its launcher has. It takes what a slog.JSONHandler writes: one
// record with each Write.
type lines struct {
	out io.Writer

	mu    sync.Mutex
	count int64
	kept  []keptLine
	size  int // bytes kept
}

type keptLine struct {
	text string
	at   time.Time
}

// Write writes one record with its number in front.
func (l *lines) Write(record []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	line := record
	if len(record) > 1 && record[0] == '{' {
		line = strconv.AppendInt([]byte(`{"seq":`), l.count, 10)
		line = append(append(line, ','), record[1:]...)
	}
	l.keep(string(line[:max(0, len(line)-1)])) // without the line's end
	if _, err := l.out.Write(line); err != nil {
		return 0, err
	}
	return len(record), nil
}

// keep keeps a line; the oldest make room for it.
func (l *lines) keep(text string) {
	if len(text) > maxBeatText/4 {
		return // it would push out all others
	}
	l.kept = append(l.kept, keptLine{text, time.Now()})
	l.size += len(text)
	for len(l.kept) > maxBeatLines || l.size > maxBeatText {
		l.size -= len(l.kept[0].text)
		l.kept = slices.Delete(l.kept, 0, 1)
	}
}

// newest returns the lines of the last while, oldest first, and forgets those before.
func (l *lines) newest(while time.Duration) (texts []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.kept) > 0 && time.Since(l.kept[0].at) > while {
		l.size -= len(l.kept[0].text)
		l.kept = slices.Delete(l.kept, 0, 1)
	}
	for _, k := range l.kept {
		texts = append(texts, k.text)
	}
	return texts
}
