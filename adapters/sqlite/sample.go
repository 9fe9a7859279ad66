package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/benchfleet/benchfleet/core"
)

// Sample reads the values of a pool, in one pass over the column.
func (t *Target) Sample(ctx context.Context, table core.TemplateTable, spec core.PoolSpec) (values []any, err error) {
	what := fmt.Sprintf("sampling %s of table %s", spec, table.Name)
	if err := ctx.Err(); err != nil {
		return nil, targetError(ctx, what, err)
	}
	text, _, err := statementText(table, spec.Statement())
	if err != nil {
		return nil, err
	}
	db, err := t.database()
	if err != nil {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, text)
	if err != nil {
		return nil, targetError(ctx, what, explain(t.path, err))
	}
	defer func() { err = errors.Join(err, targetError(ctx, what, rows.Close())) }()
	for rows.Next() {
		var value any
		if err := rows.Scan(&value); err != nil {
			return nil, targetError(ctx, what, err)
		}
		switch value.(type) {
		case int64, string:
			values = append(values, value)
		default:
			return nil, fmt.Errorf("%w: sqlite: %s: a value is of type %T; a pool takes whole numbers and texts", core.ErrInvalid, what, value)
		}
	}
	return values, targetError(ctx, what, rows.Err())
}
