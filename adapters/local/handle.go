package local

import (
	"encoding/json"
	"fmt"
	"regexp"

	"github.com/benchfleet/benchfleet/core"
)

// process names one process for ever: a number that may be used again, and the
// time at which it started, in the unit of the operating system.
type process struct {
	PID   int    `json:"pid,omitempty"`
	Start uint64 `json:"start,omitempty"`
}

// handle is the data of a core.Handle. Without a process it was made before the
// process was known: the folder tells.
type handle struct {
	Host   string `json:"host"`
	Boot   string `json:"boot"`
	Folder string `json:"folder"` // below dir/workers, with slashes
	ID     string `json:"id"`     // of the launch, random
	process
}

// validFolder keeps a forged handle inside the folder of the launches.
var validFolder = regexp.MustCompile(`^[A-Za-z0-9_%-]+/[A-Za-z0-9_%-]+\.[0-9]+$`)

func (h handle) encode() core.Handle {
	data, err := json.Marshal(h)
	if err != nil { // strings and numbers: cannot be
		return core.Handle{}
	}
	return core.Handle{Launcher: name, Version: version, Data: data}
}

// decode reads a handle. Errors: Invalid for one that no local launcher made.
func decode(from core.Handle) (handle, error) {
	var h handle
	if from.Launcher != name || from.Version != version {
		return h, fmt.Errorf("%w: local: handle of launcher %q, version %d; this is launcher %q, version %d",
			core.ErrInvalid, from.Launcher, from.Version, name, version)
	}
	if err := json.Unmarshal(from.Data, &h); err != nil {
		return h, fmt.Errorf("%w: local: handle: %w", core.ErrInvalid, err)
	}
	if !validFolder.MatchString(h.Folder) || !validID.MatchString(h.ID) || h.PID < 0 {
		return h, fmt.Errorf("%w: local: handle with folder %q, id %q, process %d", core.ErrInvalid, h.Folder, h.ID, h.PID)
	}
	return h, nil
}

// place is where a handle or record lives, as seen from here.
type place int

const (
	here      place = iota // this boot of this host
	rebooted               // this host, but an earlier boot: everything has ended
	elsewhere              // another host: nothing can be known
)

// place compares boots first: a host keeps its boot when its name changes.
func (l *Launcher) place(host, boot string) place {
	switch {
	case boot == l.boot:
		return here
	case host == l.host:
		return rebooted
	default:
		return elsewhere
	}
}

// reach decodes a handle and refuses one of another host.
func (l *Launcher) reach(from core.Handle) (handle, place, error) {
	h, err := decode(from)
	if err != nil {
		return h, elsewhere, err
	}
	p := l.place(h.Host, h.Boot)
	if p == elsewhere {
		return h, p, l.away(h.Host)
	}
	return h, p, nil
}

func (l *Launcher) away(host string) error {
	return fmt.Errorf("%w: local: the worker lives on host %s, this is %s; ask there", core.ErrUnavailable, host, l.host)
}
