package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
)

const (
	maxLine      = 64 << 10 // bytes; the rest of a longer line is dropped
	maxHello     = 4 << 10  // bytes of a handshake
	maxLastWords = 300      // bytes of output in an error

	levelTrace = slog.LevelDebug - 4
)

// lines logs what is written to it, line by line.
type lines struct {
	log *slog.Logger

	mu      sync.Mutex
	buffer  []byte
	dropped bool
	panics  bool // all that follows the first line of a panic is one
	last    string
}

func newLines(log *slog.Logger) *lines { return &lines{log: log} }

// Write implements io.Writer. It never fails.
func (l *lines) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(data)
	for {
		line, rest, whole := bytes.Cut(data, []byte("\n"))
		if room := maxLine - len(l.buffer); len(line) > room {
			line, l.dropped = line[:room], true
		}
		l.buffer = append(l.buffer, line...)
		if !whole {
			return n, nil
		}
		l.flush()
		data = rest
	}
}

// end logs an unfinished line.
func (l *lines) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flush()
}

func (l *lines) flush() {
	text := strings.TrimRight(clean(string(l.buffer)), "\r")
	if l.dropped {
		text += "…"
	}
	l.buffer, l.dropped = l.buffer[:0], false
	if strings.TrimSpace(text) == "" {
		return
	}
	l.panics = l.panics || strings.HasPrefix(text, "panic: ") || strings.HasPrefix(text, "fatal error: ")
	e := parseLine(text)
	if l.panics {
		e.level = slog.LevelError
	}
	if !l.panics || l.last == "" || strings.HasPrefix(text, "panic: ") || strings.HasPrefix(text, "fatal error: ") {
		l.last = e.message
	}
	l.log.LogAttrs(context.Background(), e.level, e.message, e.attrs...) //nolint:forbidigo // a line has no caller
}

// lastWords are the end of a message about a plugin that ended at its start: the
// last line that it wrote, or the first of its panic. It knows no secret of a
// launch then.
func (l *lines) lastWords() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == "" {
		return ""
	}
	return "; it wrote: " + cut(l.last)
}

// entry is a line of a plugin, understood as far as it goes.
type entry struct {
	level   slog.Level
	message string
	attrs   []slog.Attr
}

var (
	bracketed = regexp.MustCompile(`^\[(TRACE|DEBUG|INFO|WARN|ERROR)\]\s*`)
	logfmt    = regexp.MustCompile(`(?:^|\s)level=([A-Za-z]+(?:[+-][0-9]+)?)(?:\s|$)`)
)

// parseLine knows the JSON of slog and of hclog, the text of slog, and levels in
// brackets. Everything else is a message of level INFO.
func parseLine(line string) entry {
	if e, ok := parseJSON(line); ok {
		return e
	}
	if m := bracketed.FindStringSubmatch(line); m != nil {
		return entry{level: levelOf(m[1]), message: line[len(m[0]):]}
	}
	if m := logfmt.FindStringSubmatch(line); m != nil {
		return entry{level: levelOf(m[1]), message: line}
	}
	return entry{level: slog.LevelInfo, message: line}
}

func parseJSON(line string) (entry, bool) {
	if !strings.HasPrefix(line, "{") {
		return entry{}, false
	}
	var fields map[string]any
	if json.Unmarshal([]byte(line), &fields) != nil {
		return entry{}, false
	}
	for _, names := range [][3]string{{slog.LevelKey, slog.MessageKey, slog.TimeKey}, {"@level", "@message", "@timestamp"}} {
		level, ok := fields[names[0]].(string)
		message, ok2 := fields[names[1]].(string)
		if !ok || !ok2 {
			continue
		}
		e := entry{level: levelOf(level), message: message}
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			if !slices.Contains(names[:], name) {
				e.attrs = append(e.attrs, slog.Any(name, fields[name]))
			}
		}
		return e, true
	}
	return entry{}, false
}

// levelOf reads a level of slog or of hclog.
func levelOf(text string) slog.Level {
	if strings.EqualFold(text, "trace") {
		return levelTrace
	}
	var level slog.Level
	if level.UnmarshalText([]byte(text)) != nil {
		return slog.LevelInfo
	}
	return level
}

// firstLine is a plugin's stdout: its first line is the handshake, which go-plugin
// reads; the rest is logged.
type firstLine struct {
	rest *lines

	mu       sync.Mutex
	buffer   []byte
	complete bool
	ready    chan struct{} // closed when nothing more is to come
	read     int           // by go-plugin; one goroutine
}

func newFirstLine(log *slog.Logger) *firstLine {
	return &firstLine{rest: newLines(log), ready: make(chan struct{})}
}

// Write implements io.Writer. It never fails.
func (f *firstLine) Write(data []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(data)
	if !f.complete {
		line, rest, whole := bytes.Cut(data, []byte("\n"))
		f.buffer = append(f.buffer, line[:min(len(line), maxHello-len(f.buffer))]...)
		if !whole && len(f.buffer) < maxHello {
			return n, nil
		}
		f.buffer = append(f.buffer, '\n')
		f.complete = true
		close(f.ready)
		data = rest
	}
	_, err := f.rest.Write(data)
	return n, err
}

// end tells that the process has ended.
func (f *firstLine) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.complete {
		f.complete = true
		close(f.ready)
	}
	f.rest.end()
}

// Read implements io.Reader for go-plugin.
func (f *firstLine) Read(into []byte) (int, error) {
	<-f.ready
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.read == len(f.buffer) {
		return 0, io.EOF
	}
	n := copy(into, f.buffer[f.read:])
	f.read += n
	return n, nil
}

// line is the first line; false: there is none.
func (f *firstLine) line() (string, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return string(f.buffer), f.complete && len(f.buffer) > 0
}

// oneLine squeezes white space, line ends too.
func oneLine(text string) string { return strings.Join(strings.FieldsFunc(text, unicode.IsSpace), " ") }

// cut keeps an error's text short.
func cut(text string) string {
	text = oneLine(text)
	if len(text) > maxLastWords {
		return clean(text[:maxLastWords]) + "…"
	}
	return text
}
