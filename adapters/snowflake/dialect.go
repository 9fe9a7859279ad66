package snowflake

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	sf "github.com/snowflakedb/gosnowflake/v2"

	"github.com/benchfleet/benchfleet/adapters/sqlstore"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/sql/schema"
)

// dialectName is Snowflake in sql/schema.
const dialectName = "snowflake"

// maxVariables bounds the placeholders of one statement. Snowflake names no
// limit; a text of that many stays far below its megabyte of SQL.
const maxVariables = 10000

// timeFormat is how times are bound, with a cast: the driver would send a
// time.Time well, but NULL as a text, and one column of VALUES has one type.
const timeFormat = "2006-01-02 15:04:05.000000"

// dialect is what the store knows of where its tables are, and of their types.
type dialect struct {
	config  *Config
	names   schema.Names
	columns map[string]map[string]string // table, column: cast, "" for none
	paths   map[string]string            // table: its name in three parts
	query   string                       // of tables and columns
}

// newDialect reads the DDL. Errors: Invalid for a name that is none.
func newDialect(config *Config) (*dialect, error) {
	d := &dialect{
		config: config, columns: map[string]map[string]string{}, paths: map[string]string{},
		names: schema.Names{
			Database: config.StoreDatabase, Config: config.ConfigSchema, Results: config.ResultsSchema,
			Warehouse: config.ObserverWarehouse, ControlWarehouse: config.Warehouse,
		},
	}
	if _, err := d.names.Fill(""); err != nil {
		return nil, invalid("store_%v", err)
	}
	tables, err := schema.Tables(dialectName)
	if err != nil {
		return nil, fmt.Errorf("%w: snowflake: %w", core.ErrInternal, err)
	}
	for _, table := range tables {
		columns := map[string]string{}
		for _, column := range table.Columns {
			columns[column.Name] = castOf(column.Definition)
		}
		d.columns[table.Name] = columns
		if d.paths[table.Name], err = d.names.Fill(table.Path); err != nil {
			return nil, fmt.Errorf("%w: snowflake: %w", core.ErrInternal, err)
		}
	}
	d.query, err = d.columnsQuery()
	return d, err
}

// castOf is what a text is cast to for a column of that definition.
func castOf(definition string) string {
	kind, _, _ := strings.Cut(definition, " ")
	switch name, _, _ := strings.Cut(kind, "("); name {
	case "VARCHAR":
		return ""
	default:
		return kind
	}
}

const variant = "VARIANT"

// columnsQuery lists what tables and columns there are.
func (d *dialect) columnsQuery() (string, error) {
	text, err := d.names.Fill("SELECT TABLE_NAME, COLUMN_NAME FROM {database}.INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA IN (" +
		d.literals() + ") ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION")
	if err != nil {
		return "", fmt.Errorf("%w: snowflake: %w", core.ErrInternal, err)
	}
	return text, nil
}

// literals are the names of both schemas as the catalogue holds them.
func (d *dialect) literals() string {
	var literals []string
	for _, name := range []string{d.config.ConfigSchema, d.config.ResultsSchema} {
		quoted, _ := schema.Quote(name) // newDialect has tried it
		literals = append(literals, "'"+strings.NewReplacer("'", "''", `\`, `\\`).Replace(schema.Bare(quoted))+"'")
	}
	return strings.Join(literals, ", ")
}

// sqlstore is Snowflake as sqlstore sees it.
func (d *dialect) sqlstore() sqlstore.Dialect {
	return sqlstore.Dialect{
		Name:  "snowflake",
		Table: func(name string) string { return d.paths[name] },
		// Not CURRENT_TIMESTAMP, which is local to the session and stands still in a
		// statement.
		Now:          "SYSDATE()",
		Time:         func(t time.Time) any { return t.Format(timeFormat) },
		Mark:         d.mark,
		Bind:         bind,
		Member:       func(column string) string { return "GET(" + column + ", ?)" },
		Insert:       d.insert,
		ColumnsQuery: d.query,
		MaxVariables: maxVariables,
		Code:         codeOf,
		Explain:      d.explain,
		DDL:          dialectName,
		Mend:         mend,
		Remote:       &sqlstore.Remote{Again: isBadLuck, Uncertain: isUncertain, Absent: d.absent},
	}
}

// mark is a placeholder for a text, which every bound value is. PARSE_JSON stands
// in SELECT and UPDATE only: VALUES refuses it (002014).
func (d *dialect) mark(table, column string) string {
	return castText(d.columns[table][column], "?")
}

// castText is an expression of text as the type of a column.
func castText(cast, text string) string {
	switch cast {
	case "":
		return text
	case variant:
		return "PARSE_JSON(" + text + ")"
	default:
		return text + "::" + cast
	}
}

// bind makes every value a text, NULL apart: the driver cuts a float64 to 32 bits,
// and the first row of VALUES would settle the types of all.
func bind(value any) any {
	switch v := value.(type) {
	case nil, string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}

// mend is how the tables of a store are made. The address is not in it: it may
// hold a password.
const mend = "benchfleet schema apply with the same --store, or run by hand what benchfleet schema print shows"

// isBadLuck reports whether a statement failed because of others beside it, and
// left nothing behind. A key that was taken in between is one: whoever repeats
// finds it there.
func isBadLuck(err error) bool {
	var said *sf.SnowflakeError
	if !errors.As(err, &said) {
		return false
	}
	switch meaningOfError(said).class {
	case "UNIQUE_VIOLATION", "LOCK_NOT_AVAILABLE", "DEADLOCK":
		return true
	}
	return false
}

// absent says what a missing database means.
func (d *dialect) absent(err error) string {
	switch numberOf(err) {
	case 2003, 2043:
		return fmt.Sprintf("database %s does not exist, or %s may not use it", d.config.StoreDatabase, d.role())
	}
	return ""
}

// role is the role in words.
func (d *dialect) role() string {
	if d.config.Role == "" {
		return "the user's default role"
	}
	return "role " + d.config.Role
}

// explain is an error on one line, with what its reader can do about it.
func (d *dialect) explain(err error) error {
	var said *sf.SnowflakeError
	if !errors.As(err, &said) {
		return err
	}
	class := meaningOfError(said).class
	err = &classified{err, saying(said), class}
	switch class {
	case "UNDEFINED_OBJECT", "UNDEFINED_COLUMN":
		return fmt.Errorf("%w; the schema is missing or old: %s; or %s lacks privileges: the grants that benchfleet schema print shows", err, mend, d.role())
	case "DENIED":
		return fmt.Errorf("%w; %s lacks a privilege: run the grants that benchfleet schema print shows", err, d.role())
	case "NO_WAREHOUSE":
		return fmt.Errorf("%w; name a warehouse in the address (warehouse=NAME) that %s may use, and ALTER WAREHOUSE … RESUME it if it is suspended", err, d.role())
	}
	return err
}
