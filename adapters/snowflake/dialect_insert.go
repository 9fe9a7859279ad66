package snowflake

import (
	"fmt"
	"slices"
	"strings"

	"github.com/benchfleet/benchfleet/adapters/sqlstore"
)

// insert writes an INSERT without ON CONFLICT, which Snowflake does not have:
//
//   - INSERT … SELECT, for a duplicate that is an error (or nobody's);
//   - with WHERE NOT EXISTS, for rows that stay as they are: it locks no table. Where
//     the key is not enforced, two who insert at once can make doubles;
//   - MERGE, for rows that replace.
func (d *dialect) insert(i sqlstore.Insert) string {
	switch {
	case len(i.Update) > 0:
		return d.merge(i)
	case len(i.Key) > 0:
		within := "" // a constant, by which Snowflake leaves out most of a table
		if i.Within != "" {
			within = "k." + i.Within + " = ? AND "
		}
		return fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM (%s) AS s WHERE NOT EXISTS (SELECT 1 FROM %s AS k WHERE %s%s)%s",
			i.Table, strings.Join(i.Columns, ", "), of("s", i.Columns), d.source(i, true), i.Table, within, equal("k", "s", i.Key), and(i.OnlyIf))
	default:
		return fmt.Sprintf("INSERT INTO %s (%s) %s%s", i.Table, strings.Join(i.Columns, ", "), d.source(i, false), where(i.OnlyIf))
	}
}

// merge writes a MERGE. Of the keys that are there, rows are replaced if they are
// not older.
func (d *dialect) merge(i sqlstore.Insert) string {
	matched := ""
	if len(i.Newer) > 0 {
		matched = " AND " + notOlder(i.Newer)
	}
	sets := make([]string, len(i.Update))
	for n, column := range i.Update {
		sets[n] = column + " = s." + column
	}
	return fmt.Sprintf("MERGE INTO %s AS t USING (%s%s) AS s ON %s WHEN MATCHED%s THEN UPDATE SET %s WHEN NOT MATCHED THEN INSERT (%s) VALUES (%s)",
		i.Table, d.source(i, true), where(i.OnlyIf), equal("t", "s", i.Key), matched, strings.Join(sets, ", "),
		strings.Join(i.Columns, ", "), of("s", i.Columns))
}

// source is a SELECT of the rows; named, its columns have the names of the
// table's.
func (d *dialect) source(i sqlstore.Insert, named bool) string {
	columns := make([]string, len(i.Columns))
	bound := 0
	for n, column := range i.Columns {
		switch {
		case slices.Contains(i.Now, column):
			columns[n] = "SYSDATE()"
		case i.Rows == 1:
			columns[n] = d.mark(i.Name, column)
		default:
			bound++
			columns[n] = castText(d.columns[i.Name][column], fmt.Sprintf("column%d", bound))
		}
		if named {
			columns[n] += " AS " + column
		}
	}
	text := "SELECT " + strings.Join(columns, ", ")
	if i.Rows == 1 {
		return text
	}
	row := "(" + strings.TrimSuffix(strings.Repeat("?, ", bound), ", ") + ")"
	return text + " FROM VALUES " + strings.TrimSuffix(strings.Repeat(row+", ", i.Rows), ", ")
}

// notOlder compares columns of s with those of t as one tuple, which Snowflake's
// MERGE has no operator for.
func notOlder(columns []string) string {
	last := columns[len(columns)-1]
	text := fmt.Sprintf("s.%s >= t.%s", last, last)
	for _, column := range slices.Backward(columns[:len(columns)-1]) {
		text = fmt.Sprintf("(s.%[1]s > t.%[1]s OR (s.%[1]s = t.%[1]s AND %[2]s))", column, text)
	}
	return text
}

func of(alias string, columns []string) string {
	return alias + "." + strings.Join(columns, ", "+alias+".")
}

func equal(a, b string, columns []string) string {
	conditions := make([]string, len(columns))
	for n, column := range columns {
		conditions[n] = a + "." + column + " = " + b + "." + column
	}
	return strings.Join(conditions, " AND ")
}

func where(condition string) string {
	if condition == "" {
		return ""
	}
	return " WHERE " + condition
}

func and(condition string) string {
	if condition == "" {
		return ""
	}
	return " AND " + condition
}
