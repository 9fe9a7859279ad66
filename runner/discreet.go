package runner

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// discreet is a launcher whose words hold no secret of its launches. They are
// logged and stored, and a platform that refuses a launch may quote all of it.
// Findings are Preflight's.
type discreet struct {
	ports.Launcher
	hide redaction
}

// redaction are secrets as they may be quoted, longest first.
type redaction []string

// minSecret is the length in bytes below which a text is no secret: taking it out
// everywhere would only garble what is said.
const minSecret = 4

func redactionOf(secrets []ports.EnvVar) (all redaction) {
	for _, s := range secrets {
		if len(s.Value) < minSecret {
			continue
		}
		all = append(all, s.Value)
		if quoted, err := json.Marshal(s.Value); err == nil {
			all = append(all, string(quoted[1:len(quoted)-1]))
		}
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return slices.Compact(all)
}

// text takes the secrets out of a text.
func (r redaction) text(text string) string {
	for _, secret := range r {
		text = strings.ReplaceAll(text, secret, "[secret]")
	}
	return text
}

// findings takes the secrets out of findings, which are the caller's.
func (r redaction) findings(found []core.Finding) []core.Finding {
	for i := range found {
		found[i].Message, found[i].Mend = r.text(found[i].Message), r.text(found[i].Mend)
	}
	return found
}

// error takes the secrets out of what an error says; its code stays.
func (r redaction) error(err error) error {
	if err == nil {
		return nil
	}
	if text := r.text(err.Error()); text != err.Error() {
		return &redacted{text, err}
	}
	return err
}

type redacted struct {
	text string
	err  error
}

func (r *redacted) Error() string { return r.text }
func (r *redacted) Unwrap() error { return r.err }

func (l discreet) Launch(ctx context.Context, spec ports.WorkerSpec) (core.Handle, error) {
	handle, err := l.Launcher.Launch(ctx, spec)
	return handle, l.hide.error(err)
}

func (l discreet) Inspect(ctx context.Context, handles []core.Handle) ([]ports.WorkerStatus, error) {
	states, err := l.Launcher.Inspect(ctx, handles)
	for i := range states {
		states[i].Cause = l.hide.text(states[i].Cause)
	}
	return states, l.hide.error(err)
}

func (l discreet) Stop(ctx context.Context, handle core.Handle, force ports.Force) error {
	return l.hide.error(l.Launcher.Stop(ctx, handle, force))
}

func (l discreet) Release(ctx context.Context, handle core.Handle) error {
	return l.hide.error(l.Launcher.Release(ctx, handle))
}

func (l discreet) List(ctx context.Context, runID string) ([]ports.Launch, error) {
	launches, err := l.Launcher.List(ctx, runID)
	return launches, l.hide.error(err)
}

func (l discreet) Logs(ctx context.Context, handle core.Handle, limit int) ([]byte, error) {
	log, err := l.Launcher.Logs(ctx, handle, limit)
	return []byte(l.hide.text(string(log))), l.hide.error(err)
}
