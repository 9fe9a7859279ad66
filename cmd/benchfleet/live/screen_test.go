package live_test

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// screen is a terminal that understands what displays send, and counts what a
// real one would spoil.
type screen struct {
	mu       sync.Mutex
	width    int
	cells    [][]rune
	row, col int
	hidden   bool
	overflow []string
	unknown  []string
	changed  chan struct{}
}

func newScreen(width int) *screen {
	return &screen{width: width, cells: [][]rune{nil}, changed: make(chan struct{}, 1)}
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var state byte
	text := string(p)
	for len(text) > 0 {
		seq, width, n, next := ansi.DecodeSequence(text, state, nil)
		state, text = next, text[n:]
		if width > 0 {
			s.put(seq, width)
		} else {
			s.control(seq)
		}
	}
	select {
	case s.changed <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (s *screen) put(grapheme string, width int) {
	line := s.cells[s.row]
	for len(line) < s.col+width {
		line = append(line, ' ')
	}
	line[s.col] = []rune(grapheme)[0]
	s.cells[s.row] = line
	if s.col += width; s.col > s.width {
		s.overflow = append(s.overflow, string(line))
	}
}

func (s *screen) control(seq string) {
	number := func() int { n, _ := strconv.Atoi(strings.Trim(seq, "\x1b[ABCDJKmhl?")); return n }
	switch {
	case seq == "\r":
		s.col = 0
	case seq == "\n":
		if s.row++; s.row == len(s.cells) {
			s.cells = append(s.cells, nil)
		}
	case seq == "\x1b[?25l", seq == "\x1b[?25h":
		s.hidden = strings.HasSuffix(seq, "l")
	case strings.HasPrefix(seq, "\x1b[?2004"), strings.HasPrefix(seq, "\x1b[?100"): // modes that are switched off at the end
		if strings.HasSuffix(seq, "h") {
			s.unknown = append(s.unknown, seq)
		}
	case strings.HasSuffix(seq, "A"):
		s.row = max(0, s.row-max(1, number()))
	case strings.HasSuffix(seq, "K") && number() == 2:
		s.cells[s.row] = nil
	case strings.HasSuffix(seq, "K"):
		s.cells[s.row] = s.cells[s.row][:min(s.col, len(s.cells[s.row]))]
	case strings.HasSuffix(seq, "J"):
		s.cells[s.row] = s.cells[s.row][:min(s.col, len(s.cells[s.row]))]
		s.cells = s.cells[:s.row+1]
	case strings.HasSuffix(seq, "m"):
	default:
		s.unknown = append(s.unknown, seq)
	}
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for _, line := range s.cells {
		lines = append(lines, strings.TrimRight(string(line), " "))
	}
	return strings.Join(lines, "\n")
}

// waitFor returns once the screen shows the text.
func (s *screen) waitFor(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for !strings.Contains(s.text(), text) {
		select {
		case <-s.changed:
		case <-deadline:
			t.Fatalf("%q is not on the screen:\n%s", text, s.text())
		}
	}
}
