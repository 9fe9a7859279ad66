package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

const (
	killRounds   = 8        // how often Hard looks again for what was started meanwhile
	defaultLimit = 64 << 10 // bytes that Logs returns when none are named
	maxLimit     = 16 << 20 // bytes that Logs returns at most
)

// Stop implements ports.Launcher. Gentle is SIGTERM to the worker alone. Hard is
// SIGKILL to its group, and to every other process that has the launch in its
// environment; who has left the group and cleared its environment is not found.
// Errors: Invalid, Denied, and Unavailable for a worker of another host or one
// that is being started.
func (l *Launcher) Stop(ctx context.Context, from core.Handle, force ports.Force) error {
	if force != ports.Gentle && force != ports.Hard {
		return fmt.Errorf("%w: local: force is %q; allowed: gentle, hard", core.ErrInvalid, force)
	}
	h, p, err := l.reach(from)
	if err != nil {
		return err
	}
	if err := live(ctx, "stop"); err != nil {
		return err
	}
	if p == rebooted {
		return nil
	}
	if h.PID == 0 {
		rec, err := l.resolve(ctx, h.Folder)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case errors.Is(err, errPending):
			return fmt.Errorf("%w: local: stop: %w", core.ErrUnavailable, err)
		case errors.Is(err, errUnreadable):
			if h.process, err = l.unrecorded(h.Folder); err != nil {
				return failed("look for processes", err)
			}
		case err != nil:
			return failed("stop", err)
		case rec.ID == h.ID:
			h.process = rec.process
		}
	}
	if force == ports.Gentle {
		err = l.reaper.signal(h.process, sigGentle, false)
	} else {
		err = errors.Join(l.reaper.signal(h.process, sigHard, true), l.killMarked(h.ID))
	}
	if err != nil {
		return failed("signal a worker", err)
	}
	return nil
}

// killMarked kills every process with the launch in its environment, until none
// is left that was not killed yet.
func (l *Launcher) killMarked(id string) error {
	killed := map[process]bool{}
	for range killRounds {
		worker, others, err := ofLaunch(id)
		if err != nil {
			return err
		}
		fresh := false
		for _, p := range append(others, worker) {
			if p.PID == 0 || killed[p] {
				continue
			}
			if err := l.reaper.signal(p, sigHard, false); err != nil {
				return err
			}
			killed[p], fresh = true, true
		}
		if !fresh {
			return nil
		}
	}
	return fmt.Errorf("processes of the launch start others faster than they are killed, in %d rounds", killRounds)
}

// Release implements ports.Launcher. It removes the launch's folder with its log
// and ends what the worker has started and left behind.
func (l *Launcher) Release(ctx context.Context, from core.Handle) error {
	h, p, err := l.reach(from)
	if err != nil {
		return err
	}
	if err := l.refuseLiving(h, p); err != nil { // even if its folder is not there
		return err
	}
	lk, err := l.lock(ctx, h.Folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lk.release()
	rec, err := lk.record()
	switch {
	case err == nil && rec.ID != h.ID:
		return nil // a later launch of the same key
	case err == nil:
		rec, err = l.settle(ctx, lk.folder, rec)
		h.process = rec.process
	case errors.Is(err, errUnreadable), errors.Is(err, fs.ErrNotExist):
		h.process, err = l.unrecorded(h.Folder)
	}
	if err != nil {
		return failed("release "+h.Folder, err)
	}
	if err := l.refuseLiving(h, p); err != nil {
		return err
	}
	if p == here {
		l.reaper.now()
		if err := l.killMarked(h.ID); err != nil {
			return failed("end what a worker left behind", err)
		}
	}
	if err := lk.remove(); err != nil {
		return failed("remove the folder of a launch", err)
	}
	return nil
}

// unrecorded finds the worker of a folder whose record is of no use.
func (l *Launcher) unrecorded(folder string) (process, error) {
	all, err := scan()
	if err != nil {
		return process{}, err
	}
	for _, m := range all {
		if at, ok := l.owns(m); ok && at == folder {
			return m.process, nil
		}
	}
	return process{}, nil
}

func (l *Launcher) refuseLiving(h handle, p place) error {
	if p != here {
		return nil
	}
	lives, err := alive(h.process)
	if err != nil {
		return failed("look at a process", err)
	}
	if lives {
		return fmt.Errorf("%w: local: process %d of %s lives; stop it first", core.ErrRefused, h.PID, h.Folder)
	}
	return nil
}

// Logs implements ports.Launcher. It returns at most 16 MiB, and the end of a
// line that alone is longer than the limit. Errors: NotFound for a launch that
// is unknown here.
func (l *Launcher) Logs(ctx context.Context, from core.Handle, limit int) ([]byte, error) {
	h, _, err := l.reach(from)
	if err != nil {
		return nil, err
	}
	if limit < 0 {
		return nil, fmt.Errorf("%w: local: limit of logs is %d bytes; allowed: 0 (64 KiB) or more", core.ErrInvalid, limit)
	}
	if limit == 0 {
		limit = defaultLimit
	}
	if err := live(ctx, "logs"); err != nil {
		return nil, err
	}
	data, err := tail(filepath.Join(l.path(h.Folder), logFile), min(limit, maxLimit))
	if err != nil {
		return nil, failed("log of "+h.Folder, err)
	}
	return data, nil
}

// tail returns the newest lines of a file, at most limit bytes.
func tail(path string, limit int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	// One byte more, to see whether the first line is whole.
	from := max(0, info.Size()-int64(limit)-1)
	data := make([]byte, info.Size()-from)
	n, err := f.ReadAt(data, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return ports.NewestLines(data[:n], limit), nil
}
