package schema

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// The kinds of DDL.
const (
	Store              = "store"         // the tables of a store
	StoreChanges       = "store-changes" // columns added since the first version, to be run by hand
	Grants             = "grants"        // roles and what they may do
	TargetCreate       = "target-create" // the benchmark table; {table} is its quoted name
	TargetCreateHybrid = "target-create-hybrid"
	// TargetCreateInteractive is an interactive table, which Snowflake alone has.
	TargetCreateInteractive = "target-create-interactive"
	TargetDrop              = "target-drop"
)

//go:embed */store/*.sql */target/*.sql snowflake/changes/*.sql snowflake/*.sql
var files embed.FS

// Dialects returns the dialects that there is a store's DDL for.
func Dialects() []string { return []string{"snowflake", "sqlite"} }

// targetDialects returns the dialects that there is a target's DDL for.
func targetDialects() []string { return []string{"postgres", "snowflake", "sqlite"} }

// pattern is where the files of a kind are.
func pattern(dialect, kind string) (string, error) {
	switch kind {
	case Store:
		return dialect + "/store/*.sql", nil
	case StoreChanges:
		return dialect + "/changes/*.sql", nil
	case Grants:
		return dialect + "/grants.sql", nil
	case TargetCreate:
		return dialect + "/target/create.sql", nil
	case TargetCreateHybrid:
		return dialect + "/target/create_hybrid.sql", nil
	case TargetCreateInteractive:
		return dialect + "/target/create_interactive.sql", nil
	case TargetDrop:
		return dialect + "/target/drop.sql", nil
	}
	of, layout, found := strings.Cut(kind, layoutMark)
	if found && (of == TargetCreate || of == TargetCreateHybrid) && slices.Contains(layouts(), layout) {
		in, err := pattern(dialect, of)
		return strings.TrimSuffix(in, ".sql") + "_" + layout + ".sql", err
	}
	return "", fmt.Errorf("no DDL of the kind %q; there is %q", kind,
		[]string{Store, StoreChanges, Grants, TargetCreate, TargetCreateHybrid, TargetCreateInteractive, TargetDrop})
}

// layoutMark stands between the kind of DDL and a layout.
const layoutMark = "/"

// layouts are those that have DDL of their own.
func layouts() []string { return []string{"tpcb", "ycsb"} }

// OfLayout is TargetCreate or TargetCreateHybrid for the tables of a layout, which
// may be several: {table} and {table.PART} are their quoted names. "" is the layout
// of a single table.
func OfLayout(kind, layout string) string {
	if layout == "" {
		return kind
	}
	return kind + layoutMark + layout
}

// Statements returns the DDL of one dialect and kind, in the order in which it
// is executed: what holds tables, tables, their indexes. The error names an
// unknown dialect or kind.
func Statements(dialect, kind string) ([]string, error) {
	in, err := pattern(dialect, kind)
	if err != nil {
		return nil, err
	}
	texts, err := read(dialect, in)
	if err != nil {
		return nil, err
	}
	var before, tables, others []string
	for _, text := range texts {
		for _, statement := range split(text) {
			switch {
			case isTable(statement):
				tables = append(tables, statement)
			case isContainer(statement):
				before = append(before, statement)
			default:
				others = append(others, statement)
			}
		}
	}
	return slices.Concat(before, tables, others), nil
}

func isTable(statement string) bool {
	return strings.HasPrefix(statement, "CREATE TABLE ") || IsHybrid(statement)
}

// IsHybrid reports whether a statement makes a hybrid table.
func IsHybrid(statement string) bool { return strings.HasPrefix(statement, "CREATE HYBRID TABLE ") }

func isContainer(statement string) bool {
	return strings.HasPrefix(statement, "CREATE DATABASE ") || strings.HasPrefix(statement, "CREATE SCHEMA ")
}

// Script returns the DDL of a store as it is written, with its comments, and
// behind it what is run by hand: changes, grants, examples.
func Script(dialect string) (string, error) {
	texts, err := read(dialect, dialect+"/store/*.sql")
	if err != nil {
		return "", err
	}
	for _, more := range []string{dialect + "/changes/*.sql", dialect + "/*.sql"} {
		names, err := fs.Glob(files, more)
		if err != nil {
			return "", err
		}
		if len(names) == 0 {
			continue
		}
		behind, err := read(dialect, more)
		if err != nil {
			return "", err
		}
		texts = append(texts, behind...)
	}
	return strings.Join(texts, "\n"), nil
}

func read(dialect, pattern string) ([]string, error) {
	if !slices.Contains(targetDialects(), dialect) {
		return nil, fmt.Errorf("no DDL of the dialect %q; there is %q", dialect, targetDialects())
	}
	names, err := fs.Glob(files, pattern)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no DDL in %s", pattern)
	}
	var texts []string
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		texts = append(texts, string(text))
	}
	return texts, nil
}

// Table is what a store must have under one name.
type Table struct {
	Name string
	// Path is the name as it stands in a statement: with {database} and a schema
	// before it where there are schemas.
	Path    string
	Columns []Column
}

// Column is one column of a Table.
type Column struct {
	Name string
	// Definition is everything behind the name: type, NOT NULL, DEFAULT.
	Definition string
}

// Has reports whether the table has a column of that name, in any case.
func (t Table) Has(column string) bool {
	return slices.ContainsFunc(t.Columns, func(c Column) bool { return strings.EqualFold(c.Name, column) })
}

// Tables returns the tables of a store in the order of the DDL.
func Tables(dialect string) ([]Table, error) {
	statements, err := Statements(dialect, Store)
	if err != nil {
		return nil, err
	}
	var tables []Table
	for _, statement := range statements {
		if !isTable(statement) {
			continue
		}
		table, err := Parse(statement)
		if err != nil {
			return nil, err
		}
		tables = append(tables, table)
	}
	return tables, nil
}

// Upgrade returns the statements that bring a store with the tables have up to
// date: missing tables, then missing columns, then indexes. Nothing is ever
// removed. What is complete already gets statements that change nothing.
func Upgrade(dialect string, have []Table) ([]string, error) {
	statements, err := Statements(dialect, Store)
	if err != nil {
		return nil, err
	}
	want, err := Tables(dialect)
	if err != nil {
		return nil, err
	}
	behind := slices.IndexFunc(statements, isTable) + len(want)
	upgrade := slices.Clone(statements[:behind])
	for _, table := range want {
		at := slices.IndexFunc(have, func(t Table) bool { return strings.EqualFold(t.Name, table.Name) })
		if at < 0 {
			continue
		}
		for _, column := range table.Columns {
			if !have[at].Has(column.Name) {
				upgrade = append(upgrade, fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s", table.Path, column.Name, column.Definition))
			}
		}
	}
	return append(upgrade, statements[behind:]...), nil
}

// split cuts a file into statements without comments and semicolons.
func split(text string) []string {
	var statements []string
	var lines []string
	for line := range strings.Lines(text) {
		line = uncomment(line)
		if line == "" {
			continue
		}
		ended := strings.HasSuffix(line, ";")
		lines = append(lines, strings.TrimSuffix(line, ";"))
		if ended {
			statements = append(statements, strings.Join(lines, "\n"))
			lines = nil
		}
	}
	if len(lines) > 0 { // a semicolon was forgotten; the statement is not lost
		statements = append(statements, strings.Join(lines, "\n"))
	}
	return statements
}

// uncomment cuts a comment and the white space around it. No literal of ours
// holds two dashes.
func uncomment(line string) string {
	line, _, _ = strings.Cut(line, "--")
	return strings.TrimRight(line, " \t\r\n")
}

// Parse reads one CREATE TABLE statement of the form that this package keeps to.
func Parse(statement string) (Table, error) {
	head, body, found := strings.Cut(statement, "(\n")
	words := strings.Fields(head)
	if !found || len(words) < 3 || !isTable(statement) {
		return Table{}, fmt.Errorf("not a CREATE TABLE with its columns on lines of their own: %.60q", statement)
	}
	path := words[len(words)-1]
	table := Table{Path: path, Name: path[strings.LastIndexByte(path, '.')+1:]}
	constraints := false
	for line := range strings.Lines(body) {
		line = strings.TrimSuffix(strings.TrimSpace(uncomment(line)), ",")
		if line == ")" || line == "" {
			continue
		}
		if isConstraint(line) {
			constraints = true
			continue
		}
		column, err := parseColumn(line)
		switch {
		case err != nil:
			return Table{}, fmt.Errorf("table %s: %w", table.Name, err)
		case constraints:
			return Table{}, fmt.Errorf("table %s: column %s stands behind a constraint", table.Name, column.Name)
		case table.Has(column.Name):
			return Table{}, fmt.Errorf("table %s: column %s is there twice", table.Name, column.Name)
		}
		table.Columns = append(table.Columns, column)
	}
	if len(table.Columns) == 0 {
		return Table{}, fmt.Errorf("table %s has no columns", table.Name)
	}
	return table, nil
}

// isConstraint recognises a line behind the columns.
func isConstraint(line string) bool {
	return strings.HasPrefix(line, "PRIMARY KEY (") || strings.HasPrefix(line, "UNIQUE (") || strings.HasPrefix(line, "INDEX ")
}

func parseColumn(line string) (Column, error) {
	words := strings.Fields(line)
	if len(words) < 2 {
		return Column{}, errors.New("a column needs a name and a type: " + line)
	}
	if words[0] != strings.ToUpper(words[0]) {
		return Column{}, errors.New("column names are in upper case: " + words[0])
	}
	return Column{Name: words[0], Definition: strings.Join(words[1:], " ")}, nil
}
