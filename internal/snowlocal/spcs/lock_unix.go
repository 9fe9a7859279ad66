//go:build unix

package spcs

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"
)

const (
	lockTries = 50
	lockPause = 20 * time.Millisecond
)

// lockFile takes a file for as long as this process lives.
func lockFile(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for try := 0; ; try++ { // somebody may just be looking whether it is held
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if try == lockTries {
			return nil, errors.Join(err, f.Close())
		}
		time.Sleep(lockPause)
	}
}

// held reports whether a process holds a file.
func held(name string) bool {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil
}
