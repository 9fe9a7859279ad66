package live_test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/charmbracelet/x/ansi"
	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/cmd/benchfleet/live"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/runner"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s (write it anew with -update)\n got:\n%s\nwant:\n%s", file, got, want)
	}
}

// A snapshot is what a runner shows.
var _ = live.Snapshot(runner.Observation{})

func TestFrames(t *testing.T) {
	for _, width := range []int{80, 120} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			var all strings.Builder
			for _, stage := range stages() {
				fmt.Fprintf(&all, "== %s\n%s\n", stage.name, live.Frame(width, 24, false, "", stage.Snapshot))
			}
			golden(t, fmt.Sprintf("frames_%d.txt", width), all.String())
		})
	}
}

// TestFramesFit holds every frame at every size to it: no line is too wide, the
// frame is not too high, and nothing in it moves a cursor.
func TestFramesFit(t *testing.T) {
	for _, stage := range stages() {
		for _, width := range []int{1, 10, 20, 40, 80, 120, 300} {
			for _, height := range []int{1, 3, 8, 24, 100} {
				t.Run(fmt.Sprintf("%s %dx%d", stage.name, width, height), func(t *testing.T) {
					is := is.New(t)
					frame := live.Frame(width, height, true, "a note \x1b[2J", stage.Snapshot)
					lines := strings.Split(frame, "\n")
					is.True(len(lines) <= max(2, height-1))
					for _, line := range lines {
						is.True(ansi.StringWidth(line) <= width)
						for _, r := range ansi.Strip(line) {
							is.True(unicode.IsPrint(r))
						}
					}
					if height >= 5 {
						is.Equal(lines[len(lines)-1], "") // where ^C may appear
					}
				})
			}
		}
	}
}

func TestFrameColoursChangeNothing(t *testing.T) {
	for _, stage := range stages() {
		t.Run(stage.name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(ansi.Strip(live.Frame(100, 30, true, "note", stage.Snapshot)), live.Frame(100, 30, false, "note", stage.Snapshot))
		})
	}
}

func TestFrameManyWorkers(t *testing.T) {
	is := is.New(t)
	var many live.Snapshot
	for _, stage := range stages() {
		if stage.name == "many" {
			many = stage.Snapshot
		}
	}
	frame := live.Frame(80, 24, false, "", many)
	is.True(strings.Contains(frame, "worker-57")) // the one in trouble is seen
	is.True(strings.Contains(frame, "more workers"))
}

// A worker that nothing has ended is not gone, with and without a terminal.
func TestOrphansAreLeft(t *testing.T) {
	for orphans, says := range []string{"no worker is left; the", "1 worker is left, an orphan; the", "2 workers are left, orphans; the"} {
		t.Run(says, func(t *testing.T) {
			is := is.New(t)
			s := loading(3)
			s.Run.Status, s.Run.Phase = core.Cancelling, core.Processing
			for i := range s.Run.Workers {
				s.Run.Workers[i].Life = core.Gone
				if i < orphans {
					s.Run.Workers[i].Life = core.Orphan
				}
			}
			is.True(strings.Contains(live.Frame(100, 24, false, "", s), says))
			var out bytes.Buffer
			lines := live.Plain(&out)
			lines.Show(s)
			is.NoErr(lines.Close())
			is.True(strings.Contains(out.String(), says))
		})
	}
}

// Where the search of a far run stands is told in words.
func TestFarSearch(t *testing.T) {
	is := is.New(t)
	s := loading(3)
	s.Search = "step 2: 48 connections"
	is.True(strings.Contains(live.Frame(100, 24, false, "", s), "search      step 2: 48 connections"))
	var out bytes.Buffer
	lines := live.Plain(&out)
	lines.Show(s)
	is.NoErr(lines.Close())
	is.True(strings.Contains(out.String(), "SEARCH       step 2: 48 connections"))
}

func TestSparkline(t *testing.T) {
	is := is.New(t)
	var snapshots []live.Snapshot
	for i := range 300 {
		s := loading(1)
		s.Interval = interval(float64(i+1), 100*(i%8))
		snapshots = append(snapshots, s, s) // shown twice, counted once
	}
	frame := live.Frame(120, 24, false, "", snapshots...)
	is.True(strings.Contains(frame, "▁▂▃▄▅▆▇█▁▂▃▄▅▆▇█"))
}

func TestTerminal(t *testing.T) {
	for _, width := range []int{80, 120} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			is := is.New(t)
			out := newScreen(width)
			out.Write([]byte("$ benchfleet run oltp\r\n"))
			d := live.Start(out, live.Options{Width: width, Height: 30, Colours: true})
			for _, stage := range stages() {
				d.Show(stage.Snapshot)
				out.waitFor(t, string(stage.Run.Status))
			}
			d.Note("nobody drives this run")
			out.waitFor(t, "nobody drives this run")
			out.Write([]byte("^C")) // as a terminal echoes it, wherever the cursor is
			fmt.Fprintf(d, "\nstopping; again to kill the workers at once\n")
			out.waitFor(t, "stopping; again")
			fmt.Fprintf(d, "the last word")
			is.NoErr(d.Close())
			is.NoErr(d.Close())
			d.Show(stages()[0].Snapshot) // nothing happens any more
			fmt.Fprint(out, "summary")
			is.Equal(out.text(), "$ benchfleet run oltp\nstopping; again to kill the workers at once\nthe last word\nsummary")
			is.True(!out.hidden)           // the cursor is back
			is.Equal(len(out.overflow), 0) // nothing was too wide
			is.Equal(out.unknown, []string(nil))
		})
	}
}

func TestTerminalClosedAtOnce(t *testing.T) {
	is := is.New(t)
	out := newScreen(80)
	d := live.Start(out, live.Options{})
	is.NoErr(d.Close())
	is.True(!out.hidden)
	is.Equal(strings.TrimSpace(out.text()), "")
}

// stuck is an output that takes nothing until it is released.
type stuck struct{ release chan struct{} }

func (s *stuck) Write(p []byte) (int, error) {
	<-s.release
	return len(p), nil
}

func TestStuckOutputHoldsUpNobody(t *testing.T) {
	for name, start := range map[string]func(io.Writer) live.Display{
		"terminal": func(w io.Writer) live.Display { return live.Start(w, live.Options{}) },
		"plain":    func(w io.Writer) live.Display { return live.Plain(w) },
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			out := &stuck{release: make(chan struct{})}
			defer close(out.release)
			d := start(out)
			s := loading(3)
			began := time.Now()
			for i := range 1000 {
				s.Interval = interval(float64(i+1), 1)
				d.Show(s)
				d.Note(fmt.Sprint("note ", i))
				fmt.Fprintf(d, "line %d\n", i)
			}
			is.True(time.Since(began) < 2*time.Second)
			is.Equal(core.CodeOf(d.Close()), core.Unavailable)
			is.True(time.Since(began) < 10*time.Second)
		})
	}
}

func TestPlain(t *testing.T) {
	is := is.New(t)
	var out bytes.Buffer
	d := live.Plain(&out)
	for _, stage := range stages() {
		d.Show(stage.Snapshot)
		d.Show(stage.Snapshot) // the same again is not written again
	}
	next := loading(3)
	next.Interval = interval(8, 4000)
	next.Interval.Stale = 1
	d.Show(next)
	d.Note("nobody drives this run")
	d.Note("nobody drives this run")
	fmt.Fprintf(d, "\nstopping\x1b[2J\n")
	is.NoErr(d.Close())
	is.NoErr(d.Close())
	d.Show(stages()[0].Snapshot)
	golden(t, "plain.txt", out.String())
}

func TestConcurrentUse(t *testing.T) {
	is := is.New(t)
	var group sync.WaitGroup
	for _, d := range []live.Display{live.Start(newScreen(80), live.Options{}), live.Plain(io.Discard)} {
		for range 4 {
			group.Go(func() {
				s := loading(3)
				for i := range 200 {
					s.Interval = interval(float64(i), i)
					d.Show(s)
					d.Note("note")
					fmt.Fprintln(d, "line")
				}
				_ = d.Close()
			})
		}
	}
	group.Wait()
	is.True(true)
}
