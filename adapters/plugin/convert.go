package plugin

import (
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/benchfleet/benchfleet/adapters/plugin/internal/launcherpb"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// The closed sets and their numbers on the wire. What is in no row is the
// number 0, or the empty text.
var (
	severities = []pair[core.Severity, launcherpb.Severity]{
		{core.SeverityOK, launcherpb.Severity_SEVERITY_OK},
		{core.SeverityWarning, launcherpb.Severity_SEVERITY_WARNING},
		{core.SeverityError, launcherpb.Severity_SEVERITY_ERROR},
	}
	states = []pair[ports.LaunchState, launcherpb.LaunchState]{
		{ports.LaunchPending, launcherpb.LaunchState_LAUNCH_STATE_PENDING},
		{ports.LaunchRunning, launcherpb.LaunchState_LAUNCH_STATE_RUNNING},
		{ports.LaunchGone, launcherpb.LaunchState_LAUNCH_STATE_GONE},
	}
	forces = []pair[ports.Force, launcherpb.Force]{
		{ports.Gentle, launcherpb.Force_FORCE_GENTLE},
		{ports.Hard, launcherpb.Force_FORCE_HARD},
	}
)

type pair[T ~string, N ~int32] struct {
	text   T
	number N
}

func numberOf[T ~string, N ~int32](set []pair[T, N], text T) N {
	for _, p := range set {
		if p.text == text {
			return p.number
		}
	}
	return 0
}

func textOf[T ~string, N ~int32](set []pair[T, N], number N) T {
	for _, p := range set {
		if p.number == number {
			return p.text
		}
	}
	return ""
}

func severityTo(s core.Severity) launcherpb.Severity       { return numberOf(severities, s) }
func stateTo(s ports.LaunchState) launcherpb.LaunchState   { return numberOf(states, s) }
func stateFrom(s launcherpb.LaunchState) ports.LaunchState { return textOf(states, s) }
func forceTo(f ports.Force) launcherpb.Force               { return numberOf(forces, f) }
func forceFrom(f launcherpb.Force) ports.Force             { return textOf(forces, f) }

// severityFrom takes what it does not know for an error: a gate stays shut.
func severityFrom(s launcherpb.Severity) core.Severity {
	if text := textOf(severities, s); text != "" {
		return text
	}
	return core.SeverityError
}

// short is a text of a plugin as far as it is kept.
func short(text string) string {
	if len(text) > maxText {
		return clean(text[:maxText]) + "…"
	}
	return text
}

// clean makes text fit for a field that must be UTF-8.
func clean(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

func keyTo(k core.WorkerKey) *launcherpb.WorkerKey {
	return &launcherpb.WorkerKey{RunId: k.RunID, WorkerId: k.WorkerID, Epoch: int64(k.Epoch)}
}

func keyFrom(k *launcherpb.WorkerKey) core.WorkerKey {
	return core.WorkerKey{RunID: k.GetRunId(), WorkerID: k.GetWorkerId(), Epoch: int(k.GetEpoch())}
}

func handleTo(h core.Handle) *launcherpb.Handle {
	return &launcherpb.Handle{Launcher: h.Launcher, Version: int64(h.Version), Data: h.Data}
}

func handleFrom(h *launcherpb.Handle) core.Handle {
	return core.Handle{Launcher: h.GetLauncher(), Version: int(h.GetVersion()), Data: h.GetData()}
}

// sizeOf is the length of a handle in bytes.
func sizeOf(h core.Handle) int { return len(h.Launcher) + len(h.Data) }

func variablesTo(vars []ports.EnvVar) []*launcherpb.Variable {
	list := make([]*launcherpb.Variable, len(vars))
	for i, v := range vars {
		list[i] = &launcherpb.Variable{Name: []byte(v.Name), Value: []byte(v.Value)}
	}
	return list
}

func variablesFrom(vars []*launcherpb.Variable) []ports.EnvVar {
	list := make([]ports.EnvVar, len(vars))
	for i, v := range vars {
		list[i] = ports.EnvVar{Name: string(v.GetName()), Value: string(v.GetValue())}
	}
	return list
}

func timeTo(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func timeFrom(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}
