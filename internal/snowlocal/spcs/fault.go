package spcs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"time"
)

// The kinds of faults.
const (
	faultExhausted     = "pool_exhausted"    // 392508: new instances wait for nodes that the pool may not have
	faultCapacity      = "provider_capacity" // 392507: they wait for nodes that the cloud does not have
	faultPull          = "image_pull"        // no image can be pulled
	faultUnschedulable = "unschedulable"     // no node has room, and no more is said
	faultEvict         = "evict"             // what runs ends now, as by maintenance
	faultLate          = "late_status"       // SHOW and DESCRIBE tell what was delay_ms ago
	faultGap           = "start_gap"         // instances of a pool start at least delay_ms apart
	faultDelay         = "start_delay"       // an instance has a node for delay_ms before it starts
	faultNode          = "node_delay"        // a node that is added needs delay_ms
	faultLogs          = "lost_logs"         // the logs of what has ended are gone
)

var faultKinds = []string{
	faultExhausted, faultCapacity, faultPull, faultUnschedulable, faultEvict, faultLate, faultGap, faultDelay, faultNode, faultLogs,
}

const (
	maxFaults  = 1000
	maxDelay   = 10 * time.Minute
	maxControl = 1 << 20
)

// Fault is something that goes wrong on request, until it is mended.
type Fault struct {
	Kind string `json:"kind"`
	// Match is a regular expression that the full name of the service or the name
	// of the pool must match; an empty one matches all.
	Match        string `json:"match,omitempty"`
	Milliseconds int64  `json:"delay_ms,omitempty"`

	match *regexp.Regexp
}

func (f *Fault) check() error {
	if !slices.Contains(faultKinds, f.Kind) {
		return fmt.Errorf("kind is %q; allowed: %q", f.Kind, faultKinds)
	}
	var err error
	if f.match, err = regexp.Compile(f.Match); err != nil {
		return fmt.Errorf("match: %w", err)
	}
	timed := slices.Contains([]string{faultLate, faultGap, faultDelay, faultNode}, f.Kind)
	if timed && (f.Milliseconds <= 0 || f.delay() > maxDelay) || !timed && f.Milliseconds != 0 {
		return fmt.Errorf("delay_ms of %s is %d; allowed: 1 to %d for %s, %s, %s and %s, none for the others", f.Kind, f.Milliseconds, maxDelay.Milliseconds(),
			faultLate, faultGap, faultDelay, faultNode)
	}
	return nil
}

func (f *Fault) delay() time.Duration { return time.Duration(f.Milliseconds) * time.Millisecond }

// fault finds a fault of a kind by one of some names. The lock is held.
func (m *Manager) fault(kind string, names ...string) *Fault {
	for _, f := range m.faults {
		if f.Kind == kind && slices.ContainsFunc(names, f.match.MatchString) {
			return f
		}
	}
	return nil
}

// delayOf is the time of a fault, or none.
func (m *Manager) delayOf(kind string, names ...string) time.Duration {
	if f := m.fault(kind, names...); f != nil {
		return f.delay()
	}
	return 0
}

func (m *Manager) lateness(s *service) time.Duration { return m.delayOf(faultLate, s.full, s.pool) }

func (m *Manager) gap(s *service) time.Duration { return m.delayOf(faultGap, s.full, s.pool) }

func (m *Manager) nodeReady(pool string) time.Time {
	return time.Now().Add(m.delayOf(faultNode, pool))
}

// delayed waits before an instance starts that has its node; false when it is to
// end meanwhile.
func (m *Manager) delayed(s *service, in *instance) bool {
	m.mu.Lock()
	wait := m.delayOf(faultDelay, s.full, s.pool)
	m.mu.Unlock()
	return wait == 0 || m.pause(in, wait)
}

// apply sets faults, all or none; those that are acts are done at once.
func (m *Manager) apply(list []*Fault) error {
	for _, f := range list {
		if err := f.check(); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.faults)+len(list) > maxFaults {
		return fmt.Errorf("more than %d faults", maxFaults)
	}
	for _, f := range list {
		switch f.Kind {
		case faultEvict, faultLogs:
			m.act(f)
		default:
			m.faults = append(m.faults, f)
		}
	}
	m.tell()
	return nil
}

// act does what a fault is that is over at once. The lock is held.
func (m *Manager) act(f *Fault) {
	for _, s := range m.services {
		if !f.match.MatchString(s.full) && !f.match.MatchString(s.pool) {
			continue
		}
		for _, in := range s.instances {
			switch {
			case f.Kind == faultEvict && in.node != nil:
				in.end(stopEvict)
			case f.Kind == faultLogs && in.ended:
				in.loseLogs()
			}
		}
		m.settle(s)
	}
}

// Control answers those who control the stand-in: GET tells of services and pools,
// POST sets faults, DELETE mends them.
func (m *Manager) Control() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet:
		case http.MethodPost:
			text, err := io.ReadAll(io.LimitReader(r.Body, maxControl))
			var list []*Fault
			if err == nil {
				list, err = decodeFaults(text)
			}
			if err == nil {
				err = m.apply(list)
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
		case http.MethodDelete:
			m.mu.Lock()
			m.faults = nil
			m.tell()
			m.mu.Unlock()
			w.WriteHeader(http.StatusNoContent)
			return
		default:
			http.Error(w, "allowed: GET, POST, DELETE", http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(m.report()) // a client that is gone does not want it
	})
}

// report is what the control tells.
type report struct {
	Faults   []*Fault        `json:"faults"`
	Services []serviceReport `json:"services"`
	Tokens   int             `json:"tokens"`
}

type serviceReport struct {
	Name       string      `json:"name"`
	Status     string      `json:"status"`
	Pool       string      `json:"pool"`
	Containers []boxReport `json:"containers"`
}

type boxReport struct {
	Instance int    `json:"instance"`
	Name     string `json:"name"`
	Status   string `json:"status"`
	Message  string `json:"message"`
	Docker   string `json:"docker,omitempty"` // the id of the container, while there is one
	Restarts int    `json:"restarts"`
}

func (m *Manager) report() report {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := report{Faults: append([]*Fault{}, m.faults...), Services: []serviceReport{}, Tokens: len(m.tokens)}
	for _, s := range m.services {
		one := serviceReport{Name: s.full, Status: s.status, Pool: s.pool, Containers: []boxReport{}}
		for _, in := range s.instances {
			for _, b := range in.boxes {
				one.Containers = append(one.Containers, boxReport{in.id, b.spec.Name, b.status, b.message, b.id, b.restarts})
			}
		}
		r.Services = append(r.Services, one)
	}
	slices.SortFunc(r.Services, func(a, b serviceReport) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return r
}

// decodeFaults reads a fault, or a list of them.
func decodeFaults(text []byte) ([]*Fault, error) {
	text = bytes.TrimSpace(text)
	if len(text) > 0 && text[0] != '[' {
		text = fmt.Appendf(nil, "[%s]", text)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var list []*Fault
	err := decoder.Decode(&list)
	return list, err
}
