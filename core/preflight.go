package core

import (
	"fmt"
	"strings"
)

// Severity says what a finding does to a run.
type Severity string

// The severities.
const (
	SeverityOK      Severity = "OK"      // the check passed
	SeverityWarning Severity = "WARNING" // shown and stored; the run goes on
	SeverityError   Severity = "ERROR"   // the run is refused
)

// Finding is one result of one preflight check.
type Finding struct {
	ID       string   `json:"id"` // stable, like "target.table"
	Severity Severity `json:"severity"`
	Message  string   `json:"message"`
	Mend     string   `json:"mend,omitempty"` // what to do about it
}

// String is the finding on one line.
func (f Finding) String() string {
	text := fmt.Sprintf("%-7s %s: %s", f.Severity, f.ID, f.Message)
	if f.Mend != "" {
		text += " (" + f.Mend + ")"
	}
	return text
}

// Refusal is the gate: why these findings refuse a run, or "" when they do not.
// No findings at all refuse it too: a gate that checked nothing is no gate.
func Refusal(findings []Finding) string {
	if len(findings) == 0 {
		return "no check was made"
	}
	var refused []string
	for _, f := range findings {
		if f.Severity != SeverityOK && f.Severity != SeverityWarning {
			refused = append(refused, f.ID+": "+f.Message)
		}
	}
	return strings.Join(refused, "; ")
}
