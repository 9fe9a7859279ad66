package acceptance

import (
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

// terminal opens a pseudo-terminal of that size: what a person sees and types,
// and what a program has for its terminal.
func terminal(t *testing.T, columns, rows uint16) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("this machine gives out no terminal: ", err)
	}
	t.Cleanup(func() { person.Close() })
	number, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(person.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: rows})
	}
	if err == nil {
		program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return person, program
}

// TestAcceptanceOnATerminal: there is one live view and no plain lines, and a
// Ctrl-C, which goes to everything in the foreground of the terminal, reaches
// the command alone: the workers end in order.
func TestAcceptanceOnATerminal(t *testing.T) {
	once(t)
	for _, tt := range []struct {
		name, env string
		coloured  bool
		live      bool
	}{
		{"colours", "TERM=xterm", true, true},
		{"no colours", "NO_COLOR=1", false, true},
		{"dumb", "TERM=dumb", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			s := newSite(t)
			db := s.db()
			s.with("TERM=xterm", "NO_COLOR=", tt.env)
			person, program := terminal(t, 100, 30)
			r := s.command("run", "short", "--duration", "1m")
			r.cmd.Stdin, r.cmd.Stdout, r.cmd.Stderr = program, program, program
			r.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			r.begin()
			is.NoErr(program.Close())
			read := make(chan struct{})
			go func() {
				defer close(read)
				io.Copy(&r.stdout, person) // ends with the last program on the terminal
			}()
			run := s.reaches(db, "RUNNING", "MEASUREMENT")
			r.says("worker")
			is.NoErr(unix.IoctlSetWinsize(int(person.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: 60, Row: 12}))
			r.says("MEASUREMENT")
			_, err := person.WriteString("\x03") // Ctrl-C
			is.NoErr(err)
			is.Equal(r.wait(20*time.Second).code, 3)
			select {
			case <-read:
			case <-time.After(10 * time.Second):
				t.Fatal("somebody is still on the terminal")
			}
			c := s.checkEnded(t, db, run, "CANCELLED", "USER_REQUESTED")
			is.True(c.Clean)
			for _, w := range c.Workers {
				is.True(w.Reported)
			}
			seen := r.stdout.String()
			is.True(strings.Contains(seen, "PARTIAL RESULT"))
			is.Equal(strings.Contains(seen, "\x1b[32m"), tt.coloured)
			is.Equal(strings.Contains(seen, "█"), tt.live)
			is.Equal(strings.Contains(seen, "workers healthy"), !tt.live) // a plain line
		})
	}
}
