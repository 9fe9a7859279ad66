package snowflake

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/benchfleet/benchfleet/core"
)

// queryer asks the server; a pool's connection or a session's.
type queryer interface {
	QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error)
}

// ask reads all rows of a small result by the names of its columns, in lower
// case. SHOW and DESCRIBE gain columns with releases, and lose none.
func ask(ctx context.Context, on queryer, query string, args ...driver.NamedValue) (_ []map[string]string, err error) {
	rows, err := on.QueryContext(ctx, query, args)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	names := rows.Columns()
	values := make([]driver.Value, len(names))
	var all []map[string]string
	for {
		switch err := rows.Next(values); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		}
		row := make(map[string]string, len(names))
		for i, name := range names {
			if values[i] != nil {
				row[strings.ToLower(name)] = text(values[i])
			}
		}
		all = append(all, row)
	}
}

// text is a value of a result as text.
func text(value driver.Value) string {
	if bytes, ok := value.([]byte); ok {
		return string(bytes)
	}
	return fmt.Sprint(value)
}

// essential are the session parameters of a use without which the rest would be
// wrong without an error: that the server took them from the login is asked.
func essential(use poolUse) []string {
	switch use {
	case controlPool, applyPool:
		return []string{"TIMEZONE", "AUTOCOMMIT", "READ_LATEST_WRITES", "HYBRID_TABLE_LOCK_TIMEOUT"}
	case measuredPool:
		return []string{"TIMEZONE", "AUTOCOMMIT", "USE_CACHED_RESULT"}
	default:
		return []string{"TIMEZONE", "AUTOCOMMIT"}
	}
}

// verifyParameters asks what the essential parameters of a session are. Errors:
// Unsupported when one is not what the login asked for.
func verifyParameters(ctx context.Context, on queryer, use poolUse, wanted map[string]string) error {
	rows, err := ask(ctx, on, "SHOW PARAMETERS IN SESSION")
	if err != nil {
		return fault(ctx, "asking for the parameters of the session", err, isDead(err))
	}
	values := map[string]string{}
	for _, row := range rows {
		values[strings.ToUpper(row["key"])] = row["value"]
	}
	for _, name := range essential(use) {
		value, there := values[name]
		switch {
		case !there:
			return fmt.Errorf("%w: snowflake: this account has no session parameter %s", core.ErrUnsupported, name)
		case !strings.EqualFold(value, wanted[name]):
			return fmt.Errorf("%w: snowflake: the session parameter %s is %q although the login asked for %q", core.ErrUnsupported, name, value, wanted[name])
		}
	}
	return nil
}

// verifyPool verifies a pool's parameters on one of its connections. All of its
// sessions log in alike.
func verifyPool(ctx context.Context, config *Config, use poolUse, pool *sqlx.DB) error {
	return pinned(ctx, pool, func(on queryer) error {
		return verifyParameters(ctx, on, use, parametersOf(use, config.parameters))
	})
}

// pinned does something on one connection of a pool, at the level of the driver.
// It is done again on another connection when the session turns out to be gone,
// so it must be idempotent.
func pinned(ctx context.Context, pool *sqlx.DB, do func(queryer) error) error {
	for attempt := 0; ; attempt++ {
		connection, err := pool.DB.Conn(ctx)
		if err != nil {
			return err
		}
		err = connection.Raw(func(driverConn any) error {
			on, ok := driverConn.(queryer)
			if !ok {
				return fmt.Errorf("%w: snowflake: the pool's connection is a %T", core.ErrInternal, driverConn)
			}
			return do(on)
		})
		closed := connection.Close()
		if err == nil && closed != nil && !errors.Is(closed, sql.ErrConnDone) {
			err = closed
		}
		if attempt >= maxPinned || !errors.Is(err, driver.ErrBadConn) || ctx.Err() != nil {
			return err
		}
	}
}

// maxPinned bounds how often a gone session is replaced in one call.
const maxPinned = 3
