package local

import (
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"syscall"
	"time"
)

// reapPeriod is how often a launcher looks for children that have ended. Nobody
// waits for it: Inspect sees a zombie for what it is.
const reapPeriod = 100 * time.Millisecond

// child is a worker that this very process has started.
type child struct {
	process
	folder string
	id     string // of the launch
	warned bool
}

// reaper waits for the children of one Launcher and writes how they ended beside
// their records, for whoever adopts them. Its goroutine runs only while there
// are children.
type reaper struct {
	log *slog.Logger

	mu       sync.Mutex
	children []child
	stop     chan struct{} // of the running goroutine; nil: there is none
	done     sync.WaitGroup
	closed   bool
}

func (r *reaper) isClosed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

func (r *reaper) add(c child) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	r.children = append(r.children, c)
	if r.stop == nil {
		stop := make(chan struct{})
		r.stop = stop
		r.done.Go(func() { r.run(stop) })
	}
}

func (r *reaper) run(stop <-chan struct{}) {
	tick := time.NewTicker(reapPeriod)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		r.mu.Lock()
		r.round()
		idle := len(r.children) == 0
		if idle && !r.closed {
			r.stop = nil
		}
		r.mu.Unlock()
		if idle {
			return
		}
	}
}

// round reaps who has ended. A child stays a zombie, and so keeps its id and its
// exit status, until the status is written. The caller holds the mutex.
func (r *reaper) round() {
	keep := r.children[:0]
	for _, c := range r.children {
		now, ok, err := look(c.PID)
		switch {
		case err != nil:
			keep = append(keep, c)
			continue
		case !ok || now.process != c.process: // reaped by the program around us
			continue
		case !now.zombie:
			keep = append(keep, c)
			continue
		}
		err = writeJSON(c.folder, reapedName(c.id), now.exit, volatile)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // not there: released
			if !c.warned {
				r.log.Warn("cannot record the end of a worker; trying again", "folder", c.folder, "pid", c.PID, "end", now.exit.String(), "error", err)
			}
			c.warned = true
			keep = append(keep, c)
			continue
		}
		reap(c.PID)
	}
	clear(r.children[len(keep):])
	r.children = keep
}

// close makes a last round and waits for the goroutine.
func (r *reaper) close() {
	r.mu.Lock()
	stop := r.stop
	r.stop, r.closed = nil, true
	if stop != nil {
		close(stop)
	}
	r.mu.Unlock()
	r.done.Wait()
	r.now()
}

// now makes a round at once.
func (r *reaper) now() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.round()
}

// signal signals a process while nothing is reaped: where there is no pidfd, no
// id of a child of ours can change hands between the look and the signal.
func (r *reaper) signal(p process, sig syscall.Signal, group bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return signal(p, sig, group)
}
