package snowflake

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strconv"
	"strings"

	sf "github.com/snowflakedb/gosnowflake/v2"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/sql/schema"
)

const (
	// loadBatch is how many rows one statement inserts: with five columns they stay
	// below the number of values above which the driver would use a stage.
	loadBatch = 10_000
	// stageSuffix names the standard table beside an interactive one from which
	// that is filled.
	stageSuffix = "__LOAD"
)

// execute executes the DDL of one kind on the table of that name.
func (t *Target) execute(ctx context.Context, what, kind string, parts []string) error {
	statements, err := schema.Statements("snowflake", kind)
	if err != nil {
		return fmt.Errorf("%w: snowflake: %w", core.ErrInternal, err)
	}
	return t.observe(ctx, what, func(on queryer) error {
		for _, statement := range statements {
			if _, err := ask(ctx, on, strings.ReplaceAll(statement, "{table}", quote(parts...))); err != nil {
				return err
			}
		}
		return nil
	})
}

// createKind is the DDL for a type of table.
func createKind(table core.TemplateTable) (string, error) {
	switch table.Type {
	case "", standardTable:
		return schema.TargetCreate, nil
	case hybridTable:
		return schema.TargetCreateHybrid, nil
	case interactiveTable:
		return schema.TargetCreateInteractive, nil
	}
	return "", invalid("table.type is %q; allowed: STANDARD, HYBRID, INTERACTIVE", table.Type)
}

// Create makes the benchmark table, of the template's type. Its schema must be
// there. Errors: Conflict when it exists, Unsupported where the account has no
// such tables.
func (t *Target) Create(ctx context.Context, table core.TemplateTable) error {
	parts, err := names(table)
	if err != nil {
		return err
	}
	kind, err := createKind(table)
	if err != nil {
		return err
	}
	what := "creating table " + table.Name
	err = t.execute(ctx, what, kind, parts)
	if err != nil && core.CodeOf(err) == core.Unsupported {
		return fmt.Errorf("%w; this account has no %s tables: choose another table.type, or an account that has them", err, strings.ToLower(table.Type))
	}
	return err
}

// Drop removes the table, and what loading left beside it. What is gone is no
// error.
func (t *Target) Drop(ctx context.Context, table core.TemplateTable) error {
	parts, err := names(table)
	if err != nil {
		return err
	}
	if table.Type == interactiveTable {
		if err := t.execute(ctx, "dropping what table "+table.Name+" was loaded from", schema.TargetDrop, stageOf(parts)); err != nil {
			return err
		}
	}
	return t.execute(ctx, "dropping table "+table.Name, schema.TargetDrop, parts)
}

func stageOf(parts []string) []string {
	stage := append([]string(nil), parts...)
	stage[len(stage)-1] += stageSuffix
	return stage
}

// Load inserts those of rows [0, table.Rows) that are missing, 10,000 in one
// statement, so an interrupted load goes on where it stood. An interactive table
// takes no inserts: its rows are gathered in a standard table beside it, which
// then replaces all of them and is dropped. Errors: Conflict when somebody else
// inserts the same rows into a hybrid table meanwhile.
func (t *Target) Load(ctx context.Context, table core.TemplateTable, progress func(rows int64)) error {
	parts, err := names(table)
	if err != nil {
		return err
	}
	if table.Type == interactiveTable {
		return t.loadInteractive(ctx, table, parts, progress)
	}
	return t.loadInto(ctx, table, quote(parts...), progress)
}

func (t *Target) loadInto(ctx context.Context, table core.TemplateTable, name string, progress func(rows int64)) error {
	for from := int64(0); from < table.Rows; from += loadBatch {
		to := min(from+loadBatch, table.Rows)
		err := t.observe(ctx, fmt.Sprintf("loading rows %d to %d into table %s", from, to, table.Name), func(on queryer) error {
			return loadRange(ctx, on, name, from, to)
		})
		if err != nil {
			return err
		}
		if progress != nil {
			progress(to)
		}
	}
	return nil
}

func (t *Target) loadInteractive(ctx context.Context, table core.TemplateTable, parts []string, progress func(rows int64)) error {
	info, err := t.Describe(ctx, table)
	switch {
	case err != nil:
		return err
	case !info.Table.Exists:
		return invalid("table %s does not exist", table.Name)
	case info.Table.Rows >= table.Rows:
		if progress != nil {
			progress(table.Rows)
		}
		return nil
	}
	stage := stageOf(parts)
	if err := t.execute(ctx, "creating what table "+table.Name+" is loaded from", schema.TargetCreate, stage); err != nil && core.CodeOf(err) != core.Conflict {
		return err
	}
	if err := t.loadInto(ctx, table, quote(stage...), progress); err != nil {
		return err
	}
	err = t.observe(ctx, "filling table "+table.Name, func(on queryer) error {
		_, err := ask(ctx, on, "INSERT OVERWRITE INTO "+quote(parts...)+" SELECT "+core.TableColumns+" FROM "+quote(stage...))
		return err
	})
	if err != nil {
		return err
	}
	return t.execute(ctx, "dropping what table "+table.Name+" was loaded from", schema.TargetDrop, stage)
}

// loadRange inserts those of rows [from, to) that are missing. A table without
// enforced keys would take them twice, so they are looked for.
func loadRange(ctx context.Context, on queryer, name string, from, to int64) error {
	rows, err := ask(ctx, on, "SELECT ID FROM "+name+" WHERE ID >= ? AND ID < ?", bound(1, from), bound(2, to))
	if err != nil {
		return err
	}
	there := make([]bool, to-from)
	for _, row := range rows {
		id, err := strconv.ParseInt(row["id"], 10, 64)
		if err != nil || id < from || id >= to {
			return fmt.Errorf("%w: snowflake: a row with the id %q", core.ErrInternal, row["id"])
		}
		there[id-from] = true
	}
	var c columns
	for id := from; id < to; id++ {
		if !there[id-from] {
			c.add(core.TableRow(id))
		}
	}
	if len(c.ids) == 0 {
		return nil
	}
	return c.insert(ctx, on, name)
}

// columns are rows, each column for itself, as array binds take them.
type columns struct {
	ids, customers, balances []int64
	statuses, payloads       []string
}

func (c *columns) add(row core.Row) {
	c.ids, c.customers, c.balances = append(c.ids, row.ID), append(c.customers, row.CustomerID), append(c.balances, row.Balance)
	c.statuses, c.payloads = append(c.statuses, row.Status), append(c.payloads, row.Payload)
}

// insert inserts the rows in one statement.
func (c *columns) insert(ctx context.Context, on queryer, name string) error {
	into, ok := on.(driver.ExecerContext)
	if !ok {
		return fmt.Errorf("%w: snowflake: the connection executes nothing: %T", core.ErrInternal, on)
	}
	var values []driver.NamedValue
	for i, array := range []any{c.ids, c.customers, c.balances, c.statuses, c.payloads} {
		bind, err := sf.Array(array)
		if err != nil {
			return fmt.Errorf("%w: snowflake: an array of %T: %w", core.ErrInternal, array, err)
		}
		values = append(values, bound(i+1, bind))
	}
	result, err := into.ExecContext(ctx, "INSERT INTO "+name+" ("+core.TableColumns+") VALUES (?, ?, ?, ?, ?)", values)
	if err != nil {
		return err
	}
	inserted, err := result.RowsAffected()
	if err == nil && inserted != int64(len(c.ids)) {
		err = fmt.Errorf("%w: snowflake: %d of %d rows were inserted", core.ErrInternal, inserted, len(c.ids))
	}
	return err
}
