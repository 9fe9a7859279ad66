package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// TestLogger: logs are JSON, on a terminal text for people, and none unless they
// are asked for.
func TestLogger(t *testing.T) {
	var to bytes.Buffer
	logged := func(a *app) string {
		to.Reset()
		a.logger(&to).Warn("the beats could not be read", "error", "no answer")
		return to.String()
	}
	t.Run("none", func(t *testing.T) { is.New(t).Equal(logged(&app{err: &to}), "") })
	t.Run("JSON", func(t *testing.T) {
		is := is.New(t)
		lines := logOf(t, logged(&app{err: &to, verbose: true}))
		is.Equal(lines[0]["level"], "WARN")
		is.Equal(lines[0]["error"], "no answer")
	})
	t.Run("on a terminal", func(t *testing.T) {
		is := is.New(t)
		if runtime.GOOS != "linux" {
			t.Skip("needs /dev/ptmx")
		}
		terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
		if err != nil {
			t.Skip("this machine gives out no terminal: ", err)
		}
		defer terminal.Close()
		a := &app{err: terminal, verbose: true}
		is.True(strings.Contains(logged(a), `level=WARN msg="the beats could not be read" error="no answer"`))
		a.asService() // which changes nothing where people read
		is.True(strings.Contains(logged(a), "level=WARN"))
	})
}

// TestService: everything that a service says is in its log.
func TestService(t *testing.T) {
	is := is.New(t)
	var stderr bytes.Buffer
	a := &app{err: &stderr}
	a.asService()
	display := a.newDisplay()
	fmt.Fprintln(display, "run r1: oltp\n\nand more")
	is.NoErr(display.Close())
	a.logger(display).Warn("slow", "seconds", 3)
	a.say(fmt.Errorf("%w\nSee: --help", errors.New("broken")))
	a.say(nil)
	lines := logOf(t, stderr.String())
	var said []string
	for _, l := range lines {
		said = append(said, fmt.Sprint(l["level"], " ", l["msg"]))
	}
	is.Equal(said, []string{"INFO run r1: oltp", "INFO and more", "WARN slow", "ERROR broken\nSee: --help"})
}
