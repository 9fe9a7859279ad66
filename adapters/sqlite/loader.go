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
	statements, err := schema.Statements(dialect, schema.TargetCreate)
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
		var there int
		if err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM sqlite_master WHERE name = ? COLLATE NOCASE", table.Name).Scan(&there); err != nil {
			return err
		}
		if there > 0 {
			return fmt.Errorf("%w: sqlite: table %s exists in %s", core.ErrConflict, table.Name, t.path)
		}
		for _, statement := range statements {
			if _, err := tx.ExecContext(ctx, strings.ReplaceAll(statement, "{table}", quote(table.Name))); err != nil {
				return err
			}
		}
		return tx.Commit()
	})
}

// Load inserts rows [0, table.Rows) in transactions of 10,000. A range that is
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
	for from := int64(0); from < table.Rows; from += loadBatch {
		to := min(from+loadBatch, table.Rows)
		err := retryBusy(ctx, t.busy, func() error { return loadRange(ctx, conn, table, from, to) })
		if err != nil {
			return targetError(ctx, fmt.Sprintf("loading rows %d to %d of table %s", from, to, table.Name), explain(t.path, err))
		}
		if progress != nil {
			progress(to)
		}
	}
	return nil
}

// loadRange inserts those of rows [from, to) that are missing, in one
// transaction.
func loadRange(ctx context.Context, conn *sql.Conn, table core.TemplateTable, from, to int64) error {
	name := quote(table.Name)
	var there int64
	if err := conn.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+name+" WHERE ID >= ? AND ID < ?", from, to).Scan(&there); err != nil {
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
		statement, err := tx.PrepareContext(ctx, insertRows(name, rows))
		if err != nil {
			return err
		}
		args := make([]any, 5*rows)
		for ; from+rows <= to; from += rows {
			fillRows(args, from)
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

func insertRows(table string, rows int64) string {
	return "INSERT INTO " + table + " (" + core.TableColumns + ") VALUES " +
		strings.TrimSuffix(strings.Repeat("(?, ?, ?, ?, ?), ", int(rows)), ", ") + " ON CONFLICT (ID) DO NOTHING"
}

func fillRows(args []any, from int64) {
	for i := 0; i < len(args); i += 5 {
		row := core.TableRow(from + int64(i/5))
		args[i], args[i+1], args[i+2], args[i+3], args[i+4] = row.ID, row.CustomerID, row.Balance, row.Status, row.Payload
	}
}

// Drop removes the table; the file stays. What is gone is no error.
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
	for _, statement := range statements {
		err := retryBusy(ctx, t.busy, func() error {
			_, err := db.ExecContext(ctx, strings.ReplaceAll(statement, "{table}", quote(table.Name)))
			return err
		})
		if err != nil {
			return targetError(ctx, "dropping table "+table.Name, explain(t.path, err))
		}
	}
	return nil
}
