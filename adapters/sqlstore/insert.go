package sqlstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/jmoiron/sqlx"
)

// table is the shape of the rows that are inserted into one table.
type table struct {
	name   string
	key    []string
	update []string // replaced when the key is there; all others stay
	newer  []string
	now    []string // columns beyond those of the rows, which take the database's clock
}

// insertRows inserts rows of the same columns, as many to a statement as the
// dialect's placeholders allow.
func (s *Store) insertRows(ctx context.Context, e sqlx.ExecerContext, t table, rows []row) error {
	_, err := s.insertIf(ctx, e, t, rows)
	return err
}

// insertIf inserts rows if there are the runs that are named, if any are, and
// returns how many rows were inserted or replaced.
func (s *Store) insertIf(ctx context.Context, e sqlx.ExecerContext, t table, rows []row, runs ...string) (affected int64, err error) {
	for batch := range slices.Chunk(rows, s.rowsPerStatement(rows)) {
		columns := slices.Concat(batch[0].columns, t.now)
		args := make([]any, 0, len(batch)*len(columns)+len(runs)+1)
		for _, r := range batch {
			args = append(args, s.bind(r.values)...)
		}
		insert := Insert{
			Table: s.d.Table(t.name), Name: t.name, Columns: columns, Rows: len(batch),
			Now: t.now, Key: t.key, Update: t.update, Newer: t.newer,
		}
		if len(runs) > 0 {
			insert.OnlyIf = s.runsAreThere(len(runs))
		}
		if len(runs) == 1 && len(t.key) > 0 && len(t.update) == 0 {
			insert.Within = "RUN_ID"
			args = append(args, runs[0])
		}
		for _, runID := range runs {
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

// runsAreThere is a condition with placeholders for runs.
func (s *Store) runsAreThere(n int) string {
	if n == 1 {
		return "EXISTS (SELECT 1 FROM " + s.d.Table("RUN_STATUS") + " WHERE RUN_ID = ?)"
	}
	return fmt.Sprintf("(SELECT COUNT(*) FROM %s WHERE RUN_ID IN (%s)) = %d", s.d.Table("RUN_STATUS"), marks(n), n)
}

// mark is a placeholder for a column of a table.
func (s *Store) mark(table, column string) string {
	if s.d.Mark == nil {
		return "?"
	}
	return s.d.Mark(table, column)
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
