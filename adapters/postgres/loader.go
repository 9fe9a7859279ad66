package postgres

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/sql/schema"
)

// loadBatch is how many rows one COPY has, which is one transaction.
const loadBatch = 10_000

// work does one task of the loader on a connection of its own.
func (t *Target) work(ctx context.Context, what string, do func(*pgx.Conn) error) error {
	conn, err := t.connect(ctx, "benchfleet")
	if err != nil {
		return err
	}
	defer closeConn(conn.PgConn())
	err = do(conn)
	return coded(ctx, what, err, conn.IsClosed())
}

// execute executes the DDL of one kind in one transaction.
func (t *Target) execute(ctx context.Context, what, kind string, table core.TemplateTable) error {
	statements, err := schema.Statements("postgres", kind)
	if err != nil {
		return fmt.Errorf("%w: postgres: %w", core.ErrInternal, err)
	}
	for i := range statements {
		if statements[i], err = fillTables(statements[i], table); err != nil {
			return err
		}
	}
	return t.work(ctx, what+" table "+table.Name, func(conn *pgx.Conn) error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			for _, statement := range statements {
				if _, err := tx.Exec(ctx, statement); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// Create makes the tables. Their schema must be there. Errors: Conflict
// when one exists, NotFound without the schema.
func (t *Target) Create(ctx context.Context, table core.TemplateTable) error {
	return t.execute(ctx, "creating", schema.OfLayout(schema.TargetCreate, table.Layout), table)
}

// Drop removes the tables. What is gone is no error.
func (t *Target) Drop(ctx context.Context, table core.TemplateTable) error {
	for _, of := range table.Tables() {
		if err := t.execute(ctx, "dropping", schema.TargetDrop, of.TemplateTable); err != nil {
			return err
		}
	}
	return nil
}

// Load copies those rows of all tables that are missing, in transactions of 10,000, so an interrupted load goes on where it stood. In the end it lets the
// server vacuum and analyze the table, so that a run does not have to. Errors:
// Conflict when somebody else inserts the same rows meanwhile.
func (t *Target) Load(ctx context.Context, table core.TemplateTable, progress func(rows int64)) error {
	done := int64(0)
	for _, of := range table.Tables() {
		name, err := quoteTable(of.TemplateTable)
		if err != nil {
			return err
		}
		err = t.work(ctx, "loading table "+of.Name, func(conn *pgx.Conn) error {
			for from := int64(0); from < of.Rows; from += loadBatch {
				to := min(from+loadBatch, of.Rows)
				if err := loadRange(ctx, conn, of, name, from, to); err != nil {
					return err
				}
				if done += to - from; progress != nil {
					progress(done)
				}
			}
			_, err := conn.PgConn().Exec(ctx, "VACUUM (ANALYZE) "+name).ReadAll()
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// loadRange copies those of rows [from, to) that are missing.
func loadRange(ctx context.Context, conn *pgx.Conn, table core.Table, name string, from, to int64) error {
	rows, err := conn.Query(ctx, "SELECT "+table.Key+"::bigint FROM "+name+" WHERE "+table.Key+" >= $1 AND "+table.Key+" < $2", from, to)
	if err != nil {
		return err
	}
	there := make([]bool, to-from)
	left := to - from
	var id int64
	_, err = pgx.ForEachRow(rows, []any{&id}, func() error {
		if !there[id-from] {
			there[id-from] = true
			left--
		}
		return nil
	})
	if err != nil || left == 0 {
		return err
	}
	source := &copyRows{table: table, next: from, to: to, skip: func(id int64) bool { return there[id-from] }}
	_, err = conn.PgConn().CopyFrom(ctx, source, "COPY "+name+" ("+strings.Join(table.Columns, ", ")+") FROM STDIN")
	return err
}

// copyRows is the text that COPY reads: a line for each row, tabs between
// columns. No value holds a character that would have to be escaped.
type copyRows struct {
	table    core.Table
	next, to int64
	skip     func(id int64) bool
	line     []byte
	values   []any
}

// Read makes as many lines as fit.
func (c *copyRows) Read(p []byte) (n int, err error) {
	for {
		if len(c.line) > 0 {
			copied := copy(p[n:], c.line)
			n += copied
			if c.line = c.line[copied:]; len(c.line) > 0 {
				return n, nil
			}
		}
		for c.next < c.to && c.skip(c.next) {
			c.next++
		}
		if c.next >= c.to {
			return n, io.EOF
		}
		c.values = c.table.AppendRow(c.values[:0], c.next)
		c.line = appendLine(c.line[:0], c.values)
		c.next++
	}
}

func appendLine(line []byte, values []any) []byte {
	for _, value := range values {
		switch x := value.(type) {
		case int64:
			line = strconv.AppendInt(line, x, 10)
		case string:
			line = append(line, x...)
		}
		line = append(line, '\t')
	}
	line[len(line)-1] = '\n'
	return line
}
