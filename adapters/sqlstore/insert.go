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
	_, err := s.insertIf(ctx, e, t, rows, "")
	return err
}

// insertIf inserts rows if there is a run, where one is named, and returns how
// many rows were inserted or replaced.
func (s *Store) insertIf(ctx context.Context, e sqlx.ExecerContext, t table, rows []row, runID string) (affected int64, err error) {
	for batch := range slices.Chunk(rows, s.rowsPerStatement(rows)) {
		columns := batch[0].columns
		args := make([]any, 0, len(batch)*len(columns)+1)
		for _, r := range batch {
			args = append(args, s.bind(r.values)...)
		}
		insert := Insert{
			Table: s.d.Table(t.name), Name: t.name, Columns: columns, JSON: jsonColumns, Rows: len(batch),
			Key: t.key, Update: t.update, Newer: t.newer,
		}
		if runID != "" {
			if insert.OnlyIf = s.runIsThere(); len(t.key) > 0 && len(t.update) == 0 {
				insert.Within = "RUN_ID"
				args = append(args, runID)
			}
			args = append(args, runID)
		}
		result, err := e.ExecContext(ctx, s.d.Insert(insert), args...)
		if err != nil {
			return affected, err
		}
		stored, err := result.RowsAffected()
		if err != nil {
			return affected, err
		}
		affected += stored
	}
	return affected, nil
}

// rowsPerStatement is how many of the rows fit into a statement.
func (s *Store) rowsPerStatement(rows []row) int {
	if len(rows) == 0 {
		return 1
	}
	return max(1, s.d.MaxVariables/len(rows[0].columns))
}

// runIsThere is a condition with a placeholder for a run.
func (s *Store) runIsThere() string {
	return "EXISTS (SELECT 1 FROM " + s.d.Table("RUN_STATUS") + " WHERE RUN_ID = ?)"
}

// mark is a placeholder for a column of a table.
func (s *Store) mark(table, column string) string {
	switch {
	case s.d.Mark != nil:
		return s.d.Mark(table, column)
	case slices.Contains(jsonColumns, column):
		return s.d.JSON
	default:
		return "?"
	}
}

// bind is values as they are bound to the placeholders of mark.
func (s *Store) bind(values []any) []any {
	if s.d.Bind == nil {
		return values
	}
	bound := make([]any, len(values))
	for i, value := range values {
		bound[i] = s.d.Bind(value)
	}
	return bound
}

// except is the columns without those.
func except(columns []string, without ...string) []string {
	return slices.DeleteFunc(slices.Clone(columns), func(c string) bool { return slices.Contains(without, c) })
}
