package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"
)

// The kinds of faults.
const (
	faultLatency       = "latency"        // the request waits before anything is done
	faultStatus        = "status"         // an HTTP status instead of an answer; nothing is done
	faultDropBefore    = "drop_before"    // the connection is closed; nothing is done
	faultDropAfter     = "drop_after"     // the connection is closed after it was done
	faultExpired       = "expire_session" // the session's token has expired: the driver renews it
	faultMasterExpired = "expire_master"  // its master token too: the driver cannot
	faultGone          = "end_session"    // the session is ended, with what it runs
	faultError         = "error"          // an error with a number of Snowflake's; nothing is done
)

var faultKinds = []string{faultLatency, faultStatus, faultDropBefore, faultDropAfter, faultExpired, faultMasterExpired, faultGone, faultError}

// Bounds of faults.
const (
	maxFaults  = 1000
	maxLatency = 10 * time.Minute
)

// Fault is something that goes wrong on request.
type Fault struct {
	ID   int64  `json:"id"`
	Kind string `json:"kind"`
	// Match is a regular expression that the statement's text must match, Path one
	// for the path, Application one for the name that the client gave at login. An
	// empty one matches everything. With Match, only statements are meant.
	Match       string `json:"match,omitempty"`
	Path        string `json:"path,omitempty"`
	Application string `json:"application,omitempty"`
	// Skip lets that many requests pass; Count ends the fault after that many.
	// Count 0 never ends it.
	Skip  int `json:"skip,omitempty"`
	Count int `json:"count,omitempty"`
	// Milliseconds are those of a latency.
	Milliseconds int64 `json:"delay_ms,omitempty"`
	// Status is the HTTP status.
	Status int `json:"status,omitempty"`
	// Number, SQLState and Message are those of an error.
	Number   int    `json:"number,omitempty"`
	SQLState string `json:"state,omitempty"`
	Message  string `json:"message,omitempty"`
	// Fired counts what it was applied to.
	Fired int `json:"applied"`

	match, path, application *regexp.Regexp
}

// check compiles a fault, or says what is wrong with it.
func (f *Fault) check() error {
	if !slices.Contains(faultKinds, f.Kind) {
		return fmt.Errorf("kind is %q; allowed: %q", f.Kind, faultKinds)
	}
	for _, e := range []struct {
		name, text string
		into       **regexp.Regexp
	}{{"match", f.Match, &f.match}, {"path", f.Path, &f.path}, {"application", f.Application, &f.application}} {
		if e.text == "" {
			continue
		}
		var err error
		if *e.into, err = regexp.Compile(e.text); err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
	}
	switch {
	case f.Skip < 0 || f.Count < 0:
		return fmt.Errorf("skip and count are %d and %d; allowed: 0 and more", f.Skip, f.Count)
	case f.Kind == faultLatency && (f.Milliseconds <= 0 || time.Duration(f.Milliseconds)*time.Millisecond > maxLatency):
		return fmt.Errorf("delay_ms is %d; allowed: 1 to %d", f.Milliseconds, maxLatency.Milliseconds())
	case f.Kind == faultStatus && (f.Status < 400 || f.Status > 599):
		return fmt.Errorf("status is %d; allowed: 400 to 599", f.Status)
	case f.Kind == faultError && (f.Number <= 0 || f.Number > 999999):
		return fmt.Errorf("number is %d; allowed: 1 to 999999", f.Number)
	}
	f.Fired = 0
	return nil
}

// applies reports whether a fault is meant for a call.
func (f *Fault) applies(c *call) bool {
	path := c.http.URL.Path
	if f.match != nil && (path != queryPath || !f.match.MatchString(c.text)) {
		return false
	}
	if f.path != nil && !f.path.MatchString(path) {
		return false
	}
	return f.application == nil || (c.session != nil && f.application.MatchString(c.session.application))
}

// faults are those that are set.
type faults struct {
	mu   sync.Mutex
	list []*Fault
	last int64
}

// add sets faults, all or none.
func (t *faults) add(list []*Fault) error {
	for _, f := range list {
		if err := f.check(); err != nil {
			return err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.list)+len(list) > maxFaults {
		return fmt.Errorf("more than %d faults", maxFaults)
	}
	for _, f := range list {
		t.last++
		f.ID = t.last
		t.list = append(t.list, f)
	}
	return nil
}

func (t *faults) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = nil
}

// encoded are the faults as they stand.
func (t *faults) encoded() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := t.list
	if list == nil {
		list = []*Fault{}
	}
	text, err := json.Marshal(list)
	if err != nil { // nothing here cannot be marshalled
		return []byte("[]")
	}
	return text
}

// fire takes the faults of a call: the latencies together, and one other.
func (t *faults) fire(c *call) (wait time.Duration, hit *Fault) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.list {
		if f.Kind != faultLatency && hit != nil || f.Count > 0 && f.Fired >= f.Count || !f.applies(c) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		f.Fired++
		if f.Kind == faultLatency {
			wait += time.Duration(f.Milliseconds) * time.Millisecond
		} else {
			copied := *f
			hit = &copied
		}
	}
	return wait, hit
}

// none reports whether nothing is set.
func (t *faults) none() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.list) == 0
}

// disturb applies the faults of a call. It reports whether the call has been
// answered, or never will be.
func (s *Server) disturb(w http.ResponseWriter, c *call) bool {
	if s.faults.none() {
		return false
	}
	c.session, _ = s.sessions.find(tokenOf(c.http), s.options.Now())
	wait, f := s.faults.fire(c)
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.http.Context().Done():
			return true
		case <-s.ctx.Done():
		}
	}
	if f == nil {
		return false
	}
	switch f.Kind {
	case faultStatus:
		http.Error(w, "a fault on request", f.Status)
		return true
	case faultDropBefore:
		hangUp(w)
		return true
	case faultDropAfter:
		c.drop = true
	case faultError:
		_, _ = w.Write((&refusal{code: fmt.Sprintf("%06d", f.Number), state: f.SQLState, message: f.Message, query: newID()}).encode())
		return true
	case faultExpired, faultMasterExpired:
		if c.session != nil {
			s.sessions.expire(c.session, s.options.Now(), f.Kind == faultMasterExpired)
		}
	case faultGone:
		if c.session != nil {
			s.end(c.session, codeSessionGone)
		}
	}
	return false
}
