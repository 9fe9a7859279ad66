package snowflake

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/matryer/is"
	sf "github.com/snowflakedb/gosnowflake/v2"

	"github.com/benchfleet/benchfleet/core"
)

// Each number has a code for a load, a class, and a code for a store.
func TestErrorNumbers(t *testing.T) {
	for _, tc := range []struct {
		number     int
		state, say string
		code       core.Code
		class      string
		store      core.Code
		uncertain  bool
	}{
		{200001, "22000", "Primary key already exists", core.Conflict, "UNIQUE_VIOLATION", core.Conflict, false},
		{999999, "22000", `Duplicate key value violates unique constraint "SYS_INDEX_T_UNIQUE_A"`, core.Conflict, "UNIQUE_VIOLATION", core.Conflict, false},
		{200009, "22000", `Foreign key constraint "F" was violated.`, core.Invalid, "FOREIGN_KEY_VIOLATION", core.Invalid, false},
		{625, "57014", "Statement 'x' has locked table 'T' in transaction", core.Conflict, "LOCK_NOT_AVAILABLE", core.Unavailable, false},
		{123, "57014", "Deadlock detected", core.Conflict, "DEADLOCK", core.Unavailable, false},
		{604, "57014", "SQL execution canceled", core.Refused, "QUERY_CANCELED", core.Unavailable, true},
		{630, "57014", "Statement reached its statement or warehouse timeout of 5 second(s) and was canceled.", core.Refused, "TIMEOUT", core.Unavailable, true},
		{603, "XX000", "SQL execution internal error: Processing aborted by error 300002:1", core.Refused, "INCIDENT", core.Unavailable, true},
		{606, "57P03", "No active warehouse selected in the current session.", core.Refused, "NO_WAREHOUSE", core.Refused, false},
		{1003, "42000", "SQL compilation error: syntax error line 1", core.Invalid, "SYNTAX", core.Invalid, false},
		{904, "42000", "SQL compilation error: error line 1 at position 7 invalid identifier 'X'", core.Invalid, "UNDEFINED_COLUMN", core.Refused, false},
		{2003, "02000", "Object 'T' does not exist or not authorized.", core.Invalid, "UNDEFINED_OBJECT", core.Refused, false},
		{2002, "42710", "Object 'T' already exists.", core.Conflict, "EXISTS", core.Conflict, false},
		{3001, "42501", "SQL access control error: Insufficient privileges to operate on table 'T'", core.Denied, "DENIED", core.Denied, false},
		{2, "0A000", "Unsupported feature 'HYBRID TABLE'.", core.Unsupported, "UNSUPPORTED", core.Unsupported, false},
		{391401, "0A000", "Hybrid tables are not supported", core.Unsupported, "SNOWFLAKE_391401", core.Unsupported, false},
		{100069, "22P02", "Error parsing JSON", core.Invalid, "SNOWFLAKE_100069", core.Invalid, false},
		{390111, "08001", "Session no longer exists.", core.Unavailable, "SESSION_GONE", core.Unavailable, true},
		{390114, "08001", "Authentication token has expired.", core.Unavailable, "SESSION_GONE", core.Unavailable, true},
		{390100, "08004", "Incorrect username or password was specified.", core.Denied, "LOGIN", core.Denied, false},
		{390318, "08004", "OAuth access token expired.", core.Denied, "TOKEN_EXPIRED", core.Denied, false},
		{261000, "08006", "failed to POST. HTTP: 504", core.Unavailable, "CONNECTION", core.Unavailable, true},
		{260003, "", "failed to parse a host name", core.Invalid, "CONFIGURATION", core.Invalid, false},
		{777777, "58000", "something new", core.Internal, "SNOWFLAKE_777777", core.Internal, false},
		{777777, "42601", "something new", core.Invalid, "SNOWFLAKE_777777", core.Invalid, false},
	} {
		t.Run(fmt.Sprint(tc.number, tc.state), func(t *testing.T) {
			is := is.New(t)
			said := &sf.SnowflakeError{Number: tc.number, SQLState: tc.state, Message: tc.say}
			err := fault(t.Context(), "doing", said, false)
			is.Equal(core.CodeOf(err), tc.code)
			is.Equal(core.ErrorClass(err), tc.class)
			is.True(strings.Contains(err.Error(), fmt.Sprintf("%06d", tc.number))) // unknown numbers stay visible
			is.Equal(numberOf(err), tc.number)
			is.Equal(core.CodeOf(codeOf(said)), tc.store)
			is.Equal(isUncertain(said), tc.uncertain)
			is.Equal(isDead(said), tc.code == core.Unavailable)
			is.Equal(core.CodeOf(fault(t.Context(), "doing", said, true)), core.Unavailable)
			is.Equal(core.CodeOf(fault(t.Context(), "again", err, false)), tc.code)
		})
	}
}

func TestOtherErrors(t *testing.T) {
	is := is.New(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	cut := &url.Error{Op: "Post", URL: "http://h/queries", Err: io.EOF}
	abort := fmt.Errorf("failed to cancel query. cancelErr: %w, queryErr: %w", io.EOF, context.Canceled)
	is.Equal(fault(ended, "x", nil, true), nil)
	is.Equal(core.CodeOf(fault(ended, "x", context.Canceled, false)), core.Refused)
	is.Equal(core.CodeOf(fault(ended, "x", context.Canceled, true)), core.Unavailable)
	is.Equal(core.CodeOf(fault(t.Context(), "x", context.DeadlineExceeded, false)), core.Unavailable) // of our own timeout
	is.Equal(core.ErrorClass(fault(t.Context(), "x", cut, false)), "CONNECTION")
	is.Equal(core.CodeOf(fault(t.Context(), "x", errors.New("odd"), false)), core.Internal)
	for err, dead := range map[error]bool{
		cut: true, abort: true, io.ErrUnexpectedEOF: true, driver.ErrBadConn: true,
		context.Canceled: false, context.DeadlineExceeded: false, errors.New("odd"): false,
	} {
		is.Equal(isDead(err), dead)
	}
	is.Equal(isDead(nil), false)
	is.Equal(isUncertain(nil), false)
	is.Equal(isUncertain(cut), true)
	is.Equal(codeOf(errors.New("odd")), nil)
	is.Equal(codeOf(cut), core.ErrUnavailable)
}
