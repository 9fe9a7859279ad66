package live_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

// TestNothingIsSaidBeforeMain starts this binary on a terminal of its own: what
// it imports must not write to it, nor wait for an answer.
func TestNothingIsSaidBeforeMain(t *testing.T) {
	is := is.New(t)
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("this machine has no pseudo-terminals: ", err)
	}
	defer master.Close()
	fd := int(master.Fd())
	is.NoErr(unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	is.NoErr(err)
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR, 0)
	is.NoErr(err)
	child := exec.Command(os.Args[0], "-test.run=^$")
	child.Stdin, child.Stdout, child.Stderr = terminal, terminal, terminal
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	child.Env = append(os.Environ(), "TERM=xterm-256color")
	is.NoErr(child.Start())
	terminal.Close()
	said, err := io.ReadAll(master)
	is.True(err == nil || errors.Is(err, syscall.EIO)) // EIO: the last one closed it
	is.NoErr(child.Wait())
	is.True(strings.Contains(string(said), "PASS")) // it did speak to us
	is.True(!strings.Contains(string(said), "\x1b"))
}
