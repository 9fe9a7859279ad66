package postgres

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/benchfleet/benchfleet/core"
)

// Sample reads the values of a pool, in one pass over the column.
func (t *Target) Sample(ctx context.Context, table core.TemplateTable, spec core.PoolSpec) (values []any, err error) {
	what := fmt.Sprintf("sampling %s of table %s", spec, table.Name)
	text, err := fillTables(spec.Statement().SQL, table)
	if err != nil {
		return nil, err
	}
	err = t.ask(ctx, what, func(conn *pgx.Conn) error {
		values = nil
		rows, err := conn.Query(ctx, text, pgx.QueryExecModeDescribeExec, pgx.QueryResultFormats{pgx.TextFormatCode})
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			value, err := sampled(rows.FieldDescriptions()[0].DataTypeOID, string(rows.RawValues()[0]))
			if err != nil {
				return fmt.Errorf("%w: postgres: %s: %w", core.ErrInvalid, what, err)
			}
			values = append(values, value)
		}
		return rows.Err()
	})
	return values, err
}

// sampled is a value from its text.
func sampled(oid uint32, text string) (any, error) {
	switch oid {
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID:
		return strconv.ParseInt(text, 10, 64)
	case pgtype.TextOID, pgtype.VarcharOID, pgtype.BPCharOID:
		return text, nil
	default:
		return nil, fmt.Errorf("the column has the type with the number %d; a pool takes whole numbers and texts", oid)
	}
}
