package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// findWait bounds the wait for a process that is being started to show itself.
const findWait = 5 * time.Second

// errPending means that somebody is just making this launch.
var errPending = errors.New("claimed, its process is being started")

// settle brings the record of an interrupted launch up to date: a claimed launch
// of which a start was attempted becomes started or lost. The caller holds the
// folder's lock.
func (l *Launcher) settle(ctx context.Context, folder string, rec record) (record, error) {
	if rec.State != claimed {
		return rec, nil
	}
	switch l.place(rec.Host, rec.Boot) {
	case elsewhere:
		return rec, l.away(rec.Host)
	case rebooted: // the log may not have outlasted it: perhaps it was started
		rec.State = lost
	default:
		yes, _, err := attempted(folder)
		if err != nil {
			return rec, failed("look at a log", err)
		}
		if !yes {
			return rec, nil
		}
		if rec, err = find(ctx, folder, rec); err != nil {
			return rec, err
		}
	}
	if err := writeRecord(folder, rec, volatile); err != nil {
		return rec, failed("record what became of a launch", err)
	}
	return rec, nil
}

// find looks for the process of a launch whose launcher died as it started it.
// As long as somebody holds the log, the process lives, although its environment
// may not show yet.
func find(ctx context.Context, folder string, rec record) (record, error) {
	ctx, cancel := context.WithTimeout(ctx, findWait)
	defer cancel()
	for pause := firstPoll; ; pause = min(2*pause, slowPoll) {
		// In this order: who lets go of the log after this has long shown himself.
		_, held, err := attempted(folder)
		if err != nil {
			return rec, failed("look at a log", err)
		}
		worker, others, err := ofLaunch(rec.ID)
		if err != nil {
			return rec, failed("look for the process of a launch", err)
		}
		switch {
		case worker.PID != 0:
			rec.State, rec.process = started, worker
			return rec, nil
		case !held, len(others) > 0: // what it has started may have outlived it
			rec.State = lost
			return rec, nil
		}
		if err := live(ctx, "find the process of "+rec.Key.WorkerID+", which lives but does not show its environment"); err != nil {
			return rec, err
		}
		sleep(ctx, pause)
	}
}

// resolve returns the record of a folder, brought up to date. The error is
// fs.ErrNotExist when there is no such launch, errPending while somebody makes
// it.
func (l *Launcher) resolve(ctx context.Context, folder string) (record, error) {
	rec, err := readRecord(l.path(folder))
	if err == nil && rec.State != claimed {
		return rec, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return rec, err
	}
	lk, err := l.tryLock(folder)
	if errors.Is(err, errHeld) {
		return rec, errPending
	}
	if err != nil {
		return rec, err
	}
	defer lk.release()
	rec, err = lk.record()
	if errors.Is(err, fs.ErrNotExist) {
		lk.discard() // its claimer died before he wrote anything
	}
	if err != nil {
		return rec, err
	}
	return l.settle(ctx, lk.folder, rec)
}

// Inspect implements ports.Launcher. Errors: Invalid for a handle that no local
// launcher made, Unavailable for one of another host.
func (l *Launcher) Inspect(ctx context.Context, handles []core.Handle) ([]ports.WorkerStatus, error) {
	all := make([]ports.WorkerStatus, 0, len(handles))
	zombies := false
	for _, from := range handles {
		if err := live(ctx, "inspect"); err != nil {
			return nil, err
		}
		h, p, err := l.reach(from)
		if err != nil {
			return nil, err
		}
		status, zombie, err := l.status(ctx, h, p)
		if err != nil {
			return nil, err
		}
		zombies = zombies || zombie
		all = append(all, status)
	}
	if zombies {
		l.reaper.now()
	}
	return all, nil
}

// status tells what has become of the launch of a handle that is not elsewhere.
func (l *Launcher) status(ctx context.Context, h handle, p place) (status ports.WorkerStatus, zombie bool, err error) {
	why := "unknown here: never launched, or released"
	if h.PID == 0 && p == here {
		rec, err := l.resolve(ctx, h.Folder)
		switch {
		case errors.Is(err, errPending):
			return ports.WorkerStatus{State: ports.LaunchPending, ExitCode: -1, Cause: err.Error()}, false, nil
		case errors.Is(err, fs.ErrNotExist) || err == nil && rec.ID != h.ID:
			return gone(exit{Code: -1}, why), false, nil
		case errors.Is(err, errUnreadable):
			return gone(exit{Code: -1}, err.Error()), false, nil
		case err != nil:
			return status, false, failed("what became of a launch", err)
		case rec.State == claimed:
			return gone(exit{Code: -1}, "never started: its launcher died before that"), false, nil
		case rec.State == lost:
			why = "crashed: its launcher died while it started it, and it left no exit record"
		}
		h.process = rec.process
	}
	var now sight
	if p == here && h.PID > 1 {
		var known bool
		if now, known, err = look(h.PID); err != nil {
			return status, false, failed("look at a process", err)
		}
		if known && now.is(h.process) {
			return ports.WorkerStatus{State: ports.LaunchRunning}, false, nil
		}
	}
	zombie = now.zombie && now.process == h.process && h.PID > 1
	status, err = l.ending(h, p, now, zombie, why)
	return status, zombie, err
}

// ending is the status of a worker that does not live: as it says itself, as its
// parent saw it, as the kernel still shows it, or unknown.
func (l *Launcher) ending(h handle, p place, now sight, zombie bool, why string) (ports.WorkerStatus, error) {
	folder := l.path(h.Folder)
	var said ports.ExitRecord
	broken := ""
	switch err := readJSON(filepath.Join(folder, exitName(h.ID)), &said); {
	case err == nil && said.Cause != "":
		return gone(exit{Code: said.Code}, said.Cause), nil
	case err == nil:
		return gone(exit{Code: said.Code}, exit{Code: said.Code}.String()), nil
	case errors.Is(err, errUnreadable):
		broken = "; its exit record cannot be read"
	case !errors.Is(err, fs.ErrNotExist):
		return ports.WorkerStatus{}, failed("exit record of "+h.Folder, err)
	}
	var saw exit
	switch err := readJSON(filepath.Join(folder, reapedName(h.ID)), &saw); {
	case err == nil:
		return gone(saw, saw.String()+broken), nil
	case !errors.Is(err, errUnreadable) && !errors.Is(err, fs.ErrNotExist):
		return ports.WorkerStatus{}, failed("exit record of "+h.Folder, err)
	}
	_, err := os.Stat(filepath.Join(folder, recordFile))
	switch {
	case zombie:
		return gone(now.exit, now.exit.String()+broken), nil
	case p == rebooted:
		why = fmt.Sprintf("its host %s has been started anew since, or its container made anew: it lived in boot %s", h.Host, h.Boot)
	case err == nil && h.PID != 0 && broken == "":
		why = "crashed: it left no exit record"
	case err == nil && h.PID != 0:
		why = "crashed"
	}
	return gone(exit{Code: -1}, why+broken), nil
}

func gone(e exit, cause string) ports.WorkerStatus {
	return ports.WorkerStatus{State: ports.LaunchGone, ExitCode: e.Code, Cause: cause}
}

// List implements ports.Launcher: from the folders, and from the environments of
// this user's processes, so that a worker is found even when its folder is not
// there. Launches of another host that shares the folder are not listed.
func (l *Launcher) List(ctx context.Context, runID string) ([]ports.Launch, error) {
	folders, err := folders(l.root(), runID)
	if err != nil {
		return nil, failed("list launches", err)
	}
	all := map[string]ports.Launch{} // by folder
	known := map[string]bool{}       // by id
	for _, folder := range folders {
		if err := live(ctx, "list"); err != nil {
			return nil, err
		}
		launch, id, err := l.listed(ctx, folder)
		if err != nil {
			return nil, failed("list "+folder, err)
		}
		if known[id] = true; id != "" {
			all[folder] = launch
		}
	}
	processes, err := scan()
	if err != nil {
		return nil, failed("look for processes", err)
	}
	slices.SortFunc(processes, func(a, b marked) int { return cmp.Compare(a.Start, b.Start) })
	for _, m := range processes {
		folder, ok := l.owns(m)
		if !ok || known[m.id] || runID != "" && m.key.RunID != runID {
			continue
		}
		// Its folder is gone, or the record cannot be read.
		known[m.id] = true
		h := handle{Host: l.host, Boot: l.boot, Folder: folder, ID: m.id, process: m.process}
		all[folder] = ports.Launch{Key: m.key, Handle: h.encode(), State: ports.LaunchRunning}
	}
	return slices.SortedFunc(maps.Values(all), func(a, b ports.Launch) int {
		return cmp.Or(cmp.Compare(a.Key.RunID, b.Key.RunID), cmp.Compare(a.Key.WorkerID, b.Key.WorkerID), cmp.Compare(a.Key.Epoch, b.Key.Epoch))
	}), nil
}

// owns reports whether a process is the worker of a launch of this launcher, and
// in which folder.
func (l *Launcher) owns(m marked) (folder string, ok bool) {
	folder, err := folderOf(m.key)
	return folder, err == nil && m.leader && filepath.Dir(m.exitRecord) == l.path(folder)
}

// listed is the entry of one folder and the launch's id, which is empty when the
// folder holds no launch of this host.
func (l *Launcher) listed(ctx context.Context, folder string) (launch ports.Launch, id string, err error) {
	rec, err := l.resolve(ctx, folder)
	pending := errors.Is(err, errPending)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return launch, "", nil
	case errors.Is(err, errUnreadable): // still a launch, to be released
		key, _ := keyOf(folder)
		h := handle{Host: l.host, Boot: l.boot, Folder: folder, ID: unreadable}
		return ports.Launch{Key: key, Handle: h.encode(), State: ports.LaunchGone}, unreadable, nil
	case rec.ID != "" && l.place(rec.Host, rec.Boot) == elsewhere:
		return launch, "", nil
	case pending && rec.ID == "": // nothing is written yet
		return launch, "", nil
	case err != nil && !pending:
		return launch, "", err
	}
	launch = ports.Launch{Key: rec.Key, Handle: rec.handle(folder), State: ports.LaunchPending, ExpiresAt: rec.ExpiresAt}
	if pending {
		return launch, rec.ID, nil
	}
	h, p, err := l.reach(launch.Handle)
	if err != nil {
		return launch, "", err
	}
	status, _, err := l.status(ctx, h, p)
	launch.State = status.State
	return launch, rec.ID, err
}

// unreadable is the id in a handle of a launch whose record cannot be read.
const unreadable = "0000000000000000"

// folders lists the folders of launches below root.
func folders(root, runID string) ([]string, error) {
	runs := []string{fileName(runID)}
	if runID == "" {
		entries, err := os.ReadDir(root)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		runs = runs[:0]
		for _, e := range entries {
			runs = append(runs, e.Name())
		}
	}
	var all []string
	for _, run := range runs {
		entries, err := os.ReadDir(filepath.Join(root, run))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			if _, ok := keyOf(run + "/" + e.Name()); ok && e.IsDir() {
				all = append(all, run+"/"+e.Name())
			}
		}
	}
	return all, nil
}
