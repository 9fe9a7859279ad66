package docker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/benchfleet/benchfleet/core"
	"github.com/containerd/errdefs"
	"github.com/docker/docker/client"
)

// codes maps what the daemon and the client say to the closed set; what is in no
// row is Internal.
var codes = []struct {
	err  error
	code error
}{
	{errdefs.ErrNotFound, core.ErrNotFound},
	{errdefs.ErrInvalidArgument, core.ErrInvalid},
	{errdefs.ErrConflict, core.ErrConflict},
	{errdefs.ErrUnauthenticated, core.ErrDenied},
	{errdefs.ErrPermissionDenied, core.ErrDenied}, // an authorization plugin
	{errdefs.ErrNotImplemented, core.ErrUnsupported},
	{errdefs.ErrUnavailable, core.ErrUnavailable},
}

// denied is what to do about a socket that may not be opened.
const denied = "this user may not use the daemon; add it to the group docker (usermod -aG docker USER, then log in again) or name another host"

// failed wraps an error of the client; one that has a code already is left
// alone. The end of ctx is Unavailable, whatever the client made of it.
func failed(ctx context.Context, what string, err error) error {
	if core.CodeOf(err) != core.Internal {
		return err
	}
	if ended := ctx.Err(); ended != nil {
		if !errors.Is(err, ended) {
			err = fmt.Errorf("%w: %w", ended, err)
		}
		return fmt.Errorf("%w: docker: %s: %w", core.ErrUnavailable, what, err)
	}
	for _, row := range codes {
		if errors.Is(err, row.err) {
			return fmt.Errorf("%w: docker: %s: %w", row.code, what, err)
		}
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: docker: %s: %s: %w", core.ErrDenied, what, denied, err)
	case client.IsErrConnectionFailed(err), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: docker: %s: %w", core.ErrUnavailable, what, err)
	}
	return fmt.Errorf("%w: docker: %s: %w", core.ErrInternal, what, err)
}

// live is the error of a context that has ended, or nil.
func live(ctx context.Context, what string) error {
	if err := ctx.Err(); err != nil {
		return failed(ctx, what, err)
	}
	return nil
}

func notFound(err error) bool { return errors.Is(err, errdefs.ErrNotFound) }
func conflict(err error) bool { return errors.Is(err, errdefs.ErrConflict) }
