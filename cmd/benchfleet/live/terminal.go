package live

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"
	"github.com/mattn/go-isatty"
	"github.com/muesli/termenv"

	_ "github.com/benchfleet/benchfleet/cmd/benchfleet/live/quiet" // the terminal is not asked for its colours
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/report"
)

// Terminal is the Display of a terminal.
type Terminal struct {
	program *tea.Program
	board   *board
	ended   chan struct{}
	once    sync.Once
}

var _ Display = (*Terminal)(nil)

// Start begins to draw on a terminal.
func Start(out io.Writer, o Options) *Terminal {
	size := tea.WindowSizeMsg{Width: o.Width, Height: o.Height}
	if size.Width <= 0 || size.Height <= 0 {
		size = tea.WindowSizeMsg{Width: 80, Height: 24}
	}
	b := &board{}
	m := model{board: b, view: view{width: size.Width, height: size.Height, paint: paints(out, o.Colours)}}
	if f, ok := out.(*os.File); !ok || !isatty.IsTerminal(f.Fd()) {
		m.size = size // it will not tell one of its own
	}
	t := &Terminal{
		board: b,
		ended: make(chan struct{}),
		program: tea.NewProgram(m, tea.WithOutput(fromFirstColumn(out)), tea.WithInput(nil), tea.WithoutSignalHandler(),
			tea.WithoutBracketedPaste(), tea.WithFPS(10)),
	}
	go func() { // Close waits for it
		defer close(t.ended)
		if _, err := t.program.Run(); err != nil {
			b.close() // nothing is drawn any more; the run goes on
		}
	}()
	return t
}

// Show replaces what is shown.
func (t *Terminal) Show(s Snapshot) { t.board.show(s, time.Now()) }

// Note shows a short remark for a few seconds.
func (t *Terminal) Note(text string) { t.board.note(text, time.Now()) }

// Write prints lines above the view.
func (t *Terminal) Write(p []byte) (int, error) {
	t.board.print(string(p))
	return len(p), nil
}

// Close takes away the view and gives back the terminal. The error says that the
// output is stuck.
func (t *Terminal) Close() error {
	var err error
	t.once.Do(func() {
		t.board.close() // the program sees it, prints what is left, and quits
		select {
		case <-t.ended:
			return
		case <-time.After(closeTimeout):
		}
		t.program.Kill()
		select {
		case <-t.ended:
		case <-time.After(closeTimeout):
			err = fmt.Errorf("%w: the terminal takes no output", core.ErrUnavailable)
		}
	})
	return err
}

// board is what the callers of a Terminal leave for its program to read.
type board struct {
	mu      sync.Mutex
	shown   Snapshot
	at      time.Time // when it was shown, by the clock of this process
	history []float64 // throughput of the intervals so far
	last    float64   // offset of the newest of them
	remark  string
	until   time.Time
	pending []string
	dropped int
	closed  bool
}

func (b *board) show(s Snapshot, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shown, b.at = s, now
	if i := s.Interval; i != nil && i.Offset > b.last {
		b.last = i.Offset
		b.history = append(b.history, intervalRate(i))
		if len(b.history) > maxHistory {
			b.history = slices.Delete(b.history, 0, len(b.history)-maxHistory)
		}
	}
}

func (b *board) note(text string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.remark, b.until = report.Clean(text), now.Add(noteTime)
}

func (b *board) print(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	for line := range strings.SplitSeq(strings.Trim(text, "\n"), "\n") {
		b.pending = append(b.pending, report.Clean(line))
	}
	if over := len(b.pending) - maxPending; over > 0 {
		b.pending = slices.Delete(b.pending, 0, over)
		b.dropped += over
	}
}

func (b *board) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
}

// take fills in the view and returns the lines that are to be printed.
func (b *board) take(v *view, now time.Time) (lines []string, closed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	v.Snapshot, v.history = b.shown, slices.Clone(b.history)
	// Time goes on between two snapshots, though not for ever.
	v.Now = v.Now.Add(min(now.Sub(b.at), maxGuess))
	v.note = ""
	if now.Before(b.until) {
		v.note = b.remark
	}
	if b.dropped > 0 {
		lines = append(lines, fmt.Sprintf("(%d lines are left out)", b.dropped))
	}
	lines = append(lines, b.pending...)
	b.pending, b.dropped = nil, 0
	return lines, b.closed
}

// model makes a bubbletea program of a view: it looks at the board many times a
// second. It is told nothing else, so nobody ever waits for it.
type model struct {
	board  *board
	view   view
	size   tea.WindowSizeMsg // to be told at the beginning; zero: the terminal does
	closed bool
}

type lookAgain struct{}

func look() tea.Cmd {
	return tea.Tick(frameGap, func(time.Time) tea.Msg { return lookAgain{} })
}

// Init begins to look.
func (m model) Init() tea.Cmd {
	if m.size.Width == 0 {
		return look()
	}
	return tea.Batch(look(), func() tea.Msg { return m.size })
}

// Update looks at the board.
func (m model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		if msg.Width > 0 && msg.Height > 0 {
			m.view.width, m.view.height = msg.Width, msg.Height
		}
	case lookAgain:
		lines, closed := m.board.take(&m.view, time.Now())
		m.closed = closed
		next := look()
		if closed {
			next = tea.Quit
		}
		if len(lines) > 0 {
			return m, tea.Sequence(tea.Println(strings.Join(lines, "\n")), next)
		}
		return m, next
	}
	return m, nil
}

// View is the frame; nothing once the display is closed.
func (m model) View() string {
	if m.closed {
		return ""
	}
	return m.view.frame()
}

// paint is how words of one meaning look.
type paint struct{ good, doubtful, bad, faint, strong func(string) string }

func paints(out io.Writer, colours bool) paint {
	r := lipgloss.NewRenderer(out)
	r.SetColorProfile(termenv.Ascii)
	if colours {
		r.SetColorProfile(termenv.ANSI)
	}
	style := func(s lipgloss.Style) func(string) string {
		return func(text string) string {
			if !colours || text == "" {
				return text
			}
			return s.Render(text)
		}
	}
	return paint{
		good:     style(r.NewStyle().Foreground(lipgloss.Color("2"))),
		doubtful: style(r.NewStyle().Foreground(lipgloss.Color("3"))),
		bad:      style(r.NewStyle().Foreground(lipgloss.Color("1"))),
		faint:    style(r.NewStyle().Faint(true)),
		strong:   style(r.NewStyle().Bold(true)),
	}
}
