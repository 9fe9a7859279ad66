package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	modernc "modernc.org/sqlite"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/sql/schema"
)

const (
	loadBatch     = 10_000 // rows of one transaction
	loadStatement = 50     // rows of one INSERT
)

// Create makes the benchmark table, and the file if it is not there. The file is
// put into WAL mode. Errors: Conflict when the table exists.
func (t *Target) Create(ctx context.Context, table core.TemplateTable) error {
	if table.Name == "" {
		return fmt.Errorf("%w: sqlite: the benchmark table has no name", core.ErrInvalid)
	}
	if err := ctx.Err(); err != nil {
		return targetError(ctx, "creating a table", err)
	}
	if err := t.checkLoadable(); err != nil && !errors.Is(err, core.ErrNotFound) {
		return err
	}
	created, err := prepareFile("target", t.path)
	if err != nil {
		return err
	}
	connector, err := modernc.NewConnector(t.dsn("rwc") + "&_txlock=immediate")
	if err != nil {
		return fmt.Errorf("%w: sqlite: %w", core.ErrInvalid, err)
	}
	db := sql.OpenDB(connector)
	err = t.create(ctx, db, table)
	if core.CodeOf(err) == core.Internal { // it has no code yet
		err = targetError(ctx, "creating table "+table.Name, explain(t.path, err))
	}
	err = errors.Join(err, db.Close())
	if err != nil && created {
		removeFile(t.path)
	}
	return err
}

func (t *Target) create(ctx context.Context, db *sql.DB, table core.TemplateTable) error {
	statements, err := schema.Statements(dialect, schema.OfLayout(schema.TargetCreate, table.Layout))
	if err != nil {
		return err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // goes back to the pool
	if err := ensureWAL(ctx, conn); err != nil {
		return err
	}
	return retryBusy(ctx, t.busy, func() error {
		tx, err := conn.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // does nothing after a commit
		for _, of := range table.Tables() {
			var there int
			if err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM sqlite_master WHERE name = ? COLLATE NOCASE", of.Name).Scan(&there); err != nil {
				return err
			}
			if there > 0 {
				return fmt.Errorf("%w: sqlite: table %s exists in %s", core.ErrConflict, of.Name, t.path)
			}
		}
		for _, statement := range statements {
			if _, err := tx.ExecContext(ctx, core.ReplaceTables(statement, identifiers(table))); err != nil {
				return err
			}
		}
		return tx.Commit()
	})
}

// Load inserts the rows of all tables in transactions of 10,000. A range that is
// complete is skipped, so an interrupted load goes on where it stood.
func (t *Target) Load(ctx context.Context, table core.TemplateTable, progress func(rows int64)) error {
	if err := ctx.Err(); err != nil {
		return targetError(ctx, "loading", err)
	}
	if err := t.checkLoadable(); err != nil {
		return err
	}
	db, err := t.database()
	if err != nil {
		return err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return targetError(ctx, "connecting to "+t.path, explain(t.path, err))
	}
	defer func() { _ = conn.Close() }() // goes back to the pool
	done := int64(0)
	for _, of := range table.Tables() {
		for from := int64(0); from < of.Rows; from += loadBatch {
			to := min(from+loadBatch, of.Rows)
			err := retryBusy(ctx, t.busy, func() error { return loadRange(ctx, conn, of, from, to) })
			if err != nil {
				return targetError(ctx, fmt.Sprintf("loading rows %d to %d of table %s", from, to, of.Name), explain(t.path, err))
			}
			if done += to - from; progress != nil {
				progress(done)
			}
		}
	}
	return nil
}

// loadRange inserts those of rows [from, to) that are missing, in one
// transaction.
func loadRange(ctx context.Context, conn *sql.Conn, table core.Table, from, to int64) error {
	name := quote(table.Name)
	var there int64
	if err := conn.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+name+" WHERE "+table.Key+" >= ? AND "+table.Key+" < ?", from, to).Scan(&there); err != nil {
		return err
	}
	if there == to-from {
		return nil
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	for from < to {
		rows := min(loadStatement, to-from)
		statement, err := tx.PrepareContext(ctx, insertRows(table, rows))
		if err != nil {
			return err
		}
		args := make([]any, 0, int64(len(table.Columns))*rows)
		for ; from+rows <= to; from += rows {
			args = args[:0]
			for id := from; id < from+rows; id++ {
				args = table.AppendRow(args, id)
			}
			// The transaction has the context; a watcher for each statement
			// would cost more than it does.
			if _, err := statement.ExecContext(context.WithoutCancel(ctx), args...); err != nil {
				return errors.Join(err, statement.Close())
			}
		}
		if err := statement.Close(); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func insertRows(table core.Table, rows int64) string {
	one := "(?" + strings.Repeat(", ?", len(table.Columns)-1) + "), "
	return "INSERT INTO " + quote(table.Name) + " (" + strings.Join(table.Columns, ", ") + ") VALUES " +
		strings.TrimSuffix(strings.Repeat(one, int(rows)), ", ") + " ON CONFLICT (" + table.Key + ") DO NOTHING"
}

// Drop removes the tables; the file stays. What is gone is no error.
func (t *Target) Drop(ctx context.Context, table core.TemplateTable) error {
	if err := ctx.Err(); err != nil {
		return targetError(ctx, "dropping a table", err)
	}
	statements, err := schema.Statements(dialect, schema.TargetDrop)
	if err != nil {
		return fmt.Errorf("%w: sqlite: %w", core.ErrInternal, err)
	}
	err = t.checkLoadable()
	if errors.Is(err, core.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	db, err := t.database()
	if err != nil {
		return err
	}
	for _, of := range table.Tables() {
		for _, statement := range statements {
			err := retryBusy(ctx, t.busy, func() error {
				_, err := db.ExecContext(ctx, strings.ReplaceAll(statement, "{table}", quote(of.Name)))
				return err
			})
			if err != nil {
				return targetError(ctx, "dropping table "+of.Name, explain(t.path, err))
			}
		}
	}
	return nil
}
