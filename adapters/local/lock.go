package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// How a launch's folder is locked.
const (
	firstPoll = time.Millisecond      // first pause between two attempts to lock
	slowPoll  = 16 * time.Millisecond // longest pause
	lockWait  = 10 * time.Second      // longest wait for somebody else's lock
	released  = ".released-"          // prefix below dir/workers of folders on their way out
)

type lockKind int

const (
	shared lockKind = iota
	exclusive
)

// lock is the right to change one folder. The kernel frees it when its holder
// dies; a child that is forked but not yet executed holds it too, so whoever
// gets it sees every process that a dead holder has started.
type lock struct {
	folder string
	root   string
	file   *os.File
}

// errHeld means that somebody else holds the lock.
var errHeld = errors.New("somebody else is at work in this folder")

// claim creates the folder and locks it, waiting for whoever holds it.
func (l *Launcher) claim(ctx context.Context, folder string) (*lock, error) {
	return l.wait(ctx, folder, func() error {
		// The run's folder may be removed at the same moment by a release.
		if err := os.MkdirAll(l.path(folder), 0o700); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

// lock locks an existing folder, waiting for whoever holds it. The error is
// fs.ErrNotExist when there is none.
func (l *Launcher) lock(ctx context.Context, folder string) (*lock, error) {
	return l.wait(ctx, folder, func() error {
		_, err := os.Stat(l.path(folder))
		return err
	})
}

func (l *Launcher) wait(ctx context.Context, folder string, prepare func() error) (*lock, error) {
	caller := ctx
	ctx, cancel := context.WithTimeout(caller, lockWait)
	defer cancel()
	for pause := firstPoll; ; pause = min(2*pause, slowPoll) {
		if err := live(caller, "lock the folder of a launch"); err != nil {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%w: local: folder %s: %w for %s", core.ErrUnavailable, l.path(folder), errHeld, lockWait)
		}
		if err := prepare(); err != nil {
			return nil, failed("folder of a launch", err)
		}
		lk, err := l.tryLock(folder)
		if err == nil {
			return lk, nil
		}
		if !errors.Is(err, errHeld) && !errors.Is(err, fs.ErrNotExist) {
			return nil, failed("lock the folder of a launch", err)
		}
		sleep(ctx, pause)
	}
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// tryLock locks an existing folder. The error is errHeld when somebody else
// holds it, fs.ErrNotExist when there is no folder.
func (l *Launcher) tryLock(folder string) (*lock, error) {
	path := l.path(folder)
	file, err := os.OpenFile(filepath.Join(path, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	ok, err := flock(file, exclusive)
	if err == nil && !ok {
		err = errHeld
	}
	if err == nil && !stillThere(file) { // released while we waited
		err = fs.ErrNotExist
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return &lock{folder: path, root: l.root(), file: file}, nil
}

// stillThere reports whether an open file is still the one of its name.
func stillThere(f *os.File) bool {
	open, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(f.Name())
	return err == nil && os.SameFile(open, named)
}

// record reads the record of the locked folder. The error is fs.ErrNotExist only
// when nothing was ever launched in it: the record comes before the log.
func (lk *lock) record() (record, error) {
	rec, err := readRecord(lk.folder)
	if errors.Is(err, fs.ErrNotExist) {
		if _, log := os.Stat(filepath.Join(lk.folder, logFile)); log == nil {
			return rec, fmt.Errorf("%w: %s has been removed", errUnreadable, filepath.Join(lk.folder, recordFile))
		}
	}
	return rec, err
}

func (lk *lock) release() {
	unlock(lk.file) // not by closing alone: a child being forked has a copy
	_ = lk.file.Close()
}

// remove removes the folder, and those above it when they are empty. The folder
// leaves its name in one step, so that nobody ever sees half of it; what a crash
// leaves of it, the next remove takes along.
func (lk *lock) remove() error {
	if err := os.Rename(lk.folder, filepath.Join(lk.root, released+newID())); err != nil {
		return err
	}
	entries, err := os.ReadDir(lk.root)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), released) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(lk.root, e.Name())))
		}
	}
	_ = os.Remove(filepath.Dir(lk.folder)) // fails unless empty, as the next
	_ = os.Remove(lk.root)
	return err
}

// discard is remove for a launch of which no process lives or lived. The log
// goes first: without it a folder that cannot be removed now is harmless.
func (lk *lock) discard() {
	_ = os.Remove(filepath.Join(lk.folder, logFile))
	_ = lk.remove()
}
