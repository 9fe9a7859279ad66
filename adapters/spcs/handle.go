package spcs

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/benchfleet/benchfleet/core"
)

// handle is the data of a core.Handle: a job of an account, made by a role.
type handle struct {
	Account  string `json:"account"`
	Role     string `json:"role"`
	Database string `json:"database"`
	Schema   string `json:"schema"`
	Name     string `json:"name"`
}

func (h handle) place() place { return place{h.Database, h.Schema} }

func (h handle) path() string { return h.place().path(h.Name) }

func (h handle) encode() core.Handle {
	data, err := json.Marshal(h)
	if err != nil { // five strings: cannot be
		return core.Handle{}
	}
	return core.Handle{Launcher: name, Version: version, Data: data}
}

// decode reads a handle. A forged one can be no more than a name. Errors: Invalid
// for one that no spcs launcher made.
func decode(from core.Handle) (handle, error) {
	var h handle
	if from.Launcher != name || from.Version != version {
		return h, fmt.Errorf("%w: spcs: handle of launcher %q, version %d; this is launcher %q, version %d",
			core.ErrInvalid, from.Launcher, from.Version, name, version)
	}
	if err := json.Unmarshal(from.Data, &h); err != nil {
		return h, fmt.Errorf("%w: spcs: handle: %w", core.ErrInvalid, err)
	}
	for _, part := range []string{h.Database, h.Schema, h.Name} {
		if !plainName.MatchString(part) {
			return h, fmt.Errorf("%w: spcs: handle of job %q in %q.%q", core.ErrInvalid, h.Name, h.Database, h.Schema)
		}
	}
	if h.Account == "" || h.Role == "" {
		return h, fmt.Errorf("%w: spcs: handle of job %s without an account or a role", core.ErrInvalid, h.Name)
	}
	return h, nil
}

// missing is nil when this session is of the account and the role that made h, and
// so a job that it does not see is gone. Errors: Unavailable for any other.
func (l *Launcher) missing(ctx context.Context, h handle) error {
	who, err := l.whoami(ctx)
	switch {
	case err != nil:
		return err
	case who.account != h.Account:
		return fmt.Errorf("%w: spcs: job %s is of account %s, and this session of account %s; ask there", core.ErrUnavailable, h.path(), h.Account, who.account)
	case who.role != h.Role:
		return fmt.Errorf("%w: spcs: role %s does not see job %s, which role %s has made; name that role in the address", core.ErrUnavailable, who.role, h.path(), h.Role)
	}
	return nil
}
