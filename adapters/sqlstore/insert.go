package sqlstore

import (
	"context"
	"slices"

	"github.com/jmoiron/sqlx"
)

// table is the shape of the rows that are inserted into one table.
type table struct {
	name   string
	key    []string
	update []string // replaced when the key is there; all others stay
	newer  []string
}

// insertRows inserts rows of the same columns, as many to a statement as the
// dialect's placeholders allow.
func (s *Store) insertRows(ctx context.Context, e sqlx.ExecerContext, t table, rows []row) error {
	if len(rows) == 0 {
		return nil
	}
	columns := rows[0].columns
	most := max(1, s.d.MaxVariables/len(columns))
	for batch := range slices.Chunk(rows, most) {
		args := make([]any, 0, len(batch)*len(columns))
		for _, r := range batch {
			args = append(args, r.values...)
		}
		if _, err := e.ExecContext(ctx, s.insertText(t, columns, len(batch)), args...); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) insertText(t table, columns []string, rows int) string {
	return s.d.Insert(Insert{
		Table: s.d.Table(t.name), Columns: columns, JSON: jsonColumns, Rows: rows,
		Key: t.key, Update: t.update, Newer: t.newer,
	})
}

// except is the columns without those.
func except(columns []string, without ...string) []string {
	return slices.DeleteFunc(slices.Clone(columns), func(c string) bool { return slices.Contains(without, c) })
}
