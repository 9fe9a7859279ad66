package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"syscall"

	"github.com/benchfleet/benchfleet/core"
)

// codes maps errors of the operating system to the closed set; what is in no
// row is Internal.
var codes = []struct {
	err  error
	code error
}{
	{syscall.ENOEXEC, core.ErrInvalid},
	{syscall.E2BIG, core.ErrInvalid},
	{syscall.ENAMETOOLONG, core.ErrInvalid},
	{syscall.ENOTSUP, core.ErrUnsupported},
	{syscall.ENOSYS, core.ErrUnsupported},
	{syscall.EROFS, core.ErrDenied},
	{syscall.EAGAIN, core.ErrUnavailable}, // no room for another process
	{syscall.ENOMEM, core.ErrUnavailable},
	{syscall.EMFILE, core.ErrUnavailable},
	{syscall.ENFILE, core.ErrUnavailable},
	{syscall.ENOSPC, core.ErrUnavailable},
	{syscall.EDQUOT, core.ErrUnavailable},
	{syscall.ETXTBSY, core.ErrUnavailable},
	{syscall.ENOLCK, core.ErrUnavailable},
	{exec.ErrNotFound, core.ErrNotFound},
	{fs.ErrNotExist, core.ErrNotFound},
	{fs.ErrPermission, core.ErrDenied},
}

// failed wraps an error of the operating system; one that has a code already is
// left alone.
func failed(what string, err error) error {
	if core.CodeOf(err) != core.Internal {
		return err
	}
	for _, row := range codes {
		if errors.Is(err, row.err) {
			return fmt.Errorf("%w: local: %s: %w", row.code, what, err)
		}
	}
	return fmt.Errorf("%w: local: %s: %w", core.ErrInternal, what, err)
}

// ended wraps the error of a context.
func ended(what string, err error) error {
	return fmt.Errorf("%w: local: %s: %w", core.ErrUnavailable, what, err)
}

// live is the error of a context that has ended, or nil.
func live(ctx context.Context, what string) error {
	if err := ctx.Err(); err != nil {
		return ended(what, err)
	}
	return nil
}
