package snowflake

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/benchfleet/benchfleet/core"
)

// Sample reads the values of a pool, in one pass over the column.
func (t *Target) Sample(ctx context.Context, table core.TemplateTable, spec core.PoolSpec) (values []any, err error) {
	query, _, err := statementText(table, spec.Statement())
	if err != nil {
		return nil, err
	}
	err = t.observe(ctx, fmt.Sprintf("sampling %s of table %s", spec, table.Name), func(on queryer) error {
		values, err = sample(ctx, on, query)
		return err
	})
	return values, err
}

// sample reads a column of whole numbers or texts.
func sample(ctx context.Context, on queryer, query string) (values []any, err error) {
	rows, err := on.QueryContext(ctx, query, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	typed, ok := rows.(interface {
		driver.RowsColumnTypeDatabaseTypeName
		driver.RowsColumnTypePrecisionScale
	})
	if !ok {
		return nil, fmt.Errorf("%w: snowflake: rows of type %T do not tell their types", core.ErrInternal, rows)
	}
	whole := false
	switch name := typed.ColumnTypeDatabaseTypeName(0); name {
	case "FIXED":
		_, scale, _ := typed.ColumnTypePrecisionScale(0)
		whole = scale == 0
		if !whole {
			return nil, invalid("the column is of type NUMBER with %d decimals; a pool takes whole numbers and texts", scale)
		}
	case "TEXT":
	default:
		return nil, invalid("the column is of type %s; a pool takes whole numbers and texts", name)
	}
	row := make([]driver.Value, len(rows.Columns()))
	for {
		switch err := rows.Next(row); {
		case errors.Is(err, io.EOF):
			return values, nil
		case err != nil:
			return nil, err
		case !whole:
			values = append(values, text(row[0]))
			continue
		}
		number, err := strconv.ParseInt(text(row[0]), 10, 64)
		if err != nil {
			return nil, invalid("the value %.40s is beyond the whole numbers of 64 bits", text(row[0]))
		}
		values = append(values, number)
	}
}
