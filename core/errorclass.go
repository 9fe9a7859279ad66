package core

import (
	"errors"
	"strings"
)

// The classes of errors that come from a context.
const (
	ClassTimeout   = "TIMEOUT"
	ClassCancelled = "CANCELLED"
)

// maxErrorClass bounds the length of an error class in bytes.
const maxErrorClass = 40

// ErrorClass is the short name under which failed operations are counted. It is
// what the error itself says, by a method Class() string anywhere in its chain
// (a driver's code, like SQLITE_BUSY); else TIMEOUT or CANCELLED for an ended
// context; else its code (UNAVAILABLE, CONFLICT, …). It consists of at most 40
// capital letters, digits and underscores; "" for nil.
func ErrorClass(err error) string {
	if err == nil {
		return ""
	}
	var classified interface{ Class() string }
	if errors.As(err, &classified) {
		if class := tidyClass(classified.Class()); class != "" {
			return class
		}
	}
	if anyLeaf(err, isCancelled) {
		return ClassCancelled
	}
	if anyLeaf(err, isTimeout) {
		return ClassTimeout
	}
	return tidyClass(SentinelOf(CodeOf(err)).Error())
}

// isCancelled recognises context.Canceled by its text: that is all that is left
// of it when it has come over a wire, and core knows no contexts.
func isCancelled(err error) bool { return err.Error() == "context canceled" }

// isTimeout recognises context.DeadlineExceeded and the timeouts of networks.
func isTimeout(err error) bool {
	t, ok := err.(interface{ Timeout() bool })
	return ok && t.Timeout() || err.Error() == "context deadline exceeded"
}

// anyLeaf reports whether holds is true of an error in the tree below err, err
// included.
func anyLeaf(err error, holds func(error) bool) bool {
	if err == nil {
		return false
	}
	if holds(err) {
		return true
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return anyLeaf(e.Unwrap(), holds)
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if anyLeaf(inner, holds) {
				return true
			}
		}
	}
	return false
}

// tidyClass turns any text into a class.
func tidyClass(text string) string {
	if len(text) > maxErrorClass {
		text = text[:maxErrorClass]
	}
	tidy := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		default:
			return '_'
		}
	}, text)
	return strings.Trim(tidy, "_")
}
