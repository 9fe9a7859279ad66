package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/benchfleet/benchfleet/core"
)

// meaning is what one SQLSTATE is to benchfleet: a code, and the class by which
// errors of operations are counted.
type meaning struct {
	code  error
	class string // "" for SQLSTATE_ and the state
}

// meaningOf maps https://www.postgresql.org/docs/current/errcodes-appendix.html.
// A session goes on after anything that is not Unavailable.
func meaningOf(state string) meaning {
	switch state {
	case "23505":
		return meaning{core.ErrConflict, "UNIQUE_VIOLATION"}
	case "23503":
		return meaning{core.ErrInvalid, "FOREIGN_KEY_VIOLATION"}
	case "23502":
		return meaning{core.ErrInvalid, "NOT_NULL_VIOLATION"}
	case "23514":
		return meaning{core.ErrInvalid, "CHECK_VIOLATION"}
	case "23P01":
		return meaning{core.ErrConflict, "EXCLUSION_VIOLATION"}
	case "25006":
		return meaning{core.ErrDenied, "READ_ONLY"}
	case "26000":
		return meaning{core.ErrUnavailable, "STATEMENT_LOST"} // a pooler gave the session another server's process
	case "40001":
		return meaning{core.ErrConflict, "SERIALIZATION_FAILURE"}
	case "40P01":
		return meaning{core.ErrConflict, "DEADLOCK"}
	case "42501":
		return meaning{core.ErrDenied, "DENIED"}
	case "42P01":
		return meaning{core.ErrInvalid, "UNDEFINED_TABLE"}
	case "42P06", "42P07", "42710":
		return meaning{core.ErrConflict, "EXISTS"}
	case "53100":
		return meaning{core.ErrRefused, "DISK_FULL"}
	case "53200":
		return meaning{core.ErrRefused, "OUT_OF_MEMORY"}
	case "53300":
		return meaning{core.ErrUnavailable, "TOO_MANY_CONNECTIONS"}
	case "55P03":
		return meaning{core.ErrConflict, "LOCK_NOT_AVAILABLE"}
	case "57014":
		return meaning{core.ErrRefused, "QUERY_CANCELED"}
	case "57P01", "57P02", "57P03", "57P05":
		return meaning{core.ErrUnavailable, "SHUTDOWN"}
	case "3D000", "3F000":
		return meaning{core.ErrNotFound, ""}
	}
	switch state[:min(2, len(state))] {
	case "08":
		return meaning{core.ErrUnavailable, "CONNECTION"}
	case "23":
		return meaning{core.ErrInvalid, "CONSTRAINT"}
	case "28":
		return meaning{core.ErrDenied, "LOGIN"}
	case "40", "72":
		return meaning{core.ErrConflict, ""}
	case "0A", "22", "42", "54":
		return meaning{core.ErrInvalid, ""}
	case "25", "2D", "3B", "44", "53", "55", "57", "P0":
		return meaning{core.ErrRefused, ""}
	case "58":
		return meaning{core.ErrUnavailable, ""}
	default:
		return meaning{core.ErrInternal, ""}
	}
}

// classified is an error that is counted under a class.
type classified struct {
	err   error
	text  string
	class string
}

// Error is what the server says.
func (c *classified) Error() string { return c.text }

// Unwrap is the driver's error.
func (c *classified) Unwrap() error { return c.err }

// Class is what operations that failed like this are counted under.
func (c *classified) Class() string { return c.class }

// fault gives an error its code and class. When ctx has ended that is what
// happened, whatever the driver says of it. broken tells that the connection is
// gone, which is Unavailable whatever ended it.
func fault(ctx context.Context, what string, err error, broken bool) error {
	if err == nil {
		return nil
	}
	ended := ctx.Err()
	if ended == nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		ended = err
	}
	if ended != nil {
		return fmt.Errorf("%w: postgres: %s: %w", core.ErrUnavailable, what, ended)
	}
	var said *pgconn.PgError
	if errors.As(err, &said) {
		m := meaningOf(said.Code)
		if broken {
			m.code = core.ErrUnavailable
		}
		return fmt.Errorf("%w: postgres: %s: %w", m.code, what, saying(said, m.class))
	}
	if broken {
		return fmt.Errorf("%w: postgres: %s: %w", core.ErrUnavailable, what, &classified{err, oneLine(err), "CONNECTION"})
	}
	return fmt.Errorf("%w: postgres: %s: %w", core.ErrInternal, what, err)
}

// coded gives an error its code as fault does, unless it has one.
func coded(ctx context.Context, what string, err error, broken bool) error {
	if core.CodeOf(err) != core.Internal {
		return err
	}
	return fault(ctx, what, err, broken)
}

// saying is an error of the server with the place in the statement and its hint.
func saying(said *pgconn.PgError, class string) *classified {
	if class == "" {
		class = "SQLSTATE_" + said.Code
	}
	text := said.Message + " (SQLSTATE " + said.Code + ")"
	if said.Position > 0 {
		text += fmt.Sprintf(" at character %d", said.Position)
	}
	switch {
	case said.Code == "26000", said.Code == "42P05":
		text += "; behind a connection pooler write pgbouncer=true in the DSN"
	case said.Hint != "":
		text += "; " + said.Hint
	}
	return &classified{said, text, class}
}

// connectFault gives an error of a connection attempt its code. pgx's own error
// holds the whole configuration, so it is left behind here.
func connectFault(ctx context.Context, host string, err error) error {
	what := "connecting to " + host
	var attempt *pgconn.ConnectError
	if errors.As(err, &attempt) {
		err = attempt.Unwrap()
	}
	var said *pgconn.PgError
	if ctx.Err() != nil || errors.As(err, &said) {
		return fault(ctx, what, err, false)
	}
	var certificate *tls.CertificateVerificationError
	var invalid x509.CertificateInvalidError // these two with sslmode=verify-ca
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &certificate), errors.As(err, &invalid), errors.As(err, &unknown):
		return fmt.Errorf("%w: postgres: %s: %w; name its authority with sslrootcert=FILE", core.ErrDenied, what, &classified{err, oneLine(err), "CERTIFICATE"})
	case strings.Contains(err.Error(), "refused TLS"):
		return fmt.Errorf("%w: postgres: %s: %w; sslmode=disable goes without", core.ErrDenied, what, &classified{err, oneLine(err), "NO_TLS"})
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: postgres: %s: %w", core.ErrUnavailable, what, &classified{err, "no answer in time", core.ClassTimeout})
	default:
		return fmt.Errorf("%w: postgres: %s: %w", core.ErrUnavailable, what, &classified{err, oneLine(err), "CONNECTION"})
	}
}

// oneLine is the text of an error without line breaks.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
