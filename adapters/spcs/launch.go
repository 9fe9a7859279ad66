package spcs

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// How often a name is tried again that a job which ends still has.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 2 * time.Second
)

// Launch implements ports.Launcher: one statement, unless the name is taken. A name
// that is neither free nor seen, while a job ends, is waited for. Errors: Refused
// also when something else has the name, and for a secret without an object.
func (l *Launcher) Launch(ctx context.Context, spec ports.WorkerSpec) (core.Handle, error) {
	if err := l.validSpec(spec); err != nil {
		return core.Handle{}, err
	}
	if l.options.Pool == "" || l.options.Image == "" {
		return core.Handle{}, fmt.Errorf("%w: spcs: a worker needs a compute pool and an image (--launcher-option pool=NAME, image=/database/schema/repository/name:tag)", core.ErrInvalid)
	}
	statement, err := l.statement(spec)
	if err != nil {
		return core.Handle{}, err
	}
	ctx, cancel := bound(ctx)
	defer cancel()
	if err := l.live(ctx, "launch"); err != nil {
		return core.Handle{}, err
	}
	who, err := l.whoami(ctx)
	if err != nil {
		return core.Handle{}, err
	}
	h := handle{Account: who.account, Role: who.role, Database: l.at.database, Schema: l.at.schema, Name: nameOf(spec.Key)}
	pause := time.NewTimer(0)
	defer pause.Stop()
	for wait := firstPause; ; wait = min(2*wait, lastPause) {
		select {
		case <-pause.C:
		case <-ctx.Done():
			return core.Handle{}, l.live(ctx, "launch")
		}
		pause.Reset(wait)
		done, err := l.make(ctx, h, spec.Key, statement)
		if err != nil {
			return core.Handle{}, err
		}
		if done {
			return h.encode(), nil
		}
	}
}

// make makes a job, or finds it; false when neither can be said yet.
func (l *Launcher) make(ctx context.Context, h handle, key core.WorkerKey, statement string) (bool, error) {
	_, err := l.ask(ctx, "start "+key.WorkerID, statement)
	l.changed()
	switch {
	case err == nil:
		return true, nil
	case core.CodeOf(err) != core.Conflict:
		return false, l.mend(err)
	}
	return l.holds(ctx, h, key)
}

// holds finds out who has the name of a key: its own job, or something else, which
// is refused; false for nobody any more.
func (l *Launcher) holds(ctx context.Context, h handle, key core.WorkerKey) (bool, error) {
	rows, err := l.show(ctx, h.place(), h.Name)
	if err != nil {
		return false, err
	}
	for _, r := range rows {
		if r["name"] != h.Name {
			continue
		}
		owner, _, ok := keyIn(r["comment"])
		if !ok || owner != key {
			return false, fmt.Errorf("%w: spcs: the name %s belongs to a job that is not this worker; remove it (DROP SERVICE %s)", core.ErrRefused, h.Name, h.path())
		}
		return true, nil
	}
	_, err = l.ask(ctx, "look for "+h.path(), "DESCRIBE SERVICE "+h.path())
	switch {
	case notFound(err):
		return false, nil
	case err != nil:
		return false, err
	}
	return false, fmt.Errorf("%w: spcs: the name %s belongs to a service that is no job; remove it (DROP SERVICE %s)", core.ErrRefused, h.Name, h.path())
}

// statement is EXECUTE JOB SERVICE. The properties stand before the specification:
// the other order is refused by some versions.
func (l *Launcher) statement(s ports.WorkerSpec) (string, error) {
	o := l.options
	comment, err := markOf(s)
	if err != nil {
		return "", err
	}
	text, err := l.specify(s)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "EXECUTE JOB SERVICE IN COMPUTE POOL %s NAME = %s ASYNC = TRUE", o.Pool, l.at.path(nameOf(s.Key)))
	if o.Warehouse != "" {
		fmt.Fprintf(&b, " QUERY_WAREHOUSE = %s", o.Warehouse)
	}
	fmt.Fprintf(&b, " COMMENT = %s", literal(comment))
	if len(o.EAIs) > 0 {
		fmt.Fprintf(&b, " EXTERNAL_ACCESS_INTEGRATIONS = (%s)", strings.Join(o.EAIs, ", "))
	}
	fmt.Fprintf(&b, " FROM SPECIFICATION $$%s$$", text)
	return b.String(), nil
}

// mend adds to what Snowflake says of a launch what to do about it. A launch that
// needs something which is not there is Refused: to look again changes nothing.
func (l *Launcher) mend(err error) error {
	o := l.options
	number, _ := l.options.Number(err)
	said := strings.ToLower(err.Error())
	switch {
	case core.CodeOf(err) == core.Unavailable:
		return err
	case number == numberSpec && (strings.Contains(said, "cpu") || strings.Contains(said, "memory")):
		return fmt.Errorf("%w; ask for less (--launcher-option cpu=…, memory=…), or use a pool of larger nodes", err)
	case number == numberSpec:
		return fmt.Errorf("%w; correct the options of the launcher", err)
	case strings.Contains(said, "suspended"):
		return fmt.Errorf("%w; run: ALTER COMPUTE POOL %s RESUME", refusal(err), o.Pool)
	case core.CodeOf(err) == core.Denied:
		return fmt.Errorf("%w; run: %s", err, l.grantsFor(said))
	case notFound(err):
		return fmt.Errorf("%w; make it, or let the role see it: %s", refusal(err), l.grantsFor(said))
	}
	return err
}

// recoded is an error under another code.
type recoded struct{ code, err error }

// Error is the text, with the other code in the place of its own.
func (r *recoded) Error() string {
	_, rest, _ := strings.Cut(r.err.Error(), ": ")
	return r.code.Error() + ": " + rest
}

// Unwrap is the code first, which is what CodeOf finds.
func (r *recoded) Unwrap() []error { return []error{r.code, r.err} }

// refusal is an error of failed as one that is Refused.
func refusal(err error) error { return &recoded{core.ErrRefused, err} }

// role is the session's, for texts; a placeholder until it is known.
func (l *Launcher) role() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.who.role == "" {
		return "<role>"
	}
	return l.who.role
}
