package core_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

// driverError is an error that names its own class, as adapters make them.
type driverError string

func (e driverError) Error() string { return "driver: " + string(e) }
func (e driverError) Class() string { return string(e) }

// netTimeout is a network's timeout.
type netTimeout struct{ timeout bool }

func (netTimeout) Error() string   { return "i/o timeout" }
func (e netTimeout) Timeout() bool { return e.timeout }

func TestErrorClass(t *testing.T) {
	cancelled, stop := context.WithCancel(t.Context())
	stop()
	expired, stop := context.WithTimeout(t.Context(), 0)
	defer stop()
	for _, c := range []struct {
		name  string
		err   error
		class string
	}{
		{"nil", nil, ""},
		{"plain", errors.New("x"), "INTERNAL"},
		{"not found", core.ErrNotFound, "NOT_FOUND"},
		{"conflict", fmt.Errorf("%w: x", core.ErrConflict), "CONFLICT"},
		{"unavailable", fmt.Errorf("a: %w", fmt.Errorf("%w: sqlite: %w", core.ErrUnavailable, errors.New("busy"))), "UNAVAILABLE"},
		{"invalid", core.ErrInvalid, "INVALID"},
		{"refused", core.ErrRefused, "REFUSED"},
		{"unsupported", core.ErrUnsupported, "UNSUPPORTED"},
		{"denied", core.ErrDenied, "DENIED"},
		{"internal", core.ErrInternal, "INTERNAL"},
		{"its own", fmt.Errorf("%w: sqlite: %w", core.ErrUnavailable, driverError("SQLITE_BUSY")), "SQLITE_BUSY"},
		{"its own, tidied", driverError("sqlstate 40001: Serialization!"), "SQLSTATE_40001__SERIALIZATION"},
		{"its own, empty", fmt.Errorf("%w: %w", core.ErrConflict, driverError("")), "CONFLICT"},
		{"its own, nothing left", fmt.Errorf("%w: %w", core.ErrConflict, driverError("ü¿")), "CONFLICT"},
		{"its own, long", driverError(strings.Repeat("AB", 100)), strings.Repeat("AB", 20)},
		{"its own before the context's", fmt.Errorf("%w: %w", driverError("57014"), context.Canceled), "57014"},
		{"cancelled", context.Canceled, "CANCELLED"},
		{"cancelled by a real context", fmt.Errorf("%w: exec: %w", core.ErrUnavailable, cancelled.Err()), "CANCELLED"},
		{"expired", context.DeadlineExceeded, "TIMEOUT"},
		{"expired by a real context", fmt.Errorf("%w: exec: %w", core.ErrUnavailable, expired.Err()), "TIMEOUT"},
		{"come over a wire", fmt.Errorf("%w: %w", core.ErrUnavailable, errors.New("context deadline exceeded")), "TIMEOUT"},
		{"network", fmt.Errorf("%w: %w", core.ErrUnavailable, netTimeout{true}), "TIMEOUT"},
		{"network, something else", fmt.Errorf("%w: %w", core.ErrUnavailable, netTimeout{false}), "UNAVAILABLE"},
		{"joined", errors.Join(errors.New("a"), errors.Join(core.ErrConflict, context.Canceled)), "CANCELLED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			class := core.ErrorClass(c.err)
			is.Equal(class, c.class)
			is.True(len(class) <= 40)
		})
	}
}
