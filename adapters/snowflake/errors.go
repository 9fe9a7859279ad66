package snowflake

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"

	sf "github.com/snowflakedb/gosnowflake/v2"

	"github.com/benchfleet/benchfleet/core"
)

// meaning is what one error number is to benchfleet.
type meaning struct {
	// code of the error for a statement of a load. A session goes on after
	// anything that is not Unavailable.
	code error
	// class by which errors of operations are counted; "" for SNOWFLAKE_ and the
	// number.
	class string
	// store is the code for a statement of a store; nil when it is the same.
	store error
}

// The numbers that are not confirmed for hybrid tables: no source names those of
// a lock timeout and a deadlock, so their texts are known by too (see
// meaningOfText).
const (
	numberLockWaiters  = 625    // waiters of a lock, also cited for lock timeouts
	numberPrimaryKey   = 200001 // documented
	numberForeignKey   = 200009 // documented
	numberStorageQuota = 200017 // from field notes
	numberCollation    = 391464 // from field notes: a column option that hybrid tables refuse
)

// meaningOf maps the number of an error, as the server or the driver gives it.
// It is the only place that knows numbers.
func meaningOf(number int) (meaning, bool) {
	switch number {
	case numberPrimaryKey:
		return meaning{code: core.ErrConflict, class: "UNIQUE_VIOLATION"}, true
	case numberForeignKey:
		return meaning{code: core.ErrInvalid, class: "FOREIGN_KEY_VIOLATION"}, true
	case 100072:
		return meaning{code: core.ErrInvalid, class: "NOT_NULL_VIOLATION"}, true
	case numberLockWaiters:
		return meaning{core.ErrConflict, "LOCK_NOT_AVAILABLE", core.ErrUnavailable}, true
	case numberStorageQuota:
		return meaning{code: core.ErrRefused, class: "STORAGE_QUOTA"}, true
	case 604:
		return meaning{core.ErrRefused, "QUERY_CANCELED", core.ErrUnavailable}, true
	case 630, 101046:
		return meaning{core.ErrRefused, core.ClassTimeout, core.ErrUnavailable}, true
	case 603, 300002, 300005:
		return meaning{core.ErrRefused, "INCIDENT", core.ErrUnavailable}, true
	case 606:
		return meaning{code: core.ErrRefused, class: "NO_WAREHOUSE"}, true
	case 900, 1003, 1008:
		return meaning{code: core.ErrInvalid, class: "SYNTAX"}, true
	case 904:
		return meaning{core.ErrInvalid, "UNDEFINED_COLUMN", core.ErrRefused}, true
	case 2003, 2043:
		return meaning{core.ErrInvalid, "UNDEFINED_OBJECT", core.ErrRefused}, true
	case 90105, 90106:
		return meaning{core.ErrInvalid, "NO_DATABASE", core.ErrRefused}, true
	case 2002:
		return meaning{code: core.ErrConflict, class: "EXISTS"}, true
	case 3001:
		return meaning{code: core.ErrDenied, class: "DENIED"}, true
	case 2, 3115, numberCollation:
		return meaning{code: core.ErrUnsupported, class: "UNSUPPORTED"}, true
	}
	return meaningOfConnection(number)
}

// meaningOfConnection maps the numbers of logins, sessions and the driver itself.
func meaningOfConnection(number int) (meaning, bool) {
	switch number {
	case 390111, 390112, 390114, 390195:
		return meaning{code: core.ErrUnavailable, class: "SESSION_GONE"}, true
	case 390303, 390318:
		return meaning{code: core.ErrDenied, class: "TOKEN_EXPIRED"}, true
	case 390100, 390101, 390144, 390186, 390189, 390201, 390422, 394304, 395092, sf.ErrCodeFailedToConnect:
		return meaning{code: core.ErrDenied, class: "LOGIN"}, true
	case sf.ErrFailedToPostQuery, sf.ErrFailedToRenewSession, sf.ErrFailedToCancelQuery, sf.ErrFailedToCloseSession,
		sf.ErrFailedToAuth, sf.ErrFailedToHeartbeat, sf.ErrFailedToGetChunk, sf.ErrCodeServiceUnavailable:
		return meaning{code: core.ErrUnavailable, class: "CONNECTION"}, true
	}
	if number >= sf.ErrCodeEmptyAccountCode && number < sf.ErrFailedToPostQuery {
		return meaning{code: core.ErrInvalid, class: "CONFIGURATION"}, true
	}
	return meaning{}, false
}

// meaningOfText maps the errors for which no source names a number. It is asked
// before the numbers, since it is the more exact.
func meaningOfText(text string) (meaning, bool) {
	text = strings.ToLower(text)
	switch {
	case strings.Contains(text, "duplicate key value violates unique constraint"), strings.Contains(text, "primary key already exists"):
		return meaning{code: core.ErrConflict, class: "UNIQUE_VIOLATION"}, true
	case strings.Contains(text, "deadlock"):
		return meaning{core.ErrConflict, "DEADLOCK", core.ErrUnavailable}, true
	case strings.Contains(text, "lock timeout"), strings.Contains(text, "could not obtain lock"), strings.Contains(text, "lock wait timeout"):
		return meaning{core.ErrConflict, "LOCK_NOT_AVAILABLE", core.ErrUnavailable}, true
	case strings.Contains(text, "insufficient privileges"):
		return meaning{code: core.ErrDenied, class: "DENIED"}, true
	}
	return meaning{}, false
}

// meaningOfState maps a SQLSTATE, for numbers that are unknown.
func meaningOfState(state string) meaning {
	switch {
	case state == "57014":
		return meaning{code: core.ErrRefused, store: core.ErrUnavailable}
	case state == "42501":
		return meaning{code: core.ErrDenied}
	case state == "42710":
		return meaning{code: core.ErrConflict}
	case state == "02000", state == "42S02":
		return meaning{code: core.ErrInvalid, store: core.ErrRefused}
	}
	switch state[:min(2, len(state))] {
	case "08":
		return meaning{code: core.ErrUnavailable}
	case "0A":
		return meaning{code: core.ErrUnsupported}
	case "22", "23", "42":
		return meaning{code: core.ErrInvalid}
	case "57", "53", "55", "25":
		return meaning{code: core.ErrRefused}
	default:
		return meaning{code: core.ErrInternal}
	}
}

// meaningOfError is what an error of the server is.
func meaningOfError(said *sf.SnowflakeError) meaning {
	m, known := meaningOfText(said.Message)
	if !known {
		m, known = meaningOf(said.Number)
	}
	if !known {
		m = meaningOfState(said.SQLState)
	}
	if m.class == "" {
		m.class = fmt.Sprintf("SNOWFLAKE_%06d", said.Number)
	}
	if m.store == nil {
		m.store = m.code
	}
	return m
}

// numberOf is the number of an error of Snowflake; 0 for any other.
func numberOf(err error) int {
	var said *sf.SnowflakeError
	if errors.As(err, &said) {
		return said.Number
	}
	return 0
}

// isDead reports whether an error says that its connection is of no more use: the
// session is gone, or it is not known what the server did.
func isDead(err error) bool {
	if hangingAbort(err) {
		return true
	}
	var said *sf.SnowflakeError
	if errors.As(err, &said) {
		return meaningOfError(said).code == core.ErrUnavailable
	}
	return err != nil && (errors.Is(err, driver.ErrBadConn) || isTransport(err))
}

// isTransport reports whether an error is of the way to the server.
func isTransport(err error) bool {
	if err == context.Canceled || err == context.DeadlineExceeded { //nolint:errorlint // the driver returns the context's own error, which is a net.Error too
		return false
	}
	var network net.Error
	var address *url.Error
	return errors.As(err, &network) || errors.As(err, &address) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		strings.Contains(err.Error(), "Hanging?") // how the driver says that the server answered 5xx or 429 to the last
}

// hangingAbort reports whether the driver could not abort a statement whose
// context ended: then it joins what went wrong to the context's error.
func hangingAbort(err error) bool {
	var both interface{ Unwrap() []error }
	return errors.As(err, &both) && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded))
}

// codeOf is the code of an error for a store; nil when it is not the driver's.
func codeOf(err error) error {
	var said *sf.SnowflakeError
	switch {
	case errors.As(err, &said):
		return meaningOfError(said).store
	case err != nil && (isTransport(err) || errors.Is(err, driver.ErrBadConn)):
		return core.ErrUnavailable
	default:
		return nil
	}
}

// isUncertain reports whether a change that failed with an error may have been
// made all the same: the server said neither yes nor no.
func isUncertain(err error) bool {
	var said *sf.SnowflakeError
	if !errors.As(err, &said) {
		return err != nil
	}
	switch meaningOfError(said).class {
	case "INCIDENT", "CONNECTION", "SESSION_GONE", "QUERY_CANCELED", core.ClassTimeout:
		return true
	}
	return false
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
// happened, whatever the driver says of it; it is Refused when the session is
// whole. broken tells that it is not, which is Unavailable whatever broke it.
func fault(ctx context.Context, what string, err error, broken bool) error {
	if err == nil {
		return nil
	}
	switch ended := ctx.Err(); {
	case ended != nil && !broken:
		return fmt.Errorf("%w: snowflake: %s: %w", core.ErrRefused, what, ended)
	case ended != nil:
		return fmt.Errorf("%w: snowflake: %s: %w", core.ErrUnavailable, what, ended)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded): // of a timeout of ours
		return fmt.Errorf("%w: snowflake: %s: no answer in time: %w", core.ErrUnavailable, what, err)
	}
	if core.CodeOf(err) != core.Internal {
		return err // it has its code already
	}
	m := meaning{code: core.ErrInternal}
	var said *sf.SnowflakeError
	switch {
	case errors.As(err, &said):
		m = meaningOfError(said)
		err = &classified{said, saying(said), m.class}
	case isTransport(err), errors.Is(err, driver.ErrBadConn):
		m = meaningOfTransport(err)
		err = &classified{err, oneLine(err), m.class}
	}
	if broken {
		m.code = core.ErrUnavailable
	}
	return fmt.Errorf("%w: snowflake: %s: %w", m.code, what, err)
}

func meaningOfTransport(err error) meaning {
	var certificate *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &certificate) || errors.As(err, &unknown) {
		return meaning{core.ErrDenied, "CERTIFICATE", core.ErrDenied}
	}
	return meaning{core.ErrUnavailable, "CONNECTION", core.ErrUnavailable}
}

// saying is the text of an error of the server, with its number.
func saying(said *sf.SnowflakeError) string {
	message := said.Message
	if len(said.MessageArgs) > 0 {
		message = fmt.Sprintf(message, said.MessageArgs...)
	}
	text := strings.Join(strings.Fields(message), " ")
	if said.SQLState != "" {
		return fmt.Sprintf("%s (%06d, SQLSTATE %s)", text, said.Number, said.SQLState)
	}
	return fmt.Sprintf("%s (%06d)", text, said.Number)
}

// oneLine is the text of an error without line breaks.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
