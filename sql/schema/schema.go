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
	Store        = "store"         // the tables of a store
	TargetCreate = "target-create" // the benchmark table; {table} is its quoted name
	TargetDrop   = "target-drop"
)

//go:embed */store/*.sql */target/*.sql
var files embed.FS

// Dialects returns the dialects that there is a store's DDL for.
func Dialects() []string { return []string{"sqlite"} }

// targetDialects returns the dialects that there is a target's DDL for.
func targetDialects() []string { return []string{"postgres", "sqlite"} }

// Statements returns the DDL of one dialect and kind, in the order in which it
// is executed: tables before their indexes. The error names an unknown dialect
// or kind.
func Statements(dialect, kind string) ([]string, error) {
	pattern := ""
	switch kind {
	case Store:
		pattern = dialect + "/store/*.sql"
	case TargetCreate:
		pattern = dialect + "/target/create.sql"
	case TargetDrop:
		pattern = dialect + "/target/drop.sql"
	default:
		return nil, fmt.Errorf("no DDL of the kind %q; there is %q", kind, []string{Store, TargetCreate, TargetDrop})
	}
	texts, err := read(dialect, pattern)
	if err != nil {
		return nil, err
	}
	var tables, others []string
	for _, text := range texts {
		for _, statement := range split(text) {
			if strings.HasPrefix(statement, "CREATE TABLE") {
				tables = append(tables, statement)
			} else {
				others = append(others, statement)
			}
		}
	}
	return append(tables, others...), nil
}

// Script returns the DDL of a store as it is written, with its comments.
func Script(dialect string) (string, error) {
	texts, err := read(dialect, dialect+"/store/*.sql")
	if err != nil {
		return "", err
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
	Name    string
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
		if !strings.HasPrefix(statement, "CREATE TABLE") {
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
	upgrade := slices.Clone(statements[:len(want)])
	for _, table := range want {
		at := slices.IndexFunc(have, func(t Table) bool { return strings.EqualFold(t.Name, table.Name) })
		if at < 0 {
			continue
		}
		for _, column := range table.Columns {
			if !have[at].Has(column.Name) {
				upgrade = append(upgrade, fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s", table.Name, column.Name, column.Definition))
			}
		}
	}
	return append(upgrade, statements[len(want):]...), nil
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
	if !found || len(words) < 3 || words[0] != "CREATE" || words[1] != "TABLE" {
		return Table{}, fmt.Errorf("not a CREATE TABLE with its columns on lines of their own: %.60q", statement)
	}
	table := Table{Name: words[len(words)-1]}
	constraints := false
	for line := range strings.Lines(body) {
		line = strings.TrimSuffix(strings.TrimSpace(uncomment(line)), ",")
		if line == ")" || line == "" {
			continue
		}
		if strings.HasPrefix(line, "PRIMARY KEY (") || strings.HasPrefix(line, "UNIQUE (") {
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
