package spcs

import (
	"strings"
	"time"
)

// States of a service, of an instance and of a container.
const (
	statusPending     = "PENDING"
	statusRunning     = "RUNNING"
	statusDone        = "DONE"
	statusFailed      = "FAILED"
	statusCancelling  = "CANCELLING"
	statusCancelled   = "CANCELLED"
	statusSuspending  = "SUSPENDING"
	statusSuspended   = "SUSPENDED"
	statusDeleting    = "DELETING"
	statusReady       = "READY"
	statusSucceeded   = "SUCCEEDED"
	statusTerminating = "TERMINATING"
	statusUnknown     = "UNKNOWN"
)

// serviceDef is what a service was made of; it is kept with the account.
type serviceDef struct {
	Pool      string
	SpecText  string
	Job       bool
	Async     bool
	Batch     bool // a job with REPLICAS
	Instances int  // of a job; the least of a service
	Most      int
	MinReady  int
	NoResume  bool // AUTO_RESUME is off
	Warehouse string
	EAIs      []string
	Comment   string
	Suspended bool
	Granted   map[string][]string // by service role: the roles that have it
}

// service is a service or a job. The manager's lock guards it.
type service struct {
	serviceDef
	full, database, schema, name string
	owner, pool                  string
	spec                         *specification
	serial                       int // differs from all others of this stand-in
	created, updated             time.Time
	resumed, suspended           time.Time
	instances                    []*instance
	pins                         map[string]string // the ids of images, from the first pull on

	cancelling, dropping, over bool
	status                     string
	views                      []view // the oldest first
	ingress                    *ingress
	gone                       chan struct{} // closed when it was dropped and nothing is left
}

// instance runs the containers of a service once.
type instance struct {
	of         *service
	id         int
	spec       *specification
	node       *node
	created    time.Time
	started    time.Time
	address    string
	boxes      []*box
	poolCode   string // why it waits
	poolStatus string
	why        string        // it is told to end: stopCancel, …
	stop       chan struct{} // closed then
	ended      bool
}

// box is one container of an instance.
type box struct {
	spec        *containerSpec
	status      string
	message     string
	image       string // its id
	restarts    int
	started     time.Time
	lastRestart time.Time
	exit        *int
	id          string // Docker's; "" while there is none
	address     string
	log         []byte // when it has ended
	previous    []byte // of the container before a restart
	logged      bool   // it has run
	lost        bool   // its log is gone
}

// Why an instance ends before its containers do.
const (
	stopCancel  = "cancel"
	stopDrop    = "drop"
	stopSuspend = "suspend"
	stopUpgrade = "upgrade"
	stopEvict   = "evict"
)

// end tells an instance to end. The lock is held.
func (in *instance) end(why string) {
	if in.why != "" || in.ended {
		return
	}
	in.why = why
	for _, b := range in.boxes {
		if b.id != "" {
			b.status, b.message = statusTerminating, textTerminating
		}
	}
	close(in.stop)
}

// state is what an instance is, of its containers.
func (in *instance) state() string {
	ready, done, failed, ending := 0, 0, 0, in.why != "" && !in.ended
	for _, b := range in.boxes {
		switch b.status {
		case statusReady:
			ready++
		case statusDone:
			done++
		case statusFailed, statusUnknown:
			failed++
		}
	}
	switch {
	case ending:
		return statusTerminating
	case failed > 0:
		return statusFailed
	case done == len(in.boxes):
		return statusSucceeded
	case ready+done == len(in.boxes):
		return statusReady
	}
	return statusPending
}

// settle finds out what a service is now, and remembers how it looks. The lock is
// held.
func (m *Manager) settle(s *service) {
	if s.Job {
		s.status = s.jobStatus()
	} else {
		s.status = s.longStatus()
	}
	s.updated = time.Now()
	s.views = append(s.views, s.view(s.updated))
	if len(s.views) > maxViews {
		s.views = s.views[len(s.views)-maxViews:]
	}
	m.tell()
}

// jobStatus rolls the instances of a job up.
func (s *service) jobStatus() string {
	running, failed, done, ended := 0, 0, 0, 0
	for _, in := range s.instances {
		if in.ended {
			ended++
		}
		switch in.state() {
		case statusReady, statusTerminating:
			running++
		case statusFailed:
			failed++
		case statusSucceeded:
			done++
		}
	}
	s.over = ended == len(s.instances)
	switch {
	case s.dropping:
		return statusDeleting
	case s.cancelling && s.over:
		return statusCancelled
	case s.cancelling:
		return statusCancelling
	case failed > 0:
		return statusFailed
	case done == len(s.instances) && s.over:
		return statusDone
	case running > 0:
		return statusRunning
	case done > 0 && !s.over:
		return statusRunning
	}
	return statusPending
}

// longStatus is what a service is that runs until it is told to end.
func (s *service) longStatus() string {
	ready, ending := 0, 0
	for _, in := range s.instances {
		switch in.state() {
		case statusReady:
			ready++
		case statusTerminating:
			ending++
		}
	}
	switch {
	case s.dropping:
		return statusDeleting
	case s.Suspended && ending > 0:
		return statusSuspending
	case s.Suspended:
		return statusSuspended
	case ready >= max(1, s.MinReady):
		return statusRunning
	}
	return statusPending
}

// view is how a service looked at some time.
type view struct {
	at        time.Time
	status    string
	current   int
	instances []instanceView
}

type instanceView struct {
	id               int
	status           string
	created, started time.Time
	address          string
	boxes            []boxView
}

type boxView struct {
	name, status, message, image, digest string
	restarts                             int
	started, lastRestart                 time.Time
	exit                                 *int
}

func (s *service) view(at time.Time) view {
	v := view{at: at, status: s.status}
	for _, in := range s.instances {
		state := in.state()
		if state == statusReady {
			v.current++
		}
		iv := instanceView{id: in.id, status: state, created: in.created, started: in.started, address: in.address}
		for _, b := range in.boxes {
			iv.boxes = append(iv.boxes, boxView{
				name: b.spec.Name, status: b.status, message: b.message, image: b.spec.Image, digest: b.image, restarts: b.restarts,
				started: b.started, lastRestart: b.lastRestart, exit: b.exit,
			})
		}
		v.instances = append(v.instances, iv)
	}
	return v
}

// seen is how a service looks to who asks now: late, when a fault says so. The lock
// is held.
func (m *Manager) seen(s *service) view {
	until := time.Now().Add(-m.lateness(s))
	for i := len(s.views) - 1; i > 0; i-- {
		if !s.views[i].at.After(until) {
			return s.views[i]
		}
	}
	return s.views[0]
}

// split cuts a full name.
func split(full string) (database, schema, name string) {
	parts := strings.SplitN(full, ".", 3)
	return parts[0], parts[1], parts[2]
}
