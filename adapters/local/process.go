package local

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// sight is what the operating system says of a process now.
type sight struct {
	process
	session int
	zombie  bool // it has ended, and its parent has not looked yet
	exit    exit // of a zombie
}

// is reports whether this is that process, and alive.
func (s sight) is(p process) bool {
	return p.PID > 1 && s.process == p && !s.zombie
}

// alive reports whether a process lives.
func alive(p process) (bool, error) {
	if p.PID <= 1 {
		return false, nil
	}
	now, ok, err := look(p.PID)
	return ok && now.is(p), err
}

// exit is how a process ended. It is also the reaper's record.
type exit struct {
	Code   int `json:"code"`             // -1 after a signal
	Signal int `json:"signal,omitempty"` // 0: it exited
}

// exitOf decodes the status word of wait(2), the same on Linux and macOS.
func exitOf(status int) exit {
	if signal := status & 0x7f; signal != 0 {
		return exit{Code: -1, Signal: signal}
	}
	return exit{Code: status >> 8 & 0xff}
}

// String is the cause in words.
func (e exit) String() string {
	if e.Signal != 0 {
		return fmt.Sprintf("killed by signal %d (%s)", e.Signal, syscall.Signal(e.Signal))
	}
	return "exited with code " + strconv.Itoa(e.Code)
}

// marked is a process in whose environment a launch was found: the worker, which
// leads its session, or what it has started.
type marked struct {
	process
	leader     bool
	id         string
	exitRecord string
	key        core.WorkerKey
}

// markedBy reads the mark from the environment of a process.
func markedBy(environ []string) (marked, bool) {
	var m marked
	for _, v := range environ {
		switch name, value, _ := strings.Cut(v, "="); name {
		case ports.EnvExitRecord:
			m.exitRecord, m.id = value, idOf(value)
		case ports.EnvRunID:
			m.key.RunID = value
		case ports.EnvWorkerID:
			m.key.WorkerID = value
		case ports.EnvEpoch:
			epoch, err := strconv.Atoi(value)
			if err != nil {
				return m, false
			}
			m.key.Epoch = epoch
		}
	}
	return m, m.id != "" && m.key.RunID != "" && m.key.WorkerID != ""
}

// seen adds what the operating system says of the process.
func (m marked) seen(now sight) marked {
	m.process, m.leader = now.process, now.session == now.PID
	return m
}

// ofLaunch finds the living processes of one launch: its worker, the first that
// leads a session, and all others.
func ofLaunch(id string) (worker process, others []process, err error) {
	all, err := scan()
	if err != nil {
		return worker, nil, err
	}
	for _, m := range all {
		switch {
		case m.id != id:
		case !m.leader:
			others = append(others, m.process)
		case worker.PID == 0:
			worker = m.process
		case m.Start < worker.Start:
			worker, others = m.process, append(others, worker)
		default:
			others = append(others, m.process)
		}
	}
	return worker, others, nil
}
