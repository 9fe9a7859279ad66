package engine

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
)

// maxKnown bounds what is remembered of the catalogue.
const maxKnown = 100000

// tableColumn is what a table's column is. Its number never means another, so
// what was found stays true, unless its type is changed.
func (e *Engine) tableColumn(key columnKey) (Column, bool, error) {
	if key.table == 0 || key.number == 0 {
		return Column{}, false, nil
	}
	e.mu.Lock()
	c, ok := e.columns[key]
	e.mu.Unlock()
	if ok {
		return c, true, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	rows, err := e.admin.Query(ctx, `SELECT a.attnum, a.attname, n.nspname, c.relname, coalesce(nullif(t.typbasetype, 0), a.atttypid), a.atttypmod, NOT a.attnotnull, t.typname
		FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace JOIN pg_type AS t ON t.oid = a.atttypid
		WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped`, key.table)
	if err != nil {
		return Column{}, false, err
	}
	defer rows.Close()
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.columns) > maxKnown {
		clear(e.columns)
	}
	for rows.Next() {
		var number int16
		var name, schema, table, domain string
		var oid uint32
		var mod int32
		var nullable bool
		if err := rows.Scan(&number, &name, &schema, &table, &oid, &mod, &nullable, &domain); err != nil {
			return Column{}, false, err
		}
		c := columnOf(name, oid, mod)
		switch domain {
		case "object", "array":
			c.Type = domain
		case "timestamp_tz":
			c = Column{Name: name, Type: "timestamp_tz", Scale: 9}
		}
		if c.Scale == unknownScale && strings.HasPrefix(domain, "int") {
			c.Scale = 0
		}
		c.Nullable = nullable
		c.Database, c.Schema, _ = strings.Cut(schema, ".")
		c.Source = table
		e.columns[columnKey{key.table, uint16(number)}] = c
	}
	c, ok = e.columns[key]
	return c, ok, rows.Err()
}

// zonedOID is the OID of sf.timestamp_tz.
func (e *Engine) zonedOID() uint32 { return e.zoned }

// kindOf is what a table is: HYBRID, STANDARD, TRANSIENT, VIEW; empty when there
// is none.
func (e *Engine) kindOf(ctx context.Context, full string) (string, error) {
	now := e.ddl.Load()
	e.mu.Lock()
	if e.kindsAt != now || len(e.kinds) > maxKnown {
		clear(e.kinds)
		e.kindsAt = now
	}
	kind, ok := e.kinds[full]
	e.mu.Unlock()
	if ok {
		return kind, nil
	}
	database, rest, _ := strings.Cut(full, ".")
	schema, name, _ := strings.Cut(rest, ".")
	err := e.admin.QueryRow(ctx, "SELECT kind FROM sf.relations WHERE database = $1 AND schema = $2 AND name = $3", database, schema, name).Scan(&kind)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.kindsAt == now {
		e.kinds[full] = kind
	}
	return kind, nil
}
