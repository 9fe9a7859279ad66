//go:build linux || darwin

package local

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	sigGentle = unix.SIGTERM
	sigHard   = unix.SIGKILL
)

// ownSession detaches a worker from the terminal and from its parent's signals.
func ownSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// flock takes an advisory lock if it is free.
func flock(f *os.File, kind lockKind) (bool, error) {
	how := unix.LOCK_SH
	if kind == exclusive {
		how = unix.LOCK_EX
	}
	for {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return false, nil
		default:
			return err == nil, err
		}
	}
}

func unlock(f *os.File) { _ = unix.Flock(int(f.Fd()), unix.LOCK_UN) }

// reap takes an ended child off the kernel's hands.
func reap(pid int) {
	for {
		_, err := unix.Wait4(pid, nil, unix.WNOHANG, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// kill is kill(2) where "no such process" is success.
func kill(pid int, signal syscall.Signal) error {
	if err := unix.Kill(pid, signal); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	return nil
}
