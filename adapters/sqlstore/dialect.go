package sqlstore

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Dialect is what one database does in its own way. Every field without a note
// must be set.
type Dialect struct {
	// Name begins error texts: "sqlite".
	Name string
	// Table is the name of a table as it is written in a statement, with its
	// schema where there are schemas (TEST_TEMPLATES and TEMPLATE_VALUE_POOLS
	// are in CONFIG, the others in TEST_RESULTS).
	Table func(name string) string
	// Clock is the store's clock where the process's own is one (an embedded
	// store, used by one host); nil where Now asks the database.
	Clock func() time.Time
	// Now is an expression for the database's clock, evaluated after a lock was
	// waited for; "" where Clock is set.
	Now string
	// Time is a time as it is bound; it is never zero. Times are read back from
	// time.Time or from text in ISO 8601.
	Time func(t time.Time) any
	// Mark is a placeholder as it is written for a column of a table (by its bare
	// name), with the cast that it needs; nil for "?".
	Mark func(table, column string) string
	// Bind is a value of a column as the driver takes it; nil where it takes every
	// value as it is.
	Bind func(value any) any
	// Member picks a member, whose name is bound, of a JSON column that holds an
	// object of objects, as text; NULL if there is none.
	Member func(column string) string
	// Insert is the text of an INSERT. StandardInsert does for many databases.
	Insert func(Insert) string
	// ColumnsQuery selects TABLE_NAME and COLUMN_NAME of what the store has.
	ColumnsQuery string
	// MaxVariables bounds the placeholders of one statement.
	MaxVariables int
	// Harden and Relax run on the connection around a transaction that must
	// outlive a loss of power; "" where every transaction does.
	Harden, Relax string
	// Code maps an error of the driver to a sentinel of core; nil when it is not
	// one of the driver's. It need not know context and sql errors.
	Code func(error) error
	// Explain adds to an error what its reader can do about it.
	Explain func(error) error
	// DDL is the dialect's name in sql/schema.
	DDL string
	// Mend says how missing tables are made: a command line.
	Mend string
	// Remote is set for a database that is a network away; nil for an embedded one.
	Remote *Remote
}

// Remote is what a database needs where each statement is a round trip, whose
// reply can be lost, where a transaction outlives its client, where several writers
// are at work at once, and where not every table enforces its key.
type Remote struct {
	// Again reports whether a statement that failed with an error left nothing behind
	// and may well succeed when it is repeated: a deadlock, a lock that was not to be
	// had, a key that was taken meanwhile.
	Again func(error) bool
	// Uncertain reports whether a statement that failed with an error may have been
	// executed all the same.
	Uncertain func(error) bool
	// Absent says what is missing above the tables, database or schema, when the
	// ColumnsQuery fails for that; else it is empty.
	Absent func(error) string
}

// Insert describes an INSERT of Rows rows.
type Insert struct {
	Table   string // as Dialect.Table returned it
	Name    string // the table's bare name
	Columns []string
	Rows    int
	// Now are those of Columns that take Dialect.Now instead of a placeholder.
	Now []string
	// OnlyIf, if not empty, is a condition with placeholders of its own, which
	// come last; without it nothing is inserted. Rows is 1 then, unless the
	// database is a remote one.
	OnlyIf string
	// Within, if not empty, is a column that is the same in all rows: its value is
	// bound once more, behind the rows and before OnlyIf's, so that a duplicate is
	// looked for there only. Only with Key, without Update, in a remote database.
	Within string
	// Key is what is unique; empty when a duplicate is an error.
	Key []string
	// Update are the columns that are replaced when the key is there; empty to
	// leave the row that is there alone.
	Update []string
	// Newer, if not empty, are columns of which the new values must not be older
	// than those that are there, compared as one tuple; else nothing is done.
	Newer []string
}

// StandardInsert writes INSERT … VALUES … ON CONFLICT, as SQLite and Postgres
// understand it. The arguments are the dialect's Mark and Now.
func StandardInsert(mark func(table, column string) string, now string) func(Insert) string {
	return func(i Insert) string {
		var b strings.Builder
		fmt.Fprintf(&b, "INSERT INTO %s (%s) ", i.Table, strings.Join(i.Columns, ", "))
		values := make([]string, len(i.Columns))
		for n, column := range i.Columns {
			if values[n] = mark(i.Name, column); slices.Contains(i.Now, column) {
				values[n] = now
			}
		}
		row := strings.Join(values, ", ")
		if i.OnlyIf != "" {
			b.WriteString("SELECT " + row + " WHERE " + i.OnlyIf)
		} else {
			b.WriteString("VALUES " + strings.TrimSuffix(strings.Repeat("("+row+"), ", i.Rows), ", "))
		}
		if len(i.Key) == 0 {
			return b.String()
		}
		fmt.Fprintf(&b, " ON CONFLICT (%s) DO ", strings.Join(i.Key, ", "))
		if len(i.Update) == 0 {
			b.WriteString("NOTHING")
			return b.String()
		}
		sets := make([]string, len(i.Update))
		for n, column := range i.Update {
			sets[n] = column + " = excluded." + column
		}
		b.WriteString("UPDATE SET " + strings.Join(sets, ", "))
		if len(i.Newer) > 0 {
			was := make([]string, len(i.Newer))
			for n, column := range i.Newer {
				was[n] = i.Table + "." + column
			}
			fmt.Fprintf(&b, " WHERE (excluded.%s) >= (%s)", strings.Join(i.Newer, ", excluded."), strings.Join(was, ", "))
		}
		return b.String()
	}
}
