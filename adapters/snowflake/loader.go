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
	// loadBatch is how many rows one statement inserts at most, and loadValues how
	// many values: they stay below the number above which the driver would use a
	// stage.
	loadBatch  = 10_000
	loadValues = 50_000
	// stageSuffix names the standard table beside an interactive one from which
	// that is filled.
	stageSuffix = "__LOAD"
)

// execute executes the DDL of one kind on the table of that name.
func (t *Target) execute(ctx context.Context, what, kind string, parts []string) error {
	return t.executeFilled(ctx, what, kind, func(statement string) (string, error) {
		return strings.ReplaceAll(statement, "{table}", quote(parts...)), nil
	})
}

// executeFilled executes the DDL of one kind with the names that fill puts in.
// What is there already keeps nothing from being made: so a second attempt makes
// what the first, interrupted, left out. Errors: Conflict, in the end.
func (t *Target) executeFilled(ctx context.Context, what, kind string, fill func(string) (string, error)) error {
	statements, err := schema.Statements("snowflake", kind)
	if err != nil {
		return fmt.Errorf("%w: snowflake: %w", core.ErrInternal, err)
	}
	var there error
	for _, statement := range statements {
		text, err := fill(statement)
		if err != nil {
			return err
		}
		err = t.observe(ctx, what, func(on queryer) error {
			_, err := ask(ctx, on, text)
			return err
		})
		if core.CodeOf(err) == core.Conflict {
			there = err
		} else if err != nil {
			return err
		}
	}
	return there
}

// createKind is the DDL for a type of table.
func createKind(table core.TemplateTable) (string, error) {
	switch table.Type {
	case "", standardTable:
		return schema.OfLayout(schema.TargetCreate, table.Layout), nil
	case hybridTable:
		return schema.OfLayout(schema.TargetCreateHybrid, table.Layout), nil
	case interactiveTable:
		if table.Layout != "" {
			return "", invalid("table.type is %q; allowed with the layout %s: STANDARD, HYBRID", table.Type, table.Layout)
		}
		return schema.TargetCreateInteractive, nil
	}
	return "", invalid("table.type is %q; allowed: STANDARD, HYBRID, INTERACTIVE", table.Type)
}

// Create makes the tables, of the template's type. Their schema must be there.
// Errors: Conflict when one exists, Unsupported where the account has no
// such tables.
func (t *Target) Create(ctx context.Context, table core.TemplateTable) error {
	if _, err := names(table); err != nil {
		return err
	}
	kind, err := createKind(table)
	if err != nil {
		return err
	}
	what := "creating table " + table.Name
	err = t.executeFilled(ctx, what, kind, func(statement string) (string, error) { return fillTables(statement, table) })
	if err != nil && core.CodeOf(err) == core.Unsupported {
		return fmt.Errorf("%w; this account has no %s tables: choose another table.type, or an account that has them", err, strings.ToLower(table.Type))
	}
	return err
}

// Drop removes the tables, and what loading left beside it. What is gone is no
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
	for _, of := range table.Tables() {
		parts, err := names(of.TemplateTable)
		if err != nil {
			return err
		}
		if err := t.execute(ctx, "dropping table "+of.Name, schema.TargetDrop, parts); err != nil {
			return err
		}
	}
	return nil
}

func stageOf(parts []string) []string {
	stage := append([]string(nil), parts...)
	stage[len(stage)-1] += stageSuffix
	return stage
}

// Load inserts those rows of all tables that are missing, up to 10,000 in one
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
	done := int64(0)
	for _, of := range table.Tables() {
		name, err := quoteTable(of.TemplateTable)
		if err != nil {
			return err
		}
		err = t.loadInto(ctx, of, name, func(rows int64) {
			if progress != nil {
				progress(done + rows)
			}
		})
		if err != nil {
			return err
		}
		done += of.Rows
	}
	return nil
}

func (t *Target) loadInto(ctx context.Context, table core.Table, name string, progress func(rows int64)) error {
	batch := int64(min(loadBatch, loadValues/max(len(table.Columns), 1)))
	for from := int64(0); from < table.Rows; from += batch {
		to := min(from+batch, table.Rows)
		err := t.observe(ctx, fmt.Sprintf("loading rows %d to %d into table %s", from, to, table.Name), func(on queryer) error {
			return loadRange(ctx, on, table, name, from, to)
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
	if err := t.loadInto(ctx, table.Tables()[0], quote(stage...), progress); err != nil {
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
func loadRange(ctx context.Context, on queryer, table core.Table, name string, from, to int64) error {
	rows, err := ask(ctx, on, "SELECT "+table.Key+" AS ID FROM "+name+" WHERE "+table.Key+" >= ? AND "+table.Key+" < ?", bound(1, from), bound(2, to))
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
	columns, missing := gather(table, there, from)
	if missing == 0 {
		return nil
	}
	return insertColumns(ctx, on, table, name, columns, missing)
}

// gather makes those rows from an id on that are not there, each column for
// itself, as array binds take them: []int64 or []string.
func gather(table core.Table, there []bool, from int64) (columns []any, missing int64) {
	columns = make([]any, len(table.Columns))
	var row []any
	for i, is := range there {
		if is {
			continue
		}
		missing++
		row = table.AppendRow(row[:0], from+int64(i))
		for c, value := range row {
			switch x := value.(type) {
			case int64:
				numbers, _ := columns[c].([]int64)
				columns[c] = append(numbers, x)
			case string:
				texts, _ := columns[c].([]string)
				columns[c] = append(texts, x)
			}
		}
	}
	return columns, missing
}

// insertColumns inserts rows in one statement.
func insertColumns(ctx context.Context, on queryer, table core.Table, name string, columns []any, rows int64) error {
	into, ok := on.(driver.ExecerContext)
	if !ok {
		return fmt.Errorf("%w: snowflake: the connection executes nothing: %T", core.ErrInternal, on)
	}
	var values []driver.NamedValue
	for i, array := range columns {
		bind, err := sf.Array(array)
		if err != nil {
			return fmt.Errorf("%w: snowflake: an array of %T: %w", core.ErrInternal, array, err)
		}
		values = append(values, bound(i+1, bind))
	}
	placeholders := strings.TrimSuffix(strings.Repeat("?, ", len(columns)), ", ")
	result, err := into.ExecContext(ctx, "INSERT INTO "+name+" ("+strings.Join(table.Columns, ", ")+") VALUES ("+placeholders+")", values)
	if err != nil {
		return err
	}
	inserted, err := result.RowsAffected()
	if err == nil && inserted != rows {
		err = fmt.Errorf("%w: snowflake: %d of %d rows were inserted", core.ErrInternal, inserted, rows)
	}
	return err
}
