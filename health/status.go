package health

import (
	"strconv"
	"strings"
	"time"
)

// Status is what a role says of itself.
type Status struct {
	Role string `json:"role"`
	// Live: its loop goes round. A role that is not should be replaced.
	Live bool `json:"live"`
	// Ready: it does its work, or will at once. Never without Live.
	Ready bool `json:"ready"`
	// Reasons say in words why it is not live or not ready.
	Reasons  []string `json:"reasons"`
	State    string   `json:"state,omitempty"` // of its worker or its run
	RunID    string   `json:"run_id,omitempty"`
	WorkerID string   `json:"worker_id,omitempty"`
	// Since is when it began to serve its health address.
	Since   time.Time `json:"since"`
	Version string    `json:"version"` // of the binary: core.Build.ID
}

// The bounds of the reasons in an answer, and of each in bytes.
const (
	maxReasons = 16
	maxReason  = 300
)

// judged fills in Live and Ready. stalled is why it is not live, or "".
func (s Status) judged(stalled string, reasons []string) Status {
	s.Live = stalled == ""
	if !s.Live {
		reasons = append([]string{stalled}, reasons...)
	}
	s.Ready, s.Reasons = len(reasons) == 0, reasons
	return s
}

// tidy is the status as it is served: bounded and free of contradictions.
func (s Status) tidy() Status {
	s.Ready = s.Ready && s.Live
	reasons := make([]string, 0, min(len(s.Reasons), maxReasons))
	for _, r := range s.Reasons[:min(len(s.Reasons), maxReasons)] {
		reasons = append(reasons, strings.ToValidUTF8(r[:min(len(r), maxReason)], ""))
	}
	s.Reasons = reasons
	return s
}

// stall says that a loop has not gone round for longer than limit, or "".
func stall(turned, now time.Time, limit time.Duration) string {
	if age := now.Sub(turned); age > limit {
		return "its loop last went round " + seconds(age) + " ago; " + seconds(limit) + " are allowed"
	}
	return ""
}

// because is a state and why, without what follows a colon: there a driver's
// error may be quoted, which belongs in the log.
func because(state, why string) string {
	why, _, _ = strings.Cut(why, ": ")
	if why == "" {
		return state
	}
	return state + ": " + why
}

// seconds writes a duration like "12 s" or "0.3 s".
func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Round(100*time.Millisecond).Seconds(), 'f', -1, 64) + " s"
}
