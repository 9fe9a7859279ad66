package spcs

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/benchfleet/benchfleet/core"
)

// Numbers of errors. Only 395018 is documented for container services; the others
// are those of any object of Snowflake.
const (
	numberMissing = 2003
	numberNoPath  = 2043
	numberExists  = 2002
	numberDenied  = 3001
	numberSpec    = 395018
)

// row is one row of an answer, by its columns in lower case; what is NULL is not
// there.
type row map[string]string

// maxRows bounds an answer. SHOW gives no more itself.
const maxRows = 10_000

// ask reads all rows of an answer. SHOW and DESCRIBE gain columns with releases, and
// lose none.
func (l *Launcher) ask(ctx context.Context, what, query string) (_ []row, err error) {
	rows, err := l.db.QueryxContext(ctx, query)
	if err != nil {
		return nil, l.failed(ctx, what, err)
	}
	defer func() { err = errors.Join(err, l.failed(ctx, what, rows.Close())) }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, l.failed(ctx, what, err)
	}
	var all []row
	for rows.Next() && len(all) < maxRows {
		values, err := rows.SliceScan()
		if err != nil {
			return nil, l.failed(ctx, what, err)
		}
		r := make(row, len(columns))
		for i, column := range columns {
			if values[i] != nil {
				r[strings.ToLower(column)] = text(values[i])
			}
		}
		all = append(all, r)
	}
	return all, l.failed(ctx, what, rows.Err())
}

func text(value any) string {
	if bytes, ok := value.([]byte); ok {
		return string(bytes)
	}
	return fmt.Sprint(value)
}

// yes reads a truth value of SHOW.
func yes(text string) bool { return strings.EqualFold(text, "true") || strings.EqualFold(text, "Y") }

// failed wraps an error of the driver; one that has a code already is left alone.
// The end of ctx is Unavailable, whatever the driver made of it.
func (l *Launcher) failed(ctx context.Context, what string, err error) error {
	if err == nil || core.CodeOf(err) != core.Internal {
		return err
	}
	if ended := ctx.Err(); ended != nil {
		if !errors.Is(err, ended) {
			err = fmt.Errorf("%w: %w", ended, err)
		}
		return fmt.Errorf("%w: spcs: %s: %w", core.ErrUnavailable, what, err)
	}
	return fmt.Errorf("%w: spcs: %s: %w", l.codeOf(err), what, &oneLine{err})
}

// codeOf is the code of an error of the driver.
func (l *Launcher) codeOf(err error) error {
	number, state := l.options.Number(err)
	switch {
	case number == numberMissing || number == numberNoPath || state == "02000":
		return core.ErrNotFound
	case number == numberExists || state == "42710":
		return core.ErrConflict
	case number == numberDenied || state == "42501":
		return core.ErrDenied
	case number == numberSpec:
		return core.ErrInvalid
	}
	if code := l.options.Code(err); code != nil {
		return code
	}
	var network net.Error
	if number == 0 && (errors.Is(err, driver.ErrBadConn) || errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, context.DeadlineExceeded)) {
		return core.ErrUnavailable
	}
	return core.ErrInternal
}

// oneLine is an error without the line breaks of a compiler.
type oneLine struct{ error }

// Error is the text on one line.
func (o *oneLine) Error() string { return strings.Join(strings.Fields(o.error.Error()), " ") }

// Unwrap is the error itself.
func (o *oneLine) Unwrap() error { return o.error }

// live is the error of a context that has ended, or nil.
func (l *Launcher) live(ctx context.Context, what string) error {
	if err := ctx.Err(); err != nil {
		return l.failed(ctx, what, err)
	}
	return nil
}

func notFound(err error) bool { return core.CodeOf(err) == core.NotFound }
