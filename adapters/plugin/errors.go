package plugin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/benchfleet/benchfleet/adapters/plugin/internal/launcherpb"
	"github.com/benchfleet/benchfleet/core"
)

// grpcCodes are for the eyes of tools and other languages; between two sides in
// Go the Failure counts.
var grpcCodes = []struct {
	code core.Code
	grpc codes.Code
}{
	{core.NotFound, codes.NotFound},
	{core.Conflict, codes.Aborted},
	{core.Invalid, codes.InvalidArgument},
	{core.Refused, codes.FailedPrecondition},
	{core.Unsupported, codes.Unimplemented},
	{core.Unavailable, codes.Unavailable},
	{core.Denied, codes.PermissionDenied},
	{core.Internal, codes.Internal},
}

// toStatus is the error of a launcher as it goes over the wire.
func toStatus(err error) error {
	code := core.CodeOf(err)
	wire := codes.Internal
	for _, row := range grpcCodes {
		if row.code == code {
			wire = row.grpc
		}
	}
	text := clean(short(err.Error()))
	st, detailErr := status.New(wire, text).WithDetails(&launcherpb.Failure{
		Code: string(code), Message: text,
		ContextEnded: errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled),
	})
	if detailErr != nil { // plain messages of UTF-8: cannot be
		return status.Error(wire, text)
	}
	return st.Err()
}

// failureOf finds what the launcher itself, not the transport, says in an error.
func failureOf(st *status.Status) *launcherpb.Failure {
	for _, detail := range st.Details() {
		if f, ok := detail.(*launcherpb.Failure); ok {
			return f
		}
	}
	return nil
}

// said is the error of a launcher after its way over the wire: with its code,
// and with the name of the plugin in front of its text.
func (l *Launcher) said(f *launcherpb.Failure) error {
	sentinel := core.SentinelOf(core.Code(f.GetCode()))
	text := strings.TrimPrefix(short(f.GetMessage()), sentinel.Error()+": ")
	return fmt.Errorf("%w: plugin %s: %s", sentinel, l.path, text)
}

// ended is the error of a call whose context has ended.
func (l *Launcher) ended(what string, err error) error {
	return fmt.Errorf("%w: plugin %s: %s: %w", core.ErrUnavailable, l.path, what, err)
}

// nonsense is an answer that breaks the contract.
func (l *Launcher) nonsense(format string, args ...any) error {
	return fmt.Errorf("%w: plugin %s: %s: this is a defect of the plugin", core.ErrInternal, l.path, fmt.Sprintf(format, args...))
}

// failure turns the error of one call to p into one that a caller can use.
func (l *Launcher) failure(ctx context.Context, p *process, what string, err error) error {
	st := status.Convert(err)
	f := failureOf(st)
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		<-ctx.Done() // now, if it has not been seen to end yet
	}
	switch {
	case f != nil && !f.GetContextEnded():
		return l.said(f)
	case ctx.Err() != nil:
		return l.ended(what, ctx.Err())
	case f != nil:
		return l.said(f)
	}
	switch st.Code() {
	case codes.Unavailable, codes.Canceled:
		return fmt.Errorf("%w: plugin %s: %s: %s", core.ErrUnavailable, l.path, what, p.lost(ctx, st.Message()))
	case codes.DeadlineExceeded:
		return fmt.Errorf("%w: plugin %s: %s: no answer within %s", core.ErrUnavailable, l.path, what, l.callTimeout)
	case codes.Unimplemented:
		return fmt.Errorf("%w: plugin %s does not know %s: build it again with this version of benchfleet", core.ErrUnsupported, l.path, what)
	case codes.ResourceExhausted:
		return fmt.Errorf("%w: plugin %s: %s: more than %d MiB in one message: %s", core.ErrInternal, l.path, what, maxMessage>>20, st.Message())
	default:
		return fmt.Errorf("%w: plugin %s: %s: %s", core.ErrInternal, l.path, what, short(st.Message()))
	}
}
