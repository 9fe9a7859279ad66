package core

import (
	"errors"
	"fmt"
)

// Code classifies an error, in one closed set for every layer. An adapter wraps
// its cause twice, fmt.Errorf("%w: sqlite: %w", core.ErrConflict, err), so that
// errors.Is finds the code and errors.As still finds the driver's own error.
type Code string

// The closed set of codes.
const (
	NotFound    Code = "NotFound"    // what was named does not exist
	Conflict    Code = "Conflict"    // somebody else was first: reload and decide again
	Invalid     Code = "Invalid"     // the input can never work
	Refused     Code = "Refused"     // valid, but not in the present state
	Unsupported Code = "Unsupported" // this adapter cannot do it at all
	Unavailable Code = "Unavailable" // may work later: unreachable, busy, timed out
	Denied      Code = "Denied"      // the credentials do not allow it
	Internal    Code = "Internal"    // everything else; a defect until proved otherwise
)

// One sentinel for each code.
var (
	ErrNotFound    error = codeError(NotFound)
	ErrConflict    error = codeError(Conflict)
	ErrInvalid     error = codeError(Invalid)
	ErrRefused     error = codeError(Refused)
	ErrUnsupported error = codeError(Unsupported)
	ErrUnavailable error = codeError(Unavailable)
	ErrDenied      error = codeError(Denied)
	ErrInternal    error = codeError(Internal)
)

type codeError Code

// Error returns the code in lower case words.
func (c codeError) Error() string {
	switch Code(c) {
	case NotFound:
		return "not found"
	case Conflict:
		return "conflict"
	case Invalid:
		return "invalid"
	case Refused:
		return "refused"
	case Unsupported:
		return "unsupported"
	case Unavailable:
		return "unavailable"
	case Denied:
		return "denied"
	default:
		return "internal"
	}
}

// CodeOf returns the code that err carries, Internal for an error without one,
// and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var c codeError
	if errors.As(err, &c) {
		return Code(c)
	}
	return Internal
}

// SentinelOf returns the sentinel of a code; an unknown code is ErrInternal.
// It is how a code that travelled over a wire becomes an error again.
func SentinelOf(c Code) error {
	for _, err := range []error{ErrNotFound, ErrConflict, ErrInvalid, ErrRefused, ErrUnsupported, ErrUnavailable, ErrDenied} {
		if CodeOf(err) == c {
			return err
		}
	}
	return ErrInternal
}

// Retryable reports whether the same call may succeed later without change.
func Retryable(err error) bool { return CodeOf(err) == Unavailable }

// invalid is an ErrInvalid that names the field, the value and what is allowed.
func invalid(field, value, allowed string) error {
	return fmt.Errorf("%w: %s is %q; allowed: %s", ErrInvalid, field, value, allowed)
}
